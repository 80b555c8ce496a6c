//! The real engine, with a ledger of what it draws and signs.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_frost::{PartialSignature, PublicNonce};
use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    member::engine::{
        Answer, DrawContext, Engine, FrostArithmetic, FrostEngine, SignOrder, SlotName, SlotRange,
        Void,
    },
    request::ApprovedRequest,
};

use super::ledger::Ledger;
use crate::members::Members;

/// [`FrostEngine`] with a ledger.
#[derive(Debug)]
pub struct RecordingEngine {
    engine: FrostEngine<ChaCha8Rng>,
    life: usize,
    ledger: Ledger,
}

impl RecordingEngine {
    /// The engine of a node, by its first seat, whose nonces come from this seed.
    pub fn new(
        members: &Members,
        node: Seat,
        arithmetic: FrostArithmetic,
        seed: u64,
        ledger: Ledger,
    ) -> Self {
        let shares = members.seats_of(node).iter().map(|seat| (*seat, members.share(*seat)));
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let engine = FrostEngine::with_rng(arithmetic, shares, rng);
        let life = ledger.entries().begin();
        Self { engine, life, ledger }
    }

    /// The number of this engine in the ledger.
    pub fn life(&self) -> usize {
        self.life
    }
}

fn names(slots: &SlotRange) -> impl Iterator<Item = SlotName> {
    let (seat, coordinator) = (slots.seat, slots.coordinator);
    slots.indexes.clone().map(move |index| SlotName { seat, coordinator, index })
}

impl Engine for RecordingEngine {
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>> {
        let answer = self.engine.draw(slots, context);
        if let Answer::Now(Ok(nonces)) = &answer {
            let when = (context.incarnation, context.now);
            self.ledger.entries().drawn(self.life, when, names(slots), nonces);
        }
        answer
    }

    fn open(&mut self, request: &ApprovedRequest) -> Answer<()> {
        self.engine.open(request)
    }

    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>> {
        let answer = self.engine.sign(order, now);
        let mut entries = self.ledger.entries();
        let messages = order.aggregates.len() as u32;
        if let Answer::Now(Ok(shares)) = &answer {
            entries.signed(self.life, order, shares.len(), now);
        }
        let used = order.first..order.first.saturating_add(messages);
        entries.ended(self.life, |slot| {
            (slot.seat, slot.coordinator) == (order.seat, order.coordinator)
                && used.contains(&slot.index)
        });
        answer
    }

    fn void(&mut self, what: Void) {
        self.ledger.entries().ended(self.life, |slot| match &what {
            Void::Slots(slots) => {
                (slot.seat, slot.coordinator) == (slots.seat, slots.coordinator)
                    && slots.indexes.contains(&slot.index)
            }
            Void::Coordinator(seat) => slot.coordinator == *seat,
            Void::All => true,
        });
        self.engine.void(what);
    }

    fn close(&mut self, session: SessionId) {
        self.engine.close(session);
    }

    fn live_slots(&self) -> usize {
        self.engine.live_slots()
    }
}

impl Drop for RecordingEngine {
    fn drop(&mut self) {
        self.ledger.entries().ended(self.life, |_| true);
    }
}
