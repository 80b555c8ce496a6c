//! Records that must be kept before what depends on them leaves.

use std::collections::BTreeSet;

use super::Record;

/// What is stored of a plan, what is being stored, and what could not be.
#[derive(Debug, Default)]
pub(super) struct Journal {
    kept: BTreeSet<Record>,
    waiting: BTreeSet<Record>,
    /// Tried again at the next timeout, so that a store that refuses is not asked without end.
    failed: BTreeSet<Record>,
    /// Could not be kept once: it may be on the disk all the same.
    doubtful: BTreeSet<Record>,
}

/// How far a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is stored.
    Yes,
    /// The caller must store it now.
    Ask,
    /// It is being stored, or could not be.
    NotYet,
}

impl Journal {
    pub(super) fn stored(records: impl IntoIterator<Item = Record>) -> Self {
        Self { kept: records.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn require(&mut self, record: &Record) -> Kept {
        if self.kept.contains(record) {
            Kept::Yes
        } else if !self.failed.contains(record) && self.waiting.insert(record.clone()) {
            Kept::Ask
        } else {
            Kept::NotYet
        }
    }

    /// The store's answer.
    pub(super) fn answer(&mut self, record: Record, kept: bool) {
        self.waiting.remove(&record);
        if kept {
            self.kept.insert(record)
        } else {
            self.failed.insert(record)
        };
    }

    /// Whether it is stored.
    pub(super) fn has(&self, record: &Record) -> bool {
        self.kept.contains(record)
    }

    /// All that may be on the disk, whether or not the store has said so.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.kept.iter().chain(&self.waiting).chain(&self.failed).chain(&self.doubtful)
    }

    /// What could not be kept is asked for again when it is needed.
    pub(super) fn try_again(&mut self) {
        self.doubtful.append(&mut self.failed);
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_asked_for_once_and_again_only_after_it_failed_and_time_has_passed() {
        let mut journal = Journal::default();
        let record = Record::Approved;
        assert_eq!(journal.require(&record), Kept::Ask);
        assert_eq!(journal.require(&record), Kept::NotYet);
        journal.answer(record.clone(), false);
        assert_eq!(journal.require(&record), Kept::NotYet);
        // It may be on the disk although the store says it is not.
        assert!(!journal.has(&record) && journal.records().any(|known| *known == record));
        journal.try_again();
        assert!(journal.records().any(|known| *known == record));
        assert_eq!(journal.require(&record), Kept::Ask);
        journal.answer(record.clone(), true);
        assert_eq!(journal.require(&record), Kept::Yes);
    }
}
