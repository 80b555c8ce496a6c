//! Proposals: the node's own, those that it forwards, and those that it receives.

use std::sync::Arc;

use roastery_protocol::{
    Attempt, SessionId,
    clock::Moment,
    engine::Engine,
    group::PeerId,
    message::{Body, Envelope, Header, Proposal, RefusalReason},
};
use tokio::sync::mpsc;

use super::{
    Node,
    error::ProposeError,
    inbox::{Intake, Original, Proposed},
    notice::{Limit, Notice},
};
use crate::bus::{self, Bus};

impl<B: Bus, E: Engine> Node<B, E> {
    pub(super) fn propose(&mut self, proposal: Proposal) -> Result<(), ProposeError> {
        proposal.subject.check(&proposal.request)?;
        let (session, expiry) = (proposal.request.session_id(), proposal.request.expiry());
        let now = self.clock.now();
        self.proposal_outbox.check_room(session, now.wall_seconds())?;
        let body = Body::Proposal(proposal);
        let bytes = match self.original(session, &body) {
            Some(original) => original,
            None => self.seal(session, &body),
        };
        // That no peer is connected is no error: the proposal is sent again to each that connects.
        let _ = self.bus.send(bus::Destination::Everyone, &bytes);
        self.proposal_outbox.add(session, bytes, expiry, now.monotonic);
        Ok(())
    }

    /// The proposal exactly as another member signed it, if this one equals it. It is forwarded as
    /// that member's, and is charged to that member at all nodes.
    fn original(&self, session: SessionId, body: &Body) -> Option<Arc<[u8]>> {
        let Original { author, body: name, signature } = self.inbox.original(session)?;
        let (group, seat) = (self.member.group.id(), author.to_u16());
        let header = Header::new(body.kind(), group, session, Attempt::FIRST.number(), seat);
        let envelope = Envelope::assemble(&signature, header, body);
        (envelope.body_hash() == name).then(|| envelope.as_bytes().clone())
    }

    pub(super) fn hear_proposal(
        &mut self,
        session: SessionId,
        from: PeerId,
        bytes: &[u8],
        now: Moment,
    ) {
        // What is decided already is not decided again.
        if self.proposals.is_none() || self.sessions.contains(session) {
            return;
        }
        let Some(via) = self.seat_of(&from) else { return };
        let (group, wall) = (&self.member.group, now.wall_seconds());
        match self.inbox.take(via, bytes, group, wall) {
            Intake::Queued | Intake::Unreadable => {}
            // A refusal that was lost is retransmitted.
            Intake::Known => {
                self.repeat_refusal(session, &from, now);
            }
            Intake::TooMany { of } => {
                self.notice(Notice::Limited { limit: Limit::WaitingProposals, of: Some(of) });
                if self.answers.is_due(via, session, now.monotonic) {
                    self.answer(session, from, RefusalReason::TooMany);
                }
            }
            Intake::OutOfTime { by, expiry } => {
                self.notice(Notice::Limited { limit: Limit::ProposalLife, of: Some(by) });
                if !self.answers.is_due(via, session, now.monotonic) {
                    return;
                }
                self.notice(Notice::OutOfTime { session, by, expiry, now: wall });
                let reason = match expiry <= wall {
                    true => RefusalReason::Expired,
                    false => RefusalReason::Unacceptable,
                };
                self.answer(session, from, reason);
            }
        }
    }

    pub(super) fn show_proposal(&mut self, room: Option<mpsc::OwnedPermit<Proposed>>) {
        match room {
            Some(room) => {
                if let Some(proposed) = self.inbox.next() {
                    room.send(proposed);
                }
            }
            // The receiver of proposals was dropped.
            None => self.proposals = None,
        }
    }

    /// Sends one peer the reason why its proposal is not taken.
    fn answer(&mut self, session: SessionId, to: PeerId, reason: RefusalReason) {
        let refusal = self.seal(session, &Body::Refusal(reason));
        // It is sent again when the peer retransmits.
        let _ = self.bus.send(bus::Destination::Peer(to), &refusal);
    }

    pub(super) fn repeat_proposal(&mut self, now: Moment) {
        let members = self.member.group.members().iter();
        let own = self.bus.local_peer();
        let others = members.map(|member| &member.peer).filter(|peer| *peer != own).cloned();
        let due = self.proposal_outbox.due(now.monotonic, now.wall_seconds(), || others.collect());
        let Some((proposal, lacking)) = due else { return };
        for peer in lacking {
            // A peer that is not connected gets it when it connects.
            let _ = self.bus.send(bus::Destination::Peer(peer), &proposal);
        }
    }
}
