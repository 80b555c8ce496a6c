use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::SecretShare;
use roastery_protocol::{
    PlanId, Seat,
    change::{self, EpochOrder, Plan},
    group::{Group, Name},
};

use super::{
    ChangeAct, ChangeEntry, ContentError, Durability, Entry, Part, Store, StoreError,
    groups::GroupRecord,
    names::NameRecord,
    table::{Record, Table},
};

/// A plan that this node knows, and all that it has stored of its change.
#[derive(Debug)]
pub struct KeptPlan {
    /// The plan.
    pub plan: Plan,
    /// The group that it changes.
    pub parent: Arc<Group>,
    /// What the group is called by the member that has made the plan.
    pub name: Name,
    /// What the change was opened with, in the order in which it was kept.
    pub records: Vec<change::machine::Record>,
    /// The certificate, if there is one.
    pub certificate: Option<Vec<u8>>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct PlanRecord {
    plan: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    records: Vec<change::machine::Record>,
    certificate: Option<Vec<u8>>,
}

impl Record for PlanRecord {
    const TABLE: Table = Table::Plans;
}

impl PlanRecord {
    pub(super) fn read(self) -> Result<KeptPlan, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let plan = Plan::decode(&self.plan).map_err(|_| damaged())?;
        let parent = Group::decode(&self.parent).map_err(|_| damaged())?;
        let name = self.name.parse().map_err(|_| damaged())?;
        let Self { records, certificate, .. } = self;
        Ok(KeptPlan { plan, parent: Arc::new(parent), name, records, certificate })
    }
}

impl Store {
    /// Keeps a plan that was shown to this node, with the group that it changes. One that is there
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_plan(&self, plan: &Plan, parent: &Group, name: &Name) -> Result<(), StoreError> {
        let record = PlanRecord {
            plan: plan.encode(),
            parent: parent.encode(),
            name: name.to_string(),
            records: Vec::new(),
            certificate: None,
        };
        self.write(Durability::Synced, |transaction| {
            match transaction.get::<PlanRecord>(plan.id().as_bytes())? {
                Some(_) => Ok(()),
                None => transaction.put(plan.id().as_bytes(), &record),
            }
        })
    }

    /// Keeps a record of a change: when this returns it is on the disk, and
    /// [`Machine::persisted`](roastery_protocol::machine::Machine::persisted) may be called. With
    /// the record that it is certified goes the certificate. An acceptance binds the plan's host
    /// keys that are here to it. What this node or its person does in the change has an entry of
    /// the log of changes, with this time in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the plan is not here, [`ContentError::HostKeyUsed`] if one of
    /// its host keys has accepted another one.
    pub fn keep_plan_record(
        &self,
        plan: &Plan,
        record: &change::machine::Record,
        certificate: Option<&[u8]>,
        time_ms: u64,
    ) -> Result<(), StoreError> {
        let id = plan.id();
        self.write(Durability::Synced, |transaction| {
            let known: Option<PlanRecord> = transaction.get(id.as_bytes())?;
            let mut known = known.ok_or(ContentError::Missing(Entry::Plan))?;
            if *record == change::machine::Record::Accepted {
                transaction.use_host_keys(plan)?;
            }
            let is_new = match certificate {
                Some(certificate) => known.certify(record.clone(), certificate.to_vec()),
                None => !known.records.contains(record),
            };
            if is_new && certificate.is_none() {
                known.records.push(record.clone());
            }
            if let Some(act) = act_of(record, &known.records).filter(|_| is_new) {
                let (key, epoch) = (plan.parent().key, plan.epoch());
                transaction.append_change(&ChangeEntry { time_ms, key, epoch, plan: id, act })?;
            }
            transaction.put(id.as_bytes(), &known)
        })
    }

    /// The plan of this id, if it is here.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if it was altered.
    pub fn plan(&self, id: PlanId) -> Result<Option<KeptPlan>, StoreError> {
        let record: Option<PlanRecord> = self.vault.snapshot()?.get(id.as_bytes())?;
        record.map(PlanRecord::read).transpose()
    }

