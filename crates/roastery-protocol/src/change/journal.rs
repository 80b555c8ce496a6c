//! Records that must be kept before what depends on them leaves.

use std::collections::BTreeSet;

/// What is stored of a plan or of a key, what is being stored, and what could not be.
#[derive(Debug)]
pub(super) struct Journal<R> {
    kept: BTreeSet<R>,
    waiting: BTreeSet<R>,
    /// Tried again at the next timeout, so that a store that refuses is not asked without end.
    failed: BTreeSet<R>,
    /// Could not be kept once: it may be on the disk all the same.
    doubtful: BTreeSet<R>,
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

impl<R: Ord + Clone> Journal<R> {
    pub(super) fn stored(records: impl IntoIterator<Item = R>) -> Self {
        let none = BTreeSet::new;
        let kept = records.into_iter().collect();
        Self { kept, waiting: none(), failed: none(), doubtful: none() }
    }

    pub(super) fn require(&mut self, record: &R) -> Kept {
        if self.kept.contains(record) {
            Kept::Yes
        } else if !self.failed.contains(record) && self.waiting.insert(record.clone()) {
            Kept::Ask
        } else {
            Kept::NotYet
        }
    }

    /// These records are not true any more: what they say is to be done again.
    pub(super) fn forget(&mut self, are: impl Fn(&R) -> bool) {
        self.kept.retain(|record| !are(record));
    }

    /// The store's answer.
    pub(super) fn answer(&mut self, record: R, kept: bool) {
        self.waiting.remove(&record);
        if kept {
            self.kept.insert(record)
        } else {
            self.failed.insert(record)
        };
    }

    /// Whether it is stored.
    pub(super) fn has(&self, record: &R) -> bool {
        self.kept.contains(record)
    }

    /// All that is stored.
    pub(super) fn kept(&self) -> impl Iterator<Item = &R> {
        self.kept.iter()
    }

    /// All that may be on the disk, whether or not the store has said so.
    pub(super) fn records(&self) -> impl Iterator<Item = &R> {
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
    use crate::change::machine::Record;

    #[test]
    fn a_record_is_asked_for_once_and_again_only_after_it_failed_and_time_has_passed() {
        let mut journal = Journal::stored([]);
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
