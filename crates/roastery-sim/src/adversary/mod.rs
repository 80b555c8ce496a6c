//! The members that do not follow the protocol: one coalition that shares what it knows and sees
//! every message.

mod accusers;
mod behaviour;
mod cancelling;
mod coalition;
mod coordinators;
mod expected_faults;
mod forge;
mod knowledge;
mod noise;
mod signers;
mod stallers;

use std::{sync::Arc, time::Duration};

use roastery_protocol::{Seat, message::Shape, request::SigningRequest};

pub use self::{
    behaviour::Behaviour,
    coalition::Coalition,
    stallers::{Stallers, Stalling},
};
use crate::members::Members;

/// A message in transit.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The seat on whose link it is sent.
    pub from: Seat,
    /// The receiver's seat.
    pub to: Seat,
    /// One whole signed message.
    pub bytes: Arc<[u8]>,
}

/// A message that an adversary sends, after a while.
#[derive(Clone, Debug)]
pub struct Delayed {
    /// The delay before it is sent, in virtual time.
    pub after: Duration,
    /// The message.
    pub packet: Packet,
}

/// What an adversary may see: everything but the secrets of honest members.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The keys; it uses only those of its own members.
    pub members: &'a Members,
    /// The request that is signed.
    pub request: &'a SigningRequest,
    /// The structural rules of the session.
    pub shape: &'a Shape,
    /// The virtual time since the beginning.
    pub now: Duration,
}

/// A coalition. Each of its members runs the honest code, and the coalition may replace what that
/// sends.
pub trait Adversary {
    /// Whether this seat is the coalition's.
    fn controls(&self, seat: Seat) -> bool;

    /// Called first for every message, also for those between honest members.
    fn observe(&mut self, view: View<'_>, packet: &Packet);

    /// A node that is not the coalition's sends a message; called once for all its receivers.
    fn spoke(&mut self, _view: View<'_>, _node: usize, _bytes: &Arc<[u8]>) {}

    /// A message reaches a node that is not the coalition's.
    fn reached(&mut self, _view: View<'_>, _hearer: Receiver, _packet: &Packet) {}

    /// Replaces a message that the honest code of one of its own members sends.
    fn send(&mut self, view: View<'_>, packet: Packet) -> Vec<Delayed>;

    /// Whether one of its own members lets its honest code see a message that came.
    fn receive(&mut self, _view: View<'_>, _packet: &Packet) -> Reception {
        Reception::Take
    }

    /// When it next sends messages of its own, if it does.
    fn due(&self) -> Option<Duration> {
        None
    }

    /// The messages that it sends at the time that [`due`](Self::due) has named.
    fn act(&mut self, _view: View<'_>) -> Vec<Delayed> {
        Vec::new()
    }
}

/// A node that a message reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its number among all nodes that there ever were.
    pub node: usize,
    /// Its seat.
    pub seat: Seat,
    /// The stage of its session.
    pub stage: Stage,
}

/// The stage of a node's session, which decides what the node does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It signs and coordinates.
    Running,
    /// It has ended, and still collects evidence.
    Lingering,
    /// It has dropped everything but its proofs and the signatures.
    Pruned,
}

/// What a faulty member does with a message that it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Its honest code receives it.
    Take,
    /// It is dropped.
    Ignore,
}

/// No member is faulty.
#[derive(Debug)]
pub struct NoAdversary;

impl Adversary for NoAdversary {
    fn controls(&self, _: Seat) -> bool {
        false
    }
    fn observe(&mut self, _: View<'_>, _: &Packet) {}
    fn send(&mut self, _: View<'_>, packet: Packet) -> Vec<Delayed> {
        at_once(packet)
    }
}

/// Passes a message on as it is.
pub fn at_once(packet: Packet) -> Vec<Delayed> {
    vec![Delayed { after: Duration::ZERO, packet }]
}
