use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{Attempt, BodyHash, GroupId, SessionId, request::MAX_MESSAGES};

use super::{
    ContentError, MAX_TEXT, Part, Store, StoreError, check_text,
    rows::{Record, Snapshot, Table},
};

/// One share that left this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
    /// The group.
    pub group: GroupId,
    /// The session.
    pub session: SessionId,
    /// The attempt.
    pub attempt: Attempt,
    /// The package that the share answers.
    pub package: BodyHash,
    /// What was signed: 1 to 64 messages, 32 bytes each.
    pub messages: Vec<[u8; 32]>,
    /// What this node's policy said, in words of at most [`MAX_TEXT`] bytes.
    pub policy: String,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct AuditRecord {
    time_ms: u64,
    group: GroupId,
    session: SessionId,
    attempt: u32,
    package: BodyHash,
    messages: Vec<[u8; 32]>,
    policy: String,
}

impl Record for AuditRecord {
    const TABLE: Table = Table::Audit;
}

/// How many entries were written, so that none is missing at the end either.
#[derive(BorshSerialize, BorshDeserialize)]
struct AuditLength(u64);

impl Record for AuditLength {
    const TABLE: Table = Table::AuditLength;
}

/// There is one row.
const LENGTH_ROW: &[u8] = b"";

impl AuditRecord {
    fn new(entry: &AuditEntry) -> Result<Self, ContentError> {
        check_text(&entry.policy, MAX_TEXT)?;
        if !(1..=MAX_MESSAGES).contains(&entry.messages.len()) {
            return Err(ContentError::Count { count: entry.messages.len() });
        }
        Ok(Self {
            time_ms: entry.time_ms,
            group: entry.group,
            session: entry.session,
            attempt: entry.attempt.number(),
            package: entry.package,
            messages: entry.messages.clone(),
            policy: entry.policy.clone(),
        })
    }

    pub(super) fn read(self) -> Result<AuditEntry, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        Ok(AuditEntry {
            time_ms: self.time_ms,
            group: self.group,
            session: self.session,
            attempt: Attempt::new(self.attempt).ok_or_else(damaged)?,
            package: self.package,
            messages: self.messages,
            policy: self.policy,
        })
    }
}

impl Store {
    /// Adds entries to the audit log, all or none, and says the number of the first of them: that of the first of all is 0.
    /// They are on the disk when this returns. Nothing changes or removes them.
    ///
    /// # Errors
    ///
    /// [`ContentError::TextTooLong`] and [`ContentError::Count`] if no share can have this entry.
    pub fn append_audit(&self, entries: &[AuditEntry]) -> Result<u64, StoreError> {
        let records = entries.iter().map(AuditRecord::new).collect::<Result<Vec<_>, _>>()?;
        self.vault.write(|writing| {
            let length: Option<AuditLength> = writing.get(LENGTH_ROW)?;
            let first = length.map_or(0, |length| length.0);
            let mut number = first;
            for record in &records {
                writing.put_numbered(number, record)?;
                number += 1;
            }
            writing.put(LENGTH_ROW, &AuditLength(number))?;
            Ok(first)
        })
    }

    /// How many entries the audit log has.
    pub fn audit_length(&self) -> Result<u64, StoreError> {
        let length: Option<AuditLength> = self.vault.snapshot()?.get(LENGTH_ROW)?;
        Ok(length.map_or(0, |length| length.0))
    }

    /// At most `most` entries of the audit log with their numbers, from this number on.
    ///
    /// # Errors
    ///
    /// [`Part::Audit`] if the log as a whole lacks an entry.
    pub fn audit(&self, from: u64, most: usize) -> Result<Vec<(u64, AuditEntry)>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        check_length(&snapshot)?;
        let records = snapshot.numbered(from, most)?;
        let read = |(number, record): (u64, AuditRecord)| Ok((number, record.read()?));
        records.into_iter().map(read).collect()
    }
}

/// Whether the log has all its entries. A row of another number does not open, and two do not share a number: so as many
/// entries as were written are the ones that were written.
pub(super) fn check_length(snapshot: &Snapshot<'_>) -> Result<(), StoreError> {
    let length: Option<AuditLength> = snapshot.get(LENGTH_ROW)?;
    let expected = length.map_or(0, |length| length.0);
    match snapshot.count(Table::Audit)? {
        found if found == expected => Ok(()),
        found => Err(StoreError::Damaged(Part::Audit { found, expected })),
    }
}
