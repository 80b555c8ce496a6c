//! The real engine with nonces from a table, and a ledger of what it draws and signs.

use std::sync::OnceLock;

use roastery_frost::{
    NonceGenError, NonceGenInputs, PartialSignature, PublicNonce, SecretNonce, danger::NonceTable,
    hash::tagged_hash,
};
use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    member::engine::{
        Answer, DrawContext, Engine, FrostArithmetic, FrostEngine, NonceSource, SignOrder,
        SlotName, SlotRange, Void,
    },
    request::ApprovedRequest,
};

use super::{ledger::Ledger, randomness::Randomness};
use crate::members::Members;

/// [`FrostEngine`] with a ledger.
#[derive(Debug)]
pub struct RecordingEngine {
    engine: FrostEngine<TableNonces>,
    life: usize,
    ledger: Ledger,
}

impl RecordingEngine {
    /// The engine of a node, by its first seat, whose nonces come from this randomness.
    pub(super) fn new(
        members: &Members,
        node: Seat,
        arithmetic: FrostArithmetic,
        randomness: Randomness,
        ledger: Ledger,
    ) -> Self {
        let shares = members.seats_of(node).iter().map(|seat| (*seat, members.share(*seat)));
        let nonces = TableNonces { randomness, ledger: ledger.clone() };
        let engine = FrostEngine::with_nonces(arithmetic, shares, nonces);
        let life = ledger.entries().begin();
        Self { engine, life, ledger }
    }

    /// The number of this engine in the ledger.
    pub fn life(&self) -> usize {
        self.life
    }
}

/// The scalars of the table: all pairs of two of them are 2^24 nonces.
const SCALARS: usize = 1 << 12;

/// Nonces from a table, as *NonceGen* would give them: the same for the same randomness and inputs,
/// another for any others. Nearly all nonces are never used, and their multiplications would be
/// three quarters of the time of a campaign.
#[derive(Debug)]
struct TableNonces {
    randomness: Randomness,
    ledger: Ledger,
}

impl NonceSource for TableNonces {
    fn nonce(
        &mut self,
        inputs: &NonceGenInputs<'_>,
    ) -> Result<(SecretNonce, PublicNonce), NonceGenError> {
        static TABLE: OnceLock<NonceTable> = OnceLock::new();
        let mut random = [0; 32];
        self.randomness.fill(&mut random);
        let (share, extra) = (inputs.public_share, inputs.extra_in.unwrap_or_default());
        let share = share.map_or(&[][..], |share| &share[..]);
        let number = self.ledger.entries().number(tagged_hash("sim", &[&random, share, extra]));
        let table = TABLE.get_or_init(|| NonceTable::new(SCALARS));
        let secret = table.nonce(number).ok_or(NonceGenError::Zero)?;
        let public = secret.public_nonce().clone();
        Ok((secret, public))
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
        let indexes = order.first..order.first.saturating_add(messages);
        let SignOrder { seat, coordinator, .. } = *order;
        entries.ended(self.life, &SlotRange { seat, coordinator, indexes });
        answer
    }

    fn void(&mut self, what: Void) {
        let mut entries = self.ledger.entries();
        match &what {
            Void::Slots(slots) => entries.ended(self.life, slots),
            Void::Coordinator(seat) => entries.ended_for(self.life, |one| one == *seat),
            Void::All => entries.ended_for(self.life, |_| true),
        }
        drop(entries);
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
        self.ledger.entries().ended_for(self.life, |_| true);
    }
}
