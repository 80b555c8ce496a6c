//! Bounded queues, one for each peer, served round-robin: each bus is built of them, and a bus of
//! another crate may be.

mod inbox;
mod lane;
mod limits;

pub use inbox::Inbox;
pub use lane::{Item, Lane, QueuedMessage};
pub use limits::{QueueLimits, QueueLimitsError};
