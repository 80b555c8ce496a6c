//! Nodes with the switch of one key: a queue between them, a store for each, and epochs that are
//! certified at once.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{
    Seat, SecretShare,
    change::{Certificate, Dealing, Transcript},
};
use roastery_protocol::{
    ChangeTranscriptHash, PlanId,
    change::{
        EpochFile, EpochOrder, Parent, PersonsWord, Plan, Terms,
        machine::{Engine, FrostEngine, Settings},
        switch::{Event, Opening, Record, Rejected, Switch, Wish},
    },
    clock::Moment,
    group::{Group, Member, NamedMember, PeerId},
    keys::{HostKey, IdentityKey},
    machine::{Destination, Machine, Output},
    member::Incarnation,
};
use roastery_testkit::{Fixture, forge::SigningKeyOf, later, peer, seat};

pub const MINUTE: Duration = Duration::from_secs(60);

pub fn identity(person: usize) -> IdentityKey {
    IdentityKey::new(SigningKeyOf(1).at(person))
}

/// The host key of a person for the plan that is made as this one of all.
fn host(person: usize, plan: u8) -> HostKey {
    HostKey::new(SigningKeyOf(110 + plan).at(person))
}

/// The host key of a person in an epoch.
pub fn host_of(person: usize, epoch: &Epoch) -> HostKey {
    host(person, epoch.made)
}

pub fn peer_of(person: usize) -> PeerId {
    peer(seat(person))
}

/// An epoch that exists, with the shares of all its members by person.
#[derive(Clone)]
pub struct Epoch {
    pub plan: Plan,
    pub certificate: Certificate,
    pub order: EpochOrder,
    pub group: Arc<Group>,
    pub people: Vec<usize>,
    shares: BTreeMap<usize, Vec<u8>>,
    /// As which plan of all it was made.
    made: u8,
}

impl Epoch {
    pub fn share_of(&self, person: usize) -> Vec<u8> {
        self.shares[&person].clone()
    }
}

pub struct Node {
    pub machine: Option<Switch>,
    pub stored: Vec<Record>,
    pub files: Vec<EpochFile>,
    pub held: BTreeSet<EpochOrder>,
    pub words: BTreeMap<PlanId, PersonsWord>,
    pub events: Vec<Event>,
    /// Its store has neither share nor host key of what it is to adopt.
    pub lacks: bool,
    /// Its store cannot read its shares.
    pub unread: bool,
    /// How often it has read a share again that it had adopted.
    pub reads: usize,
    /// Its store cannot keep these files.
    pub refuses: BTreeSet<EpochOrder>,
    /// It stops when it has stored its record of this number, or before that.
    pub stops: Option<(usize, bool)>,
    pub starts: u64,
}

pub struct World {
    pub fixture: Fixture,
    pub nodes: Vec<Node>,
    pub queue: VecDeque<(usize, usize, Arc<[u8]>)>,
    pub sent: Vec<(usize, usize, Arc<[u8]>)>,
    pub now: Moment,
    made: u8,
}

impl World {
    /// A t-of-n in epoch 0 and so many people in all. All of the group have opened the switch.
    pub fn new(t: usize, n: usize, people: usize) -> Self {
        let fixture = Fixture::new(t, n);
        let root = EpochOrder::of_root(&fixture.group);
        let node = |person| Node {
            machine: None,
            stored: Vec::new(),
            files: Vec::new(),
            held: if person < n { BTreeSet::from([root]) } else { BTreeSet::new() },
            words: BTreeMap::new(),
            events: Vec::new(),
            lacks: false,
            unread: false,
            reads: 0,
            refuses: BTreeSet::new(),
            stops: None,
            starts: 0,
        };
        let now = fixture.now;
        let nodes = (0..people).map(node).collect();
        let (queue, sent) = (VecDeque::new(), Vec::new());
        let mut world = Self { fixture, nodes, queue, sent, now, made: 0 };
        (0..n).for_each(|person| world.open(person));
        world
    }

    pub fn root(&self) -> Epoch0 {
        Epoch0(self.fixture.group.clone())
    }

    pub fn open(&mut self, person: usize) {
        self.open_with(person, self.fixture.group.clone());
    }

    /// Opens the switch at a node that knows this group first.
    pub fn open_with(&mut self, person: usize, root: Arc<Group>) {
        let node = &mut self.nodes[person];
        node.starts += 1;
        let opening = Opening {
            root,
            identities: vec![Arc::new(identity(person))],
            files: node.files.clone(),
            held: node.held.clone(),
            words: node.words.clone(),
            stored: node.stored.clone(),
            incarnation: Incarnation::after(None, node.starts, [0; 8]),
            settings: Settings::default(),
        };
        node.machine = Some(Switch::open(opening, self.now).unwrap());
        self.collect(person);
    }

