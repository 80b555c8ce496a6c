//! Which peers outside the roster may be connected for a pairing.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;

use crate::admission::{Source, source};

/// Peers outside the roster at a time that have proven no line, one from each source.
pub(crate) const MOST_GUESTS: usize = 4;

/// Peers outside the roster that have proven a line: 127 of each of four pairings.
pub(crate) const MOST_PROVEN: usize = 4 * 127;

/// Over what time they are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// How many from one source in this time, and from all.
const MOST_FROM_ONE: usize = 10;
const MOST_FROM_ALL: usize = 60;

/// The inbound connections of peers outside the roster. Each has one Hello, so that this bounds the
/// Hellos as well.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// Each with its source, until it has proven a line.
    here: HashMap<ConnectionId, Option<Source>>,
    /// Those of the last minute, the oldest first.
    lately: VecDeque<(Instant, Source)>,
    /// How many were refused since this was last asked.
    refused: u64,
}

impl Guests {
    pub(super) fn admit(&mut self, id: ConnectionId, from: &Multiaddr, now: Instant) -> bool {
        while self.lately.front().is_some_and(|(at, _)| now.duration_since(*at) >= MINUTE) {
            self.lately.pop_front();
        }
        let source = source(from);
        let from_one = self.lately.iter().filter(|(_, lately)| *lately == source).count();
        let unproven = || self.here.values().flatten();
        let has_room = unproven().count() < MOST_GUESTS
            && self.here.len() < MOST_GUESTS + MOST_PROVEN
            && unproven().all(|here| *here != source)
            && from_one < MOST_FROM_ONE
            && self.lately.len() < MOST_FROM_ALL;
        if has_room {
            self.here.insert(id, Some(source));
            self.lately.push_back((now, source));
        } else {
            self.refused = self.refused.saturating_add(1);
        }
        has_room
    }

    pub(super) fn take_refused(&mut self) -> u64 {
        std::mem::take(&mut self.refused)
    }

    /// It has proven a line, and takes no place of those that have not.
    pub(super) fn prove(&mut self, id: ConnectionId) {
        if let Some(source) = self.here.get_mut(&id) {
            *source = None;
        }
    }

    pub(super) fn leave(&mut self, id: ConnectionId) {
        self.here.remove(&id);
    }

    pub(super) fn has(&self, id: ConnectionId) -> bool {
        self.here.contains_key(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn at(number: usize) -> Multiaddr {
        format!("/ip4/10.0.{}.{}/tcp/1", number / 256, number % 256).parse().unwrap()
    }

    #[test]
    fn four_guests_are_here_at_a_time_and_one_from_each_source() {
        let (mut guests, now) = (Guests::default(), Instant::now());
        for number in 0..4 {
            assert!(guests.admit(id(number), &at(number), now));
            assert!(!guests.admit(id(10 + number), &at(number), now));
        }
        assert!(!guests.admit(id(4), &at(4), now));
        guests.leave(id(0));
        assert!(guests.admit(id(4), &at(4), now));
        // Two members behind one router: once the first has proven its line the second may come.
        guests.prove(id(1));
        assert!(guests.admit(id(5), &at(1), now) && guests.has(id(1)));
        assert!(!guests.admit(id(6), &at(1), now));
    }

    #[test]
    fn ten_come_in_a_minute_from_one_source_and_sixty_from_all() {
        let (mut guests, now) = (Guests::default(), Instant::now());
        let mut come = |number: usize, from: usize, now| {
            let admitted = guests.admit(id(number), &at(from), now);
            guests.leave(id(number));
            admitted
        };
        assert_eq!((0..20).filter(|number| come(*number, 0, now)).count(), 10);
        assert_eq!((0..200).filter(|number| come(*number, 1 + number, now)).count(), 50);
        assert!(!come(0, 0, now + MINUTE - Duration::from_nanos(1)));
        assert!(come(0, 0, now + MINUTE));
        // Each that was refused is counted, once.
        assert_eq!((guests.take_refused(), guests.take_refused()), (161, 0));
    }
}
