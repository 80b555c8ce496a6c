use std::time::Duration;

use rand::RngExt as _;
use roastery_protocol::{
    BodyHash,
    member::frame::{ControlContent, Want},
};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// Asks for everything that it has heard of, and for what does not exist, every 20 ms.
#[derive(Debug)]
pub struct Flood;

impl Strategy for Flood {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(20))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let session = kit.some_session();
        let honest = kit.honest();
        let to = honest[kit.rng.random_range(0..honest.len())];
        let known = kit.knowledge.packages.back().map(|(_, package, _)| package.body_hash());
        let package = known.unwrap_or(BodyHash::from_bytes([5; 32]));
        let entry = kit.knowledge.packages.back().and_then(|(_, _, one)| one.signers.first());
        let nonces = entry.map(|entry| Want::Nonces(entry.hash));
        let wants = [Want::Ready, Want::Package(package), Want::Share(package), Want::Outcome];
        let wants = wants.into_iter().chain(nonces);
        wants.map(|want| kit.tell(session, to, &ControlContent::Want(want))).collect()
    }
}
