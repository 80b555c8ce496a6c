use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::SecretShare;
use roastery_protocol::{GroupId, Seat, group::Group, keygen::RecoveryFile};

use super::{
    ContentError, Durability, Entry, Part, Store, StoreError, Transaction,
    secret::Secret,
    table::{Record, Table},
};

/// A group of which this node is a member.
#[derive(Debug)]
pub struct KeptGroup {
    /// The group.
    pub group: Arc<Group>,
    /// This node's seat.
    pub seat: Seat,
    /// The seat's secret share.
    pub share: SecretShare,
    /// The recovery file, from which the host key computes the share again; a group from a trusted
    /// dealer has none.
    pub recovery: Option<RecoveryFile>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct GroupRecord {
    group: Vec<u8>,
    seat: u16,
    share: Secret,
    recovery: Option<Vec<u8>>,
}

impl Record for GroupRecord {
    const TABLE: Table = Table::Groups;
}

impl GroupRecord {
    pub(super) fn new(
        group: &Group,
        seat: Seat,
        share: &SecretShare,
        recovery: Option<&RecoveryFile>,
    ) -> Result<Self, ContentError> {
        if !share.matches(group.keys(), seat) {
            return Err(ContentError::OtherShare { seat });
        }
        if recovery.is_some_and(|file| file.group().id() != group.id()) {
            return Err(ContentError::OtherRecoveryFile);
        }
        Ok(Self {
            group: group.encode(),
            seat: seat.to_u16(),
            share: Secret(share.expose_bytes()),
            recovery: recovery.map(RecoveryFile::encode),
        })
    }

    pub(super) fn read(self) -> Result<KeptGroup, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let group = Group::decode(&self.group).map_err(|_| damaged())?;
        let seat = Seat::new(self.seat.into()).map_err(|_| damaged())?;
        let share = SecretShare::from_bytes(self.share.0).map_err(|_| damaged())?;
        if !share.matches(group.keys(), seat) {
            return Err(damaged());
        }
        let recovery = self.recovery.map(|file| RecoveryFile::decode(&file)).transpose();
        let recovery = recovery.map_err(|_| damaged())?;
        Ok(KeptGroup { group: Arc::new(group), seat, share, recovery })
    }
}

impl Store {
    /// Keeps a group with this node's share of its key and, where there is one, its recovery file.
    /// A group with a newer binding ([`Group::rebind`]) is another group.
    ///
    /// # Errors
    ///
    /// [`ContentError::OtherShare`] and [`ContentError::OtherRecoveryFile`] if these do not belong
    /// to the group,
    /// [`ContentError::AlreadyThere`] if the group is there.
    pub fn keep_group(
        &self,
        group: &Group,
        seat: Seat,
        share: &SecretShare,
        recovery: Option<&RecoveryFile>,
    ) -> Result<(), StoreError> {
        let record = GroupRecord::new(group, seat, share, recovery)?;
        self.write(Durability::Synced, |transaction| put(transaction, group.id(), &record))
    }

    /// The group of this name, with its share. Checks all of it: costs *n* + 1 multiplications of
    /// points, and *n* checks of signatures if there is a recovery file.
    pub fn group(&self, id: GroupId) -> Result<Option<KeptGroup>, StoreError> {
        let record: Option<GroupRecord> = self.vault.snapshot()?.get(id.as_bytes())?;
        record.map(GroupRecord::read).transpose()
    }

    /// All groups, in no particular order.
    pub fn groups(&self) -> Result<Vec<KeptGroup>, StoreError> {
        self.vault.snapshot()?.collect(|record: GroupRecord| record.read().map(Some))
    }
}

/// Adds a group, which must not be there.
pub(super) fn put(
    transaction: &mut Transaction<'_>,
    id: GroupId,
    record: &GroupRecord,
) -> Result<(), StoreError> {
    if transaction.get::<GroupRecord>(id.as_bytes())?.is_some() {
        return Err(ContentError::AlreadyThere(Entry::Group).into());
    }
    transaction.put(id.as_bytes(), record)
}
