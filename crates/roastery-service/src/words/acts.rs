//! Who has asked a node for what, and which shares have left, in pieces. What is of others stands
//! apart, so that a page can isolate it and a terminal make it visible.

use std::fs;

use super::{About, short_id};
use crate::{
    text::visible,
    view::{ActKind, Chain, LogEntry, Principal, PrincipalKind, RecordedAct},
};

/// The users of the machine, with their numbers.
const USERS: &str = "/etc/passwd";

/// The longest file of users that is read, in bytes. Without it users have numbers only.
const MOST_OF_USERS: u64 = 1024 * 1024;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words of this program, or numbers.
    Own(String),
    /// A text of others: a name, a reason, an operation.
    Foreign(String),
    /// A request, by its session.
    Request(String),
}

impl Piece {
    fn own(text: &str) -> Self {
        Self::Own(text.to_owned())
    }

    fn foreign(text: &str) -> Self {
        Self::Foreign(text.to_owned())
    }
}

/// The pieces as one line of a terminal.
pub fn line(pieces: &[Piece]) -> String {
    let shown = pieces.iter().map(|piece| match piece {
        Piece::Own(text) => text.clone(),
        Piece::Foreign(text) => visible(text),
        Piece::Request(session) => visible(short_id(session)),
    });
    shown.collect()
}

/// The names that this machine has for its users.
#[derive(Clone, Debug, Default)]
pub struct Users(String);

impl Users {
    /// Those of this machine; none where they cannot be read.
    pub fn of_this_machine() -> Self {
        let is_short = fs::metadata(USERS).is_ok_and(|file| file.len() <= MOST_OF_USERS);
        Self(if is_short { fs::read_to_string(USERS).unwrap_or_default() } else { String::new() })
    }

    /// The name of the user with this number.
    fn named(&self, number: &str) -> Option<&str> {
        let with_number = |line: &&str| line.split(':').nth(2) == Some(number);
        self.0.lines().find(with_number)?.split(':').next()
    }
}

/// A client, with the name that the machine has for a user.
pub fn principal(by: &Principal, users: &Users) -> Vec<Piece> {
    match by.kind {
        PrincipalKind::User => match users.named(&by.name) {
            Some(name) => vec![
                Piece::foreign(name),
                Piece::own(" (user "),
                Piece::foreign(&by.name),
                Piece::own(")"),
            ],
            None => vec![Piece::own("user "), Piece::foreign(&by.name)],
        },
        PrincipalKind::Token => vec![Piece::own("token "), Piece::foreign(&by.name)],
        PrincipalKind::Node => vec![Piece::own("the node")],
        PrincipalKind::Passkey => vec![Piece::own("passkey "), Piece::foreign(&by.name)],
    }
}

/// What was asked for.
pub fn act(act: &RecordedAct) -> Vec<Piece> {
    let verb = match act.act {
        ActKind::Proposed => "asked for ",
        ActKind::Approved => "approved ",
        ActKind::Rejected => "rejected ",
        ActKind::Asserted if act.text == "approve" => "signed with a passkey to approve ",
        ActKind::Asserted => "signed with a passkey to reject ",
        ActKind::Asked => return vec![Piece::foreign(&act.text)],
    };
    let mut pieces = vec![Piece::own(verb), Piece::Request(act.session.clone())];
    if !act.group.is_empty() {
        pieces.extend([Piece::own(" in "), Piece::foreign(&act.group)]);
    }
    if let Some(seen) = &act.seen {
        pieces.extend([Piece::own(", as seen: "), Piece::foreign(short_id(seen))]);
    }
    if act.act == ActKind::Rejected && !act.text.is_empty() {
        pieces.extend([Piece::own(": "), Piece::foreign(&act.text)]);
    }
    pieces
}

/// What a share that has left was for, and who decided.
pub fn share(entry: &LogEntry) -> Vec<Piece> {
    let mut pieces = match &entry.summary {
        None => {
            let count = entry.messages.len();
            vec![Piece::Own(format!("{count} messages of a request that is not read"))]
        }
        Some(summary) => {
            let About { before, foreign, after } = About::of_summary(summary);
            vec![Piece::Own(before), Piece::Foreign(foreign), Piece::Own(after)]
        }
    };
    pieces.extend([Piece::own("; "), Piece::foreign(&entry.policy)]);
    pieces
}

/// The group of a share: its name, or the first digits of its id.
pub fn group_of(entry: &LogEntry) -> &str {
    if entry.group_name.is_empty() { short_id(&entry.group) } else { &entry.group_name }
}

/// What the node says of its chain of acts and shares.
pub fn chain(chain: &Chain) -> String {
    let Chain { acts, hash } = chain;
    format!("The chain of {acts} acts and of the shares between them is whole: {}", visible(hash))
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::Time;

    fn users() -> Users {
        let lines = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        Users(lines.to_owned())
    }

    #[test]
    fn a_user_is_called_by_its_name_and_its_number_and_a_token_by_its_name() {
        let by = |kind, name: &str| {
            line(&principal(&Principal { kind, name: name.to_owned() }, &users()))
        };
        assert_eq!(by(PrincipalKind::User, "1000"), "anna (user 1000)");
        // No part of a number, nor of another column.
        for other in ["100", "1", "x", ""] {
            assert_eq!(by(PrincipalKind::User, other), format!("user {other}"));
        }
        assert_eq!(by(PrincipalKind::Token, "payout"), "token payout");
        assert_eq!(by(PrincipalKind::Node, ""), "the node");
        assert_eq!(by(PrincipalKind::Passkey, "anna"), "passkey anna");
    }

    #[test]
    fn an_act_says_what_and_as_what_it_was_seen() {
        let act = |kind: &str, seen: Option<String>, text: &str| {
            let recorded: RecordedAct = from_value(json!({
                "number": 41, "time": Time::from_seconds(0), "act": kind, "seen": seen,
                "by": { "kind": "user", "name": "1000" }, "group": "treasury", "text": text,
                "session": "5".repeat(64), "shares": 7, "before": "0".repeat(64),
            }))
            .unwrap();
            line(&super::act(&recorded))
        };
        let seen = Some("9".repeat(64));
        let approved = act("approved", seen, "");
        assert_eq!(approved, "approved 55555555 in treasury, as seen: 99999999");
        assert_eq!(act("proposed", None, ""), "asked for 55555555 in treasury");
        assert_eq!(act("rejected", None, ""), "rejected 55555555 in treasury");
        let rejected = act("rejected", None, "not\u{1b}[2J this");
        assert!(rejected.starts_with("rejected 55555555 in treasury: not"), "{rejected}");
        assert!(!rejected.contains('\u{1b}'), "{rejected}");
        let asserted = act("asserted", None, "approve");
        assert_eq!(asserted, "signed with a passkey to approve 55555555 in treasury");
        assert!(act("asserted", None, "reject").contains(" to reject "));
        assert_eq!(act("asked", None, "bar: cleo in treasury"), "bar: cleo in treasury");
    }
}
