//! Nodes, links and clocks of one group in virtual time, with real cryptography.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use roastery_frost::{Seat, SecretShare, SigningKey, danger_trusted_dealer};

use crate::{
    Attempt, SessionId,
    chance::Chance,
    clock::Moment,
    election::Order,
    group::{Group, Member as RosterEntry, PeerId},
    keys::{HostKey, IdentityKey},
    machine::{Destination, Link, Machine, Output},
    member::{
        Incarnation,
        engine::{FrostArithmetic, FrostEngine},
        frame::{ControlKind, Frame, Kind},
        machine::{Event, Member, Opening, Record, RequestOrigin},
        proof::Proof,
    },
    request::RefusalReason,
    request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step},
};

pub(super) type TestMember = Member<FrostEngine<Chance>, FrostArithmetic>;

/// Agrees until it is told otherwise.
#[derive(Debug, Default)]
pub(super) struct Agrees(pub(super) AtomicBool);

impl Policy for Agrees {
    fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        if self.0.load(Ordering::Relaxed) { Err(RefusalReason::Policy) } else { Ok(()) }
    }
}

/// How a node answers [`Output::Persist`] of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    Writes,
    Fails,
    /// Holds records back until the test takes them.
    Waits,
}

pub(super) struct Node {
    pub(super) member: Option<TestMember>,
    pub(super) seats: Vec<Seat>,
    pub(super) peer: PeerId,
    stored: Option<Incarnation>,
    /// The proofs on its disk.
    pub(super) proofs: Vec<Arc<Proof>>,
    pub(super) wall_offset: i64,
    pub(super) disk: Disk,
    pub(super) waiting: Vec<Record>,
    pub(super) policy: Arc<Agrees>,
    pub(super) events: Vec<Event>,
    /// Frames for a node that a test plays, with their senders.
    pub(super) inbox: Vec<(usize, Arc<[u8]>)>,
}

struct Flight {
    at: Duration,
    order: u64,
    from: usize,
    to: usize,
    connection: u64,
    bytes: Arc<[u8]>,
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Flight {}
impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) fn run(world: &mut World, time: Duration) {
    let until = world.now + time;
    world.run(until);
}

/// The first seat of a node.
pub(super) fn seat(world: &World, at: usize) -> Seat {
    world.nodes[at].seats[0]
}

pub(super) struct World {
    pub(super) group: Arc<Group>,
    pub(super) identities: Vec<Arc<IdentityKey>>,
    pub(super) shares: Vec<[u8; 32]>,
    pub(super) nodes: Vec<Node>,
    pub(super) now: Duration,
    pub(super) half_trip: Duration,
    /// Seats whose nodes neither send nor receive signing messages, though their link is up.
    pub(super) silent: Vec<usize>,
    connections: BTreeMap<(usize, usize), u64>,
    linked: BTreeSet<(usize, usize)>,
    flights: BinaryHeap<Flight>,
    order: u64,
    seed: u64,
    /// Frames that were delivered, by kind.
    pub(super) sent: BTreeMap<Kind, usize>,
}

const START: u64 = 1_800_000_000;

impl World {
    /// A group whose nodes hold so many seats each; all linked, 100 ms for a round trip.
    pub(super) fn new(threshold: usize, seats: &[usize]) -> Self {
        Self::seeded(threshold, seats, 1)
    }

