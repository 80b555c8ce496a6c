//! What a node has stored of the epochs of its keys.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{
    KeyId,
    change::{CertifiedEpoch, EpochFile, machine, switch},
    member::Incarnation,
};

use super::{
    ChangeAct, ChangeEntry, ContentError, Durability, Entry, Part, Store, StoreError, Transaction,
    incarnations::IncarnationRecord,
    plans::PlanRecord,
    table::{Record, Table},
};

/// A record of the switch of a key, and the recovery file that goes with it.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct EpochRecord {
    key: KeyId,
    record: switch::Record,
    file: Option<Vec<u8>>,
}

impl Record for EpochRecord {
    const TABLE: Table = Table::Epochs;
}

/// What a node has stored of the epochs of a key.
#[derive(Debug, Default)]
pub struct KeptEpochs {
    /// The recovery files.
    pub files: Vec<EpochFile>,
    /// The records of the switch, in ascending order.
    pub records: Vec<switch::Record>,
}

fn row(key: KeyId, record: &switch::Record) -> Result<Vec<u8>, StoreError> {
    let mut row = key.as_bytes().to_vec();
    record.serialize(&mut row).map_err(StoreError::io)?;
    Ok(row)
}

impl EpochRecord {
    pub(super) fn read(self) -> Result<(KeyId, switch::Record, Option<EpochFile>), StoreError> {
        let damaged = |_| StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let file = self.file.as_deref().map(EpochFile::decode).transpose().map_err(damaged)?;
        Ok((self.key, self.record, file))
    }
}

impl Store {
    /// What is stored of the epochs of a key.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if something was altered.
    pub fn epochs(&self, key: KeyId) -> Result<KeptEpochs, StoreError> {
        let mut kept = KeptEpochs::default();
        self.vault.snapshot()?.each(|record: EpochRecord| {
            let (of, record, file) = record.read()?;
            if of == key {
                kept.records.push(record);
                kept.files.extend(file);
            }
            Ok(())
        })?;
        kept.records.sort();
        Ok(kept)
    }

    /// Keeps the recovery file of an epoch ([`switch::Record::Certified`]), and reads it back. It
    /// is on the disk when this returns. If its plan is here, the plan is certified with it. Host
    /// keys that were made here and are in its cards belong to its plan from now on, since they
    /// give shares of it: also where this node has not accepted it.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if it does not read as it was written.
    pub fn keep_epoch(&self, key: KeyId, epoch: &CertifiedEpoch) -> Result<(), StoreError> {
        let (record, file) = (switch::Record::Certified(epoch.order()), epoch.file().encode());
        self.write(Durability::Synced, |transaction| {
            transaction.keep_epoch_record(key, &record, Some(file.clone()))?;
            transaction.learn_host_keys(epoch.plan())?;
            transaction.certify_plan(epoch)
        })?;
        let kept: Option<EpochRecord> = self.vault.snapshot()?.get(&row(key, &record)?)?;
        match kept.and_then(|kept| kept.file) {
            Some(kept) if kept == file => Ok(()),
            _ => Err(StoreError::Damaged(Part::Value { table: EpochRecord::TABLE.name() })),
        }
    }

    /// Keeps that an epoch is adopted: its group must be here with this node's shares, which are
    /// read back and compared with the public ones. The host keys of its plan that are here belong
    /// to that plan from now on, and are erased with it.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the shares are not here, [`ContentError::HostKeyUsed`], and
    /// those of [`Store::group`].
    pub fn keep_adopted(&self, epoch: &CertifiedEpoch, time_ms: u64) -> Result<(), StoreError> {
        if self.group(epoch.group().id())?.is_none() {
            return Err(ContentError::Missing(Entry::Group).into());
        }
        let record = switch::Record::Adopted(epoch.order());
        let (key, act) = (epoch.group().key_id(), ChangeAct::Adopted);
        let (number, plan) = (epoch.order().epoch(), epoch.order().plan());
        self.write(Durability::Synced, |transaction| {
            transaction.use_host_keys(epoch.plan())?;
            transaction.keep_epoch_record(key, &record, None)?;
            transaction.append_change(&ChangeEntry { time_ms, key, epoch: number, plan, act })
        })
    }

    /// Keeps that this node's person has acknowledged an epoch, with an entry of the log of
    /// changes.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_acknowledged(
        &self,
        epoch: &CertifiedEpoch,
        time_ms: u64,
    ) -> Result<(), StoreError> {
        let record = switch::Record::Acknowledged(epoch.order());
        let (key, plan) = (epoch.group().key_id(), epoch.order().plan());
        let (number, act) = (epoch.order().epoch(), ChangeAct::Acknowledged);
        self.write(Durability::Synced, |transaction| {
            transaction.keep_epoch_record(key, &record, None)?;
            transaction.append_change(&ChangeEntry { time_ms, key, epoch: number, plan, act })
        })
    }

    /// Whether a record of the switch of a key is stored.
    pub(super) fn knows_record(
        &self,
        key: KeyId,
        record: &switch::Record,
    ) -> Result<bool, StoreError> {
        let kept: Option<EpochRecord> = self.vault.snapshot()?.get(&row(key, record)?)?;
        Ok(kept.is_some())
    }

    /// The last incarnation of the switch of this key at this node, if there was one. The next one
    /// is greater.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if it was altered.
    pub fn switch_incarnation(&self, key: KeyId) -> Result<Option<Incarnation>, StoreError> {
        let kept: Option<IncarnationRecord> = self.vault.snapshot()?.get(&switch_row(key))?;
        Ok(kept.map(|IncarnationRecord(last)| last))
    }

    /// Keeps the incarnation of the switch of a key that begins now.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_switch_incarnation(
        &self,
        key: KeyId,
        incarnation: Incarnation,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.put(&switch_row(key), &IncarnationRecord(incarnation))
        })
    }
}

/// Tells the row of a key from that of a group.
fn switch_row(key: KeyId) -> Vec<u8> {
    [b"switch", key.as_bytes().as_slice()].concat()
}

impl Transaction<'_> {
    /// Keeps a record of the switch, with the recovery file that goes with it.
    pub(super) fn keep_epoch_record(
        &mut self,
        key: KeyId,
        record: &switch::Record,
        file: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.put(&row(key, record)?, &EpochRecord { key, record: *record, file })
    }

    /// The plan of an epoch is certified, if it is here and that is not known of it yet.
    fn certify_plan(&mut self, epoch: &CertifiedEpoch) -> Result<(), StoreError> {
        let plan = epoch.plan().id();
        let Some(mut kept) = self.get::<PlanRecord>(plan.as_bytes())? else { return Ok(()) };
        let record = machine::Record::Certified(epoch.order().transcript());
        if !kept.certify(record, epoch.certificate().to_bytes()) {
            return Ok(());
        }
        self.put(plan.as_bytes(), &kept)
    }
}
