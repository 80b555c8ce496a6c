//! Hooks: whom this node tells what happens.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use axum::http::Uri;
use serde::{Deserialize, Deserializer, de::Error};

use super::{
    names::{LABEL_RULE, is_label},
    words::some_words,
};

/// The most hooks of a node.
pub const MAX_HOOKS: usize = 16;

/// The most words of a hook's command, and the most bytes of each.
const MAX_WORDS: usize = 64;
const MAX_WORD: usize = 4096;

/// The longest URL, in bytes.
const MAX_URL: usize = 2048;

/// The shortest and the longest time after which a missing member is told, in seconds.
const GONE_AFTER: std::ops::RangeInclusive<u64> = 1..=7 * 24 * 60 * 60;

/// What a hook is told of.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookEvent {
    /// A request waits for this node's operator.
    RequestWaiting,
    /// A request has its signatures.
    Signed,
    /// So many other members have refused a request that the rest are too few to sign it.
    CannotSucceed,
    /// A member could not be reached for so long.
    MemberGone {
        /// For how long.
        after: Duration,
    },
    /// A fault of a member is proven.
    FaultProven,
    /// The health check finds a problem.
    Unhealthy,
    /// A token of the API was made or revoked.
    OperatorChanged,
}

/// How a hook names what it is told of.
const EVENTS: &str = "request-waiting, signed, cannot-succeed, member-gone:5m (any number of \
                      seconds, minutes or hours: 90s, 5m, 2h), fault-proven, unhealthy and \
                      operator-changed are allowed";

impl FromStr for HookEvent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "request-waiting" => Self::RequestWaiting,
            "signed" => Self::Signed,
            "cannot-succeed" => Self::CannotSucceed,
            "fault-proven" => Self::FaultProven,
            "unhealthy" => Self::Unhealthy,
            "operator-changed" => Self::OperatorChanged,
            _ => match text.strip_prefix("member-gone:").map(duration) {
                Some(Some(after)) => Self::MemberGone { after },
                Some(None) => {
                    return Err(format!(
                        "{text:?}: after the colon stands how long the member is missing, 1s to 168h, for example member-gone:5m"
                    ));
                }
                None => return Err(format!("{text:?} is no event of a hook: {EVENTS}")),
            },
        })
    }
}

impl fmt::Display for HookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RequestWaiting => "request-waiting",
            Self::Signed => "signed",
            Self::CannotSucceed => "cannot-succeed",
            Self::MemberGone { after } => {
                return write!(f, "member-gone:{}s", after.as_secs());
            }
            Self::FaultProven => "fault-proven",
            Self::Unhealthy => "unhealthy",
            Self::OperatorChanged => "operator-changed",
        })
    }
}

/// A number and `s`, `m` or `h`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.strip_suffix(['s', 'm', 'h'])?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        _ => 60 * 60,
    };
    let seconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    GONE_AFTER.contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// How much a hook is told.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookDetail {
    /// What has happened, the group's name and the id of the request.
    #[default]
    None,
    /// Also amounts and addresses, the first words of a text, names of members, and reasons.
    Summary,
    /// Also the whole request, as the API shows it.
    Full,
}

impl fmt::Display for HookDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Summary => "summary",
            Self::Full => "full",
        })
    }
}

/// Whom a hook tells.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookTarget {
    /// A program with its arguments, which is run.
    Command(Vec<String>),
    /// A server, which gets a signed message.
    Webhook {
        /// Where it is: `https`, or `http` on this machine.
        url: Uri,
        /// The file of the secret by which messages are signed. Relative to the folder.
        secret_file: PathBuf,
    },
}

/// A hook of this node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct HookConfig {
    /// Its name, which no other hook has.
    pub name: String,
    /// What it is told of.
    pub on: Vec<HookEvent>,
    /// How much it is told.
    pub detail: HookDetail,
    /// Whom it tells.
    pub target: HookTarget,
}

impl HookConfig {
    /// After which times a missing member is told.
    pub fn gone_after(&self) -> impl Iterator<Item = Duration> + '_ {
        self.on.iter().filter_map(|event| match event {
            HookEvent::MemberGone { after } => Some(*after),
            _ => None,
        })
    }
}

impl fmt::Display for HookTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => write!(f, "command {}", words.first().map_or("", |word| word)),
            // A path often has a secret of its own.
            Self::Webhook { url, .. } => {
                write!(f, "{}://{}", url.scheme_str().unwrap_or(""), host_and_port(url))
            }
        }
    }
}

fn host_and_port(url: &Uri) -> &str {
    url.authority().map_or("", |authority| authority.as_str())
}

