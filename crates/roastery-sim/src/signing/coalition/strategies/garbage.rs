use std::{sync::Arc, time::Duration};

use rand::{RngExt as _, seq::IndexedRandom as _};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// Bytes that are no frame, frames cut short or altered, and control frames in the name of others.
#[derive(Debug)]
pub struct Garbage;

impl Strategy for Garbage {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(130))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let honest = kit.honest();
        let to = honest[kit.rng.random_range(0..honest.len())];
        let known: Vec<Arc<[u8]>> =
            kit.knowledge.statements.iter().map(|one| one.as_bytes().clone()).collect();
        let control = kit.knowledge.control.iter().map(|packet| packet.bytes.clone());
        let known: Vec<Arc<[u8]>> = known.into_iter().chain(control).collect();
        let mut bytes = known.choose(kit.rng).map_or_else(Vec::new, |bytes| bytes.to_vec());
        match kit.rng.random_range(0..4) {
            0 => bytes = (0..kit.rng.random_range(0..300)).map(|_| kit.rng.random()).collect(),
            1 => bytes.truncate(kit.rng.random_range(0..=bytes.len())),
            2 => bytes.extend([0; 3]),
            _ => {
                let at = kit.rng.random_range(0..=bytes.len().saturating_sub(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= kit.rng.random_range(1..=255);
                }
            }
        }
        vec![kit.to(to, bytes.into())]
    }
}
