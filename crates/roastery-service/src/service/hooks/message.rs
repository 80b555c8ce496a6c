//! What a notice says: as little or as much as its hook is told, and never in characters that a
//! terminal or a phone would take for something else.

use serde::Serialize;

use crate::{
    Time,
    config::HookDetail,
    text::{escape_json, shorten, visible},
    view, words,
};

/// The longest title and body, in columns.
const MAX_TITLE: usize = 120;
const MAX_BODY: usize = 1000;

/// The longest message, in bytes. A longer one leaves the request out.
const MAX_MESSAGE: usize = 256 * 1024;

/// What is known of a notice when it is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Its id.
    pub(super) id: String,
    /// What has happened, as a configuration names it.
    pub(super) event: &'static str,
    /// When.
    pub(super) time_ms: u64,
    /// The group's name at this node.
    pub(super) group: Option<String>,
    /// The session of the request.
    pub(super) session: Option<String>,
    /// The name of the member.
    pub(super) member: Option<String>,
    /// More about it.
    pub(super) text: String,
    /// The request, as far as it is known.
    pub(super) request: Option<view::Request>,
}

/// A notice in words and as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) json: Vec<u8>,
}

/// A notice as JSON: the form of Standard Webhooks, whose `data` is this project's.
#[derive(Serialize)]
struct Payload<'a> {
    r#type: &'a str,
    timestamp: Time,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: &'a str,
    title: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a view::Request>,
}

impl Message {
    /// What a hook is told that is told so much.
    pub(super) fn new(facts: &Facts, detail: HookDetail) -> Self {
        let more = detail > HookDetail::None;
        let what = match facts.event {
            "request-waiting" => "a request waits for you",
            "signed" => "a request is signed",
            "cannot-succeed" => "a request cannot succeed",
            "member-gone" => "a member is missing",
            "fault-proven" => "a fault of a member is proven",
            "unhealthy" => "the node does not do its work",
            "operator-changed" => "who may call the node has changed",
            _ => "a test",
        };
        let group = facts.group.as_deref().map(visible);
        // The first word is this program's, so that no title is taken for an option.
        let title = match &group {
            Some(group) => format!("Roastery: {group}: {what}"),
            None => format!("Roastery: {what}"),
        };
        let title = shorten(&title, MAX_TITLE);
        let member = facts.member.as_deref().filter(|_| more).map(visible);
        let about = facts.request.as_ref().filter(|_| more).map(words::about);
        let text = Some(visible(&facts.text)).filter(|text| more && !text.is_empty());
        let session = facts.session.as_deref();
        let id = session.map(|session| format!("Request {}", words::short_id(session)));
        let said: Vec<&str> = [id.as_deref(), member.as_deref(), about.as_deref(), text.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        let body = match &said[..] {
            [] => format!("At {}.", Time::from_milliseconds(facts.time_ms)),
            said => said.join(": "),
        };
        // A member's name or words may begin like an option.
        let body = if body.starts_with('-') { format!(": {body}") } else { body };
        let body = shorten(&body, MAX_BODY);
        let json = |request| {
            let data = Data {
                id: &facts.id,
                title: &title,
                body: &body,
                group: group.as_deref(),
                session,
                member: member.as_deref(),
                text: text.as_deref(),
                about: about.as_deref(),
                request,
            };
            let timestamp = Time::from_milliseconds(facts.time_ms);
            let payload = Payload { r#type: facts.event, timestamp, data };
            // Strings and numbers are always JSON.
            escape_json(&serde_json::to_string(&payload).unwrap_or_default()).into_bytes()
        };
        let whole = json(facts.request.as_ref().filter(|_| detail == HookDetail::Full));
        let json = if whole.len() > MAX_MESSAGE { json(None) } else { whole };
        Self { id: facts.id.clone(), title, body, json }
    }

    /// The words of a command, with this notice in place of `{title}` and `{body}`. What is put in
    /// is not looked through again.
    pub(super) fn words(&self, command: &[String]) -> Vec<String> {
        command.iter().map(|word| self.word(word)).collect()
    }

    fn word(&self, word: &str) -> String {
        let (mut done, mut rest) = (String::new(), word);
        while let Some(at) = rest.find('{') {
            done.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, text) = match rest {
                _ if rest.starts_with("{title}") => ("{title}", &self.title),
                _ if rest.starts_with("{body}") => ("{body}", &self.body),
                _ => {
                    done.push('{');
                    rest = &rest[1..];
                    continue;
                }
            };
            done.push_str(text);
            rest = &rest[name.len()..];
        }
        done + rest
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const HOSTILE: &str = "-x\u{202e}{title}\u{1b}[2J\n\u{200b}{body} $(id) 'a' \"b\" \\";

    fn facts() -> Facts {
        Facts {
            id: "msg_1".to_owned(),
            event: "member-gone",
            time_ms: 1_800_000_000_000,
            group: Some(format!("treasury{HOSTILE}")),
            session: Some("5751555477ab01c3".to_owned()),
            member: Some(HOSTILE.to_owned()),
            text: HOSTILE.repeat(100),
            request: None,
        }
    }

    #[test]
    fn hostile_texts_are_cleaned_bounded_and_never_begin_a_word_or_stand_for_another() {
        let message = Message::new(&facts(), HookDetail::Full);
        for text in [&message.title, &message.body] {
            let clean = |c: char| !c.is_control() && !"\u{202e}\u{200b}".contains(c);
            assert!(text.chars().all(clean), "{text:?}");
            assert!(!text.starts_with('-') && text.chars().count() <= MAX_BODY, "{text:?}");
        }
        assert!(message.title.chars().count() <= MAX_TITLE, "{}", message.title);
        let command = ["notify", "-t", "{title}", "a={body}{title}{", "{other}"].map(str::to_owned);
        let words = message.words(&command);
        assert_eq!(words[..3], ["notify", "-t", &message.title]);
        // What stands in a text is not a place of its own.
        assert!(message.body.contains("{title}"));
        assert_eq!(words[3], format!("a={}{}{{", message.body, message.title));
        assert_eq!(words[4], "{other}");
        let json: Value = serde_json::from_slice(&message.json).unwrap();
        let text = String::from_utf8(message.json.clone()).unwrap();
        assert!(!text.chars().any(|c| c.is_control() || "\u{202e}\u{200b}".contains(c)));
        assert_eq!(json["data"]["title"], message.title);
        // Without a group and a request it begins with the member's name.
        let alone = Facts { group: None, session: None, ..facts() };
        assert!(Message::new(&alone, HookDetail::Summary).body.starts_with(": -x"));
    }

    #[test]
    fn without_detail_nothing_but_group_and_id_is_told() {
        let facts = Facts { group: Some("treasury".to_owned()), ..facts() };
        let message = Message::new(&facts, HookDetail::None);
        assert_eq!(message.title, "Roastery: treasury: a member is missing");
        assert_eq!(message.body, "Request 57515554");
        let json: Value = serde_json::from_slice(&message.json).unwrap();
        let fields: Vec<&String> = json["data"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["body", "group", "id", "session", "title"]);
        assert_eq!(json["timestamp"], "2027-01-15T08:00:00Z");
        let more: Value =
            serde_json::from_slice(&Message::new(&facts, HookDetail::Summary).json).unwrap();
        assert!(more["data"]["member"].is_string() && more["data"]["text"].is_string());
        let alone = Facts { session: None, ..facts };
        assert_eq!(Message::new(&alone, HookDetail::None).body, "At 2027-01-15T08:00:00Z.");
    }
}
