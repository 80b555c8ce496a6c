//! An engine that counts what holds its secrets, and the slots whose secret nonces are alive.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature};
use roastery_protocol::{
    SessionId,
    clock::Moment,
    engine::{
        Engine, EngineError, EngineSession, FrostEngine, FrostPackage, FrostSession, SlotContext,
        SlotId,
    },
    member::engine as v2,
    request::ApprovedRequest,
};

/// Counts of one engine: the engine itself and its sessions, and their slots.
#[derive(Clone, Default)]
pub struct Alive {
    holders: Arc<AtomicUsize>,
    slots: Arc<AtomicUsize>,
}

impl Alive {
    pub fn holders(&self) -> usize {
        self.holders.load(Ordering::SeqCst)
    }

    pub fn slots(&self) -> usize {
        self.slots.load(Ordering::SeqCst)
    }
}

/// A value that holds secrets, and is counted as long as it exists.
pub struct Holder<T> {
    inner: T,
    alive: Alive,
}

impl<T> Holder<T> {
    pub fn new(inner: T, alive: &Alive) -> Self {
        alive.holders.fetch_add(1, Ordering::SeqCst);
        Self { inner, alive: alive.clone() }
    }
}

impl<T> Drop for Holder<T> {
    fn drop(&mut self) {
        self.alive.holders.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Holder<FrostSession> {
    fn count<R>(&mut self, act: impl FnOnce(&mut FrostSession) -> R) -> R {
        let before = self.inner.live_slots();
        let result = act(&mut self.inner);
        self.alive.slots.fetch_sub(before, Ordering::SeqCst);
        self.alive.slots.fetch_add(self.inner.live_slots(), Ordering::SeqCst);
        result
    }
}

impl Engine for Holder<FrostEngine> {
    type Session = Holder<FrostSession>;

    fn seat(&self) -> Seat {
        self.inner.seat()
    }

    fn open(&self, request: &ApprovedRequest) -> Result<Self::Session, EngineError> {
        Ok(Holder::new(self.inner.open(request)?, &self.alive))
    }
}

impl EngineSession for Holder<FrostSession> {
    type Package = FrostPackage;

    fn commit(
        &mut self,
        slot: SlotId,
        context: &SlotContext,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        self.count(|inner| inner.commit(slot, context))
    }

    fn aggregate_nonces(&self, slots: &[&[PublicNonce]]) -> Vec<AggregateNonce> {
        self.inner.aggregate_nonces(slots)
    }

    fn prepare(
        &self,
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<FrostPackage, EngineError> {
        self.inner.prepare(signers, aggregates)
    }

    fn sign(
        &mut self,
        slot: SlotId,
        package: &FrostPackage,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        self.count(|inner| inner.sign(slot, package))
    }

    fn check_share(
        &self,
        package: &FrostPackage,
        signer: Seat,
        nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<(), usize> {
        self.inner.check_share(package, signer, nonces, share)
    }

    fn aggregate(
        &self,
        package: &FrostPackage,
        shares: &[&[PartialSignature]],
    ) -> Option<Vec<Signature>> {
        self.inner.aggregate(package, shares)
    }

    fn verify(&self, signatures: &[Signature]) -> bool {
        self.inner.verify(signatures)
    }

    fn discard(&mut self, slot: SlotId) {
        self.count(|inner| inner.discard(slot));
    }

    fn abort(&mut self) {
        self.count(|inner| inner.abort());
    }

    fn live_slots(&self) -> usize {
        self.inner.live_slots()
    }
}

impl<E: v2::Engine> Holder<E> {
    fn count_slots<R>(&mut self, act: impl FnOnce(&mut E) -> R) -> R {
        let before = self.inner.live_slots();
        let result = act(&mut self.inner);
        self.alive.slots.fetch_sub(before, Ordering::SeqCst);
        self.alive.slots.fetch_add(self.inner.live_slots(), Ordering::SeqCst);
        result
    }
}

impl<E: v2::Engine> v2::Engine for Holder<E> {
    fn draw(
        &mut self,
        slots: &v2::SlotRange,
        context: &v2::DrawContext,
    ) -> v2::Answer<Vec<PublicNonce>> {
        self.count_slots(|inner| inner.draw(slots, context))
    }

    fn open(&mut self, request: &ApprovedRequest) -> v2::Answer<()> {
        self.inner.open(request)
    }

    fn sign(&mut self, order: &v2::SignOrder, now: Moment) -> v2::Answer<Vec<PartialSignature>> {
        self.count_slots(|inner| inner.sign(order, now))
    }

    fn void(&mut self, what: v2::Void) {
        self.count_slots(|inner| inner.void(what));
    }

    fn close(&mut self, session: SessionId) {
        self.count_slots(|inner| inner.close(session));
    }

    fn live_slots(&self) -> usize {
        self.inner.live_slots()
    }
}
