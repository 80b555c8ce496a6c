//! How much waits.

use roastery_protocol::message::MAX_EVIDENCE_ENVELOPE;

/// How much of one peer waits in one queue. Each number bounds memory.
///
/// A queue that nobody empties costs at most [`max_queued_bytes`](Self::max_queued_bytes), and less
/// than 500 bytes of bookkeeping for each of the
/// [`max_queued_messages`](Self::max_queued_messages).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Bytes in one message, at least 1 and at most [`max_queued_bytes`](Self::max_queued_bytes).
    pub max_message_bytes: usize,
    /// Messages of one peer that wait, at least 1.
    pub max_queued_messages: usize,
    /// Bytes in the messages of one peer that wait.
    pub max_queued_bytes: usize,
}

impl QueueLimits {
    pub(in crate::bus) fn check(self) -> Result<Self, QueueLimitsError> {
        if self.max_message_bytes == 0 {
            return Err(QueueLimitsError::NoMessageBytes);
        }
        if self.max_queued_messages == 0 {
            return Err(QueueLimitsError::NoQueuedMessages);
        }
        if self.max_queued_bytes < self.max_message_bytes {
            return Err(QueueLimitsError::QueueBelowMessage {
                max_queued_bytes: self.max_queued_bytes,
                max_message_bytes: self.max_message_bytes,
            });
        }
        Ok(self)
    }
}

/// Room for the longest message of the protocol, three times.
impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: MAX_EVIDENCE_ENVELOPE,
            max_queued_messages: 1024,
            max_queued_bytes: 3 * MAX_EVIDENCE_ENVELOPE,
        }
    }
}

/// Why a bus cannot have these [`QueueLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueLimitsError {
    /// Nothing could be said.
    #[error("max_message_bytes is 0: it must be at least 1")]
    NoMessageBytes,
    /// Nothing could be received.
    #[error("max_queued_messages is 0: it must be at least 1")]
    NoQueuedMessages,
    /// An allowed message could never be queued.
    #[error(
        "max_queued_bytes is {max_queued_bytes}: it must be at least max_message_bytes, \
         which is {max_message_bytes}"
    )]
    QueueBelowMessage {
        /// The limit that is too low, in bytes.
        max_queued_bytes: usize,
        /// What it must be at least, in bytes.
        max_message_bytes: usize,
    },
}
