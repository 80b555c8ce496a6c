//! The status of a pairing.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pairing at this node. For its operator alone: it has lines that were not used, and this node's
/// words. Another member's word is nowhere in it.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pairing {
    /// Its id at this node: 16 hexadecimal digits.
    pub id: String,
    /// Whether this node invites.
    pub invites: bool,
    /// How far it is.
    pub state: PairingState,
    /// The group's name, once it is offered.
    pub group: Option<String>,
    /// How many must sign; 0 before it is offered.
    pub threshold: usize,
    /// The attempt, 1 to 5; 0 before the first.
    pub attempt: u8,
    /// This node's name in the group.
    pub own: Option<String>,
    /// The members by seat; the first one invites.
    pub members: Vec<PairingMember>,
    /// This node's words, to be said to the others.
    pub words: Vec<String>,
    /// The id of the key generation that follows, once the comparison was confirmed.
    #[serde(rename = "ceremony")]
    pub keygen: Option<String>,
    /// Why it has ended, and at which member.
    pub ended: Option<String>,
    /// What stands in its way now, and what to do.
    pub note: String,
    /// When it ends, in seconds since 1970.
    pub deadline: u64,
}

/// The words are not shown, and of the members no line.
impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, state, group, attempt, members, .. } = self;
        f.debug_struct("Pairing")
            .field("id", id)
            .field("state", state)
            .field("group", group)
            .field("attempt", attempt)
            .field("members", members)
            .finish_non_exhaustive()
    }
}

/// How far a pairing is at a node.
///
/// Exhaustive: version 1 of the API has no other states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PairingState {
    /// The node that invites has not answered yet.
    Calling,
    /// The operator must accept what is offered.
    Offered,
    /// Members are missing.
    Waiting,
    /// All are there, and try to reach each other.
    Reaching,
    /// Words are there, and are to be compared; at last it is to be confirmed that the others have
    /// found this node's right.
    Comparing,
    /// All words were right, here and at the others, as was confirmed; the key is made.
    Agreed,
    /// It has ended, and nothing is made.
    Ended,
}

/// A member of a pairing.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PairingMember {
    /// Its name.
    pub name: String,
    /// Whether it is this node.
    pub own: bool,
    /// Its line, at the node that invites, until it was used. It admits who has it.
    pub line: Option<String>,
    /// When its line was used, in seconds since 1970.
    pub used: Option<u64>,
    /// From which IP address its line was used.
    pub from: Option<String>,
    /// Whether it has entered.
    pub entered: bool,
    /// Whether its operator does not take part.
    pub declined: bool,
    /// Whether this node is connected to it.
    pub reached: bool,
    /// Whether it has revealed its number.
    pub revealed: bool,
    /// Whether all its words were right here.
    pub right: bool,
    /// Whose words it has found right, as it says.
    pub compared: Vec<String>,
}

/// The line has a secret.
impl fmt::Debug for PairingMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, own, used, from, entered, .. } = self;
        f.debug_struct("PairingMember")
            .field("name", name)
            .field("own", own)
            .field("used", used)
            .field("from", from)
            .field("entered", entered)
            .finish_non_exhaustive()
    }
}

/// A new group that this node invites to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The group's name.
    pub group: String,
    /// The other members' names, in the order of their seats.
    pub others: Vec<String>,
    /// How many must sign; more than half if absent.
    pub threshold: Option<u16>,
    /// How long the lines can be used, in minutes: 10 to 10080; a day if absent.
    pub minutes: Option<u32>,
}

/// A line that this node has got.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinLine {
    /// The line.
    pub line: String,
}

/// The line has a secret.
impl fmt::Debug for JoinLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinLine").finish_non_exhaustive()
    }
}

/// A member that gets a new line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairAgain {
    /// Its name; absent, a further attempt begins with the members as they are.
    pub member: Option<String>,
}

/// A word that the operator has heard.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeardWord {
    /// The attempt whose words were shown when it was typed.
    pub attempt: u8,
    /// The member who has said it.
    pub member: String,
    /// The word.
    pub word: String,
}

/// The word is not shown.
impl fmt::Debug for HeardWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempt, member, .. } = self;
        f.debug_struct("HeardWord")
            .field("attempt", attempt)
            .field("member", member)
            .finish_non_exhaustive()
    }
}

/// What the node says of a word.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparedWord {
    /// What it is.
    pub result: WordResult,
    /// How many more words of this member are to be typed, if it is right; how many tries are left,
    /// if it is wrong.
    pub left: u8,
    /// Words of the list that are like it, if it is not in the list.
    pub near: Vec<String>,
    /// The pairing now.
    pub pairing: Pairing,
}

/// Words that are like a member's are not shown.
impl fmt::Debug for ComparedWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { result, left, pairing, .. } = self;
        f.debug_struct("ComparedWord")
            .field("result", result)
            .field("left", left)
            .field("pairing", pairing)
            .finish_non_exhaustive()
    }
}

/// What a word that was typed is.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WordResult {
    /// The member's word.
    Right,
    /// Another word of the list.
    Wrong,
    /// Not in the list; no try.
    NotInList,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_line_and_no_word_of_a_pairing() {
        let (line, word) = ("roast1qqqq".to_owned(), "canyon".to_owned());
        let member = PairingMember {
            name: "bert".to_owned(),
            own: false,
            line: Some(line.clone()),
            used: None,
            from: None,
            entered: false,
            declined: false,
            reached: false,
            revealed: false,
            right: false,
            compared: Vec::new(),
        };
        let pairing = Pairing {
            id: "00".repeat(8),
            invites: true,
            state: PairingState::Comparing,
            group: Some("treasury".to_owned()),
            threshold: 2,
            attempt: 1,
            own: Some("anna".to_owned()),
            members: vec![member],
            words: vec![word.clone()],
            keygen: None,
            ended: None,
            note: String::new(),
            deadline: 0,
        };
        let compared = ComparedWord {
            result: WordResult::NotInList,
            left: 0,
            near: vec![word.clone()],
            pairing: pairing.clone(),
        };
        let heard = HeardWord { attempt: 1, member: "bert".to_owned(), word: word.clone() };
        let joins = JoinLine { line: line.clone() };
        let shown = format!("{pairing:?} {compared:?} {heard:?} {joins:?}");
        assert!(shown.contains("treasury") && shown.contains("bert"), "{shown}");
        assert!(!shown.contains(&line) && !shown.contains(&word), "{shown}");
    }
}
