//! Signers that do not sign as they should.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::RngExt as _;
use roastery_frost::{MaybePoint, PublicNonce, decode_point};
use roastery_protocol::{
    Attempt, Incarnation, Seat, SlotHash,
    message::{Body, Commitments, SignatureShare, Slot},
    proof::{Fault, Proof},
};

use super::{
    Behaviour, Coalition, Delayed, Packet, View, at_once,
    coalition::Received,
    forge::{self, Secrets},
    knowledge::{Said, Shown},
};

/// The state of faulty signers.
#[derive(Debug, Default)]
pub(super) struct BadSigners {
    /// The second slots of those that commit twice, and the first ones.
    second: BTreeMap<SlotHash, (Seat, Secrets, Slot)>,
    /// The commitments that members which commit last hold back; once sent, what they sent.
    held: BTreeMap<(Seat, Attempt), Held>,
    runs: u64,
}

#[derive(Debug)]
struct Held {
    packet: Packet,
    content: Commitments,
    said: Option<Arc<[u8]>>,
}

/// An incarnation after this one. A member that commits under it claims to have been restarted.
fn later(run: Incarnation, by: u64) -> Incarnation {
    Incarnation::new(run.opened_ms() + by, by.to_le_bytes())
}

impl Coalition {
    pub(super) fn sign_badly(
        &mut self,
        view: View<'_>,
        behaviour: Behaviour,
        received: Received,
    ) -> Vec<Delayed> {
        match (behaviour, &received.body) {
            (Behaviour::BadShare, Body::SignatureShare(share)) => {
                let share = SignatureShare { next: None, ..share.clone() };
                self.spoil(view, &received, share)
            }
            (Behaviour::BadShareWithFreshCommitments, Body::SignatureShare(share)) => {
                self.spoil(view, &received, share.clone())
            }
            (Behaviour::ShareConflict, Body::SignatureShare(share)) => {
                self.give_two(view, &received, share.clone())
            }
            (Behaviour::CommitsTwice, Body::Commitments(content)) => {
                self.commit_twice(view, &received, content.clone())
            }
            (Behaviour::CommitsToInfinity, Body::Commitments(content)) => {
                self.hold_back(view, &received, content.clone())
            }
            (Behaviour::RecommitsInNewRuns, Body::SignatureShare(_)) => Vec::new(),
            (Behaviour::ReturnsToOldRuns, Body::SignatureShare(share)) => {
                self.show_again(view, &received, share.clone())
            }
            _ => at_once(received.packet),
        }
    }

    fn spoil(
        &mut self,
        view: View<'_>,
        received: &Received,
        share: SignatureShare,
    ) -> Vec<Delayed> {
        let seat = received.packet.from;
        let made = self.forgery(seat, &received.envelope, |_| {
            let scalars = forge::spoiled(&share.scalars, seat);
            let body = Body::SignatureShare(SignatureShare { scalars, ..share });
            vec![view.seal(seat, received.attempt, &body)]
        });
        self.did(seat);
        made.iter().flat_map(|bytes| at_once(received.with(bytes))).collect()
    }

    /// The right share and a wrong one, in either order, at any distance.
    fn give_two(
        &mut self,
        view: View<'_>,
        received: &Received,
        share: SignatureShare,
    ) -> Vec<Delayed> {
        let seat = received.packet.from;
        let made = self.forgery(seat, &received.envelope, |all| {
            let scalars = forge::spoiled(&share.scalars, seat);
            let body = Body::SignatureShare(SignatureShare { scalars, ..share });
            let wrong = view.seal(seat, received.attempt, &body);
            let right = received.packet.bytes.clone();
            if all.rng.random() { vec![right, wrong] } else { vec![wrong, right] }
        });
        self.did(seat);
        let between = Duration::from_millis(self.rng.random_range(0..300));
        let after = [Duration::ZERO, between];
        made.iter()
            .zip(after)
            .map(|(bytes, after)| Delayed { after, packet: received.with(bytes) })
            .collect()
    }

