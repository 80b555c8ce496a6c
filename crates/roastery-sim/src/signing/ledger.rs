//! What the engines of all honest nodes have drawn and signed, over all their lives.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use roastery_frost::PublicNonce;
use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    member::{
        Incarnation,
        engine::{SignOrder, SlotName, SlotRange},
    },
};

/// The name of one nonce: the life of an engine, and the slot in it.
pub type NonceName = (usize, SlotName);

/// A ledger that engines share with the invariants that read it.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Entries>>);

/// What is in a [`Ledger`].
#[derive(Debug, Default)]
pub struct Entries {
    /// The lives of engines so far.
    pub lives: usize,
    /// Nonces that are drawn and neither used nor void, with their time.
    pub live: BTreeMap<NonceName, Moment>,
    /// The numbers of the inputs that nonces were made of.
    numbers: HashMap<[u8; 32], usize>,
    /// The public nonces that were ever drawn, and what each has answered.
    answers: HashMap<[u8; 66], Option<Equation>>,
    /// The public nonce of each name.
    public: HashMap<(usize, Incarnation, SlotName), [u8; 66]>,
    /// The orders that engines have carried out since they were last read.
    pub orders: Vec<Signed>,
    /// Engines do again what others have done before, and draw the same nonces.
    pub replays: bool,
    /// What no engine may do.
    pub broken: Option<String>,
}

/// What one nonce has gone into: the session, signers and aggregate nonces, and the message.
pub type Equation = (SessionId, Vec<Seat>, Vec<u8>, usize);

/// An order that an engine has carried out.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The order.
    pub order: SignOrder,
    /// The time at the node.
    pub now: Moment,
}

impl Ledger {
    /// The entries. What is behind the lock is plain data, which a panic elsewhere leaves readable.
    pub fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// An engine begins. Returns its number.
    pub fn begin(&mut self) -> usize {
        self.lives += 1;
        self.lives
    }

    /// The number of the inputs of a nonce, by their hash: the same for the same ones.
    pub fn number(&mut self, inputs: [u8; 32]) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(inputs).or_insert(next)
    }

    /// An engine has drawn these nonces.
    pub fn drawn(
        &mut self,
        life: usize,
        (incarnation, now): (Incarnation, Moment),
        slots: impl Iterator<Item = SlotName>,
        nonces: &[PublicNonce],
    ) {
        for (slot, nonce) in slots.zip(nonces) {
            let bytes = nonce.to_bytes();
            if self.replays {
                self.answers.entry(bytes).or_default();
            } else if self.answers.insert(bytes, None).is_some() {
                self.broken.get_or_insert(format!("{slot} has a nonce that was drawn before"));
            }
            self.public.insert((life, incarnation, slot), bytes);
            self.live.insert((life, slot), now);
        }
    }

    /// An engine has signed: each nonce answers one equation.
    pub fn signed(&mut self, life: usize, order: &SignOrder, messages: usize, now: Moment) {
        if self.replays {
            return;
        }
        for at in 0..messages {
            let index = order.first.saturating_add(at as u32);
            let slot = SlotName { seat: order.seat, coordinator: order.coordinator, index };
            let aggregates = order.aggregates.iter().flat_map(|one| one.to_bytes()).collect();
            let equation = (order.session, order.signers.clone(), aggregates, at);
            let nonce = self.public.get(&(life, order.incarnation, slot));
            let known = nonce.and_then(|nonce| self.answers.get_mut(nonce));
            match known {
                None => drop(self.broken.get_or_insert(format!("{slot} signs and was not drawn"))),
                Some(None) => *known.expect("it is there") = Some(equation),
                Some(Some(_)) => {
                    self.broken.get_or_insert(format!("{slot} has answered twice"));
                }
            }
        }
        self.orders.push(Signed { order: order.clone(), now });
    }

    /// These nonces of an engine are used or void.
    pub fn ended(&mut self, life: usize, slots: &SlotRange) {
        let name = |index| SlotName { seat: slots.seat, coordinator: slots.coordinator, index };
        let Range { start, end } = slots.indexes.clone();
        let of = (life, name(start))..(life, name(end.max(start)));
        self.live.extract_if(of, |_, _| true).for_each(drop);
    }

    /// The nonces of an engine for these coordinators are void.
    pub fn ended_for(&mut self, life: usize, which: impl Fn(Seat) -> bool) {
        self.live.extract_if(of_life(life), |(_, slot), _| which(slot.coordinator)).for_each(drop);
    }

    /// How many nonces an engine holds, and the time of the oldest by the monotonic clock.
    pub fn held(&self, life: usize) -> (usize, Option<Duration>) {
        let held = self.live.range(of_life(life));
        let times = held.map(|(_, drawn)| drawn.monotonic);
        times.fold((0, None), |(count, oldest), time| {
            (count + 1, Some(oldest.map_or(time, |known: Duration| known.min(time))))
        })
    }

    /// The coordinators for which an engine holds nonces.
    pub fn coordinators(&self, life: usize) -> BTreeSet<Seat> {
        self.live.range(of_life(life)).map(|((_, slot), _)| slot.coordinator).collect()
    }
}

fn of_life(life: usize) -> Range<NonceName> {
    let first = Seat::new(0).expect("seat 0 is a seat");
    let least = SlotName { seat: first, coordinator: first, index: 0 };
    (life, least)..(life + 1, least)
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
    use roastery_frost::{NonceGenInputs, nonce_gen};

    use super::*;

    fn nonce(seed: u64) -> PublicNonce {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let inputs = NonceGenInputs {
            secret_share: None,
            seat: None,
            public_share: None,
            threshold_public_key: None,
            message: None,
            extra_in: None,
        };
        nonce_gen(&mut rng, &inputs).unwrap().1
    }

    fn seat(id: u32) -> Seat {
        Seat::new(id).unwrap()
    }

    #[test]
    fn a_nonce_that_answers_twice_or_is_drawn_twice_is_found() {
        let moment = Moment { monotonic: Duration::ZERO, wall: Duration::ZERO };
        let incarnation = Incarnation::after(None, 1, [0; 8]);
        let slot = SlotName { seat: seat(0), coordinator: seat(1), index: 0 };
        let order = SignOrder {
            session: SessionId::from_bytes([1; 32]),
            seat: seat(0),
            coordinator: seat(1),
            incarnation,
            first: 0,
            signers: vec![seat(0), seat(1)],
            aggregates: Vec::new(),
        };
        let ledger = Ledger::default();
        let life = ledger.entries().begin();
        ledger.entries().drawn(life, (incarnation, moment), [slot].into_iter(), &[nonce(1)]);
        assert_eq!(ledger.entries().held(life), (1, Some(Duration::ZERO)));
        ledger.entries().signed(life, &order, 1, moment);
        assert_eq!(ledger.entries().broken, None);
        ledger.entries().signed(life, &order, 1, moment);
        assert!(ledger.entries().broken.take().unwrap().contains("answered twice"));
        ledger.entries().drawn(life, (incarnation, moment), [slot].into_iter(), &[nonce(1)]);
        assert!(ledger.entries().broken.take().unwrap().contains("drawn before"));
    }
}
