//! One signing session at one node, as a pure state machine.
//!
//! It is driven as every [`Machine`] is. Every node has
//! three roles in it: signer in every attempt that is live, coordinator of the attempts that are
//! its turn, and observer of all the rest, so that every node ends with the signatures.

mod attempts;
mod broadcast;
mod collector;
mod completion;
mod coordinating;
mod coordinator;
mod faults;
mod investigation;
mod links;
mod output;
mod packages;
mod peer_history;
mod receive;
mod replies;
mod report;
mod sending;
mod settings;
mod signer;
mod timers;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::Duration,
};

use roastery_frost::Seat;
use thiserror::Error;

use self::{
    broadcast::PendingBroadcast,
    collector::Collector,
    coordinator::Coordinator,
    investigation::OpenInvestigation,
    replies::{Answer, InvalidProofs},
    signer::Signer,
};
pub use self::{
    output::{DeclineReason, Event, Origin, Outcome, Output, Rejected, StopReason},
    peer_history::{PeerHistory, PeerStats},
    report::{Awaited, AwaitedThing, Report, ReportPhase},
    settings::Settings,
    watch::{Told, Watch},
};
use crate::{
    Attempt, Incarnation, SessionId,
    clock::Moment,
    engine::{Engine, EngineError, EngineSession},
    group::{Group, PeerId},
    keys::IdentityKey,
    machine::{Backoff, Link, Machine, ReplyLimiter, Schedule},
    message::{Body, Envelope, Header, RefusalReason, Shape},
    proof::{Proof, ProvenFault},
    request::ApprovedRequest,
};

/// Everything that a session needs to be opened.
#[derive(Debug)]
pub struct Opening {
    /// The group that signs.
    pub group: Arc<Group>,
    /// This node's seat.
    pub seat: Seat,
    /// The identity key that signs this seat's messages; it must be the one in the roster.
    pub identity: Arc<IdentityKey>,
    /// The request, as this node's policy has approved it.
    pub request: ApprovedRequest,
    /// The incarnation: each opening of a session has one of its own.
    pub incarnation: Incarnation,
    /// Intervals and time limits.
    pub settings: Settings,
    /// What is remembered of the members; empty where nothing is.
    pub record: PeerHistory,
}

/// Why a session cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The group has no such seat.
    #[error("seat {seat} is not in the group of {members} seats")]
    NoSuchSeat {
        /// This node's seat.
        seat: Seat,
        /// The number of members, n.
        members: usize,
    },
    /// The identity key is not the one in the roster.
    #[error("seat {seat}: the identity key is not the one in the roster")]
    OtherIdentity {
        /// This node's seat.
        seat: Seat,
    },
    /// The engine holds another seat's share.
    #[error("the engine holds the share of seat {engine}, not of seat {seat}")]
    OtherEngine {
        /// The engine's seat.
        engine: Seat,
        /// The session's seat.
        seat: Seat,
    },
    /// The request names another group.
    #[error("the request is for another group")]
    OtherGroup,
    /// The request has expired since it was approved.
    #[error("the request has expired since it was approved")]
    Expired,
    /// The engine refused to open a session.
    #[error("the engine did not open: {0}")]
    Engine(#[from] EngineError),
}

/// One signing session at one node. See the [module](self).
///
/// Dropping it zeroizes its secrets, as ending it does.
#[derive(Debug)]
pub struct Session<E: EngineSession> {
    fixed: Fixed,
    engine: E,
    phase: Phase,
    expiry: Duration,
    schedule: Schedule,
    signers: BTreeMap<Attempt, Signer>,
    coordinated: BTreeMap<Attempt, Coordinated<E::Package>>,
    collector: Collector,
    investigations: Vec<OpenInvestigation<E::Package>>,
    broadcasts: Vec<PendingBroadcast>,
    refusals: BTreeMap<Seat, RefusalReason>,
    awaited_at_stop: Vec<Awaited>,
    learned: PeerHistory,
    disconnected: BTreeSet<PeerId>,
    replies: ReplyLimiter<Answer>,
    invalid_proofs: InvalidProofs,
    outbox: VecDeque<Output>,
    /// Messages of this node to itself. They are handled as those of others, without leaving the
    /// node.
    to_self: VecDeque<Envelope>,
}

