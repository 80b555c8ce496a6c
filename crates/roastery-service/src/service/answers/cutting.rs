//! Export and cut of the audit log.

use std::io;

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use roastery_protocol::request::MAX_LIFETIME_SECONDS;
use roastery_store::{AuditCut, AuditEntry, Store, StoreError};

use crate::{
    Time,
    policy::LOOKS_BACK,
    service::{Service, ServiceError, now_ms},
};

/// How an entry with its number is written in an export: one line, with its line end. A cut is of
/// the entries whose lines have a hash, so an entry has the same line at all times.
pub type LineOf = fn(u64, &AuditEntry) -> io::Result<String>;

/// How many entries are read at once: one may have a quarter of a megabyte.
const READ_AT_ONCE: usize = 32;

/// A page of an export ends after the line that reaches this many bytes.
const PAGE_BYTES: usize = 1024 * 1024;

/// Entries younger than this cannot be cut, in milliseconds: limits over a time count them, and
/// their requests may still be open, whose coins are read from the log at the start.
const KEPT_MS: u64 = (MAX_LIFETIME_SECONDS + LOOKS_BACK) * 1000;

/// The cuts of the audit log, and what can be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCuts {
    /// The number of the first entry in the log.
    pub begin: u64,
    /// The number of the next entry.
    pub end: u64,
    /// Entries of this time and later cannot be cut yet, in milliseconds since 1970.
    pub kept_since_ms: u64,
    /// All cuts, the oldest first.
    pub cuts: Vec<AuditCut>,
}

impl Service {
    /// Lines of the audit log from this number on, at most so many; a page ends after the line that
    /// reaches 1 MiB. An empty page is the end.
    ///
    /// # Errors
    ///
    /// An error of the store, which names an entry that is missing or was altered.
    pub async fn export_log(
        &self,
        from: u64,
        most: usize,
        line: LineOf,
    ) -> Result<String, ServiceError> {
        self.shared
            .store(move |store| {
                let mut page = String::new();
                let mut lines = 0;
                each(store, from, |number, entry| {
                    page.push_str(&line(number, &entry).map_err(StoreError::Io)?);
                    lines += 1;
                    Ok(lines < most && page.len() < PAGE_BYTES)
                })?;
                Ok(page)
            })
            .await
    }

    /// The cuts of the audit log, and what can be cut.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn log_cuts(&self) -> Result<AuditCuts, ServiceError> {
        let kept_since_ms = now_ms().saturating_sub(KEPT_MS);
        self.shared
            .store(move |store| {
                let cuts = store.audit_cuts()?;
                let (begin, end) = (store.audit_begin()?, store.audit_length()?);
                Ok(AuditCuts { begin, end, kept_since_ms, cuts })
            })
            .await
    }

    /// Cuts the entries before this number, which the client has exported, from the audit log, and
    /// keeps a record of it. The hash is the SHA-256 of their lines.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if there are no such entries, if one is too young, or if the hash
    /// does not match them.
    pub async fn cut_log(
        &self,
        before: u64,
        sha256: [u8; 32],
        line: LineOf,
    ) -> Result<AuditCut, ServiceError> {
        let cut = self.shared.store(move |store| cut(store, before, (sha256, line), now_ms()));
        let cut = cut.await?;
        let cut = cut.map_err(|reason| ServiceError::Conflict(reason.into()))?;
        tracing::info!(cut.first, last = cut.end - 1, "entries were cut from the audit log");
        Ok(cut)
    }
}

/// Cuts the entries before a number if their lines have this hash, or returns why not.
fn cut(
    store: &Store,
    before: u64,
    (sha256, line): ([u8; 32], LineOf),
    now_ms: u64,
) -> Result<Result<AuditCut, String>, StoreError> {
    let (first, length) = (store.audit_begin()?, store.audit_length()?);
    if before <= first || before > length {
        return Ok(Err(nothing_to_cut(before, first, length)));
    }
    let kept_since = now_ms.saturating_sub(KEPT_MS);
    let (mut lines, mut young) = (sha256::HashEngine::default(), None);
    each(store, first, |number, entry| {
        if entry.time_ms >= kept_since {
            young = Some((number, entry.time_ms));
            return Ok(false);
        }
        lines.input(line(number, &entry).map_err(StoreError::Io)?.as_bytes());
        Ok(number + 1 < before)
    })?;
    if let Some((number, time_ms)) = young {
        return Ok(Err(too_young(number, Time::from_milliseconds(time_ms))));
    }
    if sha256::Hash::from_engine(lines).to_byte_array() != sha256 {
        return Ok(Err(format!(
            "the hash is not that of the entries {first} to {}: export these and no others, then cut them",
            before - 1
        )));
    }
    let cut = AuditCut { first, end: before, sha256, time_ms: now_ms };
    match store.cut_audit(&cut) {
        // Another cut was made first.
        Err(StoreError::Content(error)) => Ok(Err(error.to_string())),
        done => done.map(|()| Ok(cut)),
    }
}

