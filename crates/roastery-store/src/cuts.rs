//! Cuts of the audit log: entries that were removed from its beginning, and the record of each cut.

use std::ops::Bound;

use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    ContentError, Durability, Part, Store, StoreError, Transaction,
    snapshot::Snapshot,
    table::{Record, Table},
};

/// How many entries are removed in one transaction.
const REMOVED_AT_ONCE: u64 = 4096;

/// The table has one row.
const BEGIN_ROW: &[u8] = b"";

/// The record of a cut: entries that are no longer in the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCut {
    /// The number of the first entry that was cut.
    pub first: u64,
    /// The number after that of the last entry that was cut: the log begins there now.
    pub end: u64,
    /// A SHA-256 over the entries that were cut, as `docs/store.md` describes it. The caller
    /// computes it.
    pub sha256: [u8; 32],
    /// When it was made, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct CutRecord {
    first: u64,
    end: u64,
    sha256: [u8; 32],
    time_ms: u64,
}

impl Record for CutRecord {
    const TABLE: Table = Table::AuditCuts;
}

/// Where the log begins, and up to where the entries before are removed from the file. The two
/// differ during a cut, and after the machine has stopped in one.
#[derive(BorshSerialize, BorshDeserialize)]
struct AuditBegin {
    begin: u64,
    removed: u64,
}

impl Record for AuditBegin {
    const TABLE: Table = Table::AuditBegin;
}

impl Store {
    /// Cuts entries from the beginning of the audit log and keeps the record of it. Later entries
    /// keep their numbers. The record and the new beginning are one synced change; then the entries
    /// are removed in parts. If the machine stops in between, [`finish_cut`](Self::finish_cut) goes
    /// on.
    ///
    /// # Errors
    ///
    /// [`ContentError::NoCut`] if the log does not begin with these entries.
    pub fn cut_audit(&self, cut: &AuditCut) -> Result<(), StoreError> {
        self.finish_cut()?;
        self.write(Durability::Synced, |transaction| transaction.record_cut(cut))?;
        self.finish_cut()
    }

    /// Removes what an interrupted cut has left in the file. The log is the same before and after.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn finish_cut(&self) -> Result<(), StoreError> {
        while self.vault.snapshot()?.has_leftovers()? {
            self.write(Durability::Synced, |transaction| transaction.remove_cut())?;
        }
        Ok(())
    }

    /// The number of the first entry that is in the audit log, or will be.
    ///
    /// # Errors
    ///
    /// An error of the disk, and [`Part::Value`].
    pub fn audit_begin(&self) -> Result<u64, StoreError> {
        self.vault.snapshot()?.audit_begin()
    }

    /// The records of all cuts, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// [`Part::AuditCuts`] if one is missing.
    pub fn audit_cuts(&self) -> Result<Vec<AuditCut>, StoreError> {
        self.vault.snapshot()?.audit_cuts()
    }
}

impl Transaction<'_> {
    fn record_cut(&mut self, cut: &AuditCut) -> Result<(), StoreError> {
        let AuditCut { first, end, sha256, time_ms } = *cut;
        let (begin, length) = (self.begin()?.begin, self.audit_length()?);
        if first != begin || end <= first || end > length {
            return Err(ContentError::NoCut { first, end, begin, length }.into());
        }
        self.put_row(first.to_be_bytes().to_vec(), &CutRecord { first, end, sha256, time_ms })?;
        self.put(BEGIN_ROW, &AuditBegin { begin: end, removed: first })
    }

    fn remove_cut(&mut self) -> Result<(), StoreError> {
        let AuditBegin { begin, removed } = self.begin()?;
        let end = begin.min(removed.saturating_add(REMOVED_AT_ONCE));
        for number in removed..end {
            self.remove_row(Table::Audit, number.to_be_bytes().to_vec());
        }
        self.put(BEGIN_ROW, &AuditBegin { begin, removed: end })
    }

    fn begin(&self) -> Result<AuditBegin, StoreError> {
        Ok(self.get(BEGIN_ROW)?.unwrap_or(AuditBegin { begin: 0, removed: 0 }))
    }
}

impl Snapshot<'_> {
    fn begin(&self) -> Result<AuditBegin, StoreError> {
        Ok(self.get(BEGIN_ROW)?.unwrap_or(AuditBegin { begin: 0, removed: 0 }))
    }

    pub(super) fn audit_begin(&self) -> Result<u64, StoreError> {
        Ok(self.begin()?.begin)
    }

    /// The number of the first entry that is in the file.
    pub(super) fn audit_removed(&self) -> Result<u64, StoreError> {
        Ok(self.begin()?.removed)
    }

    fn has_leftovers(&self) -> Result<bool, StoreError> {
        let AuditBegin { begin, removed } = self.begin()?;
        Ok(removed < begin)
    }

    /// See [`Store::audit_cuts`].
    pub(super) fn audit_cuts(&self) -> Result<Vec<AuditCut>, StoreError> {
        let mut cuts: Vec<AuditCut> = Vec::new();
        for record in self.range::<CutRecord>((Bound::Unbounded, Bound::Unbounded))? {
            let (_, CutRecord { first, end, sha256, time_ms }) = record?;
            // Each begins where the one before ends.
            if first != cuts.last().map_or(0, |before| before.end) || end <= first {
                return Err(StoreError::Damaged(Part::AuditCuts));
            }
            cuts.push(AuditCut { first, end, sha256, time_ms });
        }
        if cuts.last().map_or(0, |last| last.end) != self.audit_begin()? {
            return Err(StoreError::Damaged(Part::AuditCuts));
        }
        Ok(cuts)
    }
}
