//! Behaviours that send too much: floods, garbage, mutations, replays.

use std::{sync::Arc, time::Duration};

use rand::{Rng as _, RngExt as _};
use roastery_frost::{PartialSignature, Signature};
use roastery_protocol::{
    Attempt, BodyHash, Incarnation, Seat, SessionId, SlotHash,
    message::{
        Body, Commitments, Envelope, FinalSignature, Header, Kind, MAX_ENVELOPE, NextSlot,
        RefusalReason, SignatureShare, SignerSlot, SigningPackage, Want,
    },
};

use super::{Coalition, Delayed, Packet, View, at_once, coalition::Received, forge};
use crate::members::DAWN;

/// Messages of each flooding member in each tick.
const FLOOD: usize = 3;

/// The offset of the header in a message, after the signature.
const VERSION_AT: usize = 64;

impl Coalition {
    /// Sound messages of all kinds, no two alike.
    pub(super) fn flood(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        (0..FLOOD)
            .flat_map(|_| {
                let attempt = self.any_attempt(view, seat);
                let body = self.any_body(view);
                let bytes = view.seal(seat, attempt, &body);
                self.send_to_any(view, seat, bytes)
            })
            .collect()
    }

    /// Some attempt; every third time one that this seat coordinates.
    fn any_attempt(&mut self, view: View<'_>, seat: Seat) -> Attempt {
        let n = view.members.group.size();
        let number = match self.rng.random_range(0..3) {
            0 => view.first_attempt(seat) + n * self.rng.random_range(0..50),
            _ => self.rng.random_range(0..2 * n),
        };
        Attempt::new(number as u32).unwrap_or(Attempt::FIRST)
    }

    fn any_body(&mut self, view: View<'_>) -> Body {
        let messages = view.messages();
        let run = Incarnation::new(
            DAWN.as_millis() as u64 + self.rng.random_range(0..5_000),
            self.rng.random(),
        );
        let index = self.rng.random_range(0..1_000);
        let package = BodyHash::from_bytes(self.rng.random());
        match self.rng.random_range(0..8) {
            0 | 1 => {
                let (_, slot) = forge::draw(&mut self.rng, messages);
                Body::Commitments(Commitments { run, index, slot })
            }
            2 | 3 => {
                let (_, slot) = forge::draw(&mut self.rng, messages);
                let scalars = (0..messages).map(|_| self.any_scalar()).collect();
                let next = Some(NextSlot { run, index, slot });
                Body::SignatureShare(SignatureShare { package, scalars, next })
            }
            4 => {
                let signatures =
                    (0..messages).map(|_| Signature::from_bytes(&self.any_bytes())).collect();
                Body::Signature(FinalSignature { package, signatures })
            }
            5 => Body::Refusal(match index % 4 {
                0 => RefusalReason::Busy,
                1 => RefusalReason::Policy,
                2 => RefusalReason::Operator,
                _ => RefusalReason::Expired,
            }),
            _ => Body::Want(match index % 5 {
                0 => Want::Slot,
                1 => Want::Package(package),
                2 => Want::Share(package),
                3 => Want::Nonces(SlotHash::from_bytes(self.rng.random())),
                _ => Want::Outcome,
            }),
        }
    }

    fn any_scalar(&mut self) -> PartialSignature {
        let mut bytes: [u8; 32] = self.rng.random();
        bytes[0] = 0;
        PartialSignature::from_bytes(&bytes).expect("below 2^248 is below the order")
    }

    fn any_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn some_bytes(&mut self, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.rng.random_range(0..=most)];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn send_to_any(&mut self, view: View<'_>, from: Seat, bytes: Arc<[u8]>) -> Vec<Delayed> {
        self.did(from);
        let to = self.any_honest_member(view);
        at_once(Packet { from, to, bytes })
    }

