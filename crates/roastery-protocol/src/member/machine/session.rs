//! The state of one session.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{PartialSignature, PublicNonce, Seat};

use super::{Awaited, Origin, Outcome, RequestOrigin, StopReason};
use crate::{
    BodyHash, SessionId,
    clock::Moment,
    election::Order,
    group::Group,
    machine::Backoff,
    member::{
        Incarnation, Run,
        frame::{Shape, SignatureShare, Statement},
        investigation::Investigations,
        proof::{Proof, ProvenFault},
        questions::Questions,
        ready::Announcements,
        reign::{PackageId, Reign},
        retained::{Retained, memory},
        runs::AnsweredRuns,
        schedule::Schedule,
    },
    request::ApprovedRequest,
    request::RefusalReason,
};

/// The pace of retransmissions that are counted: the first after half a second, then twice as long
/// up to 15 s.
pub(super) const REPEATED_AFTER: (Duration, Duration) =
    (Duration::from_millis(500), Duration::from_secs(15));

/// How often the news of one member has a coordinator ask and repeat anew: once in this time, so
/// that two members that come and go do not keep it asking all others.
const HURRIED_AFTER: Duration = Duration::from_secs(8);

/// One session at this node.
pub(super) struct Session<P> {
    pub(super) id: SessionId,
    pub(super) request: ApprovedRequest,
    /// Whose proposal of the request came first.
    pub(super) author: Option<Seat>,
    pub(super) shape: Shape,
    /// The number of messages.
    pub(super) m: usize,
    pub(super) phase: Phase,
    pub(super) schedule: Schedule,
    /// The coordinators that are live, and since when.
    pub(super) live_since: BTreeMap<Seat, Duration>,
    /// The seat of this node that would reign: its earliest in the order.
    pub(super) seat: Seat,
    /// When Ready is first said after a coordinator became live: at once, or after half an
    /// interval.
    pub(super) is_late: bool,
    /// Of each own seat.
    pub(super) announcements: BTreeMap<Seat, Announcements>,
    /// Of each own seat, for each coordinator.
    pub(super) answered: BTreeMap<(Seat, Seat), AnsweredRuns>,
    /// Of each own seat and coordinator the newest package that comes too soon, and when its time
    /// comes.
    pub(super) too_soon: BTreeMap<(Seat, Seat), TooSoon>,
    /// The packages that this node can never answer, by own seat and coordinator.
    pub(super) cannot: BTreeMap<(Seat, Seat), (Run, u16)>,
    /// The newest share of each own seat for each coordinator.
    pub(super) given: BTreeMap<(Seat, Seat), Given>,
    pub(super) retained: Retained,
    pub(super) turn: Option<Turn<P>>,
    /// A package went out before its signers had said Ready: once in a process.
    pub(super) has_tried: bool,
    pub(super) said: BTreeMap<Seat, Readiness>,
    /// The members that have shown that they take part.
    pub(super) taking_part: BTreeSet<Seat>,
    pub(super) refused: BTreeMap<Seat, (Incarnation, u32, RefusalReason)>,
    /// Packages of others that make no signature and are not investigated yet, with the seat whose
    /// link brought what failed.
    pub(super) failed: VecDeque<(BodyHash, Seat)>,
    pub(super) investigations: Investigations<P>,
    /// Packages that statements have named and that are not known here.
    pub(super) questions: Questions,
    /// The faults that were proven in this session.
    pub(super) proofs: BTreeMap<Seat, (ProvenFault, Arc<Proof>)>,
    /// Members that know the request and have not opened it: they are asked for nothing, and say
    /// Ready when they do.
    pub(super) waiting: BTreeSet<Seat>,
    /// The members that were awaited when it stopped here.
    pub(super) awaited_at_stop: Vec<Awaited>,
    /// The memory of its own packages, as the budget counts it.
    pub(super) own_bytes: usize,
}

pub(super) enum Phase {
    Running,
    Signed {
        outcome: Outcome,
        statement: Statement,
        /// Until when evidence is collected; absent once it is pruned.
        until: Option<Duration>,
    },
    Stopped(StopReason),
}

/// A package of a run that came too soon.
pub(super) struct TooSoon {
    /// When its time comes, on the monotonic clock.
    pub(super) until: Duration,
    pub(super) run: Run,
    pub(super) number: u16,
    pub(super) package: BodyHash,
}

