//! The returns at this node, for its operator: lines have secrets.

use std::fmt;

use roastery_protocol::kit::KitLabel;

/// The returns at this node.
#[derive(Clone, Debug)]
pub struct ReturnsStatus {
    /// The lines of this node that can be used, or were within their time.
    pub lines: Vec<ReturnLineStatus>,
    /// This node's own return, if one is under way.
    pub own: Option<OwnReturnStatus>,
}

/// A line to return of this node.
#[derive(Clone)]
pub struct ReturnLineStatus {
    /// Its id at this node.
    pub id: String,
    /// The group's name here.
    pub group: String,
    /// The member that is to return.
    pub member: String,
    /// The line, until it was used.
    pub line: Option<String>,
    /// When it was used, in seconds since 1970, and from which IP address.
    pub used: Option<(u64, Option<String>)>,
    /// When the member said that it came back, in milliseconds since 1970.
    pub returned_ms: Option<u64>,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// When it ends, in seconds since 1970.
    pub deadline: u64,
}

/// The line has a secret.
impl fmt::Debug for ReturnLineStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, group, member, used, .. } = self;
        f.debug_struct("ReturnLineStatus")
            .field("id", id)
            .field("group", group)
            .field("member", member)
            .field("used", used)
            .finish_non_exhaustive()
    }
}

/// This node's own return.
#[derive(Clone, Debug)]
pub struct OwnReturnStatus {
    /// The group's name, once it is known.
    pub group: Option<String>,
    /// How many must sign.
    pub threshold: usize,
    /// The members' names, by seat.
    pub members: Vec<String>,
    /// The name of the seat.
    pub member: Option<String>,
    /// The name of the member whose line it is.
    pub through: Option<String>,
    /// The label of the paper.
    pub label: Option<KitLabel>,
    /// The members whose copies of the kit are here.
    pub copies: Vec<String>,
    /// Why the line is good for nothing any more.
    pub ended: Option<String>,
    /// What stands in its way now, and what to do.
    pub note: String,
}
