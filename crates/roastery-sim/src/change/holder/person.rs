//! What its person does at a node.

use std::collections::BTreeSet;

use roastery_protocol::{
    Seat,
    change::{
        Parent, SecondCopy, UsedHostKeys,
        switch::{Switch, Wish},
    },
    clock::Moment,
    machine::Output,
};

use super::{Action, Holder, Planned, Row, seats_of};

impl Holder {
    /// The person does something.
    pub fn act(&mut self, action: &Action, now: Moment) {
        match action {
            Action::Propose(_) => {}
            Action::Decide { by_hand } => self.decide(*by_hand, now),
            Action::Withdraw => {
                if let Some(change) = self.changes.values_mut().next_back() {
                    change.withdraw(now);
                }
            }
            Action::Acknowledge => {
                let current = self.current();
                if let Some(switch) = &mut self.switch {
                    switch.acknowledge(current, now);
                }
            }
            Action::Erase { leave_out } => self.erase(*leave_out, now),
        }
        self.pump(now);
    }

    /// Decides about the newest plan that it may take part in.
    fn decide(&mut self, by_hand: bool, now: Moment) {
        let plans: Vec<Planned> =
            self.participants.borrow().plans().iter().rev().cloned().collect();
        for planned in plans.into_iter().take(3) {
            if self.store.decided.contains_key(&planned.index) || !self.is_allowed(&planned, now) {
                continue;
            }
            let mut numbers = self.store.numbers.clone();
            let participants = self.participants.borrow();
            let old = seats_of(&participants.people_of(&planned.parent), self.person);
            let approves = old.iter().any(|(seat, _)| !planned.plan.excluded().contains(seat))
                && self.store.shares.contains_key(&planned.place)
                && numbers.approve(&planned.plan).is_ok();
            let accepts = planned.people.contains(&self.person);
            drop(participants);
            if approves || accepts {
                let plan = planned.index;
                let row = Row::Decided { plan, approves, accepts, by_hand };
                self.outbox.push_back(Output::Persist(row));
                return;
            }
        }
    }

    /// What a node checks of a plan. One that joins compares the words with an old member.
    fn is_allowed(&self, planned: &Planned, now: Moment) -> bool {
        let Some(switch) = &self.switch else {
            return planned.plan.check(&planned.parent, &self.used(), now).is_ok();
        };
        let current = switch.lineage().group(switch.current());
        switch.current() == planned.place
            && current.is_some_and(|one| {
                Parent::of(one) == *planned.plan.parent()
                    && planned.plan.check(one, &self.used(), now).is_ok()
            })
    }

    fn used(&self) -> UsedHostKeys {
        let lineage = self.switch.as_ref().map(Switch::lineage);
        let mut used = lineage.map_or_else(UsedHostKeys::default, |one| one.used_host_keys());
        let participants = self.participants.borrow();
        self.store.decided.keys().for_each(|one| used.add_plan(&participants.plans()[*one].plan));
        used
    }

    fn erase(&mut self, leave_out: bool, now: Moment) {
        let Some(switch) = &mut self.switch else { return };
        // One that says that it lacks its share is not left out.
        let silent =
            |seat: &Seat| switch.receipts().is_some_and(|receipts| receipts.get(*seat).is_none());
        let group = switch.lineage().group(switch.current());
        let without: BTreeSet<Seat> = match group {
            Some(group) if leave_out => group.seats().filter(silent).collect(),
            _ => BTreeSet::new(),
        };
        let second_copy = Some(SecondCopy::Backup);
        // The person looks and decides in one step.
        let (by, wish) = (switch.current(), Wish { second_copy, without, host_key: true });
        if let Err(error) = switch.erase(by, wish, now) {
            unreachable!("{error}");
        }
    }
}
