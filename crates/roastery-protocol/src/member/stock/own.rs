//! What this node, as a signer, has promised to each coordinator.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use roastery_frost::Seat;
use thiserror::Error;

use super::{BATCHES_HELD, SLOT_LIFETIME, batch_size, credit::Used, is_too_old};
use crate::{SessionId, clock::Moment, member::Incarnation};

/// After this time new slots are shown while signing is to be expected.
const REFRESHED_AFTER: Duration = Duration::from_secs(300);

/// A coordinator that asks for slots though it has a batch is shown another one after this time.
const ASKED_AFTER: Duration = Duration::from_secs(8);

/// The unused slots of one seat of this node for every coordinator: their public nonces, their
/// indexes and their age. The secret halves are in the engine, under the same indexes.
#[derive(Debug)]
pub struct OwnStock {
    incarnation: Incarnation,
    n: usize,
    most_packages: usize,
    coordinators: Vec<Promised>,
}

#[derive(Debug, Default)]
struct Promised {
    /// Every index below it was drawn, and none of them is drawn again.
    next: u32,
    slots: BTreeMap<u32, Slot>,
    used: Used,
    last_draw: Option<Duration>,
}

#[derive(Debug)]
struct Slot {
    nonce: [u8; 66],
    drawn: Moment,
}

/// An order to the engine: to draw `count` nonces for a coordinator, from index `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The coordinator's seat.
    pub coordinator: Seat,
    /// The first index.
    pub first: u32,
    /// How many, from 1 to 64.
    pub count: u8,
}

/// Slots of consecutive indexes, as a message shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The first index.
    pub first: u32,
    /// The public nonces, 66 bytes each.
    pub nonces: Vec<[u8; 66]>,
}

/// Slots whose secrets the engine must zeroize now, and which the coordinator must be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    /// The coordinator that they were promised to.
    pub coordinator: Seat,
    /// Their indexes; used ones may lie between them.
    pub indexes: Range<u32>,
}

/// Why the slots that a package names cannot be used. None of these uses up a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotUsable {
    /// One of them is used, void or was never shown.
    #[error("slot {index} is used, void or was never shown")]
    Gone {
        /// The first index that is not there.
        index: u32,
    },
    /// One of them is older than 10 minutes by one of the clocks, or the clocks disagree.
    #[error("slot {index} is too old by one of the clocks, or the clocks disagree")]
    TooOld {
        /// The first index that is too old.
        index: u32,
    },
}

impl OwnStock {
    /// An empty stock in this incarnation, for a group of n seats of which at most `most_packages`
    /// (n - t + 1) packages go out in a run.
    pub fn new(incarnation: Incarnation, n: usize, most_packages: usize) -> Self {
        let coordinators = (0..n).map(|_| Promised::default()).collect();
        Self { incarnation, n, most_packages, coordinators }
    }

    /// The incarnation in which the slots are shown.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// How many slots are to be drawn for a coordinator so that it has a whole batch, for requests
    /// of at most m messages; `None` if it has one, if its credit is used up, or if its indexes
    /// are. The engine is asked for one order at a time.
    pub fn missing(&mut self, coordinator: Seat, m: usize, now: Moment) -> Option<Draw> {
        self.draw(coordinator, m, now, |held, batch| batch.saturating_sub(held))
    }

    /// As [`OwnStock::missing`], but only if less than half a batch is left, or less than a request
    /// of m messages needs.
    pub fn low(&mut self, coordinator: Seat, m: usize, now: Moment) -> Option<Draw> {
        let is_low = |held: usize, batch: usize| 2 * held < batch || held < m;
        self.draw(coordinator, m, now, |held, batch| {
            if is_low(held, batch) { (batch - held.min(batch)).max(1) } else { 0 }
        })
    }

    /// A whole batch, if the last one was drawn more than 5 minutes ago: a coordinator names no
    /// slot that has lain there for 9 minutes. To be asked while signing is to be expected.
    pub fn stale(&mut self, coordinator: Seat, m: usize, now: Moment) -> Option<Draw> {
        let due = self.stale_at(coordinator)?;
        let is_stale = now.monotonic >= due;
        self.draw(coordinator, m, now, |_, batch| if is_stale { batch } else { 0 })
    }

    /// A whole batch for a coordinator that asks though it has been shown one: it may have lost it.
    /// At most once in 8 seconds.
    pub fn asked(&mut self, coordinator: Seat, m: usize, now: Moment) -> Option<Draw> {
        let last = self.last_draw(coordinator);
        let is_due = last.is_none_or(|last| now.monotonic >= last.saturating_add(ASKED_AFTER));
        self.draw(coordinator, m, now, |_, batch| if is_due { batch } else { 0 })
    }