/// What never changes: every input of the session is derived from it, never from a peer.
#[derive(Debug)]
struct Fixed {
    group: Arc<Group>,
    seat: Seat,
    identity: Arc<IdentityKey>,
    request: ApprovedRequest,
    session: SessionId,
    incarnation: Incarnation,
    settings: Settings,
    record: PeerHistory,
    shape: Shape,
}

#[derive(Debug)]
enum Phase {
    Running,
    /// The message with the signatures is sealed when it is first sent: most nodes are never asked
    /// for it.
    Signed {
        outcome: Outcome,
        envelope: OnceLock<Envelope>,
        at: Duration,
        lingering: bool,
    },
    Stopped(StopReason),
}

/// An attempt that this node coordinates, or will when it is its turn.
#[derive(Debug)]
struct Coordinated<P> {
    coordinator: Coordinator,
    prepared: Vec<P>,
    packages: Vec<Envelope>,
    repeat: Backoff,
}

impl<E: EngineSession> Session<E> {
    /// Opens a session. From here on every input but the messages of others is fixed.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if an input does not belong to the seat, the request has expired, or the
    /// engine fails.
    pub fn open<Opener: Engine<Session = E>>(
        opening: Opening,
        engine: &Opener,
        now: Moment,
    ) -> Result<Self, OpenError> {
        let Opening { group, seat, identity, request, incarnation, settings, record } = opening;
        let members = group.size();
        let member = group.member(seat).ok_or(OpenError::NoSuchSeat { seat, members })?;
        if member.identity_key != identity.public_key() {
            return Err(OpenError::OtherIdentity { seat });
        }
        if engine.seat() != seat {
            return Err(OpenError::OtherEngine { engine: engine.seat(), seat });
        }
        if request.request().group() != group.id() {
            return Err(OpenError::OtherGroup);
        }
        if now.monotonic >= request.expires_at() {
            return Err(OpenError::Expired);
        }
        let session = request.session_id();
        let shape = Shape::new(&group, session, request.keys().len());
        let mut opened = Self {
            engine: engine.open(&request)?,
            phase: Phase::Running,
            expiry: request.expires_at(),
            schedule: Schedule::new(members, settings.interval, now.monotonic),
            signers: BTreeMap::new(),
            coordinated: BTreeMap::new(),
            collector: Collector::default(),
            investigations: Vec::new(),
            broadcasts: Vec::new(),
            refusals: BTreeMap::new(),
            awaited_at_stop: Vec::new(),
            learned: PeerHistory::default(),
            disconnected: BTreeSet::new(),
            replies: ReplyLimiter::default(),
            invalid_proofs: InvalidProofs::default(),
            outbox: VecDeque::new(),
            to_self: VecDeque::new(),
            fixed: Fixed {
                group,
                seat,
                identity,
                request,
                session,
                incarnation,
                settings,
                record,
                shape,
            },
        };
        opened.escalate(now);
        opened.take_own(now);
        Ok(opened)
    }

    /// Ends the session here. Not final: see [`Event::Stopped`]. Secrets are zeroized; evidence
    /// stays.
    pub fn stop(&mut self, why: Stop, now: Moment) {
        self.halt(match why {
            Stop::Cancelled => StopReason::Cancelled,
            Stop::Deadline => StopReason::Deadline,
            Stop::Evicted => StopReason::Evicted,
            Stop::JournalFailed => StopReason::JournalFailed,
        });
        self.take_own(now);
    }

