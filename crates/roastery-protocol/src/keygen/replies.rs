//! Answers are limited to one within a minimum interval.

use roastery_frost::Seat;

use super::{Keygen, Rejected, message::Envelope};
use crate::{clock::Moment, machine::Destination};

impl Keygen {
    /// Sends an answer to another seat at most once within the minimum interval.
    pub(super) fn answer(
        &mut self,
        to: Seat,
        envelope: &Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        let floor = self.fixed.settings.repeat_min;
        if to == self.fixed.seat
            || !self.replies.try_acquire(to, envelope.body_hash(), now.monotonic, floor)
        {
            return Err(Rejected::NoAnswer { sender: to });
        }
        self.send(Destination::Seat(to), envelope);
        Ok(())
    }
}
