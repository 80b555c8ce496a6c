//! Coordinators that do not coordinate as they should.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rand::{RngExt as _, seq::SliceRandom as _};
use roastery_frost::{AggregateNonce, MaybePoint, PublicNonce, decode_point};
use roastery_protocol::{
    Attempt, Incarnation, Seat,
    message::{Body, Envelope, Kind, SignerSlot, SigningPackage, Slot},
};

use super::{
    Behaviour, Coalition, Delayed, Packet, Reception, View, at_once, coalition::Received, forge,
};

/// The state of faulty coordinators.
#[derive(Debug, Default)]
pub(super) struct BadCoordinators {
    /// The receivers to which coordinators that crash half way have sent their package.
    reached: BTreeMap<Seat, BTreeSet<Seat>>,
    crashed: BTreeSet<Seat>,
    /// The members whose messages censors drop.
    unanswered: Option<Vec<Seat>>,
}

impl BadCoordinators {
    /// Whether this coordinator has crashed.
    pub(super) fn is_over(&self, seat: Seat) -> bool {
        self.crashed.contains(&seat)
    }
}

impl Coalition {
    pub(super) fn coordinate_badly(
        &mut self,
        view: View<'_>,
        behaviour: Behaviour,
        received: Received,
    ) -> Vec<Delayed> {
        let seat = received.packet.from;
        match (behaviour, &received.body) {
            (Behaviour::WithholdsSignature, Body::Signature(_)) => self.withhold(seat),
            (_, Body::SigningPackage(package)) => {
                let made = self.forgery(seat, &received.envelope, |all| {
                    all.say_otherwise(view, behaviour, &received, package)
                });
                if made.is_empty() {
                    return at_once(received.packet);
                }
                self.did(seat);
                spread(behaviour, view, &received, &made)
            }
            _ => at_once(received.packet),
        }
    }

    /// The messages of a bad coordinator beside its package, or instead of it.
    fn say_otherwise(
        &mut self,
        view: View<'_>,
        behaviour: Behaviour,
        received: &Received,
        package: &SigningPackage,
    ) -> Vec<Arc<[u8]>> {
        let (seat, attempt) = (received.packet.from, received.attempt);
        let package = package.clone();
        let other = match behaviour {
            Behaviour::EquivocatesToAll | Behaviour::EquivocatesToSome => {
                match self.with_another_signer(view, seat, attempt, &package) {
                    Some(other) if self.rng.random() => other,
                    _ => self.with_other_sums(view, package),
                }
            }
            Behaviour::WrongAggregateNonce => self.with_other_sums(view, package),
            Behaviour::AssignsSlotTwice => {
                let number = package.number + 1;
                if usize::from(number) >= view.most_packages() {
                    return Vec::new();
                }
                SigningPackage { number, ..package }
            }
            Behaviour::ClaimsRestarts => {
                let run = Incarnation::new(package.run.opened_ms() + 1, [seat.index() as u8; 8]);
                SigningPackage { run, ..package }
            }
            Behaviour::StealsSlots => {
                match self.with_a_stolen_slot(view, seat, attempt, &package) {
                    Some(other) => other,
                    None => return Vec::new(),
                }
            }
            _ => return Vec::new(),
        };
        vec![view.seal(seat, attempt, &Body::SigningPackage(other))]
    }

    fn with_other_sums(&mut self, view: View<'_>, package: SigningPackage) -> SigningPackage {
        let aggregates = forge::other_aggregates(&mut self.rng, view.messages());
        SigningPackage { aggregates, ..package }
    }

    /// A package that is right in itself: one signer makes room for another, whose slot is known.
    fn with_another_signer(
        &mut self,
        view: View<'_>,
        coordinator: Seat,
        attempt: Attempt,
        package: &SigningPackage,
    ) -> Option<SigningPackage> {
        // The coordinator's own slot was never sent.
        let leaves = package.signers.iter().rfind(|entry| entry.seat != coordinator)?;
        let left = self.knowledge.named(leaves.slot)?;
        let mut others = self.knowledge.slots(attempt).iter();
        let (joins, joined) = others.find(|(seat, _)| package.slot_of(*seat).is_none())?;
        let slot = view.slot_hash(attempt, *joins, &joined.slot);
        let aggregates = exchanged(&package.aggregates, left, &joined.slot)?;
        let mut signers: Vec<SignerSlot> =
            package.signers.iter().filter(|entry| entry.seat != leaves.seat).copied().collect();
        signers.push(SignerSlot { seat: *joins, slot });
        signers.sort_unstable();
        Some(SigningPackage { signers, aggregates, ..package.clone() })
    }

