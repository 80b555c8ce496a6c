use roastery_protocol::keygen::{NodeKeygen, ReportPhase};

use crate::world;

/// A node with all its seats, over all its restarts.
pub type Node = world::Node<NodeKeygen>;

impl Node {
    /// The state of its key generation, unless it is down.
    pub fn phase(&self) -> Option<ReportPhase> {
        self.machine().map(|machine| machine.report().phase)
    }

    /// Whether all its seats hold the certificate now.
    pub fn is_done(&self) -> bool {
        self.machine().is_some_and(|machine| machine.recovery_file().is_some())
    }
}
