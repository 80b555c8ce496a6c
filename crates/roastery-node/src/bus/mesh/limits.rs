//! How much a mesh holds.

/// How much a mesh holds. Each number bounds memory, and nothing in a mesh is outside of them.
///
/// A reader that never reads costs at most [`max_queued_bytes`](Self::max_queued_bytes) for each
/// other peer, and less than 500 bytes of bookkeeping for each of the
/// [`max_queued_messages`](Self::max_queued_messages).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeshLimits {
    /// Different peers over the whole life of the mesh, at least 1. One that left keeps its place:
    /// it may come back.
    pub max_peers: usize,
    /// Bytes in one message, at least 1 and at most [`max_queued_bytes`](Self::max_queued_bytes).
    pub max_message_bytes: usize,
    /// Messages of one sender that wait for one reader, at least 1.
    pub max_queued_messages: usize,
    /// Bytes in the messages of one sender that wait for one reader.
    pub max_queued_bytes: usize,
}

impl MeshLimits {
    pub(super) fn check(self) -> Result<Self, MeshLimitsError> {
        if self.max_peers == 0 {
            return Err(MeshLimitsError::NoPeers);
        }
        if self.max_message_bytes == 0 {
            return Err(MeshLimitsError::NoMessageBytes);
        }
        if self.max_queued_messages == 0 {
            return Err(MeshLimitsError::NoQueuedMessages);
        }
        if self.max_queued_bytes < self.max_message_bytes {
            return Err(MeshLimitsError::QueueBelowMessage {
                max_queued_bytes: self.max_queued_bytes,
                max_message_bytes: self.max_message_bytes,
            });
        }
        Ok(self)
    }
}

/// Room for a group of 128 seats and its largest proof: the nonces of 128 slots of 64 messages are
/// some 540,000 bytes.
impl Default for MeshLimits {
    fn default() -> Self {
        Self {
            max_peers: 128,
            max_message_bytes: 1 << 20,
            max_queued_messages: 1024,
            max_queued_bytes: 1 << 21,
        }
    }
}

/// Why a mesh cannot have these [`MeshLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeshLimitsError {
    /// Nobody could join.
    #[error("max_peers is 0: it must be at least 1")]
    NoPeers,
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
