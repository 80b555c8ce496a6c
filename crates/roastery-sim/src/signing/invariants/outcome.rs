use std::{collections::BTreeMap, rc::Rc};

use roastery_frost::Signature;
use roastery_protocol::{Seat, SessionId, member::machine::Event};

use super::{Case, Found, Invariant};
use crate::{signing::Node, violation::Violation};

/// What a node holds as the signatures of a request verifies, is never replaced, and stays until
/// the node crashes.
#[derive(Debug)]
pub(super) struct OutcomeIsMonotone {
    case: Rc<Case>,
    held: BTreeMap<(Seat, SessionId), (usize, Vec<Signature>)>,
}

impl OutcomeIsMonotone {
    pub(super) fn new(case: Rc<Case>) -> Self {
        Self { case, held: BTreeMap::new() }
    }

    /// An honest node reports an event.
    pub(super) fn event(&self, at: Seat, event: &Event) -> Result<(), Found> {
        let Event::Signed(outcome) = event else { return Ok(()) };
        let Some(request) = self.case.requests.get(&outcome.session) else { return Ok(()) };
        for (position, message) in request.messages().iter().enumerate() {
            let tweaks = message.derivation.tweaks(&self.case.group);
            let signature = outcome.signatures.get(position);
            let is_right = tweaks.is_ok_and(|tweaks| {
                let key = tweaks.x_only_public_key();
                signature.is_some_and(|one| one.verify(&key, &message.message))
            });
            if !is_right {
                let what = format!("seat {at} holds a signature that does not verify");
                return Err(Violation::of(Invariant::OutcomeIsMonotone, what));
            }
        }
        Ok(())
    }

    /// A step of an honest node is over.
    pub(super) fn step(&mut self, node: &Node) -> Result<(), Found> {
        let Some(machine) = node.machine() else { return Ok(()) };
        for session in self.case.requests.keys() {
            let now = machine.outcome(*session).map(|outcome| outcome.signatures.clone());
            let key = (node.seat, *session);
            let before = self.held.get(&key).filter(|(opening, _)| *opening == node.openings);
            if let Some((_, before)) = before
                && now.as_ref() != Some(before)
            {
                let what = format!("seat {} had signatures, and has others or none", node.seat);
                return Err(Violation::of(Invariant::OutcomeIsMonotone, what));
            }
            if let Some(now) = now {
                self.held.insert(key, (node.openings, now));
            }
        }
        Ok(())
    }
}
