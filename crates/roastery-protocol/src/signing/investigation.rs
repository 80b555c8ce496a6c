//! The investigation of a package of another coordinator whose t shares make no signature: either a
//! share is bad, or the aggregate nonce is. Both show only with the nonces of the slots, so their
//! signers are asked for them.
//!
//! Only a member that coordinates a live attempt investigates: it must know which signers to pick
//! next, and if all others did it, too, each fault would cost n times t messages.

use std::time::Duration;

use roastery_frost::{PartialSignature, Seat};

use super::{Phase, Rejected, Session};
use crate::{
    Attempt, BodyHash, SlotHash,
    clock::Moment,
    engine::EngineSession,
    machine::{Backoff, Destination},
    message::{Body, Envelope, Slot, Want},
    proof::Fault,
};

/// The most packages that are investigated at the same time.
const MOST_AT_ONCE: usize = 4;

/// One package that is investigated.
#[derive(Debug)]
pub(super) struct OpenInvestigation<P> {
    hash: BodyHash,
    attempt: Attempt,
    package: Envelope,
    prepared: P,
    signers: Vec<Suspect>,
    repeat: Backoff,
}

/// One signer of a package that is investigated.
#[derive(Debug)]
struct Suspect {
    seat: Seat,
    slot: SlotHash,
    share: Envelope,
    scalars: Vec<PartialSignature>,
    nonces: Option<Slot>,
}

impl<P> OpenInvestigation<P> {
    pub(super) fn due(&self) -> Duration {
        self.repeat.due()
    }

    fn open_questions(&self) -> impl Iterator<Item = (Seat, SlotHash)> + '_ {
        let open = self.signers.iter().filter(|one| one.nonces.is_none());
        open.map(|one| (one.seat, one.slot))
    }
}

impl<E: EngineSession> Session<E> {
    /// Investigates every package that failed here and was not investigated, as far as this node
    /// coordinates.
    pub(super) fn investigate_failures(&mut self, now: Moment) {
        for hash in self.collector.failed() {
            self.investigate(hash, now);
        }
    }

