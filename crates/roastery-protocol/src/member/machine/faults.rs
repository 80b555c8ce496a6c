//! Faults: proven, recorded, shown to all (section 10).

use std::sync::Arc;

use roastery_frost::Seat;

use super::{Event, Member, Record, Rejected, StopReason, core::Core, session::Session};
use crate::{
    clock::Moment,
    group::PeerId,
    member::{
        engine::{Arithmetic, Engine},
        evidence::Observed,
        frame::{Content, Statement, read_evidence},
        proof::{Fault, Proof, ProvenFault},
    },
    verdict::Verdict,
};

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// A proof that a member shows. It concerns the group: its session need not be open here.
    pub(super) fn on_evidence(
        &mut self,
        sender: Seat,
        statement: &Statement,
        now: Moment,
    ) -> Result<(), Rejected> {
        if !self.core.evidence.may_show(sender) {
            return Err(Rejected::NoAnswer { sender });
        }
        let proof = read_evidence(statement)
            .map_err(|malformation| Rejected::Malformed { sender, malformation })?;
        let peer = self.core.peer_of(sender).ok_or(Rejected::NotAMember)?;
        let accused = proof.fault().accused_statement().sender(&self.core.group);
        if accused.is_some_and(|seat| !self.core.awaits_proof(seat, &peer)) {
            return Err(Rejected::Repeat);
        }
        if !statement.is_signed_by_its_sender(&self.core.group) {
            return Err(Rejected::NotSigned { sender });
        }
        let is_of_session = proof.request().session_id() == statement.header().session;
        let Verdict::Invalid(fault) = proof.verify(&self.core.group) else {
            self.core.evidence.note_false(sender);
            return Err(Rejected::NotProven { sender });
        };
        if !is_of_session {
            self.core.evidence.note_false(sender);
            return Err(Rejected::NotProven { sender });
        }
        let is_new = !self.core.evidence.is_proven(fault.accused);
        let session = self.sessions.get_mut(fault.session);
        self.core.record_fault(session, fault, Arc::new(proof), Observed::Shown, now);
        // Two seats of one peer are one, and a member at fault may want a proof kept quiet.
        let is_at_fault = self.core.peer_of(fault.accused).is_some_and(|one| one == peer);
        let counts = !is_at_fault && !self.core.is_own(sender);
        if counts && !self.core.evidence.is_proven(sender) {
            let most = self.core.group.most_packages();
            self.core.evidence.shown(fault.accused, &peer, most, now.monotonic);
        }
        if is_new { Ok(()) } else { Err(Rejected::Repeat) }
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// The proofs that this node had stored. One that proves nothing here is dropped, and reported.
    pub(super) fn load(&mut self, proofs: Vec<Arc<Proof>>, now: Moment) {
        for proof in proofs {
            match proof.verify(&self.group) {
                Verdict::Invalid(fault) if !self.is_own(fault.accused) => {
                    self.evidence.record(fault, proof, Observed::Before, 0, now.monotonic);
                }
                Verdict::Invalid(_) => {}
                Verdict::Valid | Verdict::Indeterminate(_) => {
                    self.event(Event::StoredProofInvalid { proof: proof.id() });
                }
            }
        }
    }

    /// A contradiction or a wrong share was found, which others may have found as well: if it
    /// proves a fault it is recorded, and shown to all when it is this node's turn.
    pub(super) fn report(&mut self, session: &mut Session<A::Package>, fault: Fault, now: Moment) {
        self.report_as(session, fault, Observed::ByMany, now);
    }

    /// A fault was found that only this node can see, because it coordinates or has asked: all are
    /// shown its proof at once.
    pub(super) fn report_locally(
        &mut self,
        session: &mut Session<A::Package>,
        fault: Fault,
        now: Moment,
    ) {
        self.report_as(session, fault, Observed::Locally, now);
    }

    fn report_as(
        &mut self,
        session: &mut Session<A::Package>,
        fault: Fault,
        observed: Observed,
        now: Moment,
    ) {
        let proof = Proof::new(session.request.request().clone(), fault);
        if let Verdict::Invalid(fault) = proof.verify(&self.group) {
            self.record_fault(Some(session), fault, Arc::new(proof), observed, now);
        }
    }

    /// A fault is proven: the member is not picked and not served in any session from now on. The
    /// first proof against it is kept.
    fn record_fault(
        &mut self,
        session: Option<&mut Session<A::Package>>,
        fault: ProvenFault,
        proof: Arc<Proof>,
        observed: Observed,
        now: Moment,
    ) {
        let seat = fault.accused;
        let rank = self.rank_behind(seat);
        let is_new = !self.is_own(seat)
            && self.evidence.record(fault, proof.clone(), observed, rank, now.monotonic);
        if !is_new {
            return;
        }
        self.concerns_all = true;
        self.persist(Record::Proof(proof.clone()));
        self.event(Event::Proven { fault, proof: proof.clone() });
        if let Some(session) = session {
            session.investigations.end_explained(|one| one == seat);
            session.proofs.insert(seat, (fault, proof));
            self.avoid_proven(session, now);
        }
        self.show_evidence(now);
    }

    /// Members that are proven faulty, in whichever session, are not picked again in this one; if
    /// too many are, it cannot be signed.
    pub(super) fn avoid_proven(&mut self, session: &mut Session<A::Package>, now: Moment) {
        if self.evidence.is_empty() || !session.is_running() {
            return;
        }
        if let Some(turn) = &mut session.turn {
            let proven = self.evidence.proofs().map(|(fault, _)| fault.accused);
            proven.for_each(|seat| turn.reign.exclude(seat));
        }
        let (faulty, bearable) = (self.evidence.len(), self.group.most_packages() - 1);
        if faulty > bearable {
            self.stop(session, StopReason::Infeasible { faulty, bearable }, now);
        }
    }

    /// Shows the proofs to all whose time has come.
    pub(super) fn show_evidence(&mut self, now: Moment) {
        for (fault, proof) in self.evidence.take_due(now.monotonic) {
            let statement = self.seal_evidence(fault, &proof);
            self.broadcast(&statement);
        }
    }

    /// Shows a peer whose link has come up what it may have missed.
    pub(super) fn show_evidence_to(&mut self, seat: Seat, now: Moment) {
        let Some(peer) = self.peer_of(seat) else { return };
        for (fault, proof) in self.evidence.for_link(&peer, now.monotonic) {
            let statement = self.seal_evidence(fault, &proof);
            let bytes = statement.as_bytes().clone();
            self.send(crate::machine::Destination::Seat(seat), bytes);
        }
    }

    fn seal_evidence(&self, fault: ProvenFault, proof: &Proof) -> Statement {
        let content = Content::Evidence(proof.clone());
        self.seal(fault.session, self.own[0].seat, &content)
    }

    fn awaits_proof(&self, accused: Seat, peer: &PeerId) -> bool {
        !self.is_own(accused) && self.evidence.awaits(accused, peer)
    }

    /// The place of this node in the order of the seats that begins behind this one, from 0.
    fn rank_behind(&self, accused: Seat) -> usize {
        let n = self.group.size();
        let ranks = self.own.iter().map(|own| (own.seat.index() + n - accused.index() - 1) % n);
        ranks.min().unwrap_or(0)
    }

    pub(super) fn peer_of(&self, seat: Seat) -> Option<PeerId> {
        self.group.member(seat).map(|member| member.peer.clone())
    }
}