/// A share that has left.
pub(super) struct Given {
    pub(super) package: BodyHash,
    /// The signers of the package.
    pub(super) signers: Vec<Seat>,
    pub(super) statement: Statement,
    pub(super) at: Duration,
}

/// What a signer has said to this node as a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Readiness {
    pub(super) incarnation: Incarnation,
    pub(super) counter: u32,
    pub(super) cannot: Option<(Run, u16)>,
}

/// A share as a coordinator counts it.
pub(super) struct Counted {
    pub(super) scalars: Vec<PartialSignature>,
    pub(super) statement: Statement,
}

/// What is computed once for a package of this node's own.
pub(super) struct Prepared<P> {
    pub(super) package: P,
    pub(super) nonces: BTreeMap<Seat, Vec<PublicNonce>>,
    pub(super) statement: Statement,
}

impl<P> Prepared<P> {
    /// An estimate of the memory that it takes, in bytes, with the shares of its t signers.
    fn memory(&self) -> usize {
        let nonces: usize = self.nonces.values().map(Vec::len).sum();
        let signers = self.nonces.len();
        // What is prepared for a message lists the signers as well.
        let nonces = nonces * (size_of::<PublicNonce>() + 128);
        let m = self.nonces.values().next().map_or(0, Vec::len);
        nonces + memory(self.statement.as_bytes().len()) + signers * memory(SHARE_BYTES + 32 * m)
    }
}

/// The bytes of a share for no message.
const SHARE_BYTES: usize = 133 + 32 + 4;

/// This node's reign in the session.
pub(super) struct Turn<P> {
    pub(super) reign: Reign<Counted>,
    pub(super) began: Duration,
    pub(super) prepared: BTreeMap<PackageId, Prepared<P>>,
    /// When those are asked that were not heard from.
    pub(super) asks: Backoff,
    /// When packages are sent again to those that owe a share.
    pub(super) repeats: Backoff,
    /// When the news of a member last had both begin anew.
    hurried: BTreeMap<Seat, Duration>,
}

impl<P> Session<P> {
    pub(super) fn new(
        request: ApprovedRequest,
        group: &Group,
        own: &[Seat],
        (author, counter): (Option<Seat>, u32),
        origin: RequestOrigin,
        interval: Duration,
        now: Moment,
    ) -> Self {
        let id = request.session_id();
        let order = Order::of(id, group.seats()).into_seats();
        let first_own = order.iter().find(|seat| own.contains(seat)).copied();
        let m = request.keys().len();
        Self {
            id,
            shape: Shape::new(group, m),
            m,
            request,
            author,
            phase: Phase::Running,
            seat: first_own.unwrap_or(own[0]),
            schedule: Schedule::new(order, author, group.most_packages(), interval, now.monotonic),
            live_since: BTreeMap::new(),
            is_late: origin == RequestOrigin::Waited,
            announcements: own.iter().map(|seat| (*seat, Announcements::new(counter))).collect(),
            answered: BTreeMap::new(),
            too_soon: BTreeMap::new(),
            cannot: BTreeMap::new(),
            given: BTreeMap::new(),
            retained: Retained::default(),
            turn: None,
            has_tried: false,
            said: BTreeMap::new(),
            taking_part: BTreeSet::new(),
            refused: BTreeMap::new(),
            failed: VecDeque::new(),
            investigations: Investigations::default(),
            questions: Questions::default(),
            proofs: BTreeMap::new(),
            waiting: BTreeSet::new(),
            awaited_at_stop: Vec::new(),
            own_bytes: 0,
        }
    }

    /// Ready is said at once to all coordinators that are live or have sent a package.
    pub(super) fn say_ready_now(&mut self, now: Duration) {
        for (own, announcements) in &mut self.announcements {
            let live = self.schedule.live().iter();
            let keys = self.cannot.keys().chain(self.given.keys());
            let answered = keys.filter(|(of, _)| of == own).map(|(_, seat)| seat);
            live.chain(answered).for_each(|seat| announcements.say_now(*seat, now));
        }
    }

    /// A member has shown that what was sent to it about the session has arrived: it is neither
    /// asked nor told again until it says more.
    pub(super) fn acknowledged(&mut self, member: Seat) {
        self.announcements.values_mut().for_each(|one| one.acknowledged(member));
        if !self.said.contains_key(&member) {
            self.waiting.insert(member);
        }
    }

