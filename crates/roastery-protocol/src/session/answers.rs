//! How often whom is answered.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

use crate::{Attempt, message::Want};

/// When what was last sent to whom in answer: the back-off floor of answers.
#[derive(Debug, Default)]
pub(super) struct Answers {
    last: BTreeMap<(Seat, Answer), Duration>,
    doubtful_evidence: BTreeMap<Seat, u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    To(Attempt, Want),
    Outcome,
    Share(Attempt),
}

impl Answers {
    /// Whether this may be sent to this seat now; if so it is noted. What was sent longer ago than the floor is
    /// forgotten, and within the floor a seat has at most eight different things, so that the book stays small.
    pub(super) fn may(&mut self, to: Seat, what: Answer, now: Duration, floor: Duration) -> bool {
        const MOST_AT_ONCE: usize = 8;
        self.last.retain(|_, at| now < *at + floor);
        let of_seat = self.last.keys().filter(|(seat, _)| *seat == to).count();
        if of_seat >= MOST_AT_ONCE || self.last.contains_key(&(to, what)) {
            return false;
        }
        self.last.insert((to, what), now);
        true
    }

    /// Whether another proof of this sender is looked at: after four that proved nothing, none is.
    pub(super) fn may_accuse(&self, sender: Seat) -> bool {
        self.doubtful_evidence.get(&sender).is_none_or(|count| *count < 4)
    }

    pub(super) fn note_false_accusation(&mut self, sender: Seat) {
        *self.doubtful_evidence.entry(sender).or_default() += 1;
    }
}