    /// An order was given or could not be given: the next one for freshness alone waits as after a
    /// draw.
    pub fn note_attempt(&mut self, coordinator: Seat, now: Moment) {
        if let Some(promised) = self.coordinators.get_mut(coordinator.index()) {
            promised.last_draw = Some(now.monotonic);
        }
    }

    /// When [`OwnStock::stale`] gives something, on the monotonic clock.
    pub fn stale_at(&self, coordinator: Seat) -> Option<Duration> {
        self.last_draw(coordinator).map(|last| last.saturating_add(REFRESHED_AFTER))
    }

    /// The order for as many slots as `wanted` says of those held and a batch, within the credit.
    fn draw(
        &mut self,
        coordinator: Seat,
        m: usize,
        now: Moment,
        wanted: impl Fn(usize, usize) -> usize,
    ) -> Option<Draw> {
        let batch = batch_size(self.n, m);
        let credit = self.most_packages.saturating_mul(batch);
        let promised = self.coordinators.get_mut(coordinator.index())?;
        let wanted = match wanted(promised.slots.len(), batch) {
            0 => return None,
            // Less than m at one end of the stock are no use to a request of m messages.
            wanted => wanted.max(m),
        };
        let room = credit.saturating_sub(promised.used.counted(now.monotonic));
        let count = wanted.min(room).min(64);
        let indexes = (u32::MAX - promised.next) as usize;
        let count = u8::try_from(count.min(indexes)).ok().filter(|count| *count > 0)?;
        Some(Draw { coordinator, first: promised.next, count })
    }

    /// The engine has drawn what [`OwnStock::missing`] ordered: the slots may be shown. What is
    /// more than three batches is void, the oldest first.
    pub fn drawn(
        &mut self,
        draw: Draw,
        nonces: &[[u8; 66]],
        m: usize,
        now: Moment,
    ) -> Option<Voided> {
        let most = BATCHES_HELD * batch_size(self.n, m);
        let promised = self.coordinators.get_mut(draw.coordinator.index())?;
        for (index, nonce) in (draw.first..).zip(nonces) {
            promised.slots.insert(index, Slot { nonce: *nonce, drawn: now });
        }
        promised.next = promised.next.max(draw.first.saturating_add(nonces.len() as u32));
        promised.last_draw = Some(now.monotonic);
        let surplus = promised.slots.len().saturating_sub(most);
        let until = *promised.slots.keys().nth(surplus)?;
        promised.void_below(draw.coordinator, until)
    }

    /// The indexes of an order that the engine did not fulfil are not used again.
    pub fn not_drawn(&mut self, draw: Draw) {
        if let Some(promised) = self.coordinators.get_mut(draw.coordinator.index()) {
            promised.next = promised.next.max(draw.first.saturating_add(u32::from(draw.count)));
        }
    }

    /// What is unused, as it was shown before, in stretches of consecutive indexes of at most 64.
    pub fn unused(&self, coordinator: Seat) -> Vec<Batch> {
        let mut stretches: Vec<Batch> = Vec::new();
        let slots = self.coordinators.get(coordinator.index()).map(|one| &one.slots);
        for (&index, slot) in slots.into_iter().flatten() {
            match stretches.last_mut() {
                Some(last)
                    if last.first + last.nonces.len() as u32 == index && last.nonces.len() < 64 =>
                {
                    last.nonces.push(slot.nonce);
                }
                _ => stretches.push(Batch { first: index, nonces: vec![slot.nonce] }),
            }
        }
        stretches
    }

    /// The newest m unused slots of consecutive indexes for a coordinator that is a seat of this
    /// node, if there are as many; else the order to draw them.
    ///
    /// # Errors
    ///
    /// The order; no credit holds for an own seat. `None` in it if the indexes are used up.
    pub fn for_own(&self, coordinator: Seat, m: usize, now: Moment) -> Result<Batch, Option<Draw>> {
        let promised = self.coordinators.get(coordinator.index()).ok_or(None)?;
        let newest = promised.slots.keys().next_back().map(|last| last + 1);
        let first = newest.and_then(|end| end.checked_sub(u32::try_from(m).ok()?));
        if let Some(first) = first
            && let Ok(nonces) = self.check(coordinator, first..first + m as u32, now)
        {
            return Ok(Batch { first, nonces });
        }
        let room = (u32::MAX - promised.next) as usize;
        let count = u8::try_from(m).ok().filter(|_| m <= room).ok_or(None)?;
        Err(Some(Draw { coordinator, first: promised.next, count }))
    }

