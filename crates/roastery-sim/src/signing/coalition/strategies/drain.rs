use std::time::Duration;

use roastery_protocol::{
    SessionId,
    member::frame::{ControlContent, Want},
};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// Asks each member for slots every 100 ms.
#[derive(Debug)]
pub struct Drain;

impl Strategy for Drain {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(100))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let content = ControlContent::Want(Want::Slots);
        let session = SessionId::from_bytes([0; 32]);
        kit.honest().into_iter().map(|to| kit.tell(session, to, &content)).collect()
    }
}
