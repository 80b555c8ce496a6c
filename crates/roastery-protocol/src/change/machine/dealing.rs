//! Approving, accepting, and dealing.

use std::collections::BTreeSet;

use roastery_frost::{
    Seat, Signature,
    change::{Dealing, OpenError},
};

use super::{Change, Engine, Event, Record, Running, SaidOnce};
use crate::{
    change::{
        Party,
        message::{Body, DealingName, Envelope},
    },
    clock::Moment,
    machine::{Destination, Schedule},
};

impl<E: Engine> Change<E> {
    /// Says what is stored as decided here: approval or withdrawal, and acceptance.
    pub(super) fn announce(&mut self, now: Moment) {
        if self.is_late(now) {
            return;
        }
        if self.withdraws && self.keep(Record::Withdrawn) && self.say(SaidOnce::Withdrawal) {
            self.event(Event::Withdrawn);
        }
        if self.is_parent_current() {
            self.announce_approval();
        }
        if !self.fixed.new.is_empty()
            && self.wants_to_accept
            && (!self.is_restored() || self.journal.has(&Record::Accepted))
            && self.keep(Record::Accepted)
        {
            // Each costs a signature: one that counts already is not made again.
            for seat in self.own_new() {
                if !self.call.has_accepted(seat)
                    && let Some(signature) = self.engine.accept(self.fixed.plan.id(), seat)
                {
                    let _ = self.call.accept(seat, signature);
                }
            }
            self.say(SaidOnce::Acceptance);
        }
    }

    /// Counts the approvals of the old seats that approve, and says them. An excluded seat's does
    /// not count, and is not sent.
    fn announce_approval(&mut self) {
        let is_kept = !self.fixed.old.is_empty()
            && self.wants_to_approve
            && !self.withdraws
            && self.keep(self.approval.clone());
        for seat in self.own_old() {
            let is_to_approve = (is_kept || self.has_dealt(seat))
                && !self.is_excluded(seat)
                && !self.call.has_approved(seat);
            if is_to_approve && let Some(envelope) = self.seal(Party::old(seat), &Body::Approval) {
                let signature = Signature::from_bytes(&envelope.signature());
                let _ = self.call.approve(seat, signature);
            }
        }
        if self.own_old().iter().any(|seat| self.call.has_approved(*seat)) {
            self.say(SaidOnce::Approval);
        }
    }

    /// Says it to everyone, once. Returns whether this is the first time.
    fn say(&mut self, what: SaidOnce) -> bool {
        let first = self.said.insert(what);
        if first {
            for envelope in self.announced(what) {
                self.send(Destination::Everyone, &envelope);
            }
        }
        first
    }

    /// The messages of a decision, one of each seat that it is for.
    pub(super) fn announced(&mut self, what: SaidOnce) -> Vec<Envelope> {
        let old = self.own_old().into_iter();
        match what {
            SaidOnce::Approval if !self.is_parent_current() => Vec::new(),
            SaidOnce::Approval => {
                let approving = old.filter(|seat| self.call.has_approved(*seat));
                approving.filter_map(|seat| self.seal(Party::old(seat), &Body::Approval)).collect()
            }
            SaidOnce::Withdrawal => {
                let withdrawn = self.undealt().into_iter();
                withdrawn
                    .filter_map(|seat| self.seal(Party::old(seat), &Body::Withdrawal))
                    .collect()
            }
            SaidOnce::Acceptance => {
                let plan = self.fixed.plan.id();
                let accept = |seat| {
                    let signature = self.engine.accept(plan, seat)?;
                    Some((Party::new(seat), Body::Acceptance(signature)))
                };
                let accepted = self.fixed.new.keys().copied().filter_map(accept);
                let accepted: Vec<(Party, Body)> = accepted.collect();
                accepted.iter().filter_map(|(party, body)| self.seal(*party, body)).collect()
            }
            SaidOnce::Dealing(_) | SaidOnce::Certificate => Vec::new(),
        }
    }

    /// Whether all new members have accepted, and enough old ones approve at this moment.
    fn has_roll(&self) -> bool {
        self.call.roll(self.fixed.approving).is_some()
    }

    pub(super) fn call_roll(&mut self, now: Moment) {
        if self.called || !self.has_roll() {
            return;
        }
        self.called = true;
        self.event(Event::RollComplete);
        self.begin_turns(now);
    }

