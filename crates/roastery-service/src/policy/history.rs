use std::collections::VecDeque;

const DAY: u64 = 24 * 60 * 60;
const HOUR: u64 = 60 * 60;

/// What was approved within the last day: what rates and daily limits are counted from.
#[derive(Debug, Default)]
pub struct History {
    /// When, in seconds since 1970, and what leaves the group with it, in satoshi; the oldest first.
    approved: VecDeque<(u64, u64)>,
}

impl History {
    /// Notes an approval. Times of a clock that was set back count as now.
    pub fn note(&mut self, at: u64, amount: u64) {
        let at = self.approved.back().map_or(at, |(last, _)| at.max(*last));
        self.approved.push_back((at, amount));
        while self.approved.front().is_some_and(|(first, _)| *first + DAY <= at) {
            self.approved.pop_front();
        }
    }

    /// Takes back the last approval of this amount: nothing came of it.
    pub fn take_back(&mut self, amount: u64) {
        if let Some(place) = self.approved.iter().rposition(|(_, noted)| *noted == amount) {
            self.approved.remove(place);
        }
    }

    /// How many were approved within the last hour.
    pub fn within_an_hour(&self, now: u64) -> usize {
        self.approved.iter().rev().take_while(|(at, _)| at + HOUR > now).count()
    }

    /// How much was approved within the last 24 hours, in satoshi.
    pub fn spent_within_a_day(&self, now: u64) -> u64 {
        let recent = self.approved.iter().rev().take_while(|(at, _)| at + DAY > now);
        recent.fold(0, |sum, (_, amount)| sum.saturating_add(*amount))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_an_hour_or_a_day_counts_no_more() {
        let mut history = History::default();
        for (at, amount) in [(1000, 1), (2000, 20), (2000 + HOUR, 300)] {
            history.note(at, amount);
        }
        let now = 2000 + HOUR;
        assert_eq!((history.within_an_hour(now), history.spent_within_a_day(now)), (1, 321));
        assert_eq!(history.within_an_hour(now - 1), 2);
        assert_eq!(history.spent_within_a_day(1000 + DAY), 320);
        assert_eq!(history.spent_within_a_day(now + DAY), 0);
        history.take_back(20);
        assert_eq!(history.spent_within_a_day(now), 301);
        // A clock that goes back makes nothing younger or older than it is.
        history.note(5, 4000);
        assert_eq!(history.within_an_hour(now), 2);
        history.note(now + DAY, 0);
        assert_eq!(history.approved.len(), 1);
    }
}
