//! Ready: one message to each coordinator lists all sessions of which it is to learn; and what such
//! a message tells this node as a coordinator (section 6).

use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::{Limit, Member, Rejected, early::Keeping, session::Readiness};
use crate::{
    clock::Moment,
    group::PeerId,
    member::{
        engine::{Arithmetic, Engine},
        frame::{ControlContent, MAX_READY, NO_SESSION, Ready, ReadySession},
    },
};

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// Says Ready where it is to be said since the last time. A session says nothing while a share
    /// is its answer.
    pub(super) fn announce(&mut self, now: Moment) {
        let mut lists = BTreeMap::<(Seat, Seat), Vec<ReadySession>>::new();
        for (own, coordinator, id) in std::mem::take(&mut self.core.to_say) {
            let session = self.sessions.get(id);
            let ready =
                session.and_then(|session| self.core.readiness(session, own, coordinator, now));
            if let Some(ready) = ready {
                lists.entry((own, coordinator)).or_default().push(ready);
            }
        }
        for ((own, coordinator), sessions) in lists {
            for sessions in sessions.chunks(MAX_READY) {
                let (incarnation, sessions) = (self.core.incarnation, sessions.to_vec());
                let oldest = self.core.own_seat(own).stock.oldest(coordinator);
                let ready = ControlContent::Ready(Ready { incarnation, oldest, sessions });
                self.core.control(NO_SESSION, own, coordinator, &ready);
            }
        }
    }

    /// A member says in which sessions it takes part.
    pub(super) fn on_ready(
        &mut self,
        from: &PeerId,
        sender: Seat,
        to: Seat,
        ready: &Ready,
        now: Moment,
    ) -> Result<(), Rejected> {
        let is_running = |one: &&ReadySession| {
            self.sessions.get(one.session).is_some_and(|session| session.is_running())
        };
        // A new incarnation pays for a look at all sessions, these included.
        if !self.core.links.would_be_new(sender, ready.incarnation) {
            let running = ready.sessions.iter().filter(is_running).count();
            self.core.charge_looks(sender, running, now)?;
        }
        self.named(sender, ready.incarnation, now)?;
        self.core.own_seat_mut(to).shown.drop_below(sender, ready.oldest);
        let seats = self.core.seats_of(from).into_iter().collect();
        for one in &ready.sessions {
            let mut said = Readiness {
                incarnation: ready.incarnation,
                counter: one.counter,
                cannot: one.cannot.map(|cannot| (cannot.run, cannot.number)),
            };
            self.requests.outbox.heard_of(one.session, seats);
            let running = self.sessions.get_mut(one.session);
            let Some(session) = running.filter(|session| session.is_running()) else {
                let keeping = self.early.ready(sender, one.session, said);
                if keeping == Keeping::InPlaceOfOldest {
                    self.core.limited(Limit::EarlyReady, sender, now);
                }
                self.on_unopened(one.session, sender, keeping, now);
                continue;
            };
            session.waiting.remove(&sender);
            let newest = session.said.get(&sender);
            if newest.is_some_and(|said| one.counter < said.counter) {
                continue;
            }
            if to != session.seat {
                // It is about the packages of a seat of this node that does not coordinate here.
                let known = newest.filter(|newest| newest.incarnation == said.incarnation);
                said.cannot = known.and_then(|known| known.cannot);
            }
            let is_repeat = newest == Some(&said);
            let refused = session.refused.get(&sender);
            if refused.is_some_and(|(incarnation, counter, _)| {
                *incarnation == ready.incarnation && *counter > one.counter
            }) {
                continue;
            }
            session.refused.remove(&sender);
            session.said.insert(sender, said);
            self.core.takes_part(session, sender);
            if said.cannot.is_none() {
                self.core.show_owed_package(session, sender, now);
            }
            if !is_repeat {
                self.core.news(now);
                if let Some(turn) = &mut session.turn {
                    turn.hurry(sender, now.monotonic);
                }
            }
            if session.said.len() >= self.core.group.most_packages() {
                self.core.begin_reign(session, now);
            }
            if is_repeat {
                // Its sender does not know that it has arrived.
                self.acknowledge(one.session, sender, now);
            }
        }
        Ok(())
    }
}
