//! One node: its changes, its switch, and a person that decides.

mod outputs;
mod person;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use roastery_protocol::{
    Seat,
    change::{
        EpochOrder,
        machine::{self, Change, Opening, Settings},
        message::Envelope,
        switch::{self, Switch},
    },
    clock::Moment,
    group::{Group, PeerId},
    machine::{Link, Machine, Output},
    member::Incarnation,
};

use super::{
    Action, Participants, Planned, Row,
    engine::SimulatedEngine,
    participants::{Shares, seats_of},
    store::Store,
};

/// What happens at a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// In the change of a plan.
    Change(usize, machine::Event),
    /// To the epochs.
    Switch(switch::Event),
}

/// What a node wants done.
type Wanted = Output<Event, Row>;

/// The intervals of the simulated changes.
pub const SETTINGS: Settings = Settings {
    interval: Duration::from_secs(2),
    repeat_min: Duration::from_millis(400),
    repeat_max: Duration::from_secs(6),
};

/// One node, with its changes and its switch.
#[derive(Debug)]
pub struct Holder {
    person: usize,
    participants: Rc<RefCell<Participants>>,
    store: Store,
    changes: BTreeMap<usize, Change<SimulatedEngine>>,
    switch: Option<Switch>,
    /// How often the node has started, over all its lives.
    start: u64,
    /// The plans that were in a backup which was written over the disk.
    restored: BTreeSet<usize>,
    outbox: VecDeque<Wanted>,
}

impl Holder {
    /// Opens a node with its rows. Plans that are restored count as signed.
    pub fn open(
        person: usize,
        participants: Rc<RefCell<Participants>>,
        rows: &[Row],
        start: u64,
        restored: BTreeSet<usize>,
        now: Moment,
    ) -> Self {
        let store = Store::read(person, rows, &participants.borrow());
        let (changes, outbox) = (BTreeMap::new(), VecDeque::new());
        let mut holder =
            Self { person, participants, store, changes, switch: None, start, restored, outbox };
        if let Some(root) = holder.first_group() {
            holder.open_switch(root, now);
        }
        let decided: Vec<(usize, (bool, bool))> =
            holder.store.decided.iter().map(|(plan, how)| (*plan, *how)).collect();
        for (plan, how) in decided {
            holder.open_change(plan, how, now);
        }
        holder.pump(now);
        holder
    }

    /// The group with which its lineage begins: that of the key generation, or the parent of the
    /// first plan that it accepted whose epoch exists.
    fn first_group(&self) -> Option<Arc<Group>> {
        let participants = self.participants.borrow();
        if participants.root_shares(self.person).is_some() {
            return Some(participants.root.clone());
        }
        let file = self.store.files.first()?;
        Some(participants.planned(file.plan().id())?.parent.clone())
    }

    fn open_switch(&mut self, root: Arc<Group>, now: Moment) {
        let participants = self.participants.borrow();
        let opening = switch::Opening {
            root,
            identities: participants.identities(self.person).to_vec(),
            files: self.store.files.clone(),
            held: self.store.held(&participants),
            words: self.store.words.clone(),
            stored: self.store.switch.clone(),
            incarnation: Incarnation::after(None, self.start, [self.person as u8; 8]),
            settings: SETTINGS,
        };
        drop(participants);
        // Its own files were verified before.
        self.switch = Switch::open(opening, now).ok();
    }

    fn current(&self) -> EpochOrder {
        self.switch.as_ref().map_or(EpochOrder::GENERATED, Switch::current)
    }

    fn planned(&self, plan: usize) -> Planned {
        self.participants.borrow().plans()[plan].clone()
    }

    fn open_change(&mut self, index: usize, (approves, accepts): (bool, bool), now: Moment) {
        let planned = self.planned(index);
        let Planned { plan, parent, place, .. } = planned.clone();
        let is_over = self
            .switch
            .as_ref()
            .is_some_and(|one| one.lineage().of_plan(plan.id()).next().is_some());
        if is_over || self.changes.contains_key(&index) {
            return;
        }
        let participants = self.participants.borrow();
        let identities = participants.identities(self.person).to_vec();
        let with_key = |(seat, copy): &(Seat, usize)| Some((*seat, identities.get(*copy)?.clone()));
        let old = seats_of(&participants.people_of(&parent), self.person);
        let old = old.iter().filter_map(with_key).collect();
        // Without its host keys it is no new member any more.
        let has_key = self.store.keys.contains(&index);
        let new = if has_key { seats_of(&planned.people, self.person) } else { Vec::new() };
        let hosts =
            new.iter().map(|(seat, copy)| (*seat, participants.host(self.person, index, *copy)));
        let shares = self.store.shares.get(&place).cloned().unwrap_or_default();
        let engine = SimulatedEngine::new(shares, hosts.collect(), self.start);
        let new = new.iter().filter_map(with_key).collect();
        let mut stored = self.store.changes.get(&index).cloned().unwrap_or_default();
        stored.extend(self.restored.contains(&index).then_some(machine::Record::Restored));
        let may_deal = self.store.numbers.may_deal_in(&plan);
        let remaining = Duration::from_secs(plan.expiry()).saturating_sub(now.wall);
        let opening = Opening {
            plan,
            parent,
            old,
            new,
            engine,
            approving: 0,
            place,
            may_deal,
            deadline: now.monotonic + remaining,
            current: self.current(),
            stored,
            certificate: None,
            settings: SETTINGS,
        };
        drop(participants);
        let Ok(mut change) = Change::open(opening, now) else { return };
        self.bar(&mut change);
        if approves {
            change.approve(now);
        }
        if accepts {
            change.accept(now);
        }
        self.changes.insert(index, change);
    }

