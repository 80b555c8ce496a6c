//! Proposals: this node's own, those that it passes on, those that it receives; and what its owner
//! decides about them.

use std::sync::Arc;

use roastery_frost::Seat;
use thiserror::Error;

use super::{Event, Limit, Member, Rejected, StopReason};
use crate::{
    SessionId,
    clock::Moment,
    election::Order,
    machine::Destination,
    member::{
        engine::{Arithmetic, Engine},
        frame::{Content, Statement},
        requests::{Intake, MOST_OFFERED, Original, Proposed, SeatSet},
    },
    request::{MAX_LIFETIME_SECONDS, SigningRequest, SubjectError},
    request::{Proposal, RefusalReason},
};

/// Why a request was not proposed. Nothing was sent then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// The others would refuse it: its subject is none of this request.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The request names another group.
    #[error("the request is for another group")]
    OtherGroup,
    /// By this node's clock the request has expired, or lives longer than a request may.
    #[error("the request expires at {expiry}; it is {now} (seconds since 1970), and a request lives at most \
             {most} seconds", most = MAX_LIFETIME_SECONDS)]
    OutOfTime {
        /// When the request expires, in seconds since 1970.
        expiry: u64,
        /// This node's clock, in seconds since 1970.
        now: u64,
    },
    /// As many proposals are repeated already as may be.
    #[error(
        "{most} proposals are repeated already, which is the most: try again when some of them are decided"
    )]
    TooMany {
        /// The most proposals that are repeated at once.
        most: usize,
    },
}

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// Shows a request to all other members, and repeats it until it expires, its session has ended
    /// here, or every member has shown that it knows it. If another member has made the same
    /// proposal before, that one is passed on as it is signed, and is charged to its author at all
    /// nodes. A node that has the session open may propose it too, so that it reaches late members
    /// without its first author.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]. Nothing is sent then.
    pub fn propose(&mut self, proposal: Proposal, now: Moment) -> Result<(), ProposeError> {
        self.observe(now);
        proposal.subject.check(&proposal.request)?;
        let request = &proposal.request;
        if request.group() != self.core.group.id() {
            return Err(ProposeError::OtherGroup);
        }
        let (session, expiry, seconds) =
            (request.session_id(), request.expiry(), now.wall_seconds());
        if !is_in_time(expiry, seconds) {
            return Err(ProposeError::OutOfTime { expiry, now: seconds });
        }
        if !self.requests.outbox.has_room_for(session, seconds) {
            return Err(ProposeError::TooMany { most: MOST_OFFERED });
        }
        let statement = self.sealed_proposal(session, Content::Proposal(proposal));
        let sealed_by = statement.sender(&self.core.group);
        let author = self.author(session).or(sealed_by);
        let bytes = statement.as_bytes().clone();
        self.core.send(Destination::Everyone, bytes.clone());
        // A statement of this node or of a known author names a seat of the group.
        if let Some(author) = author {
            self.requests.outbox.add(session, (author, bytes), expiry, now.monotonic);
        }
        self.work(now);
        Ok(())
    }

    /// The proposal as its first author has signed it, if it is the same; else signed by the seat
    /// of this node that would coordinate first.
    fn sealed_proposal(&self, session: SessionId, content: Content) -> Statement {
        let (core, group) = (&self.core, self.core.group.id());
        if let Some(Original { author, body, signature }) = self.requests.inbox.original(session) {
            let original = Statement::assemble(group, session, author, &content, &signature);
            if original.body_hash() == body {
                return original;
            }
        }
        let order = Order::of(session, core.group.seats()).into_seats();
        let own = order.into_iter().find(|seat| core.is_own(*seat));
        core.seal(session, own.unwrap_or(core.own[0].seat), &content)
    }

    /// The next proposal that is to be decided, in turn over the links that brought them. Each is
    /// answered by [`open`](Self::open), [`refuse`](Self::refuse), [`decided`](Self::decided) or
    /// [`not_taken`](Self::not_taken), and counts towards its author's quota until then.
    pub fn next_proposal(&mut self) -> Option<Proposed> {
        loop {
            let proposed = self.requests.inbox.next()?;
            if !self.is_shut_out(proposed.by) {
                return Some(proposed);
            }
            // Its author was barred or proven faulty while it waited.
            self.requests.inbox.decided(proposed.proposal.request.session_id());
        }
    }

    /// Whether a proposal waits to be shown.
    pub fn has_proposals(&self) -> bool {
        self.requests.inbox.has_waiting()
    }

    /// Whose proposal of this request came first, if it is remembered.
    pub fn author(&self, session: SessionId) -> Option<Seat> {
        let offered = self.requests.outbox.author(session);
        offered.or_else(|| self.requests.inbox.original(session).map(|original| original.author))
    }

    /// Refuses a request: a session of it that runs is stopped, all are told, and a member that
    /// sends about it later is told again.
    pub fn refuse(&mut self, request: &SigningRequest, reason: RefusalReason, now: Moment) {
        self.observe(now);
        let (session, expiry) = (request.session_id(), request.expiry());
        self.requests.outbox.remove(session);
        self.requests.inbox.decided(session);
        match self.sessions.get_mut(session).filter(|session| session.is_running()) {
            Some(session) => self.core.stop(session, StopReason::Withdrawn(reason), now),
            None => {
                let refusal = (reason, self.core.change_of_mind());
                let author = self.author(session);
                self.core.refuse(session, author, expiry, refusal, now);
            }
        }
        self.work(now);
    }

    /// A request that was proposed is decided, though no session was opened for it and this node
    /// has not refused it: it was signed or withdrawn, or is known to have failed. It counts
    /// towards no quota any more.
    pub fn decided(&mut self, session: SessionId) {
        self.requests.inbox.decided(session);
    }

    /// A proposal that was shown could not be decided, for a reason that may pass: a repetition of
    /// it is shown again.
    pub fn not_taken(&mut self, session: SessionId) {
        self.requests.inbox.forget(session);
    }

    /// A proposal arrived.
    pub(super) fn on_proposal(
        &mut self,
        via: Seat,
        sender: Seat,
        statement: &Statement,
        now: Moment,
    ) -> Result<(), Rejected> {
        let session = statement.header().session;
        if self.is_shut_out(sender) {
            return Err(Rejected::Excluded { sender });
        }
        if self.answer_with_signatures(session, via, now) {
            return Err(Rejected::Repeat);
        }
        if self.has_open(session) {
            self.acknowledge(session, via, now);
            return Err(Rejected::Repeat);
        }
        let (group, seconds) = (self.core.group.clone(), now.wall_seconds());
        match self.requests.inbox.take(via, sender, statement, &group, seconds) {
            Intake::Queued => {
                // Slots that were used up or are too old are shown anew.
                self.core.news(now);
                Ok(())
            }
            Intake::Known => {
                self.answer_known(session, via, now);
                Err(Rejected::Repeat)
            }
            Intake::NotSigned => Err(Rejected::NotSigned { sender }),
            Intake::Malformed(malformation) => Err(Rejected::Malformed { sender, malformation }),
            Intake::TooMany { of } => {
                self.core.limited(Limit::WaitingProposals, Some(of), now);
                if self.may_answer(via, session, now) {
                    self.core.refuse_to(session, via, RefusalReason::TooMany);
                }
                Err(Rejected::TooMany { of })
            }
            Intake::OutOfTime { expiry } => {
                self.core.limited(Limit::ProposalLife, Some(sender), now);
                if self.may_answer(via, session, now) {
                    self.core.event(Event::OutOfTime { session, by: sender, expiry, now: seconds });
                    let is_over = expiry <= seconds;
                    let reason = match is_over {
                        true => RefusalReason::Expired,
                        false => RefusalReason::Unacceptable,
                    };
                    self.core.refuse_to(session, via, reason);
                }
                Err(Rejected::OutOfTime { sender, expiry })
            }
        }
    }

    /// Whether a proposal that is not taken is answered now.
    fn may_answer(&mut self, via: Seat, session: SessionId, now: Moment) -> bool {
        self.core.is_begun && self.requests.answers.try_acquire(via, session, now.monotonic)
    }

    /// Whether no proposal of this member is shown: it is barred, or proven faulty.
    fn is_shut_out(&self, seat: Seat) -> bool {
        self.core.is_excluded(seat) || self.core.evidence.is_proven(seat)
    }

    /// Proposals that are due go to the members that have not shown that they know them.
    pub(super) fn repeat_proposals(&mut self, now: Moment) {
        self.requests.outbox.expire(now.wall_seconds());
        let others = self.core.others();
        let all: SeatSet = others.iter().copied().collect();
        let mut sent: Vec<(Seat, Arc<[u8]>)> = Vec::new();
        while let Some(one) = self.requests.outbox.due_after_link(now.monotonic) {
            sent.push(one);
        }
        while let Some(repeat) = self.requests.outbox.due(now.monotonic, all) {
            let lacking = self.core.other_peers().into_iter();
            let lacking = lacking.filter(|seat| !repeat.knows.contains(*seat));
            sent.extend(lacking.map(|seat| (seat, repeat.bytes.clone())));
        }
        for (seat, bytes) in sent {
            if self.core.links.is_up(seat) {
                self.core.send(Destination::Seat(seat), bytes);
            }
        }
    }
}

/// Whether a request that expires then lives, and not longer than a request may.
fn is_in_time(expiry: u64, now: u64) -> bool {
    expiry.checked_sub(now).is_some_and(|life| (1..=MAX_LIFETIME_SECONDS).contains(&life))
}
