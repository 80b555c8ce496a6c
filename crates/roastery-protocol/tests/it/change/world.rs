//! A change of all members in one test: a queue between them, a store for each, and time that the
//! test moves.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::Seat;
use roastery_protocol::{
    ChangeTranscriptHash,
    change::{
        EpochOrder, Parent, Party, Plan, Role, Terms, UsedHostKeys,
        machine::{Change, Event, FrostEngine, Opening, Record, Rejected, Settings},
        message::{Body, Envelope, Kind},
    },
    clock::Moment,
    group::{Group, Member, NamedMember},
    keys::{HostKey, IdentityKey},
    machine::{Destination, Machine, Output},
};
use roastery_testkit::{Fixture, forge::SigningKeyOf, later, peer, seat};

pub use super::engine::TestEngine;

pub const MINUTE: Duration = Duration::from_secs(60);

/// The host key of a person for the plan.
pub fn host(person: usize) -> HostKey {
    HostKey::new(SigningKeyOf(110).at(person))
}

pub fn identity(person: usize) -> IdentityKey {
    IdentityKey::new(SigningKeyOf(1).at(person))
}

/// The keys of the further seats of a person are those of people that there are not.
const FURTHER: usize = 40;

/// The number under which the keys of each seat of this list are known: that of its person, and
/// for a further seat of one another one. The same further seats have the same numbers in each.
fn keys_of(people: &[usize]) -> Vec<usize> {
    let of = |at: usize| {
        let before = people[..at].iter().filter(|one| **one == people[at]).count();
        if before == 0 { people[at] } else { FURTHER + 10 * people[at] + before }
    };
    (0..people.len()).map(of).collect()
}

fn member(person: usize, key: usize, host: &HostKey) -> Member {
    let (identity_key, peer) = (identity(key).public_key(), peer(seat(person)));
    let binding = host.bind(&identity_key, &peer, 0);
    Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
}

fn named(person: usize, key: usize) -> NamedMember {
    let member = member(person, key, &host(key));
    NamedMember { name: format!("member {person}").parse().unwrap(), member }
}

pub type Machine1 = Change<TestEngine>;

/// A message in transit between two people.
#[derive(Clone, Debug)]
pub struct Packet {
    pub from: usize,
    pub to: usize,
    pub bytes: Arc<[u8]>,
}

impl Packet {
    pub fn envelope(&self) -> Envelope {
        Envelope::parse(&self.bytes).unwrap()
    }

    pub fn kind(&self) -> Kind {
        self.envelope().kind()
    }
}

/// What a node does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    Keeps,
    Refuses,
    /// Refuses what is signed.
    RefusesSigned,
    /// Takes long with what is signed, until the test says that it is kept.
    HoldsSigned,
    /// The node stops when it has kept its record of this number.
    StopsAfter(usize),
    /// The node stops instead of keeping its record of this number.
    StopsBefore(usize),
}

pub struct Node {
    pub machine: Option<Machine1>,
    pub stored: Vec<Record>,
    pub certificate: Option<Vec<u8>>,
    pub events: Vec<Event>,
    pub disk: Disk,
    pub finds_wrong: Option<Seat>,
    pub finds_wrong_at: Option<Seat>,
    pub takes_nothing: bool,
    pub held: Vec<Record>,
}

pub struct World {
    pub fixture: Fixture,
    pub plan: Plan,
    /// The people by old seat.
    pub old: Vec<usize>,
    /// The people by new seat.
    pub new: Vec<usize>,
    pub nodes: Vec<Node>,
    pub queue: VecDeque<Packet>,
    pub sent: Vec<Packet>,
    pub rejected: Vec<(usize, Rejected)>,
    pub now: Moment,
    pub current: EpochOrder,
    /// No later plan was approved, at a node that opens the change from now on.
    pub may_deal: bool,
}

impl World {
    /// A t-of-n that becomes a group of these people with another threshold. All have opened it.
    pub fn new(t: usize, n: usize, threshold: usize, new: &[usize]) -> Self {
        Self::excluding(t, n, threshold, new, &[])
    }

    pub fn excluding(
        t: usize,
        n: usize,
        threshold: usize,
        new: &[usize],
        excluded: &[usize],
    ) -> Self {
        Self::with_seats(t, &(0..n).collect::<Vec<_>>(), threshold, new, excluded)
    }

