//! The limits of an exchange.

use crate::bus::queue::{QueueLimits, QueueLimitsError};

/// The limits of an exchange. A line has two queues for each of its members, one in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeLimits {
    /// Lines open at a time, at least 1. A dropped one counts until what it has sent is handed to
    /// the bus.
    pub max_lines: usize,
    /// The queues of a line: one of each member to it, and one to each member. A line takes no
    /// longer message than the bus does, whatever is set here.
    pub queues: QueueLimits,
}

impl ExchangeLimits {
    pub(super) fn check(self) -> Result<Self, ExchangeLimitsError> {
        if self.max_lines == 0 {
            return Err(ExchangeLimitsError::NoLines);
        }
        self.queues.check()?;
        Ok(self)
    }

    pub(super) fn within(self, longest: usize) -> Self {
        let max_message_bytes = self.queues.max_message_bytes.min(longest);
        Self { queues: QueueLimits { max_message_bytes, ..self.queues }, ..self }
    }
}

/// Room for 64 groups and key generations.
impl Default for ExchangeLimits {
    fn default() -> Self {
        Self { max_lines: 64, queues: QueueLimits::default() }
    }
}

/// Why an exchange cannot have these [`ExchangeLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeLimitsError {
    /// Nothing could be opened.
    #[error("max_lines is 0: it must be at least 1")]
    NoLines,
    /// Nothing could be said or received.
    #[error(transparent)]
    Queues(#[from] QueueLimitsError),
}
