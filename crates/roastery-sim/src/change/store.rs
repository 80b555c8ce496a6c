use std::collections::{BTreeMap, BTreeSet};

use roastery_frost::{Seat, SecretShare, change::Certificate, chilldkg::HostSecretKey};
use roastery_protocol::{
    PlanId,
    change::{ApprovedNumbers, EpochFile, EpochOrder, PersonsWord, machine, switch},
};

use super::{
    Participants,
    participants::{Shares, seats_of},
};

/// What a node has stored, one row after the other. A backup is the rows up to a time.
#[derive(Clone, Debug)]
pub enum Row {
    /// The person has decided about a plan; from here on the host key for it is in the store.
    Decided {
        /// The plan, by its place in the participants' list.
        plan: usize,
        /// As an old member.
        approves: bool,
        /// As a new member.
        accepts: bool,
        /// Whether a person has looked at it, and not the node alone.
        by_hand: bool,
    },
    /// A record of a change.
    Change {
        /// The plan.
        plan: usize,
        /// The record.
        record: machine::Record,
        /// The shares of a transcript that is signed.
        shares: Option<Shares>,
        /// The file of a certificate.
        file: Option<EpochFile>,
    },
    /// A record of the switch.
    Switch {
        /// The record.
        record: switch::Record,
        /// The shares of an epoch that is adopted.
        shares: Option<Shares>,
        /// The file of an epoch.
        file: Option<EpochFile>,
    },
}

/// What the rows come to.
#[derive(Debug, Default)]
pub struct Store {
    /// The shares, by place.
    pub shares: BTreeMap<EpochOrder, Shares>,
    /// The plans whose host keys are there.
    pub keys: BTreeSet<usize>,
    /// What the person has done for each plan, by hand.
    pub words: BTreeMap<PlanId, PersonsWord>,
    /// The plans that were decided about.
    pub decided: BTreeMap<usize, (bool, bool)>,
    /// The recovery files.
    pub files: Vec<EpochFile>,
    /// The records of each change.
    pub changes: BTreeMap<usize, Vec<machine::Record>>,
    /// The records of the switch.
    pub switch: Vec<switch::Record>,
    /// The numbers of plans that were approved.
    pub numbers: ApprovedNumbers,
}

impl Store {
    /// What a person's rows come to.
    pub fn read(person: usize, rows: &[Row], participants: &Participants) -> Self {
        let mut store = Self::default();
        if let Some(shares) = participants.root_shares(person) {
            store.shares.insert(EpochOrder::GENERATED, shares.clone());
        }
        rows.iter().for_each(|row| store.add(row, participants));
        store
    }

    /// One more row is stored.
    pub fn add(&mut self, row: &Row, participants: &Participants) {
        match row {
            Row::Decided { plan: index, approves, accepts, by_hand } => {
                let plan = &participants.plans()[*index].plan;
                self.decided.insert(*index, (*approves, *accepts));
                if *accepts {
                    self.keys.insert(*index);
                }
                if *approves {
                    let _ = self.numbers.approve(plan);
                    self.words.insert(plan.id(), PersonsWord::Approved);
                } else if *by_hand {
                    self.words.insert(plan.id(), PersonsWord::Accepted);
                }
            }
            Row::Change { plan: index, record, shares, file } => {
                if let (machine::Record::Signed { transcript, .. }, Some(shares)) = (record, shares)
                {
                    let place = EpochOrder::of(&participants.plans()[*index].plan, *transcript);
                    self.shares.insert(place, shares.clone());
                }
                self.files.extend(file.clone());
                self.changes.entry(*index).or_default().push(record.clone());
            }
            Row::Switch { record, shares, file } => {
                match (record, shares) {
                    (switch::Record::Adopted(epoch), Some(shares)) => {
                        self.shares.insert(*epoch, shares.clone());
                    }
                    (switch::Record::Erased { what, .. }, _) => {
                        self.shares.remove(what);
                        let is_of = |index: &usize| {
                            EpochOrder::last_of(&participants.plans()[*index].plan) == *what
                        };
                        self.keys.retain(|index| !is_of(index));
                    }
                    _ => {}
                }
                self.files.extend(file.clone());
                self.switch.push(*record);
            }
        }
    }

    /// The places of everything that gives a share.
    pub fn held(&self, participants: &Participants) -> BTreeSet<EpochOrder> {
        let keys =
            self.keys.iter().map(|one| EpochOrder::last_of(&participants.plans()[*one].plan));
        self.shares.keys().copied().chain(keys).collect()
    }

    /// The shares of an epoch: the stored ones, or those of certificate and host keys. Each is the
    /// one of its public share.
    pub fn shares_of(
        &self,
        person: usize,
        place: EpochOrder,
        certificate: &Certificate,
        participants: &Participants,
    ) -> Option<Shares> {
        let planned = participants.planned(place.plan())?;
        let own = seats_of(&planned.people, person);
        let of_seat = |(seat, copy): &(Seat, usize)| {
            let stored = self.shares.get(&place).and_then(|shares| shares.get(seat)).cloned();
            let recovered = || {
                let has_key = self.keys.contains(&planned.index);
                let host =
                    has_key.then(|| host_secret(participants, person, planned.index, *copy))?;
                Some(certificate.recover(&host).ok()?.share().expose_bytes())
            };
            let bytes = stored.or_else(recovered)?;
            let share = SecretShare::from_bytes(bytes.clone()).ok()?;
            let fits = share.matches(certificate.transcript().group(), *seat);
            fits.then_some((*seat, bytes))
        };
        own.iter().map(of_seat).collect::<Option<Shares>>().filter(|shares| !shares.is_empty())
    }
}

/// The host key of a person for a plan, of its first seat, its second one and so on, as the
/// arithmetic takes it.
pub fn host_secret(
    participants: &Participants,
    person: usize,
    plan: usize,
    copy: usize,
) -> HostSecretKey {
    HostSecretKey::from(participants.host(person, plan, copy))
}
