//! Time: whose turn it is, and what is said again.

use std::{collections::BTreeSet, time::Duration};

use roastery_frost::Seat;

use super::{Change, Choice, Engine, Event, Record, SaidOnce};
use crate::{
    Attempt,
    change::{
        Party, Role,
        message::{Body, Envelope, Want},
    },
    clock::Moment,
    group::PeerId,
    machine::{Backoff, Destination},
};

/// How long after a signature without a certificate a plan is reported as open.
const OPEN_AFTER: Duration = Duration::from_secs(3600);

/// What is announced until the roll is complete.
const ANNOUNCED: [SaidOnce; 3] = [SaidOnce::Approval, SaidOnce::Withdrawal, SaidOnce::Acceptance];

impl<E: Engine> Change<E> {
    pub(super) fn wake(&mut self, now: Moment) {
        let again = self.announcing.fire(now.monotonic);
        if again {
            self.journal.try_again();
        }
        self.expire(now);
        if self.is_active() {
            if again {
                self.repeat_announcements();
            }
            self.escalate(now);
            self.repeat_to_coordinators(now);
            self.repeat_choice(now);
            self.ask_who_leaves(now);
        }
        self.progress(now);
    }

    /// Whether anything is said without being asked for: there is no certificate, there can still
    /// be one, and it would not be below the current epoch.
    fn is_active(&self) -> bool {
        self.certificate.is_none() && !self.is_superseded() && (!self.expired || self.is_bound())
    }

    /// Whether this node has dealt or signed, or may have: then others may come to hold a
    /// certificate.
    pub(super) fn is_bound(&self) -> bool {
        self.may_have_dealt() || self.may_have_signed()
    }

    /// Whether the plan has expired, also before the clock was set back.
    pub(super) fn is_late(&self, now: Moment) -> bool {
        self.expired || now.monotonic >= self.fixed.deadline || self.journal.has(&Record::Expired)
    }

    /// The expiry is kept, so that a clock that is set back makes the plan no younger.
    pub(super) fn expire(&mut self, now: Moment) {
        if self.certificate.is_some() || !self.is_late(now) {
            return;
        }
        self.keep(Record::Expired);
        if !self.expired {
            self.expired = true;
            let open = self.may_have_signed();
            self.event(Event::Expired { open });
        }
    }

    /// This node signs a transcript now, or has signed one in an earlier life.
    pub(super) fn may_be_open(&mut self, now: Moment) {
        self.open_at.get_or_insert(now.monotonic.saturating_add(OPEN_AFTER));
    }

    /// Without a certificate an hour after the signature a person is told, once in a life.
    pub(super) fn report_open(&mut self, now: Moment) {
        if !self.reported_open && self.open_at.is_some_and(|at| now.monotonic >= at) {
            self.reported_open = true;
            self.event(Event::Open);
        }
    }

    /// When the machine must be woken next.
    pub(super) fn due(&self) -> Option<Duration> {
        let again = self.journal.has_failed().then(|| self.announcing.due());
        let is_over = self.certificate.is_some();
        let deadline = (!is_over && !self.expired).then_some(self.fixed.deadline);
        let open = self.open_at.filter(|_| !is_over && !self.reported_open);
        let at_all = again.into_iter().chain(deadline).chain(open);
        if !self.is_active() {
            return at_all.min();
        }
        let announces = !self.called && ANNOUNCED.iter().any(|what| self.said.contains(what));
        let announcing = announces.then(|| self.announcing.due());
        let running = self.running.iter().flat_map(|running| {
            let live = running.live.values().map(Backoff::due);
            let asking = running.asking.iter().map(Backoff::due);
            live.chain(asking).chain([running.schedule.due()])
        });
        let shown = self.coordinating.values().filter_map(|turn| turn.due());
        at_all.chain(announcing).chain(running).chain(shown).min()
    }

    fn repeat_announcements(&mut self) {
        if self.called {
            return;
        }
        for envelope in self.announcements() {
            self.send(Destination::Everyone, &envelope);
        }
    }

    fn announcements(&mut self) -> Vec<Envelope> {
        let said = ANNOUNCED.into_iter().filter(|what| self.said.contains(what));
        let said: Vec<SaidOnce> = said.collect();
        said.into_iter().flat_map(|what| self.announced(what)).collect()
    }