    /// Bytes that are no message, and messages that break a structural rule.
    pub(super) fn garbage(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        let bytes = match self.rng.random_range(0..5) {
            0 => self.some_bytes(400),
            1 => self.some_bytes(MAX_ENVELOPE + 400),
            2 => self.header_and_garbage(view, seat),
            3 => self.seal_garbage(view, seat),
            _ => {
                let (attempt, body) = self.malformed(view, seat);
                let session = view.session();
                view.seal_elsewhere(seat, session, attempt, &body).to_vec()
            }
        };
        self.send_to_any(view, seat, bytes.into())
    }

    /// A sound header and content of no kind, with a signature that is none.
    fn header_and_garbage(&mut self, view: View<'_>, seat: Seat) -> Vec<u8> {
        let mut bytes = self.seal_garbage(view, seat);
        bytes[self.rng.random_range(0..64)] ^= 1;
        // Other versions and other kinds as well.
        if self.rng.random() {
            bytes[VERSION_AT + self.rng.random_range(0..2)] = self.rng.random();
        }
        bytes
    }

    /// A sound header and content of no kind, signed.
    fn seal_garbage(&mut self, view: View<'_>, seat: Seat) -> Vec<u8> {
        let kind = Kind::ALL[self.rng.random_range(0..Kind::ALL.len())];
        let attempt = self.any_attempt(view, seat);
        let group = view.members.group.id();
        let header = Header::new(kind, group, view.session(), attempt.number(), seat.to_u16());
        // A refusal is one way to have the bytes of a header from its encoder.
        let sealed = Envelope::seal(
            header,
            &Body::Refusal(RefusalReason::Busy),
            view.members.identity(seat),
        );
        let mut body = sealed.body()[..Header::LENGTH].to_vec();
        body.extend(self.some_bytes(300));
        view.members.seal_bytes(seat, kind, &body)
    }

    /// A body that decodes and breaks a rule: the attempt's number, and the body.
    fn malformed(&mut self, view: View<'_>, seat: Seat) -> (u32, Body) {
        let own = view.first_attempt(seat) as u32;
        let (n, t) = (view.members.group.size(), view.members.group.threshold());
        let messages = view.messages();
        let run = Incarnation::new(DAWN.as_millis() as u64, self.rng.random());
        let signers = |seats: &[usize]| -> Vec<SignerSlot> {
            let seats = seats.iter().filter_map(|at| Seat::new(*at as u32).ok());
            seats.map(|seat| SignerSlot { seat, slot: SlotHash::from_bytes([7; 32]) }).collect()
        };
        let ascending: Vec<usize> = (0..t).collect();
        let package = SigningPackage {
            run,
            number: 0,
            signers: signers(&ascending),
            aggregates: forge::other_aggregates(&mut self.rng, messages),
        };
        match self.rng.random_range(0..9) {
            0 => (65_536 + own, Body::Want(Want::Outcome)),
            1 => (own + 1, Body::SigningPackage(package)),
            2 => {
                let number = (n - t + 1) as u16;
                (own, Body::SigningPackage(SigningPackage { number, ..package }))
            }
            3 => {
                let signers = signers(&ascending[1..]);
                (own, Body::SigningPackage(SigningPackage { signers, ..package }))
            }
            4 => {
                let mut signers = package.signers.clone();
                signers.reverse();
                (own, Body::SigningPackage(SigningPackage { signers, ..package }))
            }
            5 => {
                let mut signers = package.signers.clone();
                signers[t - 1] = SignerSlot { seat: Seat::new(127).unwrap_or(seat), ..signers[0] };
                let aggregates = if n == 128 { Vec::new() } else { package.aggregates.clone() };
                (own, Body::SigningPackage(SigningPackage { signers, aggregates, ..package }))
            }
            6 => {
                let (_, slot) = forge::draw(&mut self.rng, messages + 1);
                (own, Body::Commitments(Commitments { run, index: 0, slot }))
            }
            7 => {
                let scalars = vec![self.any_scalar(); messages + 1];
                let package = BodyHash::from_bytes([7; 32]);
                (own, Body::SignatureShare(SignatureShare { package, scalars, next: None }))
            }
            _ => {
                let package = BodyHash::from_bytes([7; 32]);
                (own, Body::Signature(FinalSignature { package, signatures: Vec::new() }))
            }
        }
    }

