//! A question is answered with *adopted* only when this node's share was read back after it came,
//! or shortly before.

use std::{collections::BTreeMap, mem, time::Duration};

use super::{Event, Output, Record, Rejected, Reply, Reported, Switch};
use crate::{
    change::{EpochOrder, Question},
    clock::Moment,
    group::PeerId,
};

/// How long what was read is not read again for another question: questions of many members are no
/// way to keep a disk busy.
pub const READ_EVERY: Duration = Duration::from_secs(1);

/// The reading of this node's share of the current epoch.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What is answered once the share is read, the last question of each peer.
    questions: BTreeMap<PeerId, Question>,
    pub(super) under_way: bool,
    /// When it was read, or could not be read.
    at: Option<Duration>,
}

impl Switch {
    /// Answers a question with how far this node is with the current epoch, once its share is read
    /// back.
    pub(super) fn answer(
        &mut self,
        from: &PeerId,
        question: Question,
        now: Moment,
    ) -> Result<(), Rejected> {
        let current = self.current();
        let now_is = now.monotonic;
        let is_recent = self.reading.at.is_some_and(|at| now_is.saturating_sub(at) < READ_EVERY);
        let reads = self.has_seat(current) && !self.lacking.contains(&current) && !is_recent;
        if !reads {
            return self.answer_with_receipts(from, Some(question), now);
        }
        if !self.is_adopted(current) {
            // What could not be read, or not be stored, is adopted now if that is possible.
            self.reading.at = Some(now_is);
            self.journal.try_again();
            return Err(Rejected::NoAnswer);
        }
        if !self.may_answer(from, Reply::Receipt(current, Some(question)), now) {
            return Err(Rejected::NoAnswer);
        }
        self.reading.questions.insert(from.clone(), question);
        if !mem::replace(&mut self.reading.under_way, true) {
            self.outbox.push_back(Output::Persist(Record::Adopted(current)));
        }
        Ok(())
    }

    /// This node's share of an epoch was read back, when it was adopted or again: those who have
    /// asked are answered.
    pub(super) fn was_read(&mut self, epoch: EpochOrder, now: Moment) {
        if epoch != self.current() {
            return;
        }
        let questions = mem::take(&mut self.reading).questions;
        self.reading.at = Some(now.monotonic);
        for (peer, question) in questions {
            self.send_receipts(&peer, Some(question));
        }
    }

    /// The answer of the store about the share of an epoch that was adopted before.
    pub(super) fn was_read_again(&mut self, epoch: EpochOrder, is_there: bool, now: Moment) {
        if is_there {
            self.was_read(epoch, now);
        } else {
            self.could_not_be_read(epoch);
            self.event(Event::NotKept(Record::Adopted(epoch)));
        }
    }

    /// The share of an epoch that was adopted cannot be read, or is not there: this node does not
    /// say any more that it has it, until it has adopted the epoch again. Then those who have asked
    /// are answered.
    pub(super) fn could_not_be_read(&mut self, epoch: EpochOrder) {
        self.journal.forget(|record| *record == Record::Adopted(epoch));
        self.said.remove(&Reported::Adopted(epoch));
    }
}
