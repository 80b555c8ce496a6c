//! The coordinator: issues packages, counts shares, finds the signer of a bad one.

use roastery_frost::{PartialSignature, PublicNonce, Seat};

use super::{
    Coordinated, Event, Phase, Session, completion::SignatureSource, coordinator::Coordinator,
};
use crate::{
    Attempt, BodyHash,
    clock::Moment,
    engine::EngineSession,
    machine::{Backoff, Destination},
    message::{Body, FinalSignature, SignerSlot, SigningPackage},
    proof::Fault,
};

impl<E: EngineSession> Session<E> {
    pub(super) fn coordinated(
        &mut self,
        attempt: Attempt,
        now: Moment,
    ) -> &mut Coordinated<E::Package> {
        let (n, t) = (self.fixed.group.size(), self.fixed.group.threshold());
        let (settings, collector) = (&self.fixed.settings, &self.collector);
        let (own, record) = (self.fixed.seat, &self.fixed.record);
        self.coordinated.retain(|older, _| !older.is_outdated_by(attempt, n));
        self.coordinated.entry(attempt).or_insert_with(|| {
            let mut coordinator = Coordinator::new(own, (n, t), settings.patience, record.clone());
            collector.proofs().keys().for_each(|faulty| coordinator.exclude(*faulty));
            Coordinated {
                coordinator,
                prepared: Vec::new(),
                packages: Vec::new(),
                repeat: Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max),
            }
        })
    }

    /// This node's turn in an attempt of its own has come.
    pub(super) fn begin(&mut self, attempt: Attempt, now: Moment) {
        let coordinated = self.coordinated(attempt, now);
        if coordinated.coordinator.begun().is_some() {
            return;
        }
        coordinated.coordinator.begin(now.monotonic);
        self.event(Event::Coordinating { attempt });
        self.enter(attempt, now);
        self.issue(attempt, now);
        self.investigate_failures(now);
    }

    /// Issues packages as long as t signers are ready. A signer's last share is checked before it
    /// is picked again: a bad share with a fresh slot does not buy another place.
    pub(super) fn issue(&mut self, attempt: Attempt, now: Moment) {
        while matches!(self.phase, Phase::Running) {
            let Some(coordinated) = self.coordinated.get(&attempt) else {
                return;
            };
            let Some(plan) = coordinated.coordinator.plan(now.monotonic) else {
                return;
            };
            if plan.unchecked.is_empty() {
                self.issue_to(attempt, &plan.seats, now);
            } else {
                for &(seat, number) in &plan.unchecked {
                    self.check_share(attempt, number, seat, now);
                }
                let coordinator = self.coordinated.get(&attempt).map(|one| &one.coordinator);
                if coordinator.is_some_and(|one| one.plan(now.monotonic).as_ref() == Some(&plan)) {
                    return;
                }
            }
        }
    }

    fn issue_to(&mut self, attempt: Attempt, seats: &[Seat], now: Moment) {
        let (fixed, engine) = (&self.fixed, &self.engine);
        let Some(coordinated) = self.coordinated.get_mut(&attempt) else {
            return;
        };
        let number = coordinated.coordinator.issue(seats, now.monotonic);
        let picks = &coordinated.coordinator.packages()[number].picks;
        let slots: Vec<&[PublicNonce]> = picks.iter().map(|pick| &pick.slot.slot.0[..]).collect();
        let aggregates = engine.aggregate_nonces(&slots);
        let signers: Vec<SignerSlot> =
            picks.iter().map(|pick| SignerSlot { seat: pick.seat, slot: pick.slot.hash }).collect();
        let prepared = match engine.prepare(seats, &aggregates) {
            Ok(prepared) => prepared,
            Err(error) => return self.fault(error),
        };
        // Numbers stay below n - t + 1, which is at most 127.
        let package =
            SigningPackage { run: fixed.incarnation, number: number as u16, signers, aggregates };
        let envelope = fixed.seal(attempt, &Body::SigningPackage(package));
        coordinated.coordinator.name(number, envelope.body_hash());
        coordinated.prepared.push(prepared);
        coordinated.packages.push(envelope.clone());
        let settings = &fixed.settings;
        coordinated.repeat = Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max);
        let signers = seats.to_vec();
        self.event(Event::PackageIssued { attempt, number: number as u16, signers });
        self.send(Destination::Everyone, &envelope);
    }

    /// Acts on a package of this node's own when its last share has come: aggregates, and checks
    /// single shares only if that fails.
    pub(super) fn settle(&mut self, attempt: Attempt, number: usize, now: Moment) {
        let Some(coordinated) = self.coordinated.get(&attempt) else {
            return;
        };
        let (Some(prepared), true) =
            (coordinated.prepared.get(number), coordinated.coordinator.is_complete(number))
        else {
            return;
        };
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let package = &coordinated.coordinator.packages()[number];
        let shares: Vec<&[PartialSignature]> = package
            .picks
            .iter()
            .filter_map(|pick| pick.share.as_ref().map(|share| &share.scalars[..]))
            .collect();
        if let Some(signatures) = self.engine.aggregate(prepared, &shares) {
            let package = package.hash.unwrap_or(BodyHash::from_bytes([0; 32]));
            return self.finish(FinalSignature { package, signatures }, SignatureSource::Here, now);
        }
        self.blame(attempt, number, now);
        self.issue(attempt, now);
    }

    /// t shares that make no signature: every one that is bad is found. If each of them is right,
    /// their nonces cancel (only t colluders can do that, and no proof names one of them): none of
    /// the t is asked again in this attempt.
    fn blame(&mut self, attempt: Attempt, number: usize, now: Moment) {
        let Some(coordinated) = self.coordinated.get_mut(&attempt) else {
            return;
        };
        coordinated.coordinator.fail(number);
        let seats: Vec<Seat> =
            coordinated.coordinator.packages()[number].picks.iter().map(|pick| pick.seat).collect();
        let mut bad = 0;
        for &seat in &seats {
            bad += usize::from(!self.check_share(attempt, number, seat, now));
        }
        if bad == 0
            && let Some(coordinated) = self.coordinated.get_mut(&attempt)
        {
            seats.into_iter().for_each(|seat| coordinated.coordinator.exclude(seat));
        }
    }

    /// Checks one share. A bad one puts its signer out of the attempt, and is proven if its
    /// signature is its sender's.
    fn check_share(&mut self, attempt: Attempt, number: usize, seat: Seat, now: Moment) -> bool {
        let Some(coordinated) = self.coordinated.get_mut(&attempt) else {
            return true;
        };
        let found = coordinated.coordinator.packages().get(number).and_then(|package| {
            let pick = package.pick(seat)?;
            Some((pick.slot.slot.clone(), pick.share.clone()?))
        });
        let (Some((slot, share)), Some(prepared)) = (found, coordinated.prepared.get(number))
        else {
            return true;
        };
        if share.is_checked() {
            return true;
        }
        let checked = self.engine.check_share(prepared, seat, &slot.0, &share.scalars);
        let Err(message) = checked else {
            // An unsigned share could be replaced by another one. It came on its sender's own link,
            // so no other member is at fault.
            let signed = share.envelope.is_signed_by_its_sender(&self.fixed.group);
            if signed {
                coordinated.coordinator.clear(seat, number);
            } else {
                coordinated.coordinator.exclude(seat);
            }
            return true;
        };
        coordinated.coordinator.exclude(seat);
        let package = coordinated.packages[number].clone();
        let nonces = slot.to_nonces();
        let (share, message) = (share.envelope, message as u8);
        self.report_local_fault(Fault::InvalidShare { package, nonces, share, message }, now);
        false
    }
}
