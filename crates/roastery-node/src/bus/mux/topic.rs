//! The topic of a message.

use std::fmt;

use roastery_protocol::{GroupId, KeygenId, keygen, message};

/// What a channel is for: every message of the protocol names one of these in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The signing sessions of a group.
    Group(GroupId),
    /// A key generation that makes a group's key.
    Keygen(KeygenId),
}

impl Topic {
    /// The topic in a message's header; `None` if it is no message of the protocol. Signing
    /// sessions and key generations use different message kinds, so there is at most one topic.
    pub fn of(message: &[u8]) -> Option<Self> {
        let group = message::Envelope::peek_group(message).map(Self::Group);
        group.or_else(|| keygen::message::Envelope::peek_keygen(message).map(Self::Keygen))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group {group}"),
            Self::Keygen(keygen) => write!(f, "ceremony {keygen}"),
        }
    }
}
