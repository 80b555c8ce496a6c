//! What the bus brings: connections, and the way of each message.

use bytes::Bytes;
use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    machine::{Link, Machine},
    message::{Envelope, Kind, RefusalReason},
};

use super::{
    Node,
    notice::{Limit, Notice},
};
use crate::bus::{self, Bus, BusEvent};

impl<B: Bus, E: Engine> Node<B, E> {
    /// Peers that are not members have no effect: none of their messages is read or kept.
    pub(super) fn handle_event(&mut self, event: BusEvent) {
        let (BusEvent::Message { from: peer, .. }
        | BusEvent::Connected(peer)
        | BusEvent::Disconnected(peer)) = &event;
        if !self.member.group.is_member(peer) {
            return;
        }
        let now = self.clock.now();
        match event {
            BusEvent::Message { from, bytes } => self.handle_message(from, bytes, now),
            BusEvent::Connected(peer) => {
                self.gone.remove(&peer);
                for proposal in self.proposal_outbox.lacked_by(&peer) {
                    let _ = self.bus.send(bus::Destination::Peer(peer.clone()), &proposal);
                }
                self.watches.hurry(now.monotonic);
                self.connection(&peer, Link::Up, now);
            }
            BusEvent::Disconnected(peer) => {
                self.connection(&peer, Link::Down, now);
                self.gone.insert(peer);
            }
        }
    }

    fn handle_message(&mut self, from: PeerId, bytes: Bytes, now: Moment) {
        let Some(session) = Envelope::peek_session(&bytes) else { return };
        // A member that has no room for the request now is asked again.
        if !Envelope::peek_refusal(&bytes).is_some_and(RefusalReason::is_for_now) {
            self.proposal_outbox.heard_of(session, &from);
        }
        let open = self.sessions.contains(session);
        if !open && self.answer_with_outcome(session, &from, &bytes, now) {
            return;
        }
        if !open
            && (self.hear_of_watched(session, &from, &bytes)
                || self.hear_question(session, &from, &bytes, now))
        {
            return;
        }
        if self.is_signed_proposal(session, &bytes) {
            self.deliver(session, &from, &bytes, now);
        } else if Envelope::peek_kind(&bytes) == Some(Kind::Proposal) {
            self.hear_proposal(session, from, &bytes, now);
        } else if self.repeat_refusal(session, &from, now) {
            // The answer was sent.
        } else if open {
            self.deliver(session, &from, &bytes, now);
        } else {
            let of = self.seat_of(&from);
            if self.early.keep(from, session, bytes) {
                self.notice(Notice::Limited { limit: Limit::EarlyMessages, of });
            }
        }
    }

    /// Repeats the refusal of a request to a peer that sends about it, unless that was done lately.
    pub(super) fn repeat_refusal(
        &mut self,
        session: SessionId,
        from: &PeerId,
        now: Moment,
    ) -> bool {
        let Some(refusal) = self.refused.answer(session, from, now.monotonic) else { return false };
        let _ = self.bus.send(bus::Destination::Peer(from.clone()), &refusal);
        true
    }

    pub(super) fn seat_of(&self, peer: &PeerId) -> Option<Seat> {
        let group = &self.member.group;
        group.seats().find(|seat| group.holds(peer, *seat))
    }

    pub(super) fn deliver(&mut self, session: SessionId, from: &PeerId, bytes: &[u8], now: Moment) {
        self.with_session(session, now, |running| {
            // A peer's message is never an error of this node; the session has recorded what
            // matters.
            let _ = running.session.handle_message(from, bytes, now);
        });
    }

    fn connection(&mut self, peer: &PeerId, link: Link, now: Moment) {
        // A peer that connects again may lack the outcome of a session that has ended.
        for id in self.sessions.ids() {
            self.with_session(id, now, |running| {
                running.session.handle_link(peer, link, now);
            });
        }
    }
}
