//! What a frame costs, and who pays (section 9).

use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::{
    Limit, Rejected,
    core::Core,
    receiving::Via,
    session::{Session, Turn},
};
use crate::{
    clock::Moment,
    member::{
        engine::{Arithmetic, Engine},
        frame::{ControlKind, Frame, StatementKind},
        quotas::{Cost, Source, cost_of_looks},
    },
};

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// Charges a frame to the link that brought it, before anything in it is decoded or checked.
    pub(super) fn charge(&mut self, frame: &Frame, via: Via, now: Moment) -> Result<(), Rejected> {
        let source = if via.is_own { Source::Own } else { Source::Relayed };
        let is_paid = self.quotas.charge(via.seat, source, via.seats, cost(frame), now.monotonic);
        if is_paid {
            return Ok(());
        }
        let limit = if via.is_own { Limit::Link } else { Limit::Relayed };
        self.limited(limit, via.seat, now);
        Err(Rejected::OverQuota { link: via.seat })
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// Charges the link of this sender's peer for a look at so many sessions, beside the frame that
    /// causes it. Where this node coordinates, a look weighs every member against every other.
    pub(super) fn charge_looks(
        &mut self,
        sender: Seat,
        sessions: usize,
        now: Moment,
    ) -> Result<(), Rejected> {
        let seats = self.seats_beside(sender);
        let link = seats.first().copied().unwrap_or(sender);
        let cost = cost_of_looks(sessions, self.group.size());
        if self.quotas.charge(link, Source::Own, seats.len(), cost, now.monotonic) {
            return Ok(());
        }
        self.limited(Limit::Link, link, now);
        Err(Rejected::OverQuota { link })
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// Counts what is kept in a session of what others have signed, if that has changed. What this
    /// node has signed itself is charged to no link.
    pub(super) fn settle_budget(&mut self, session: &mut Session<A::Package>) {
        let own_bytes = session.turn.as_ref().map_or(0, Turn::older_memory);
        if std::mem::replace(&mut session.own_bytes, own_bytes) != own_bytes {
            let own = Some((self.own[0].seat, (1, own_bytes))).filter(|_| own_bytes > 0);
            self.own_budget.settle(session.id, own);
        }
        let Some(kept) = session.retained.take_bytes_by_link() else { return };
        let mut links = BTreeMap::<Seat, (usize, usize)>::new();
        for (seat, bytes) in kept {
            let seats = self.seats_beside(seat);
            if let Some(first) = seats.first() {
                links.entry(*first).or_insert((seats.len(), 0)).1 += bytes;
            }
        }
        self.budget.settle(session.id, links);
    }
}

/// About how many signature checks as much work takes: the check, the points that are decoded, the
/// final signatures that are verified, the sessions that are looked at.
fn cost(frame: &Frame) -> Cost {
    let (length, each) = match frame {
        Frame::Statement(statement) => {
            let length = statement.content().len();
            match statement.kind() {
                // 64 bytes for each signature that is verified, and some more.
                StatementKind::Signature => (length, 64),
                StatementKind::Proposal
                | StatementKind::SigningPackage
                | StatementKind::SignatureShare
                | StatementKind::Refusal
                | StatementKind::Evidence => (length, 1_024),
            }
        }
        Frame::Control(control) => {
            let length = control.as_bytes().len();
            match control.kind() {
                // A session in it takes some 40 bytes.
                ControlKind::Ready => (length, 256),
                ControlKind::Slots | ControlKind::Want | ControlKind::Nonces => (length, 4_096),
            }
        }
    };
    1 + Cost::try_from(length / each).unwrap_or(Cost::MAX)
}
