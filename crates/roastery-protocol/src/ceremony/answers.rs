//! The back-off floor of answers.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

use super::{Ceremony, Rejected, message::Envelope};
use crate::{BodyHash, clock::Moment, session::Destination};

/// When what was last sent to whom in answer.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<(Seat, BodyHash), Duration>);

impl Answers {
    /// Whether this may be sent to this seat now; if so it is noted. What was sent longer ago than the floor is
    /// forgotten, and within the floor a seat has at most eight different things, so that the book stays small.
    fn may(&mut self, to: Seat, what: BodyHash, now: Duration, floor: Duration) -> bool {
        const MOST_AT_ONCE: usize = 8;
        self.0.retain(|_, at| now < *at + floor);
        let of_seat = self.0.keys().filter(|(seat, _)| *seat == to).count();
        if of_seat >= MOST_AT_ONCE || self.0.contains_key(&(to, what)) {
            return false;
        }
        self.0.insert((to, what), now);
        true
    }
}

impl Ceremony {
    /// Sends something to another seat at most once within the floor.
    pub(super) fn answer(
        &mut self,
        to: Seat,
        envelope: &Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        let floor = self.fixed.settings.repeat_floor;
        if to == self.fixed.seat
            || !self.answers.may(to, envelope.body_hash(), now.monotonic, floor)
        {
            return Err(Rejected::NoAnswer { sender: to });
        }
        self.send(Destination::Seat(to), envelope);
        Ok(())
    }
}
