//! Comparing the wall clocks of two nodes: requests expire by them.
//!
//! A node asks each peer when it connects, and every ten minutes: `"rstclock" | own time u64 | 0`.
//! The peer answers `"rstclock" | its time u64 | 1 | the time asked at u64`. Times are milliseconds
//! since 1970, little-endian. Half of the round trip is what the difference is uncertain by. A
//! peer may say what it likes: the difference is shown to people and has no other effect.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first bytes of these messages. No message of the protocol is as short.
const MARK: &[u8; 8] = b"rstclock";

/// Up to this difference clocks count as equal.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// An answer with a longer round trip is ignored.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(60);

/// How a peer's wall clock differs from this node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// How far the peer's clock is ahead, in milliseconds; negative if it is behind.
    pub ahead_ms: i64,
    /// The error bound of `ahead_ms`: half of the round trip.
    pub uncertainty: Duration,
}

impl ClockOffset {
    /// Whether the clocks differ by more than [`CLOCK_TOLERANCE`], however long the messages took.
    pub fn is_notable(self) -> bool {
        let difference = Duration::from_millis(self.ahead_ms.unsigned_abs());
        difference > CLOCK_TOLERANCE.saturating_add(self.uncertainty)
    }
}

/// A question or an answer about the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockMessage {
    /// The sender's clock, in milliseconds since 1970.
    at: u64,
    /// In an answer: the time in the question, by the clock of the one who asked.
    answers: Option<u64>,
}

/// This node's clock, in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
}

impl ClockMessage {
    pub(super) fn question(now: u64) -> Self {
        Self { at: now, answers: None }
    }

    pub(super) fn answer(self, now: u64) -> Self {
        Self { at: now, answers: Some(self.at) }
    }

    pub(super) fn is_question(self) -> bool {
        self.answers.is_none()
    }

    /// Whether this answers that question.
    pub(super) fn is_to(self, question: Self) -> bool {
        question.is_question() && self.answers == Some(question.at)
    }

    /// Decodes these bytes; `None` if they are no clock message.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
        let (at, rest) = bytes.strip_prefix(MARK)?.split_at_checked(8)?;
        let answers = match rest {
            [0] => None,
            [1, answers @ ..] => Some(number(answers)?),
            _ => return None,
        };
        Some(Self { at: number(at)?, answers })
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        bytes.extend(self.at.to_le_bytes());
        match self.answers {
            None => bytes.push(0),
            Some(asked) => {
                bytes.push(1);
                bytes.extend(asked.to_le_bytes());
            }
        }
        bytes
    }

    /// The difference that an answer shows; `None` if it does not answer a recent question.
    pub(super) fn offset(self, now: u64) -> Option<ClockOffset> {
        let round_trip = now.checked_sub(self.answers?)?;
        if u128::from(round_trip) > LONGEST_ROUND_TRIP.as_millis() {
            return None;
        }
        // The time of the answer by this node's clock, to within half of the round trip.
        let here = i128::from(now - round_trip / 2);
        let ahead = i128::from(self.at) - here;
        let ahead_ms = i64::try_from(ahead).unwrap_or(if ahead < 0 { -i64::MAX } else { i64::MAX });
        Some(ClockOffset { ahead_ms, uncertainty: Duration::from_millis(round_trip.div_ceil(2)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written_and_nothing_else_is_one() {
        for message in [ClockMessage::question(7), ClockMessage::question(8).answer(u64::MAX)] {
            let bytes = message.to_bytes();
            assert_eq!(ClockMessage::read(&bytes), Some(message));
            assert_eq!(ClockMessage::read(&bytes[..bytes.len() - 1]), None);
            assert_eq!(ClockMessage::read(&[&bytes[..], &[0]].concat()), None);
        }
        assert_eq!(ClockMessage::read(b""), None);
        assert_eq!(ClockMessage::read(b"rstclock"), None);
    }

    #[test]
    fn the_difference_is_known_up_to_half_of_the_round_trip() {
        let offset = |at, asked, now| ClockMessage { at, answers: Some(asked) }.offset(now);
        let same = offset(1050, 1000, 1100).unwrap();
        assert_eq!(same, ClockOffset { ahead_ms: 0, uncertainty: Duration::from_millis(50) });
        assert!(!same.is_notable());
        assert!(offset(31_050, 1000, 1100).unwrap().is_notable());
        let behind = offset(31_050, 91_000, 91_100).unwrap();
        assert_eq!(behind.ahead_ms, -60_000);
        assert!(behind.is_notable());
        // A difference within half of the round trip is not notable.
        assert!(!offset(10_000, 1000, 11_000).unwrap().is_notable());
        // An answer is to one question and no other.
        let (asked, other) = (ClockMessage::question(7), ClockMessage::question(8));
        assert!(asked.answer(9).is_to(asked) && !asked.answer(9).is_to(other));
        assert!(!asked.is_to(asked));
        // An answer to a question that was never asked, or long ago, does not count; nor does a
        // question.
        assert_eq!(offset(1, 2000, 1000), None);
        assert_eq!(offset(1, 1000, 62_000), None);
        assert_eq!(ClockMessage::question(1).offset(2), None);
        assert_eq!(offset(u64::MAX, 1, 1).unwrap().ahead_ms, i64::MAX);
        assert!(offset(0, u64::MAX, u64::MAX).unwrap().is_notable());
    }
}
