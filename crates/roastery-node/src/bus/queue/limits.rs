//! The limits of one queue.

use roastery_protocol::member::frame::MAX_EVIDENCE_FRAME;

/// The limits of the queue of one peer. Each number bounds memory.
///
/// A queue that is never read costs at most [`max_queued_bytes`](Self::max_queued_bytes), and less
/// than 500 bytes of bookkeeping for each of the
/// [`max_queued_messages`](Self::max_queued_messages).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Bytes in one message, at least 1 and at most [`max_queued_bytes`](Self::max_queued_bytes).
    pub max_message_bytes: usize,
    /// Queued messages of one peer, at least 1.
    pub max_queued_messages: usize,
    /// Bytes in the queued messages of one peer.
    pub max_queued_bytes: usize,
}

impl QueueLimits {
    /// The limits, if a bus can have them.
    ///
    /// # Errors
    ///
    /// [`QueueLimitsError`] if no message could be queued.
    pub fn check(self) -> Result<Self, QueueLimitsError> {
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

/// Enough for the longest message of the protocol, three times.
impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            max_message_bytes: MAX_EVIDENCE_FRAME,
            max_queued_messages: 1024,
            max_queued_bytes: 3 * MAX_EVIDENCE_FRAME,
        }
    }
}

/// Why a bus cannot have these [`QueueLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueLimitsError {
    /// No message could be sent.
    #[error("max_message_bytes is 0: it must be at least 1")]
    NoMessageBytes,
    /// No message could be received.
    #[error("max_queued_messages is 0: it must be at least 1")]
    NoQueuedMessages,
    /// A message of the allowed length could never be queued.
    #[error(
        "max_queued_bytes is {max_queued_bytes}: it must be at least max_message_bytes, \
         which is {max_message_bytes}"
    )]
    QueueBelowMessage {
        /// The limit that is too low, in bytes.
        max_queued_bytes: usize,
        /// The least that it must be, in bytes.
        max_message_bytes: usize,
    },
}
