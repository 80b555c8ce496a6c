//! Nodes that hold several seats.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use proptest::prelude::*;
use roastery_frost::chilldkg::{ParticipantFault, ParticipantMsg1};
use roastery_protocol::{
    Seat, TranscriptHash,
    clock::Moment,
    group::{Member, NamedMember, PeerId},
    keygen::{
        Invitation, NodeKeygen, NodeOpenError, NodeOpening, OpenError, ReportPhase, SeatOpening,
        Seed, Settings, SignedTranscript, StopReason, Suspect,
        message::{Body, Envelope, Kind},
    },
    machine::{Destination, Machine, Output},
};
use zeroize::Zeroizing;

use super::world::{Fate, MINUTE, host, identity};
use roastery_testkit::{later, seat};

fn peer_of(node: usize) -> PeerId {
    PeerId::new(format!("node {node}")).unwrap()
}

/// A message from one node to another.
#[derive(Clone)]
struct Packet {
    from: usize,
    to: usize,
    envelope: Envelope,
}

/// Nodes of these weights; the seats of a node follow each other.
struct World {
    invitation: Invitation,
    seats: Vec<Vec<Seat>>,
    nodes: Vec<Option<NodeKeygen>>,
    /// What is stored, by seat.
    signed: Vec<Option<TranscriptHash>>,
    /// Records that are asked for and not stored yet, by node.
    records: VecDeque<(usize, SignedTranscript)>,
    queue: VecDeque<Packet>,
    sent: Vec<Packet>,
    now: Moment,
}

impl World {
    fn unopened(t: usize, weights: &[usize]) -> Self {
        let mut seats: Vec<Vec<Seat>> = Vec::new();
        let mut members = Vec::new();
        for (node, weight) in weights.iter().enumerate() {
            seats.push((members.len()..members.len() + weight).map(seat).collect());
            for seat in &seats[node] {
                let (host, peer) = (host(seat.index()), peer_of(node));
                let identity_key = identity(seat.index()).public_key();
                let binding = host.bind(&identity_key, &peer, 0);
                let host_key = host.public_key();
                let member = Member { host_key, identity_key, peer, sequence: 0, binding };
                let name = format!("member {node}").parse().unwrap();
                members.push(NamedMember { name, member });
            }
        }
        let n = members.len();
        World {
            invitation: Invitation::new("test", 0, t, members).unwrap(),
            seats,
            nodes: weights.iter().map(|_| None).collect(),
            signed: vec![None; n],
            records: VecDeque::new(),
            queue: VecDeque::new(),
            sent: Vec::new(),
            now: Moment {
                monotonic: Duration::from_secs(1000),
                wall: Duration::from_secs(1_800_000_000),
            },
        }
    }

    fn new(t: usize, weights: &[usize]) -> Self {
        let mut world = Self::unopened(t, weights);
        (0..weights.len()).for_each(|node| world.open(node));
        world
    }

    fn opening(&self, seats: impl IntoIterator<Item = Seat>) -> NodeOpening {
        let opening = |seat: Seat| SeatOpening {
            host: host(seat.index()),
            identity: Arc::new(identity(seat.index())),
            seed: Seed::from_bytes(Zeroizing::new([seat.index() as u8 + 1; 32])),
            signed: self.signed[seat.index()],
        };
        let seats = seats.into_iter().map(opening).collect();
        NodeOpening { invitation: self.invitation.clone(), seats, settings: Settings::default() }
    }

    fn open(&mut self, node: usize) {
        let opening = self.opening(self.seats[node].clone());
        self.nodes[node] = Some(NodeKeygen::open(opening, self.now).unwrap());
        self.collect(node);
    }

