use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Point, SigningKey};
use roastery_protocol::{
    PlanId,
    change::Plan,
    group::{Group, Member},
};

use super::{
    ContentError, Entry, Part, Store, StoreError, Transaction,
    cipher::Cipher,
    epochs::{EpochKeyId, OpenEpoch},
    secret::Secret,
    snapshot::Snapshot,
    table::{Record, Table},
};

/// A host key that was made for a change, or for a pairing. With the public certificate it gives
/// the share, so it is sealed under the key of the epoch that it is made for, as the share will be,
/// or under one of its own.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct HostKeyRecord {
    /// The public key, compressed.
    host: [u8; 33],
    epoch_key: EpochKeyId,
    erased: bool,
    /// The plan that it belongs to, no other one, ever: it has accepted the plan, or is in a card
    /// of it and the plan's epoch was learned.
    plan: Option<PlanId>,
}

/// The secret of a host key, in the row of its public key.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct HostKeySecret(Secret);

impl Record for HostKeyRecord {
    const TABLE: Table = Table::HostKeys;
}

impl Record for HostKeySecret {
    const TABLE: Table = Table::HostKeySecrets;
}

impl HostKeyRecord {
    /// The key of its epoch, unless the host key is erased.
    pub(super) fn epoch_key(&self) -> Option<EpochKeyId> {
        (!self.erased).then_some(self.epoch_key)
    }

    /// The key of its epoch, if that is to be erased.
    pub(super) fn erased_key(&self) -> Option<EpochKeyId> {
        self.erased.then_some(self.epoch_key)
    }

    /// The host key; none if it is erased.
    pub(super) fn read(
        &self,
        snapshot: &Snapshot<'_>,
        open: OpenEpoch<'_>,
    ) -> Result<Option<SigningKey>, StoreError> {
        let Some(epoch_key) = self.epoch_key() else { return Ok(None) };
        let damaged = || StoreError::Damaged(Part::Value { table: HostKeySecret::TABLE.name() });
        let secret: Option<HostKeySecret> = snapshot.sealed_by(&open(epoch_key)?, &self.host)?;
        let HostKeySecret(secret) = secret.ok_or_else(damaged)?;
        let key = SigningKey::from_bytes(secret.0).map_err(|_| damaged())?;
        let is_right = key.plain_public_key().serialize() == self.host;
        if is_right { Ok(Some(key)) } else { Err(damaged()) }
    }
}

impl Store {
    /// Keeps a host key that was made for a change, sealed under the key of the epoch to come. It
    /// is on the disk when this returns: a card with it may leave.
    ///
    /// # Errors
    ///
    /// [`ContentError::AlreadyThere`] if it is there.
    pub fn keep_host_key(&self, key: &SigningKey) -> Result<(), StoreError> {
        self.write_host_key(key, |_| Ok(()))
    }

    /// The same, with what `also` writes.
    pub(super) fn write_host_key(
        &self,
        key: &SigningKey,
        also: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let host = key.plain_public_key().serialize();
        let cipher = self.vault.cipher();
        let row = cipher.row(Table::HostKeySecrets, &host);
        let secret = HostKeySecret(Secret(key.expose_bytes()));
        let seal = |epoch_key, of_epoch: &Cipher| {
            let record = HostKeyRecord { host, epoch_key, erased: false, plan: None };
            Ok((record, of_epoch.seal(Table::HostKeySecrets, &row, &secret)?))
        };
        self.with_new_key(seal, |transaction, (record, secret)| {
            if transaction.get::<HostKeyRecord>(&host)?.is_some() {
                return Err(ContentError::AlreadyThere(Entry::HostKey).into());
            }
            transaction.put(&host, record)?;
            transaction.put_raw(Table::HostKeySecrets, row.to_vec(), secret.clone());
            also(transaction)
        })
    }

    /// The host key with this public key; none if it was not made here or is erased.
    ///
    /// # Errors
    ///
    /// [`Part::EpochKey`], [`StoreError::KeyFile`] and [`Part::Value`].
    pub fn host_key(&self, host: &Point) -> Result<Option<SigningKey>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let record: Option<HostKeyRecord> = snapshot.get(&host.serialize())?;
        record.map_or(Ok(None), |record| record.read(&snapshot, &|key| self.open_epoch(key)))
    }

    /// Whether the host key with this public key is here. It is not opened.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if its record was altered.
    pub fn has_host_key(&self, host: &Point) -> Result<bool, StoreError> {
        let record: Option<HostKeyRecord> = self.vault.snapshot()?.get(&host.serialize())?;
        Ok(record.is_some_and(|record| !record.erased))
    }

    /// Whether the host key with this public key was here and is erased.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if its record was altered.
    pub fn has_erased_host_key(&self, host: &Point) -> Result<bool, StoreError> {
        let record: Option<HostKeyRecord> = self.vault.snapshot()?.get(&host.serialize())?;
        Ok(record.is_some_and(|record| record.erased))
    }

    /// The plans whose host keys are here and not erased. No host key is opened.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn plans_with_host_keys(&self) -> Result<Vec<PlanId>, StoreError> {
        let of = |record: HostKeyRecord| Ok(record.plan.filter(|_| !record.erased));
        self.vault.snapshot()?.collect(of)
    }

    /// The host keys that belong to this plan, also those that are erased.
    pub(super) fn host_keys_of(&self, plan: PlanId) -> Result<Vec<HostKeyRecord>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        snapshot.collect(|record: HostKeyRecord| Ok((record.plan == Some(plan)).then_some(record)))
    }

    /// The host keys of the seats of a group that no plan has made.
    pub(super) fn host_keys_of_first(
        &self,
        group: &Group,
    ) -> Result<Vec<HostKeyRecord>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let of = |member: &Member| snapshot.get(&member.host_key.serialize()).transpose();
        group.members().iter().filter_map(of).collect()
    }
}

impl Transaction<'_> {
    /// Binds the host keys of a plan that are here to it.
    ///
    /// # Errors
    ///
    /// [`ContentError::HostKeyUsed`] if one belongs to another plan.
    pub(super) fn use_host_keys(&mut self, plan: &Plan) -> Result<(), StoreError> {
        for member in plan.members() {
            let host = member.host_key.serialize();
            let Some(record) = self.get::<HostKeyRecord>(&host)? else { continue };
            match record.plan {
                Some(used) if used != plan.id() => {
                    return Err(ContentError::HostKeyUsed { plan: used }.into());
                }
                _ => self.put(&host, &HostKeyRecord { plan: Some(plan.id()), ..record })?,
            }
        }
        Ok(())
    }

    /// Binds the host keys in the cards of a plan to it, once its epoch exists. Those that belong
    /// to another plan stay as they are.
    pub(super) fn learn_host_keys(&mut self, plan: &Plan) -> Result<(), StoreError> {
        for member in plan.members() {
            let host = member.host_key.serialize();
            let record: Option<HostKeyRecord> = self.get(&host)?;
            if let Some(record) = record.filter(|record| record.plan.is_none()) {
                self.put(&host, &HostKeyRecord { plan: Some(plan.id()), ..record })?;
            }
        }
        Ok(())
    }

    /// Marks a host key as erased, and removes its row.
    pub(super) fn erase_host_key(&mut self, record: &HostKeyRecord) -> Result<(), StoreError> {
        let HostKeyRecord { host, epoch_key, plan, .. } = *record;
        self.put(&host, &HostKeyRecord { host, epoch_key, erased: true, plan })?;
        let row = self.cipher().row(Table::HostKeySecrets, &host);
        self.remove_row(Table::HostKeySecrets, row.to_vec());
        Ok(())
    }
}