/// A hook, as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    on: Vec<String>,
    #[serde(default)]
    detail: HookDetail,
    #[serde(default, deserialize_with = "some_words")]
    command: Option<Vec<String>>,
    url: Option<String>,
    secret_file: Option<PathBuf>,
}

impl TryFrom<Written> for HookConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, on, detail, command, url, secret_file } = written;
        if !is_label(&name) {
            return Err(format!("the name of a hook has {LABEL_RULE}, and {name:?} is none"));
        }
        let of = |reason: String| format!("hook {name}: {reason}");
        let mut events: Vec<HookEvent> = Vec::new();
        for text in &on {
            let event: HookEvent = text.parse().map_err(of)?;
            if events.contains(&event) {
                return Err(of(format!("on: {text:?} stands there twice")));
            }
            events.push(event);
        }
        if events.iter().filter(|event| matches!(event, HookEvent::MemberGone { .. })).count() > 1 {
            return Err(of("on: member-gone stands there twice: one time is allowed".to_owned()));
        }
        if events.is_empty() {
            return Err(of(format!("on: a hook is told of something: {EVENTS}")));
        }
        let target = match (command, url, secret_file) {
            (Some(words), None, None) => HookTarget::Command(checked(words).map_err(of)?),
            (None, Some(url), Some(secret_file)) => {
                HookTarget::Webhook { url: allowed(&url).map_err(of)?, secret_file }
            }
            (None, Some(_), None) => {
                let reason = "secret_file: is needed where url is given: by its secret the server knows that the message is this node's";
                return Err(of(reason.to_owned()));
            }
            _ => {
                let reason = "exactly one of command, and url with secret_file, is allowed";
                return Err(of(reason.to_owned()));
            }
        };
        Ok(Self { name, on: events, detail, target })
    }
}

/// A command that can be run.
fn checked(words: Vec<String>) -> Result<Vec<String>, String> {
    let program = words.first().map_or("", String::as_str);
    if program.is_empty() || words.len() > MAX_WORDS {
        return Err(format!("command: a program and at most {} arguments", MAX_WORDS - 1));
    }
    if program.contains("{title}") || program.contains("{body}") {
        return Err("command: {title} and {body} are for arguments, and not for the program".into());
    }
    if words.iter().any(|word| word.len() > MAX_WORD || word.contains('\0')) {
        return Err(format!("command: a word has at most {MAX_WORD} bytes, and no zero byte"));
    }
    Ok(words)
}

/// A URL to which messages may go.
fn allowed(text: &str) -> Result<Uri, String> {
    // What a URL has may be secret, and is not repeated.
    let wrong = |reason: &str| {
        format!(
            "url: {reason}; https://HOST/PATH is allowed, and http://127.0.0.1:PORT/PATH on this machine"
        )
    };
    if text.len() > MAX_URL {
        return Err(wrong("it is longer than 2048 bytes"));
    }
    let url: Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
    let host = url.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
    if host_and_port(&url).contains('@') {
        return Err(wrong("it has a user or a password, which no message is sent with"));
    }
    match url.scheme_str() {
        Some("https") => Ok(url),
        Some("http") if is_loopback(host) => Ok(url),
        Some("http") => {
            Err(wrong("http shows messages to all between, and the host is another machine"))
        }
        _ => Err(wrong("it begins with neither https:// nor http://")),
    }
}

/// Whether a host of a URL is this machine, whatever a name server says.
fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// All hooks of a file.
pub(super) fn all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HookConfig>, D::Error> {
    let hooks = Vec::<HookConfig>::deserialize(deserializer)?;
    if hooks.len() > MAX_HOOKS {
        let count = hooks.len();
        return Err(D::Error::custom(format!("there are {count} hooks; {MAX_HOOKS} are allowed")));
    }
    for (at, hook) in hooks.iter().enumerate() {
        if hooks[..at].iter().any(|before| before.name == hook.name) {
            let name = &hook.name;
            return Err(D::Error::custom(format!(
                "there are two hooks {name}: each has a name of its own"
            )));
        }
    }
    Ok(hooks)
}

#[cfg(test)]
mod tests {
    use super::{super::Config, *};

    fn hooks(text: &str) -> Result<Vec<HookConfig>, String> {
        Config::parse(text, |_| None).map(|config| config.hooks).map_err(|error| error.to_string())
    }

    fn with(lines: &str) -> String {
        format!("name = \"anna\"\n\n[[hooks]]\nname = \"ops\"\n{lines}\n")
    }