    fn investigate(&mut self, hash: BodyHash, now: Moment) {
        let coordinates = self.coordinated.values().any(|one| one.coordinator.begun().is_some());
        let known = self.investigations.iter().any(|one| one.hash == hash);
        if !matches!(self.phase, Phase::Running) || !coordinates || known {
            return;
        }
        let Some((kept, shares)) = self.collector.shares_of(hash) else {
            return;
        };
        let content = &kept.content;
        let coordinator = self.fixed.coordinator(kept.attempt);
        let faulty = |seat: Seat| self.collector.is_proven_faulty(seat);
        if faulty(coordinator) || content.seats().into_iter().any(faulty) {
            // The fault is known already.
            self.collector.investigate(hash);
            return;
        }
        let Ok(prepared) = self.engine.prepare(&content.seats(), &content.aggregates) else {
            return;
        };
        let signers = content.signers.iter().zip(shares).map(|(entry, share)| Suspect {
            seat: entry.seat,
            slot: entry.slot,
            share: share.envelope.clone(),
            scalars: share.content.scalars.clone(),
            nonces: None,
        });
        let settings = &self.fixed.settings;
        let repeat = Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max);
        let (attempt, package) = (kept.attempt, kept.envelope.clone());
        let signers = signers.collect();
        self.collector.investigate(hash);
        if self.investigations.len() >= MOST_AT_ONCE {
            // The oldest one is evicted: its signers are least likely to answer.
            self.investigations.remove(0);
        }
        self.investigations.push(OpenInvestigation {
            hash,
            attempt,
            package,
            prepared,
            signers,
            repeat,
        });
        self.question(hash);
    }

    /// Asks the signers of a package for what is not known yet.
    fn question(&mut self, hash: BodyHash) {
        let Some(investigation) = self.investigations.iter().find(|one| one.hash == hash) else {
            return;
        };
        let attempt = investigation.attempt;
        let open: Vec<(Seat, SlotHash)> = investigation.open_questions().collect();
        for (seat, slot) in open {
            let own = seat == self.fixed.seat;
            let shown = self.signers.get(&attempt).and_then(|signer| signer.shown(slot)).cloned();
            if let (true, Some(envelope)) = (own, shown) {
                self.to_self.push_back(envelope);
            } else if !own {
                let want = self.fixed.seal(attempt, &Body::Want(Want::Nonces(slot)));
                self.send(Destination::Seat(seat), &want);
            }
        }
    }

    pub(super) fn repeat_questions(&mut self, now: Moment) {
        let due = self.investigations.iter_mut().filter_map(|one| {
            let due = one.repeat.fire(now.monotonic);
            due.then_some(one.hash)
        });
        let due: Vec<BodyHash> = due.collect();
        due.into_iter().for_each(|hash| self.question(hash));
    }

    /// A slot of an attempt that another member coordinates. It counts only where it was asked for;
    /// that its signer made it is shown by the slot's name, which the coordinator has signed.
    pub(super) fn on_answer_to_investigation(
        &mut self,
        attempt: Attempt,
        sender: Seat,
        slot: &Slot,
        now: Moment,
    ) -> Result<(), Rejected> {
        let coordinator = self.fixed.coordinator(attempt);
        let not_wanted = Rejected::NotTheCoordinator { attempt, coordinator };
        let asked = self.investigations.iter().any(|one| {
            one.attempt == attempt && one.open_questions().any(|(seat, _)| seat == sender)
        });
        if !asked {
            return Err(not_wanted);
        }
        let nonces = slot.to_nonces();
        let hash = nonces.hash(self.fixed.group.id(), self.fixed.session, attempt, sender);
        let found = self.investigations.iter_mut().enumerate().find_map(|(at, investigation)| {
            let all = investigation.signers.iter_mut();
            let one = all.into_iter().find(|one| one.seat == sender && one.slot == hash)?;
            one.nonces.is_none().then_some((at, one))
        });
        let (at, one) = found.ok_or(not_wanted)?;
        one.nonces = Some(slot.clone());
        let (scalars, share) = (one.scalars.clone(), one.share.clone());
        let investigation = &self.investigations[at];
        let checked = self.engine.check_share(&investigation.prepared, sender, &slot.0, &scalars);
        if let Err(message) = checked {
            let package = investigation.package.clone();
            let message = message as u8;
            self.report_fault(Fault::InvalidShare { package, nonces, share, message }, now);
        }
        self.close_investigation(at, now);
        Ok(())
    }

    /// Ends it when the nonces of all t slots are there. The proof shows whether their sum is the
    /// aggregate nonce of the package.
    fn close_investigation(&mut self, at: usize, now: Moment) {
        let answered = |one: &OpenInvestigation<E::Package>| one.open_questions().next().is_none();
        if !self.investigations.get(at).is_some_and(answered) {
            return;
        }
        let OpenInvestigation { package, signers, .. } = self.investigations.remove(at);
        let slots = signers.iter().filter_map(|one| Some(one.nonces.as_ref()?.to_nonces()));
        let slots = slots.collect();
        self.report_fault(Fault::WrongAggregateNonce { package, slots }, now);
    }

    /// A member was proven faulty, and that explains why its packages failed.
    pub(super) fn drop_explained_investigations(&mut self) {
        let (fixed, collector) = (&self.fixed, &self.collector);
        self.investigations.retain(|one| {
            let signers = one.signers.iter().map(|signer| signer.seat);
            let mut all = signers.chain([fixed.coordinator(one.attempt)]);
            !all.any(|seat| collector.is_proven_faulty(seat))
        });
    }

    /// How many bytes of a member's shares are under investigation.
    pub(super) fn bytes_investigated_of(&self, seat: Seat) -> usize {
        let signers = self.investigations.iter().flat_map(|one| &one.signers);
        signers.filter(|one| one.seat == seat).map(|one| one.share.as_bytes().len()).sum()
    }

    /// The message of this node that showed a slot, as the coordinator or as the slot's signer.
    pub(super) fn shown_by(&self, slot: SlotHash) -> Option<Envelope> {
        let own = self.signers.values().find_map(|signer| signer.shown(slot));
        let others = self.coordinated.values().find_map(|one| one.coordinator.shown_by(slot));
        // Counted without its signature, which others rely on.
        let others = others.filter(|one| one.is_signed_by_its_sender(&self.fixed.group));
        own.or(others).cloned()
    }
}
