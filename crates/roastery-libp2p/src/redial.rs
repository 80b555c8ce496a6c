//! The back-off between the dials of a peer.

use std::time::{Duration, Instant};

/// The back-off before a peer is dialled again: the first pause, then twice as long each time, up
/// to the longest. So a node that restarts, and all that dial it, connect within seconds, and one
/// that is off for days costs few dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pauses {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Pauses {
    /// The pause after this many failures in a row. `random` draws from the upper half: peers that
    /// lost their connections together do not dial together.
    fn after(self, failures: u32, random: u32) -> Duration {
        let pause = self.first.saturating_mul(1 << failures.min(30)).min(self.longest);
        pause / 2 + (pause / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// When one peer is dialled.
#[derive(Debug)]
pub(super) struct Redial {
    pauses: Pauses,
    /// Of two peers that would dial each other at the same time, one waits this long for the other.
    head_start: Duration,
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waits { until: Instant },
    Calls,
    Connected { since: Instant },
}

impl Redial {
    pub(super) fn new(pauses: Pauses, head_start: Duration, now: Instant) -> Self {
        Self { pauses, head_start, failures: 0, state: State::Waits { until: now + head_start } }
    }

    /// When to dial next; `None` while the peer is connected directly or being dialled.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.state {
            State::Waits { until } => Some(until),
            State::Calls | State::Connected { .. } => None,
        }
    }

    pub(super) fn calls(&mut self) {
        self.state = State::Calls;
    }

    /// Whether the peer is being dialled.
    pub(super) fn is_calling(&self) -> bool {
        matches!(self.state, State::Calls)
    }

    /// The peer has other addresses, and is dialled there at once unless it is connected.
    pub(super) fn moved(&mut self, now: Instant) {
        self.failures = 0;
        if let State::Waits { .. } = self.state {
            self.state = State::Waits { until: now + self.head_start };
        }
    }

    /// The dial has failed.
    pub(super) fn failed(&mut self, now: Instant, random: u32) {
        if let State::Calls = self.state {
            self.wait(now, random);
        }
    }

    /// The peer is connected through a relay, and dialled directly later all the same.
    pub(super) fn relayed(&mut self, now: Instant) {
        if !matches!(self.state, State::Connected { .. }) {
            self.state = State::Waits { until: now + self.pauses.longest };
        }
    }

    /// The peer is connected directly.
    pub(super) fn connected(&mut self, now: Instant) {
        if !matches!(self.state, State::Connected { .. }) {
            self.state = State::Connected { since: now };
        }
    }

    /// The last direct connection has ended. One that lasted for a while resets the back-off;
    /// otherwise a peer that accepts every connection and closes it at once would be dialled
    /// without end.
    pub(super) fn disconnected(&mut self, now: Instant, random: u32) {
        if let State::Connected { since } = self.state
            && now.saturating_duration_since(since) >= self.pauses.longest
        {
            self.failures = 0;
        }
        self.wait(now, random);
    }

    fn wait(&mut self, now: Instant, random: u32) {
        let pause = self.pauses.after(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waits { until: now + pause + self.head_start };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PAUSES: Pauses = Pauses { first: SECOND, longest: Duration::from_secs(30) };

    fn redial(now: Instant) -> Redial {
        Redial::new(PAUSES, Duration::ZERO, now)
    }

    #[test]
    fn a_peer_is_called_at_once_and_then_after_pauses_that_double_up_to_the_longest() {
        let now = Instant::now();
        let mut redial = redial(now);
        assert_eq!(redial.next(), Some(now));
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            redial.calls();
            assert_eq!(redial.next(), None);
            redial.failed(now, u32::MAX);
            assert_eq!(redial.next(), Some(now + seconds * SECOND));
        }
    }

    #[test]
    fn a_pause_is_at_least_half_of_its_length_and_never_overflows() {
        assert_eq!(PAUSES.after(2, 0), 2 * SECOND);
        assert_eq!(PAUSES.after(2, u32::MAX), 4 * SECOND);
        assert_eq!(PAUSES.after(u32::MAX, u32::MAX), PAUSES.longest);
        let endless = Pauses { longest: Duration::MAX, ..PAUSES };
        assert!(endless.after(u32::MAX, 7) <= Duration::MAX);
    }

    #[test]
    fn who_gives_a_head_start_waits_that_much_longer_each_time() {
        let now = Instant::now();
        let mut redial = Redial::new(PAUSES, SECOND, now);
        assert_eq!(redial.next(), Some(now + SECOND));
        redial.connected(now);
        redial.disconnected(now, u32::MAX);
        assert_eq!(redial.next(), Some(now + 2 * SECOND));
    }

    #[test]
    fn a_peer_that_hangs_up_at_once_is_called_ever_more_seldom() {
        let now = Instant::now();
        let mut redial = redial(now);
        for seconds in [1, 2, 4] {
            redial.calls();
            redial.connected(now);
            assert_eq!(redial.next(), None);
            redial.disconnected(now, u32::MAX);
            assert_eq!(redial.next(), Some(now + seconds * SECOND));
        }
    }

    #[test]
    fn a_peer_that_has_moved_is_called_at_once_and_not_while_it_is_connected_or_called() {
        let now = Instant::now();
        let mut redial = redial(now);
        for _ in 0..5 {
            redial.calls();
            redial.moved(now);
            assert_eq!(redial.next(), None);
            redial.failed(now, u32::MAX);
            assert_eq!(redial.next(), Some(now + SECOND));
        }
        redial.moved(now);
        assert_eq!(redial.next(), Some(now));
        redial.connected(now);
        redial.moved(now);
        assert_eq!(redial.next(), None);
    }

    #[test]
    fn a_connection_that_held_makes_up_for_the_failures_before() {
        let start = Instant::now();
        let mut redial = redial(start);
        for _ in 0..5 {
            redial.calls();
            redial.failed(start, u32::MAX);
        }
        redial.connected(start);
        let later = start + PAUSES.longest;
        // A second connection does not make the first one younger.
        redial.connected(later);
        redial.disconnected(later, u32::MAX);
        assert_eq!(redial.next(), Some(later + SECOND));
    }

    #[test]
    fn a_peer_that_is_reached_through_a_relay_is_called_directly_after_the_longest_pause() {
        let now = Instant::now();
        let mut redial = redial(now);
        redial.calls();
        redial.relayed(now);
        assert_eq!(redial.next(), Some(now + PAUSES.longest));
        redial.connected(now);
        redial.relayed(now);
        assert_eq!(redial.next(), None);
    }

    #[test]
    fn a_call_that_fails_while_the_peer_is_connected_changes_nothing() {
        let now = Instant::now();
        let mut redial = redial(now);
        redial.calls();
        redial.connected(now);
        redial.failed(now, 0);
        assert_eq!(redial.next(), None);
    }
}
