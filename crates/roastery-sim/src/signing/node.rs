use roastery_protocol::{engine::EngineSession, signing::Session};

use crate::world;

/// One opening of the session at one seat. A seat may have several: after a restart, or as twins.
pub type Node<S> = world::Node<Session<S>>;

impl<S: EngineSession> Node<S> {
    /// Its session, unless it has crashed.
    pub fn session(&self) -> Option<&Session<S>> {
        self.machine()
    }
}
