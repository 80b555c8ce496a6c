use std::fmt;

use roastery_frost::Seat;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{
    frame::{EndReason, FrameError},
    roster::{EntryError, RosterError},
};
use crate::group::PeerId;

/// What the caller must do for a pairing. The address is the receiver's peer.
pub type Output = crate::machine::Output<Event, Record, PeerId>;

/// The whole state of a pairing, to be stored in place of the one before, sealed: it has secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub(super) number: u64,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl Record {
    /// The bytes, which [`Pairing::restore`](super::Pairing::restore) reads.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The secrets are not shown.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("number", &self.number).finish_non_exhaustive()
    }
}

/// What has happened in a pairing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// At the inviter: the line of this seat was used, by this node.
    Used {
        /// The seat.
        seat: Seat,
        /// The node.
        peer: PeerId,
    },
    /// At the inviter: the member has entered this attempt.
    Entered(Seat),
    /// At a joiner: there is an offer, and a person must accept it.
    Offered,
    /// A further attempt begins.
    Attempt(u8),
    /// The roster is there and was checked. The members' nodes should be dialled now, and
    /// [`Pairing::reached`](super::Pairing::reached) told whom this node reaches.
    Sealed,
    /// All have revealed: the words are there, and are to be compared.
    Words,
    /// This member says that it has compared the words of more members.
    Compared(Seat),
    /// All words of all others were right here, and a person has stated that this node's words were
    /// right at each of them. The key generation of the invitation can begin.
    Agreed,
    /// It has ended without an invitation.
    Ended(Ended),
}

/// How a pairing has ended, and at which member first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The member; `None` if it is this node, or no member yet.
    pub seat: Option<Seat>,
    /// Why.
    pub reason: EndReason,
}

/// Why a message had no effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It is not a right Hello, and its sender has proven no line.
    #[error("the sender has not proven a line")]
    Stranger,
    /// The line was used before, by another node.
    #[error("the line was used by another node before")]
    Used,
    /// The line can be used no more.
    #[error("the line has expired")]
    Expired,
    /// It is not a message.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Its sender's role or this state has no such message.
    #[error("a message out of turn")]
    OutOfTurn,
    /// The sender says so again too soon.
    #[error("the same again within a second")]
    TooSoon,
    /// It is of another attempt.
    #[error("a message of another attempt")]
    OtherAttempt,
    /// It speaks for another seat than its sender's.
    #[error("a message for another seat")]
    OtherSeat,
    /// The offer is another one than before.
    #[error("another offer than before")]
    OtherOffer,
    /// The clocks differ by more than two minutes.
    #[error("the clocks differ by {} s; at most 120 s are allowed", milliseconds / 1000)]
    Clock {
        /// By how much the sender's is ahead of this node's.
        milliseconds: i64,
    },
    /// The node is for another Bitcoin network.
    #[error("the sender's node is for {theirs}, and this one for {own}")]
    Network {
        /// The sender's network.
        theirs: String,
        /// This node's.
        own: String,
    },
    /// An entry that does not hold.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Another entry of the same attempt.
    #[error("another entry than before")]
    OtherEntry,
    /// A roster that does not hold.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// Another roster than the one of this attempt, or one without this node's own entry.
    #[error("another roster than the one that this node knows")]
    OtherRoster,
    /// It is not what the member has committed itself to.
    #[error("seat {0} reveals something else than it has committed itself to")]
    Commitment(Seat),
    /// The member has said more often than allowed whom it reaches.
    #[error("seat {0} has said too often whom it reaches")]
    TooMany(Seat),
    /// The pairing has ended.
    #[error("the pairing has ended")]
    Ended,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Randomness,
}

impl Rejected {
    /// Whether the connection that brought it should be closed: its sender has no business here, or
    /// has broken the protocol.
    pub fn closes(&self) -> bool {
        !matches!(
            self,
            Self::TooSoon
                | Self::OtherAttempt
                | Self::TooMany(_)
                | Self::Clock { .. }
                | Self::Network { .. }
                | Self::Ended
                | Self::Randomness
        )
    }
}