    /// All plans, in no particular order.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn plans(&self) -> Result<Vec<KeptPlan>, StoreError> {
        self.vault.snapshot()?.collect(|record: PlanRecord| record.read().map(Some))
    }

    /// Adopts an epoch: keeps its group with this node's shares. If it is the greatest certified
    /// one of its key that is known here, it gets the names of the epochs before it, and of lower
    /// ones beside it. Those stay until they are erased. All of it is one step.
    ///
    /// # Errors
    ///
    /// Those of [`Store::keep_group`].
    pub fn adopt(
        &self,
        parent: &Group,
        group: &Group,
        order: EpochOrder,
        seats: &[(Seat, SecretShare)],
    ) -> Result<(), StoreError> {
        let (id, key, before) = (group.id(), group.key_id(), parent.id());
        self.write_group(group, seats, None, |transaction, new| {
            new.put(transaction)?;
            // Other changes wait for this one, and what was written before is read.
            let snapshot = self.vault.snapshot()?;
            let plans = snapshot.collect(|record: PlanRecord| record.read().map(Some))?;
            let mut of_key = plans.iter().filter(|kept| kept.plan.parent().key == key);
            if of_key.any(|kept| kept.certified().any(|other| other > order)) {
                return Ok(());
            }
            let epochs = snapshot.collect(|record: GroupRecord| {
                let known = record.group()?;
                Ok((known.key_id() == key).then(|| known.id()))
            })?;
            let mut names = snapshot.collect(|record: NameRecord| {
                Ok(epochs.contains(&record.group()).then_some(record))
            })?;
            // The name that the epoch before goes by is the one that it goes by.
            names.sort_by_key(|name| name.group() == before);
            names.iter().try_for_each(|name| transaction.move_name(name, id))
        })
    }
}

/// What the log of changes says of a record beside these.
fn act_of(
    record: &change::machine::Record,
    beside: &[change::machine::Record],
) -> Option<ChangeAct> {
    use change::machine::{Decided, Record};
    let by_rule = |what| Record::is_by_rule(beside, what);
    match record {
        Record::Approved | Record::ApprovedAgain if by_rule(Decided::Approval) => {
            Some(ChangeAct::ApprovedByCommand)
        }
        Record::Accepted if by_rule(Decided::Acceptance) => Some(ChangeAct::AcceptedByRule),
        Record::Approved | Record::ApprovedAgain | Record::ByPerson(Decided::Approval) => {
            Some(ChangeAct::Approved)
        }
        Record::Accepted | Record::ByPerson(Decided::Acceptance) => Some(ChangeAct::Accepted),
        Record::Withdrawn => Some(ChangeAct::Withdrawn),
        Record::Dealt(_) => Some(ChangeAct::Dealt),
        Record::Signed { .. } => Some(ChangeAct::Signed),
        Record::Certified(_) | Record::Expired | Record::Restored | Record::ByRule(_) => None,
    }
}

impl KeptPlan {
    /// The places of the epochs that the plan has made, as far as they are known here.
    pub fn certified(&self) -> impl Iterator<Item = EpochOrder> + '_ {
        self.records.iter().filter_map(|record| match record {
            change::machine::Record::Certified(transcript) => {
                Some(EpochOrder::of(&self.plan, *transcript))
            }
            _ => None,
        })
    }
}

impl PlanRecord {
    /// Adds a certificate; of two the greater one stays. Returns whether anything is new.
    pub(super) fn certify(
        &mut self,
        record: change::machine::Record,
        certificate: Vec<u8>,
    ) -> bool {
        if self.records.contains(&record) {
            return false;
        }
        // Of one plan the transcript alone tells which is greater.
        let is_greater = self.records.iter().all(|known| match (known, &record) {
            (
                change::machine::Record::Certified(known),
                change::machine::Record::Certified(new),
            ) => known < new,
            _ => true,
        });
        if is_greater {
            self.certificate = Some(certificate);
        }
        self.records.push(record);
        true
    }

    /// The id of the plan and its row in a store that is restored from a backup: unless it is
    /// certified, the change counts as one that went on after the backup, and no approval that was
    /// given again after an earlier restore stands.
    pub(super) fn restored(mut self) -> Result<Option<(PlanId, Self)>, StoreError> {
        use change::machine::Record;
        let is_certified = |record: &Record| matches!(record, Record::Certified(_));
        let is_marked = self.records.last() == Some(&Record::Restored);
        if is_marked || self.records.iter().any(is_certified) {
            return Ok(None);
        }
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let id = Plan::decode(&self.plan).map_err(|_| damaged())?.id();
        self.records.retain(|record| !matches!(record, Record::Restored | Record::ApprovedAgain));
        self.records.push(Record::Restored);
        Ok(Some((id, self)))
    }
}