    fn collect(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].as_mut().and_then(Machine::poll_output) {
            match output {
                Output::Event(event) => assert!(self.seats[node].contains(&event.seat)),
                Output::Persist(record) => self.records.push_back((node, record)),
                Output::Send { to, bytes } => {
                    let receivers: Vec<usize> = match to {
                        Destination::Everyone => {
                            (0..self.nodes.len()).filter(|to| *to != node).collect()
                        }
                        Destination::Seat(seat) => {
                            let holds = |seats: &Vec<Seat>| seats.contains(&seat);
                            vec![self.seats.iter().position(holds).unwrap()]
                        }
                    };
                    assert!(!receivers.contains(&node), "what stays in the node is sent");
                    let envelope = Envelope::parse(&bytes).unwrap();
                    for to in receivers {
                        let packet = Packet { from: node, to, envelope: envelope.clone() };
                        self.sent.push(packet.clone());
                        self.queue.push_back(packet);
                    }
                }
            }
        }
    }

    /// Stores the oldest record that is asked for.
    fn store(&mut self) -> bool {
        let Some((node, record)) = self.records.pop_front() else { return false };
        let known = self.signed[record.seat.index()].replace(record.transcript);
        assert!(known.is_none_or(|known| known == record.transcript), "two transcripts");
        let now = self.now;
        if let Some(keygen) = &mut self.nodes[node] {
            keygen.persisted(record, true, now);
        }
        self.collect(node);
        true
    }

    /// Delivers and stores until there is nothing more to do.
    fn run(&mut self, mut fate: impl FnMut(&World, Packet) -> Packet) {
        loop {
            if let Some(packet) = self.queue.pop_front() {
                let packet = fate(self, packet);
                let (from, now) = (peer_of(packet.from), self.now);
                if let Some(keygen) = &mut self.nodes[packet.to] {
                    let _ = keygen.handle_message(&from, packet.envelope.as_bytes(), now);
                }
                self.collect(packet.to);
            } else if !self.store() {
                return;
            }
        }
    }

    fn run_for(&mut self, time: Duration, mut fate: impl FnMut(&World, Packet) -> Packet) {
        let end = self.now.monotonic + time;
        loop {
            self.run(&mut fate);
            if !self.tick(end) {
                return;
            }
        }
    }

    /// Moves time to the earliest timeout before this one, and wakes all.
    fn tick(&mut self, end: Duration) -> bool {
        let due = self.nodes.iter().flatten().filter_map(Machine::next_timeout).min();
        let Some(due) = due.filter(|due| *due < end) else { return false };
        self.now = later(self.now, due.saturating_sub(self.now.monotonic));
        for node in 0..self.nodes.len() {
            if let Some(keygen) = &mut self.nodes[node] {
                keygen.handle_timeout(self.now);
            }
            self.collect(node);
        }
        true
    }

    fn assert_one_group(&mut self) {
        let mut groups = Vec::new();
        for (node, seats) in self.seats.iter().enumerate() {
            let keygen = self.nodes[node].as_mut().unwrap();
            let group = keygen.recovery_file().expect("a node is not done").group().clone();
            assert_eq!(keygen.report().phase, ReportPhase::Done(group.id()));
            let shares = keygen.take_shares().unwrap();
            assert!(shares.iter().map(|(seat, _)| seat).eq(seats));
            for (seat, share) in &shares {
                group.check_seat_keys(*seat, &identity(seat.index()), share).unwrap();
            }
            assert!(keygen.take_shares().is_none());
            groups.push(group.id());
        }
        assert!(groups.iter().all(|id| *id == groups[0]));
    }
}

fn honest(_: &World, packet: Packet) -> Packet {
    packet
}

#[test]
fn nodes_of_several_seats_come_to_one_group_and_each_seat_to_its_share_without_waiting() {
    for (t, weights) in [(3, &[3, 1, 1][..]), (2, &[2, 1]), (3, &[1, 2, 2]), (5, &[1, 4])] {
        let mut world = World::new(t, weights);
        world.run(honest);
        world.assert_one_group();
        for node in world.nodes.iter().flatten() {
            assert_eq!(node.report().findings, []);
            assert_eq!(node.next_timeout(), None);
        }
    }
}

#[test]
fn a_node_that_holds_all_seats_makes_the_key_alone_and_sends_nothing_to_another() {
    let mut world = World::new(2, &[3]);
    world.run(honest);
    world.assert_one_group();
    assert!(world.sent.is_empty());
}

#[test]
fn a_message_to_several_seats_of_one_node_leaves_once() {
    let mut world = World::unopened(2, &[1, 4]);
    world.open(0);
    // Its first message goes to coordinators that become live at the same time.
    for _ in 0..20 {
        let known = world.sent.len();
        let due = world.nodes[0].as_ref().unwrap().next_timeout().unwrap();
        world.now = later(world.now, due.saturating_sub(world.now.monotonic));
        let now = world.now;
        world.nodes[0].as_mut().unwrap().handle_timeout(now);
        world.collect(0);
        assert!(world.sent.len() <= known + 1);
    }
    assert!(world.sent.len() > 4);
}

#[test]
fn seats_of_one_node_that_were_stopped_between_two_records_sign_what_each_has_stored() {
    for stored in 0..=3 {
        let mut world = World::new(3, &[3, 1, 1]);
        while world.signed.iter().flatten().count() < stored {
            let Some(packet) = world.queue.pop_front() else {
                assert!(world.store());
                continue;
            };
            let (from, now) = (peer_of(packet.from), world.now);
            let node = world.nodes[packet.to].as_mut().unwrap();
            let _ = node.handle_message(&from, packet.envelope.as_bytes(), now);
            world.collect(packet.to);
        }
        world.nodes[0] = None;
        world.records.retain(|(node, _)| *node != 0);
        world.run_for(MINUTE, honest);
        world.open(0);
        world.run_for(10 * MINUTE, honest);
        world.assert_one_group();
    }
}