    /// The certified epoch that a plan of this parent makes of these people, with dealings of these
    /// old seats. Its number is the plan's.
    pub fn certify(
        &mut self,
        parent: &impl Base,
        number: u32,
        threshold: usize,
        people: &[usize],
    ) -> Epoch {
        self.made += 1;
        let made = self.made;
        let card = |person: &usize| {
            let (identity_key, host) = (identity(*person).public_key(), host(*person, made));
            let peer = peer_of(*person);
            let binding = host.bind(&identity_key, &peer, 0);
            let host_key = host.public_key();
            let member = Member { host_key, identity_key, peer, sequence: 0, binding };
            NamedMember { name: format!("member {person}").parse().unwrap(), member }
        };
        let expiry = self.now.wall_seconds() + 3600;
        let members = people.iter().map(card).collect();
        let terms = Terms { number, threshold, expiry, excluded: Vec::new(), members };
        let plan = Plan::new(Parent::of(&parent.group()), terms).unwrap();
        let mut dealers = parent.dealers(&self.fixture);
        dealers.truncate(parent.group().threshold());
        finish(plan, &parent.group(), dealers, made, people)
    }

    /// Another epoch that the plan of this one makes, with dealings of the last old seats.
    pub fn certify_again(&self, parent: &impl Base, epoch: &Epoch) -> Epoch {
        let mut dealers = parent.dealers(&self.fixture);
        dealers.drain(..dealers.len() - parent.group().threshold());
        finish(epoch.plan.clone(), &parent.group(), dealers, epoch.made, &epoch.people)
    }

    pub fn with<T>(&mut self, person: usize, act: impl FnOnce(&mut Switch, Moment) -> T) -> T {
        let now = self.now;
        let result = act(self.nodes[person].machine.as_mut().unwrap(), now);
        self.collect(person);
        result
    }

    pub fn machine(&self, person: usize) -> &Switch {
        self.nodes[person].machine.as_ref().unwrap()
    }

    /// A change has come to this epoch at a node.
    pub fn certified(&mut self, person: usize, epoch: &Epoch) {
        self.with(person, |machine, now| {
            machine.certified(&epoch.plan, &epoch.certificate, now).unwrap();
        });
    }

    pub fn approve(&mut self, person: usize, epoch: &Epoch) {
        let plan = epoch.plan.id();
        self.nodes[person].words.insert(plan, PersonsWord::Approved);
        self.with(person, |machine, _| machine.decided(plan, PersonsWord::Approved));
    }

    /// The member of this person has another identity key in an epoch, and all hear of it.
    pub fn rebind(&mut self, person: usize, epoch: &Epoch) -> Arc<IdentityKey> {
        let key = Arc::new(identity(person + 50));
        let at = epoch.people.iter().position(|one| *one == person).unwrap();
        let mut member = epoch.group.members()[at].clone();
        (member.identity_key, member.sequence) = (key.public_key(), member.sequence + 1);
        let host = host(person, epoch.made);
        member.binding = host.bind(&member.identity_key, &member.peer, member.sequence);
        let group = Arc::new(epoch.group.rebind(member).unwrap());
        for node in 0..self.nodes.len() {
            self.with(node, |machine, _| machine.rebound(group.clone()));
        }
        key
    }

    /// The person wishes to erase what the epoch supersedes that is current at its node.
    pub fn erase(&mut self, person: usize, wish: Wish) -> usize {
        self.with(person, |machine, now| machine.erase(machine.current(), wish, now)).unwrap()
    }

    fn collect(&mut self, person: usize) {
        loop {
            let Some(machine) = &mut self.nodes[person].machine else { return };
            let Some(output) = machine.poll_output() else { return };
            match output {
                Output::Send { to: Destination::Seat(to), bytes } => {
                    let to = (0..self.nodes.len()).find(|one| peer_of(*one) == to).unwrap();
                    assert_ne!(to, person, "a node sends nothing to itself");
                    self.sent.push((person, to, bytes.clone()));
                    self.queue.push_back((person, to, bytes));
                }
                Output::Send { to: Destination::Everyone, .. } => panic!("to everyone"),
                Output::Persist(record) => self.persist(person, record),
                Output::Event(event) => self.nodes[person].events.push(event),
            }
        }
    }

    fn persist(&mut self, person: usize, record: Record) {
        let now = self.now;
        let node = &mut self.nodes[person];
        let number = node.stored.len();
        if node.stops == Some((number, false)) {
            node.machine = None;
            return;
        }
        let machine = node.machine.as_mut().unwrap();
        match record {
            Record::Certified(epoch) if node.refuses.contains(&epoch) => {
                return machine.persisted(record, false, now);
            }
            Record::Certified(epoch) => {
                node.files.push(machine.lineage().get(epoch).unwrap().file());
            }
            Record::Adopted(epoch) if node.lacks => return machine.lacks(epoch, now),
            Record::Adopted(_) if node.unread => return machine.persisted(record, false, now),
            Record::Adopted(epoch) if machine.is_adopted(epoch) => {
                node.reads += 1;
                return machine.persisted(record, true, now);
            }
            Record::Adopted(epoch) => {
                node.held.insert(epoch);
            }
            Record::Erased { what, .. } => assert!(node.held.remove(&what)),
            Record::Acknowledged(_) => {}
        }
        node.stored.push(record);
        if node.stops == Some((number, true)) {
            node.machine = None;
            return;
        }
        machine.persisted(record, true, now);
    }

