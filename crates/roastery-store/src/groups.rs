use std::{ops::Bound, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::SecretShare;
use roastery_protocol::{GroupId, PlanId, Seat, group::Group, keygen::RecoveryFile};

use super::{
    ContentError, Durability, Entry, Erasure, Part, Store, StoreError, Transaction,
    cipher::Cipher,
    epochs::{EpochKeyId, OpenEpoch},
    host_keys::HostKeyRecord,
    secret::Secret,
    snapshot::Snapshot,
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

/// A group of this node without its shares.
#[derive(Debug)]
pub struct KnownGroup {
    /// The group.
    pub group: Arc<Group>,
    /// Whether this node's shares of it are erased.
    pub erased: bool,
    /// The recovery file of its key generation, if there was one.
    pub recovery: Option<RecoveryFile>,
}

/// A group, and which key seals this node's shares of it.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct GroupRecord {
    group: Vec<u8>,
    epoch_key: EpochKeyId,
    /// The shares are erased, or are to be erased before anything else happens.
    erased: bool,
    recovery: Option<Vec<u8>>,
}

/// This node's shares of a group, in the row of the group, sealed under the key of the epoch.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct SharesRecord(Vec<SeatRecord>);

#[derive(BorshSerialize, BorshDeserialize)]
struct SeatRecord {
    seat: u16,
    share: Secret,
}

impl Record for GroupRecord {
    const TABLE: Table = Table::Groups;
}

impl Record for SharesRecord {
    const TABLE: Table = Table::Shares;
}

fn damaged<R: Record>() -> StoreError {
    StoreError::Damaged(Part::Value { table: R::TABLE.name() })
}

impl SharesRecord {
    fn new(group: &Group, seats: &[(Seat, SecretShare)]) -> Result<Self, ContentError> {
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
        Ok(Self(records))
    }

    fn read(self, group: &Group) -> Result<Vec<(Seat, SecretShare)>, StoreError> {
        let damaged = damaged::<Self>;
        let mut seats = Vec::with_capacity(self.0.len());
        // By reference: what is moved out of a list leaves a copy there.
        for SeatRecord { seat, share } in &self.0 {
            let seat = Seat::new((*seat).into()).map_err(|_| damaged())?;
            let share = SecretShare::from_bytes(share.0.clone()).map_err(|_| damaged())?;
            if !share.matches(group.keys(), seat) {
                return Err(damaged());
            }
            seats.push((seat, share));
        }
        if seats.is_empty() { Err(damaged()) } else { Ok(seats) }
    }
}

impl GroupRecord {
    /// The key of its epoch, unless the shares are erased.
    pub(super) fn epoch_key(&self) -> Option<EpochKeyId> {
        (!self.erased).then_some(self.epoch_key)
    }

    /// Whether the share is here, and the certificate that gives it again with a host key.
    pub(super) fn is_certified(&self) -> bool {
        !self.erased && self.recovery.is_some()
    }

    /// The key of its epoch, if that is to be erased.
    pub(super) fn erased_key(&self) -> Option<EpochKeyId> {
        self.erased.then_some(self.epoch_key)
    }

    pub(super) fn group(&self) -> Result<Group, StoreError> {
        Group::decode(&self.group).map_err(|_| damaged::<Self>())
    }

    /// The group without its shares.
    pub(super) fn known(&self) -> Result<KnownGroup, StoreError> {
        let (group, recovery) = (Arc::new(self.group()?), self.recovery()?);
        Ok(KnownGroup { group, erased: self.erased, recovery })
    }

    fn recovery(&self) -> Result<Option<RecoveryFile>, StoreError> {
        let recovery = self.recovery.as_deref().map(RecoveryFile::decode).transpose();
        recovery.map_err(|_| damaged::<Self>())
    }

    /// The group with its shares; none if they are erased.
    pub(super) fn read(
        self,
        snapshot: &Snapshot<'_>,
        open: OpenEpoch<'_>,
    ) -> Result<Option<KeptGroup>, StoreError> {
        let (group, recovery) = (self.group()?, self.recovery()?);
        let Some(key) = self.epoch_key() else { return Ok(None) };
        let shares = snapshot.sealed_by(&open(key)?, group.id().as_bytes())?;
        let shares: SharesRecord = shares.ok_or_else(damaged::<SharesRecord>)?;
        let seats = shares.read(&group)?;
        Ok(Some(KeptGroup { group: Arc::new(group), seats, recovery }))
    }
}

/// A group that is to be kept, with its shares sealed.
pub(super) struct NewGroup {
    id: GroupId,
    record: GroupRecord,
    shares: Vec<u8>,
}

impl NewGroup {
    /// Seals the shares of a group under the key of its epoch.
    pub(super) fn seal(
        cipher: &Cipher,
        group: &Group,
        seats: &[(Seat, SecretShare)],
        recovery: Option<&RecoveryFile>,
        (epoch_key, of_epoch): (EpochKeyId, &Cipher),
    ) -> Result<Self, StoreError> {
        let (id, shares) = (group.id(), SharesRecord::new(group, seats)?);
        if recovery.is_some_and(|file| file.group().id() != id) {
            return Err(ContentError::OtherRecoveryFile.into());
        }
        let row = cipher.row(Table::Shares, id.as_bytes());
        let shares = of_epoch.seal(Table::Shares, &row, &shares)?;
        let recovery = recovery.map(RecoveryFile::encode);
        let record = GroupRecord { group: group.encode(), epoch_key, erased: false, recovery };
        Ok(Self { id, record, shares })
    }

    /// Adds the group, which must not be there.
    pub(super) fn put(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        if transaction.get::<GroupRecord>(self.id.as_bytes())?.is_some() {
            return Err(ContentError::AlreadyThere(Entry::Group).into());
        }
        transaction.put(self.id.as_bytes(), &self.record)?;
        let row = transaction.cipher().row(Table::Shares, self.id.as_bytes());
        transaction.put_raw(Table::Shares, row.to_vec(), self.shares.clone());
        Ok(())
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
        self.write_group(group, seats, recovery, |transaction, new| new.put(transaction))
    }

    /// Seals the shares of a group under a new key of its epoch, and writes the group.
    pub(super) fn write_group(
        &self,
        group: &Group,
        seats: &[(Seat, SecretShare)],
        recovery: Option<&RecoveryFile>,
        put: impl FnOnce(&mut Transaction<'_>, &NewGroup) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let cipher = self.vault.cipher();
        let seal = |epoch_key, of_epoch: &_| {
            NewGroup::seal(cipher, group, seats, recovery, (epoch_key, of_epoch))
        };
        self.with_new_key(seal, put)
    }

    /// The group of this name, with its shares; none if they are erased. Checks all of it: costs
    /// *n* + 1 multiplications of points, one for each own seat, and *n* checks of signatures if
    /// there is a recovery file.
    pub fn group(&self, id: GroupId) -> Result<Option<KeptGroup>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let record: Option<GroupRecord> = snapshot.get(id.as_bytes())?;
        record.map_or(Ok(None), |record| record.read(&snapshot, &|key| self.open_epoch(key)))
    }

    /// All groups whose shares are not erased, in no particular order.
    pub fn groups(&self) -> Result<Vec<KeptGroup>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        snapshot.collect(|record: GroupRecord| record.read(&snapshot, &|key| self.open_epoch(key)))
    }

    /// All groups of this node, also those whose shares are erased, in no particular order. No
    /// share is opened.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn known_groups(&self) -> Result<Vec<KnownGroup>, StoreError> {
        self.vault.snapshot()?.collect(|record: GroupRecord| record.known().map(Some))
    }

    /// Erases this node's shares of the epoch that this group is, in all groups that are it: those
    /// with a newer binding have the same public shares. A plan may have come to two certificates,
    /// which make two groups of one epoch number and plan; the other one is left as it is. With the
    /// last group of a plan its host key is erased, which gives the shares of them all, and with
    /// the first epoch of a key the host keys that were drawn for its pairing. The groups
    /// themselves stay, without shares. That they are erased is on the disk first, with the record
    /// of the switch and the entry of the log of changes; then the key that sealed them is
    /// overwritten and its file removed. A crash in between is made good when the store is opened,
    /// an error when it is called again: nothing is recorded twice.
    ///
    /// The caller decides whether they may be erased
    /// ([`Erasing`](roastery_protocol::change::Erasing)). Backups and copies have their own keys.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if there is no such group. After an error of the disk it may be
    /// called again.
    pub fn erase_epoch(&self, group: &Group, erasure: &Erasure) -> Result<(), StoreError> {
        let found = self.vault.snapshot()?.collect(|record: GroupRecord| {
            let kept = record.group()?;
            let of_plan = kept.key_id() == group.key_id() && kept.epoch() == group.epoch();
            Ok(of_plan.then_some((kept, record)))
        })?;
        let shares = group.keys().public_shares();
        let (found, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(kept, _)| kept.keys().public_shares() == shares);
        if found.is_empty() {
            return Err(ContentError::Missing(Entry::Group).into());
        }
        let is_last = others.iter().all(|(_, record)| record.erased);
        let hosts = match group.epoch().number() {
            0 => self.host_keys_of_first(group)?,
            _ => self.host_keys_of(group.epoch().plan())?,
        };
        let hosts = if is_last { hosts } else { Vec::new() };
        let is_done = hosts.is_empty() && found.iter().all(|(_, record)| record.erased);
        if is_done && self.knows_erasure(erasure)? {
            return self.finish_erasing();
        }
        self.write(Durability::Synced, |transaction| {
            transaction.keep_erasure(erasure)?;
            hosts.iter().try_for_each(|host| transaction.erase_host_key(host))?;
            for (kept, record) in &found {
                let GroupRecord { group, epoch_key, recovery, .. } = record;
                let (group, recovery) = (group.clone(), recovery.clone());
                let erased = GroupRecord { group, epoch_key: *epoch_key, erased: true, recovery };
                let id = kept.id();
                transaction.put(id.as_bytes(), &erased)?;
                let row = transaction.cipher().row(Table::Shares, id.as_bytes());
                transaction.remove_row(Table::Shares, row.to_vec());
            }
            Ok(())
        })?;
        self.finish_erasing()
    }

    /// Erases the host keys that belong to a plan, and nothing else: of a plan that has made no
    /// group here. It may have been accepted here, or its epoch learned. The steps are those of
    /// [`Store::erase_epoch`]. Where there are none, that they are erased is recorded.
    ///
    /// # Errors
    ///
    /// [`ContentError::HostKeyNeeded`] if shares of the plan's epoch are here, which the host keys
    /// give as well: those are erased with the group. After an error of the disk it may be called
    /// again.
    pub fn erase_host_keys(&self, plan: PlanId, erasure: &Erasure) -> Result<(), StoreError> {
        let hosts = self.host_keys_of(plan)?;
        let shares = self.vault.snapshot()?.collect(|record: GroupRecord| {
            Ok((!record.erased && record.group()?.epoch().plan() == plan).then_some(()))
        })?;
        if !shares.is_empty() {
            return Err(ContentError::HostKeyNeeded { plan }.into());
        }
        if hosts.is_empty() && self.knows_erasure(erasure)? {
            return self.finish_erasing();
        }
        self.write(Durability::Synced, |transaction| {
            transaction.keep_erasure(erasure)?;
            hosts.iter().try_for_each(|host| transaction.erase_host_key(host))
        })?;
        self.finish_erasing()
    }

    /// Erases the keys of epochs that were to be erased when the machine stopped, and those that
    /// were being made. One that cannot be erased keeps no other one.
    ///
    /// # Errors
    ///
    /// The first one.
    pub(super) fn finish_erasing(&self) -> Result<(), StoreError> {
        let mut done = self.erase_new_keys();
        let snapshot = self.vault.snapshot()?;
        let all = (Bound::Unbounded, Bound::Unbounded);
        let of_groups = snapshot.range::<GroupRecord>(all)?;
        let of_groups = of_groups.map(|entry| entry.map(|(_, record)| record.erased_key()));
        let of_hosts = snapshot.range::<HostKeyRecord>(all)?;
        let of_hosts = of_hosts.map(|entry| entry.map(|(_, record)| record.erased_key()));
        for key in of_groups.chain(of_hosts) {
            match key {
                Ok(Some(key)) => done = done.and(self.epochs.erase(key)),
                Ok(None) => {}
                // The other rows can be read.
                Err(error @ StoreError::Damaged(Part::Value { .. })) => done = done.and(Err(error)),
                Err(error) => return done.and(Err(error)),
            }
        }
        done
    }

    pub(super) fn open_epoch(&self, key: EpochKeyId) -> Result<Cipher, StoreError> {
        self.epochs.open(self.vault.cipher(), key)
    }
}
