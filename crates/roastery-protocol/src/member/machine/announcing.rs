//! Ready: one message to each coordinator lists all sessions of which it is to learn (section 6).

use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::Member;
use crate::{
    clock::Moment,
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
}
