//! How much a mesh holds.

use crate::bus::{QueueLimits, QueueLimitsError};

/// How much a mesh holds. Nothing in a mesh is outside of these bounds.
///
/// A reader that never reads costs at most what [`queues`](Self::queues) allow, for each other
/// peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeshLimits {
    /// Different peers over the whole life of the mesh, at least 1. One that left keeps its place:
    /// it may come back.
    pub max_peers: usize,
    /// What waits of one sender for one reader.
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

/// Room for a group of 128 seats.
impl Default for MeshLimits {
    fn default() -> Self {
        Self { max_peers: 128, queues: QueueLimits::default() }
    }
}

/// Why a mesh cannot have these [`MeshLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeshLimitsError {
    /// Nobody could join.
    #[error("max_peers is 0: it must be at least 1")]
    NoPeers,
    /// Nothing could be said or received.
    #[error(transparent)]
    Queues(#[from] QueueLimitsError),
}