    /// A package that names a slot of a signer that was shown to another attempt's coordinator.
    fn with_a_stolen_slot(
        &mut self,
        view: View<'_>,
        coordinator: Seat,
        attempt: Attempt,
        package: &SigningPackage,
    ) -> Option<SigningPackage> {
        let mut victims: Vec<SignerSlot> = package.signers.clone();
        victims.shuffle(&mut self.rng);
        for victim in victims.into_iter().filter(|entry| entry.seat != coordinator) {
            let elsewhere =
                self.knowledge.attempts().filter(|other| *other != attempt).find_map(|other| {
                    let shown = self
                        .knowledge
                        .slots(other)
                        .iter()
                        .find(|(seat, _)| *seat == victim.seat)?;
                    Some((other, shown.1.slot.clone()))
                });
            let named = self.knowledge.named(victim.slot);
            if let (Some((other, slot)), Some(left)) = (elsewhere, named) {
                let aggregates = exchanged(&package.aggregates, left, &slot)?;
                let mut signers = package.signers.clone();
                let theirs = signers.iter_mut().find(|entry| entry.seat == victim.seat)?;
                theirs.slot = view.slot_hash(other, victim.seat, &slot);
                return Some(SigningPackage { signers, aggregates, ..package.clone() });
            }
        }
        None
    }

    /// Its own first package goes to half of the members, one after the other; then it is gone.
    pub(super) fn crash_half_way(&mut self, view: View<'_>, received: Received) -> Vec<Delayed> {
        let seat = received.packet.from;
        if self.bad_coordinators.is_over(seat) {
            return Vec::new();
        }
        let own = received.envelope.header().sender == seat.to_u16();
        if own && received.envelope.kind() == Kind::SigningPackage {
            let reached = self.bad_coordinators.reached.entry(seat).or_default();
            reached.insert(received.packet.to);
            if reached.len() >= view.members.group.size() / 2 {
                self.bad_coordinators.crashed.insert(seat);
                self.did(seat);
            }
        }
        at_once(received.packet)
    }

    /// Whether a coordinator that censors takes this message.
    pub(super) fn censor(&mut self, view: View<'_>, packet: &Packet) -> Reception {
        let most = view.most_packages() - 1;
        if self.bad_coordinators.unanswered.is_none() {
            let mut honest = self.honest(view);
            honest.shuffle(&mut self.rng);
            honest.truncate(most);
            self.bad_coordinators.unanswered = Some(honest);
        }
        let unanswered = self
            .bad_coordinators
            .unanswered
            .as_ref()
            .is_some_and(|them| them.contains(&packet.from));
        let as_coordinator = Envelope::parse(&packet.bytes).is_ok_and(|envelope| {
            matches!(envelope.kind(), Kind::Commitments | Kind::SignatureShare)
        });
        if unanswered && as_coordinator {
            self.did(packet.to);
            return Reception::Ignore;
        }
        Reception::Take
    }
}

/// Which receiver gets which package, and what its coordinator sends beside it.
fn spread(
    behaviour: Behaviour,
    view: View<'_>,
    received: &Received,
    others: &[Arc<[u8]>],
) -> Vec<Delayed> {
    let first = at_once(received.packet.clone());
    let second: Vec<Delayed> =
        others.iter().flat_map(|bytes| at_once(received.with(bytes))).collect();
    let position = view.members.group.seats().position(|seat| seat == received.packet.to);
    let even = position.is_some_and(|at| at.is_multiple_of(2));
    match behaviour {
        Behaviour::WrongAggregateNonce | Behaviour::StealsSlots => second,
        Behaviour::EquivocatesToSome => {
            if even {
                first
            } else {
                second
            }
        }
        Behaviour::EquivocatesToAll if even => [second, first].concat(),
        Behaviour::EquivocatesToAll => [first, second].concat(),
        _ => {
            let later = second
                .into_iter()
                .map(|delayed| Delayed { after: Duration::from_millis(5), packet: delayed.packet });
            first.into_iter().chain(later).collect()
        }
    }
}

/// Sums of nonces in which one slot has taken the place of another.
fn exchanged(sums: &[AggregateNonce], leaves: &Slot, joins: &Slot) -> Option<Vec<AggregateNonce>> {
    let one = |((sum, leaves), joins): ((&AggregateNonce, &PublicNonce), &PublicNonce)| {
        let (sum, leaves, joins) = (sum.to_bytes(), leaves.to_bytes(), joins.to_bytes());
        let mut bytes = [0; 66];
        for half in 0..2 {
            let place = 33 * half..33 * (half + 1);
            let point = |of: &[u8; 66]| {
                let encoded = <[u8; 33]>::try_from(&of[place.clone()]).ok()?;
                match encoded {
                    [0, ..] => Some(MaybePoint::Infinity),
                    _ => decode_point(&encoded).ok().map(MaybePoint::Valid),
                }
            };
            let exchanged = MaybePoint::sum([point(&sum)?, -point(&leaves)?, point(&joins)?]);
            bytes[place.clone()].copy_from_slice(&exchanged.serialize());
        }
        AggregateNonce::from_bytes(&bytes).ok()
    };
    sums.iter().zip(&leaves.0).zip(&joins.0).map(one).collect()
}
