//! The members that do not follow the protocol: one coalition that shares what it knows.
//!
//! Each of its members runs the honest code; a [`Strategy`] replaces what that sends, keeps from it
//! what comes, and sends messages of its own.

mod behaviour;
mod kit;
mod knowledge;
mod strategies;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use roastery_protocol::{Seat, request::SigningRequest};

pub use self::{behaviour::Behaviour, kit::Kit, knowledge::Knowledge, strategies::Strategy};
use crate::{
    members::Members,
    world::{Delayed, Intake, Packet},
};

/// What a coalition may use: the keys of its own members, and the requests.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The keys; it uses only those of its own members.
    pub members: &'a Members,
    /// The requests.
    pub requests: &'a [SigningRequest],
    /// The virtual time since the beginning.
    pub now: Duration,
}

/// Members that do not follow the protocol, by the first seats of their nodes.
#[derive(Debug, Default)]
pub struct Coalition {
    members: BTreeMap<Seat, Corrupt>,
    knowledge: Knowledge,
    /// How many more members an adaptive attacker may take.
    free: usize,
    rng: Option<ChaCha8Rng>,
}

#[derive(Debug)]
struct Corrupt {
    behaviour: Behaviour,
    strategy: Box<dyn Strategy>,
    due: Option<Duration>,
}

impl Coalition {
    /// These members behave so. An adaptive staller is no member yet: as many are taken later.
    pub fn new(members: BTreeMap<Seat, Behaviour>, seed: u64) -> Self {
        let free = members.values().filter(|one| **one == Behaviour::StallsAdaptively).count();
        let fixed = members.into_iter().filter(|(_, one)| *one != Behaviour::StallsAdaptively);
        let corrupt = |(seat, behaviour): (Seat, Behaviour)| {
            let strategy = behaviour.strategy();
            (seat, Corrupt { behaviour, due: strategy.every(), strategy })
        };
        Self {
            members: fixed.map(corrupt).collect(),
            knowledge: Knowledge::default(),
            free,
            rng: Some(ChaCha8Rng::seed_from_u64(seed ^ 0xc0a1)),
        }
    }

    /// Whether the coalition controls this node.
    pub fn controls(&self, node: Seat) -> bool {
        self.members.contains_key(&node)
    }

    /// Its members, by the first seats of their nodes.
    pub fn members(&self) -> BTreeSet<Seat> {
        self.members.keys().copied().collect()
    }

    /// Called first for every message that an honest node or the honest code of a member sends.
    pub fn observe(&mut self, members: &Members, packet: &Packet) {
        if self.members.is_empty() && self.free == 0 {
            return;
        }
        let sent_or_received = |seat: Seat| self.members.contains_key(&seat);
        let is_ours = sent_or_received(packet.from);
        let is_seen = is_ours || sent_or_received(packet.to) || self.free > 0;
        if is_seen && let Some(signers) = self.knowledge.hear(members, packet, is_ours) {
            self.take_one(&signers);
        }
    }

    /// An adaptive attacker takes one signer of each package that no member of its own stalls.
    fn take_one(&mut self, signers: &[Seat]) {
        let stalled = signers.iter().any(|seat| self.members.contains_key(seat));
        let fresh = signers.iter().find(|seat| !self.knowledge.coordinates(**seat));
        if let Some(seat) = fresh.filter(|_| self.free > 0 && !stalled) {
            self.free -= 1;
            let behaviour = Behaviour::StallsAdaptively;
            let strategy = behaviour.strategy();
            self.members.insert(*seat, Corrupt { behaviour, due: None, strategy });
        }
    }

    /// What is sent in place of a message of a member's honest code.
    pub fn send(&mut self, view: View<'_>, packet: Packet) -> Vec<Delayed> {
        let me = packet.from;
        self.with(view, me, |corrupt, kit| corrupt.strategy.send(kit, packet)).unwrap_or_default()
    }

    /// A message arrives at a member.
    pub fn receive(&mut self, view: View<'_>, packet: &Packet) -> Intake {
        let me = packet.to;
        let intake = self.with(view, me, |corrupt, kit| corrupt.strategy.receive(kit, packet));
        intake.unwrap_or(Intake { passes: true, sends: Vec::new() })
    }

    /// When a member next sends messages of its own.
    pub fn due(&self) -> Option<Duration> {
        self.members.values().filter_map(|corrupt| corrupt.due).min()
    }

    /// What members whose time has come send.
    pub fn turn(&mut self, view: View<'_>) -> Vec<Delayed> {
        let due = self.members.iter().filter(|(_, one)| one.due.is_some_and(|at| at <= view.now));
        let due: Vec<Seat> = due.map(|(seat, _)| *seat).collect();
        let mut sends = Vec::new();
        for seat in due {
            let sent = self.with(view, seat, |corrupt, kit| {
                corrupt.due = corrupt.strategy.every().map(|every| view.now + every);
                corrupt.strategy.turn(kit)
            });
            sends.extend(sent.unwrap_or_default());
        }
        sends
    }

    fn with<T>(
        &mut self,
        view: View<'_>,
        me: Seat,
        what: impl FnOnce(&mut Corrupt, &mut Kit<'_>) -> T,
    ) -> Option<T> {
        let rng = self.rng.as_mut()?;
        let all: BTreeSet<Seat> = self.members.keys().copied().collect();
        let corrupt = self.members.get_mut(&me)?;
        let mut kit = Kit { view, knowledge: &mut self.knowledge, rng, me, all };
        Some(what(corrupt, &mut kit))
    }

    /// The behaviour of a member.
    pub fn behaviour(&self, node: Seat) -> Option<Behaviour> {
        self.members.get(&node).map(|corrupt| corrupt.behaviour)
    }
}
