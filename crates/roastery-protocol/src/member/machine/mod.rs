//! All of one group at one node: its seats, stock, links and sessions, as one machine.
//!
//! ```text
//! handle_message(from, bytes, now)  ─┐                        ┌─> poll_output(): what to send, to
//! handle_link(peer, link, now)      ─┤                        │   persist, and what has happened
//! handle_timeout(now)               ─┼─> authenticate, retain,┤
//! engine_answered(job, answer, now) ─┤   then act             │
//! persisted(record, kept, now)      ─┤                        └─> next_timeout(): when to be
//! propose, open, refuse, stop, ...  ─┘                            called again
//! ```
//!
//! It knows no clock, socket, task or global. A share is persisted before it leaves, inside the
//! machine. People and rules decide outside and call [`Member::open`].

mod announcing;
mod asking;
mod charging;
mod completing;
mod coordinating;
mod core;
mod early;
mod faults;
mod investigating;
mod keeping;
mod limits;
mod output;
mod packages;
mod proposing;
mod receiving;
mod refusing;
mod report;
mod reporting;
mod session;
mod sessions;
mod signing;
mod stocking;
#[cfg(test)]
mod tests;
mod timers;
mod unkept;
mod watching;

use std::{fmt, sync::Arc, time::Duration};

use roastery_frost::Seat;
use thiserror::Error;

use self::{core::Core, early::Early, session::Session, sessions::Sessions};
pub use self::{
    limits::Limit,
    output::{Decline, Event, Record, Rejected},
    proposing::ProposeError,
    report::{Awaited, AwaitedThing, Report, ReportPhase},
};
pub use super::outcome::{Origin, Outcome, StopReason};
pub use super::requests::{
    MOST_ENDED, MOST_OFFERED, MOST_RUNNING, MOST_WAITING, MOST_WAITING_BYTES, MOST_WHOLE, Proposed,
};
use super::{
    Incarnation,
    engine::{Answered, Arithmetic, Engine, EngineError, Job},
    proof::Proof,
    requests::Requests,
};
use crate::{
    SessionId,
    clock::Moment,
    group::{Group, PeerId},
    keys::IdentityKey,
    machine::{Link, Machine, Output},
    request::ApprovedRequest,
};

/// 8 random bytes for each call; `None` if the system has none. The operating system's generator,
/// except in simulations.
pub type Entropy = Box<dyn FnMut() -> Option<[u8; 8]> + Send>;

/// Everything that a node needs to take part in a group.
pub struct Opening<E, A> {
    /// The group.
    pub group: Arc<Group>,
    /// This node's seats with the identity keys that sign their statements, as the roster has them.
    pub seats: Vec<(Seat, Arc<IdentityKey>)>,
    /// The incarnation that this node stored last for this group.
    pub last_incarnation: Option<Incarnation>,
    /// The proofs that this node stored for this group ([`Record::Proof`]). Each is verified before
    /// it is used.
    pub proofs: Vec<Arc<Proof>>,
    /// Holds the seats' secrets.
    pub engine: E,
    /// Computes with public values.
    pub arithmetic: A,
    /// Random bytes for incarnations and runs.
    pub entropy: Entropy,
}

impl<E, A> fmt::Debug for Opening<E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("group", &self.group.id()).finish_non_exhaustive()
    }
}

/// Why a node cannot take part in a group, or in a session of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No seat was given.
    #[error("a node takes part with at least one seat; none is given")]
    NoSeat,
    /// The group has no such seat, it is given twice, or its seats are on several peers.
    #[error("seat {seat} is not a seat of this node's peer in this group, or is given twice")]
    NotItsSeat {
        /// The seat.
        seat: Seat,
    },
    /// The identity key is not the one in the roster.
    #[error("seat {seat}: the identity key is not the one in the roster")]
    OtherIdentity {
        /// The seat.
        seat: Seat,
    },
    /// The system gave no random bytes.
    #[error("the system gave no randomness")]
    Randomness,
    /// The request names another group.
    #[error("the request is for another group")]
    OtherGroup,
    /// The request has expired by one of the clocks.
    #[error("the request has expired")]
    Expired,
    /// The session is open, or has ended with signatures.
    #[error("the session is open or signed")]
    Known,
    /// As many sessions run as may, and all of them expire before this one would. The other members
    /// get a refusal.
    #[error("{most} sessions run that expire before this one would; no more may", most = MOST_RUNNING)]
    TooManySessions,
    /// The engine refused.
    #[error("the engine did not open: {0}")]
    Engine(#[from] EngineError),
}

/// One group at one node. See the [module](self).
///
/// Dropping it zeroizes its secrets, which the engine holds.
pub struct Member<E: Engine, A: Arithmetic> {
    core: Core<E, A>,
    sessions: Sessions<A::Package>,
    early: Early,
    requests: Requests,
}