    /// Two slots for one place, one to the coordinator and the other to another member.
    fn commit_twice(
        &mut self,
        view: View<'_>,
        received: &Received,
        content: Commitments,
    ) -> Vec<Delayed> {
        let (seat, attempt) = (received.packet.from, received.attempt);
        let made = self.forgery(seat, &received.envelope, |all| {
            let (secrets, slot) = forge::draw(&mut all.rng, view.messages());
            let name = view.slot_hash(attempt, seat, &slot);
            all.bad_signers.second.insert(name, (seat, secrets, content.slot.clone()));
            let second =
                view.seal(seat, attempt, &Body::Commitments(Commitments { slot, ..content }));
            let first = received.packet.bytes.clone();
            if all.rng.random() { vec![first, second] } else { vec![second, first] }
        });
        self.did(seat);
        let reader = self.any_honest_member(view);
        let mut out: Vec<Delayed> =
            made.iter().flat_map(|bytes| at_once(received.with(bytes))).collect();
        out.extend(made.last().map(|bytes| Delayed {
            after: Duration::ZERO,
            packet: Packet { to: reader, ..received.with(bytes) },
        }));
        out
    }

    /// A package names a second slot of a member: that member answers, and shows the first one as
    /// what was named.
    pub(super) fn answer_for_both(&mut self, view: View<'_>, said: &Said) {
        let coordinator = view.coordinator(said.attempt);
        for entry in &said.content.signers {
            let Some((seat, secrets, first)) = self.bad_signers.second.remove(&entry.slot) else {
                continue;
            };
            if let Some(scalars) = view.sign(seat, secrets, &said.content) {
                let package = said.envelope.body_hash();
                let share = SignatureShare { package, scalars, next: None };
                let bytes = view.seal(seat, said.attempt, &Body::SignatureShare(share));
                self.soon(view, Packet { from: seat, to: coordinator, bytes }, Duration::ZERO);
            }
            let slots = said
                .content
                .signers
                .iter()
                .map(|one| match self.knowledge.named(one.slot) {
                    Some(slot) if one.seat != seat => slot.to_nonces(),
                    _ => first.to_nonces(),
                })
                .collect();
            let fault = Fault::WrongAggregateNonce { package: said.envelope.clone(), slots };
            let proof = Proof::new(view.request.clone(), fault);
            let bytes = view.seal(seat, Attempt::FIRST, &Body::Evidence(proof));
            for to in self.honest(view) {
                let packet = Packet { from: seat, to, bytes: bytes.clone() };
                self.soon(view, packet, Duration::ZERO);
            }
        }
    }

    /// A member that is to commit to minus the sum of the others waits for the others.
    fn hold_back(
        &mut self,
        view: View<'_>,
        received: &Received,
        content: Commitments,
    ) -> Vec<Delayed> {
        let (seat, attempt) = (received.packet.from, received.attempt);
        if self.owns(view.coordinator(attempt)) {
            return at_once(received.packet.clone());
        }
        let held = Held { packet: received.packet.clone(), content, said: None };
        let said = self.bad_signers.held.entry((seat, attempt)).or_insert(held).said.clone();
        match said {
            Some(bytes) => at_once(received.with(&bytes)),
            None => {
                self.commit_last(view, attempt);
                Vec::new()
            }
        }
    }

    /// A member has shown a slot: enough may be there now.
    pub(super) fn commit_last(&mut self, view: View<'_>, attempt: Attempt) {
        let others = view.members.group.threshold() - 1;
        for seat in self.doing(Behaviour::CommitsToInfinity) {
            let shown = self.knowledge.slots(attempt).iter().filter(|(other, _)| *other != seat);
            let slots: Vec<Slot> = shown.take(others).map(|(_, one)| one.slot.clone()).collect();
            let Some(held) = self.bad_signers.held.get_mut(&(seat, attempt)) else { continue };
            if held.said.is_some() || slots.len() < others {
                continue;
            }
            let Some(slot) = minus_sum(&slots, view.messages()) else { continue };
            let body = Body::Commitments(Commitments { slot, ..held.content.clone() });
            let bytes = view.seal(seat, attempt, &body);
            held.said = Some(bytes.clone());
            let packet = Packet { bytes, ..held.packet.clone() };
            self.soon(view, packet, Duration::ZERO);
        }
    }

