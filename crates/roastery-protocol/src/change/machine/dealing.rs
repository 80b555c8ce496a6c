//! Approving, accepting, and dealing.

use roastery_frost::{
    Signature,
    change::{Dealing, OpenError},
};

use super::{Change, Engine, Event, Record, Running, Said};
use crate::{
    change::{
        Party, Role,
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
        if let Some(seat) = self.own_old() {
            if self.withdraws {
                if self.keep(Record::Withdrawn) && self.say(Said::Withdrawal) {
                    self.event(Event::Withdrawn);
                }
            } else if self.wants_to_approve
                && self.is_parent_current()
                && self.keep(self.approval.clone())
            {
                if let Some(envelope) = self.seal(Role::Old, &Body::Approval) {
                    // An excluded seat's approval does not count, and is not sent.
                    let signature = Signature::from_bytes(&envelope.signature());
                    let _ = self.call.approve(seat, signature);
                }
                if self.call.has_approved(seat) {
                    self.say(Said::Approval);
                }
            }
        }
        if let Some(seat) = self.own_new()
            && self.wants_to_accept
            && (!self.is_restored() || self.journal.has(&Record::Accepted))
            && self.keep(Record::Accepted)
        {
            let signature = self.engine.accept(self.fixed.plan.id(), seat);
            if signature.is_some_and(|signature| self.call.accept(seat, signature).is_ok()) {
                self.say(Said::Acceptance);
            }
        }
    }

    /// Says it to everyone, once. Returns whether this is the first time.
    fn say(&mut self, what: Said) -> bool {
        let first = self.said.insert(what);
        if first && let Some(envelope) = self.announced(what) {
            self.send(Destination::Everyone, &envelope);
        }
        first
    }

    /// The message of a decision.
    pub(super) fn announced(&mut self, what: Said) -> Option<Envelope> {
        match what {
            Said::Approval if !self.is_parent_current() => None,
            Said::Approval => self.seal(Role::Old, &Body::Approval),
            Said::Withdrawal => self.seal(Role::Old, &Body::Withdrawal),
            Said::Acceptance => {
                let signature = self.engine.accept(self.fixed.plan.id(), self.own_new()?)?;
                self.seal(Role::New, &Body::Acceptance(signature))
            }
            Said::Dealing | Said::Certificate => None,
        }
    }

    /// Whether all new members have accepted, and enough old ones approve at this moment.
    fn has_roll(&self) -> bool {
        self.call.roll(self.fixed.approvals).is_some()
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

    /// Whether the decision of this node itself is to approve, and stored. What others say of it
    /// counts for nothing: they may have its identity key and not its share.
    fn approves(&self) -> bool {
        self.wants_to_approve && !self.withdraws && self.journal.has(&self.approval)
    }

    /// Whether this node deals in the plan at all: it is not barred, and the parent is current.
    pub(super) fn is_to_deal(&self) -> bool {
        self.may_deal && self.is_parent_current()
    }

    fn is_parent_current(&self) -> bool {
        self.current == self.fixed.place
    }

    /// Deals, once everything is there that a dealing needs. Its record is stored before it leaves.
    pub(super) fn deal(&mut self, now: Moment) {
        let Some(seat) = self.own_old() else { return };
        let may_deal = self.is_to_deal()
            && !self.is_late(now)
            && self.running.is_some()
            && self.approves()
            && self.call.has_approved(seat)
            && self.has_roll();
        if !may_deal || self.said.contains(&Said::Dealing) {
            return;
        }
        if self.own_dealing.is_none() {
            let dealing = match self.engine.deal(&self.fixed.params, seat) {
                Ok(dealing) => dealing,
                Err(error) => {
                    self.may_deal = false;
                    return self.event(Event::CannotDeal(error));
                }
            };
            let name = DealingName::of(&dealing);
            let other = self.journal.records().find_map(|record| match record {
                Record::Dealt(stored) if *stored != name => Some(*stored),
                _ => None,
            });
            if let Some(stored) = other {
                self.may_deal = false;
                return self.event(Event::OtherDealing(stored));
            }
            let Some(envelope) = self.seal(Role::Old, &Body::Dealing(dealing.to_bytes())) else {
                return;
            };
            self.own_dealing = Some((dealing, envelope));
        }
        let Some((dealing, envelope)) = self.own_dealing.clone() else { return };
        if !self.keep(Record::Dealt(DealingName::of(&dealing))) {
            return;
        }
        self.said.insert(Said::Dealing);
        for receiver in self.fixed.plan.seats() {
            self.send_to(Party::new(receiver), &envelope);
        }
        self.event(Event::Dealt);
        self.enter_dealing(dealing, envelope);
    }

    /// Keeps the first dealing of a dealer, and says so at once if its share is wrong here.
    pub(super) fn enter_dealing(&mut self, dealing: Dealing, envelope: Envelope) {
        let name = DealingName::of(&dealing);
        let opened = self.own_new().map(|_| self.engine.open(&dealing));
        let is_wrong = matches!(opened, Some(Err(OpenError::WrongShare { .. })));
        self.dealings.enter(dealing, envelope, opened.map(|opened| opened.is_ok()));
        if is_wrong && let Some(seat) = self.own_new() {
            self.dealings.complain(seat, name);
            self.event(Event::WrongShare(name));
            if let Some(complaint) = self.seal(Role::New, &Body::Complaint(name)) {
                for receiver in self.fixed.plan.seats() {
                    self.send_to(Party::new(receiver), &complaint);
                }
            }
        }
    }
}
