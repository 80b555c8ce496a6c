//! Returns of lost members.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroize as _;

use crate::Time;

/// A member whose machine is lost, and that is to return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteToReturn {
    /// The group's name here or its id; it may be left out where one group has such a member.
    #[serde(default)]
    pub group: Option<String>,
    /// The member's name.
    pub member: String,
    /// How long the line can be used, in minutes: 10 to 10080; a day if absent.
    #[serde(default)]
    #[schema(minimum = 10, maximum = 10080)]
    pub minutes: Option<u32>,
}

/// The returns at this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Returns {
    /// The lines that this node has made, until their time is over and the node starts again.
    pub lines: Vec<ReturnLine>,
    /// This node's own return, if one is under way.
    pub own: Option<OwnReturn>,
}

/// A line to return that this node has made.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReturnLine {
    /// Its id at this node: 16 hexadecimal digits.
    pub id: String,
    /// The group's name here.
    pub group: String,
    /// The member that is to return.
    pub member: String,
    /// The line, until it was used. Who has it gets the sealed kit.
    pub line: Option<String>,
    /// When it was used, in seconds since 1970.
    pub used: Option<u64>,
    /// From which IP address it was used.
    pub from: Option<String>,
    /// When the member said that it came back.
    pub returned: Option<Time>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// When it ends, in seconds since 1970.
    pub deadline: u64,
}

/// The line has a secret.
impl fmt::Debug for ReturnLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, group, member, used, returned, cancelled, .. } = self;
        f.debug_struct("ReturnLine")
            .field("id", id)
            .field("group", group)
            .field("member", member)
            .field("used", used)
            .field("returned", returned)
            .field("cancelled", cancelled)
            .finish_non_exhaustive()
    }
}

/// This node's own return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OwnReturn {
    /// The group's name, once the node that has made the line has answered.
    pub group: Option<String>,
    /// How many must sign; 0 before.
    pub threshold: usize,
    /// The members' names, by seat.
    pub members: Vec<String>,
    /// The name of the seat that returns.
    pub member: Option<String>,
    /// The member whose line it is.
    pub through: Option<String>,
    /// The label on the paper that has the words.
    pub label: Option<String>,
    /// The members whose copies of the sealed kit are here. Whether they open only the words show.
    pub copies: Vec<String>,
    /// Why the line is good for nothing any more.
    pub ended: Option<String>,
    /// What stands in its way now, and what to do.
    pub note: String,
}

/// The ten words of a paper.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaperWords {
    /// The words, in order, with a space between two.
    pub words: String,
}

impl Drop for PaperWords {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

/// Without the words.
impl fmt::Debug for PaperWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaperWords").finish_non_exhaustive()
    }
}

/// A seat that came back. Its node starts again with its keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Returned {
    /// The group's name here.
    pub group: String,
    /// The name of the seat.
    pub member: String,
    /// The member whose copy of the kit was taken.
    pub taken: String,
    /// The members whose copies did not open: each was altered, or is of another paper or seat.
    pub altered: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_line_to_return_and_no_word_of_a_paper() {
        let (secret, words) = ("roast1zzzz".to_owned(), "canyon ocean".to_owned());
        let line = ReturnLine {
            id: String::new(),
            group: String::new(),
            member: String::new(),
            line: Some(secret.clone()),
            used: None,
            from: None,
            returned: None,
            cancelled: false,
            deadline: 0,
        };
        let shown = format!("{:?} {:?}", line, PaperWords { words: words.clone() });
        assert!(!shown.contains(&secret) && !shown.contains(&words), "{shown}");
    }
}