    /// The coordinators' turns begin with the roll; after a restart at once where this node has
    /// dealt or signed, since it had the roll then.
    pub(super) fn begin_turns(&mut self, now: Moment) {
        if self.running.is_none() {
            let (n, interval) = (self.fixed.plan.size(), self.fixed.settings.interval);
            let schedule = Schedule::new(n, interval, now.monotonic);
            let live = std::collections::BTreeMap::new();
            self.running = Some(Running { schedule, live, asking: None });
            self.escalate(now);
        }
    }

    /// Whether the decision of this node itself is to deal with this old seat, and stored: it
    /// approves, or the dealing of that seat is stored. What others say of it counts for nothing:
    /// they may have its identity key and not its share.
    fn approves(&self, seat: Seat) -> bool {
        let approves = self.wants_to_approve && !self.withdraws && self.journal.has(&self.approval);
        approves || self.has_dealt(seat)
    }

    /// Whether this node deals in the plan at all: it is not barred, and the parent is current.
    pub(super) fn is_to_deal(&self) -> bool {
        self.may_deal && self.is_parent_current()
    }

    fn is_parent_current(&self) -> bool {
        self.current == self.fixed.place
    }

    /// Deals the share of each old seat, once everything is there that a dealing needs. Its record
    /// is stored before it leaves.
    pub(super) fn deal(&mut self, now: Moment) {
        let may_deal =
            self.is_to_deal() && !self.is_late(now) && self.running.is_some() && self.has_roll();
        if !may_deal {
            return;
        }
        for seat in self.own_old() {
            let is_to_deal = self.call.has_approved(seat)
                && self.approves(seat)
                && !self.said.contains(&SaidOnce::Dealing(seat));
            if is_to_deal {
                self.deal_one(seat);
            }
        }
    }

    fn deal_one(&mut self, seat: Seat) {
        let Some((dealing, envelope)) = self.own_dealing(seat) else { return };
        if !self.keep(Record::Dealt(DealingName::of(&dealing))) {
            return;
        }
        self.said.insert(SaidOnce::Dealing(seat));
        self.send_to_new(&envelope);
        self.event(Event::Dealt { dealer: seat });
        self.enter_dealing(dealing, envelope);
    }

    /// The dealing of an old seat of this node; none if it cannot deal, or its share gives another
    /// dealing than the stored one.
    fn own_dealing(&mut self, seat: Seat) -> Option<(Dealing, Envelope)> {
        if self.cannot_deal.contains(&seat) {
            return None;
        }
        if let Some(known) = self.own_dealings.get(&seat) {
            return Some(known.clone());
        }
        let dealing = match self.engine.deal(&self.fixed.params, seat) {
            Ok(dealing) => dealing,
            Err(error) => {
                self.cannot_deal.insert(seat);
                self.event(Event::CannotDeal(error));
                return None;
            }
        };
        let name = DealingName::of(&dealing);
        let other = self.journal.records().find_map(|record| match record {
            Record::Dealt(stored) if stored.dealer == seat && *stored != name => Some(*stored),
            _ => None,
        });
        if let Some(stored) = other {
            self.cannot_deal.insert(seat);
            self.event(Event::OtherDealing(stored));
            return None;
        }
        let envelope = self.seal(Party::old(seat), &Body::Dealing(dealing.to_bytes()))?;
        self.own_dealings.insert(seat, (dealing.clone(), envelope.clone()));
        Some((dealing, envelope))
    }

    /// Keeps the first dealing of a dealer, and says so at once if its share is wrong here: each
    /// seat for which it is wrong complains.
    pub(super) fn enter_dealing(&mut self, dealing: Dealing, envelope: Envelope) {
        let name = DealingName::of(&dealing);
        let (mut is_right, mut wrong_for) = (true, BTreeSet::new());
        for seat in self.own_new() {
            let opened = self.engine.open(&dealing, seat);
            is_right &= opened.is_ok();
            if matches!(opened, Err(OpenError::WrongShare { .. })) {
                wrong_for.insert(seat);
            }
        }
        let is_right = (!self.fixed.new.is_empty()).then_some(is_right);
        self.dealings.enter(dealing, envelope, is_right, wrong_for.clone());
        if !wrong_for.is_empty() {
            self.event(Event::WrongShare(name));
        }
        for seat in wrong_for {
            self.dealings.complain(seat, name);
            if let Some(complaint) = self.seal(Party::new(seat), &Body::Complaint(name)) {
                self.send_to_new(&complaint);
            }
        }
    }
}
