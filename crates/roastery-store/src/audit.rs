use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{BodyHash, GroupId, Seat, SessionId, request::MAX_MESSAGES};

use super::{
    ContentError, Decision, Durability, MAX_COINS, Part, Spending, Store, StoreError, Transaction,
    request_record::check_decision,
    snapshot::Snapshot,
    table::{Record, Table},
};

/// The audit record of one share that left this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
    /// The group in which it was signed.
    pub group: GroupId,
    /// The session in which it was signed.
    pub session: SessionId,
    /// The seat of this node whose share it is.
    pub seat: Seat,
    /// The coordinator that gets it.
    pub coordinator: Seat,
    /// The package that the share answers.
    pub package: BodyHash,
    /// The messages that were signed: 1 to 64, 32 bytes each.
    pub messages: Vec<[u8; 32]>,
    /// The x-only group key: amounts under one key are added up, whatever group they were signed
    /// for.
    pub key: [u8; 32],
    /// The decision by which it left.
    pub decision: Decision,
    /// What it spends from the group's wallet.
    pub spending: Spending,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct AuditRecord {
    time_ms: u64,
    group: GroupId,
    session: SessionId,
    seat: u16,
    coordinator: u16,
    package: BodyHash,
    messages: Vec<[u8; 32]>,
    key: [u8; 32],
    decision: Decision,
    spending: Spending,
}

impl Record for AuditRecord {
    const TABLE: Table = Table::Audit;
}

/// The number of entries that were written, so that a missing last entry is found too.
#[derive(BorshSerialize, BorshDeserialize)]
struct AuditLength(u64);

impl Record for AuditLength {
    const TABLE: Table = Table::AuditLength;
}

/// The result for a share that was about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It is in the audit log, and may leave.
    Recorded,
    /// Its request is not approved, or by another decision now. It may not leave.
    Overtaken,
}

/// How many entries are read at once: one may have a quarter of a megabyte.
const PAGE: u64 = 64;

/// The search ends after this many older entries in a row.
const OLDER_IN_A_ROW: usize = 4096;

/// The table has one row.
const LENGTH_ROW: &[u8] = b"";

impl AuditRecord {
    fn new(entry: &AuditEntry) -> Result<Self, ContentError> {
        check_decision(&entry.decision)?;
        if !(1..=MAX_MESSAGES).contains(&entry.messages.len()) {
            return Err(ContentError::Count { count: entry.messages.len() });
        }
        if entry.spending.coins.len() > MAX_COINS {
            return Err(ContentError::Count { count: entry.spending.coins.len() });
        }
        Ok(Self {
            time_ms: entry.time_ms,
            group: entry.group,
            session: entry.session,
            seat: entry.seat.to_u16(),
            coordinator: entry.coordinator.to_u16(),
            package: entry.package,
            messages: entry.messages.clone(),
            key: entry.key,
            decision: entry.decision.clone(),
            spending: entry.spending.clone(),
        })
    }

    pub(super) fn read(self) -> Result<AuditEntry, StoreError> {
        let damaged = |_| StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let seat = |number: u16| Seat::new(number.into()).map_err(damaged);
        Ok(AuditEntry {
            time_ms: self.time_ms,
            group: self.group,
            session: self.session,
            seat: seat(self.seat)?,
            coordinator: seat(self.coordinator)?,
            package: self.package,
            messages: self.messages,
            key: self.key,
            decision: self.decision,
            spending: self.spending,
        })
    }
}

impl Store {
    /// Adds entries to the audit log, all or none, and returns the number of the first of them; the
    /// very first entry has number 0. They are on the disk when this returns. Entries never change;
    /// [`Store::cut_audit`] removes the oldest.
    ///
    /// # Errors
    ///
    /// [`ContentError::TextTooLong`] and [`ContentError::Count`] if an entry is not possible.
    pub fn append_audit(&self, entries: &[AuditEntry]) -> Result<u64, StoreError> {
        self.write(Durability::Synced, |transaction| transaction.append_audit(entries))
    }

