//! What must hold in every step.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

use roastery_frost::{Seat, change::Dealing};
use roastery_protocol::{
    ChangeTranscriptHash, PlanId,
    change::{
        EpochOrder, Party, PersonsWord, Role, machine,
        message::{Body, DealingName, Envelope, Kind, Want},
        switch,
    },
};

use super::{
    Node, Participants, Row,
    invariant::Invariant,
    participants::{count, seats_of},
    store::Store,
};
use crate::{members::DAWN, trace::Trace, violation::Violation, world::Packet};

/// A dealing that an honest person has sent.
#[derive(Debug)]
struct Left {
    at: Duration,
    person: usize,
    to: usize,
    envelope: Envelope,
}

/// The check of every step.
#[derive(Debug)]
pub struct Watch {
    /// What has happened.
    pub trace: Trace,
    participants: Rc<RefCell<Participants>>,
    corrupt: BTreeSet<usize>,
    stores: BTreeMap<usize, Store>,
    rows: BTreeMap<usize, usize>,
    heads: BTreeMap<(Seat, PlanId), Vec<u8>>,
    nonces: BTreeMap<Vec<u8>, (Seat, PlanId)>,
    /// The transcripts whose signatures a person has sent to another one.
    signed: BTreeMap<(Seat, Seat, PlanId), BTreeSet<[u8; 32]>>,
    /// The transcripts that a person has stored as signed, by coordinator.
    stored: BTreeMap<(usize, Seat, PlanId), ChangeTranscriptHash>,
    /// Who has accepted a plan, at any time.
    accepted: BTreeMap<PlanId, BTreeSet<usize>>,
    approved: BTreeMap<PlanId, BTreeSet<usize>>,
    adopted: BTreeMap<EpochOrder, BTreeSet<usize>>,
    /// Whose last wish leaves silent members out.
    leaves_out: BTreeSet<usize>,
    /// Whose disk an old backup was written over.
    pub(super) restored: BTreeSet<usize>,
    found: Option<Violation<Invariant>>,
    /// The dealings that have left in this step.
    dealings: Vec<Left>,
    /// Who has asked for which dealing.
    wanted: BTreeSet<(usize, PlanId, DealingName)>,
    /// Epochs that honest nodes know, with their groups' people and threshold.
    pub(super) epochs: BTreeMap<EpochOrder, (usize, Vec<usize>)>,
    /// What was erased, in all.
    pub(super) erased: usize,
}

impl Watch {
    /// Watches these people, of which some are faulty.
    pub fn new(
        participants: Rc<RefCell<Participants>>,
        corrupt: BTreeSet<usize>,
        trace: Trace,
    ) -> Self {
        let root = {
            let participants = participants.borrow();
            (participants.root.threshold(), participants.people_of(&participants.root))
        };
        Self {
            trace,
            participants,
            corrupt,
            stores: BTreeMap::new(),
            rows: BTreeMap::new(),
            heads: BTreeMap::new(),
            nonces: BTreeMap::new(),
            signed: BTreeMap::new(),
            stored: BTreeMap::new(),
            accepted: BTreeMap::new(),
            approved: BTreeMap::new(),
            adopted: BTreeMap::new(),
            leaves_out: BTreeSet::new(),
            restored: BTreeSet::new(),
            found: None,
            dealings: Vec::new(),
            wanted: BTreeSet::new(),
            epochs: BTreeMap::from([(EpochOrder::GENERATED, root)]),
            erased: 0,
        }
    }

    /// What an honest person's node has stored.
    pub fn store(&self, person: usize) -> Option<&Store> {
        self.stores.get(&person)
    }

    /// A person wishes to erase.
    pub fn wishes(&mut self, person: usize, leave_out: bool) {
        if leave_out {
            self.leaves_out.insert(person);
        } else {
            self.leaves_out.remove(&person);
        }
    }

    fn violate(&mut self, invariant: Invariant, what: String) {
        self.found.get_or_insert(Violation::of(invariant, what));
    }

    /// A message leaves.
    pub fn sent(&mut self, at: Duration, packet: &Packet) {
        self.trace.sent(at, packet);
        let person = packet.from.index();
        let Ok(envelope) = Envelope::parse(&packet.bytes) else { return };
        let plan = envelope.header().plan;
        if envelope.kind() == Kind::Want {
            self.wants(&envelope);
        }
        if self.corrupt.contains(&person) {
            return;
        }
        match envelope.kind() {
            // What was stored before it in the same step is read first.
            Kind::Dealing => {
                let to = packet.to.index();
                self.dealings.push(Left { at, person, to, envelope });
            }
            Kind::Signature => {
                let content = envelope.content();
                let Some(hash) = content.first_chunk::<32>() else { return };
                let known = self.signed.entry((packet.from, packet.to, plan)).or_default();
                known.insert(*hash);
                let count = known.len();
                // Each seat of a person may coordinate.
                let participants = self.participants.borrow();
                let to = packet.to.index();
                let seats = participants
                    .planned(plan)
                    .map_or(1, |planned| seats_of(&planned.people, to).len());
                drop(participants);
                if count > seats {
                    let what =
                        format!("person {person} signs {count} transcripts of {seats} seats");
                    self.violate(Invariant::OneSignature, what);
                }
            }
            _ => {}
        }
    }

