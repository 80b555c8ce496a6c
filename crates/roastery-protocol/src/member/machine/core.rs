//! What all sessions of a group share at one node.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::Seat;

use super::{
    Entropy, Event, Limit, MOST_RUNNING, OpenError, Opening, Record,
    limits::Limits,
    session::{Given, REPEATED_AFTER},
    unkept::{Again, Unkept},
};
use crate::{
    BodyHash, SessionId, SlotHash,
    clock::Moment,
    group::{Group, PeerId},
    keys::IdentityKey,
    machine::{Destination, Output, ReplyLimiter},
    member::{
        Incarnation, Runs,
        budget::{Budget, MOST_OWN_BYTES, MOST_RETAINED_BYTES},
        engine::{Arithmetic, Engine, EngineError, Job, Void},
        evidence::Evidence,
        frame::{Content, Control, ControlContent, Statement, Want},
        links::Links,
        pace::LinkPace,
        quotas::Quotas,
        requests::{OutcomeAnswers, RefusalCache},
        stock::{CLOCK_TOLERANCE, Draw, OwnStock, ShownStock},
    },
};

/// How many different replies a member gets in half a second from each own seat.
const MOST_AT_ONCE: usize = 8;

/// Of how many sessions a member is told Ready in half a second because it asks, by each own seat.
const MOST_READY_AT_ONCE: usize = 256;

/// How many shares are sent to a member again in half a second by each own seat: as many as a
/// coordinator of many sessions lacks after a link was lost.
const MOST_SHARES_AT_ONCE: usize = 256;

pub(super) struct Core<E, A> {
    pub(super) group: Arc<Group>,
    pub(super) own: Vec<OwnSeat>,
    pub(super) engine: E,
    pub(super) arithmetic: A,
    pub(super) entropy: Entropy,
    pub(super) incarnation: Incarnation,
    /// Whether the incarnation is on the disk: nothing that names it leaves before.
    pub(super) is_begun: bool,
    /// What could not be kept, and is tried again.
    pub(super) unkept: Unkept,
    pub(super) runs: Runs,
    pub(super) links: Links,
    /// The last reading of both clocks.
    clocks: Moment,
    pub(super) outbox: VecDeque<Output<Event, Record>>,
    pub(super) jobs: BTreeMap<Job, Pending>,
    /// Shares that wait for the disk: by session, own seat and package.
    pub(super) held: BTreeMap<(SessionId, Seat, BodyHash), Held>,
    /// When something new about a session or a proposal last happened.
    pub(super) active: Option<Duration>,
    pub(super) barred: BTreeSet<Seat>,
    /// Members that are proven faulty in any session, and who shows it.
    pub(super) evidence: Evidence,
    /// Members that kept a coordinator of this node waiting in a session that was signed.
    pub(super) late: BTreeSet<Seat>,
    /// Since when a package of this node waits for a member that has answered none since.
    pub(super) waits_since: BTreeMap<Seat, Duration>,
    /// Whether a member was proven faulty, which every session acts on.
    pub(super) concerns_all: bool,
    replies: ReplyLimiter<Reply>,
    /// Ready that was asked for: one frame lists many sessions, so more of it may be said.
    ready_replies: ReplyLimiter<(SessionId, Seat)>,
    /// The shares that are sent again.
    share_replies: ReplyLimiter<(BodyHash, Seat)>,
    /// The signatures that members lack.
    outcome_answers: OutcomeAnswers,
    pub(super) quotas: Quotas,
    /// What is kept of what others have signed.
    pub(super) budget: Budget,
    /// What is kept of the packages of this node's own, all under the first own seat.
    pub(super) own_budget: Budget,
    /// How often links that come up are acted on.
    pub(super) pace: LinkPace,
    limits: Limits,
    /// The requests that this node refuses.
    pub(super) refusals: RefusalCache,
    /// How often this node has changed its mind, over all sessions: the counter of Ready and
    /// Refusal, which so goes up in each session, also in one that was forgotten.
    changes: u32,
    /// Sessions that have ended since this was last looked at.
    pub(super) ended: Vec<SessionId>,
    /// To whom Ready is said at the end of this input: own seat, coordinator and session.
    pub(super) to_say: BTreeSet<(Seat, Seat, SessionId)>,
}

