//! What the owner could not keep, and is asked to keep again.

use std::time::Duration;

use super::Record;

/// The pause before something is tried again, and the longest one.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What is tried again.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Again {
    /// To draw an incarnation: there was no randomness for it.
    Draw,
    /// To keep this record. A share's is never tried again: the share is destroyed.
    Keep(Record),
}

/// What failed and is tried again, all of it at one time: a second later, and then after pauses
/// that double up to a minute.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    waiting: Vec<Again>,
    due: Duration,
    pause: Duration,
}

impl Unkept {
    /// This failed now.
    pub(super) fn add(&mut self, again: Again, now: Duration) {
        let (first, most) = PAUSE;
        if self.waiting.is_empty() {
            self.pause = (self.pause * 2).clamp(first, most);
            self.due = now.saturating_add(self.pause);
        }
        if !self.waiting.contains(&again) {
            self.waiting.push(again);
        }
    }

    /// A record was kept: the next failure is tried again soon.
    pub(super) fn kept(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// What is to be tried again now.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<Again> {
        if now < self.due { Vec::new() } else { std::mem::take(&mut self.waiting) }
    }

    /// When something is to be tried again, on the monotonic clock.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_again_after_pauses_that_double_to_a_minute_until_something_is_kept() {
        let (mut unkept, mut now) = (Unkept::default(), Duration::ZERO);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            unkept.add(Again::Draw, now);
            unkept.add(Again::Draw, now);
            let due = unkept.next_timeout().unwrap();
            assert_eq!(unkept.take_due(due - Duration::from_nanos(1)), []);
            assert_eq!(unkept.take_due(due), [Again::Draw], "once");
            pauses.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        unkept.kept();
        unkept.add(Again::Draw, now);
        assert_eq!(unkept.next_timeout(), Some(now + Duration::from_secs(1)));
        assert_eq!(Unkept::default().next_timeout(), None);
    }
}
