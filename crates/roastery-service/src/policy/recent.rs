//! Entries noted within a time, by two clocks.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// The time by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970, by a clock that can be set.
    pub wall: u64,
    /// By a monotonic clock of this process.
    pub steady: Instant,
}

/// When an entry was last noted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noted {
    /// In seconds since 1970.
    pub(super) wall: u64,
    /// `None` for a time before the start of this process.
    pub(super) steady: Option<Instant>,
}

impl Noted {
    /// An entry from before the start, at this time in seconds since 1970.
    pub(super) fn before(wall: u64, now: Now) -> Self {
        let age = Duration::from_secs(now.wall.saturating_sub(wall));
        Self { wall, steady: now.steady.checked_sub(age) }
    }

    pub(super) fn again(&mut self, at: Self) {
        self.wall = self.wall.max(at.wall);
        self.steady = self.steady.max(at.steady);
    }
}

impl From<Now> for Noted {
    fn from(now: Now) -> Self {
        Self { wall: now.wall, steady: Some(now.steady) }
    }
}

/// Keys with a value each that were noted within a time. Older ones are found without scanning the
/// rest.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    /// The time, in seconds.
    within: u64,
    things: BTreeMap<K, (Noted, V)>,
    /// Those that are not old yet by the monotonic clock.
    by_steady: BTreeSet<(Instant, K)>,
    /// The others, which are kept until they are old by the wall clock as well.
    by_wall: BTreeSet<(u64, K)>,
}

impl<K: Copy + Ord, V: Default> Recent<K, V> {
    /// An empty collection that keeps entries for so many seconds.
    pub(super) fn within(within: u64) -> Self {
        let (things, by_steady, by_wall) = Default::default();
        Self { within, things, by_steady, by_wall }
    }

    /// Notes a key, for the first time or again, and returns its value.
    pub(super) fn note(&mut self, thing: K, at: Noted) -> &mut V {
        let (noted, value) = self.things.entry(thing).or_default();
        if let Some(steady) = noted.steady {
            self.by_steady.remove(&(steady, thing));
        }
        self.by_wall.remove(&(noted.wall, thing));
        noted.again(at);
        match noted.steady {
            Some(steady) => drop(self.by_steady.insert((steady, thing))),
            None => drop(self.by_wall.insert((noted.wall, thing))),
        }
        value
    }

    pub(super) fn get(&self, thing: &K) -> Option<&V> {
        self.things.get(thing).map(|(_, value)| value)
    }

    pub(super) fn len(&self) -> usize {
        self.things.len()
    }

    /// Removes the entries that are old by both clocks, and passes on their values.
    pub(super) fn forget_old(&mut self, now: Now, mut forgotten: impl FnMut(V)) {
        let span = Duration::from_secs(self.within);
        while let Some((steady, thing)) = self.by_steady.first().copied()
            && now.steady.saturating_duration_since(steady) >= span
        {
            self.by_steady.pop_first();
            if let Some((noted, _)) = self.things.get(&thing) {
                self.by_wall.insert((noted.wall, thing));
            }
        }
        while let Some((wall, thing)) = self.by_wall.first().copied()
            && wall.saturating_add(self.within) <= now.wall
        {
            self.by_wall.pop_first();
            if let Some((_, value)) = self.things.remove(&thing) {
                forgotten(value);
            }
        }
    }
}
