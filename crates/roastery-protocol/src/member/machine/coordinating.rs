//! The coordinator: begins its reign, issues packages and counts shares (sections 6 and 7).

use std::collections::BTreeMap;

use roastery_frost::{PartialSignature, PublicNonce, Seat};

use super::{
    Event, Rejected,
    asking::Candidates,
    core::Core,
    session::{Counted, Prepared, Readiness, Session, Turn},
};
use crate::{
    BodyHash,
    clock::Moment,
    member::{
        engine::{Arithmetic, ArithmeticError, Engine, Verdict},
        frame::{Content, SignerSlots, SigningPackage, Statement, slot_hash},
        proof::Fault,
        reign::{Count, NextPackage, PackageId, Pick, Reign},
        stock::Held as HeldSlots,
    },
};

/// What came of taking the slots for a package.
enum Taken {
    All(BTreeMap<Seat, (u32, Vec<PublicNonce>)>),
    /// The nonces of this member are no points, or were named before: it is out.
    Unusable(Seat),
    /// Slots of an own seat are being drawn.
    NotYet,
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    /// This node coordinates from now on.
    pub(super) fn begin_reign(&mut self, session: &mut Session<A::Package>, now: Moment) {
        if session.turn.is_some() || !session.is_running() || !self.is_begun {
            return;
        }
        let Some(run) = (self.entropy)().and_then(|random| self.runs.next(random)) else { return };
        let (n, threshold) = (self.group.size(), self.group.threshold());
        let mut reign = Reign::begin(self.own_seats(), n, threshold, run, now.monotonic);
        if session.has_tried {
            reign.wait_for_ready();
        }
        session.turn = Some(Turn::new(reign, now.monotonic));
        self.event(Event::Reigning { session: session.id, run });
        self.reign(session, now);
    }

    /// Begins a new run of this node's reign, if it reigns.
    pub(super) fn begin_run(&mut self, session: &mut Session<A::Package>, now: Moment) {
        let Some(turn) = &mut session.turn else { return };
        let Some(run) = (self.entropy)().and_then(|random| self.runs.next(random)) else { return };
        turn.reign.renew(run, self.links.interval(), now.monotonic);
        turn.ask_anew(now.monotonic);
        let reign = &turn.reign;
        turn.prepared.retain(|id, _| reign.package(*id).is_some());
        self.event(Event::Reigning { session: session.id, run });
    }

    /// Issues what can be issued now.
    pub(super) fn reign(&mut self, session: &mut Session<A::Package>, now: Moment) {
        let Some(mut turn) = session.turn.take() else { return };
        if session.is_running() && self.is_begun && !session.is_expired(now) {
            let candidates = self.candidates();
            let due = turn.reign.is_new_run_due(
                self.links.interval(),
                now.monotonic,
                candidates.of(|seat| self.candidate(session, seat, now)),
            );
            session.turn = Some(turn);
            if due {
                self.begin_run(session, now);
            }
            let Some(again) = session.turn.take() else { return };
            turn = again;
            // A new run changes nothing of what is known of members; a package does.
            let mut known = Some(candidates);
            while let Some(statement) = self.issue(session, &mut turn, known.take(), now) {
                session.turn = Some(turn);
                self.issued(session, statement, now);
                let Some(again) = session.turn.take() else { return };
                turn = again;
            }
        }
        // A signature that came while it issued has ended the reign.
        session.turn = session.is_running().then_some(turn);
    }

    /// The next package, if one may go out now. `known` is what is known of the members, if it was
    /// looked up already.
    fn issue(
        &mut self,
        session: &mut Session<A::Package>,
        turn: &mut Turn<A::Package>,
        mut known: Option<Candidates>,
        now: Moment,
    ) -> Option<Statement> {
        loop {
            // A check or slots that cannot be used change what is known.
            let candidates = known.take().unwrap_or_else(|| self.candidates());
            let of = candidates.of(|seat| self.candidate(session, seat, now));
            let plan = turn.reign.plan(now.monotonic, of)?;
            let bad = self.check_answers(session, turn, &plan, now);
            if bad {
                continue;
            }
            match self.take_slots(session, turn, &plan, now) {
                Taken::NotYet => return None,
                Taken::Unusable(seat) => turn.reign.exclude(seat),
                Taken::All(slots) => return self.seal_package(session, turn, &slots, now).ok()?,
            }
        }
    }

