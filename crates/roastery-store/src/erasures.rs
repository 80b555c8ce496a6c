//! What is recorded of an erasure, in the transaction that makes the secrets unreadable.

use roastery_protocol::{
    KeyId,
    change::{EpochOrder, switch},
};

use super::{ChangeAct, ChangeEntry, Store, StoreError, Transaction};

/// That a place is erased: what goes into the records of the switch and the log of changes with it,
/// in the transaction from which on nothing reads its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The key.
    pub key: KeyId,
    /// The place whose shares or host keys are erased.
    pub what: EpochOrder,
    /// The epoch that supersedes it.
    pub by: EpochOrder,
    /// Whether the person says that the host keys of what is erased are destroyed as well.
    pub host_key: bool,
    /// When, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
}

impl Erasure {
    fn record(&self) -> switch::Record {
        let Self { what, by, host_key, .. } = *self;
        switch::Record::Erased { what, by, host_key }
    }
}

impl Store {
    /// Whether the record of an erasure is stored.
    pub(super) fn knows_erasure(&self, erasure: &Erasure) -> Result<bool, StoreError> {
        self.knows_record(erasure.key, &erasure.record())
    }
}

impl Transaction<'_> {
    /// Keeps that a place is erased, with an entry of the log of changes.
    pub(super) fn keep_erasure(&mut self, erasure: &Erasure) -> Result<(), StoreError> {
        let Erasure { key, what, time_ms, .. } = *erasure;
        let (epoch, plan, act) = (what.epoch(), what.plan(), ChangeAct::Erased);
        self.keep_epoch_record(key, &erasure.record(), None)?;
        self.append_change(&ChangeEntry { time_ms, key, epoch, plan, act })
    }
}
