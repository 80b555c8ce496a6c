//! The limits of a mux.

use crate::bus::queue::{QueueLimits, QueueLimitsError};

/// The limits of a mux. A channel has two queues for each of its members, one in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MuxLimits {
    /// Channels open at a time, at least 1. A dropped one counts until what it has sent is handed
    /// to the bus.
    pub max_channels: usize,
    /// The queues of a channel: one of each member to it, and one to each member. A channel takes
    /// no longer message than the bus does, whatever is set here.
    pub queues: QueueLimits,
}

impl MuxLimits {
    pub(super) fn check(self) -> Result<Self, MuxLimitsError> {
        if self.max_channels == 0 {
            return Err(MuxLimitsError::NoChannels);
        }
        self.queues.check()?;
        Ok(self)
    }

    pub(super) fn within(self, longest: usize) -> Self {
        let max_message_bytes = self.queues.max_message_bytes.min(longest);
        Self { queues: QueueLimits { max_message_bytes, ..self.queues }, ..self }
    }
}

/// Room for 64 groups and key generations, with the epochs of each key and the kits of its members.
impl Default for MuxLimits {
    fn default() -> Self {
        Self { max_channels: 192, queues: QueueLimits::default() }
    }
}

/// Why a mux cannot have these [`MuxLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MuxLimitsError {
    /// Nothing could be opened.
    #[error("max_channels is 0: it must be at least 1")]
    NoChannels,
    /// Nothing could be said or received.
    #[error(transparent)]
    Queues(#[from] QueueLimitsError),
}
