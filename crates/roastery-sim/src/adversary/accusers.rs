//! Behaviours that concern other members: false evidence, replays of others' messages, messages in
//! others' names, refusals.

use std::sync::Arc;

use rand::RngExt as _;
use roastery_protocol::{
    Attempt, GroupId, Seat,
    message::{Body, Envelope, Header, Kind, RefusalReason, SignatureShare, SlotNonces},
    proof::{Fault, Proof},
};

use super::{
    Coalition, Delayed, Packet, View, at_once, forge,
    knowledge::{Given, Said},
};

impl Coalition {
    /// Evidence that proves nothing, to one honest member. Each checks a few of these only.
    pub(super) fn report_fault(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        if !view.now.as_millis().is_multiple_of(50) {
            return Vec::new();
        }
        let Some(fault) = self.false_claim(view) else { return Vec::new() };
        let request = match self.rng.random_range(0..8) {
            // What happened, in a session in which it did not happen.
            0 => view.members.request(u64::MAX, view.messages()),
            _ => view.request.clone(),
        };
        let proof = Proof::new(request, fault);
        let bytes = view.seal(seat, Attempt::FIRST, &Body::Evidence(proof));
        self.did(seat);
        let to = self.any_honest_member(view);
        at_once(Packet { from: seat, to, bytes })
    }

    fn false_claim(&mut self, view: View<'_>) -> Option<Fault> {
        let message = self.something_said()?;
        match self.rng.random_range(0..6) {
            0 => Some(Fault::PackageConflict {
                first: self.some_package()?.envelope,
                second: self.another_package()?,
            }),
            1 => Some(Fault::SlotAssignedTwice {
                first: self.some_package()?.envelope,
                second: self.another_package()?,
            }),
            2 => {
                let package = self.some_package()?;
                let slots = self.slots_for(&package);
                Some(Fault::WrongAggregateNonce { package: package.envelope, slots })
            }
            3 => {
                let first = self.some_share()?.envelope;
                let second = self.another_share(view)?;
                Some(Fault::ShareConflict { first, second })
            }
            4 => {
                let share = match self.rng.random_range(0..3) {
                    0 => self.another_share(view)?,
                    _ => self.some_share()?.envelope,
                };
                let package = self.package_for(&share)?;
                let accused = Seat::new(share.header().sender.into()).ok()?;
                let slot =
                    package.content.slot_of(accused).and_then(|name| self.knowledge.named(name));
                let nonces = match slot {
                    Some(slot) if self.rng.random() => slot.to_nonces(),
                    _ => self.some_nonces()?,
                };
                let message = self.rng.random_range(0..=view.messages()) as u8;
                Some(Fault::InvalidShare { package: package.envelope, nonces, share, message })
            }
            _ => {
                let message = if self.rng.random() { message } else { self.altered(&message)? };
                Some(Fault::MalformedMessage { message })
            }
        }
    }

    fn some_package(&mut self) -> Option<Said> {
        let known = self.knowledge.packages.len();
        (known > 0).then(|| self.knowledge.packages[self.rng.random_range(0..known)].clone())
    }

    /// Any honest package, as it was sent or altered.
    fn another_package(&mut self) -> Option<Envelope> {
        let package = self.some_package()?.envelope;
        if self.rng.random() { Some(package) } else { self.altered(&package) }
    }

    fn some_share(&mut self) -> Option<Given> {
        let known = self.knowledge.shares.len();
        (known > 0).then(|| self.knowledge.shares[self.rng.random_range(0..known)].clone())
    }

    /// Any honest share, as it was given, or altered, or with other scalars and a signature of the
    /// coalition's.
    fn another_share(&mut self, view: View<'_>) -> Option<Envelope> {
        let given = self.some_share()?;
        match self.rng.random_range(0..3) {
            0 => Some(given.envelope),
            1 => self.altered(&given.envelope),
            _ => {
                let (_, _, body) = view.read(given.envelope.as_bytes())?;
                let Body::SignatureShare(share) = body else { return None };
                let writer = *self.members.keys().next()?;
                let scalars = forge::spoiled(&share.scalars, writer);
                let body = Body::SignatureShare(SignatureShare { scalars, ..share });
                let key = view.members.identity(writer);
                Some(Envelope::seal(*given.envelope.header(), &body, key))
            }
        }
    }