    /// How many unused slots there are for a coordinator.
    pub fn held(&self, coordinator: Seat) -> usize {
        self.coordinators.get(coordinator.index()).map_or(0, |one| one.slots.len())
    }

    /// The least index that is held for a coordinator, or the next one if none is.
    pub fn oldest(&self, coordinator: Seat) -> u32 {
        let promised = self.coordinators.get(coordinator.index());
        promised.map_or(0, |one| one.slots.keys().next().copied().unwrap_or(one.next))
    }

    /// When slots were last drawn for a coordinator, on the monotonic clock.
    pub fn last_draw(&self, coordinator: Seat) -> Option<Duration> {
        self.coordinators.get(coordinator.index()).and_then(|one| one.last_draw)
    }

    /// The public nonces of the m slots from `first` on, if a package may use them now.
    ///
    /// # Errors
    ///
    /// [`NotUsable`] if one of them is not there or too old. A package does not say of which
    /// incarnation its slots are: those of another one have another hash.
    pub fn check(
        &self,
        coordinator: Seat,
        indexes: Range<u32>,
        now: Moment,
    ) -> Result<Vec<[u8; 66]>, NotUsable> {
        let gone = NotUsable::Gone { index: indexes.start };
        let promised = self.coordinators.get(coordinator.index()).ok_or(gone)?;
        indexes
            .map(|index| {
                let slot = promised.slots.get(&index).ok_or(NotUsable::Gone { index })?;
                if is_too_old(slot.drawn, now, SLOT_LIFETIME) {
                    return Err(NotUsable::TooOld { index });
                }
                Ok(slot.nonce)
            })
            .collect()
    }

    /// Takes the slots out for a package of this session: they are never used again, whatever comes
    /// of it. The caller has checked them ([`OwnStock::check`]).
    pub fn take(
        &mut self,
        coordinator: Seat,
        indexes: Range<u32>,
        session: SessionId,
        now: Moment,
    ) {
        let Some(promised) = self.coordinators.get_mut(coordinator.index()) else { return };
        let count = indexes.len();
        for index in indexes {
            promised.slots.remove(&index);
        }
        promised.used.note(session, count, now.monotonic);
    }

    /// A session has ended signed: the slots that it used are returned to the credits.
    pub fn signed(&mut self, session: SessionId) {
        self.coordinators.iter_mut().for_each(|one| one.used.signed(session));
    }

    /// Drops what is too old. The engine zeroizes it and the coordinators are told.
    pub fn expire(&mut self, now: Moment) -> Vec<Voided> {
        let all = self.coordinators.iter_mut().zip(0..);
        all.filter_map(|(promised, at)| {
            promised.used.counted(now.monotonic);
            let old = |slot: &Slot| is_too_old(slot.drawn, now, SLOT_LIFETIME);
            // Slots age in the order of their indexes. One that a clock makes old before its turn
            // is refused when it is named.
            let (last, _) = promised.slots.iter().take_while(|(_, slot)| old(slot)).last()?;
            let until = last + 1;
            promised.void_below(Seat::new(at).ok()?, until)
        })
        .collect()
    }

    /// Drops all slots for a coordinator, because its link is gone.
    pub fn void(&mut self, coordinator: Seat) -> Option<Voided> {
        let promised = self.coordinators.get_mut(coordinator.index())?;
        promised.void_below(coordinator, promised.next)
    }

    /// Drops everything and begins again in another incarnation, at index 0. Credits stay.
    pub fn renew(&mut self, incarnation: Incarnation) {
        self.incarnation = incarnation;
        for promised in &mut self.coordinators {
            promised.next = 0;
            promised.slots.clear();
            promised.last_draw = None;
        }
    }

    /// When [`OwnStock::expire`] has something to drop or a credit grows, on the monotonic clock.
    pub fn next_timeout(&self) -> Option<Duration> {
        let all = self.coordinators.iter();
        all.filter_map(|one| {
            let first = one.slots.values().next();
            let drops = first.map(|slot| slot.drawn.monotonic.saturating_add(SLOT_LIFETIME));
            // One nanosecond later it is too old.
            let drops = drops.map(|at| at.saturating_add(Duration::from_nanos(1)));
            drops.into_iter().chain(one.used.next_timeout()).min()
        })
        .min()
    }
}

impl Promised {
    fn void_below(&mut self, coordinator: Seat, until: u32) -> Option<Voided> {
        let first = *self.slots.keys().next().filter(|first| **first < until)?;
        self.slots = self.slots.split_off(&until);
        Some(Voided { coordinator, indexes: first..until })
    }
}

#[cfg(test)]
mod tests;
