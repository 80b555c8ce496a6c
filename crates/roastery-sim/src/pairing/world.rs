use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use roastery_frost::Seat;
use roastery_protocol::{
    clock::Moment,
    group::{Name, PeerId},
    machine::{Destination, Link, Machine as _, Output},
    pairing::{
        EndReason, Frame, Invite, MAX_FRAME, MOST_ATTEMPTS, Own, Pairing, Reveal, Seats,
        Whereabouts,
        fake::{self, peer},
    },
};

use super::Invariant;
use crate::violation::Violation;

pub(super) type Checked<T = ()> = Result<T, Violation<Invariant>>;

/// When a pairing begins, in seconds since 1970.
const START: u64 = 1_795_000_000;

/// The names of the members, by seat.
const NAMES: [&str; 5] = ["anna", "bert", "cleo", "dora", "emil"];

pub(super) fn name(seat: usize) -> Name {
    NAMES[seat].parse().expect("it is a name")
}

pub(super) fn seat(number: usize) -> Seat {
    Seat::new(number as u32).expect("there are few members")
}

pub(super) fn whereabouts(key: u8) -> Whereabouts {
    fake::whereabouts(key, START)
}

/// What a node brings; its random numbers follow from the seed and how many were drawn.
pub(super) fn own(key: u8, seed: u64) -> Own {
    fake::own(key, START, seed)
}

pub(super) fn at(since: Duration) -> Moment {
    Moment { monotonic: since, wall: Duration::from_secs(START) + since }
}

/// A node: its machine, its disk, and which numbers have left it.
pub(super) struct Node {
    key: u8,
    pub(super) machine: Pairing,
    stored: Vec<u8>,
    revealed: Vec<Reveal>,
}

impl Node {
    pub(super) fn new(key: u8, machine: Pairing) -> Self {
        Self { key, machine, stored: Vec::new(), revealed: Vec::new() }
    }

    pub(super) fn reveals(&self) -> usize {
        self.revealed.len()
    }

    /// Takes all outputs. A number that leaves must be on the disk, and the only one of its
    /// attempt.
    pub(super) fn turn(&mut self, now: Moment) -> Checked<Vec<(PeerId, Vec<u8>)>> {
        let mut sent = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { to: Destination::Seat(to), bytes } => {
                    if let Ok(Frame::Reveal(reveal)) = Frame::decode(&bytes, MAX_FRAME)
                        && self.machine.own_seat() == Some(reveal.seat)
                    {
                        self.check_reveal(reveal)?;
                    }
                    sent.push((to, bytes.to_vec()));
                }
                Output::Persist(record) => {
                    self.stored = record.as_bytes().to_vec();
                    self.machine.persisted(record, true, now);
                }
                Output::Send { to: Destination::Everyone, .. } | Output::Event(_) => {}
            }
        }
        Ok(sent)
    }

    fn check_reveal(&mut self, reveal: Reveal) -> Checked {
        let random = reveal.random.expose();
        if !self.stored.windows(random.len()).any(|part| part == random) {
            return Err(Violation::of(Invariant::Stored, format!("node {}", self.key)));
        }
        if self.revealed.contains(&reveal) {
            return Ok(());
        }
        let again = self.revealed.iter().any(|known| known.attempt == reveal.attempt);
        self.revealed.push(reveal);
        match again || self.revealed.len() > usize::from(MOST_ATTEMPTS) {
            true => Err(Violation::of(
                Invariant::Reveals,
                format!("node {}: {} numbers", self.key, self.revealed.len()),
            )),
            false => Ok(()),
        }
    }

    pub(super) fn restart(&mut self, seed: u64, now: Moment) -> Checked {
        let restored = Pairing::restore(&self.stored, own(self.key, seed), now);
        let restored =
            restored.map_err(|error| Violation::of(Invariant::Stored, error.to_string()));
        self.machine = restored?;
        Ok(())
    }
}

/// An inviter and its joiners, connected in a star.
pub(super) struct World {
    pub(super) now: Moment,
    pub(super) nodes: BTreeMap<PeerId, Node>,
    pub(super) inviter: PeerId,
    queue: VecDeque<(PeerId, PeerId, Vec<u8>)>,
    pub(super) delivered: u32,
}

