//! Proofs: made, checked, kept, broadcast.

use std::sync::Arc;

use super::{Event, Session, StopReason, broadcast::Observed};
use crate::{
    clock::Moment,
    engine::EngineSession,
    proof::{Fault, Proof, ProvenFault, Verdict},
};

impl<E: EngineSession> Session<E> {
    /// A fault was found here that others may have found as well. It counts only if its proof
    /// convinces a third party.
    pub(super) fn report_fault(&mut self, fault: Fault, now: Moment) {
        self.report_fault_as(fault, Observed::ByMany, now);
    }

    /// Reports a fault that only this node can see, because it coordinates.
    pub(super) fn report_local_fault(&mut self, fault: Fault, now: Moment) {
        self.report_fault_as(fault, Observed::Locally, now);
    }

    fn report_fault_as(&mut self, fault: Fault, observed: Observed, now: Moment) {
        let proof = Proof::new(self.fixed.request.request().clone(), fault);
        let Verdict::Invalid(finding) = proof.verify(&self.fixed.group) else {
            return;
        };
        if self.collector.is_proven_faulty(finding.accused) {
            return;
        }
        self.broadcast(finding.accused, proof.clone(), observed, now);
        self.record_fault(finding, Arc::new(proof), now);
    }

    /// Records a fault whose proof was verified.
    pub(super) fn record_fault(&mut self, finding: ProvenFault, proof: Arc<Proof>, now: Moment) {
        let accused = finding.accused;
        if self.collector.is_proven_faulty(accused) {
            return;
        }
        self.collector.prove(finding, proof.clone());
        for coordinated in self.coordinated.values_mut() {
            coordinated.coordinator.exclude(accused);
        }
        self.drop_explained_investigations();
        self.event(Event::Proven { finding, proof });
        let (faulty, group) = (self.collector.proofs().len(), &self.fixed.group);
        let bearable = group.size() - group.threshold();
        if faulty > bearable {
            self.halt(StopReason::Infeasible { faulty, bearable });
        }
        self.escalate(now);
    }
}
