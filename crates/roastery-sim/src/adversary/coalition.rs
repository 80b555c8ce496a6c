use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rand::{RngExt as _, seq::SliceRandom as _};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{
    Attempt, BodyHash, Seat,
    message::{Body, Envelope},
    proof::FaultKind,
};

use super::{
    Adversary, Behaviour, Delayed, Packet, Receiver, Reception, View, at_once,
    cancelling::Cancelling,
    coordinators::BadCoordinators,
    expected_faults::ExpectedFaults,
    knowledge::{Knowledge, Said},
    signers::BadSigners,
};

/// The interval at which noisy members send.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// When noisy members stop, so that simulations end.
const NOISE_ENDS: Duration = Duration::from_secs(4);

/// Members that do not follow the protocol, each in its own way, and share all that they know:
/// keys, secrets, and whatever was sent anywhere. None of them spreads a proof against another.
///
/// Everything that it draws comes from its seed.
#[derive(Debug)]
pub struct Coalition {
    pub(super) members: BTreeMap<Seat, Behaviour>,
    pub(super) rng: ChaCha8Rng,
    pub(super) knowledge: Knowledge,
    pub(super) bad_coordinators: BadCoordinators,
    pub(super) bad_signers: BadSigners,
    pub(super) cancelling: Option<Cancelling>,
    /// The forgeries by message, so that a retransmission is forged in the same way.
    pub(super) forged: BTreeMap<(Seat, BodyHash), Vec<Arc<[u8]>>>,
    expected_faults: ExpectedFaults,
    acts: BTreeMap<Seat, u64>,
    pending: Vec<Delayed>,
    pending_since: Option<Duration>,
    next_tick: Option<Duration>,
}

impl Coalition {
    /// A coalition of these members, with the behaviour of each.
    pub fn new(members: BTreeMap<Seat, Behaviour>, seed: u64) -> Self {
        let noisy = members.values().any(|behaviour| behaviour.is_noisy());
        Self {
            members,
            rng: ChaCha8Rng::seed_from_u64(seed),
            knowledge: Knowledge::default(),
            bad_coordinators: BadCoordinators::default(),
            bad_signers: BadSigners::default(),
            cancelling: None,
            forged: BTreeMap::new(),
            expected_faults: ExpectedFaults::default(),
            acts: BTreeMap::new(),
            pending: Vec::new(),
            pending_since: None,
            next_tick: noisy.then_some(Duration::ZERO),
        }
    }

    /// Which members have committed which provable faults in such a way that one honest node, up at
    /// that time, had everything that it takes to prove them. Unless that node has crashed since,
    /// it holds a proof against that member: of this fault or of one that it found before.
    pub fn committed(&self) -> &BTreeMap<Seat, BTreeSet<FaultKind>> {
        &self.expected_faults.committed
    }

    /// By member: the numbers of the nodes that had everything to prove a fault of it.
    pub fn witnesses(&self) -> &BTreeMap<Seat, BTreeSet<usize>> {
        &self.expected_faults.witnesses
    }

    /// How often each member has carried out its behaviour.
    pub fn acts(&self) -> &BTreeMap<Seat, u64> {
        &self.acts
    }

    /// The members and what they do.
    pub fn members(&self) -> &BTreeMap<Seat, Behaviour> {
        &self.members
    }

    pub(super) fn did(&mut self, seat: Seat) {
        *self.acts.entry(seat).or_default() += 1;
    }

    pub(super) fn owns(&self, seat: Seat) -> bool {
        self.members.contains_key(&seat)
    }

    /// The members that do this.
    pub(super) fn doing(&self, what: Behaviour) -> Vec<Seat> {
        let all = self.members.iter().filter(|(_, behaviour)| **behaviour == what);
        all.map(|(seat, _)| *seat).collect()
    }

    /// The members that are not in the coalition.
    pub(super) fn honest(&self, view: View<'_>) -> Vec<Seat> {
        view.members.group.seats().filter(|seat| !self.owns(*seat)).collect()
    }

    /// A random member that is not in the coalition.
    pub(super) fn any_honest_member(&mut self, view: View<'_>) -> Seat {
        let mut honest = self.honest(view);
        honest.shuffle(&mut self.rng);
        honest.first().copied().unwrap_or_else(|| view.coordinator(Attempt::FIRST))
    }

    /// Queues a message, which is sent at the coalition's next turn.
    pub(super) fn soon(&mut self, view: View<'_>, packet: Packet, after: Duration) {
        self.pending_since.get_or_insert(view.now);
        self.pending.push(Delayed { after, packet });
    }

    /// The forgery that replaces a message of one of the members; `make` makes it the first time.
    pub(super) fn forgery(
        &mut self,
        sender: Seat,
        envelope: &Envelope,
        make: impl FnOnce(&mut Self) -> Vec<Arc<[u8]>>,
    ) -> Vec<Arc<[u8]>> {
        let key = (sender, envelope.body_hash());
        if let Some(known) = self.forged.get(&key) {
            return known.clone();
        }
        let made = make(self);
        self.forged.insert(key, made.clone());
        made
    }

    fn late(&mut self, packet: Packet) -> Vec<Delayed> {
        self.did(packet.from);
        let after = Duration::from_millis(self.rng.random_range(300..2_000));
        vec![Delayed { after, packet }]
    }

    /// Sends nothing.
    pub(super) fn withhold(&mut self, seat: Seat) -> Vec<Delayed> {
        self.did(seat);
        Vec::new()
    }
}

impl Adversary for Coalition {
    fn controls(&self, seat: Seat) -> bool {
        self.owns(seat)
    }

