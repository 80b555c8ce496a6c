//! An engine that counts how many of its sessions still exist, whatever becomes of their callers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature};
use roastery_protocol::{
    engine::{
        Engine, EngineError, EngineSession, FrostEngine, FrostPackage, FrostSession, SlotContext,
        SlotId,
    },
    request::ApprovedRequest,
};

pub struct Probe {
    pub engine: FrostEngine,
    pub alive: Arc<AtomicUsize>,
}

pub struct ProbeSession {
    session: FrostSession,
    alive: Arc<AtomicUsize>,
}

impl Probe {
    pub fn new(engine: FrostEngine) -> Self {
        Probe { engine, alive: Arc::default() }
    }

    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }
}

impl Drop for ProbeSession {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Engine for Probe {
    type Session = ProbeSession;

    fn seat(&self) -> Seat {
        self.engine.seat()
    }

    fn open(&self, request: &ApprovedRequest) -> Result<ProbeSession, EngineError> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Ok(ProbeSession { session: self.engine.open(request)?, alive: self.alive.clone() })
    }
}

impl EngineSession for ProbeSession {
    type Package = FrostPackage;

    fn commit(
        &mut self,
        slot: SlotId,
        context: &SlotContext,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        self.session.commit(slot, context)
    }

    fn aggregate_nonces(&self, slots: &[&[PublicNonce]]) -> Vec<AggregateNonce> {
        self.session.aggregate_nonces(slots)
    }

    fn prepare(
        &self,
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<FrostPackage, EngineError> {
        self.session.prepare(signers, aggregates)
    }

    fn sign(
        &mut self,
        slot: SlotId,
        package: &FrostPackage,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        self.session.sign(slot, package)
    }

    fn check_share(
        &self,
        package: &FrostPackage,
        signer: Seat,
        nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<(), usize> {
        self.session.check_share(package, signer, nonces, share)
    }

    fn aggregate(
        &self,
        package: &FrostPackage,
        shares: &[&[PartialSignature]],
    ) -> Option<Vec<Signature>> {
        self.session.aggregate(package, shares)
    }

    fn verify(&self, signatures: &[Signature]) -> bool {
        self.session.verify(signatures)
    }

    fn discard(&mut self, slot: SlotId) {
        self.session.discard(slot);
    }

    fn abort(&mut self) {
        self.session.abort();
    }

    fn live_slots(&self) -> usize {
        self.session.live_slots()
    }
}
