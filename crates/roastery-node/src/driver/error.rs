//! Why a node does not do what it is asked for.

use roastery_protocol::{
    Seat,
    group::PeerId,
    member::machine::{OpenError, ProposeError as Reason},
};
use thiserror::Error;

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// The node has ended.
    #[error("the node has ended")]
    NodeEnded,
    /// The node's bus is that of another peer than the one that holds its seat: no member would
    /// accept its messages.
    #[error("seat {seat} is held by another peer than {peer}, whose bus this is")]
    OtherPeer {
        /// The seat.
        seat: Seat,
        /// The peer whose bus it has.
        peer: PeerId,
    },
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
    /// The member does not propose it.
    #[error(transparent)]
    Refused(#[from] Reason),
}
