//! What is known of one peer's clock, and when it is asked.

use std::time::{Duration, Instant};

use super::clock::{ClockMessage, ClockOffset};

/// The time between two questions to a peer for its clock.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// How long the answer to a question is waited for before another one is sent.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// The minimum time between two answers to one peer about this node's clock.
const ANSWER_AGAIN: Duration = Duration::from_secs(1);

/// A peer's clock.
#[derive(Debug, Default)]
pub(super) struct PeerClock {
    offset: Option<ClockOffset>,
    /// When it was asked for its clock.
    asked: Option<Instant>,
    /// The question that it has not answered yet.
    question: Option<ClockMessage>,
    /// When this node's clock was last sent to it.
    answered: Option<Instant>,
}

impl PeerClock {
    /// How it differs from this node's, if that is known.
    pub(super) fn offset(&self) -> Option<ClockOffset> {
        self.offset
    }

    /// The peer is sent this question now; an older one is not open any more.
    pub(super) fn ask(&mut self, question: ClockMessage) {
        (self.asked, self.question) = (Some(Instant::now()), Some(question));
    }

    /// Whether the peer is to be asked now.
    pub(super) fn is_due(&self) -> bool {
        let pause = if self.offset.is_some() { ASK_AGAIN } else { ANSWER_PATIENCE };
        self.asked.is_none_or(|asked| asked.elapsed() >= pause)
    }

    /// Records the difference: only the first answer to the open question counts.
    pub(super) fn note(&mut self, answer: ClockMessage, now: u64) {
        if self.question.take_if(|question| answer.is_to(*question)).is_some()
            && let Some(offset) = answer.offset(now)
        {
            self.offset = Some(offset);
        }
    }

    /// The peer is disconnected.
    pub(super) fn forget(&mut self) {
        self.offset = None;
    }

    /// Whether this node's clock is to be sent to the peer, which asks: not if it was sent just
    /// now.
    pub(super) fn may_answer(&mut self) -> bool {
        let may = self.answered.is_none_or(|last| last.elapsed() >= ANSWER_AGAIN);
        if may {
            self.answered = Some(Instant::now());
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_taken_from_the_first_answer_to_the_question_that_is_open_and_from_no_other() {
        let (mut clock, question) = (PeerClock::default(), ClockMessage::question(1000));
        let ahead_after = |clock: &mut PeerClock, question: ClockMessage, at| {
            clock.note(question.answer(at), 1000);
            clock.offset().map(|offset| offset.ahead_ms)
        };
        // An answer without a question.
        assert_eq!(ahead_after(&mut clock, question, 9000), None);
        clock.ask(question);
        // Another question than the one that is open.
        assert_eq!(ahead_after(&mut clock, ClockMessage::question(999), 9000), None);
        assert_eq!(ahead_after(&mut clock, question, 1500), Some(500));
        // The same question again.
        assert_eq!(ahead_after(&mut clock, question, 9000), Some(500));
    }
}