    /// Makes the coordinators live whose time has come.
    pub(super) fn escalate(&mut self, now: Moment) {
        if self.certificate.is_some() {
            return;
        }
        let own = self.own_new();
        let is_gone = |peer: &PeerId| self.disconnected.contains(peer);
        let gone: BTreeSet<Seat> = self
            .fixed
            .plan
            .seats()
            .zip(self.fixed.plan.members())
            .filter(|(seat, member)| !own.contains(seat) && is_gone(&member.peer))
            .map(|(seat, _)| seat)
            .collect();
        let (n, order) = (self.fixed.plan.size(), &self.fixed.order);
        let settings = self.fixed.settings;
        let has_signed = self.may_have_signed();
        let repeat = Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max);
        let Some(running) = &mut self.running else { return };
        let passed_over = |attempt: Attempt| gone.contains(&order.coordinator(attempt));
        let begun = running.schedule.advance(now.monotonic, passed_over);
        let begun = begun.into_iter().filter(|attempt| attempt.index() < n);
        let begun: Vec<Seat> = begun.map(|attempt| order.coordinator(attempt)).collect();
        if has_signed && running.schedule.live() >= n {
            running.asking.get_or_insert_with(|| repeat.clone());
        }
        for coordinator in begun {
            if own.contains(&coordinator) {
                self.coordinating.entry(coordinator).or_default();
                continue;
            }
            if let Some(running) = &mut self.running {
                running.live.insert(coordinator, repeat.clone());
            }
        }
    }

    fn repeat_to_coordinators(&mut self, now: Moment) {
        let Some(running) = &mut self.running else { return };
        let due = running
            .live
            .iter_mut()
            .filter_map(|(seat, repeat)| repeat.fire(now.monotonic).then_some(*seat));
        let due: Vec<Seat> = due.collect();
        for seat in due {
            for envelope in self.owed_to(seat) {
                self.send_to(Party::new(seat), &envelope);
            }
        }
    }

    /// What a live coordinator must get: this node's dealings, while it may deal, and its
    /// signatures of what that one has chosen; a question for the certificate, if there is neither.
    fn owed_to(&self, coordinator: Seat) -> Vec<Envelope> {
        let repeats = self.is_to_deal() && !self.expired;
        let has_left = |seat: &Seat| repeats && self.said.contains(&SaidOnce::Dealing(*seat));
        let dealt = self.own_dealings.iter().filter(|(seat, _)| has_left(seat));
        let dealings = dealt.map(|(_, (_, envelope))| envelope.clone());
        let signatures = self.choices.get(&coordinator).map_or(&[][..], Choice::released);
        let mut owed: Vec<Envelope> = dealings.chain(signatures.iter().cloned()).collect();
        if owed.is_empty() {
            owed.push(self.seal_as_any(&Body::Want(Want::Certificate)));
        }
        owed
    }

    /// A certificate may have reached none but an old member that gets no seat, and so coordinates
    /// nothing. Members that stay learn of it by the lineage; one that joins has none yet.
    fn ask_who_leaves(&mut self, now: Moment) {
        let asking = self.running.as_mut().and_then(|running| running.asking.as_mut());
        if !asking.is_some_and(|asking| asking.fire(now.monotonic)) {
            return;
        }
        let want = self.seal_as_any(&Body::Want(Want::Certificate));
        let old = self.fixed.parent.seats().map(Party::old);
        let leaving: Vec<Party> = old.filter(|party| self.leaves(*party)).collect();
        for party in leaving {
            self.send_to(party, &want);
        }
    }

    /// Whether this old seat is of a peer without a new one.
    fn leaves(&self, party: Party) -> bool {
        let peer = self.peer_of(party);
        peer.is_some_and(|peer| self.fixed.plan.members().iter().all(|new| new.peer != *peer))
    }

    /// A coordinator shows its choice again to those that have not signed it.
    fn repeat_choice(&mut self, now: Moment) {
        let mut again: Vec<(Seat, Envelope)> = Vec::new();
        for turn in self.coordinating.values_mut() {
            let Some((envelope, repeat)) = turn.shown() else { continue };
            if !repeat.fire(now.monotonic) {
                continue;
            }
            let envelope = envelope.clone();
            let unsigned = self.fixed.plan.seats().filter(|seat| !turn.has_signed(*seat));
            again.extend(unsigned.map(|seat| (seat, envelope.clone())));
        }
        for (seat, envelope) in again {
            self.send_to(Party::new(seat), &envelope);
        }
    }

    /// This peer can be reached again: what was sent while it could not is sent again, at the rate
    /// of answers.
    pub(super) fn reconnected(&mut self, peer: &PeerId, now: Moment) {
        let parent = self.fixed.parent.clone();
        let old = parent.seats().map(Party::old);
        let parties: Vec<Party> = old
            .chain(self.fixed.plan.seats().map(Party::new))
            .filter(|party| self.peer_of(*party) == Some(peer))
            .collect();
        // Signed once for all seats of the peer.
        let said = match self.certificate.is_none() && self.is_active() {
            true => self.announcements(),
            false => Vec::new(),
        };
        for party in parties {
            for envelope in self.missed_by(party, &said) {
                // A rate limit is not an error: the ordinary retransmission brings it.
                self.answer(party, &envelope, now);
            }
        }
    }

    /// What this seat has missed; `said` is what was said to everyone.
    fn missed_by(&mut self, party: Party, said: &[Envelope]) -> Vec<Envelope> {
        if let Some((_, envelope)) = &self.certificate {
            return vec![envelope.clone()];
        }
        if !self.is_active() {
            return Vec::new();
        }
        let mut missed = said.to_vec();
        let is_asking = self.running.as_ref().is_some_and(|running| running.asking.is_some());
        if party.role == Role::Old && is_asking && self.leaves(party) {
            missed.push(self.seal_as_any(&Body::Want(Want::Certificate)));
        }
        if party.role == Role::New {
            missed.extend(self.owed_to(party.seat));
            let unsigned =
                self.coordinating.values_mut().filter(|turn| !turn.has_signed(party.seat));
            missed.extend(unsigned.filter_map(|turn| Some(turn.shown()?.0.clone())));
        }
        missed
    }
}