    /// A question of any member, which another one may send again.
    fn wants(&mut self, envelope: &Envelope) {
        let plan = envelope.header().plan;
        let participants = self.participants.borrow();
        let Some(planned) = participants.planned(plan) else { return };
        let Some(Party { role, seat }) = envelope.header().party() else { return };
        let people = match role {
            Role::Old => participants.people_of(&planned.parent),
            Role::New => planned.people.clone(),
        };
        if let Ok(params) = planned.plan.params(&planned.parent)
            && let Ok(Body::Want(Want::Dealing(name))) = envelope.read(&params)
            && let Some(person) = people.get(seat.index())
        {
            self.wanted.insert((*person, plan, name));
        }
    }

    fn dealt(&mut self, Left { at, person, to, envelope }: &Left) {
        let (at, person) = (*at, *person);
        let plan = envelope.header().plan;
        let participants = self.participants.clone();
        let participants = participants.borrow();
        let Some(planned) = participants.planned(plan) else { return };
        let Some(party) = envelope.header().party() else { return };
        // Members pass on what others have dealt.
        if participants.people_of(&planned.parent).get(party.seat.index()) != Some(&person) {
            return;
        }
        let Ok(params) = planned.plan.params(&planned.parent) else { return };
        let Ok(dealing) = Dealing::parse(&params, party.seat, envelope.content()) else {
            let what = format!("person {person} deals what is no dealing");
            return self.violate(Invariant::OneDealing, what);
        };
        let content = envelope.content();
        let head = content[..content.len() - 64].to_vec();
        // A dealing begins with its nonce.
        let nonce = dealing.to_bytes()[..33].to_vec();
        let dealer = (party.seat, plan);
        if self.heads.entry(dealer).or_insert_with(|| head.clone()) != &head {
            self.violate(Invariant::OneDealing, format!("person {person} deals twice"));
        }
        if *self.nonces.entry(nonce).or_insert(dealer) != dealer {
            let what = format!("person {person} deals twice under one nonce");
            self.violate(Invariant::OneDealing, what);
        }
        let honest = |one: &usize| !self.corrupt.contains(one);
        let accepted = self.accepted.get(&plan).cloned().unwrap_or_default();
        let lacks =
            planned.people.iter().filter(|one| honest(one)).any(|one| !accepted.contains(one));
        let old = participants.people_of(&planned.parent);
        let approved = self.approved.get(&plan).cloned().unwrap_or_default();
        let approvals = count(&old, |one| self.corrupt.contains(&one) || approved.contains(&one));
        let is_over = (DAWN + at).as_secs() > planned.plan.expiry() + 1;
        let asked = self.wanted.contains(&(*to, plan, DealingName::of(&dealing)));
        // The name is known from a choice, which was made when the dealing was there.
        let late = is_over && !asked;
        let own = self.stores.get(&person).and_then(|store| {
            let index = planned.index;
            let records = store.changes.get(&index)?;
            let at = |record| records.iter().position(|one| *one == record);
            let dealt = at(machine::Record::Dealt(DealingName::of(&dealing)))?;
            // What was dealt before the approval was taken back stays.
            let withdrawn = at(machine::Record::Withdrawn);
            let stands = withdrawn.is_none_or(|withdrawn| dealt < withdrawn);
            Some(store.decided.get(&index)?.0 && stands)
        });
        if lacks || approvals < planned.parent.threshold() || late || own != Some(true) {
            let what = format!(
                "person {person} deals: not all have accepted: {lacks}, {approvals} approvals, \
                 late: {late}, own approval stored: {own:?}"
            );
            self.violate(Invariant::RightlyDealt, what);
        }
    }

    /// A step is over in which something happened to these nodes.
    pub fn step(&mut self, nodes: &[Node], touched: &[usize]) -> Result<(), Violation<Invariant>> {
        let mut changed = false;
        for at in touched {
            let Some(node) = nodes.get(*at) else { continue };
            let person = node.seat.index();
            if self.corrupt.contains(&person) {
                continue;
            }
            let rows = node.stored();
            let seen = self.rows.insert(person, rows.len()).unwrap_or(usize::MAX);
            if seen == rows.len() {
                continue;
            }
            changed = true;
            let participants = self.participants.clone();
            let participants = participants.borrow();
            // A backup that was written over the disk has fewer rows.
            let seen = seen.min(rows.len());
            self.stores.insert(person, Store::read(person, &rows[..seen], &participants));
            for row in &rows[seen..] {
                self.row(person, row, &participants);
                if let Some(store) = self.stores.get_mut(&person) {
                    store.add(row, &participants);
                }
            }
        }
        for left in std::mem::take(&mut self.dealings) {
            self.dealt(&left);
        }
        if changed && self.found.is_none() {
            self.judge_key();
        }
        self.found.clone().map_or(Ok(()), Err)
    }

