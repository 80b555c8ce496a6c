use std::time::Duration;

use roastery_protocol::member::{
    Run,
    frame::{Content, slot_hash},
};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// Packages that name the index of one slot and the hash of another, which the same signer has
/// shown: a signer that looked at the index only would give a share that fits other nonces.
#[derive(Debug, Default)]
pub struct OtherSlots {
    turns: u64,
}

impl Strategy for OtherSlots {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(300))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        self.turns += 1;
        let session = kit.some_session();
        let run = Run::new(u64::MAX - 1_000_000 + self.turns, [8; 8]);
        let (Some(mut package), Some(m)) = (kit.package(session, run, 0), kit.messages(session))
        else {
            return Vec::new();
        };
        let group = kit.view.members.group.id();
        for entry in package.signers.iter_mut().filter(|entry| entry.seat != kit.me) {
            if let Some((_, nonces)) = kit.knowledge.take(kit.me, entry.seat, m) {
                entry.hash = slot_hash(group, kit.me, entry.seat, &nonces);
            }
        }
        let bytes = kit.state(session, &Content::SigningPackage(package));
        kit.to_all(&bytes)
    }
}
