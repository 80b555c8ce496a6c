//! Proofs: made, checked, kept, told to all.

use std::sync::Arc;

use super::{Event, Session, StopReason};
use crate::{
    clock::Moment,
    engine::EngineSession,
    proof::{Fault, FaultKind, Finding, Proof, Verdict},
};

impl<E: EngineSession> Session<E> {
    /// A fault was found here. It counts only if its proof convinces a stranger.
    pub(super) fn accuse(&mut self, fault: Fault, now: Moment) {
        let proof = Proof::new(self.fixed.request.request().clone(), fault);
        let Verdict::Invalid(finding) = proof.verify(&self.fixed.group) else {
            return;
        };
        if self.collector.is_proven_faulty(finding.accused) {
            return;
        }
        // A share is looked at by its coordinator, who alone has the nonces or has asked for them.
        let alone =
            matches!(finding.fault, FaultKind::InvalidShare | FaultKind::WrongAggregateNonce);
        self.tell(finding.accused, proof.clone(), alone, now);
        self.convict(finding, Arc::new(proof), now);
    }

    /// A proof was verified.
    pub(super) fn convict(&mut self, finding: Finding, proof: Arc<Proof>, now: Moment) {
        let accused = finding.accused;
        if self.collector.is_proven_faulty(accused) {
            return;
        }
        self.collector.prove(finding, proof.clone());
        for coordinated in self.coordinated.values_mut() {
            coordinated.book.exclude(accused);
        }
        self.event(Event::Proven { finding, proof });
        let (faulty, group) = (self.collector.proofs().len(), &self.fixed.group);
        let bearable = group.size() - group.threshold();
        if faulty > bearable {
            self.halt(StopReason::Infeasible { faulty, bearable });
        }
        self.escalate(now);
    }
}
