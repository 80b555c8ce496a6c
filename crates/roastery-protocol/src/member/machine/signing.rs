//! The signer: which packages are answered, and how a share leaves (section 8).

use std::ops::Range;

use roastery_frost::{PartialSignature, Seat};

use super::{
    Decline, Event, Limit, Member, Record, Rejected, StopReason,
    core::{Core, Held, Pending},
    session::{Given, Phase, Session, TooSoon},
    unkept::Again,
};
use crate::{
    BodyHash, SessionId,
    clock::Moment,
    machine::Destination,
    member::{
        engine::{Answer, Arithmetic, Engine, EngineError, SignOrder},
        frame::{
            Cannot, Content, NamedSlots, ReadySession, SignatureShare, SigningPackage, slot_hash,
        },
        retained::Brought,
        runs::{Admission, AnsweredRuns},
    },
    request::RefusalReason,
};

impl<E: Engine, A: Arithmetic> Member<E, A> {
    /// What was to be persisted is on the disk, or could not be written.
    pub(super) fn release(&mut self, record: &Record, kept: bool, now: Moment) {
        let m = self.sessions.most_messages();
        if kept {
            self.core.unkept.kept();
        }
        match *record {
            Record::Incarnation(incarnation) if kept => {
                self.core.begun(incarnation, m, now);
                self.core.send_refusals(now);
                // Packages that named slots of the one before can never be answered.
                self.sessions.change_running(|session| {
                    session.say_ready_now(now.monotonic);
                    // What was asked before it was stored did not leave.
                    session.turn.iter_mut().for_each(|turn| turn.ask_anew(now.monotonic));
                });
            }
            Record::Share { session, seat, package, .. } => {
                let held = self.core.held.remove(&(session, seat, package));
                if let (Some(held), Some(session)) = (held, self.sessions.get_mut(session)) {
                    let Held { coordinator, given } = held;
                    self.core.release(session, (seat, coordinator), given, kept, now);
                }
            }
            Record::Incarnation(incarnation) => {
                self.core.event(Event::IncarnationNotKept(incarnation));
                self.core.unkept.add(Again::Keep(record.clone()), now.monotonic);
            }
            Record::Proof(_) if !kept => {
                self.core.unkept.add(Again::Keep(record.clone()), now.monotonic);
            }
            Record::Proof(_) => {}
        }
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// Looks at a package that is kept, and answers it with a share of each own seat that it names.
    pub(super) fn consider(
        &mut self,
        session: &mut Session<A::Package>,
        coordinator: Seat,
        hash: BodyHash,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Some(package) = session.retained.find(hash).map(|kept| kept.content.clone()) else {
            return Err(Rejected::NotOpen);
        };
        let own = self.own_seats();
        let picked = own.into_iter().filter(|own| package.entry_of(*own).is_some());
        let mut result = Err(Rejected::NotToBeSigned(Decline::NotPicked));
        for own in picked {
            if self.has_answered(session, own, coordinator, hash) {
                // Its slot is used; the package itself may have been dropped and come again.
                result = Ok(());
                continue;
            }
            result = self.answer(session, own, coordinator, (hash, &package), now);
            match &result {
                // It can never be answered: its coordinator goes on without this seat.
                Err(Rejected::NotToBeSigned(
                    Decline::Slots(_)
                    | Decline::BeyondLastIndex { .. }
                    | Decline::OtherSlots
                    | Decline::Cosigner { .. }
                    | Decline::Exhausted { .. },
                )) => {
                    self.cannot_answer(session, own, coordinator, hash);
                }
                Err(Rejected::NotToBeSigned(reason)) => self.end_withdrawn(session, *reason, now),
                _ => {}
            }
        }
        result
    }

    /// Whether an answer of this own seat to this package is on its way: it came too soon, is being
    /// computed, or waits for the disk.
    pub(super) fn is_being_answered(
        &self,
        session: &Session<A::Package>,
        own: Seat,
        coordinator: Seat,
        hash: BodyHash,
    ) -> bool {
        session.too_soon.get(&(own, coordinator)).is_some_and(|one| one.package == hash)
            || self.is_computed(session.id, own, hash)
    }

    /// Whether the share of this own seat for this package is computed, or waits for the disk.
    fn is_computed(&self, session: SessionId, own: Seat, hash: BodyHash) -> bool {
        let is_of_job = |pending: &Pending| {
            matches!(pending, Pending::Sign { seat, session: of, package, .. }
                if (*seat, *of, *package) == (own, session, hash))
        };
        self.held.contains_key(&(session, own, hash)) || self.jobs.values().any(is_of_job)
    }

    /// Whether this own seat has given its last share for this coordinator to this package, or
    /// gives it now.
    fn has_answered(
        &self,
        session: &Session<A::Package>,
        own: Seat,
        coordinator: Seat,
        hash: BodyHash,
    ) -> bool {
        let given = session.given.get(&(own, coordinator));
        given.is_some_and(|given| given.package == hash) || self.is_computed(session.id, own, hash)
    }

    /// Looks again at the newest package of each coordinator that has no answer of an own seat: the
    /// session was stopped here when it came.
    pub(super) fn look_at_all(&mut self, session: &mut Session<A::Package>, now: Moment) {
        for coordinator in self.others() {
            for own in self.own_seats() {
                let newest = session.retained.newest_for(coordinator, own).map(|one| one.hash);
                let given = session.given.get(&(own, coordinator)).map(|given| given.package);
                if let Some(hash) = newest.filter(|newest| given != Some(*newest)) {
                    // Why it is not signed now either concerns its coordinator, which learns it.
                    let _ = self.consider(session, coordinator, hash, now);
                }
            }
        }
    }

    /// Whether this seat is not served: proven faulty in any session, or barred.
    pub(super) fn is_shunned(&self, seat: Seat) -> bool {
        self.evidence.is_proven(seat) || self.is_excluded(seat)
    }

    /// This own seat can never answer the package: its coordinator is told.
    fn cannot_answer(
        &mut self,
        session: &mut Session<A::Package>,
        own: Seat,
        coordinator: Seat,
        hash: BodyHash,
    ) {
        // An older one, which another member may relay, changes nothing about the newest.
        let newest = session.retained.newest_for(coordinator, own);
        let Some(package) = newest.filter(|newest| newest.hash == hash) else { return };
        let cannot = (package.content.run, package.content.number);
        session.cannot.insert((own, coordinator), cannot);
        if !self.is_own(coordinator) {
            self.say_ready(session.id, own, coordinator);
        }
    }

    fn answer(
        &mut self,
        session: &mut Session<A::Package>,
        own: Seat,
        coordinator: Seat,
        (hash, package): (BodyHash, &SigningPackage),
        now: Moment,
    ) -> Result<(), Rejected> {
        let nonces = self.may_sign(session, own, coordinator, (hash, package), now)?;
        let entry = package.entry_of(own).ok_or(Decline::NotPicked)?;
        let indexes = named_indexes(entry.first, session.m)?;
        let most = self.group.most_packages();
        let runs = session.answered.entry((own, coordinator));
        runs.or_insert_with(|| AnsweredRuns::new(most)).released(package.number, hash);
        self.own_seat_mut(own).stock.take(coordinator, indexes, session.id, now);
        session.retained.spend(hash, own, entry.hash, NamedSlots(nonces));
        let order = SignOrder {
            session: session.id,
            seat: own,
            coordinator,
            incarnation: self.incarnation,
            first: entry.first,
            signers: package.seats(),
            aggregates: package.aggregates.clone(),
        };
        match self.engine.sign(&order, now) {
            Answer::Now(shares) => {
                let package = (hash, package.seats());
                self.signed(session, (own, coordinator), package, shares, now);
            }
            Answer::Later(job) => {
                let session = session.id;
                let signers = package.seats();
                let pending =
                    Pending::Sign { seat: own, coordinator, session, package: hash, signers };
                self.jobs.insert(job, pending);
            }
        }
        Ok(())
    }

    /// Every rule that holds before a slot is touched. Gives the public nonces of the slots.
    fn may_sign(
        &mut self,
        session: &mut Session<A::Package>,
        own: Seat,
        coordinator: Seat,
        (hash, package): (BodyHash, &SigningPackage),
        now: Moment,
    ) -> Result<Vec<[u8; 66]>, Decline> {
        self.still_agrees(session, now)?;
        if self.is_shunned(coordinator) {
            return Err(Decline::Coordinator);
        }
        let shunned = |seat: &Seat| self.is_shunned(*seat);
        if let Some(seat) = package.seats().into_iter().find(shunned) {
            return Err(Decline::Cosigner { seat });
        }
        let most = self.group.most_packages();
        if !self.is_own(coordinator) {
            let runs = session.answered.entry((own, coordinator));
            let runs = runs.or_insert_with(|| AnsweredRuns::new(most));
            match runs.admit(package.run, now.monotonic) {
                Admission::Admitted if runs.answered(package.run, package.number).is_some() => {
                    return Err(Decline::NumberAnswered);
                }
                Admission::Admitted => {}
                Admission::Older => return Err(Decline::OlderRun),
                Admission::Exhausted => return Err(Decline::Exhausted { most }),
                Admission::TooSoon { until, is_spent } => {
                    if is_spent {
                        self.limited(Limit::Runs, coordinator, now);
                    }
                    let (run, number) = (package.run, package.number);
                    let waiting = session.too_soon.get(&(own, coordinator));
                    if waiting.is_none_or(|one| (one.run, one.number) <= (run, number)) {
                        let one = TooSoon { until, run, number, package: hash };
                        session.too_soon.insert((own, coordinator), one);
                    }
                    return Err(Decline::TooSoon);
                }
            }
        }
        let entry = package.entry_of(own).ok_or(Decline::NotPicked)?;
        let indexes = named_indexes(entry.first, session.m)?;
        let nonces = self.own_seat(own).stock.check(coordinator, indexes, now)?;
        if slot_hash(self.group.id(), coordinator, own, &nonces) != entry.hash {
            return Err(Decline::OtherSlots);
        }
        Ok(nonces)
    }

    /// Whether the session runs, both clocks are before the expiry, and the policy agrees.
    pub(super) fn still_agrees(
        &self,
        session: &Session<A::Package>,
        now: Moment,
    ) -> Result<(), Decline> {
        if !session.is_running() {
            return Err(Decline::Over);
        }
        if session.is_expired(now) {
            return Err(Decline::Expired);
        }
        session.request.still_approved().map_err(Decline::Withdrawn)
    }

    /// The engine has computed the shares of one package: they wait for the disk.
    pub(super) fn signed(
        &mut self,
        session: &mut Session<A::Package>,
        (seat, coordinator): (Seat, Seat),
        (package, signers): (BodyHash, Vec<Seat>),
        shares: Result<Vec<PartialSignature>, EngineError>,
        now: Moment,
    ) {
        if !session.is_running() {
            // It was stopped or signed while the engine computed: the shares are destroyed.
            return;
        }
        let scalars = match shares {
            Ok(scalars) => scalars,
            // What is wrong is this package or its slots, which are gone: the session goes on.
            Err(
                error @ (EngineError::NotAPackage
                | EngineError::NoSuchSlot(_)
                | EngineError::TooOld(_)
                | EngineError::OtherIncarnation),
            ) => {
                self.event(Event::EngineFailed(error));
                return self.cannot_answer(session, seat, coordinator, package);
            }
            Err(EngineError::Expired(_)) => return self.stop(session, StopReason::Expired, now),
            Err(error) => {
                self.event(Event::EngineFailed(error));
                if error == EngineError::OwnShareInvalid {
                    // The engine has voided everything: nothing that was shown can be answered.
                    self.renew(now);
                }
                return self.stop(session, StopReason::Engine(error), now);
            }
        };
        let content = Content::SignatureShare(SignatureShare { package, scalars });
        let statement = self.seal(session.id, seat, &content);
        let session = session.id;
        let given = Given { package, signers, statement, at: now.monotonic };
        self.held.insert((session, seat, package), Held { coordinator, given });
        self.persist(Record::Share { session, seat, coordinator, package });
    }

    /// The record of a share is on the disk: it leaves if it still may.
    fn release(
        &mut self,
        session: &mut Session<A::Package>,
        (seat, coordinator): (Seat, Seat),
        given: Given,
        kept: bool,
        now: Moment,
    ) {
        if !kept {
            return self.stop(session, StopReason::JournalFailed, now);
        }
        // If the session has ended meanwhile the share is destroyed as well.
        if let Err(reason) = self.still_agrees(session, now) {
            return self.end_withdrawn(session, reason, now);
        }
        if self.is_shunned(coordinator) || given.signers.iter().any(|seat| self.is_shunned(*seat)) {
            // One of them was barred or proven faulty meanwhile: the share is destroyed.
            return;
        }
        let (package, statement) = (given.package, given.statement.clone());
        if let Some(announcements) = session.announcements.get_mut(&seat) {
            announcements.answered(coordinator);
        }
        let key = (seat, coordinator);
        // The records of two shares may be written in another order than the shares were made.
        if session.given.get(&key).is_none_or(|known| known.at <= given.at) {
            session.given.insert(key, given);
        }
        self.event(Event::ShareReleased { session: session.id, seat, package });
        let is_own = self.is_own(coordinator);
        if !is_own {
            self.send(Destination::Seat(coordinator), statement.as_bytes().clone());
        }
        if let Ok(Content::SignatureShare(share)) = session.shape.read(&statement) {
            let scalars = share.scalars.clone();
            session.retained.share(seat, statement.clone(), share, Brought::BySigner(seat));
            if is_own {
                // An own share that is late for its run counts for nothing.
                let _ = self.count(session, seat, package, scalars, statement, now);
            } else if session.turn.is_some() {
                // The shares of the other signers may be here, passed on by them. What this machine
                // cannot compute blames no member.
                let _ = self.try_to_complete(session, package, seat, now);
            }
        }
    }

    /// What Ready says about one session; nothing where a share is the answer.
    pub(super) fn readiness(
        &self,
        session: &Session<A::Package>,
        own: Seat,
        coordinator: Seat,
        now: Moment,
    ) -> Option<ReadySession> {
        if !session.is_running() || session.is_expired(now) || !self.is_begun {
            return None;
        }
        let newest = session.retained.newest_for(coordinator, own);
        let cannot = session.cannot.get(&(own, coordinator)).copied();
        let cannot = match newest {
            None => None,
            Some(newest) => {
                if self.is_being_answered(session, own, coordinator, newest.hash) {
                    return None;
                }
                let this = (newest.content.run, newest.content.number);
                let cannot = cannot.filter(|cannot| *cannot == this);
                cannot.map(|(run, number)| Cannot { run, number })
            }
        };
        let counter = session.announcements.get(&own).map_or(0, |one| one.counter());
        Some(ReadySession { session: session.id, counter, cannot })
    }

    /// Stops a session here and tells the others why, unless it only ran out of time.
    pub(super) fn stop(
        &mut self,
        session: &mut Session<A::Package>,
        reason: StopReason,
        now: Moment,
    ) {
        if !session.is_running() {
            return;
        }
        session.awaited_at_stop = self.awaited(session);
        session.phase = Phase::Stopped(reason);
        session.turn = None;
        self.engine.close(session.id);
        self.ended.push(session.id);
        self.event(Event::Stopped { session: session.id, reason });
        let told = match reason {
            StopReason::Cancelled | StopReason::Deadline => RefusalReason::Operator,
            StopReason::Evicted => RefusalReason::Busy,
            StopReason::Withdrawn(reason) => reason,
            StopReason::Engine(_) | StopReason::JournalFailed => RefusalReason::Fault,
            StopReason::Expired | StopReason::Infeasible { .. } => return,
        };
        let counter = self.change_of_mind();
        session.announcements.values_mut().for_each(|one| one.change(counter, now.monotonic));
        let expiry = session.request.request().expiry();
        self.refuse(session.id, session.author, expiry, (told, counter), now);
    }
}

/// The indexes of the m slots from `first` on, if there are as many.
fn named_indexes(first: u32, m: usize) -> Result<Range<u32>, Decline> {
    let end = u32::try_from(m).ok().and_then(|m| first.checked_add(m));
    end.map(|end| first..end).ok_or(Decline::BeyondLastIndex { first })
}
