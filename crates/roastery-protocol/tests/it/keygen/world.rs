//! Key generations of all seats in one test, a queue between them, a store for each, and time that
//! the test moves.

use roastery_protocol::machine::{Destination, Machine};
use std::{collections::VecDeque, sync::Arc, time::Duration};

use roastery_frost::{Seat, SigningKey};
use roastery_protocol::{
    Attempt, SessionId, TranscriptHash,
    clock::Moment,
    election::Order,
    group::{Member, NamedMember},
    keygen::{
        Event, Invitation, Keygen, OpenError, Opening, Output, Rejected, ReportPhase, Seed,
        Settings, Suspect, Suspicion,
        message::{Body, Envelope, Header, Kind},
    },
    keys::{HostKey, IdentityKey},
};
use zeroize::Zeroizing;

use roastery_testkit::{later, peer, seat};

/// A message in transit.
#[derive(Clone, Debug)]
pub struct Packet {
    pub from: Seat,
    pub to: Seat,
    pub envelope: Envelope,
}

impl Packet {
    pub fn kind(&self) -> Kind {
        self.envelope.kind()
    }
}

/// What a node has stored.
#[derive(Clone, Default)]
pub struct Store {
    pub seed: [u8; 32],
    pub signed: Option<TranscriptHash>,
}

pub struct World {
    pub invitation: Invitation,
    pub nodes: Vec<Option<Keygen>>,
    pub stores: Vec<Store>,
    pub queue: VecDeque<Packet>,
    pub sent: Vec<Packet>,
    pub events: Vec<(Seat, Event)>,
    pub rejected: Vec<(Seat, Rejected)>,
    pub now: Moment,
}

pub fn signing_key(at: usize) -> SigningKey {
    key(1, at)
}

fn key(kind: u8, at: usize) -> SigningKey {
    let mut bytes = [kind; 32];
    bytes[31] = at as u8;
    SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
}

pub fn host(at: usize) -> HostKey {
    HostKey::new(key(100, at))
}

pub fn identity(at: usize) -> IdentityKey {
    IdentityKey::new(key(1, at))
}

pub fn card(at: usize) -> Member {
    roastery_testkit::member(at, &identity(at))
}

/// A card with a name that no other seat has.
pub fn named(at: usize) -> NamedMember {
    NamedMember { name: format!("member {at}").parse().unwrap(), member: card(at) }
}

pub fn invitation(t: usize, n: usize, number: u32) -> Invitation {
    Invitation::new("test", number, t, (0..n).map(named).collect()).unwrap()
}

impl World {
    /// A key generation that all members have opened.
    pub fn new(t: usize, n: usize) -> Self {
        let mut world = Self::unopened(t, n);
        (0..n).for_each(|at| world.open(at));
        world
    }

    pub fn unopened(t: usize, n: usize) -> Self {
        World {
            invitation: invitation(t, n, 0),
            nodes: (0..n).map(|_| None).collect(),
            stores: (0..n).map(|at| Store { seed: [at as u8 + 1; 32], signed: None }).collect(),
            queue: VecDeque::new(),
            sent: Vec::new(),
            events: Vec::new(),
            rejected: Vec::new(),
            now: Moment {
                monotonic: Duration::from_secs(1000),
                wall: Duration::from_secs(1_800_000_000),
            },
        }
    }

    pub fn opening(&self, at: usize) -> Opening {
        Opening {
            invitation: self.invitation.clone(),
            host: host(at),
            identity: Arc::new(identity(at)),
            seed: Seed::from_bytes(Zeroizing::new(self.stores[at].seed)),
            signed: self.stores[at].signed,
            settings: Settings::default(),
        }
    }

    pub fn try_open(&mut self, at: usize) -> Result<(), OpenError> {
        self.nodes[at] = Some(Keygen::open(self.opening(at), self.now)?);
        self.collect(at);
        Ok(())
    }

    /// Opens a key generation, or opens it again with what is stored.
    pub fn open(&mut self, at: usize) {
        self.try_open(at).unwrap();
    }

    pub fn n(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, at: usize) -> &Keygen {
        self.nodes[at].as_ref().unwrap()
    }

    pub fn node_mut(&mut self, at: usize) -> &mut Keygen {
        self.nodes[at].as_mut().unwrap()
    }

    /// The seats in the order in which they coordinate.
    pub fn order(&self) -> Vec<usize> {
        let id = SessionId::from_bytes(*self.invitation.id().as_bytes());
        let order = Order::of(id, self.invitation.seats());
        (0..self.n() as u32).map(|k| order.coordinator(Attempt::new(k).unwrap()).index()).collect()
    }

    /// Takes the outputs of a node, and stores what it must store.
    pub fn collect(&mut self, at: usize) {
        loop {
            let Some(output) = self.nodes[at].as_mut().and_then(Machine::poll_output) else {
                return;
            };
            match output {
                Output::Event(event) => self.events.push((seat(at), event)),
                Output::Persist(hash) => {
                    assert!(self.stores[at].signed.is_none(), "a second transcript is signed");
                    self.stores[at].signed = Some(hash);
                    let now = self.now;
                    self.node_mut(at).persisted(hash, true, now);
                }
                Output::Send { to, bytes } => {
                    let receivers: Vec<Seat> = match to {
                        Destination::Seat(to) => vec![to],
                        Destination::Everyone => self.invitation.seats().collect(),
                    };
                    let envelope = Envelope::parse(&bytes).unwrap();
                    for to in receivers.into_iter().filter(|to| to.index() != at) {
                        self.send(Packet { from: seat(at), to, envelope: envelope.clone() });
                    }
                }
            }
        }
    }

