//! The coordinator: begins its reign, issues packages and counts shares (sections 6 and 7).

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::{PartialSignature, PublicNonce, Seat};

use super::{
    Event, Rejected,
    core::{Core, Reply},
    session::{Counted, Prepared, Said, Session, Turn},
};
use crate::{
    BodyHash,
    clock::Moment,
    machine::Destination,
    member::{
        engine::{Arithmetic, ArithmeticError, Engine, Verdict},
        frame::{Content, SignerSlots, SigningPackage, Statement, Want, slot_hash},
        proof::Fault,
        reign::{Candidate, Count, PackageId, Pick, Plan, Reign},
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
            let due = turn.reign.is_new_run_due(self.links.interval(), now.monotonic, |seat| {
                self.candidate(session, seat, now)
            });
            session.turn = Some(turn);
            if due {
                self.begin_run(session, now);
            }
            let Some(again) = session.turn.take() else { return };
            turn = again;
            while let Some(statement) = self.issue(session, &mut turn, now) {
                session.turn = Some(turn);
                self.issued(session, statement, now);
                let Some(again) = session.turn.take() else { return };
                turn = again;
            }
        }
        // A signature that came while it issued has ended the reign.
        session.turn = session.is_running().then_some(turn);
    }

    /// The next package, if one may go out now.
    fn issue(
        &mut self,
        session: &mut Session<A::Package>,
        turn: &mut Turn<A::Package>,
        now: Moment,
    ) -> Option<Statement> {
        loop {
            let plan = turn.reign.plan(now.monotonic, |seat| self.candidate(session, seat, now))?;
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
        plan: &Plan,
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
        plan: &Plan,
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
            let said = Said { incarnation, counter: 0, cannot: None };
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

    /// What a coordinator knows of a member.
    pub(super) fn candidate(
        &self,
        session: &Session<A::Package>,
        seat: Seat,
        now: Moment,
    ) -> Candidate {
        let shown = &self.own_seat(session.seat).shown;
        let incarnation = self.links.incarnation(seat);
        let said = session.said.get(&seat).filter(|said| Some(said.incarnation) == incarnation);
        let excluded = self.is_shunned(seat);
        Candidate {
            linked: self.links.is_up(seat),
            excluded,
            has_slots: shown.has(seat, session.m, false, now),
            has_spare_slots: shown.has(seat, session.m, true, now),
            ready: said.is_some(),
            cannot: said.and_then(|said| said.cannot),
            incarnation,
            clean: !self.late.contains(&seat),
            prompt: self.is_prompt(seat, now),
            round_trip: self.links.round_trip(seat),
        }
    }

    /// A member that owes a share says Ready without `cannot`: it has not the package.
    pub(super) fn show_owed_package(
        &mut self,
        session: &Session<A::Package>,
        seat: Seat,
        now: Moment,
    ) {
        let Some(turn) = &session.turn else { return };
        let owed = turn.reign.owing().find(|(debtor, _)| *debtor == seat);
        let Some(prepared) = owed.and_then(|(_, id)| turn.prepared.get(&id)) else { return };
        let (hash, bytes) = (prepared.statement.body_hash(), prepared.statement.as_bytes().clone());
        self.reply(seat, Reply::Package(hash), &bytes, now);
    }

    /// Asks those that were not heard from, and sends packages again to those that owe a share.
    pub(super) fn ask(&mut self, session: &mut Session<A::Package>, now: Moment) {
        let others = self.others();
        let Some(turn) = &mut session.turn else { return };
        let may_ask = turn.asked_from(self.links.interval());
        let owing: Vec<(Seat, PackageId)> = turn.reign.owing().collect();
        let (refused, waiting) = (&session.refused, &session.waiting);
        let quiet = |seat: &Seat| refused.contains_key(seat) || waiting.contains(seat);
        let mut wants = Vec::new();
        if now.monotonic >= may_ask && turn.asks.fire(now.monotonic) {
            // One that has refused or waits for its approval says Ready when it opens.
            let known =
                |seat: Seat| session.said.contains_key(&seat) || turn.reign.has_answered(seat);
            // Before t members are ready their slots would only become too old.
            let ready = self.own.len() + others.iter().filter(|seat| known(**seat)).count();
            let asks_slots = ready >= self.group.threshold();
            let linked = others.iter().filter(|seat| self.links.is_up(**seat) && !quiet(seat));
            for &seat in linked {
                let shown = &self.own.iter().find(|own| own.seat == session.seat);
                let has_slots = shown.is_some_and(|own| own.shown.has(seat, session.m, false, now));
                if asks_slots && !has_slots {
                    wants.push((seat, Want::Slots));
                }
                let owes = owing.iter().any(|(debtor, _)| *debtor == seat);
                if !owes && !known(seat) {
                    wants.push((seat, Want::Ready));
                }
            }
        }
        let mut repeats = Vec::new();
        if turn.repeats.fire(now.monotonic) {
            for (seat, id) in owing.iter().filter(|(seat, _)| !quiet(seat)) {
                if let Some(prepared) = turn.prepared.get(id) {
                    repeats.push((*seat, prepared.statement.as_bytes().clone()));
                }
            }
        }
        let (id, coordinator) = (session.id, session.seat);
        for (seat, want) in wants {
            self.want(id, coordinator, seat, want);
        }
        for (seat, bytes) in repeats {
            if !self.is_own(seat) {
                self.send(Destination::Seat(seat), bytes);
            }
        }
    }

    /// When a turn has something to do, on the monotonic clock.
    pub(super) fn turn_due(&self, session: &Session<A::Package>, now: Moment) -> Option<Duration> {
        let turn = session.turn.as_ref()?;
        let candidate = |seat| self.candidate(session, seat, now);
        // What was due before the last input was tried then: it waits for another input.
        let later = |due: &Duration| *due > now.monotonic;
        let package = turn.reign.package_due(candidate).filter(later);
        let run = turn.reign.new_run_due(self.links.interval(), candidate).filter(later);
        let may_ask = turn.asked_from(self.links.interval());
        let asks = [turn.asks.due().max(may_ask), turn.repeats.due()];
        package.into_iter().chain(run).chain(asks).min()
    }
}
