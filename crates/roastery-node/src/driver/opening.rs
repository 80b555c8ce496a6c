//! Opening a session: what must hold for it, and which session goes where there is no room.

use std::time::Duration;

use roastery_protocol::{
    Incarnation, SessionId,
    clock::Moment,
    engine::Engine,
    machine::{Link, Machine},
    message::{Body, RefusalReason},
    request::ApprovedRequest,
    signing::{Opening, Session, Stop},
};

use super::{
    Node,
    error::SignError,
    handle::SessionHandle,
    notice::{Limit, Notice},
    running::{Rank, Running},
};
use crate::bus::{self, Bus};

impl<B: Bus, E: Engine> Node<B, E> {
    pub(super) fn open(
        &mut self,
        request: ApprovedRequest,
        deadline: Duration,
    ) -> Result<SessionHandle, SignError> {
        let id = request.session_id();
        // One that has stopped is opened again as a new incarnation.
        if self.sessions.get(id).is_some_and(Running::is_stopped) {
            self.sessions.forget(id);
        }
        if self.sessions.contains(id) || self.outcomes.contains(id, self.clock.now().monotonic) {
            return Err(SignError::AlreadyOpen);
        }
        let (seat, peer) = (self.member.seat, self.bus.local_peer());
        if self.member.group.member(seat).is_some_and(|member| member.peer != *peer) {
            return Err(SignError::OtherPeer { seat, peer: peer.clone() });
        }
        let group = &self.member.group;
        let mut own = group.seats().filter(|seat| group.holds(peer, *seat));
        if let (Some(first), Some(second)) = (own.next(), own.next()) {
            return Err(SignError::SeveralSeats { first, second, peer: peer.clone() });
        }
        let rank = Rank::of(&request);
        let displaced = self.sessions.room_for(rank).inspect_err(|_| self.refuse_for_room(id))?;
        // Without the last handle no session can be opened.
        let commands = self.to_commands.upgrade().ok_or(SignError::NodeEnded)?;
        let now = self.clock.now();
        let opening = Opening {
            group: self.member.group.clone(),
            seat,
            identity: self.member.identity.clone(),
            request,
            incarnation: draw_incarnation(now)?,
            settings: self.member.settings,
            record: self.record.clone(),
        };
        let mut session = Session::open(opening, &self.member.engine, now)?;
        for peer in &self.gone {
            session.handle_link(peer, Link::Down, now);
        }
        if let Some(displaced) = displaced {
            self.with_session(displaced, now, |last| last.session.stop(Stop::Evicted, now));
            self.refuse_for_room(displaced);
        }
        let deadline = now.monotonic.saturating_add(deadline);
        let (running, handle) = Running::new(session, rank, deadline, self.clock, commands);
        self.sessions.insert(running);
        self.refused.remove(id);
        self.inbox.decided(id);
        self.watches.remove(id);
        // Its first messages go out now.
        self.with_session(id, now, |_| {});
        for (from, bytes) in self.early.take(id) {
            self.deliver(id, &from, &bytes, now);
        }
        Ok(handle)
    }

    /// Refuses a request for which there is no room, so that the members do not wait for this node.
    fn refuse_for_room(&mut self, session: SessionId) {
        self.notice(Notice::Limited { limit: Limit::Sessions, of: None });
        let refusal = self.seal(session, &Body::Refusal(RefusalReason::Busy));
        let _ = self.bus.send(bus::Destination::Everyone, &refusal);
    }
}

/// Eight random bytes beside the time distinguish this opening from all others. Without randomness
/// the session is not opened: two openings that counted as one incarnation could contradict each
/// other.
fn draw_incarnation(now: Moment) -> Result<Incarnation, SignError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|_| SignError::Randomness)?;
    Ok(Incarnation::new(u64::try_from(now.wall.as_millis()).unwrap_or(u64::MAX), random))
}
