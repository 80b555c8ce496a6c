//! What a node can tell of its sessions: their state, and which members are awaited since when.

use std::sync::Arc;

use super::{
    Awaited, AwaitedThing, Member, Report, ReportPhase,
    core::Core,
    session::{Phase, Session},
};
use crate::{
    SessionId,
    member::{
        engine::{Arithmetic, Engine},
        proof::{Proof, ProvenFault},
    },
};

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// What this node knows of a session now. After a stop it still names the members that were
    /// awaited when it stopped. `None` if it is not known, or not any more
    /// ([`Event::Forgotten`](super::Event::Forgotten)).
    pub fn report(&self, session: SessionId) -> Option<Report> {
        self.sessions.get(session).map(|session| self.core.report_of(session))
    }

    /// The proofs that this node holds in a session, one for each member at fault.
    pub fn proofs(&self, session: SessionId) -> Vec<(ProvenFault, Arc<Proof>)> {
        let session = self.sessions.get(session).into_iter();
        session.flat_map(|session| session.proofs.values().cloned()).collect()
    }

    /// Whether a session runs here.
    pub fn has_open(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some_and(Session::is_running)
    }

    /// The sessions that run here, in the order of their ids.
    pub fn open_sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.sessions.running()
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    pub(super) fn report_of(&self, session: &Session<A::Package>) -> Report {
        let (phase, awaited) = match &session.phase {
            Phase::Running => (ReportPhase::Running, self.awaited(session)),
            Phase::Signed { outcome, .. } => (ReportPhase::Signed(outcome.clone()), Vec::new()),
            Phase::Stopped(reason) => {
                (ReportPhase::Stopped(*reason), session.awaited_at_stop.clone())
            }
        };
        let refusals = session.refused.iter().map(|(seat, (.., reason))| (*seat, *reason));
        Report {
            session: session.id,
            phase,
            coordinators: session.schedule.live().to_vec(),
            awaited,
            refusals: refusals.collect(),
            proven: session.proofs.values().map(|(fault, _)| *fault).collect(),
        }
    }

    /// The members that this session waits for now, by coordinator and seat.
    pub(super) fn awaited(&self, session: &Session<A::Package>) -> Vec<Awaited> {
        let mut awaited = self.awaited_by_reign(session);
        for (&coordinator, &live) in &session.live_since {
            if self.is_own(coordinator) || self.is_shunned(coordinator) {
                continue;
            }
            let given = session.given.iter().filter(|((_, of), _)| *of == coordinator);
            let (thing, since) = match given.map(|(_, given)| given.at).max() {
                Some(at) => (AwaitedThing::Signature, at),
                None => (AwaitedThing::Package, live),
            };
            awaited.push(Awaited { coordinator, seat: coordinator, thing, since });
        }
        awaited.sort_by_key(|one| (one.coordinator, one.seat));
        awaited
    }

    /// The members that this node waits for as a coordinator.
    fn awaited_by_reign(&self, session: &Session<A::Package>) -> Vec<Awaited> {
        let Some(turn) = &session.turn else { return Vec::new() };
        let coordinator = session.seat;
        let shown = &self.own_seat(coordinator).shown;
        let owed = |seat| turn.reign.owing().find(|(debtor, _)| *debtor == seat);
        let others = self
            .others()
            .into_iter()
            .filter(|seat| !self.is_shunned(*seat) && !session.refused.contains_key(seat));
        let awaited = others.filter_map(|seat| {
            let (thing, since) = if !self.links.is_up(seat) {
                let down = self.links.down_since(seat).unwrap_or_default();
                (AwaitedThing::Link, down.max(turn.began))
            } else if let Some((_, id)) = owed(seat) {
                let issued = turn.reign.package(id).map_or(turn.began, |package| package.issued);
                (AwaitedThing::Share { package: id.number }, issued)
            } else if !shown.has(seat, session.m, false, self.last_seen()) {
                (AwaitedThing::Slots, turn.began)
            } else if !session.said.contains_key(&seat) && !turn.reign.has_answered(seat) {
                (AwaitedThing::Ready, turn.began)
            } else {
                return None;
            };
            Some(Awaited { coordinator, seat, thing, since })
        });
        awaited.collect()
    }
}