    /// The message of its honest code, and a mutation of it.
    pub(super) fn mutate_in_passing(&mut self, view: View<'_>, received: Received) -> Vec<Delayed> {
        let seat = received.packet.from;
        if self.rng.random() {
            return at_once(received.packet);
        }
        let mutant = self.mutant(view, seat, &received.envelope);
        let mutant = at_once(received.with(&mutant));
        self.did(seat);
        match self.rng.random_range(0..3) {
            0 => mutant,
            1 => [mutant, at_once(received.packet)].concat(),
            _ => [at_once(received.packet), mutant].concat(),
        }
    }

    /// A mutation of a message that another member has sent.
    pub(super) fn mutate_others(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        let Some(envelope) = self.something_said() else { return Vec::new() };
        let mutant = self.mutant(view, seat, &envelope);
        self.send_to_any(view, seat, mutant)
    }

    fn mutant(&mut self, view: View<'_>, seat: Seat, envelope: &Envelope) -> Arc<[u8]> {
        let mut bytes = envelope.as_bytes().to_vec();
        let length = bytes.len();
        match self.rng.random_range(0..6) {
            0 => bytes.truncate(self.rng.random_range(0..length)),
            1 => bytes.extend(self.some_bytes(40)),
            2 => {
                let place = VERSION_AT..VERSION_AT + Header::LENGTH;
                bytes[self.rng.random_range(place)] ^= 1 << self.rng.random_range(0..8);
            }
            _ => {
                for _ in 0..self.rng.random_range(1..4) {
                    let at = self.rng.random_range(VERSION_AT..length);
                    bytes[at] ^= 1 << self.rng.random_range(0..8);
                }
            }
        }
        // Only its own key is available: signed anew it is its own statement, or one in another's
        // name.
        if bytes.len() >= VERSION_AT + Header::LENGTH && self.rng.random() {
            bytes = view.members.seal_bytes(seat, envelope.kind(), &bytes[VERSION_AT..]);
        }
        bytes.into()
    }

    /// A random message of an honest member.
    pub(super) fn something_said(&mut self) -> Option<Envelope> {
        let said = self.knowledge.messages.len();
        (said > 0).then(|| self.knowledge.messages[self.rng.random_range(0..said)].clone())
    }

    /// Replays an earlier message: one of another member unchanged, one of its own also in other
    /// attempts and sessions.
    pub(super) fn replay(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        let mine: Vec<Envelope> = self
            .knowledge
            .own
            .iter()
            .filter(|envelope| envelope.header().sender == seat.to_u16())
            .cloned()
            .collect();
        let bytes = if mine.is_empty() || self.rng.random() {
            match self.something_said() {
                Some(envelope) => envelope.as_bytes().clone(),
                None => return Vec::new(),
            }
        } else {
            let envelope = &mine[self.rng.random_range(0..mine.len())];
            let Some((_, attempt, body)) = view.read(envelope.as_bytes()) else {
                return Vec::new();
            };
            match self.rng.random_range(0..3) {
                0 => envelope.as_bytes().clone(),
                1 => {
                    let session = SessionId::from_bytes([self.rng.random(); 32]);
                    view.seal_elsewhere(seat, session, attempt.number(), &body)
                }
                // A package in an attempt that another member coordinates would break a rule of
                // form.
                _ if matches!(body, Body::SigningPackage(_)) => envelope.as_bytes().clone(),
                _ => {
                    let attempt = self.any_attempt(view, seat);
                    view.seal(seat, attempt, &body)
                }
            }
        };
        let mut out = self.send_to_any(view, seat, bytes);
        let after = Duration::from_millis(self.rng.random_range(0..500));
        out.iter_mut().for_each(|delayed| delayed.after = after);
        out
    }
}
