//! Requests that this node refuses: each refusal is signed once, sent to all, and repeated to a
//! member that sends about the request.

use std::sync::Arc;

use roastery_frost::Seat;

use super::{Limit, core::Core};
use crate::{
    SessionId,
    clock::Moment,
    machine::Destination,
    member::{
        engine::{Arithmetic, Engine},
        frame::{Content, Refusal},
    },
    request::RefusalReason,
};

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// Refuses a request from now on. A reason that holds for now only is not remembered: the
    /// request is looked at again when it is proposed again.
    pub(super) fn refuse(
        &mut self,
        session: SessionId,
        author: Option<Seat>,
        expiry: u64,
        (reason, counter): (RefusalReason, u32),
        now: Moment,
    ) {
        if reason.is_for_now() {
            let refusals = self.seal_refusals(session, reason, counter);
            refusals.into_iter().for_each(|bytes| self.send(Destination::Everyone, bytes));
            return;
        }
        let refusal = (reason, counter);
        if self.refusals.add(session, author, expiry, refusal, now.wall_seconds()) {
            self.limited(Limit::Refusals, None, now);
        }
        self.send_refusal(session, Destination::Everyone, now);
    }

    /// Refuses a request at this seat only, once.
    pub(super) fn refuse_to(&mut self, session: SessionId, to: Seat, reason: RefusalReason) {
        let counter = self.change_of_mind();
        let refusals = self.seal_refusals(session, reason, counter);
        refusals.into_iter().for_each(|bytes| self.send(Destination::Seat(to), bytes));
    }

    /// Repeats the refusal of a request to a member that sends about it, unless that was done
    /// lately. Gives whether the request is refused.
    pub(super) fn repeat_refusal(&mut self, session: SessionId, to: Seat, now: Moment) -> bool {
        if self.is_begun && self.refusals.try_acquire(session, to, now.monotonic) {
            self.send_refusal(session, Destination::Seat(to), now);
        }
        self.refusals.contains(session)
    }

    /// The incarnation is on the disk: the refusals that wait for it leave.
    pub(super) fn send_refusals(&mut self, now: Moment) {
        for session in self.refusals.unsent() {
            self.send_refusal(session, Destination::Everyone, now);
        }
    }

    fn send_refusal(&mut self, session: SessionId, to: Destination, now: Moment) {
        let Some(refused) = self.refusals.get_mut(session).filter(|_| self.is_begun) else {
            return;
        };
        let (reason, counter) = (refused.reason, refused.counter);
        let sealed = match refused.sealed(self.incarnation) {
            Some(sealed) => sealed.to_vec(),
            None => {
                let sealed = self.seal_refusals(session, reason, counter);
                if let Some(refused) = self.refusals.get_mut(session) {
                    refused.seal(self.incarnation, sealed.clone());
                }
                sealed
            }
        };
        sealed.into_iter().for_each(|bytes| self.send(to, bytes));
        if to == Destination::Everyone {
            let mut linked = self.others();
            linked.retain(|seat| self.links.is_up(*seat));
            self.refusals.sent_to_all(session, &linked, now.monotonic);
        }
    }

    /// A refusal of each own seat; none before the incarnation that they name is on the disk.
    fn seal_refusals(
        &self,
        session: SessionId,
        reason: RefusalReason,
        counter: u32,
    ) -> Vec<Arc<[u8]>> {
        let refusal = Refusal { incarnation: self.incarnation, counter, reason };
        let own = self.own.iter().filter(|_| self.is_begun);
        let sealed = own.map(|own| self.seal(session, own.seat, &Content::Refusal(refusal)));
        sealed.map(|statement| statement.as_bytes().clone()).collect()
    }
}
