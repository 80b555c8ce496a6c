use std::time::Duration;

use rand::{RngExt as _, seq::IndexedRandom as _};

use super::Strategy;
use crate::{
    signing::coalition::Kit,
    world::{Delayed, Packet},
};

/// Passes on old statements of all members, and says its own control frames again.
#[derive(Debug)]
pub struct Relay;

impl Strategy for Relay {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(70))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        let honest = kit.honest();
        let to = honest[kit.rng.random_range(0..honest.len())];
        let (statements, own) = (&kit.knowledge.statements, &kit.knowledge.own);
        let all: Vec<_> = statements.iter().chain(own).collect();
        let old = all.choose(kit.rng).map(|statement| statement.as_bytes().clone());
        let mine: Vec<&Packet> =
            kit.knowledge.control.iter().filter(|packet| packet.from == kit.me).collect();
        let again = mine.choose(kit.rng).map(|packet| (*packet).clone());
        let again = again.map(|packet| Delayed { after: Duration::ZERO, packet });
        old.map(|bytes| kit.to(to, bytes)).into_iter().chain(again).collect()
    }
}
