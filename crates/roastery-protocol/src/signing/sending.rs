//! Output: messages and events.

use roastery_frost::Seat;

use super::{Answer, Event, Output, Rejected, Session};
use crate::{
    Attempt,
    clock::Moment,
    engine::EngineSession,
    machine::Destination,
    message::{Body, Envelope, Want},
};

impl<E: EngineSession> Session<E> {
    pub(super) fn ask(&mut self, of: Seat, attempt: Attempt, want: Want, now: Moment) {
        let envelope = self.fixed.seal(attempt, &Body::Want(want));
        let _ = self.answer(of, Answer::To(attempt, want), &envelope, now);
    }

    /// Sends an answer at most once within the minimum interval.
    pub(super) fn answer(
        &mut self,
        to: Seat,
        what: Answer,
        envelope: &Envelope,
        now: Moment,
    ) -> Result<(), Rejected> {
        if !self.replies.try_acquire(to, what, now.monotonic, self.fixed.settings.repeat_min) {
            return Err(Rejected::NoAnswer { sender: to });
        }
        self.send(Destination::Seat(to), envelope);
        Ok(())
    }

    pub(super) fn send(&mut self, to: Destination, envelope: &Envelope) {
        let own = self.fixed.seat;
        if matches!(to, Destination::Everyone) || to == Destination::Seat(own) {
            self.to_self.push_back(envelope.clone());
        }
        if to != Destination::Seat(own) {
            self.outbox.push_back(Output::Send { to, bytes: envelope.as_bytes().clone() });
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }
}