/// Reads the entries from this number on until `take` ends it.
fn each(
    store: &Store,
    mut from: u64,
    mut take: impl FnMut(u64, AuditEntry) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    loop {
        let entries = store.audit(from, READ_AT_ONCE)?;
        let Some((last, _)) = entries.last() else { return Ok(()) };
        from = last.saturating_add(1);
        for (number, entry) in entries {
            if !take(number, entry)? {
                return Ok(());
            }
        }
    }
}

/// The message that the entries before a number cannot be cut from a log with those from `begin` to
/// before `end`.
pub fn nothing_to_cut(before: u64, begin: u64, end: u64) -> String {
    if begin == end {
        return "the audit log has no entry that could be cut".to_owned();
    }
    format!(
        "there is nothing to cut before entry {before}: the audit log has the entries {begin} to {}; \
         allowed are {} to {end}",
        end - 1,
        begin + 1
    )
}

/// The message that an entry, and those after it, cannot be cut.
pub fn too_young(number: u64, time: Time) -> String {
    const DAYS: u64 = KEPT_MS / (24 * 60 * 60 * 1000);
    format!(
        "entry {number} is of {time}: entries of the last {DAYS} days cannot be cut, for limits count \
         them and their requests may be open; cut before entry {number} at most"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

    use roastery_store::{Passphrase, PassphraseCost};

    use super::*;
    use crate::service::fixture::audit_entry;

    const NOW: u64 = 1_800_000_000_000;

    fn store(times: &[u64]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let words = Passphrase::new("a few words".to_owned());
        let cost = PassphraseCost::new(8, 1, 1).unwrap();
        let store = Store::create(folder.path().join("store"), &words, cost).unwrap();
        let entries: Vec<AuditEntry> = times.iter().map(|time| audit_entry(*time, "yes")).collect();
        store.append_audit(&entries).unwrap();
        (folder, store)
    }

    fn line(number: u64, entry: &AuditEntry) -> io::Result<String> {
        Ok(format!("{number} {}\n", entry.time_ms))
    }

    fn hash(store: &Store, end: u64) -> [u8; 32] {
        let mut lines = String::new();
        each(store, 0, |number, entry| {
            if number < end {
                lines.push_str(&line(number, &entry).map_err(StoreError::Io)?);
            }
            Ok(number < end)
        })
        .unwrap();
        sha256::Hash::hash(lines.as_bytes()).to_byte_array()
    }

    #[test]
    fn entries_are_cut_by_the_hash_of_their_lines_and_the_record_says_which() {
        let (_folder, store) = store(&[1, 2, 3, 4]);
        let three = hash(&store, 3);
        let refused =
            |before, sha256| cut(&store, before, (sha256, line), NOW).unwrap().unwrap_err();
        let other = refused(2, three);
        assert!(other.contains("the hash is not that of the entries 0 to 1"), "{other}");
        for before in [0, 5] {
            let none = refused(before, three);
            assert!(none.contains("the entries 0 to 3; allowed are 1 to 4"), "{none}");
        }
        let done = cut(&store, 3, (three, line), NOW).unwrap().unwrap();
        assert_eq!(done, AuditCut { first: 0, end: 3, sha256: three, time_ms: NOW });
        assert_eq!(store.audit(0, 9).unwrap(), [(3, audit_entry(4, "yes"))]);
        assert_eq!(store.audit_cuts().unwrap(), [done]);
    }

    #[test]
    fn what_the_limits_and_open_requests_need_cannot_be_cut() {
        let day = 24 * 60 * 60 * 1000;
        let old = NOW - 8 * day - 1;
        // The clock was set back between the second and the third.
        let (_folder, store) = store(&[old, old + 1, 5]);
        for before in [2, 3] {
            let refused =
                cut(&store, before, (hash(&store, before), line), NOW).unwrap().unwrap_err();
            assert!(refused.contains("entry 1 is of ") && refused.contains("8 days"), "{refused}");
        }
        cut(&store, 1, (hash(&store, 1), line), NOW).unwrap().unwrap();
        const { assert!(KEPT_MS >= 2 * LOOKS_BACK * 1000) }
    }
}