    /// It took effect when an honest coordinator had to issue an infinite sum.
    pub(super) fn count_infinity(&mut self, said: &Said) {
        let infinite = said.content.aggregates.iter().any(|one| one.to_bytes() == [0; 66]);
        for seat in self.doing(Behaviour::CommitsToInfinity) {
            if infinite && said.content.slot_of(seat).is_some() {
                self.did(seat);
            }
        }
    }

    /// Commits again, as if it had been restarted, in every attempt in which it has shown a slot.
    pub(super) fn commit_again(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        if !view.now.as_millis().is_multiple_of(100) {
            return Vec::new();
        }
        let Some(run) = self.knowledge.runs.get(&seat).copied() else { return Vec::new() };
        let attempts: Vec<Attempt> = self
            .knowledge
            .attempts()
            .filter(|attempt| self.knowledge.slots(*attempt).iter().any(|(one, _)| *one == seat))
            .collect();
        let mut out = Vec::new();
        for attempt in attempts {
            let to = view.coordinator(attempt);
            if self.owns(to) {
                continue;
            }
            self.bad_signers.runs += 1;
            let (_, slot) = forge::draw(&mut self.rng, view.messages());
            let run = later(run, self.bad_signers.runs);
            let body = Body::Commitments(Commitments { run, index: 0, slot });
            let bytes = view.seal(seat, attempt, &body);
            self.did(seat);
            out.extend(at_once(Packet { from: seat, to, bytes }));
        }
        out
    }

    /// Answers, and then shows the slot that was named again: as a new run, as the old run, as a
    /// newer run still.
    fn show_again(
        &mut self,
        view: View<'_>,
        received: &Received,
        share: SignatureShare,
    ) -> Vec<Delayed> {
        let (seat, attempt) = (received.packet.from, received.attempt);
        let package = share.package;
        let made = self.forgery(seat, &received.envelope, |_| {
            let body = Body::SignatureShare(SignatureShare { next: None, ..share });
            vec![view.seal(seat, attempt, &body)]
        });
        let mut out: Vec<Delayed> =
            made.iter().flat_map(|bytes| at_once(received.with(bytes))).collect();
        let named =
            self.knowledge.packages.iter().find(|said| said.envelope.body_hash() == package);
        let named =
            named.and_then(|said| self.knowledge.named(said.content.slot_of(seat)?)).cloned();
        let (Some(slot), Some(run)) = (named, self.knowledge.runs.get(&seat).copied()) else {
            return out;
        };
        let (_, fresh) = forge::draw(&mut self.rng, view.messages());
        let again = [
            Shown { run: later(run, 1), index: 0, slot: fresh },
            Shown { run, index: 0, slot: slot.clone() },
            Shown { run, index: 7, slot: slot.clone() },
            Shown { run: later(run, 2), index: 0, slot },
        ];
        for (at, Shown { run, index, slot }) in again.into_iter().enumerate() {
            let body = Body::Commitments(Commitments { run, index, slot });
            let bytes = view.seal(seat, attempt, &body);
            let after = Duration::from_millis(20 * (at as u64 + 1));
            out.push(Delayed { after, packet: received.with(&bytes) });
        }
        self.did(seat);
        out
    }
}

/// The slot that makes the sum with these infinite; its secrets are known to no party.
fn minus_sum(slots: &[Slot], messages: usize) -> Option<Slot> {
    let nonce = |at: usize| {
        let mut bytes = [0; 66];
        for half in 0..2 {
            let place = 33 * half..33 * (half + 1);
            let points = slots.iter().map(|slot| {
                let encoded = slot.0[at].to_bytes();
                let point = <[u8; 33]>::try_from(&encoded[place.clone()]).ok()?;
                decode_point(&point).ok().map(MaybePoint::Valid)
            });
            let points: Vec<MaybePoint> = points.collect::<Option<_>>()?;
            bytes[place].copy_from_slice(&(-MaybePoint::sum(points)).serialize());
        }
        PublicNonce::from_bytes(&bytes).ok()
    };
    (0..messages).map(nonce).collect::<Option<Vec<_>>>().map(Slot)
}
