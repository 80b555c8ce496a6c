use std::{collections::BTreeSet, rc::Rc};

use roastery_protocol::{
    message::Envelope,
    signing::{Event, Outcome},
};

use super::{Case, Invariant, Statement, Violation};
use crate::adversary::Packet;

/// Honest members sign the request that they approved and nothing else, and nothing at all once
/// they have stopped.
#[derive(Debug)]
pub struct OnlyWhatWasAuthorised {
    case: Rc<Case>,
    over: BTreeSet<usize>,
}

impl OnlyWhatWasAuthorised {
    /// Starts without a signature.
    pub fn new(case: Rc<Case>) -> Self {
        Self { case, over: BTreeSet::new() }
    }

    /// A node sends bytes that are no message of this session.
    pub fn unreadable(&self, packet: &Packet) -> Result<(), Violation> {
        if !self.case.is_honest(packet.from) {
            return Ok(());
        }
        let what = match Envelope::parse(&packet.bytes) {
            Ok(envelope) => format!("a {:?} for another session", envelope.kind()),
            Err(error) => format!("no envelope: {error}"),
        };
        Err(violation(format!("seat {} sends {what}", packet.from)))
    }

    /// An honest member sends a message of this session.
    pub fn said(&self, statement: &Statement) -> Result<(), Violation> {
        if !statement.signed {
            return Err(violation(format!(
                "a message of seat {} that it did not sign is sent on",
                statement.sender
            )));
        }
        Ok(())
    }

    /// An honest node reports an event.
    pub fn event(&mut self, node: usize, event: &Event) -> Result<(), Violation> {
        match event {
            Event::ShareReleased { attempt, .. } if self.over.contains(&node) => Err(violation(
                format!("node {node} released a share in attempt {attempt} after its end"),
            )),
            Event::Stopped(_) => {
                self.over.insert(node);
                Ok(())
            }
            Event::Signed(outcome) => {
                self.over.insert(node);
                self.judge(node, outcome)
            }
            _ => Ok(()),
        }
    }

    fn judge(&self, node: usize, outcome: &Outcome) -> Result<(), Violation> {
        let keys = &self.case.keys;
        let right = !self.case.is_real()
            || outcome.signatures.len() == keys.len()
                && outcome
                    .signatures
                    .iter()
                    .zip(keys)
                    .all(|(signature, key)| signature.verify(&key.public_key(), &key.message));
        if right {
            Ok(())
        } else {
            Err(violation(format!("node {node} holds signatures that do not verify")))
        }
    }
}

fn violation(what: String) -> Violation {
    Violation::of(Invariant::OnlyWhatWasAuthorised, what)
}