    /// Gives the entries of the audit log since this time (milliseconds since 1970) to `take`, the
    /// latest first, as they are read: at most 64 are in memory at once. The times of entries need
    /// not be in order, for a clock may be set: the search ends where many entries in a row are
    /// older.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if an entry was altered.
    pub fn audit_since(
        &self,
        time_ms: u64,
        mut take: impl FnMut(AuditEntry),
    ) -> Result<(), StoreError> {
        let snapshot = self.vault.snapshot()?;
        let length: Option<AuditLength> = snapshot.get(LENGTH_ROW)?;
        let mut older = 0;
        let first = snapshot.audit_begin()?;
        let mut end = length.map_or(0, |length| length.0);
        while end > first && older < OLDER_IN_A_ROW {
            let begin = end.saturating_sub(PAGE).max(first);
            let most = usize::try_from(end - begin).unwrap_or(usize::MAX);
            for (_, record) in snapshot.numbered::<AuditRecord>(begin, most)?.into_iter().rev() {
                if record.time_ms < time_ms {
                    older += 1;
                } else {
                    older = 0;
                    take(record.read()?);
                }
            }
            end = begin;
        }
        Ok(())
    }

    /// The latest entries of the audit log, at most so many, in the order in which they were
    /// written.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if an entry was altered.
    pub fn audit_latest(&self, most: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let length: Option<AuditLength> = snapshot.get(LENGTH_ROW)?;
        let length = length.map_or(0, |length| length.0);
        let begin = length.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
        let begin = begin.max(snapshot.audit_begin()?);
        let records = snapshot.numbered::<AuditRecord>(begin, most)?;
        records.into_iter().map(|(_, record)| record.read()).collect()
    }

    /// The number of entries ever written to the audit log: the number of the next one.
    ///
    /// # Errors
    ///
    /// An error of the disk, and [`Part::Value`].
    pub fn audit_length(&self) -> Result<u64, StoreError> {
        let length: Option<AuditLength> = self.vault.snapshot()?.get(LENGTH_ROW)?;
        Ok(length.map_or(0, |length| length.0))
    }

    /// At most `most` entries of the audit log with their numbers, from this number on. Entries
    /// that were cut are not there.
    ///
    /// # Errors
    ///
    /// [`Part::Audit`] if the log as a whole lacks an entry.
    pub fn audit(&self, from: u64, most: usize) -> Result<Vec<(u64, AuditEntry)>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        check_length(&snapshot)?;
        let records = snapshot.numbered(from.max(snapshot.audit_begin()?), most)?;
        let read = |(number, record): (u64, AuditRecord)| Ok((number, record.read()?));
        records.into_iter().map(read).collect()
    }
}

impl Snapshot<'_> {
    pub(super) fn audit_length(&self) -> Result<u64, StoreError> {
        let length: Option<AuditLength> = self.get(LENGTH_ROW)?;
        Ok(length.map_or(0, |length| length.0))
    }
}

impl Transaction<'_> {
    /// See [`Store::append_audit`]. What must be kept together with these entries is written
    /// through the same transaction.
    pub fn append_audit(&mut self, entries: &[AuditEntry]) -> Result<u64, StoreError> {
        let records = entries.iter().map(AuditRecord::new).collect::<Result<Vec<_>, _>>()?;
        let first = self.audit_length()?;
        let mut number = first;
        for record in &records {
            self.put_row(number.to_be_bytes().to_vec(), record)?;
            number += 1;
        }
        self.put(LENGTH_ROW, &AuditLength(number))?;
        self.chain_shares(first, &records)?;
        Ok(first)
    }

    pub(super) fn audit_length(&self) -> Result<u64, StoreError> {
        Ok(self.get::<AuditLength>(LENGTH_ROW)?.map_or(0, |length| length.0))
    }

    /// Adds the entry of a share that is about to leave, if its request is approved by the very
    /// decision that the entry names. Must be synced: the share leaves when the entry is on the
    /// disk.
    ///
    /// # Errors
    ///
    /// Those of [`Store::append_audit`].
    pub fn release(&mut self, entry: &AuditEntry) -> Result<Release, StoreError> {
        if !self.is_approved_by(entry.session, &entry.decision)? {
            return Ok(Release::Overtaken);
        }
        self.append_audit(std::slice::from_ref(entry))?;
        Ok(Release::Recorded)
    }
}

/// Whether the log has all its entries, but for those that a cut has removed. A row copied to
/// another number does not open, so the log is complete if the number of rows is right.
pub(super) fn check_length(snapshot: &Snapshot<'_>) -> Result<(), StoreError> {
    let length: Option<AuditLength> = snapshot.get(LENGTH_ROW)?;
    let (removed, length) = (snapshot.audit_removed()?, length.map_or(0, |length| length.0));
    let expected = length.saturating_sub(removed);
    match snapshot.count_numbered(Table::Audit, removed..length)? {
        found if found == expected => Ok(()),
        found => Err(StoreError::Damaged(Part::Audit { found, expected })),
    }
}
