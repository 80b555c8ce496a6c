//! What a test does with requests, and what it sees of them.

use std::time::Duration;

use super::world::World;
use crate::{
    SessionId,
    machine::Destination,
    member::{
        frame::{
            Content, Control, ControlContent, ControlKind, Frame, Refusal, Statement,
            StatementKind, Want,
        },
        machine::{ProposeError, Proposed},
    },
    request::{Proposal, RefusalReason},
    request::{SigningRequest, Subject},
};

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl World {
    pub(super) fn propose(
        &mut self,
        at: usize,
        request: &SigningRequest,
    ) -> Result<(), ProposeError> {
        let now = self.moment(at);
        let proposal = Proposal { request: request.clone(), subject: Subject::Hash };
        let result = self.nodes[at].member.as_mut().unwrap().propose(proposal, now);
        self.drain(at);
        result
    }

    pub(super) fn shown(&mut self, at: usize) -> Vec<Proposed> {
        let member = self.nodes[at].member.as_mut().unwrap();
        std::iter::from_fn(|| member.next_proposal()).collect()
    }

    pub(super) fn refuse(&mut self, at: usize, request: &SigningRequest, reason: RefusalReason) {
        let now = self.moment(at);
        self.nodes[at].member.as_mut().unwrap().refuse(request, reason, now);
        self.drain(at);
    }

    pub(super) fn watch(&mut self, at: usize, request: &SigningRequest) {
        let now = self.moment(at);
        self.nodes[at].member.as_mut().unwrap().watch(request.clone(), now);
        self.drain(at);
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        self.run(until);
    }

    pub(super) fn proposal_of(&self, at: usize, request: &SigningRequest) -> Statement {
        let proposal = Proposal { request: request.clone(), subject: Subject::Hash };
        self.seal(at, request.session_id(), &Content::Proposal(proposal))
    }

    /// The statements of this kind that a node which the test plays has received, with the nodes
    /// that brought them.
    pub(super) fn received(&self, at: usize, kind: StatementKind) -> Vec<(usize, Statement)> {
        let frames = self.nodes[at].inbox.iter();
        let frames = frames.filter_map(|(from, bytes)| match Frame::parse(bytes, &self.group) {
            Ok((_, Frame::Statement(statement))) => Some((*from, statement)),
            _ => None,
        });
        frames.filter(|(_, statement)| statement.kind() == kind).collect()
    }

    pub(super) fn received_controls(&self, at: usize, kind: ControlKind) -> Vec<ControlContent> {
        let frames = self.nodes[at].inbox.iter();
        let frames = frames.filter_map(|(_, bytes)| match Frame::parse(bytes, &self.group) {
            Ok((_, Frame::Control(control))) if control.kind() == kind => control.read().ok(),
            _ => None,
        });
        frames.collect()
    }

    pub(super) fn refusals_received(&self, at: usize) -> Vec<RefusalReason> {
        let refusals = self.received(at, StatementKind::Refusal).into_iter();
        refusals
            .filter_map(|(_, statement)| read_refusal(&statement))
            .map(|one| one.reason)
            .collect()
    }

    /// A node that the test plays sends this about a session.
    pub(super) fn ask(&mut self, at: usize, to: usize, session: SessionId, want: Want) {
        let (sender, seat) = (self.nodes[at].seats[0], self.nodes[to].seats[0]);
        let content = ControlContent::Want(want);
        let frame = Control::new(self.group.id(), session, sender, seat, &content);
        self.send(at, Destination::Seat(seat), frame.as_bytes());
    }
}

pub(super) fn read_refusal(statement: &Statement) -> Option<Refusal> {
    borsh::from_slice(statement.content()).ok()
}