/// A seat of this node.
pub(super) struct OwnSeat {
    pub(super) seat: Seat,
    pub(super) identity: Arc<IdentityKey>,
    /// What it has promised as a signer.
    pub(super) stock: OwnStock,
    /// What was promised to it as a coordinator.
    pub(super) shown: ShownStock,
    /// The coordinators for which the engine draws now.
    pub(super) drawing: BTreeSet<Seat>,
}

/// What an engine will answer.
pub(super) enum Pending {
    Draw {
        seat: Seat,
        draw: Draw,
        m: usize,
        incarnation: Incarnation,
        ordered: Moment,
    },
    Open {
        session: SessionId,
    },
    Sign {
        seat: Seat,
        coordinator: Seat,
        session: SessionId,
        package: BodyHash,
        signers: Vec<Seat>,
    },
}

/// A share that waits for the disk.
pub(super) struct Held {
    pub(super) coordinator: Seat,
    pub(super) given: Given,
}

/// What is sent at most once in half a second to one seat. What each own seat has of its own names
/// it: one that asks three seats of a node gets three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reply {
    Package(BodyHash),
    NewestPackage(SessionId),
    Slots(Seat),
    Nonces(SlotHash),
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    pub(super) fn new(opening: Opening<E, A>, now: Moment) -> Result<Self, OpenError> {
        let Opening { group, seats, last_incarnation, proofs, engine, arithmetic, mut entropy } =
            opening;
        let (n, most) = (group.size(), group.most_packages());
        let random = entropy().ok_or(OpenError::Randomness)?;
        let incarnation = Incarnation::after(last_incarnation, now.wall.as_millis() as u64, random);
        let peer = seats.first().and_then(|(seat, _)| group.member(*seat)).map(|one| &one.peer);
        let peer = peer.ok_or(OpenError::NoSeat)?;
        let mut own: Vec<OwnSeat> = Vec::new();
        for (seat, identity) in seats {
            let member = group.member(seat).filter(|member| member.peer == *peer);
            let is_new = own.iter().all(|known| known.seat != seat);
            let member = member.filter(|_| is_new).ok_or(OpenError::NotItsSeat { seat })?;
            if member.identity_key != identity.public_key() {
                return Err(OpenError::OtherIdentity { seat });
            }
            let stock = OwnStock::new(incarnation, n, most);
            let (shown, drawing) = (ShownStock::new(n), BTreeSet::new());
            own.push(OwnSeat { seat, identity, stock, shown, drawing });
        }
        let seats: Vec<Seat> = own.iter().map(|one| one.seat).collect();
        let count = own.len();
        let mut core = Self {
            links: Links::new(n, group.threshold(), &seats),
            group,
            own,
            engine,
            arithmetic,
            entropy,
            incarnation,
            is_begun: false,
            unkept: Unkept::default(),
            runs: Runs::of(incarnation),
            clocks: now,
            outbox: VecDeque::new(),
            jobs: BTreeMap::new(),
            held: BTreeMap::new(),
            active: None,
            barred: BTreeSet::new(),
            evidence: Evidence::default(),
            late: BTreeSet::new(),
            waits_since: BTreeMap::new(),
            concerns_all: false,
            replies: ReplyLimiter::with_most(MOST_AT_ONCE * count),
            ready_replies: ReplyLimiter::with_most(MOST_READY_AT_ONCE * count),
            share_replies: ReplyLimiter::with_most(MOST_SHARES_AT_ONCE * count),
            outcome_answers: OutcomeAnswers::default(),
            quotas: Quotas::new(n, MOST_RUNNING),
            budget: Budget::new(MOST_RETAINED_BYTES),
            own_budget: Budget::new(MOST_OWN_BYTES),
            pace: LinkPace::default(),
            limits: Limits::default(),
            refusals: RefusalCache::default(),
            changes: 0,
            ended: Vec::new(),
            to_say: BTreeSet::new(),
        };
        core.persist(Record::Incarnation(incarnation));
        core.load(proofs, now);
        Ok(core)
    }

    /// Whether the two clocks have moved alike since the last input.
    pub(super) fn clocks_agree(&mut self, now: Moment) -> bool {
        let last = std::mem::replace(&mut self.clocks, now);
        let monotonic = now.monotonic.saturating_sub(last.monotonic);
        match now.wall.checked_sub(last.wall) {
            Some(wall) => wall.abs_diff(monotonic) <= CLOCK_TOLERANCE,
            None => (last.wall - now.wall).saturating_add(monotonic) <= CLOCK_TOLERANCE,
        }
    }

    /// The last reading of both clocks.
    pub(super) fn last_seen(&self) -> Moment {
        self.clocks
    }

    /// Another incarnation: all stock is void, and what others have shown is forgotten.
    pub(super) fn renew(&mut self, now: Moment) {
        self.engine.void(Void::All);
        let Some(random) = (self.entropy)() else {
            // Until there are random bytes nothing is shown, which is safe.
            self.is_begun = false;
            self.unkept.add(Again::Draw, now.monotonic);
            self.event(Event::EngineFailed(EngineError::Randomness));
            return;
        };
        let last = Some(self.incarnation);
        self.incarnation = Incarnation::after(last, now.wall.as_millis() as u64, random);
        self.runs = Runs::of(self.incarnation);
        self.is_begun = false;
        for own in &mut self.own {
            own.stock.renew(self.incarnation);
            own.shown.forget();
            own.drawing.clear();
        }
        let incarnation = self.incarnation;
        self.persist(Record::Incarnation(incarnation));
    }

    pub(super) fn persist(&mut self, record: Record) {
        self.outbox.push_back(Output::Persist(record));
    }

    /// The counter of a change of mind that happens now.
    pub(super) fn change_of_mind(&mut self) -> u32 {
        self.changes = self.changes.saturating_add(1);
        self.changes
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }

    /// A member has reached a bound.
    pub(super) fn limited(&mut self, limit: Limit, of: impl Into<Option<Seat>>, now: Moment) {
        let of = of.into();
        if let Some(count) = self.limits.reached(limit, of, now.monotonic) {
            self.event(Event::Limited { limit, of, count });
        }
    }

    pub(super) fn send(&mut self, to: Destination, bytes: Arc<[u8]>) {
        self.outbox.push_back(Output::Send { to, bytes });
    }

    pub(super) fn control(
        &mut self,
        session: SessionId,
        sender: Seat,
        to: Seat,
        content: &ControlContent,
    ) {
        if !self.is_begun {
            // Nothing that names an incarnation leaves before it is on the disk; it is said again.
            return;
        }
        let frame = Control::new(self.group.id(), session, sender, to, content);
        self.send(Destination::Seat(to), frame.as_bytes().clone());
    }

    pub(super) fn want(&mut self, session: SessionId, sender: Seat, to: Seat, want: Want) {
        self.control(session, sender, to, &ControlContent::Want(want));
    }

    pub(super) fn seal(&self, session: SessionId, sender: Seat, content: &Content) -> Statement {
        // An own seat has an identity: the caller names no other one.
        let identity = &self.own_seat(sender).identity;
        Statement::seal(self.group.id(), session, sender, content, identity)
    }

    /// Answers a seat, at most once in half a second with the same thing.
    pub(super) fn reply(&mut self, to: Seat, what: Reply, bytes: &Arc<[u8]>, now: Moment) -> bool {
        let may = self.may_reply(to, what, now);
        if may {
            self.send(Destination::Seat(to), bytes.clone());
        }
        may
    }

    pub(super) fn may_reply(&mut self, to: Seat, what: Reply, now: Moment) -> bool {
        let (least, _) = REPEATED_AFTER;
        self.replies.try_acquire(to, what, now.monotonic, least)
    }

    /// Sends the share of an own seat again, at most once in half a second.
    pub(super) fn reply_share(
        &mut self,
        (own, to): (Seat, Seat),
        package: BodyHash,
        bytes: &Arc<[u8]>,
        now: Moment,
    ) -> bool {
        let (least, _) = REPEATED_AFTER;
        let may = self.share_replies.try_acquire(to, (package, own), now.monotonic, least);
        if may {
            self.send(Destination::Seat(to), bytes.clone());
        }
        may
    }

    /// Whether a seat that asks is told that an own seat is ready in a session: at most once in
    /// half a second.
    pub(super) fn may_say_ready(
        &mut self,
        to: Seat,
        session: SessionId,
        own: Seat,
        now: Moment,
    ) -> bool {
        let (least, _) = REPEATED_AFTER;
        self.ready_replies.try_acquire(to, (session, own), now.monotonic, least)
    }

    /// A member lacks the signatures of a request: they are sent when its allowance lets them.
    pub(super) fn tell_signatures(
        &mut self,
        to: Seat,
        session: SessionId,
        bytes: Arc<[u8]>,
        now: Moment,
    ) {
        if self.is_own(to) || !self.links.is_up(to) {
            // One that is not linked asks again when it is.
            return;
        }
        if !self.outcome_answers.add(to, session, bytes, now.monotonic) {
            self.limited(Limit::Outcomes, to, now);
        }
        self.send_signatures(now);
    }

    /// Whether a member is to be told the outcome of a request: it was not told lately.
    pub(super) fn lacks_signatures(&mut self, to: Seat, session: SessionId, now: Moment) -> bool {
        self.outcome_answers.lacks(to, session, now.monotonic)
    }

    /// Sends the signatures that members wait for and that their allowance lets go.
    pub(super) fn send_signatures(&mut self, now: Moment) {
        while let Some((seat, bytes)) = self.outcome_answers.due(now.monotonic) {
            self.send(Destination::Seat(seat), bytes);
        }
    }

    /// The link to a seat has ended: what it was told last may be lost with it.
    pub(super) fn signatures_may_be_lost(&mut self, seat: Seat) {
        self.outcome_answers.unlinked(seat);
    }

    /// When signatures that wait can be sent, on the monotonic clock.
    pub(super) fn signatures_due(&self) -> Option<Duration> {
        self.outcome_answers.next_due()
    }

    pub(super) fn is_own(&self, seat: Seat) -> bool {
        self.own.iter().any(|own| own.seat == seat)
    }

    pub(super) fn own_seats(&self) -> Vec<Seat> {
        self.own.iter().map(|own| own.seat).collect()
    }

    pub(super) fn own_seat(&self, seat: Seat) -> &OwnSeat {
        let found = self.own.iter().find(|own| own.seat == seat);
        found.unwrap_or(&self.own[0])
    }

    pub(super) fn own_seat_mut(&mut self, seat: Seat) -> &mut OwnSeat {
        let at = self.own.iter().position(|own| own.seat == seat).unwrap_or(0);
        &mut self.own[at]
    }

    /// The seats of a peer; empty if it is no member, or this node itself.
    pub(super) fn seats_of(&self, peer: &PeerId) -> Vec<Seat> {
        let seats = self.group.seats().filter(|seat| self.group.holds(peer, *seat));
        seats.filter(|seat| !self.is_own(*seat)).collect()
    }

    /// The seats of the peer that has this seat.
    pub(super) fn seats_beside(&self, seat: Seat) -> Vec<Seat> {
        let peer = self.group.member(seat).map(|member| &member.peer);
        peer.map(|peer| self.seats_of(peer)).unwrap_or_default()
    }

    /// One seat of each other peer.
    pub(super) fn other_peers(&self) -> Vec<Seat> {
        let mut peers = BTreeSet::new();
        let first_of_peer = |seat: &Seat| {
            self.group.member(*seat).is_some_and(|member| peers.insert(member.peer.clone()))
        };
        self.others().into_iter().filter(first_of_peer).collect()
    }

    pub(super) fn others(&self) -> Vec<Seat> {
        self.group.seats().filter(|seat| !self.is_own(*seat)).collect()
    }

    /// Whether this seat is not served at all.
    pub(super) fn is_excluded(&self, seat: Seat) -> bool {
        self.barred.contains(&seat)
    }

    /// Whether this member has answered this node's last package at once, or was never asked.
    pub(super) fn is_prompt(&self, seat: Seat, now: Moment) -> bool {
        let waits = self.waits_since.get(&seat);
        waits.is_none_or(|since| now.monotonic <= since.saturating_add(self.links.interval()))
    }
}
