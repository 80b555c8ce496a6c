//! The engine of a member of the demo, which may spoil its shares.

use roastery_frost::{PartialSignature, PublicNonce};
use roastery_protocol::{
    SessionId,
    clock::Moment,
    member::engine::{Answer, DrawContext, Engine, FrostEngine, SignOrder, SlotRange, Void},
    request::ApprovedRequest,
};

/// What a member does with its shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conduct {
    /// Releases them as they are.
    Honest,
    /// Releases another scalar instead, signed as its own.
    Spoils,
}

/// The real engine, and what is done with its shares.
#[derive(Debug)]
pub(super) struct DemoEngine {
    pub(super) engine: FrostEngine,
    pub(super) conduct: Conduct,
}

impl Engine for DemoEngine {
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>> {
        self.engine.draw(slots, context)
    }

    fn open(&mut self, request: &ApprovedRequest) -> Answer<()> {
        self.engine.open(request)
    }

    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>> {
        let mut answer = self.engine.sign(order, now);
        if let (Conduct::Spoils, Answer::Now(Ok(share))) = (self.conduct, &mut answer) {
            share.iter_mut().for_each(spoil);
        }
        answer
    }

    fn void(&mut self, what: Void) {
        self.engine.void(what);
    }

    fn close(&mut self, session: SessionId) {
        self.engine.close(session);
    }

    fn live_slots(&self) -> usize {
        self.engine.live_slots()
    }
}

/// Adds one. Any number of members that do so spoil the sum, which two that each flip a bit might
/// not.
fn spoil(scalar: &mut PartialSignature) {
    let mut bytes = scalar.to_bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    // Only the greatest scalar has none above it, and that does not occur.
    if let Ok(other) = PartialSignature::from_bytes(&bytes) {
        *scalar = other;
    }
}
