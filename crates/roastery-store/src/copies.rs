use std::{
    fs::{File, TryLockError},
    io::Write as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use redb::backends::FileBackend;
use sha2::{Digest as _, Sha256};

use super::{
    ChangeEntry, Durability, HostKeyFiles, MadeBackups, Part, Passphrase, Store, StoreError, acts,
    audit::{self, AuditRecord},
    backups,
    bars::BarRecord,
    cipher::Cipher,
    epochs::{EpochKeyId, EpochKeys, OpenEpoch, open_sealed},
    evidence::ProofRecord,
    groups::GroupRecord,
    host_keys::HostKeyRecord,
    incarnations::IncarnationRecord,
    keygens::KeygenRecord,
    keys::KeysRecord,
    kits::{KeptKitsRecord, OwnKitRecord},
    lineages::EpochRecord,
    memory::Memory,
    messages,
    names::NameRecord,
    new_keys::NewKeyRecord,
    open_file, outbox,
    pairing_host_keys::PairingHostKey,
    pairings::PairingRecord,
    passkeys::PasskeysRecord,
    place::NewFile,
    plans::PlanRecord,
    request_record::RequestRecord,
    rows::{create_database, header, open_database},
    snapshot::Snapshot,
    table::Table,
    tokens::TokensRecord,
    transaction::Commit,
    vault::Vault,
    wallets::WalletRecord,
};

/// How many rows one change copies.
const COPIED_AT_ONCE: usize = 64;

impl Store {
    /// Copies the store into a new file, while it is in use. The copy is a store with the same
    /// passphrase, and everything that goes into it is checked.
    ///
    /// Key generations under way are ended in the copy. It cannot contain what this node signs
    /// later, and a node that signs a second transcript is at fault. The host key restores the
    /// share of a key generation that succeeded. Pairings under way are not in it either: a node
    /// with an earlier state would reveal a number of it once more, for another roster. Neither are
    /// tokens and passkeys: one that was revoked since would count again; nor what waits to be told
    /// through hooks, which the store itself goes on to tell.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] if there is a file; [`StoreError::Damaged`] if something in the store
    /// is damaged.
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<(), StoreError> {
        let (new, mut file) = NewFile::for_target(path.as_ref())?;
        let bytes = self.backup_bytes()?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(StoreError::io)?;
        new.put_in_place()
    }

    /// The bytes of a [backup](Self::backup), which has the keys of epochs. It is made in memory:
    /// nothing of it is on a disk before the caller writes it where it is kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if something in the store is damaged.
    pub fn backup_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let cipher = self.vault.cipher();
        check(&snapshot, &|key| self.epochs.open(cipher, key))?;
        let memory = Memory::new();
        let database = create_database(memory.clone(), &snapshot.header()?)?;
        let copy = Vault::new(database, cipher.clone())?;
        let commit = copy.commit()?;
        Table::ALL.iter().try_for_each(|table| fill(&commit, &snapshot, *table))?;
        for key in epoch_keys(&snapshot)? {
            let sealed = self.epochs.sealed(key)?;
            commit.add(|transaction| {
                transaction.put_raw(Table::EpochKeys, key.row().to_vec(), sealed);
                Ok(())
            })?;
        }
        commit.finish(Durability::Synced)?;
        copy.close()?;
        memory.bytes()
    }

    /// Puts a backup in place as a store, and opens it. Everything in it is checked before. The
    /// store lists the backup among those that [were made](Self::made_backups): it has shares that
    /// are to be destroyed one day. A backup does not list itself.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] if there is a file where it is to be, [`StoreError::Locked`] if the
    /// backup is a store in use, and those of [`Store::open`] and [`Store::check`] for the backup.
    /// Then nothing is put in place.
    pub fn restore(
        backup: impl AsRef<Path>,
        into: impl AsRef<Path>,
        passphrase: &Passphrase,
    ) -> Result<Self, StoreError> {
        let (backup, into) = (backup.as_ref(), into.as_ref());
        let mut from = open_file(backup, File::options().read(true))?;
        match from.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(error)),
        }
        // In memory: it has the keys of epochs, which are to be in their files alone here.
        let mut hash = Sha256::new();
        let database = open_database(Memory::of_file(&mut from, |block| hash.update(block))?)?;
        let cipher = Cipher::new(&header(&database)?.open(passphrase)?);
        let copy = Vault::new(database, cipher)?;
        messages::make_whole(&copy)?;
        let cipher = copy.cipher().clone();
        put_in_place(&copy.snapshot()?, into, hash.finalize().into())?;
        copy.close()?;
        Store::open_with(into, |_| Ok(cipher))
    }

    /// Opens and decodes every value, and counts the audit log.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] names the first damaged part.
    pub fn check(&self) -> Result<(), StoreError> {
        check(&self.vault.snapshot()?, &|key| self.epochs.open(self.vault.cipher(), key))
    }
}

