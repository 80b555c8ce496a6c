//! The topic of a message.

use std::fmt;

use roastery_protocol::{
    GroupId, KeyId, KeygenId, PlanId, change, keygen, kit::KitMessage, member::frame::Frame,
    pairing::Told,
};

/// What a channel is for: every message of the protocol names one of these in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The signing sessions of a group.
    Group(GroupId),
    /// A key generation that makes a group's key.
    Keygen(KeygenId),
    /// A change of a group.
    Change(PlanId),
    /// The epochs of a key.
    Key(KeyId),
    /// The kits of a key's members.
    Kits(KeyId),
    /// Where members are dialled.
    Whereabouts,
}

impl Topic {
    /// The topics that a message may name; none if it is no message of the protocol. The header
    /// lies elsewhere in a message of signing than in one of key generation, so random bytes of one
    /// may look like a header of the other: then no channel has the topic that they name.
    pub fn of(message: &[u8]) -> impl Iterator<Item = Self> + use<> {
        let whereabouts = Told::is_one(message).then_some(Self::Whereabouts);
        let group = Frame::peek_group(message).map(Self::Group);
        let keygen = keygen::message::Envelope::peek_keygen(message).map(Self::Keygen);
        let plan = change::message::Envelope::peek_plan(message).map(Self::Change);
        let key = change::message::LineageMessage::peek_key(message).map(Self::Key);
        let kits = KitMessage::peek_key(message).map(Self::Kits);
        whereabouts.into_iter().chain(group).chain(keygen).chain(plan).chain(key).chain(kits)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group {group}"),
            Self::Keygen(keygen) => write!(f, "ceremony {keygen}"),
            Self::Change(plan) => write!(f, "change {plan}"),
            Self::Key(key) => write!(f, "key {key}"),
            Self::Kits(key) => write!(f, "kits of key {key}"),
            Self::Whereabouts => f.write_str("whereabouts"),
        }
    }
}