impl<E: Engine, A: Arithmetic> fmt::Debug for Member<E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("group", &self.core.group.id())
            .field("seats", &self.core.own_seats())
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// Takes part in the group from now on. The new incarnation is the first output that is to be
    /// persisted; nothing is sent before it is.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if a seat or its identity is not this node's, or there is no randomness.
    pub fn new(opening: Opening<E, A>, now: Moment) -> Result<Self, OpenError> {
        let core = Core::new(opening, now)?;
        let (early, requests) = (Early::default(), Requests::default());
        Ok(Self { core, sessions: Sessions::default(), early, requests })
    }

    /// The engine answers a call that it answered with a [`Job`] before.
    pub fn engine_answered(
        &mut self,
        job: Job,
        answer: Result<Answered, EngineError>,
        now: Moment,
    ) {
        self.observe(now);
        self.answered(job, answer, now);
        self.work(now);
    }

    /// Opens the session of an approved request. The author of the first proposal of it comes first
    /// in this node's order. If as many sessions run as may, the last one in the order of expiry
    /// and id goes: it is stopped, or this one is not opened.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the request is another group's, expired, known, or one too many, or the
    /// engine refuses.
    pub fn open(
        &mut self,
        request: ApprovedRequest,
        origin: RequestOrigin,
        now: Moment,
    ) -> Result<SessionId, OpenError> {
        self.observe(now);
        let session = self.open_session(request, origin, now);
        self.work(now);
        session
    }

    /// Ends a session here without a signature. Shares that have left can be completed by others,
    /// and a signature that comes later still ends it as signed.
    pub fn stop(&mut self, session: SessionId, reason: StopReason, now: Moment) {
        self.observe(now);
        if let Some(session) = self.sessions.get_mut(session) {
            self.core.stop(session, reason, now);
        }
        self.work(now);
    }

    /// The operator's own quarantine: this seat is not picked and not served from now on.
    pub fn bar(&mut self, seat: Seat) {
        self.core.barred.insert(seat);
        self.core.concerns_all = true;
    }

    /// Voids all stock and draws another incarnation: after a suspend, or where a memory may have
    /// been cloned, and before any link is up. What a memory that is used again says before that
    /// can contradict what it has said.
    pub fn void_stock(&mut self, now: Moment) {
        // If the clocks disagree as well, one new incarnation is enough.
        self.core.clocks_agree(now);
        self.begin_incarnation(now);
        self.work(now);
    }

    /// The outcome of a session that is signed, or of a watched request.
    pub fn outcome(&self, session: SessionId) -> Option<&Outcome> {
        let of_session = self.sessions.get(session).and_then(Session::outcome);
        of_session.or_else(|| self.requests.outcomes.get(session))
    }

    /// Whether a session is open here or has ended with signatures.
    pub fn knows(&self, session: SessionId) -> bool {
        let is_known = self.sessions.get(session).is_some_and(|known| known.stopped().is_none());
        is_known || self.requests.outcomes.get(session).is_some()
    }

    /// Why a session stopped here without signatures, if it did.
    pub fn stopped(&self, session: SessionId) -> Option<StopReason> {
        self.sessions.get(session).and_then(Session::stopped)
    }

    /// The present incarnation of another seat, if it has named one over its link.
    pub fn named_by(&self, seat: Seat) -> Option<Incarnation> {
        self.core.links.incarnation(seat)
    }

    /// How many secret nonces are held in all sessions together.
    pub fn live_slots(&self) -> usize {
        self.core.engine.live_slots()
    }

    /// The incarnation of this node now.
    pub fn incarnation(&self) -> Incarnation {
        self.core.incarnation
    }
}

impl<E: Engine, A: Arithmetic> Machine for Member<E, A> {
    type Event = Event;
    type Address = Seat;
    type Record = Record;
    type Rejected = Rejected;

    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), Rejected> {
        self.observe(now);
        let result = self.receive(from, bytes, now);
        // What is no frame of a member that is served costs its own reading and nothing else.
        let is_read = !matches!(
            result,
            Err(Rejected::NotAMember
                | Rejected::NotAFrame(_)
                | Rejected::Excluded { .. }
                | Rejected::OverQuota { .. })
        );
        if is_read {
            self.work(now);
        }
        result
    }

    fn handle_timeout(&mut self, now: Moment) {
        self.observe(now);
        self.wake(now);
        self.work(now);
    }

    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        self.observe(now);
        self.link(peer, link, now);
        self.work(now);
    }

    fn persisted(&mut self, record: Record, kept: bool, now: Moment) {
        self.observe(now);
        self.release(&record, kept, now);
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output<Event, Record>> {
        self.core.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Duration> {
        self.due()
    }
}

/// How a request came to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOrigin {
    /// Its owner has proposed it here.
    Own,
    /// A member proposed it, less than an interval ago.
    Proposed,
    /// It was proposed more than an interval ago: a person has approved it, or it was kept.
    Waited,
}
