//! Bounded queues, one for each peer, served round-robin: every bus of this crate uses them.

mod inbox;
mod lane;
mod limits;

pub(super) use inbox::Inbox;
pub(super) use lane::QueuedMessage;
#[cfg(feature = "libp2p")]
pub(super) use lane::{Item, Lane};
pub use limits::{QueueLimits, QueueLimitsError};
