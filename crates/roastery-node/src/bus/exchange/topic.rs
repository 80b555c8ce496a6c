//! What a message is about.

use std::fmt;

use roastery_protocol::{CeremonyId, GroupId, ceremony, message};

/// What a line is for: every message of the protocol names one of these in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The signing sessions of a group.
    Group(GroupId),
    /// A ceremony that makes a group's key.
    Ceremony(CeremonyId),
}

impl Topic {
    /// What a message says that it is about; `None` if it is none of the protocol. The kinds of
    /// sessions and those of ceremonies have different numbers, so it is at most one.
    pub fn of(message: &[u8]) -> Option<Self> {
        let group = message::Envelope::peek_group(message).map(Self::Group);
        group.or_else(|| ceremony::message::Envelope::peek_ceremony(message).map(Self::Ceremony))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group {group}"),
            Self::Ceremony(ceremony) => write!(f, "ceremony {ceremony}"),
        }
    }
}
