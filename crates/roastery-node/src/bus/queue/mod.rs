//! Bounded queues, one for each peer, served in turn: what every bus of this crate puts its
//! messages into.

mod inbox;
mod lane;
mod limits;

pub(super) use inbox::Inbox;
pub(super) use lane::QueuedMessage;
#[cfg(feature = "libp2p")]
pub(super) use lane::{Item, Lane};
pub use limits::{QueueLimits, QueueLimitsError};
