use std::collections::BTreeMap;

use roastery_protocol::{
    engine::EngineSession,
    signing::{Event, Outcome, Session},
};

use super::{Invariant, Violation};

/// A node that holds the signatures holds them for good, and all nodes hold the same ones.
#[derive(Debug, Default)]
pub struct OutcomeIsMonotone {
    signed: BTreeMap<usize, Outcome>,
}

impl OutcomeIsMonotone {
    /// An honest node reports an event.
    pub fn event(&mut self, node: usize, event: &Event) -> Result<(), Violation> {
        match event {
            Event::Signed(outcome) => match self.signed.insert(node, outcome.clone()) {
                None => Ok(()),
                Some(_) => Err(violation(format!("node {node} reports the signatures twice"))),
            },
            Event::Stopped(reason) if self.signed.contains_key(&node) => {
                Err(violation(format!("node {node} stops ({reason}) after it had the signatures")))
            }
            _ => Ok(()),
        }
    }

    /// A step of an honest node is over.
    pub fn step<S: EngineSession>(
        &self,
        node: usize,
        session: &Session<S>,
    ) -> Result<(), Violation> {
        if self.signed.get(&node) == session.outcome() {
            Ok(())
        } else {
            Err(violation(format!("node {node} does not hold the signatures that it reported")))
        }
    }
}

fn violation(what: String) -> Violation {
    Violation::of(Invariant::OutcomeIsMonotone, what)
}
