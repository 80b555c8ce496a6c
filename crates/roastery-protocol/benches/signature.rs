//! What one 3-of-5 signature costs all five nodes together, in one thread and in turns with the
//! bare cryptography of `frost-secp256k1-tr` (three commitments, three shares, one aggregation),
//! which has no frame, no record and no other node.
//!
//! All five approve at once. The stock is a part of the cost: it is shown again as it is used, so
//! one block is as many signatures as a batch has slots.

use std::{
    collections::{BTreeMap, VecDeque},
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use frost_secp256k1_tr as frost;
use rand_core_06::OsRng;
use roastery_protocol::{
    Seat,
    clock::Moment,
    group::{Group, PeerId},
    machine::{Destination, Link, Machine, Output},
    member::{
        engine::{FrostArithmetic, FrostEngine},
        machine::{Event, Member, Opening, RequestOrigin},
    },
    request::{ApprovedRequest, Derivation, MessageToSign, SigningRequest},
};
use roastery_testkit::{Fixture, Willing, later, peer, seat};

const SIGNERS: usize = 3;
const NODES: usize = 5;
/// Signatures in one block: a batch of stock.
const BLOCK: usize = 64;
const BLOCKS: usize = 21;

fn main() {
    let mut nodes = Nodes::new();
    let bare = Bare::new();
    // The first block is for caches, and for the first stock.
    (0..BLOCK).for_each(|_| nodes.sign());
    nodes.messages = 0;
    let mut blocks: [Vec<Duration>; 2] = Default::default();
    for round in 0..BLOCKS {
        for turn in 0..2 {
            let which = (round + turn) % 2;
            let taken = match which {
                0 => timed(|| (0..BLOCK).for_each(|_| nodes.sign())),
                _ => timed(|| (0..BLOCK).for_each(|_| bare.sign())),
            };
            blocks[which].push(taken);
        }
    }
    let [nodes_time, bare_time] = blocks.map(|mut times| {
        times.sort_unstable();
        times[BLOCKS / 2].as_secs_f64() * 1e6 / BLOCK as f64
    });
    println!(
        "one {SIGNERS}-of-{NODES} signature, all nodes together, median of {BLOCKS} blocks of {BLOCK}"
    );
    println!("{:<26} {:>10} {:>14}", "", "us", "by the bare");
    for (name, time) in [("five nodes", nodes_time), ("frost-secp256k1-tr, bare", bare_time)] {
        println!("{name:<26} {time:>10.1} {:>14.3}", time / bare_time);
    }
    let signatures = (BLOCKS * BLOCK) as f64;
    println!("{:.2} messages for a signature", nodes.messages as f64 / signatures);
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

type TestMember = Member<FrostEngine, FrostArithmetic>;

/// Five machines, and the messages between them.
struct Nodes {
    group: Arc<Group>,
    members: Vec<TestMember>,
    peers: Vec<PeerId>,
    queue: VecDeque<(Seat, Seat, Arc<[u8]>)>,
    now: Moment,
    signed: usize,
    number: u64,
    messages: usize,
}

impl Nodes {
    fn new() -> Self {
        let fixture = Fixture::new(SIGNERS, NODES);
        let now = fixture.now;
        let members = (0..NODES).map(seat).map(|seat| {
            let arithmetic = FrostArithmetic::new(fixture.group.keys().clone());
            let shares = [(seat, fixture.share(seat))];
            let mut random = seat.index() as u64;
            let opening = Opening {
                group: fixture.group.clone(),
                seats: vec![(seat, fixture.identities[seat.index()].clone())],
                last_incarnation: None,
                proofs: Vec::new(),
                engine: FrostEngine::new(arithmetic.clone(), shares),
                arithmetic,
                entropy: Box::new(move || {
                    random += NODES as u64;
                    Some(random.to_le_bytes())
                }),
            };
            Member::new(opening, now).expect("a member")
        });
        let mut world = Self {
            group: fixture.group.clone(),
            members: members.collect(),
            peers: (0..NODES).map(|at| peer(seat(at))).collect(),
            queue: VecDeque::new(),
            now,
            signed: 0,
            number: 0,
            messages: 0,
        };
        (0..NODES).for_each(|at| world.drain(at));
        for at in 0..NODES {
            for other in (0..NODES).filter(|other| *other != at) {
                let link = world.peers[other].clone();
                let trip = Link::RoundTrip(Duration::from_millis(1));
                world.members[at].handle_link(&link, trip, now);
                world.members[at].handle_link(&link, Link::Up, now);
            }
            world.drain(at);
        }
        world.run();
        world
    }

    fn sign(&mut self) {
        self.number += 1;
        self.now = later(self.now, Duration::from_millis(1));
        let mut id = [0; 32];
        id[..8].copy_from_slice(&self.number.to_le_bytes());
        let message = MessageToSign { message: id, derivation: Derivation::key_path_only() };
        let expiry = self.now.wall_seconds() + 3600;
        let request = SigningRequest::new(self.group.id(), id, expiry, vec![message]);
        let request = request.expect("a request");
        let approved = ApprovedRequest::obtain(request, &self.group, Arc::new(Willing), self.now);
        let approved = approved.expect("approved");
        for at in 0..NODES {
            let member = &mut self.members[at];
            member.open(approved.clone(), RequestOrigin::Proposed, self.now).expect("it opens");
            self.drain(at);
        }
        self.signed = 0;
        self.run();
        assert_eq!(self.signed, NODES);
    }

    fn run(&mut self) {
        while let Some((from, to, bytes)) = self.queue.pop_front() {
            self.messages += 1;
            let link = self.peers[from.index()].clone();
            // What a frame did not do is no error of the machine.
            let _ = self.members[to.index()].handle_message(&link, &bytes, self.now);
            self.drain(to.index());
        }
    }

    fn drain(&mut self, at: usize) {
        let from = seat(at);
        while let Some(output) = self.members[at].poll_output() {
            match output {
                Output::Event(Event::Signed(_)) => self.signed += 1,
                Output::Event(_) => {}
                Output::Persist(record) => self.members[at].persisted(record, true, self.now),
                Output::Send { to: Destination::Seat(to), bytes } => {
                    self.queue.push_back((from, to, bytes));
                }
                Output::Send { to: Destination::Everyone, bytes } => {
                    let others = (0..NODES).filter(|other| *other != at).map(seat);
                    self.queue.extend(others.map(|to| (from, to, bytes.clone())));
                }
            }
        }
    }
}

/// Three signers of another library, with nothing around them.
struct Bare {
    keys: Vec<frost::keys::KeyPackage>,
    group: frost::keys::PublicKeyPackage,
}

impl Bare {
    fn new() -> Self {
        let identifiers = frost::keys::IdentifierList::Default;
        let (n, t) = (NODES as u16, SIGNERS as u16);
        let (shares, group) =
            frost::keys::generate_with_dealer(n, t, identifiers, OsRng).expect("a group");
        let keys = shares.into_values().take(SIGNERS);
        let keys = keys.map(|share| frost::keys::KeyPackage::try_from(share).expect("a key"));
        Self { keys: keys.collect(), group }
    }

    fn sign(&self) {
        let (mut nonces, mut commitments) = (Vec::new(), BTreeMap::new());
        for key in &self.keys {
            let (secret, public) = frost::round1::commit(key.signing_share(), &mut OsRng);
            nonces.push(secret);
            commitments.insert(*key.identifier(), public);
        }
        let package = frost::SigningPackage::new(commitments, &[0x42; 32]);
        let shares = self.keys.iter().zip(&nonces).map(|(key, nonces)| {
            let share = frost::round2::sign(&package, nonces, key).expect("a share");
            (*key.identifier(), share)
        });
        let shares: BTreeMap<_, _> = shares.collect();
        black_box(frost::aggregate(&package, &shares, &self.group).expect("a signature"));
    }
}