/// Makes a store of a backup whose file has this SHA-256. The keys of its epochs go into files, and
/// are not in the store's.
fn put_in_place(backup: &Snapshot<'_>, into: &Path, sha256: [u8; 32]) -> Result<(), StoreError> {
    let sealed = |key: EpochKeyId| {
        let sealed = backup.sealed(Table::EpochKeys, key.row())?;
        sealed.ok_or(StoreError::Damaged(Part::Value { table: Table::EpochKeys.name() }))
    };
    check(backup, &|key| open_sealed(backup.cipher(), key, &sealed(key)?))?;
    let (new, file) = NewFile::for_target(into)?;
    let database = create_database(FileBackend::new(file)?, &backup.header()?)?;
    let restored = Vault::new(database, backup.cipher().clone())?;
    let commit = restored.commit()?;
    let tables = Table::ALL.iter().filter(|table| **table != Table::EpochKeys);
    let tables = tables.filter(|table| !is_left_out(**table));
    tables.copied().try_for_each(|table| copy(&commit, backup, table))?;
    for (id, record) in backup.collect(PlanRecord::restored)? {
        commit.add(|transaction| transaction.put(id.as_bytes(), &record))?;
    }
    let groups = backups::groups_with_shares(backup)?;
    if !groups.is_empty() {
        commit.add(|transaction| transaction.keep_backup(groups, sha256, now_ms()))?;
    }
    commit.finish(Durability::Synced)?;
    restored.close()?;
    let epochs = EpochKeys::beside(into);
    for key in epoch_keys(backup)? {
        epochs.write(key, &sealed(key)?)?;
    }
    new.put_in_place()
}

/// Milliseconds since 1970 by the wall clock.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The keys of the epochs that are not erased.
fn epoch_keys(snapshot: &Snapshot<'_>) -> Result<Vec<EpochKeyId>, StoreError> {
    let mut keys = snapshot.collect(|record: GroupRecord| Ok(record.epoch_key()))?;
    keys.extend(snapshot.collect(|record: HostKeyRecord| Ok(record.epoch_key()))?);
    Ok(keys)
}

fn check(snapshot: &Snapshot<'_>, open: OpenEpoch<'_>) -> Result<(), StoreError> {
    snapshot.each(|record: KeysRecord| record.read().map(drop))?;
    snapshot.each(|record: GroupRecord| record.read(snapshot, open).map(drop))?;
    snapshot.each(|record: HostKeyRecord| record.read(snapshot, open).map(drop))?;
    snapshot.each(|_: NewKeyRecord| Ok(()))?;
    snapshot.each(|record: PlanRecord| record.read().map(drop))?;
    snapshot.each(|_: NameRecord| Ok(()))?;
    snapshot.each(|record: EpochRecord| record.read().map(drop))?;
    snapshot.each(|_: ChangeEntry| Ok(()))?;
    snapshot.each(|_: MadeBackups| Ok(()))?;
    snapshot.each(|_: HostKeyFiles| Ok(()))?;
    snapshot.each(|record: KeygenRecord| record.read().map(drop))?;
    check_requests(snapshot)?;
    snapshot.each(|record: ProofRecord| record.read().map(drop))?;
    snapshot.each(|record: BarRecord| record.read().map(drop))?;
    snapshot.each(|_: PairingRecord| Ok(()))?;
    snapshot.each(|_: PairingHostKey| Ok(()))?;
    snapshot.each(|record: OwnKitRecord| record.read().map(drop))?;
    snapshot.each(|record: KeptKitsRecord| record.read().map(drop))?;
    snapshot.each(|_: WalletRecord| Ok(()))?;
    snapshot.each(|_: IncarnationRecord| Ok(()))?;
    snapshot.each(|record: AuditRecord| record.read().map(drop))?;
    snapshot.audit_cuts()?;
    snapshot.each(|_: TokensRecord| Ok(()))?;
    snapshot.each(|_: PasskeysRecord| Ok(()))?;
    outbox::check(snapshot)?;
    audit::check_length(snapshot)?;
    acts::check(snapshot).map(drop)
}

/// Checks that every request is in both indices at its place, and nothing else is.
fn check_requests(snapshot: &Snapshot<'_>) -> Result<(), StoreError> {
    let (mut indexed, length) = (true, snapshot.changes_length()?);
    snapshot.each(|record: RequestRecord| {
        let kept = record.read()?;
        let (group, state) = (kept.request.group(), kept.state.kind());
        indexed &= kept.position < length;
        indexed &= snapshot.has_change(group, state, kept.position, &kept.change())?;
        indexed &= snapshot.has_messages(&kept.request)?;
        Ok(())
    })?;
    let requests = snapshot.count(Table::Requests)?;
    indexed &= requests == snapshot.count(Table::Changes)?;
    indexed &= requests == snapshot.count(Table::Messages)?;
    if indexed { Ok(()) } else { Err(StoreError::Damaged(Part::Index)) }
}

/// Whether backups have nothing of this table.
fn is_left_out(table: Table) -> bool {
    matches!(
        table,
        Table::Pairings
            | Table::NewEpochKeys
            | Table::Tokens
            | Table::Passkeys
            | Table::ReturnLines
            | Table::Outbox
            | Table::Hooks
            | Table::Told
    )
}

fn fill(commit: &Commit<'_>, from: &Snapshot<'_>, table: Table) -> Result<(), StoreError> {
    // A key file that is made meanwhile is named by no row of the copy.
    if is_left_out(table) {
        return Ok(());
    }
    if table == Table::Keygens {
        return from.each(|record: KeygenRecord| {
            let keygen = record.id()?;
            commit.add(|transaction| {
                transaction.put(keygen.as_bytes(), &KeygenRecord::Ended { keygen })
            })
        });
    }
    copy(commit, from, table)
}

/// Copies the rows of a table as they lie there.
fn copy(commit: &Commit<'_>, from: &Snapshot<'_>, table: Table) -> Result<(), StoreError> {
    let mut rows = from.raw(table)?.peekable();
    while rows.peek().is_some() {
        commit.add(|transaction| {
            for entry in rows.by_ref().take(COPIED_AT_ONCE) {
                let entry = entry?;
                transaction.put_raw(table, entry.row().to_vec(), entry.value().to_vec());
            }
            Ok(())
        })?;
    }
    Ok(())
}
