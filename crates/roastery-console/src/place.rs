//! The pages, by their addresses.

use roastery_service::view::State;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// What is to be done, and how node and groups are.
    Overview,
    /// The requests in a state, from a position on.
    Requests(Option<State>, Option<u64>),
    /// A request, by its session.
    Request(String),
    /// A group, by its id.
    Group(String),
    /// The signed transaction of a request as QR codes.
    Codes(String, Coded),
    /// The wallet of a group, by the group's id.
    Wallet(String),
    /// A transaction that is not proposed yet, by the console's id of it.
    Draft(String),
    /// The audit log before these entries, or its end.
    Log(Option<Before>),
    /// The form of a new group, and the pairings of the node.
    Founding,
    /// A pairing, by the node's id of it.
    Pairing(String),
    /// The proofs.
    Evidence,
    /// The health of the node, and the configuration in force.
    Settings,
}

/// What is shown as QR codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coded {
    /// The signed PSBT.
    Psbt,
    /// The transaction that it becomes.
    Transaction,
}

impl Coded {
    /// The first part of its address.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Psbt => "psbt-codes",
            Self::Transaction => "transaction-codes",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Psbt => Self::Transaction,
            Self::Transaction => Self::Psbt,
        }
    }
}

/// Where a page of the audit log begins: with what came before this act and this share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) acts: u64,
    pub(crate) shares: u64,
}

impl Place {
    /// The page at this path and query, if there is one.
    pub(crate) fn at(path: &str, query: &str) -> Option<Self> {
        let (mut state, mut before, mut acts, mut shares) = (None, None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=')? {
                ("state", word) => state = Some(word.parse().ok()?),
                ("before", number) => before = Some(number.parse().ok()?),
                ("acts", number) => acts = Some(number.parse().ok()?),
                ("shares", number) => shares = Some(number.parse().ok()?),
                _ => return None,
            }
        }
        let mut parts = path.strip_prefix('/')?.split('/');
        let (first, second, end) = (parts.next()?, parts.next(), parts.next());
        let place = match (first, second, end) {
            ("", None, None) => Self::Overview,
            ("requests", None, None) => {
                return ((acts, shares) == (None, None)).then_some(Self::Requests(state, before));
            }
            ("log", None, None) if (state, before) == (None, None) => {
                return match (acts, shares) {
                    (None, None) => Some(Self::Log(None)),
                    (Some(acts), Some(shares)) => Some(Self::Log(Some(Before { acts, shares }))),
                    _ => None,
                };
            }
            ("requests", Some(session), None) => Self::Request(id(session)?),
            ("psbt-codes", Some(session), None) => Self::Codes(id(session)?, Coded::Psbt),
            ("transaction-codes", Some(session), None) => {
                Self::Codes(id(session)?, Coded::Transaction)
            }
            ("groups", Some(group), None) => Self::Group(id(group)?),
            ("wallets", Some(group), None) => Self::Wallet(id(group)?),
            ("drafts", Some(draft), None) => Self::Draft(id(draft)?),
            ("new", None, None) => Self::Founding,
            ("pairings", Some(pairing), None) => Self::Pairing(digits(pairing, 16)?),
            ("evidence", None, None) => Self::Evidence,
            ("settings", None, None) => Self::Settings,
            _ => return None,
        };
        let is_bare = (state, before, acts, shares) == (None, None, None, None);
        is_bare.then_some(place)
    }
}

/// An id: 64 hexadecimal digits.
pub(crate) fn id(text: &str) -> Option<String> {
    digits(text, 64)
}

/// So many hexadecimal digits.
pub(crate) fn digits(text: &str, count: usize) -> Option<String> {
    let digits = text.len() == count
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    digits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_address_and_what_is_no_address_is_none() {
        let hex = "0f".repeat(32);
        let at = |path: &str| Place::at(path, "");
        assert_eq!(at("/"), Some(Place::Overview));
        assert_eq!(at("/settings"), Some(Place::Settings));
        assert_eq!(at("/requests"), Some(Place::Requests(None, None)));
        let older = Place::at("/requests", "state=signed&before=7");
        assert_eq!(older, Some(Place::Requests(Some(State::Signed), Some(7))));
        assert_eq!(at(&format!("/requests/{hex}")), Some(Place::Request(hex.clone())));
        assert_eq!(at(&format!("/groups/{hex}")), Some(Place::Group(hex.clone())));
        for of in [Coded::Psbt, Coded::Transaction] {
            let codes = Place::Codes(hex.clone(), of);
            assert_eq!(at(&format!("/{}/{hex}", of.word())), Some(codes));
            assert_ne!(of.word(), of.other().word());
        }
        assert_eq!(at("/new"), Some(Place::Founding));
        let pairing = "0123456789abcdef";
        assert_eq!(at(&format!("/pairings/{pairing}")), Some(Place::Pairing(pairing.to_owned())));
        let older = Place::at("/log", "acts=5&shares=7");
        assert_eq!(older, Some(Place::Log(Some(Before { acts: 5, shares: 7 }))));
        let upper = hex.to_uppercase();
        for none in [
            "",
            "requests",
            "/requests/",
            "/requests/0f0f0f0f",
            &format!("/requests/{upper}"),
            &format!("/requests/{hex}/approve"),
            "/psbt-codes",
            &format!("/psbt-codes/{hex}/1"),
            &format!("/groups/{}%2f", &hex[..61]),
            "/nothing",
            "/pairings",
            &format!("/pairings/{hex}"),
            "/pairings/0123456789abcdeg",
            "/new/group",
        ] {
            assert_eq!(at(none), None, "{none}");
        }
        for (path, query) in [
            ("/requests", "state=eaten"),
            ("/requests", "before=-1"),
            ("/log", "state=signed"),
            ("/log", "acts=5"),
            ("/log", "before=5"),
            ("/requests", "acts=5&shares=7"),
            ("/", "before=1"),
            ("/requests", "x=1"),
        ] {
            assert_eq!(Place::at(path, query), None, "{path}?{query}");
        }
    }
}