    /// Checks the last shares of those that are to be picked again. Gives whether one is bad.
    fn check_answers(
        &mut self,
        session: &mut Session<A::Package>,
        turn: &mut Turn<A::Package>,
        plan: &NextPackage,
        now: Moment,
    ) -> bool {
        let mut bad = false;
        for &(seat, id) in &plan.unchecked {
            match self.check(turn, seat, id) {
                Some(Ok(())) => turn.reign.clear(seat, id),
                Some(Err(position)) => {
                    bad = true;
                    turn.reign.exclude(seat);
                    self.report_share(session, turn, (seat, id), position, now);
                }
                // This machine could not check it: the member is not picked, and not blamed.
                None => {
                    bad = true;
                    turn.reign.exclude(seat);
                }
            }
        }
        bad
    }

    /// Checks one share; the error is the position of the first message whose equation fails.
    fn check(
        &self,
        turn: &Turn<A::Package>,
        seat: Seat,
        id: PackageId,
    ) -> Option<Result<(), usize>> {
        let prepared = turn.prepared.get(&id)?;
        let nonces = prepared.nonces.get(&seat)?;
        let picks = &turn.reign.package(id)?.picks;
        let share = picks.iter().find(|pick| pick.seat == seat)?.share.as_ref()?;
        match self.arithmetic.check_share(&prepared.package, seat, nonces, &share.scalars).ok()? {
            Verdict::Right(()) => Some(Ok(())),
            Verdict::Wrong { position } => Some(Err(position)),
        }
    }

    fn report_share(
        &mut self,
        session: &mut Session<A::Package>,
        turn: &Turn<A::Package>,
        (seat, id): (Seat, PackageId),
        position: usize,
        now: Moment,
    ) {
        let Some(prepared) = turn.prepared.get(&id) else { return };
        let nonces = prepared.nonces.get(&seat).map(|nonces| {
            crate::member::frame::NamedSlots(nonces.iter().map(PublicNonce::to_bytes).collect())
        });
        let picks = turn.reign.package(id).map(|package| &package.picks);
        let pick = picks.and_then(|picks| picks.iter().find(|pick| pick.seat == seat));
        let share = pick.and_then(|pick| pick.share.as_ref());
        if let (Some(nonces), Some(share), Ok(message)) = (nonces, share, u8::try_from(position)) {
            let (package, share) = (prepared.statement.clone(), share.statement.clone());
            self.report_locally(
                session,
                Fault::InvalidShare { package, nonces, share, message },
                now,
            );
        }
    }

