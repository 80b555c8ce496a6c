//! Nodes that pair: each a machine, and a queue that stands for their connections.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use roastery_frost::Seat;
use roastery_protocol::{
    clock::Moment,
    group::{Name, PeerId},
    machine::{Destination, Link, Machine, Output},
    pairing::*,
};

pub use roastery_protocol::pairing::fake::{card, peer, sign, signing_key};

pub fn seat(number: u32) -> Seat {
    Seat::new(number).unwrap()
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub const START: u64 = 1_795_000_000;

pub fn at(seconds: u64) -> Moment {
    let since = Duration::from_secs(seconds);
    Moment { monotonic: since, wall: Duration::from_secs(START) + since }
}

pub fn whereabouts(key: u8) -> Whereabouts {
    fake::whereabouts(key, START * 1000)
}

/// What the node of this key brings; `seed` and a counter make its random numbers.
pub fn own(key: u8, seed: u64) -> Own {
    fake::own(key, START * 1000, seed)
}

pub fn invite(names: &[&str], threshold: u16) -> Invite {
    Invite {
        group: name("treasury"),
        threshold,
        names: names.iter().map(|text| name(text)).collect(),
        key: [1; 32],
        addresses: Vec::new(),
        seconds: 86_400,
    }
}

/// A machine with what its caller keeps and has seen.
pub struct Node {
    pub key: u8,
    pub machine: Pairing,
    pub stored: Vec<u8>,
    pub events: Vec<Event>,
    /// What has left, by receiver, also what was lost on its way.
    pub left: Vec<(PeerId, Vec<u8>)>,
    pub disk_fails: bool,
}

impl Node {
    pub fn new(key: u8, machine: Pairing) -> Self {
        let (stored, events, left) = Default::default();
        Self { key, machine, stored, events, left, disk_fails: false }
    }

    /// Takes all outputs: stores records, notes events, and returns what leaves.
    pub fn turn(&mut self, now: Moment) -> Vec<(PeerId, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Send { to: Destination::Seat(to), bytes } => {
                    sent.push((to, bytes.to_vec()))
                }
                Output::Send { to: Destination::Everyone, .. } => panic!("to all peers"),
                Output::Persist(record) => {
                    if !self.disk_fails {
                        self.stored = record.as_bytes().to_vec();
                    }
                    self.machine.persisted(record, !self.disk_fails, now);
                }
                Output::Event(event) => self.events.push(event),
            }
        }
        self.left.extend(sent.iter().cloned());
        sent
    }

    /// The numbers that have left this node, each once.
    pub fn revealed(&self) -> Vec<Reveal> {
        let own = self.machine.own_seat();
        let mut revealed = Vec::new();
        for (_, bytes) in &self.left {
            if let Ok(Frame::Reveal(reveal)) = Frame::decode(bytes, MAX_FRAME)
                && Some(reveal.seat) == own
                && !revealed.contains(&reveal)
            {
                revealed.push(reveal);
            }
        }
        revealed
    }

    pub fn restart(&mut self, now: Moment) {
        // Other random numbers than before.
        let own = own(self.key, 1000 + self.left.len() as u64);
        self.machine = Pairing::restore(&self.stored, own, now).unwrap();
    }
}

/// An inviter and its joiners, all honest, connected in a star.
pub struct World {
    pub now: Moment,
    pub nodes: BTreeMap<PeerId, Node>,
    pub inviter: PeerId,
    pub queue: VecDeque<(PeerId, PeerId, Vec<u8>)>,
    pub rejected: Vec<Rejected>,
}

impl World {
    /// Nodes with these keys: the first invites the others, in this order.
    pub fn new(keys: &[u8], names: &[&str], threshold: u16, seed: u64) -> Self {
        let now = at(0);
        let inviting = Pairing::invite(&invite(names, threshold), own(keys[0], seed), now).unwrap();
        let lines: Vec<Line> = inviting.lines().into_iter().map(|(_, line)| line.clone()).collect();
        let inviter = peer(keys[0]);
        let mut nodes = BTreeMap::from([(inviter.clone(), Node::new(keys[0], inviting))]);
        for (key, line) in keys[1..].iter().zip(lines) {
            let machine = Pairing::join(line, inviter.clone(), own(*key, seed), now).unwrap();
            nodes.insert(peer(*key), Node::new(*key, machine));
        }
        let (queue, rejected) = Default::default();
        let mut world = Self { now, nodes, inviter, queue, rejected };
        world.settle();
        world
    }