    /// Who signed this package and for whom, if it is known here.
    pub(super) fn origin(&self, package: BodyHash) -> Option<Origin> {
        if let Some(known) = self.retained.find(package) {
            return Some(Origin { coordinator: known.sender, signers: known.content.seats() });
        }
        let reign = &self.turn.as_ref()?.reign;
        let picks = &reign.package(reign.find(package)?)?.picks;
        let signers = picks.iter().map(|pick| pick.seat).collect();
        Some(Origin { coordinator: self.seat, signers })
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running)
    }

    /// Whether it is signed, and evidence is collected no more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Signed { until: None, .. })
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            Phase::Signed { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// A share of this signer that counted for a package of this node's own, and has other scalars.
    pub(super) fn counted_before(&self, signer: Seat, share: &SignatureShare) -> Option<Statement> {
        let reign = &self.turn.as_ref()?.reign;
        let package = reign.package(reign.find(share.package)?)?;
        let pick = package.picks.iter().find(|pick| pick.seat == signer)?;
        let counted = pick.share.as_ref().filter(|counted| counted.scalars != share.scalars)?;
        Some(counted.statement.clone())
    }

    /// When something is asked for again, on the monotonic clock.
    pub(super) fn questions_due(&self) -> Option<Duration> {
        self.investigations.next_timeout().into_iter().chain(self.questions.next_timeout()).min()
    }

    /// Whether the request has expired by one of the clocks.
    pub(super) fn is_expired(&self, now: Moment) -> bool {
        now.monotonic >= self.request.expires_at()
            || now.wall_seconds() >= self.request.request().expiry()
    }

    pub(super) fn stopped(&self) -> Option<StopReason> {
        match self.phase {
            Phase::Stopped(reason) => Some(reason),
            _ => None,
        }
    }
}

impl<P> Turn<P> {
    pub(super) fn new(reign: Reign<Counted>, now: Duration) -> Self {
        let (first, _) = REPEATED_AFTER;
        // Without a longest pause: what a wait costs does not grow with the hours. What is new
        // begins them anew.
        let backoff = || Backoff::new(now, first, Duration::MAX);
        Self {
            reign,
            began: now,
            prepared: BTreeMap::new(),
            asks: backoff(),
            repeats: backoff(),
            hurried: BTreeMap::new(),
        }
    }

    /// Members are asked, and packages repeated, half a second from now at the latest, and then at
    /// growing pauses as from the beginning.
    pub(super) fn ask_anew(&mut self, now: Duration) {
        let (first, _) = REPEATED_AFTER;
        self.asks.begin_again(now, first);
        self.repeats.begin_again(now, first);
    }

    /// A member has something new, with which the session may go on: a link, an incarnation, or
    /// Ready. What the others owe or have not said is asked for anew, for each member at most once
    /// in 8 s, and never later than it was due.
    pub(super) fn hurry(&mut self, seat: Seat, now: Duration) {
        let last = self.hurried.get(&seat);
        if last.is_none_or(|last| now >= last.saturating_add(HURRIED_AFTER)) {
            self.hurried.insert(seat, now);
            self.ask_anew(now);
        }
    }

    /// An estimate of the memory that the packages of this reign take beside the newest, in bytes.
    /// The newest is never dropped, so that some members can always sign.
    pub(super) fn older_memory(&self) -> usize {
        self.prepared.values().rev().skip(1).map(Prepared::memory).sum()
    }

    /// Drops the oldest package of this node's own, unless it is the only one: it makes no
    /// signature, and no share of it is checked any more. Gives whether there was one.
    pub(super) fn drop_oldest_package(&mut self) -> bool {
        let mut packages = self.prepared.keys();
        let (Some(&oldest), Some(_)) = (packages.next(), packages.next()) else { return false };
        self.prepared.remove(&oldest);
        self.reign.drop_package(oldest);
        true
    }

    /// From when members are asked: not within half an interval of a package 0 that is alone, whose
    /// shares are on their way.
    pub(super) fn asked_from(&self, interval: Duration) -> Duration {
        let first = PackageId { run: self.reign.run(), number: 0 };
        let alone = self.reign.package(first).filter(|_| self.reign.issued() == 1);
        alone.map_or(Duration::ZERO, |one| one.issued.saturating_add(interval / 2))
    }
}