    pub fn deliver(&mut self, from: usize, to: usize, bytes: &[u8]) -> Result<(), Rejected> {
        let now = self.now;
        let Some(machine) = &mut self.nodes[to].machine else { return Ok(()) };
        let result = machine.handle_message(&peer_of(from), bytes, now);
        self.collect(to);
        result
    }

    /// Goes on for this time; `passes` tells whether a message arrives.
    pub fn run_with(&mut self, time: Duration, mut passes: impl FnMut(usize, usize) -> bool) {
        let end = self.now.monotonic + time;
        loop {
            while let Some((from, to, bytes)) = self.queue.pop_front() {
                if passes(from, to) {
                    let _ = self.deliver(from, to, &bytes);
                }
            }
            let machines = self.nodes.iter().filter_map(|node| node.machine.as_ref());
            let due = machines.filter_map(Machine::next_timeout).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            self.now = later(self.now, due.saturating_sub(self.now.monotonic));
            let up = (0..self.nodes.len()).filter(|one| self.nodes[*one].machine.is_some());
            for person in up.collect::<Vec<_>>() {
                self.with(person, |machine, now| machine.handle_timeout(now));
            }
        }
        self.now = later(self.now, end.saturating_sub(self.now.monotonic));
    }

    pub fn run(&mut self) {
        self.run_with(MINUTE, |_, _| true);
    }

    pub fn has_adopted(&self, person: usize, epoch: &Epoch) -> bool {
        self.machine(person).is_adopted(epoch.order)
    }
}

/// What a plan changes: its group, and the shares of its members.
pub trait Base {
    fn group(&self) -> Arc<Group>;
    fn dealers(&self, fixture: &Fixture) -> Vec<(Seat, SecretShare)>;
}

/// The group of the key generation.
pub struct Epoch0(Arc<Group>);

impl Base for Epoch0 {
    fn group(&self) -> Arc<Group> {
        self.0.clone()
    }

    fn dealers(&self, fixture: &Fixture) -> Vec<(Seat, SecretShare)> {
        (0..self.0.size()).map(|at| (seat(at), fixture.share(seat(at)))).collect()
    }
}

impl Base for Epoch {
    fn group(&self) -> Arc<Group> {
        self.group.clone()
    }

    fn dealers(&self, _: &Fixture) -> Vec<(Seat, SecretShare)> {
        let share = |(at, person): (usize, &usize)| {
            let bytes: [u8; 32] = self.shares[person].clone().try_into().unwrap();
            (seat(at), SecretShare::from_bytes(bytes.into()).unwrap())
        };
        self.people.iter().enumerate().map(share).collect()
    }
}

fn finish(
    plan: Plan,
    parent: &Group,
    dealers: Vec<(Seat, SecretShare)>,
    made: u8,
    people: &[usize],
) -> Epoch {
    let hosts = people.iter().map(|person| host(*person, made));
    let params = plan.params(parent).unwrap();
    let deal = |(seat, share)| FrostEngine::new([(seat, share)], None).deal(&params, seat).unwrap();
    let dealings: Vec<Dealing> = dealers.into_iter().map(deal).collect();
    let dealings: Vec<&Dealing> = dealings.iter().collect();
    let transcript = Transcript::new(&params, &dealings).unwrap();
    let hash = ChangeTranscriptHash::from_bytes(*transcript.hash());
    let (mut signatures, mut shares) = (Vec::new(), BTreeMap::new());
    for (seat, (host, person)) in plan.seats().zip(hosts.zip(people)) {
        let mut engine = FrostEngine::new(None, [(seat, host)]);
        signatures.push(engine.take(&transcript, &dealings, seat).unwrap());
        shares.insert(*person, engine.share(hash, seat).unwrap().expose_bytes().to_vec());
    }
    let certificate = Certificate::new(transcript, signatures).unwrap();
    let keys = certificate.transcript().group().clone();
    let epoch = roastery_protocol::group::Epoch::new(plan.epoch(), plan.id()).unwrap();
    let members = plan.members().to_vec();
    let group = Group::in_epoch(epoch, keys, *parent.chain_code(), members).unwrap();
    let order = EpochOrder::of(&plan, hash);
    let (group, people) = (Arc::new(group), people.to_vec());
    Epoch { plan, certificate, order, group, people, shares, made }
}