    fn row(&mut self, person: usize, row: &Row, participants: &Participants) {
        match row {
            Row::Decided { plan, approves, accepts, .. } => {
                let id = participants.plans()[*plan].plan.id();
                if *approves {
                    self.approved.entry(id).or_default().insert(person);
                }
                if *accepts {
                    self.accepted.entry(id).or_default().insert(person);
                }
            }
            Row::Change { plan, record, file, .. } => {
                if let machine::Record::Signed { coordinator, transcript, .. } = record {
                    let id = participants.plans()[*plan].plan.id();
                    let of = (person, *coordinator, id);
                    if self.stored.entry(of).or_insert(*transcript) != transcript {
                        let what = format!("person {person} signs two transcripts of one seat");
                        self.violate(Invariant::OneSignature, what);
                    }
                }
                if let (machine::Record::Certified(hash), Some(file)) = (record, file) {
                    self.certified(EpochOrder::of(file.plan(), *hash), participants);
                }
            }
            Row::Switch { record, .. } => match record {
                switch::Record::Certified(epoch) => self.certified(*epoch, participants),
                switch::Record::Adopted(epoch) => {
                    self.adopted.entry(*epoch).or_default().insert(person);
                }
                switch::Record::Acknowledged(_) => {}
                switch::Record::Erased { what, by, .. } => {
                    self.erased += 1;
                    self.judge_erasure(person, *what, *by);
                }
            },
        }
    }

    fn certified(&mut self, epoch: EpochOrder, participants: &Participants) {
        if let Some(planned) = participants.planned(epoch.plan()) {
            let group = (planned.plan.threshold(), planned.people.clone());
            self.epochs.insert(epoch, group);
        }
    }

    /// The honest members that hold their shares of an epoch, or the host keys that give them: each
    /// as often as it has seats.
    pub(super) fn holders(&self, epoch: EpochOrder) -> Vec<usize> {
        let Some((_, people)) = self.epochs.get(&epoch) else { return Vec::new() };
        let participants = self.participants.borrow();
        let index = participants.planned(epoch.plan()).map(|planned| planned.index);
        let holds = |person: &&usize| {
            let Some(store) = self.stores.get(person) else {
                return epoch == EpochOrder::GENERATED;
            };
            let has_key = index.is_some_and(|index| store.keys.contains(&index));
            let own = seats_of(people, **person);
            let held = store.shares.get(&epoch);
            has_key || held.is_some_and(|held| own.iter().all(|(seat, _)| held.contains_key(seat)))
        };
        let honest = people.iter().filter(|one| !self.corrupt.contains(one));
        honest.filter(holds).copied().collect()
    }

    fn judge_key(&mut self) {
        let Some((epoch, (threshold, _))) = self.epochs.last_key_value() else { return };
        let holders = self.holders(*epoch).len();
        if holders < *threshold {
            let what = format!(
                "{holders} honest members hold epoch {}, of which {threshold} must sign",
                epoch.epoch()
            );
            self.violate(Invariant::KeyKept, what);
        }
    }

    fn judge_erasure(&mut self, person: usize, what: EpochOrder, by: EpochOrder) {
        let Some(store) = self.stores.get(&person) else { return };
        let is_certified = store.switch.contains(&switch::Record::Certified(by));
        let acknowledged = store.switch.contains(&switch::Record::Acknowledged(by));
        let word = store.words.get(&by.plan()).copied();
        let word = word.or(acknowledged.then_some(PersonsWord::Acknowledged));
        let (threshold, people) = self.epochs.get(&by).cloned().unwrap_or_default();
        let share = !people.contains(&person) || store.shares.contains_key(&by);
        let adopted = self.adopted.get(&by).cloned().unwrap_or_default();
        let has = |one: usize| self.corrupt.contains(&one) || adopted.contains(&one);
        let holders = count(&people, has);
        let needed = if self.leaves_out.contains(&person) { threshold } else { people.len() };
        if what >= by || !is_certified || word.is_none() || !share || holders < needed {
            let text = format!(
                "person {person} erases; below: {}, certificate: {is_certified}, word: {word:?}, \
                 share: {share}, {holders} of {needed} members have adopted",
                what < by
            );
            self.violate(Invariant::RightlyErased, text);
        }
    }
}