    /// Three nodes, two of whom must sign.
    pub fn three() -> Self {
        Self::new(&[1, 2, 3], &["anna", "bert", "cleo"], 2, 7)
    }

    pub fn node(&mut self, key: u8) -> &mut Node {
        self.nodes.get_mut(&peer(key)).unwrap()
    }

    pub fn joiners(&self) -> Vec<PeerId> {
        self.nodes.keys().filter(|peer| **peer != self.inviter).cloned().collect()
    }

    pub fn connect(&mut self, joiner: &PeerId) {
        let (now, inviter) = (self.now, self.inviter.clone());
        self.nodes.get_mut(&inviter).unwrap().machine.handle_link(joiner, Link::Up, now);
        self.nodes.get_mut(joiner).unwrap().machine.handle_link(&inviter, Link::Up, now);
        self.settle();
    }

    pub fn disconnect(&mut self, joiner: &PeerId) {
        let (now, inviter) = (self.now, self.inviter.clone());
        self.queue.retain(|(from, to, _)| from != joiner && to != joiner);
        self.nodes.get_mut(&inviter).unwrap().machine.handle_link(joiner, Link::Down, now);
        self.nodes.get_mut(joiner).unwrap().machine.handle_link(&inviter, Link::Down, now);
    }

    pub fn connect_all(&mut self) {
        self.joiners().iter().for_each(|joiner| self.connect(joiner));
    }

    pub fn accept_all(&mut self) {
        let now = self.now;
        for joiner in self.joiners() {
            self.nodes.get_mut(&joiner).unwrap().machine.accept(now).unwrap();
        }
        self.settle();
    }

    /// Each node reaches all others.
    pub fn reach_all(&mut self) {
        let (now, members) = (self.now, self.nodes.len() as u32);
        for node in self.nodes.values_mut() {
            if let Some(own) = node.machine.own_seat() {
                let others = (0..members).map(seat).filter(|seat| *seat != own).collect();
                node.machine.reached(others, now);
            }
        }
        self.settle();
    }

    /// Until all words are there.
    pub fn with_words(mut self) -> Self {
        self.connect_all();
        self.accept_all();
        self.reach_all();
        self
    }

    /// Delivers all messages, and what follows from them.
    pub fn settle(&mut self) {
        let now = self.now;
        loop {
            for (from, node) in &mut self.nodes {
                let sent = node.turn(now);
                self.queue.extend(sent.into_iter().map(|(to, bytes)| (from.clone(), to, bytes)));
            }
            let Some((from, to, bytes)) = self.queue.pop_front() else { return };
            if let Some(node) = self.nodes.get_mut(&to)
                && let Err(error) = node.machine.handle_message(&from, &bytes, now)
            {
                self.rejected.push(error);
            }
        }
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now = at(self.now.monotonic.as_secs() + seconds);
        let now = self.now;
        self.nodes.values_mut().for_each(|node| node.machine.handle_timeout(now));
        self.settle();
    }

    /// The word of each seat, as its own screen shows it.
    pub fn words(&self) -> BTreeMap<Seat, Vec<&'static str>> {
        let words = |node: &Node| Some((node.machine.own_seat()?, node.machine.own_words()));
        self.nodes.values().filter_map(words).collect()
    }

    /// Each person types what the others say.
    pub fn compare_all(&mut self) -> Vec<Checked> {
        let (now, words) = (self.now, self.words());
        let mut said = Vec::new();
        for node in self.nodes.values_mut() {
            let own = node.machine.own_seat().unwrap();
            for (seat, words) in words.iter().filter(|(seat, _)| **seat != own) {
                for word in words {
                    said.push(node.machine.compare(*seat, word, now).unwrap());
                }
            }
        }
        self.settle();
        said
    }

    /// Each person has been told by all the others that its words were right.
    pub fn confirm_all(&mut self) {
        let now = self.now;
        self.nodes.values_mut().for_each(|node| node.machine.confirm(now).unwrap());
        self.settle();
    }

    /// All people compare all words to the end.
    pub fn agree_all(&mut self) {
        self.compare_all();
        self.confirm_all();
    }
}
