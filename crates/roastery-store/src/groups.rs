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
    /// This node's seats with their secret shares, in ascending order; at least one.
    pub seats: Vec<(Seat, SecretShare)>,
    /// The recovery file, from which the host keys compute the shares again; a group from a trusted
    /// dealer has none.
    pub recovery: Option<RecoveryFile>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct GroupRecord {
    group: Vec<u8>,
    seats: Vec<SeatRecord>,
    recovery: Option<Vec<u8>>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct SeatRecord {
    seat: u16,
    share: Secret,
}

impl Record for GroupRecord {
    const TABLE: Table = Table::Groups;
}

impl GroupRecord {
    pub(super) fn new(
        group: &Group,
        seats: &[(Seat, SecretShare)],
        recovery: Option<&RecoveryFile>,
    ) -> Result<Self, ContentError> {
        if seats.is_empty() {
            return Err(ContentError::NoSeat);
        }
        let mut records = Vec::with_capacity(seats.len());
        for (seat, share) in seats {
            if !share.matches(group.keys(), *seat) {
                return Err(ContentError::OtherShare { seat: *seat });
            }
            let seat = seat.to_u16();
            records.push(SeatRecord { seat, share: Secret(share.expose_bytes()) });
        }
        records.sort_by_key(|record| record.seat);
        records.dedup_by_key(|record| record.seat);
        if recovery.is_some_and(|file| file.group().id() != group.id()) {
            return Err(ContentError::OtherRecoveryFile);
        }
        Ok(Self {
            group: group.encode(),
            seats: records,
            recovery: recovery.map(RecoveryFile::encode),
        })
    }

    pub(super) fn read(self) -> Result<KeptGroup, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let group = Group::decode(&self.group).map_err(|_| damaged())?;
        let mut seats = Vec::with_capacity(self.seats.len());
        for SeatRecord { seat, share } in self.seats {
            let seat = Seat::new(seat.into()).map_err(|_| damaged())?;
            let share = SecretShare::from_bytes(share.0).map_err(|_| damaged())?;
            if !share.matches(group.keys(), seat) {
                return Err(damaged());
            }
            seats.push((seat, share));
        }
        if seats.is_empty() {
            return Err(damaged());
        }
        let recovery = self.recovery.map(|file| RecoveryFile::decode(&file)).transpose();
        let recovery = recovery.map_err(|_| damaged())?;
        Ok(KeptGroup { group: Arc::new(group), seats, recovery })
    }
}

impl Store {
    /// Keeps a group with the shares of this node's seats and, where there is one, its recovery
    /// file. A group with a newer binding ([`Group::rebind`]) is another group.
    ///
    /// # Errors
    ///
    /// [`ContentError::NoSeat`] without a seat, [`ContentError::OtherShare`] and
    /// [`ContentError::OtherRecoveryFile`] if these do not belong to the group,
    /// [`ContentError::AlreadyThere`] if the group is there.
    pub fn keep_group(
        &self,
        group: &Group,
        seats: &[(Seat, SecretShare)],
        recovery: Option<&RecoveryFile>,
    ) -> Result<(), StoreError> {
        let record = GroupRecord::new(group, seats, recovery)?;
        self.write(Durability::Synced, |transaction| put(transaction, group.id(), &record))
    }

    /// The group of this name, with its shares. Checks all of it: costs *n* + 1 multiplications of
    /// points, one for each own seat, and *n* checks of signatures if there is a recovery file.
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
