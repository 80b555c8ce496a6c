use roastery_protocol::keygen::{Keygen, ReportPhase};

use crate::world;

/// The node of a seat, over all its restarts.
pub type Node = world::Node<Keygen>;

impl Node {
    /// The state of its key generation, unless it is down.
    pub fn phase(&self) -> Option<ReportPhase> {
        self.machine().map(|machine| machine.report().phase)
    }

    /// Whether it holds the certificate now.
    pub fn is_done(&self) -> bool {
        self.machine().is_some_and(|machine| machine.recovery_file().is_some())
    }
}
