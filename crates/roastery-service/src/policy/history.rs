use std::collections::BTreeMap;

use roastery_protocol::SessionId;

const DAY: u64 = 24 * 60 * 60;
const HOUR: u64 = 60 * 60;

/// What was approved within the last day: what rates and daily limits are counted from. A request counts once, from when it
/// was last approved.
#[derive(Debug, Default)]
pub struct History {
    /// When, in seconds since 1970, and what leaves the group with it, in satoshi.
    approved: BTreeMap<SessionId, (u64, u64)>,
}

impl History {
    /// Notes an approval.
    pub fn note(&mut self, session: SessionId, at: u64, amount: u64) {
        self.approved.insert(session, (at, amount));
        // By a clock that was set back nothing is old.
        self.approved.retain(|_, (noted, _)| *noted + DAY > at);
    }

    /// How many others were approved within the last hour.
    pub fn within_an_hour(&self, session: SessionId, now: u64) -> usize {
        self.others(session).filter(|(at, _)| at + HOUR > now).count()
    }

    /// How much was approved within the last 24 hours for others, in satoshi.
    pub fn spent_within_a_day(&self, session: SessionId, now: u64) -> u64 {
        let recent = self.others(session).filter(|(at, _)| at + DAY > now);
        recent.fold(0, |sum, (_, amount)| sum.saturating_add(amount))
    }

    fn others(&self, session: SessionId) -> impl Iterator<Item = (u64, u64)> {
        self.approved.iter().filter(move |(id, _)| **id != session).map(|(_, noted)| *noted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: u8) -> SessionId {
        SessionId::from_bytes([name; 32])
    }

    #[test]
    fn what_is_older_than_an_hour_or_a_day_counts_no_more() {
        let mut history = History::default();
        for (name, at, amount) in [(1, 1000, 1), (2, 2000, 20), (3, 2000 + HOUR, 300)] {
            history.note(session(name), at, amount);
        }
        let (now, other) = (2000 + HOUR, session(9));
        assert_eq!(history.within_an_hour(other, now), 1);
        assert_eq!(history.spent_within_a_day(other, now), 321);
        assert_eq!(history.within_an_hour(other, now - 1), 2);
        assert_eq!(history.spent_within_a_day(other, 1000 + DAY), 320);
        assert_eq!(history.spent_within_a_day(other, now + DAY), 0);
        // By a clock that was set back nothing is forgotten.
        history.note(session(4), 5, 4000);
        assert_eq!(history.within_an_hour(other, now), 1);
        assert_eq!(history.spent_within_a_day(other, now), 4321);
        history.note(session(5), now + DAY, 0);
        assert_eq!(history.approved.len(), 1);
    }

    #[test]
    fn a_request_that_is_approved_again_counts_once_and_not_against_itself() {
        let mut history = History::default();
        history.note(session(1), 1000, 60);
        history.note(session(1), 2000, 60);
        history.note(session(2), 2000, 5);
        assert_eq!(history.spent_within_a_day(session(9), 3000), 65);
        assert_eq!(history.spent_within_a_day(session(1), 3000), 5);
        assert_eq!(history.within_an_hour(session(1), 3000), 1);
    }
}