    fn send(&mut self, packet: Packet) {
        self.sent.push(packet.clone());
        self.queue.push_back(packet);
    }

    /// A message with any content, signed with this seat's key.
    pub fn seal(&self, from: usize, body: &Body) -> Envelope {
        Envelope::seal(self.invitation.id(), seat(from), body, &identity(from))
    }

    pub fn deliver(&mut self, packet: &Packet) -> Result<(), Rejected> {
        let (to, now) = (packet.to.index(), self.now);
        let Some(node) = self.nodes[to].as_mut() else { return Ok(()) };
        let result = node.handle_message(&peer(packet.from), packet.envelope.as_bytes(), now);
        if let Err(rejected) = &result {
            self.rejected.push((packet.to, rejected.clone()));
        }
        self.collect(to);
        result
    }

    /// Delivers a message of this seat, made by the test.
    pub fn say(&mut self, from: usize, to: usize, body: &Body) -> Result<(), Rejected> {
        let envelope = self.seal(from, body);
        self.deliver(&Packet { from: seat(from), to: seat(to), envelope })
    }

    /// Delivers until no message is in transit; `fate` returns what arrives of each message.
    pub fn run_with(&mut self, mut fate: impl FnMut(&World, Packet) -> Option<Packet>) {
        while let Some(packet) = self.queue.pop_front() {
            if let Some(packet) = fate(self, packet) {
                let _ = self.deliver(&packet);
            }
        }
    }

    pub fn run(&mut self) {
        self.run_with(|_, packet| Some(packet));
    }

    /// Moves time to the earliest timeout of a member, and wakes all.
    pub fn tick(&mut self) {
        let due = self.nodes.iter().flatten().filter_map(Machine::next_timeout).min();
        let Some(due) = due else { return };
        let by = due.saturating_sub(self.now.monotonic);
        self.now = later(self.now, by);
        for at in 0..self.n() {
            let now = self.now;
            if let Some(node) = self.nodes[at].as_mut() {
                node.handle_timeout(now);
            }
            self.collect(at);
        }
    }

    /// Runs for this long, or until no member waits for anything.
    pub fn run_for(
        &mut self,
        time: Duration,
        mut fate: impl FnMut(&World, Packet) -> Option<Packet>,
    ) {
        let end = self.now.monotonic + time;
        self.run_with(&mut fate);
        while self.now.monotonic < end
            && self.nodes.iter().flatten().any(|node| node.next_timeout().is_some())
        {
            self.tick();
            self.run_with(&mut fate);
        }
    }

    pub fn is_done(&self, at: usize) -> bool {
        self.nodes[at].as_ref().is_some_and(|node| node.group().is_some())
    }

    pub fn done(&self) -> usize {
        (0..self.n()).filter(|at| self.is_done(*at)).count()
    }

    pub fn findings(&self, at: usize) -> Vec<Suspicion> {
        self.node(at).report().findings
    }

    pub fn phase(&self, at: usize) -> ReportPhase {
        self.node(at).report().phase
    }

    /// All have the same group, and each has the share of its seat.
    pub fn assert_one_group(&mut self) {
        assert_eq!(self.done(), self.n(), "{:?}", self.reports());
        let group = self.node(0).group().unwrap().clone();
        for at in 0..self.n() {
            assert_eq!(self.node(at).group().unwrap().id(), group.id());
            let share = self.node_mut(at).take_share().unwrap();
            group.check_seat_keys(seat(at), &identity(at), &share).unwrap();
            assert!(self.node_mut(at).take_share().is_none());
        }
    }

    pub fn reports(&self) -> Vec<roastery_protocol::keygen::Report> {
        self.nodes.iter().flatten().map(Keygen::report).collect()
    }
}

/// The findings of all honest nodes name these seats at most, alone or with another.
pub fn assert_only_guilty(world: &World, guilty: &[usize]) {
    for at in (0..world.n()).filter(|at| !guilty.contains(at)) {
        for finding in world.findings(at) {
            let named = match finding.suspect {
                Suspect::Seat(seat) => guilty.contains(&seat.index()),
                Suspect::Either { participant, coordinator } => {
                    guilty.contains(&participant.index()) || guilty.contains(&coordinator.index())
                }
                Suspect::Unknown => true,
            };
            assert!(named, "seat {at} says: {finding}");
        }
    }
}

/// A message of this kind with this content, whatever it is, signed by this seat.
pub fn sealed(world: &World, from: usize, kind: Kind, content: &[u8]) -> Envelope {
    let header = Header::new(kind, world.invitation.id(), from as u16);
    let mut bytes = vec![0; 64];
    bytes.extend(borsh::to_vec(&header).unwrap());
    bytes.extend(content);
    let digest = kind.tag().hash(&[&bytes[64..]]);
    let signature = signing_key(from).sign(&digest, &[0; 32]);
    bytes[..64].copy_from_slice(&signature.to_bytes());
    Envelope::parse(&bytes).unwrap()
}

/// A small generator; the same seed, the same fate.
pub struct Fate(pub u64);

impl Fate {
    pub fn next(&mut self, below: u64) -> u64 {
        let (factor, summand) = (6_364_136_223_846_793_005, 1_442_695_040_888_963_407);
        self.0 = self.0.wrapping_mul(factor).wrapping_add(summand);
        (self.0 >> 33) % below
    }
}

pub const MINUTE: Duration = Duration::from_secs(60);