    /// These people by old seat and by new seat, some of them several times.
    pub fn with_seats(
        t: usize,
        old: &[usize],
        threshold: usize,
        new: &[usize],
        excluded: &[usize],
    ) -> Self {
        let n = old.len();
        let mut fixture = Fixture::new(t, n);
        let members = old.iter().zip(keys_of(old)).map(|(person, key)| {
            let host = HostKey::new(SigningKeyOf(109).at(key));
            member(*person, key, &host)
        });
        let (keys, code) = ((**fixture.group.keys()).clone(), *fixture.group.chain_code());
        fixture.group = Arc::new(Group::new(keys, code, members.collect()).unwrap());
        let terms = Terms {
            number: 1,
            threshold,
            expiry: fixture.now.wall_seconds() + 3600,
            excluded: excluded.iter().map(|at| seat(*at)).collect(),
            members: new.iter().zip(keys_of(new)).map(|(one, key)| named(*one, key)).collect(),
        };
        let plan = Plan::new(Parent::of(&fixture.group), terms).unwrap();
        let people = old.iter().chain(new).max().map_or(0, |most| most + 1);
        let node = || Node {
            machine: None,
            stored: Vec::new(),
            certificate: None,
            events: Vec::new(),
            disk: Disk::Keeps,
            finds_wrong: None,
            finds_wrong_at: None,
            takes_nothing: false,
            held: Vec::new(),
        };
        let now = fixture.now;
        World {
            fixture,
            plan,
            old: old.to_vec(),
            new: new.to_vec(),
            nodes: (0..people).map(|_| node()).collect(),
            queue: VecDeque::new(),
            sent: Vec::new(),
            rejected: Vec::new(),
            now,
            current: EpochOrder::GENERATED,
            may_deal: true,
        }
    }

    pub fn people(&self) -> std::ops::Range<usize> {
        0..self.nodes.len()
    }

    /// The seats of a person in this list, with the numbers of their keys.
    fn seats_in(people: &[usize], person: usize) -> Vec<(Seat, usize)> {
        let seats = people.iter().zip(keys_of(people)).enumerate();
        seats
            .filter(|(_, (one, _))| **one == person)
            .map(|(at, (_, key))| (seat(at), key))
            .collect()
    }

    pub fn new_seats(&self, person: usize) -> Vec<Seat> {
        Self::seats_in(&self.new, person).into_iter().map(|(seat, _)| seat).collect()
    }

    pub fn old_seats(&self, person: usize) -> Vec<Seat> {
        Self::seats_in(&self.old, person).into_iter().map(|(seat, _)| seat).collect()
    }

    fn person(&self, party: Party) -> usize {
        match party.role {
            Role::Old => self.old[party.seat.index()],
            Role::New => self.new[party.seat.index()],
        }
    }

    pub fn opening(&self, person: usize) -> Opening<TestEngine> {
        let old = Self::seats_in(&self.old, person).into_iter();
        let new = Self::seats_in(&self.new, person).into_iter();
        let frost = FrostEngine::new(
            old.clone().map(|(seat, _)| (seat, self.fixture.share(seat))),
            new.clone().map(|(seat, key)| (seat, host(key))),
        );
        let with_key = |(seat, key)| (seat, Arc::new(identity(key)));
        let node = &self.nodes[person];
        let checked = self.plan.check(&self.fixture.group, &UsedHostKeys::default(), self.now);
        Opening {
            plan: self.plan.clone(),
            parent: self.fixture.group.clone(),
            place: EpochOrder::GENERATED,
            old: old.map(with_key).collect(),
            new: new.map(with_key).collect(),
            engine: TestEngine {
                frost,
                finds_wrong: node.finds_wrong,
                finds_wrong_at: node.finds_wrong_at,
                takes_nothing: node.takes_nothing,
                asked: 0,
                accepted: 0,
            },
            approving: 0,
            may_deal: self.may_deal,
            deadline: checked.unwrap_or(self.now.monotonic),
            current: self.current,
            stored: node.stored.clone(),
            certificate: node.certificate.clone(),
            settings: Settings::default(),
        }
    }