    /// The package that a share answers, or any other.
    fn package_for(&mut self, share: &Envelope) -> Option<Said> {
        let answered = self.knowledge.shares.iter().find(|given| given.envelope == *share);
        let answered = answered.map(|given| given.package);
        let package =
            self.knowledge.packages.iter().find(|said| Some(said.envelope.body_hash()) == answered);
        match package.cloned() {
            Some(package) if self.rng.random() => Some(package),
            _ => self.some_package(),
        }
    }

    fn some_nonces(&mut self) -> Option<SlotNonces> {
        let attempts: Vec<Attempt> = self.knowledge.attempts().collect();
        let attempt = *attempts.get(self.rng.random_range(0..attempts.len().max(1)))?;
        let slots = self.knowledge.slots(attempt);
        let at = self.rng.random_range(0..slots.len().max(1));
        slots.get(at).map(|(_, shown)| shown.slot.to_nonces())
    }

    /// The nonces that a package names, as far as they are known; every other time with one in the
    /// wrong place.
    fn slots_for(&mut self, package: &Said) -> Vec<SlotNonces> {
        let mut slots: Vec<SlotNonces> = package
            .content
            .signers
            .iter()
            .map(|entry| match self.knowledge.named(entry.slot) {
                Some(slot) => slot.to_nonces(),
                None => SlotNonces(vec![[3; 66]; package.content.aggregates.len()]),
            })
            .collect();
        if self.rng.random() {
            slots.rotate_left(1);
        }
        slots
    }

    /// A message with one bit changed and the signature that it had.
    fn altered(&mut self, envelope: &Envelope) -> Option<Envelope> {
        let mut bytes = envelope.as_bytes().to_vec();
        let content = bytes.len() - envelope.content().len()..bytes.len();
        if content.is_empty() {
            return None;
        }
        bytes[self.rng.random_range(content)] ^= 1 << self.rng.random_range(0..8);
        Envelope::parse(&bytes).ok()
    }

    /// Relays messages of others: unchanged, in their names, or of another group.
    pub(super) fn relay(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        let Some(envelope) = self.something_said() else { return Vec::new() };
        let (mut header, key) = (*envelope.header(), view.members.identity(seat));
        let bytes: Arc<[u8]> = match self.rng.random_range(0..5) {
            0 | 1 => envelope.as_bytes().clone(),
            2 => view.members.seal_bytes(seat, envelope.kind(), envelope.body()).into(),
            3 => {
                // A message of its own as one of another kind.
                let kind = Kind::ALL[self.rng.random_range(0..Kind::ALL.len())];
                view.members.seal_bytes(seat, kind, envelope.body()).into()
            }
            _ => {
                header = Header::new(
                    envelope.kind(),
                    GroupId::from_bytes([self.rng.random(); 32]),
                    header.session,
                    header.attempt,
                    seat.to_u16(),
                );
                let Some((_, _, body)) = view.read(envelope.as_bytes()) else { return Vec::new() };
                Envelope::seal(header, &body, key).as_bytes().clone()
            }
        };
        self.did(seat);
        let to = self.any_honest_member(view);
        at_once(Packet { from: seat, to, bytes })
    }

    /// Sends a refusal to all, every second.
    pub(super) fn refuse(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        if !view.now.as_millis().is_multiple_of(1_000) {
            return Vec::new();
        }
        let bytes = view.seal(seat, Attempt::FIRST, &Body::Refusal(RefusalReason::Policy));
        let everyone = self.honest(view);
        self.did(seat);
        everyone
            .into_iter()
            .flat_map(|to| at_once(Packet { from: seat, to, bytes: bytes.clone() }))
            .collect()
    }
}
