//! An engine that counts what holds its secrets, and the slots whose secret nonces are alive.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use roastery_frost::{PartialSignature, PublicNonce};
use roastery_protocol::{
    SessionId,
    clock::Moment,
    member::engine::{Answer, DrawContext, Engine, SignOrder, SlotRange, Void},
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

impl<E: Engine> Holder<E> {
    fn count_slots<R>(&mut self, act: impl FnOnce(&mut E) -> R) -> R {
        let before = self.inner.live_slots();
        let result = act(&mut self.inner);
        self.alive.slots.fetch_sub(before, Ordering::SeqCst);
        self.alive.slots.fetch_add(self.inner.live_slots(), Ordering::SeqCst);
        result
    }
}

impl<E: Engine> Engine for Holder<E> {
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>> {
        self.count_slots(|inner| inner.draw(slots, context))
    }

    fn open(&mut self, request: &ApprovedRequest) -> Answer<()> {
        self.inner.open(request)
    }

    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>> {
        self.count_slots(|inner| inner.sign(order, now))
    }

    fn void(&mut self, what: Void) {
        self.count_slots(|inner| inner.void(what));
    }

    fn close(&mut self, session: SessionId) {
        self.count_slots(|inner| inner.close(session));
    }

    fn live_slots(&self) -> usize {
        self.inner.live_slots()
    }
}