/// Each message is lost, delivered once or twice, in any order; records are stored late; and nodes
/// crash and come back with what each of their seats has stored.
fn storm(t: usize, weights: &[usize], seed: u64, loss: u64) -> World {
    let mut world = World::new(t, weights);
    let mut fate = Fate(seed);
    for _ in 0..400 {
        while !world.queue.is_empty() {
            let at = fate.next(world.queue.len() as u64) as usize;
            let packet = world.queue.remove(at).unwrap();
            if fate.next(100) < loss {
                continue;
            }
            let (from, now) = (peer_of(packet.from), world.now);
            let keygen = world.nodes[packet.to].as_mut().unwrap();
            let _ = keygen.handle_message(&from, packet.envelope.as_bytes(), now);
            world.collect(packet.to);
            if fate.next(10) == 0 {
                world.queue.push_back(packet);
            }
            if fate.next(4) == 0 {
                world.store();
            }
            if fate.next(40) == 0 {
                let node = fate.next(weights.len() as u64) as usize;
                world.records.retain(|(of, _)| *of != node);
                world.open(node);
            }
        }
        world.tick(Duration::MAX);
    }
    world.run_for(10 * MINUTE, honest);
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn loss_disorder_and_crashes_of_nodes_of_several_seats_end_in_one_group_and_blame_no_member(
        seed: u64,
        which in 0usize..4,
        loss in 0u64..60,
    ) {
        let weights = [&[3, 1, 1][..], &[2, 1], &[1, 2], &[2, 2]][which];
        let mut world = storm(2, weights, seed, loss);
        for node in world.nodes.iter().flatten() {
            assert_eq!(node.report().findings, []);
        }
        world.assert_one_group();
    }
}

#[test]
fn a_member_that_gives_one_seat_of_a_node_a_wrong_share_is_named_by_that_node_and_no_other_is() {
    for victim in 0..3 {
        let mut world = World::new(3, &[3, 1, 1]);
        world.run_for(10 * MINUTE, |world, packet| {
            let params = world.invitation.params();
            let sender = packet.envelope.sender(&world.invitation);
            if packet.envelope.kind() != Kind::FirstMessage || sender != Some(seat(4)) {
                return packet;
            }
            let mut content = packet.envelope.content().to_vec();
            let end = content.len() - 32 * (5 - 1 - victim);
            let scalar = &mut content[end - 32..end];
            let sum = roastery_frost::MaybeScalar::from_slice(scalar).unwrap();
            scalar.copy_from_slice(&(sum + roastery_frost::Scalar::one()).serialize());
            let body = Body::FirstMessage(ParticipantMsg1::parse(&content, params).unwrap());
            let id = world.invitation.id();
            Packet { envelope: Envelope::seal(id, seat(4), &body, &identity(4)), ..packet }
        });
        let fault = ParticipantFault::PartialSecshare;
        let report = world.nodes[0].as_ref().unwrap().report();
        let reason = StopReason::Faulty { seat: seat(4), fault };
        assert_eq!(report.phase, ReportPhase::Ended(reason), "seat {victim}");
        for keygen in world.nodes[..2].iter().flatten() {
            for finding in keygen.report().findings {
                let named = match finding.suspect {
                    Suspect::Seat(one) => one == seat(4),
                    Suspect::Either { participant, .. } => participant == seat(4),
                    Suspect::Unknown => true,
                };
                assert!(named, "{finding}");
            }
        }
    }
}

#[test]
fn a_node_waits_for_other_nodes_seats_and_says_so_once_of_each() {
    let mut world = World::unopened(3, &[3, 1, 1]);
    world.open(0);
    world.run_for(MINUTE, honest);
    let awaited = world.nodes[0].as_ref().unwrap().report().awaited;
    let mut told: Vec<_> = awaited.iter().map(|one| (one.seat, one.thing)).collect();
    assert!(told.iter().all(|(of, _)| [seat(3), seat(4)].contains(of)), "{told:?}");
    assert!(told.iter().any(|(of, _)| *of == seat(3)) && told.len() >= 2, "{told:?}");
    told.dedup();
    assert_eq!(told.len(), awaited.len());
}

#[test]
fn a_node_that_is_stopped_refuses_for_all_its_seats() {
    let mut world = World::new(3, &[3, 1, 1]);
    let now = world.now;
    world.nodes[0].as_mut().unwrap().stop(now);
    world.collect(0);
    world.run(honest);
    let report = world.nodes[0].as_ref().unwrap().report();
    assert_eq!(report.phase, ReportPhase::Ended(StopReason::Cancelled));
    let refusals = world.nodes[1].as_ref().unwrap().report().refusals;
    let refused: Vec<Seat> = refusals.into_iter().map(|(seat, _)| seat).collect();
    assert_eq!(refused, [seat(0), seat(1), seat(2)]);
}

#[test]
fn a_node_opens_seats_of_its_own_each_once() {
    let world = World::unopened(3, &[3, 1, 1]);
    let error = |opening| NodeKeygen::open(opening, world.now).map(drop).unwrap_err();
    let seats = |all: &[usize]| world.opening(all.iter().copied().map(seat));
    assert_eq!(error(seats(&[])), NodeOpenError::NoSeat);
    assert_eq!(error(seats(&[0, 1, 0])), NodeOpenError::Twice { seat: seat(0) });
    let other = NodeOpenError::OtherPeer { first: seat(0), second: seat(3) };
    assert_eq!(error(seats(&[0, 1, 3])), other);
    let mut stranger = seats(&[0]);
    stranger.seats[0].host = host(9);
    assert_eq!(error(stranger), NodeOpenError::Seat(OpenError::NotInvited));
}
