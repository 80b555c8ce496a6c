//! Those who do not follow the protocol: one coalition that shares what it knows and sees everything.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use roastery_protocol::{
    Seat,
    message::{Body, Envelope, Kind, Shape},
};

use crate::members::Members;

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The seat on whose link it travels.
    pub from: Seat,
    /// Who gets it.
    pub to: Seat,
    /// The envelope.
    pub bytes: Arc<[u8]>,
}

/// A message that an adversary sends, after a while.
#[derive(Clone, Debug)]
pub struct Delayed {
    /// After how long it leaves.
    pub after: Duration,
    /// The message.
    pub parcel: Parcel,
}

/// What an adversary may look at: everything that is not secret of an honest member.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The keys; it uses only those of its own members.
    pub members: &'a Members,
    /// The structural rules of the session.
    pub shape: &'a Shape,
    /// The time.
    pub now: Duration,
}

/// A coalition. Each of its members runs the honest code, and what comes out passes through the coalition's hands.
pub trait Adversary {
    /// Whether this seat is the coalition's.
    fn controls(&self, seat: Seat) -> bool;

    /// Everything that is sent passes by here first, also what honest members send to each other.
    fn observe(&mut self, view: View<'_>, parcel: &Parcel);

    /// What becomes of a message of one of its own members.
    fn send(&mut self, view: View<'_>, parcel: Parcel) -> Vec<Delayed>;

    /// Whether one of its own members lets its honest code see a message that came.
    fn receive(&mut self, _view: View<'_>, _parcel: &Parcel) -> Reception {
        Reception::Take
    }

    /// When it wants to act of its own accord, and not because something was sent.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// Acts of its own accord.
    fn act(&mut self, _view: View<'_>) -> Vec<Delayed> {
        Vec::new()
    }
}

/// What a faulty member does with a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Its honest code sees it.
    Take,
    /// As if it had never come.
    Ignore,
}

/// Nobody is faulty.
#[derive(Debug)]
pub struct Nobody;

impl Adversary for Nobody {
    fn controls(&self, _: Seat) -> bool {
        false
    }
    fn observe(&mut self, _: View<'_>, _: &Parcel) {}
    fn send(&mut self, _: View<'_>, parcel: Parcel) -> Vec<Delayed> {
        at_once(parcel)
    }
}

/// Passes a message on as it is.
pub fn at_once(parcel: Parcel) -> Vec<Delayed> {
    vec![Delayed { after: Duration::ZERO, parcel }]
}

/// The three attackers of the ROAST paper (eprint 2022/550, section 5): members that commit and then withhold their
/// shares.
#[derive(Debug)]
pub struct Stallers {
    when: Stalling,
    /// Whom the attacker has, or may have.
    faulty: BTreeSet<Seat>,
    most: usize,
    stalling: BTreeSet<Seat>,
    packages: BTreeSet<[u8; 32]>,
}

/// When a staller stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalling {
    /// All of them from the first package on.
    Static,
    /// They are the attacker's from the beginning; exactly one of each package stalls, the others answer.
    Coordinated,
    /// Just in time: whoever is picked may become faulty, one more for each package.
    Adaptive,
}

impl Stallers {
    /// `faulty` are the members that are the attacker's from the beginning; an adaptive attacker takes as many as that of
    /// its own choice instead, and never a coordinator.
    pub fn new(when: Stalling, faulty: BTreeSet<Seat>) -> Self {
        let stalling = if when == Stalling::Static { faulty.clone() } else { BTreeSet::new() };
        let most = faulty.len();
        Self { when, faulty, most, stalling, packages: BTreeSet::new() }
    }
}

impl Adversary for Stallers {
    fn controls(&self, seat: Seat) -> bool {
        match self.when {
            Stalling::Static | Stalling::Coordinated => self.faulty.contains(&seat),
            Stalling::Adaptive => self.stalling.contains(&seat),
        }
    }

    fn observe(&mut self, view: View<'_>, parcel: &Parcel) {
        if self.when == Stalling::Static {
            return;
        }
        let Ok(envelope) = Envelope::parse(&parcel.bytes) else { return };
        if envelope.kind() != Kind::SigningPackage
            || !self.packages.insert(*envelope.body_hash().as_bytes())
        {
            return;
        }
        let Ok((attempt, Body::SigningPackage(package))) = view.shape.read(&envelope) else {
            return;
        };
        let coordinator = view.shape.order().coordinator(attempt);
        let fresh = package.seats().into_iter().find(|seat| {
            *seat != coordinator
                && !self.stalling.contains(seat)
                && (self.when == Stalling::Adaptive || self.faulty.contains(seat))
        });
        if let Some(seat) = fresh.filter(|_| self.stalling.len() < self.most) {
            self.stalling.insert(seat);
        }
    }

    fn send(&mut self, _: View<'_>, parcel: Parcel) -> Vec<Delayed> {
        let shares = Envelope::parse(&parcel.bytes)
            .is_ok_and(|envelope| envelope.kind() == Kind::SignatureShare);
        if shares && self.stalling.contains(&parcel.from) { Vec::new() } else { at_once(parcel) }
    }
}
