use std::collections::BTreeMap;

use roastery_protocol::{
    Attempt,
    engine::EngineSession,
    signing::{Event, Session},
};

use super::{Invariant, Violation};

/// The live secret nonces of an honest node are the unused slots of the attempts that it serves,
/// one each, and none after the end.
#[derive(Debug)]
pub struct SecretsEnd {
    n: usize,
    most_shares: usize,
    /// Per node: the attempts that it entered, with the number of shares that it gave in each.
    entered: BTreeMap<usize, BTreeMap<Attempt, usize>>,
}

impl SecretsEnd {
    /// For a group of n in which a signer gives at most `most_shares` (n - t + 1) shares in an
    /// attempt.
    pub fn new(n: usize, most_shares: usize) -> Self {
        Self { n, most_shares, entered: BTreeMap::new() }
    }

    /// An honest node reports an event.
    pub fn event(&mut self, node: usize, event: &Event) {
        let entered = self.entered.entry(node).or_default();
        match event {
            Event::Committed { attempt, .. } => {
                // The two newest turns of each coordinator are served.
                entered.retain(|older, _| {
                    (attempt.index() % self.n != older.index() % self.n)
                        || older.index() + 2 * self.n > attempt.index()
                });
                entered.insert(*attempt, 0);
            }
            Event::ShareReleased { attempt, .. } => *entered.entry(*attempt).or_default() += 1,
            _ => {}
        }
    }

    /// A step of an honest node is over.
    pub fn step<S: EngineSession>(
        &self,
        node: usize,
        session: &Session<S>,
    ) -> Result<(), Violation> {
        let over = session.outcome().is_some() || session.stopped().is_some();
        let allowed = match self.entered.get(&node) {
            Some(entered) if !over => {
                entered.values().filter(|given| **given < self.most_shares).count()
            }
            _ => 0,
        };
        let live = session.live_slots();
        if live == allowed {
            return Ok(());
        }
        let what = format!("node {node} holds secrets of {live} slots; it serves {allowed}");
        Err(Violation::of(Invariant::SecretsEnd, what))
    }
}
