//! t signers whose nonces cancel: each share is right, and they make no signature.

use std::collections::BTreeMap;

use rand::RngExt as _;
use roastery_frost::{Scalar, SecretNonce, danger};
use roastery_protocol::{
    Attempt, Incarnation, Seat,
    message::{Body, Commitments, NextSlot, SignatureShare, Slot},
};
use zeroize::Zeroizing;

use super::{
    Behaviour, Coalition, Delayed, Packet, View, at_once, coalition::Received, knowledge::Said,
};
use crate::members::DAWN;

/// What the members of groups of t have agreed on: groups and secret nonces.
#[derive(Debug, Default)]
pub(super) struct Cancelling {
    groups: Vec<Vec<Seat>>,
    /// Secret nonces by attempt and signer, two scalars a message.
    secrets: BTreeMap<(Attempt, Seat), Vec<[Scalar; 2]>>,
    early: bool,
    /// How often a group was picked in an attempt.
    picked: BTreeMap<Attempt, u32>,
}

impl Cancelling {
    fn group_of(&self, seat: Seat) -> Option<&Vec<Seat>> {
        self.groups.iter().find(|group| group.contains(&seat))
    }
}

impl Coalition {
    fn agree(&mut self, view: View<'_>) -> &mut Cancelling {
        let seats = self.doing(Behaviour::CancellingNonces);
        self.cancelling.get_or_insert_with(|| {
            let groups = seats.chunks_exact(view.members.group.threshold());
            let groups = groups.map(<[Seat]>::to_vec).collect();
            Cancelling { groups, ..Cancelling::default() }
        })
    }

    /// The slot of a member in an attempt; it cancels with those of its group.
    fn cancelling_slot(&mut self, view: View<'_>, attempt: Attempt, seat: Seat) -> Option<Slot> {
        let group = self.agree(view).group_of(seat)?.clone();
        if !self.agree(view).secrets.contains_key(&(attempt, seat)) {
            let mut scalar = || {
                // Zero has a probability of 2^-127.
                Scalar::try_from(self.rng.random::<u128>()).expect("a scalar that is not zero")
            };
            let mut all: Vec<Vec<[Scalar; 2]>> = group[1..]
                .iter()
                .map(|_| (0..view.messages()).map(|_| [scalar(), scalar()]).collect())
                .collect();
            let minus_sum = |at: usize, half: usize| {
                let sum = all.iter().map(|nonces| nonces[at][half]).reduce(|a, b| (a + b).unwrap());
                -sum.expect("a group has at least two members")
            };
            let last =
                (0..view.messages()).map(|at| [minus_sum(at, 0), minus_sum(at, 1)]).collect();
            all.push(last);
            let agreed = self.agree(view);
            agreed.secrets.extend(group.iter().map(|one| (attempt, *one)).zip(all));
        }
        let secrets = self.agree(view).secrets.get(&(attempt, seat))?;
        Some(Slot(nonces(secrets).iter().map(|one| one.public_nonce().clone()).collect()))
    }

    fn cancelling_commitments(
        &mut self,
        view: View<'_>,
        attempt: Attempt,
        seat: Seat,
    ) -> Option<Packet> {
        let to = view.coordinator(attempt);
        let slot = self.cancelling_slot(view, attempt, seat)?;
        // Its honest code never sends to honest coordinators, so that any run of its own will do.
        let run = Incarnation::new(DAWN.as_millis() as u64, [seat.index() as u8; 8]);
        let body = Body::Commitments(Commitments { run, index: 0, slot });
        Some(Packet { from: seat, to, bytes: view.seal(seat, attempt, &body) })
    }

    /// Commits first where an honest coordinator begins by its own clock.
    pub(super) fn commit_early(&mut self, view: View<'_>, seat: Seat) -> Vec<Delayed> {
        if self.agree(view).early {
            return Vec::new();
        }
        if self.doing(Behaviour::CancellingNonces).last() == Some(&seat) {
            self.agree(view).early = true;
        }
        // No member accepts messages of a sender that is a whole round ahead.
        let attempts = (0..view.members.group.size() as u32).filter_map(Attempt::new);
        let honest: Vec<Attempt> =
            attempts.filter(|attempt| !self.owns(view.coordinator(*attempt))).collect();
        honest
            .into_iter()
            .filter_map(|attempt| self.cancelling_commitments(view, attempt, seat))
            .flat_map(at_once)
            .collect()
    }

    /// Replaces the messages of its honest code.
    pub(super) fn commit_to_cancel(&mut self, view: View<'_>, received: Received) -> Vec<Delayed> {
        let seat = received.packet.from;
        if self.agree(view).group_of(seat).is_none() {
            return self.withhold(seat);
        }
        match received.body {
            Body::Commitments(_) if !self.owns(view.coordinator(received.attempt)) => self
                .cancelling_commitments(view, received.attempt, seat)
                .map(at_once)
                .unwrap_or_default(),
            _ => at_once(received.packet),
        }
    }

    /// An honest coordinator has picked one of the groups: all its members give right shares.
    /// A member that is picked with others owes its share for ever.
    pub(super) fn cancel_out(&mut self, view: View<'_>, said: &Said) {
        let coordinator = view.coordinator(said.attempt);
        let Some(agreed) = &self.cancelling else { return };
        let seats = said.content.seats();
        let picked: Option<Vec<(Seat, Vec<[Scalar; 2]>)>> = agreed
            .groups
            .contains(&seats)
            .then(|| {
                seats.iter().map(|seat| {
                    let secrets = agreed.secrets.get(&(said.attempt, *seat))?.clone();
                    let public = nonces(&secrets);
                    let slot = Slot(public.iter().map(|one| one.public_nonce().clone()).collect());
                    let name = view.slot_hash(said.attempt, *seat, &slot);
                    (said.content.slot_of(*seat) == Some(name)).then_some((*seat, secrets))
                })
            })
            .and_then(Iterator::collect);
        let Some(picked) = picked else { return };
        // Their next nonces cancel again: picked a second time they would waste a second package.
        let agreed = self.agree(view);
        agreed
            .secrets
            .retain(|(attempt, seat), _| *attempt != said.attempt || !seats.contains(seat));
        let index = *agreed.picked.entry(said.attempt).and_modify(|times| *times += 1).or_insert(1);
        for (seat, secrets) in picked {
            let Some(scalars) = view.sign(seat, nonces(&secrets), &said.content) else { continue };
            let package = said.envelope.body_hash();
            let slot = self.cancelling_slot(view, said.attempt, seat);
            let run = Incarnation::new(DAWN.as_millis() as u64, [seat.index() as u8; 8]);
            let next = slot.map(|slot| NextSlot { run, index, slot });
            let share = SignatureShare { package, scalars, next };
            let bytes = view.seal(seat, said.attempt, &Body::SignatureShare(share));
            self.did(seat);
            self.soon(
                view,
                Packet { from: seat, to: coordinator, bytes },
                std::time::Duration::ZERO,
            );
        }
    }
}

fn nonces(secrets: &[[Scalar; 2]]) -> Vec<SecretNonce> {
    secrets
        .iter()
        .map(|[first, second]| {
            let mut bytes = Zeroizing::new([0; 64]);
            bytes[..32].copy_from_slice(&first.serialize());
            bytes[32..].copy_from_slice(&second.serialize());
            danger::secret_nonce_from_bytes(&bytes).expect("scalars that are not zero")
        })
        .collect()
}
