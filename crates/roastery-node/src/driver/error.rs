//! Why a node does not do what it is asked for.

use roastery_protocol::{Seat, group::PeerId, request::SubjectError, signing::OpenError};
use thiserror::Error;

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// The node has ended.
    #[error("the node has ended")]
    NodeEnded,
    /// A session for this request is open already.
    #[error("a session for this request is open already")]
    AlreadyOpen,
    /// The node has the most sessions that it may, and all of them expire before this one would. A
    /// refusal was sent to the other members.
    #[error("the node has {most} sessions that expire before this one would, and cannot bear more")]
    Busy {
        /// The most sessions at once that have not ended.
        most: usize,
    },
    /// The node's bus is that of another peer than the one that holds its seat: no member would
    /// accept its messages.
    #[error("seat {seat} is held by another peer than {peer}, whose bus this is")]
    OtherPeer {
        /// The node's seat.
        seat: Seat,
        /// The peer whose bus it has.
        peer: PeerId,
    },
    /// Another seat of the group is on the same peer: a message to one of them would reach both,
    /// and a node serves one.
    #[error(
        "seats {first} and {second} of this group are both on peer {peer}: a node serves one seat of a group, so give \
         each seat a node with a transport key of its own"
    )]
    SeveralSeats {
        /// The first of them.
        first: Seat,
        /// The second.
        second: Seat,
        /// The peer.
        peer: PeerId,
    },
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
    /// The session cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why a request was not proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// The node has ended.
    #[error("the node has ended")]
    NodeEnded,
    /// The others would refuse it.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The most proposals are being retransmitted already.
    #[error(
        "{most} proposals are repeated already, which is the most: try again when some of them are decided"
    )]
    TooMany {
        /// The most proposals that are retransmitted at once.
        most: usize,
    },
}