    /// Looks at the slots of all t signers, and takes them only if all of them can be named: what
    /// one member shows costs no other member a slot.
    fn take_slots(
        &mut self,
        session: &Session<A::Package>,
        turn: &Turn<A::Package>,
        plan: &NextPackage,
        now: Moment,
    ) -> Taken {
        let (coordinator, m) = (session.seat, session.m);
        for own in self.own_seats().into_iter().filter(|own| plan.seats.contains(own)) {
            if let Err(draw) = self.own_seat(own).stock.for_own(coordinator, m, now) {
                draw.into_iter().for_each(|draw| self.draw(own, draw, m, now));
                if self.own_seat(own).stock.for_own(coordinator, m, now).is_err() {
                    return Taken::NotYet;
                }
            }
        }
        let mut taken = BTreeMap::new();
        for &seat in &plan.seats {
            let slots = if self.is_own(seat) {
                let batch = self.own_seat(seat).stock.for_own(coordinator, m, now);
                batch.ok().map(|batch| HeldSlots { first: batch.first, nonces: batch.nonces })
            } else {
                self.own_seat(coordinator).shown.peek(seat, m, plan.is_try, now)
            };
            let Some(slots) = slots else { return Taken::NotYet };
            let hash = slot_hash(self.group.id(), coordinator, seat, &slots.nonces);
            match self.arithmetic.decode_nonces(&slots.nonces) {
                Ok(Verdict::Right(nonces)) if !turn.reign.has_named(hash) => {
                    taken.insert(seat, (slots.first, nonces));
                }
                Ok(_) => {
                    self.own_seat_mut(coordinator).shown.void(seat);
                    return Taken::Unusable(seat);
                }
                Err(_) => return Taken::NotYet,
            }
        }
        for seat in taken.keys() {
            if !self.is_own(*seat) {
                self.own_seat_mut(coordinator).shown.take(*seat, m, plan.is_try, now);
            }
        }
        Taken::All(taken)
    }

    fn seal_package(
        &mut self,
        session: &mut Session<A::Package>,
        turn: &mut Turn<A::Package>,
        slots: &BTreeMap<Seat, (u32, Vec<PublicNonce>)>,
        now: Moment,
    ) -> Result<Option<Statement>, ArithmeticError> {
        let (group, coordinator) = (self.group.id(), session.seat);
        let nonces: Vec<&[PublicNonce]> = slots.values().map(|(_, one)| &one[..]).collect();
        let aggregates = self.arithmetic.aggregate_nonces(session.m, &nonces)?;
        let seats: Vec<Seat> = slots.keys().copied().collect();
        let package = self.arithmetic.prepare(session.request.keys(), &seats, &aggregates)?;
        let entries = slots.iter().map(|(&seat, (first, nonces))| {
            let bytes: Vec<[u8; 66]> = nonces.iter().map(PublicNonce::to_bytes).collect();
            SignerSlots { seat, first: *first, hash: slot_hash(group, coordinator, seat, &bytes) }
        });
        let signers: Vec<SignerSlots> = entries.collect();
        let picks = signers.iter().map(|entry| Pick {
            seat: entry.seat,
            incarnation: self.links.incarnation(entry.seat),
            slot: entry.hash,
            share: None,
        });
        let Some(id) = turn.reign.issue(picks.collect(), now.monotonic) else { return Ok(None) };
        let content = SigningPackage { run: id.run, number: id.number, signers, aggregates };
        let statement =
            self.seal(session.id, coordinator, &Content::SigningPackage(content.clone()));
        turn.reign.seal(id, statement.body_hash());
        session.has_tried = true;
        let nonces = slots.iter().map(|(seat, (_, nonces))| (*seat, nonces.clone())).collect();
        let prepared = Prepared { package, nonces, statement: statement.clone() };
        turn.prepared.insert(id, prepared);
        let asked: Vec<Seat> = seats.iter().copied().filter(|seat| !self.is_own(*seat)).collect();
        for seat in &asked {
            self.waits_since.entry(*seat).or_insert(now.monotonic);
        }
        let (run, number) = (id.run, id.number);
        self.event(Event::PackageIssued { session: session.id, run, number, signers: seats });
        session.retained.package(coordinator, statement.clone(), content, true);
        Ok(Some(statement))
    }

    /// A package of this node went out: all others receive it, and own seats answer it.
    fn issued(&mut self, session: &mut Session<A::Package>, statement: Statement, now: Moment) {
        self.broadcast(&statement);
        self.news(now);
        if let Some(turn) = &mut session.turn {
            turn.ask_anew(now.monotonic);
        }
        session.schedule.package_arrived(self.links.interval(), now.monotonic);
        let coordinator = session.seat;
        // An own seat that does not sign has a reason that stops the session, or none.
        let _ = self.consider(session, coordinator, statement.body_hash(), now);
    }