    fn observe(&mut self, view: View<'_>, packet: &Packet) {
        let members = &self.members;
        let heard = self.knowledge.hear(view, packet, |seat| members.contains_key(&seat));
        match heard {
            Some((envelope, attempt, Body::SigningPackage(content))) => {
                let said = Said { attempt, envelope, content };
                self.cancel_out(view, &said);
                self.answer_for_both(view, &said);
                self.count_infinity(&said);
            }
            Some((_, attempt, Body::Commitments(_))) => self.commit_last(view, attempt),
            _ => {}
        }
    }

    fn spoke(&mut self, view: View<'_>, node: usize, bytes: &Arc<[u8]>) {
        self.expected_faults.spoke(view, node, bytes);
    }

    fn reached(&mut self, view: View<'_>, receiver: Receiver, packet: &Packet) {
        let members = &self.members;
        let right = &self.knowledge.right;
        self.expected_faults.reached(
            view,
            receiver,
            packet,
            |seat| members.contains_key(&seat),
            right,
        );
    }

    fn send(&mut self, view: View<'_>, packet: Packet) -> Vec<Delayed> {
        let seat = packet.from;
        let Some(&behaviour) = self.members.get(&seat) else { return at_once(packet) };
        let Some((envelope, attempt, body)) = view.read(&packet.bytes) else {
            return at_once(packet);
        };
        if let Body::Evidence(proof) = &body {
            let accused = proof.fault().accused_message().sender(&view.members.group);
            if accused.is_some_and(|accused| self.owns(accused)) {
                return Vec::new();
            }
        }
        // Messages of others that it passes on are not changed.
        let foreign = envelope.header().sender != seat.to_u16();
        let received = Received { packet, envelope, attempt, body };
        match behaviour {
            Behaviour::Silent | Behaviour::Refuses => self.withhold(seat),
            Behaviour::SilentAfterCommitments => match received.body {
                Body::Commitments(_) => at_once(received.packet),
                _ => self.withhold(seat),
            },
            Behaviour::Slow => self.late(received.packet),
            Behaviour::CrashesHalfWay => self.crash_half_way(view, received),
            Behaviour::MutatesMessages => self.mutate_in_passing(view, received),
            Behaviour::CancellingNonces => self.commit_to_cancel(view, received),
            _ if foreign => at_once(received.packet),
            Behaviour::BadShare
            | Behaviour::BadShareWithFreshCommitments
            | Behaviour::ShareConflict
            | Behaviour::CommitsTwice
            | Behaviour::CommitsToInfinity
            | Behaviour::RecommitsInNewRuns
            | Behaviour::ReturnsToOldRuns => self.sign_badly(view, behaviour, received),
            Behaviour::EquivocatesToAll
            | Behaviour::EquivocatesToSome
            | Behaviour::WrongAggregateNonce
            | Behaviour::AssignsSlotTwice
            | Behaviour::WithholdsSignature
            | Behaviour::ClaimsRestarts
            | Behaviour::StealsSlots => self.coordinate_badly(view, behaviour, received),
            Behaviour::Censors
            | Behaviour::Floods
            | Behaviour::Garbage
            | Behaviour::Replays
            | Behaviour::AccusesFalsely
            | Behaviour::RelaysForeign => at_once(received.packet),
        }
    }

    fn receive(&mut self, view: View<'_>, packet: &Packet) -> Reception {
        match self.members.get(&packet.to) {
            Some(Behaviour::Censors) => self.censor(view, packet),
            Some(Behaviour::CrashesHalfWay) if self.bad_coordinators.is_over(packet.to) => {
                Reception::Ignore
            }
            _ => Reception::Take,
        }
    }

    fn due(&self) -> Option<Duration> {
        match (self.next_tick, self.pending_since) {
            (Some(tick), Some(pending)) => Some(tick.min(pending)),
            (tick, pending) => tick.or(pending),
        }
    }

    fn act(&mut self, view: View<'_>) -> Vec<Delayed> {
        let mut out = std::mem::take(&mut self.pending);
        self.pending_since = None;
        if self.next_tick.is_none_or(|tick| tick > view.now) {
            return out;
        }
        let next = view.now + TICK;
        self.next_tick = (next <= NOISE_ENDS).then_some(next);
        let members: Vec<(Seat, Behaviour)> =
            self.members.iter().map(|(seat, behaviour)| (*seat, *behaviour)).collect();
        for (seat, behaviour) in members {
            out.extend(match behaviour {
                Behaviour::Floods => self.flood(view, seat),
                Behaviour::Garbage => self.garbage(view, seat),
                Behaviour::MutatesMessages => self.mutate_others(view, seat),
                Behaviour::Replays => self.replay(view, seat),
                Behaviour::AccusesFalsely => self.report_fault(view, seat),
                Behaviour::RelaysForeign => self.relay(view, seat),
                Behaviour::Refuses => self.refuse(view, seat),
                Behaviour::RecommitsInNewRuns => self.commit_again(view, seat),
                Behaviour::CancellingNonces => self.commit_early(view, seat),
                _ => Vec::new(),
            });
        }
        out
    }
}

/// A message that the honest code of one of the coalition's members sends.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) packet: Packet,
    pub(super) envelope: Envelope,
    pub(super) attempt: Attempt,
    pub(super) body: Body,
}

impl Received {
    /// The same sender and receiver, with other bytes.
    pub(super) fn with(&self, bytes: &Arc<[u8]>) -> Packet {
        Packet { bytes: bytes.clone(), ..self.packet.clone() }
    }
}
