use std::time::Duration;

use rand::RngExt as _;
use roastery_protocol::{
    SessionId,
    member::{
        Incarnation,
        frame::{ControlContent, Slots},
    },
};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// Names other incarnations, greater and lesser ones, now and then.
#[derive(Debug)]
pub struct FalseIncarnations;

impl Strategy for FalseIncarnations {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(900))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let others = kit.others();
        let to = others[kit.rng.random_range(0..others.len())];
        let incarnation = Incarnation::after(None, kit.rng.random(), kit.rng.random());
        let nonces = (0..4).map(|_| kit.nonce().to_bytes()).collect();
        let slots = Slots { incarnation, oldest: 0, first: 0, nonces };
        let session = SessionId::from_bytes([0; 32]);
        vec![kit.tell(session, to, &ControlContent::Slots(slots))]
    }
}