impl World {
    /// Nodes with these keys, by seat.
    pub(super) fn new(keys: &[u8], threshold: u16, seed: u64) -> Self {
        let now = at(Duration::ZERO);
        let invite = Invite {
            group: "treasury".parse().expect("it is a name"),
            threshold,
            names: (0..keys.len()).map(name).collect(),
            key: [keys[0]; 32],
            addresses: Vec::new(),
            seconds: 86_400,
        };
        let inviter = peer(keys[0]);
        let machine = Pairing::invite(&invite, own(keys[0], seed), now).expect("the terms hold");
        let lines: Vec<_> = machine.lines().into_iter().map(|(_, line)| line.clone()).collect();
        let mut nodes = BTreeMap::from([(inviter.clone(), Node::new(keys[0], machine))]);
        for (key, line) in keys[1..].iter().zip(lines) {
            let machine = Pairing::join(line, inviter.clone(), own(*key, seed), now);
            nodes.insert(peer(*key), Node::new(*key, machine.expect("the line is new")));
        }
        Self { now, nodes, inviter, queue: VecDeque::new(), delivered: 0 }
    }

    pub(super) fn node(&mut self, key: u8) -> &mut Node {
        self.nodes.get_mut(&peer(key)).expect("the node is there")
    }

    pub(super) fn joiners(&self) -> Vec<PeerId> {
        self.nodes.keys().filter(|peer| **peer != self.inviter).cloned().collect()
    }

    pub(super) fn link(&mut self, joiner: &PeerId, link: Link) {
        if link == Link::Down {
            self.queue.retain(|(from, to, _)| from != joiner && to != joiner);
        }
        let (now, inviter) = (self.now, self.inviter.clone());
        for (at, other) in [(&inviter, joiner), (joiner, &inviter)] {
            if let Some(node) = self.nodes.get_mut(at) {
                node.machine.handle_link(other, link, now);
            }
        }
    }

    /// Takes what leaves the nodes.
    pub(super) fn collect(&mut self) -> Checked {
        for (from, node) in &mut self.nodes {
            let sent = node.turn(self.now)?;
            self.queue.extend(sent.into_iter().map(|(to, bytes)| (from.clone(), to, bytes)));
        }
        Ok(())
    }

    /// Delivers the next message, if there is one.
    pub(super) fn deliver(&mut self) -> Checked<bool> {
        self.collect()?;
        let Some((from, to, bytes)) = self.queue.pop_front() else { return Ok(false) };
        self.delivered += 1;
        if let Some(node) = self.nodes.get_mut(&to) {
            // What a message did not do is said in the error, and is no error of this node.
            let _ = node.machine.handle_message(&from, &bytes, self.now);
        }
        Ok(true)
    }

    pub(super) fn settle(&mut self) -> Checked {
        while self.deliver()? {}
        Ok(())
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = at(self.now.monotonic + time);
        self.nodes.values_mut().for_each(|node| node.machine.handle_timeout(self.now));
    }

    /// All people accept, and all nodes reach each other.
    pub(super) fn go_on(&mut self) {
        let members = self.nodes.len();
        for node in self.nodes.values_mut() {
            // There may be no offer yet.
            let _ = node.machine.accept(self.now);
            if let Some(own) = node.machine.own_seat() {
                let others = (0..members).map(seat).filter(|seat| *seat != own);
                node.machine.reached(others.collect::<Seats>(), self.now);
            }
        }
    }

    /// Until all words are there.
    pub(super) fn with_words(mut self) -> Checked<Self> {
        self.collect()?;
        for joiner in self.joiners() {
            self.link(&joiner, Link::Up);
        }
        self.until_words()?;
        Ok(self)
    }

    pub(super) fn until_words(&mut self) -> Checked {
        for _ in 0..3 {
            self.settle()?;
            self.go_on();
        }
        self.settle()
    }

    /// The word that the person of this seat says, if there is one.
    pub(super) fn word(&self, key: u8) -> Option<&'static str> {
        self.nodes.get(&peer(key))?.machine.own_words().first().copied()
    }

    pub(super) fn reveals(&self) -> u32 {
        self.nodes.values().map(|node| node.reveals() as u32).sum()
    }
}

/// Whether it has ended there because the words or the rosters differ.
pub(super) fn differs(machine: &Pairing) -> bool {
    machine.ended().is_some_and(|ended| ended.reason == EndReason::Differ)
}