    pub(super) fn seeded(threshold: usize, seats: &[usize], seed: u64) -> Self {
        let n: usize = seats.iter().sum();
        let mut rng = Chance::new(seed);
        let (keys, shares) = danger_trusted_dealer::deal(threshold, n, &mut rng).unwrap();
        let (mut identities, mut members, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for (at, count) in seats.iter().enumerate() {
            let peer = PeerId::new(format!("node-{at}")).unwrap();
            let first = members.len() as u32;
            for _ in 0..*count {
                let host = HostKey::new(SigningKey::generate(&mut rng).unwrap());
                let identity = IdentityKey::new(SigningKey::generate(&mut rng).unwrap());
                let identity_key = identity.public_key();
                let binding = host.bind(&identity_key, &peer, 0);
                let (host_key, peer) = (host.public_key(), peer.clone());
                members.push(RosterEntry { host_key, identity_key, peer, sequence: 0, binding });
                identities.push(Arc::new(identity));
            }
            nodes.push(Node {
                member: None,
                seats: (first..first + *count as u32).map(|id| Seat::new(id).unwrap()).collect(),
                peer,
                stored: None,
                proofs: Vec::new(),
                wall_offset: 0,
                disk: Disk::Writes,
                waiting: Vec::new(),
                policy: Arc::default(),
                events: Vec::new(),
                inbox: Vec::new(),
            });
        }
        let shares = shares.into_iter().map(|share| *share.expose_bytes()).collect();
        let mut world = Self {
            group: Arc::new(Group::new(keys, [0; 32], members).unwrap()),
            identities,
            shares,
            nodes,
            now: Duration::ZERO,
            half_trip: Duration::from_millis(50),
            silent: Vec::new(),
            connections: BTreeMap::new(),
            linked: BTreeSet::new(),
            flights: BinaryHeap::new(),
            order: 0,
            seed,
            sent: BTreeMap::new(),
        };
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        world.run(Duration::from_secs(1));
        world.sent.clear();
        world
    }

    pub(super) fn moment(&self, node: usize) -> Moment {
        let wall = START as i64 * 1_000 + self.now.as_millis() as i64;
        let wall = Duration::from_millis((wall + self.nodes[node].wall_offset) as u64);
        Moment { monotonic: self.now, wall }
    }

    /// Starts a node, with what its disk holds, and links it with all that are up.
    pub(super) fn start(&mut self, at: usize) {
        let now = self.moment(at);
        let arithmetic = FrostArithmetic::new(self.group.keys().clone());
        let node = &self.nodes[at];
        let shares = node.seats.iter().map(|seat| {
            let share = SecretShare::from_bytes(self.shares[seat.index()].into()).unwrap();
            (*seat, share)
        });
        let mut random = at as u64 * 1_000_003 + self.now.as_nanos() as u64 + self.seed;
        let opening = Opening {
            group: self.group.clone(),
            seats: node
                .seats
                .iter()
                .map(|seat| (*seat, self.identities[seat.index()].clone()))
                .collect(),
            last_incarnation: node.stored,
            proofs: node.proofs.clone(),
            engine: FrostEngine::with_nonces(
                arithmetic.clone(),
                shares,
                Chance::new(random ^ 0xe9),
            ),
            arithmetic,
            entropy: Box::new(move || {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Some(random.to_le_bytes())
            }),
        };
        let member = Member::new(opening, now).unwrap();
        self.nodes[at].member = Some(member);
        self.drain(at);
        for other in 0..self.nodes.len() {
            if other != at && self.nodes[other].member.is_some() {
                self.link(at, other, true);
            }
        }
    }

    pub(super) fn crash(&mut self, at: usize) {
        for other in 0..self.nodes.len() {
            if other != at && self.is_linked(at, other) {
                self.link(at, other, false);
            }
        }
        self.nodes[at].member = None;
        self.nodes[at].waiting.clear();
    }

    pub(super) fn link(&mut self, one: usize, other: usize, up: bool) {
        let key = (one.min(other), one.max(other));
        *self.connections.entry(key).or_default() += 1;
        if up {
            self.linked.insert(key);
        } else {
            self.linked.remove(&key);
        }
        for (node, peer) in [(one, other), (other, one)] {
            let (now, peer) = (self.moment(node), self.nodes[peer].peer.clone());
            let trip = 2 * self.half_trip;
            if let Some(member) = &mut self.nodes[node].member {
                if up {
                    member.handle_link(&peer, Link::RoundTrip(trip), now);
                    member.handle_link(&peer, Link::Up, now);
                } else {
                    member.handle_link(&peer, Link::Down, now);
                }
                self.drain(node);
            }
        }
    }

    pub(super) fn both_up(&self, one: usize, other: usize) -> bool {
        self.nodes[one].member.is_some() && self.nodes[other].member.is_some()
    }

    pub(super) fn is_linked(&self, one: usize, other: usize) -> bool {
        self.linked.contains(&(one.min(other), one.max(other)))
    }

    /// A request of m messages that lives an hour or as long as is said.
    pub(super) fn request(&self, m: usize, seconds: u64) -> SigningRequest {
        self.numbered_request(u32::from_le_bytes([9; 4]), m, seconds)
    }

    /// A request in whose session this node coordinates first, wherever it comes from.
    pub(super) fn request_led_by(&self, node: usize, m: usize, seconds: u64) -> SigningRequest {
        let is_led = |request: &SigningRequest| {
            let order = Order::of(request.session_id(), self.group.seats());
            self.nodes[node].seats.contains(&order.coordinator(Attempt::FIRST))
        };
        (0..).map(|number| self.numbered_request(number, m, seconds)).find(is_led).unwrap()
    }

    fn numbered_request(&self, number: u32, m: usize, seconds: u64) -> SigningRequest {
        let messages = (0..m).map(|at| MessageToSign {
            message: [at as u8; 32],
            derivation: Derivation::key_path_only(),
        });
        let mut id = [9; 32];
        id[..4].copy_from_slice(&number.to_le_bytes());
        let expiry = START + self.now.as_secs() + seconds;
        SigningRequest::new(self.group.id(), id, expiry, messages.collect()).unwrap()
    }

    pub(super) fn open(
        &mut self,
        at: usize,
        request: &SigningRequest,
        origin: RequestOrigin,
    ) -> SessionId {
        let now = self.moment(at);
        let policy = self.nodes[at].policy.clone();
        let approved = ApprovedRequest::obtain(request.clone(), &self.group, policy, now).unwrap();
        let member = self.nodes[at].member.as_mut().unwrap();
        let session = member.open(approved, origin, now).unwrap();
        self.drain(at);
        session
    }

    /// Runs until this time.
    pub(super) fn run(&mut self, until: Duration) {
        self.run_while(until, |_| true);
    }

    /// Runs until this session is signed at these nodes, at most so long. Gives how long it took.
    pub(super) fn run_until_signed(
        &mut self,
        session: SessionId,
        nodes: &[usize],
        most: Duration,
    ) -> Option<Duration> {
        let (begun, until) = (self.now, self.now + most);
        self.run_while(until, |world| !nodes.iter().all(|node| world.is_signed(*node, session)));
        let signed = nodes.iter().all(|node| self.is_signed(*node, session));
        signed.then(|| self.now - begun)
    }

    pub(super) fn is_signed(&self, node: usize, session: SessionId) -> bool {
        self.nodes[node].member.as_ref().is_some_and(|member| member.outcome(session).is_some())
    }

    fn run_while(&mut self, until: Duration, goes_on: impl Fn(&Self) -> bool) {
        while goes_on(self) {
            let flight = self.flights.peek().map(|flight| flight.at);
            let timers = self.nodes.iter().enumerate().filter_map(|(at, node)| {
                Some((node.member.as_ref()?.next_timeout()?.max(self.now), at))
            });
            let timer = timers.min();
            let next = flight.into_iter().chain(timer.map(|(due, _)| due)).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            // A timer that is due again at once would stop the time: a machine may not do that.
            self.order += 1;
            assert!(self.order < 500_000, "the machines do not come to rest");
            self.now = next;
            if flight == Some(next) {
                self.deliver();
            } else if let Some((_, at)) = timer {
                self.now += Duration::from_nanos(1);
                let now = self.moment(at);
                if let Some(member) = &mut self.nodes[at].member {
                    member.handle_timeout(now);
                }
                self.drain(at);
            }
        }
    }

    fn deliver(&mut self) {
        let Some(flight) = self.flights.pop() else { return };
        let key = (flight.from.min(flight.to), flight.from.max(flight.to));
        if self.connections.get(&key) != Some(&flight.connection) {
            return;
        }
        let (now, from) = (self.moment(flight.to), self.nodes[flight.from].peer.clone());
        let receiver = &mut self.nodes[flight.to];
        if receiver.member.is_none() {
            receiver.inbox.push((flight.from, flight.bytes));
        } else if let Some(member) = &mut receiver.member {
            // What a frame did not do is no error of the machine.
            let _ = member.handle_message(&from, &flight.bytes, now);
            let (kind, _) = Frame::peek(&flight.bytes).unwrap();
            *self.sent.entry(kind).or_default() += 1;
            self.drain(flight.to);
        }
    }

    /// Does what a node's machine asks for.
    pub(super) fn drain(&mut self, at: usize) {
        let now = self.moment(at);
        loop {
            let Some(member) = &mut self.nodes[at].member else { return };
            let Some(output) = member.poll_output() else { return };
            match output {
                Output::Event(event) => self.nodes[at].events.push(event),
                Output::Persist(record) => {
                    let node = &mut self.nodes[at];
                    let kept = match (&record, node.disk) {
                        (Record::Share { .. }, Disk::Waits) => {
                            node.waiting.push(record);
                            continue;
                        }
                        (Record::Share { .. }, disk) => disk == Disk::Writes,
                        (Record::Incarnation(incarnation), _) => {
                            node.stored = Some(*incarnation);
                            true
                        }
                        (Record::Proof(proof), _) => {
                            node.proofs.push(proof.clone());
                            true
                        }
                    };
                    if let Some(member) = &mut node.member {
                        member.persisted(record, kept, now);
                    }
                }
                Output::Send { to, bytes } => self.send(at, to, &bytes),
            }
        }
    }

    pub(super) fn send(&mut self, from: usize, to: Destination, bytes: &Arc<[u8]>) {
        let receivers: Vec<usize> = match to {
            Destination::Everyone => (0..self.nodes.len()).filter(|at| *at != from).collect(),
            Destination::Seat(seat) => {
                let holds = |at: &usize| self.nodes[*at].seats.contains(&seat);
                (0..self.nodes.len()).filter(holds).collect()
            }
        };
        let is_signing = matches!(
            Frame::peek(bytes),
            Ok((Kind::Statement(_) | Kind::Control(ControlKind::Ready), _))
        );
        for to in receivers {
            let key = (from.min(to), from.max(to));
            let connection = self.connections.get(&key).copied().unwrap_or(0);
            let is_silent = self.silent.contains(&from) && is_signing;
            if !self.linked.contains(&key) || is_silent {
                continue;
            }
            self.order += 1;
            let (at, order, bytes) = (self.now + self.half_trip, self.order, bytes.clone());
            self.flights.push(Flight { at, order, from, to, connection, bytes });
        }
    }
}
