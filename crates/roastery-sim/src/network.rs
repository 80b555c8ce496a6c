//! The virtual network: how long a message takes, and whether it arrives.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use roastery_protocol::Seat;

/// What the links of a network are like. Each direction of each pair draws for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Links {
    /// The time from one node to another and back, without jitter.
    pub round_trip: Duration,
    /// Nodes whose own links take another time, by their first seats.
    pub near: BTreeMap<Seat, Duration>,
    /// Each message takes up to this much longer; messages overtake each other by it.
    pub jitter: Duration,
    /// The part of messages that is lost, 0 to 1.
    pub loss: f64,
    /// The part of messages that arrives twice, 0 to 1.
    pub duplication: f64,
}

impl Links {
    /// A network that does nothing but take this time for a round trip.
    pub fn heal(round_trip: Duration) -> Self {
        let (near, jitter) = (BTreeMap::new(), Duration::ZERO);
        Self { round_trip, near, jitter, loss: 0.0, duplication: 0.0 }
    }
}

/// A network with its state: which seats cannot reach which.
#[derive(Debug)]
pub struct Network {
    links: Links,
    /// Pairs between which nothing passes now, the smaller seat first.
    cut: BTreeSet<(Seat, Seat)>,
    rng: ChaCha8Rng,
}

impl Network {
    /// A network in which every member reaches every other.
    pub fn new(links: Links, rng: ChaCha8Rng) -> Self {
        Self { links, cut: BTreeSet::new(), rng }
    }

    /// Nothing passes between the two sides until [`Network::heal`].
    pub fn partition(&mut self, one: &[Seat], other: &[Seat]) {
        for &here in one {
            self.cut.extend(other.iter().map(|&there| pair(here, there)));
        }
    }

    /// These two reach each other again.
    pub fn join(&mut self, one: Seat, other: Seat) {
        self.cut.remove(&pair(one, other));
    }

    /// The time from one node to another and back, without jitter.
    pub fn round_trip(&self, one: Seat, other: Seat) -> Duration {
        let near = &self.links.near;
        let near = near.get(&one).or_else(|| near.get(&other));
        near.copied().unwrap_or(self.links.round_trip)
    }

    /// Every member reaches every other again.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// From now on nothing is lost, doubled or delayed beyond the round trip.
    pub fn calm_down(&mut self) {
        let near = std::mem::take(&mut self.links.near);
        self.links = Links { near, ..Links::heal(self.links.round_trip) };
    }

    /// Whether a message passes between these two at all.
    pub fn connects(&self, from: Seat, to: Seat) -> bool {
        !self.cut.contains(&pair(from, to))
    }

    /// After how long a message arrives: not at all, once, or twice.
    pub fn carry(&mut self, from: Seat, to: Seat) -> Vec<Duration> {
        if !self.connects(from, to) || self.chance(self.links.loss) {
            return Vec::new();
        }
        let copies = if self.chance(self.links.duplication) { 2 } else { 1 };
        (0..copies).map(|_| self.delay(from, to)).collect()
    }

    fn chance(&mut self, part: f64) -> bool {
        part > 0.0 && self.rng.random_bool(part.min(1.0))
    }

    fn delay(&mut self, from: Seat, to: Seat) -> Duration {
        let jitter = match self.links.jitter {
            Duration::ZERO => Duration::ZERO,
            most => Duration::from_nanos(self.rng.random_range(0..=most.as_nanos() as u64)),
        };
        self.round_trip(from, to) / 2 + jitter
    }
}

fn pair(one: Seat, other: Seat) -> (Seat, Seat) {
    (one.min(other), one.max(other))
}