    /// The session id: the hash of the request.
    pub fn id(&self) -> SessionId {
        self.fixed.session
    }

    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.fixed.group
    }

    /// This node's seat.
    pub fn seat(&self) -> Seat {
        self.fixed.seat
    }

    /// Whether a share that was made, and has not left yet, may still leave: the session has not
    /// stopped, and the policy still agrees.
    pub fn may_release(&self) -> bool {
        !matches!(self.phase, Phase::Stopped(_)) && self.fixed.request.still_approved().is_ok()
    }

    /// The signatures, once they are there.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            Phase::Signed { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// The message that carries the signatures, once they are there. A caller that keeps it can
    /// answer with it when the session is gone.
    pub fn outcome_message(&self) -> Option<Arc<[u8]>> {
        self.outcome_envelope().map(|envelope| envelope.as_bytes().clone())
    }

    /// Whether what members sign is still compared with what they have signed before: until the end
    /// of the linger after the signature.
    pub fn takes_evidence(&self) -> bool {
        !matches!(self.phase, Phase::Signed { lingering: false, .. })
    }

    /// Why the session stopped here without a signature, if it did.
    pub fn stopped(&self) -> Option<StopReason> {
        match &self.phase {
            Phase::Stopped(reason) => Some(*reason),
            _ => None,
        }
    }

    /// The proofs that are known, one per member at fault. They outlive failure: they stay as long
    /// as the session does.
    pub fn proofs(&self) -> impl ExactSizeIterator<Item = (&ProvenFault, &Arc<Proof>)> {
        self.collector.proofs().values().map(|(finding, proof)| (finding, proof))
    }

    /// The number of attempts that are live at this node.
    pub fn live_attempts(&self) -> usize {
        self.schedule.live()
    }

    /// How many slots have live secret nonces here.
    pub fn live_slots(&self) -> usize {
        self.engine.live_slots()
    }

    /// How many bytes of messages are kept of a sender.
    pub fn bytes_kept_of(&self, seat: Seat) -> usize {
        let coordinators = self.coordinated.values().map(|one| one.coordinator.bytes_kept_of(seat));
        let shown = self.bytes_to_broadcast_of(seat) + self.bytes_investigated_of(seat);
        self.collector.bytes_kept_of(seat) + coordinators.sum::<usize>() + shown
    }

    /// What this session has shown of the members; nothing before its signature is there. To be
    /// remembered, and given to the next one when it opens.
    pub fn learned(&self) -> &PeerHistory {
        &self.learned
    }

    /// The outcome answers every message of the session until here, on the monotonic clock; then it
    /// may be dropped.
    pub fn expires_at(&self) -> Duration {
        self.expiry
    }
}

impl<E: EngineSession> Machine for Session<E> {
    type Event = Event;
    /// None: its caller stores what must be stored before it sends.
    type Record = Infallible;
    type Rejected = Rejected;

    /// Work is bounded by n, t and the number of messages; the most costly message is the one that
    /// completes a package of which shares are bad (t share checks).
    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), Rejected> {
        self.expire(now);
        let result = self.receive(from, bytes, now);
        self.escalate(now);
        self.take_own(now);
        result
    }

    fn handle_timeout(&mut self, now: Moment) {
        self.wake(now);
        self.take_own(now);
    }

    /// A coordinator that is gone is passed over without delay; one that has come back is sent
    /// again what it may have missed.
    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        if !self.fixed.group.is_member(peer) {
            return;
        }
        let back = match link {
            Link::Up => self.disconnected.remove(peer),
            // It measures round trips itself, by the answers of the signers.
            Link::RoundTrip(_) => return,
            Link::Down => {
                self.disconnected.insert(peer.clone());
                false
            }
        };
        self.expire(now);
        if back {
            self.reconnected(peer, now);
        }
        self.escalate(now);
        self.take_own(now);
    }

    fn persisted(&mut self, record: Infallible, _kept: bool, _now: Moment) {
        match record {}
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Duration> {
        let broadcasts = self.broadcasts.iter().map(PendingBroadcast::due).min();
        let own = match &self.phase {
            Phase::Running => self.timers().min(),
            Phase::Signed { at, lingering: true, .. } => {
                Some(at.saturating_add(self.fixed.settings.linger))
            }
            Phase::Signed { .. } | Phase::Stopped(_) => None,
        };
        own.into_iter().chain(broadcasts).min()
    }
}

/// Why the caller stops a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The caller no longer wants the signature.
    Cancelled,
    /// The caller's deadline has passed.
    Deadline,
    /// The caller has no capacity for all its sessions.
    Evicted,
    /// The caller could not store that a share was about to leave.
    JournalFailed,
}

impl Fixed {
    fn coordinator(&self, attempt: Attempt) -> Seat {
        self.shape.order().coordinator(attempt)
    }

    fn seal(&self, attempt: Attempt, body: &Body) -> Envelope {
        let sender = self.seat.to_u16();
        let group = self.group.id();
        let header = Header::new(body.kind(), group, self.session, attempt.number(), sender);
        Envelope::seal(header, body, &self.identity)
    }
}