    /// Counts a share for a package of this node's own.
    pub(super) fn count(
        &mut self,
        session: &mut Session<A::Package>,
        sender: Seat,
        package: BodyHash,
        scalars: Vec<PartialSignature>,
        statement: Statement,
        now: Moment,
    ) -> Result<(), Rejected> {
        let Some(turn) = &mut session.turn else { return Ok(()) };
        let issued = turn.reign.find(package).and_then(|id| turn.reign.package(id));
        let issued = issued.map(|package| package.issued);
        match turn.reign.share(sender, package, Counted { scalars, statement }) {
            Count::NotOwed => return Err(Rejected::NotOwed { sender }),
            Count::Repeat => return Err(Rejected::Repeat),
            Count::Counted(_) => {
                self.news(now);
                self.takes_part(session, sender);
            }
            Count::Complete(id) => {
                self.takes_part(session, sender);
                self.settle(session, id, now);
            }
        }
        // A share is an answer as Ready is: its sender takes part in the next run as well.
        if let Some(incarnation) = self.links.incarnation(sender)
            && !session.refused.contains_key(&sender)
        {
            let said = Readiness { incarnation, counter: 0, cannot: None };
            session.said.entry(sender).or_insert(said);
        }
        let interval = self.links.interval();
        if issued.is_some_and(|at| now.monotonic <= at.saturating_add(interval)) {
            self.waits_since.remove(&sender);
        }
        Ok(())
    }

    /// A member has shown that it takes part.
    pub(super) fn takes_part(&mut self, session: &mut Session<A::Package>, seat: Seat) {
        if !self.is_own(seat) && session.taking_part.insert(seat) {
            self.event(Event::TakesPart { session: session.id, seat });
        }
    }

    /// All t shares of a package are in.
    fn settle(&mut self, session: &mut Session<A::Package>, id: PackageId, now: Moment) {
        if let Err(reason) = self.still_agrees(session, now) {
            return self.end_withdrawn(session, reason, now);
        }
        let Some(mut turn) = session.turn.take() else { return };
        let aggregated =
            turn.reign.package(id).zip(turn.prepared.get(&id)).map(|(package, one)| {
                let shares = package.picks.iter().filter_map(|pick| pick.share.as_ref());
                let shares: Vec<&[PartialSignature]> =
                    shares.map(|share| &share.scalars[..]).collect();
                self.arithmetic.aggregate(&one.package, &shares)
            });
        match aggregated {
            Some(Ok(Verdict::Right(signatures))) => {
                let hash = turn.reign.package(id).and_then(|package| package.hash);
                session.turn = Some(turn);
                if let Some(package) = hash {
                    self.complete(session, package, signatures, now);
                }
                return;
            }
            Some(Ok(Verdict::Wrong { .. })) => self.blame(session, &mut turn, id, now),
            // This machine could not compute it: no member is blamed.
            Some(Err(_)) | None => turn.reign.fail(id),
        }
        session.turn = Some(turn);
    }

    /// The signatures of a package do not verify: every share is checked. If each is right only t
    /// members together can have made it so, and nothing proves which: all are out.
    fn blame(
        &mut self,
        session: &mut Session<A::Package>,
        turn: &mut Turn<A::Package>,
        id: PackageId,
        now: Moment,
    ) {
        turn.reign.fail(id);
        let seats: Vec<Seat> = turn
            .reign
            .package(id)
            .map(|package| package.picks.iter().map(|pick| pick.seat).collect())
            .unwrap_or_default();
        let mut bad = false;
        for &seat in &seats {
            match self.check(turn, seat, id) {
                Some(Ok(())) => turn.reign.clear(seat, id),
                Some(Err(position)) => {
                    bad = true;
                    turn.reign.exclude(seat);
                    self.report_share(session, turn, (seat, id), position, now);
                }
                None => bad = true,
            }
        }
        if !bad {
            seats.iter().for_each(|seat| turn.reign.exclude(*seat));
        }
    }
}