    #[test]
    fn a_hook_is_a_command_or_a_url_with_a_secret_and_says_by_itself_what_has_happened_only() {
        let text =
            with("on = [\"signed\", \"member-gone:90s\"]\ncommand = [\"notify\", \"{title}\"]");
        let hook = hooks(&text).unwrap().remove(0);
        assert_eq!(hook.detail, HookDetail::None);
        assert_eq!(hook.on[1], HookEvent::MemberGone { after: Duration::from_secs(90) });
        assert_eq!(hook.target, HookTarget::Command(vec!["notify".into(), "{title}".into()]));
        let text = with(
            "on = [\"unhealthy\"]\ndetail = \"full\"\nurl = \"https://ops.example/a?b=c\"\nsecret_file = \"s\"",
        );
        let hook = hooks(&text).unwrap().remove(0);
        assert_eq!(hook.detail, HookDetail::Full);
        assert_eq!(hook.target.to_string(), "https://ops.example");
        assert_eq!(hooks("").unwrap(), []);
    }

    #[test]
    fn what_a_hook_must_not_be_is_named_with_its_line_its_name_and_what_is_allowed() {
        let command = "command = [\"notify\"]";
        let to = |url: &str| format!("on = [\"signed\"]\nurl = \"{url}\"\nsecret_file = \"s\"");
        for (lines, said) in [
            (
                format!("on = [\"sign\"]\n{command}"),
                "\"sign\" is no event of a hook: request-waiting, ",
            ),
            (format!("on = [\"member-gone\"]\n{command}"), "member-gone:5m"),
            (format!("on = [\"member-gone:5\"]\n{command}"), "1s to 168h"),
            (format!("on = [\"member-gone:0s\"]\n{command}"), "1s to 168h"),
            (format!("on = [\"member-gone:+5m\"]\n{command}"), "1s to 168h"),
            (format!("on = [\"member-gone:169h\"]\n{command}"), "1s to 168h"),
            (
                format!("on = [\"member-gone:1s\", \"member-gone:2s\"]\n{command}"),
                "one time is allowed",
            ),
            (format!("on = [\"signed\", \"signed\"]\n{command}"), "stands there twice"),
            (format!("on = []\n{command}"), "request-waiting, "),
            ("on = [\"signed\"]".to_owned(), "exactly one of command, and url"),
            (format!("on = [\"signed\"]\n{command}\nurl = \"https://a\""), "exactly one of"),
            ("on = [\"signed\"]\nurl = \"https://a\"".to_owned(), "secret_file: is needed"),
            ("on = [\"signed\"]\ncommand = []".to_owned(), "a program and at most 63"),
            ("on = [\"signed\"]\ncommand = [\"a{body}\"]".to_owned(), "not for the program"),
            (to("http://ops.example/"), "http shows messages"),
            (to("http://localhost.example/"), "http shows messages"),
            (to("http://127.0.0.1@ops.example/"), "a user or a password"),
            (to("ftp://ops.example/"), "https://HOST/PATH is allowed"),
            (to("/ops"), "https://HOST/PATH is allowed"),
        ] {
            let error = hooks(&with(&lines)).unwrap_err();
            assert!(error.contains("line 3") && error.contains("hook ops: "), "{lines}: {error}");
            assert!(error.contains(said) && !error.contains('\n'), "{lines}: {error}");
        }
        for url in ["http://127.0.0.1:8000/x", "http://[::1]:8000/", "https://ops.example:8443"] {
            assert!(hooks(&with(&to(url))).is_ok(), "{url}");
        }
        let one =
            |name: &str| format!("[[hooks]]\nname = \"{name}\"\non = [\"signed\"]\n{command}\n");
        let error = hooks(&one("Ops")).unwrap_err();
        assert!(error.contains("1 to 24 small letters") && error.contains("line 1"), "{error}");
        let error = hooks(&[one("ops"), one("ops")].concat()).unwrap_err();
        assert!(error.contains("there are two hooks ops"), "{error}");
        let many: String = (0..=MAX_HOOKS).map(|at| one(&format!("h{at}"))).collect();
        let error = hooks(&many).unwrap_err();
        assert!(error.contains("17 hooks; 16 are allowed"), "{error}");
        let error =
            hooks(&with(&format!("on = [\"signed\"]\n{command}\ndetial = \"full\""))).unwrap_err();
        assert!(error.contains("unknown field `detial`"), "{error}");
        let error =
            hooks(&with(&format!("on = [\"signed\"]\n{command}\ndetail = \"all\""))).unwrap_err();
        assert!(error.contains("`none`, `summary`, `full`"), "{error}");
    }
}
