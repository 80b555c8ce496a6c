//! The limits of a mesh.

use crate::bus::queue::{QueueLimits, QueueLimitsError};

/// The limits of a mesh. They bound all memory that it uses.
///
/// A reader that never reads costs at most what [`queues`](Self::queues) allow, for each other
/// peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeshLimits {
    /// Different peers over the whole life of the mesh, at least 1. One that left still counts: it
    /// may come back.
    pub max_peers: usize,
    /// The queue of one sender's messages to one reader.
    pub queues: QueueLimits,
}

impl MeshLimits {
    pub(super) fn check(self) -> Result<Self, MeshLimitsError> {
        if self.max_peers == 0 {
            return Err(MeshLimitsError::NoPeers);
        }
        self.queues.check()?;
        Ok(self)
    }
}

/// Enough for a group of 128 seats.
impl Default for MeshLimits {
    fn default() -> Self {
        Self { max_peers: 128, queues: QueueLimits::default() }
    }
}

/// Why a mesh cannot have these [`MeshLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeshLimitsError {
    /// No peer could join.
    #[error("max_peers is 0: it must be at least 1")]
    NoPeers,
    /// No message could be sent or received.
    #[error(transparent)]
    Queues(#[from] QueueLimitsError),
}