    /// Opens the change at a node, or opens it again with what is stored.
    pub fn open(&mut self, person: usize) {
        let machine = Change::open(self.opening(person), self.now).unwrap();
        self.nodes[person].machine = Some(machine);
        self.collect(person);
    }

    pub fn open_all(&mut self) {
        self.people().for_each(|person| self.open(person));
    }

    /// Everybody decides for the plan.
    pub fn decide(&mut self) {
        for person in self.people() {
            self.decide_one(person);
        }
    }

    pub fn decide_one(&mut self, person: usize) {
        self.approve(person);
        self.with(person, Change::accept);
    }

    pub fn approve(&mut self, person: usize) {
        self.with(person, Change::approve);
    }

    pub fn with<T>(
        &mut self,
        person: usize,
        act: impl FnOnce(&mut Machine1, Moment) -> T,
    ) -> Option<T> {
        let now = self.now;
        let result = self.nodes[person].machine.as_mut().map(|machine| act(machine, now));
        self.collect(person);
        result
    }

    pub fn machine(&self, person: usize) -> &Machine1 {
        self.nodes[person].machine.as_ref().unwrap()
    }

    /// Takes out all outputs of a node.
    pub fn collect(&mut self, person: usize) {
        loop {
            let Some(machine) = &mut self.nodes[person].machine else { return };
            let Some(output) = machine.poll_output() else { return };
            match output {
                Output::Send { to, bytes } => {
                    let reached: BTreeSet<usize> = match to {
                        Destination::Seat(party) => [self.person(party)].into(),
                        Destination::Everyone => self.people().filter(|to| *to != person).collect(),
                    };
                    assert!(!reached.contains(&person), "a node sends nothing to itself");
                    for to in reached {
                        let packet = Packet { from: person, to, bytes: bytes.clone() };
                        self.sent.push(packet.clone());
                        self.queue.push_back(packet);
                    }
                }
                Output::Persist(record) => self.persist(person, record),
                Output::Event(event) => self.nodes[person].events.push(event),
            }
        }
    }

    fn persist(&mut self, person: usize, record: Record) {
        let (now, new_seats) = (self.now, self.new_seats(person));
        let node = &mut self.nodes[person];
        let number = node.stored.len();
        if node.disk == Disk::StopsBefore(number) {
            node.machine = None;
            return;
        }
        let is_signed = matches!(record, Record::Signed { .. });
        if node.disk == Disk::HoldsSigned && is_signed {
            node.held.push(record);
            return;
        }
        let kept = node.disk != Disk::Refuses && !(node.disk == Disk::RefusesSigned && is_signed);
        let machine = node.machine.as_mut().unwrap();
        if kept {
            if let Record::Signed { transcript, .. } = &record {
                let taken =
                    |seat: &Seat| machine.engine().frost.share(*transcript, *seat).is_some();
                assert!(new_seats.iter().all(taken), "a share of each seat");
            }
            if let Record::Certified(_) = &record {
                node.certificate = machine.certificate().map(|one| one.to_bytes());
            }
            node.stored.push(record.clone());
        }
        if node.disk == Disk::StopsAfter(number) {
            node.machine = None;
            return;
        }
        machine.persisted(record, kept, now);
    }

    /// A message of the plan by a seat of this person.
    pub fn sealed(&self, person: usize, sender: Party, body: &Body) -> Arc<[u8]> {
        let people = if sender.role == Role::Old { &self.old } else { &self.new };
        let seats = Self::seats_in(people, person);
        let (_, key) = seats.into_iter().find(|(seat, _)| *seat == sender.seat).unwrap();
        Envelope::seal(self.plan.id(), sender, body, &identity(key)).as_bytes().clone()
    }

    /// From now on a store works, and keeps what it has held back.
    pub fn mend(&mut self, person: usize) {
        self.nodes[person].disk = Disk::Keeps;
        for record in std::mem::take(&mut self.nodes[person].held) {
            self.persist(person, record);
        }
        self.collect(person);
    }

    pub fn deliver(&mut self, packet: &Packet) -> Result<(), Rejected> {
        let (from, now) = (peer(seat(packet.from)), self.now);
        let Some(machine) = &mut self.nodes[packet.to].machine else { return Ok(()) };
        let result = machine.handle_message(&from, &packet.bytes, now);
        if let Err(error) = &result {
            self.rejected.push((packet.to, error.clone()));
        }
        self.collect(packet.to);
        result
    }

