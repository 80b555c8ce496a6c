//! What a coordinator knows of the members, and what it asks them for (sections 6 and 7).

use std::{cell::Cell, time::Duration};

use roastery_frost::Seat;

use super::{
    core::{Core, Reply},
    session::Session,
};
use crate::{
    clock::Moment,
    machine::Destination,
    member::{
        engine::{Arithmetic, Engine},
        frame::Want,
        reign::{Candidate, PackageId},
    },
};

/// What is known of the members, by seat: each is looked up once, when it is asked for first.
pub(super) struct Candidates(Vec<Cell<Option<Candidate>>>);

impl Candidates {
    pub(super) fn of<'a>(
        &'a self,
        look_up: impl Fn(Seat) -> Candidate + 'a,
    ) -> impl Fn(Seat) -> Candidate + 'a {
        move |seat| {
            let Some(cell) = self.0.get(seat.index()) else { return look_up(seat) };
            let one = cell.get().unwrap_or_else(|| look_up(seat));
            cell.set(Some(one));
            one
        }
    }
}

impl<E: Engine, A: Arithmetic> Core<E, A> {
    pub(super) fn candidates(&self) -> Candidates {
        Candidates(self.group.seats().map(|_| Cell::new(None)).collect())
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
        let candidates = self.candidates();
        let of = candidates.of(|seat| self.candidate(session, seat, now));
        // What was due before the last input was tried then: it waits for another input.
        let later = |due: &Duration| *due > now.monotonic;
        let package = turn.reign.package_due(&of).filter(later);
        let run = turn.reign.new_run_due(self.links.interval(), &of).filter(later);
        let may_ask = turn.asked_from(self.links.interval());
        let asks = [turn.asks.due().max(may_ask), turn.repeats.due()];
        package.into_iter().chain(run).chain(asks).min()
    }
}
