use std::{collections::BTreeSet, rc::Rc};

use roastery_protocol::{
    BodyHash, Seat, SessionId,
    member::{frame::Content, machine::Record},
};

use super::{Case, Found, Heard, Invariant, Read, Step};
use crate::{signing::ledger::Signed, violation::Violation};

/// Engines sign for requests only that their node's owner has approved and not withdrawn, and that
/// have expired by neither clock; no share leaves for another one, or without its record on the
/// disk.
#[derive(Debug)]
pub(super) struct OnlyWhatWasAuthorised {
    case: Rc<Case>,
    /// Shares that left since the last step: by node, session and package.
    left: BTreeSet<(Seat, SessionId, BodyHash)>,
}

impl OnlyWhatWasAuthorised {
    pub(super) fn new(case: Rc<Case>) -> Self {
        Self { case, left: BTreeSet::new() }
    }

    /// An honest node sends a frame.
    pub(super) fn said(&mut self, node: Seat, heard: &Heard) {
        if let Read::Statement(session, _, Some(content)) = &heard.read
            && self.case.node_of(heard.sender) == node
            && let Content::SignatureShare(share) = &**content
        {
            self.left.insert((node, *session, share.package));
        }
    }

    /// A step is over, in which engines have signed these.
    pub(super) fn step(&mut self, step: &Step<'_>, orders: Vec<Signed>) -> Result<(), Found> {
        for Signed { order, now } in orders {
            let node = self.case.node_of(order.seat);
            let request = self.case.requests.get(&order.session);
            let is_expired = request.is_none_or(|one| now.wall_seconds() >= one.expiry());
            if is_expired {
                let what = format!("seat {} signs what has expired", order.seat);
                return Err(Violation::of(Invariant::OnlyWhatWasAuthorised, what));
            }
            self.is_approved(step, node, order.session)?;
        }
        let left = std::mem::take(&mut self.left);
        left.into_iter().try_for_each(|(node, session, package)| {
            self.is_approved(step, node, session)?;
            is_stored(step, node, package)
        })
    }

    fn is_approved(&self, step: &Step<'_>, node: Seat, session: SessionId) -> Result<(), Found> {
        let approved = step.owners.allowed_by(node);
        let mut sessions = approved.into_iter().map(|request| step.requests[request].session_id());
        if !self.case.is_honest(node) || sessions.any(|one| one == session) {
            return Ok(());
        }
        let what = format!("the node of seat {node} gives a share that its owner did not allow");
        Err(Violation::of(Invariant::OnlyWhatWasAuthorised, what))
    }
}

/// The record of a share is on its node's disk when it leaves.
fn is_stored(step: &Step<'_>, node: Seat, package: BodyHash) -> Result<(), Found> {
    let stored = step.nodes.iter().filter(|one| one.seat == node).flat_map(|one| one.stored());
    let mut shares = stored.filter_map(|record| match record {
        Record::Share { package, .. } => Some(*package),
        _ => None,
    });
    if shares.any(|stored| stored == package) {
        return Ok(());
    }
    let what = format!("a share of the node of seat {node} leaves without its record");
    Err(Violation::of(Invariant::OnlyWhatWasAuthorised, what))
}
