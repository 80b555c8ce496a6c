use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::Seat;
use roastery_store::KeptBar;

use crate::Time;

/// The barred seats of a group. There is no way back: none leaves.
pub(in crate::service) struct Bars(Mutex<BTreeMap<Seat, u64>>);

impl Bars {
    pub(in crate::service) fn new(kept: Vec<KeptBar>) -> Self {
        Self(Mutex::new(kept.into_iter().map(|bar| (bar.seat, bar.time_ms)).collect()))
    }

    /// Since when this seat is barred.
    pub(in crate::service) fn since(&self, seat: Seat) -> Option<Time> {
        self.lock().get(&seat).copied().map(Time::from_milliseconds)
    }

    pub(in crate::service) fn add(&self, bars: &[KeptBar]) {
        let mut known = self.lock();
        for bar in bars {
            known.entry(bar.seat).or_insert(bar.time_ms);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Seat, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
