use std::collections::BTreeSet;

use roastery_protocol::{
    Seat,
    message::{Body, Envelope, Kind},
};

use super::{Adversary, Delayed, Packet, View, at_once};

/// The three attackers of the ROAST paper (eprint 2022/550, section 5): members that commit and
/// then withhold their shares.
#[derive(Debug)]
pub struct Stallers {
    when: Stalling,
    /// The members that the attacker controls, or may control.
    faulty: BTreeSet<Seat>,
    most: usize,
    stalling: BTreeSet<Seat>,
    packages: BTreeSet<[u8; 32]>,
    coordinators: BTreeSet<Seat>,
}

/// When a staller stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalling {
    /// All of them from the first package on.
    Static,
    /// They are the attacker's from the beginning; exactly one of each package stalls, the others
    /// answer.
    Coordinated,
    /// Just in time: a signer that is picked may become faulty, one more for each package that no
    /// faulty signer stalls yet.
    Adaptive,
}

impl Stallers {
    /// `faulty` are the members that are the attacker's from the beginning; an adaptive attacker
    /// takes as many as that of its own choice instead, and never one that coordinates already.
    pub fn new(when: Stalling, faulty: BTreeSet<Seat>) -> Self {
        let stalling = if when == Stalling::Static { faulty.clone() } else { BTreeSet::new() };
        let most = faulty.len();
        Self {
            when,
            faulty,
            most,
            stalling,
            packages: BTreeSet::new(),
            coordinators: BTreeSet::new(),
        }
    }

    /// The members that the attacker controls by now.
    pub fn corrupted(&self) -> &BTreeSet<Seat> {
        if self.when == Stalling::Adaptive { &self.stalling } else { &self.faulty }
    }
}

impl Adversary for Stallers {
    fn controls(&self, seat: Seat) -> bool {
        match self.when {
            Stalling::Static | Stalling::Coordinated => self.faulty.contains(&seat),
            Stalling::Adaptive => self.stalling.contains(&seat),
        }
    }

    fn observe(&mut self, view: View<'_>, packet: &Packet) {
        if self.when == Stalling::Static {
            return;
        }
        let Ok(envelope) = Envelope::parse(&packet.bytes) else { return };
        if envelope.kind() != Kind::SigningPackage
            || !self.packages.insert(*envelope.body_hash().as_bytes())
        {
            return;
        }
        let Ok((attempt, Body::SigningPackage(package))) = view.shape.read(&envelope) else {
            return;
        };
        let coordinator = view.shape.order().coordinator(attempt);
        self.coordinators.insert(coordinator);
        let seats = package.seats();
        if seats.iter().any(|seat| *seat != coordinator && self.stalling.contains(seat)) {
            return;
        }
        let fresh = seats.into_iter().find(|seat| {
            !self.coordinators.contains(seat)
                && !self.stalling.contains(seat)
                && (self.when == Stalling::Adaptive || self.faulty.contains(seat))
        });
        if let Some(seat) = fresh.filter(|_| self.stalling.len() < self.most) {
            self.stalling.insert(seat);
        }
    }

    fn send(&mut self, _: View<'_>, packet: Packet) -> Vec<Delayed> {
        // With its own share a staller could finish the package that it stalls, once the others
        // show theirs to all.
        let withheld = Envelope::parse(&packet.bytes).is_ok_and(|envelope| {
            matches!(envelope.kind(), Kind::SignatureShare | Kind::Signature)
        });
        if withheld && self.stalling.contains(&packet.from) { Vec::new() } else { at_once(packet) }
    }
}