    /// Goes on for this time at most, until nothing is left to do; each message goes through
    /// `fate`, which may lose it.
    pub fn run_with(&mut self, time: Duration, mut fate: impl FnMut(&Packet) -> bool) {
        let end = self.now.monotonic + time;
        loop {
            while let Some(packet) = self.queue.pop_front() {
                if fate(&packet) {
                    let _ = self.deliver(&packet);
                }
            }
            let machines = self.nodes.iter().filter_map(|node| node.machine.as_ref());
            let due = machines.filter_map(Machine::next_timeout).min();
            let Some(due) = due.filter(|due| *due <= end) else { return };
            let passed = due.saturating_sub(self.now.monotonic);
            self.now = later(self.now, passed);
            for person in self.people() {
                self.with(person, |machine, now| {
                    if machine.next_timeout().is_some_and(|due| due <= now.monotonic) {
                        machine.handle_timeout(now);
                    }
                });
            }
        }
    }

    pub fn run(&mut self) {
        self.run_with(10 * MINUTE, |_| true);
    }

    pub fn certified(&self) -> usize {
        let certified = |node: &&Node| node.certificate.is_some();
        self.nodes.iter().filter(certified).count()
    }

    /// Everybody has one certificate, the new group has the old key, and each new member its share,
    /// which the host key alone gives back.
    pub fn assert_one_epoch(&self) -> Group {
        let certificates: BTreeSet<_> =
            self.nodes.iter().map(|node| node.certificate.clone().expect("certified")).collect();
        let hashes: BTreeSet<_> = self
            .people()
            .map(|at| *self.machine(at).certificate().unwrap().transcript().hash())
            .collect();
        assert_eq!(hashes.len(), 1, "{} certificates", certificates.len());
        let old = &self.fixture.group;
        for person in self.people() {
            let group = self.machine(person).group().unwrap();
            assert_eq!(group.key_id(), old.key_id());
            assert_ne!(group.id(), old.id());
            assert_eq!((group.epoch().number(), group.epoch().plan()), (1, self.plan.id()));
            assert_eq!(
                (group.threshold(), group.size()),
                (self.plan.threshold(), self.plan.size())
            );
            for seat in self.new_seats(person) {
                let machine = self.machine(person);
                let certificate = machine.certificate().unwrap();
                let secret = machine.engine().frost.host_key(seat).unwrap();
                let recovered = certificate.recover(secret).unwrap();
                assert!(recovered.share().matches(group.keys(), seat));
                let hash = ChangeTranscriptHash::from_bytes(*certificate.transcript().hash());
                if let Some(share) = machine.engine().frost.share(hash, seat) {
                    assert_eq!(share.expose_bytes(), recovered.share().expose_bytes());
                }
            }
        }
        self.machine(0).group().unwrap()
    }

    /// No dealer has two heads, and no member has signed two transcripts of one coordinator,
    /// whatever was sent.
    pub fn assert_consistent(&self) {
        let mut heads: BTreeMap<usize, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let mut signed: BTreeMap<(Seat, usize), BTreeSet<Vec<u8>>> = BTreeMap::new();
        for packet in &self.sent {
            let envelope = packet.envelope();
            let content = envelope.content();
            match envelope.kind() {
                // All but the signature at the end, which is hedged.
                Kind::Dealing => {
                    let sender = envelope.header().party().unwrap().seat.index();
                    heads.entry(sender).or_default().insert(content[..content.len() - 64].to_vec());
                }
                Kind::Signature => {
                    let of = (envelope.header().party().unwrap().seat, packet.to);
                    signed.entry(of).or_default().insert(content[..32].to_vec());
                }
                _ => {}
            }
        }
        assert!(heads.values().all(|heads| heads.len() == 1), "one head of each dealer");
        assert!(signed.values().all(|signed| signed.len() == 1), "one transcript for each");
    }

    pub fn sent_of(&self, kind: Kind) -> Vec<&Packet> {
        self.sent.iter().filter(|packet| packet.kind() == kind).collect()
    }
}