    /// The file of an epoch is stored, whichever peer has sent it: a change that runs for its plan
    /// is over, and the messages of the plan are the switch's.
    fn end_change(&mut self, epoch: EpochOrder) {
        let participants = self.participants.borrow();
        if let Some(planned) = participants.planned(epoch.plan()) {
            self.changes.remove(&planned.index);
        }
    }

    /// A change learns which epoch is current, and nothing is dealt in it if its number is not the
    /// highest that was approved.
    fn bar(&self, change: &mut Change<SimulatedEngine>) {
        change.set_current(self.current());
        if !self.store.numbers.may_deal_in(change.plan()) {
            change.bar_dealing();
        }
    }

    /// The switch, once it knows a first group.
    pub fn switch(&self) -> Option<&Switch> {
        self.switch.as_ref()
    }

    /// The shares in its store, by place.
    pub(super) fn shares(&self) -> &BTreeMap<EpochOrder, Shares> {
        &self.store.shares
    }
}

impl Machine for Holder {
    type Event = Event;
    type Address = Seat;
    type Record = Row;
    type Rejected = ();

    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), ()> {
        let plan = Envelope::peek_plan(bytes).and_then(|plan| self.index_of(plan));
        let result = if let Some(change) = plan.and_then(|index| self.changes.get_mut(&index)) {
            change.handle_message(from, bytes, now).map_err(|_| ())
        } else if let Some(switch) = &mut self.switch {
            switch.handle_message(from, bytes, now).map_err(|_| ())
        } else {
            Err(())
        };
        self.pump(now);
        result
    }

    fn handle_timeout(&mut self, now: Moment) {
        let is_due = |due: Option<Duration>| due.is_some_and(|due| due <= now.monotonic);
        for change in self.changes.values_mut().filter(|one| is_due(one.next_timeout())) {
            change.handle_timeout(now);
        }
        if let Some(switch) = self.switch.as_mut().filter(|one| is_due(one.next_timeout())) {
            switch.handle_timeout(now);
        }
        self.pump(now);
    }

    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        self.changes.values_mut().for_each(|change| change.handle_link(peer, link, now));
        if let Some(switch) = &mut self.switch {
            switch.handle_link(peer, link, now);
        }
        self.pump(now);
    }

    fn persisted(&mut self, row: Row, kept: bool, now: Moment) {
        if kept {
            self.store.add(&row, &self.participants.borrow());
        }
        match row {
            Row::Decided { plan, approves, accepts, .. } => {
                let planned = self.planned(plan);
                if let Some(switch) = &mut self.switch {
                    if let Some(word) = self.store.words.get(&planned.plan.id()) {
                        switch.decided(planned.plan.id(), *word);
                    }
                    if accepts {
                        switch.hold(EpochOrder::last_of(&planned.plan));
                    }
                }
                self.open_change(plan, (approves, accepts), now);
                self.bar_all();
            }
            Row::Change { plan, record, .. } => {
                if let machine::Record::Signed { transcript, .. } = &record
                    && let Some(switch) = &mut self.switch
                {
                    let place =
                        EpochOrder::of(&self.participants.borrow().plans()[plan].plan, *transcript);
                    switch.hold(place);
                }
                if let Some(change) = self.changes.get_mut(&plan) {
                    change.persisted(record, kept, now);
                }
            }
            Row::Switch { record, .. } => {
                if let switch::Record::Certified(epoch) = record
                    && kept
                {
                    self.end_change(epoch);
                }
                if let Some(switch) = &mut self.switch {
                    switch.persisted(record, kept, now);
                }
            }
        }
        self.pump(now);
    }

    fn poll_output(&mut self) -> Option<Wanted> {
        self.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Duration> {
        let changes = self.changes.values().filter_map(Machine::next_timeout);
        changes.chain(self.switch.as_ref().and_then(Machine::next_timeout)).min()
    }
}
