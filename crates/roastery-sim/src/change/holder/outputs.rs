//! What the machines of a node want done.

use std::{collections::BTreeSet, sync::Arc};

use roastery_protocol::{
    PlanId, Seat,
    change::{EpochFile, Role, machine, switch},
    clock::Moment,
    machine::{Destination, Machine, Output},
};

use super::{Event, Holder, Row};

impl Holder {
    /// Takes out what its machines want done, until they want nothing more.
    pub(super) fn pump(&mut self, now: Moment) {
        loop {
            let next = self
                .changes
                .iter_mut()
                .find_map(|(index, change)| change.poll_output().map(|output| (*index, output)));
            if let Some((index, output)) = next {
                self.of_change(index, output, now);
                continue;
            }
            let Some(output) = self.switch.as_mut().and_then(Machine::poll_output) else { return };
            self.of_switch(output, now);
        }
    }

    fn of_change(&mut self, index: usize, output: machine::Output, now: Moment) {
        match output {
            Output::Send { to, bytes } => {
                let planned = self.planned(index);
                let participants = self.participants.borrow();
                let old = participants.people_of(&planned.parent);
                let all: BTreeSet<usize> = match to {
                    Destination::Seat(party) => {
                        let side = match party.role {
                            Role::Old => &old,
                            Role::New => &planned.people,
                        };
                        side.get(party.seat.index()).copied().into_iter().collect()
                    }
                    Destination::Everyone => old.iter().chain(&planned.people).copied().collect(),
                };
                drop(participants);
                let own = self.person;
                for person in all.into_iter().filter(|one| *one != own) {
                    self.send(person, &bytes);
                }
            }
            Output::Persist(record) => {
                let Some(change) = self.changes.get(&index) else { return };
                let (mut shares, mut file) = (None, None);
                match &record {
                    machine::Record::Signed { transcript, .. } => {
                        shares = change.engine().shares(*transcript).cloned();
                    }
                    machine::Record::Certified(_) => {
                        let plan = change.plan().clone();
                        file = change.certificate().map(|one| EpochFile::new(plan, one));
                    }
                    _ => {}
                }
                let row = Row::Change { plan: index, record, shares, file };
                self.outbox.push_back(Output::Persist(row));
            }
            Output::Event(event) => {
                if let machine::Event::Certified(_) = event {
                    self.certified(index, now);
                }
                self.outbox.push_back(Output::Event(Event::Change(index, event)));
            }
        }
    }

    /// A change is over: the switch goes on.
    fn certified(&mut self, index: usize, now: Moment) {
        let Some(change) = self.changes.remove(&index) else { return };
        if self.switch.is_none() {
            self.open_switch(self.planned(index).parent, now);
        }
        let (plan, certificate) = (change.plan(), change.certificate());
        if let (Some(switch), Some(certificate)) = (&mut self.switch, certificate) {
            // Known already where the switch has just read it from the store.
            let _ = switch.certified(plan, certificate, now);
        }
        self.bar_all();
    }

    pub(super) fn bar_all(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        changes.values_mut().for_each(|change| self.bar(change));
        self.changes = changes;
    }

    fn of_switch(&mut self, output: switch::Output, now: Moment) {
        match output {
            Output::Send { to: Destination::Seat(peer), bytes } => {
                let person = self
                    .participants
                    .borrow()
                    .people()
                    .find(|one| crate::members::peer(*one) == peer);
                if let Some(person) = person {
                    self.send(person, &bytes);
                }
            }
            Output::Send { to: Destination::Everyone, .. } => {}
            Output::Persist(record) => self.keep(record, now),
            Output::Event(event) => {
                if let switch::Event::Current(_) = event {
                    self.bar_all();
                }
                self.outbox.push_back(Output::Event(Event::Switch(event)));
            }
        }
    }

    fn keep(&mut self, record: switch::Record, now: Moment) {
        let Some(switch) = &mut self.switch else { return };
        let (mut shares, mut file) = (None, None);
        match record {
            switch::Record::Certified(epoch) => {
                file = switch.lineage().get(epoch).map(|one| one.file());
            }
            switch::Record::Adopted(epoch) => {
                let participants = self.participants.borrow();
                let certificate = switch.lineage().get(epoch).map(|one| one.certificate());
                shares = certificate
                    .and_then(|one| self.store.shares_of(self.person, epoch, one, &participants));
                if shares.is_none() {
                    return switch.lacks(epoch, now);
                }
                // Read back once more for a member that has asked: nothing else is stored.
                if switch.is_adopted(epoch) {
                    return switch.persisted(record, true, now);
                }
            }
            switch::Record::Acknowledged(_) | switch::Record::Erased { .. } => {}
        }
        self.outbox.push_back(Output::Persist(Row::Switch { record, shares, file }));
    }

    fn send(&mut self, person: usize, bytes: &Arc<[u8]>) {
        if let Ok(seat) = Seat::new(person as u32) {
            let to = Destination::Seat(seat);
            self.outbox.push_back(Output::Send { to, bytes: bytes.clone() });
        }
    }

    pub(super) fn index_of(&self, plan: PlanId) -> Option<usize> {
        self.participants.borrow().planned(plan).map(|planned| planned.index)
    }
}
