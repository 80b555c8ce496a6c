//! What members tell each other of the switch to a new epoch, and how it is counted.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;

use super::{EpochOrder, Plan};
use crate::{ChangeTranscriptHash, member::Incarnation};

/// How far a new member is with an epoch.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Holding {
    /// The group and its share of it are in its store and were read back.
    Adopted,
    /// It knows the epoch and has no share of it: its store was restored from an older backup.
    Lacking,
    /// It has erased its shares of the epochs before.
    Erased {
        /// Whether it says that the host key of the epoch before is destroyed as well.
        host_key: bool,
    },
}

/// One asking of all members for their receipts. A receipt that names it was made after it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Question {
    /// The start of the node that asks.
    pub incarnation: Incarnation,
    /// Counts the questions of that start.
    pub number: u32,
}

/// A new member's statement of how far it is. No other member can verify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// The epoch that it is about, by the hash of its transcript.
    pub transcript: ChangeTranscriptHash,
    /// The start of the sender's node in which it counts.
    pub incarnation: Incarnation,
    /// Counts the receipts of that start. Of two the higher one counts.
    pub counter: u32,
    /// How far the sender is.
    pub holding: Holding,
    /// The question that it answers; none if the sender says it by itself.
    pub answers: Option<Question>,
}

/// The newest receipt of each new member for one epoch.
#[derive(Clone, Debug)]
pub struct Receipts {
    epoch: EpochOrder,
    members: usize,
    threshold: usize,
    newest: BTreeMap<Seat, Newest>,
}

#[derive(Clone, Copy, Debug)]
struct Newest {
    receipt: Receipt,
    /// The last question that this member has answered, if it has not said since that it lacks its
    /// share.
    answered: Option<Question>,
}

impl Receipts {
    /// No receipt yet for the epoch that this transcript of this plan makes.
    pub fn new(plan: &Plan, transcript: ChangeTranscriptHash) -> Self {
        let epoch = EpochOrder::of(plan, transcript);
        let (members, threshold) = (plan.size(), plan.threshold());
        Self { epoch, members, threshold, newest: BTreeMap::new() }
    }

    /// The epoch that they are about.
    pub fn epoch(&self) -> EpochOrder {
        self.epoch
    }

    /// n' of that epoch.
    pub fn members(&self) -> usize {
        self.members
    }

    /// t' of that epoch.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// Counts a receipt that came on the link of the member itself. One that another member passed
    /// on must not be counted: an old one could be shown again. Returns whether it changes
    /// anything.
    ///
    /// The newest one counts, by its numbers. *Lacking* counts whatever its numbers are: a store
    /// that was restored may count from before. It takes back what its sender has said, and only a
    /// number above all that were seen says anything else.
    pub fn add(&mut self, sender: Seat, receipt: Receipt) -> bool {
        if receipt.transcript != self.epoch.transcript() || sender.index() >= self.members {
            return false;
        }
        let number = |receipt: &Receipt| (receipt.incarnation, receipt.counter);
        let lacks = receipt.holding == Holding::Lacking;
        let known = self.newest.get_mut(&sender);
        let answered = known.as_ref().and_then(|known| known.answered);
        match known {
            Some(known) if number(&receipt) <= number(&known.receipt) => {
                let clears = lacks && known.receipt.holding != Holding::Lacking;
                if clears {
                    (known.receipt.holding, known.answered) = (Holding::Lacking, None);
                }
                clears
            }
            _ => {
                let answered = receipt.answers.or(answered).filter(|_| !lacks);
                self.newest.insert(sender, Newest { receipt, answered });
                true
            }
        }
    }

    /// How far this member is, as it says itself.
    pub fn get(&self, seat: Seat) -> Option<Holding> {
        self.newest.get(&seat).map(|newest| newest.receipt.holding)
    }

    /// Whether this member says that it holds its share, that is, that it has adopted the epoch,
    /// and maybe erased what was before; with a question, whether it has said so in answer to that.
    pub(crate) fn holds(&self, seat: Seat, question: Option<Question>) -> bool {
        self.newest.get(&seat).is_some_and(|newest| {
            newest.receipt.holding != Holding::Lacking
                && question.is_none_or(|question| newest.answered == Some(question))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::test_plans::*;

    const EPOCH: ChangeTranscriptHash = ChangeTranscriptHash::from_bytes([5; 32]);

    fn receipt(start: u64, counter: u32, holding: Holding) -> Receipt {
        let incarnation = Incarnation::after(None, start, [0; 8]);
        Receipt { transcript: EPOCH, incarnation, counter, holding, answers: None }
    }

    fn question(number: u32) -> Question {
        Question { incarnation: Incarnation::after(None, 9, [0; 8]), number }
    }

    fn none() -> Receipts {
        Receipts::new(&plan(&group(2, 3), &|_| {}), EPOCH)
    }

    #[test]
    fn the_newest_receipt_counts_whichever_came_last() {
        let mut receipts = none();
        let erased = Holding::Erased { host_key: false };
        assert!(receipts.add(seat(0), receipt(1, 5, Holding::Adopted)));
        assert!(!receipts.add(seat(0), receipt(1, 5, erased)));
        assert!(!receipts.add(seat(0), receipt(1, 4, erased)));
        assert_eq!(receipts.get(seat(0)), Some(Holding::Adopted));
        // Its store was restored: another start, which counts from 0.
        assert!(receipts.add(seat(0), receipt(2, 0, Holding::Lacking)));
        assert!(!receipts.add(seat(0), receipt(1, 6, Holding::Adopted)));
        assert_eq!(receipts.get(seat(0)), Some(Holding::Lacking));
        assert!(!receipts.holds(seat(0), None));
    }

    #[test]
    fn that_a_member_lacks_its_share_counts_whatever_the_number_and_an_older_number_undoes_nothing()
    {
        let mut receipts = none();
        assert!(receipts.add(seat(0), receipt(2, 5, Holding::Adopted)));
        // A restored store that counts from before.
        assert!(receipts.add(seat(0), receipt(1, 0, Holding::Lacking)));
        assert_eq!(receipts.get(seat(0)), Some(Holding::Lacking));
        assert!(!receipts.holds(seat(0), None));
        assert!(!receipts.add(seat(0), receipt(1, 1, Holding::Adopted)));
        assert!(!receipts.add(seat(0), receipt(2, 5, Holding::Adopted)));
        assert_eq!(receipts.get(seat(0)), Some(Holding::Lacking));
        assert!(receipts.add(seat(0), receipt(2, 6, Holding::Adopted)));
        assert!(receipts.holds(seat(0), None));
    }

    #[test]
    fn a_receipt_of_another_epoch_or_of_no_member_is_not_counted() {
        let other = ChangeTranscriptHash::from_bytes([6; 32]);
        let mut receipts = Receipts::new(&plan(&group(2, 3), &|_| {}), other);
        assert!(!receipts.add(seat(0), receipt(1, 0, Holding::Adopted)));
        assert_eq!(receipts.get(seat(0)), None);
        assert!(!none().add(seat(3), receipt(1, 0, Holding::Adopted)));
    }

    #[test]
    fn only_a_receipt_that_names_a_question_answers_it_until_its_sender_lacks_its_share() {
        let mut receipts = none();
        let answer = |counter, holding, number| {
            let answers = Some(question(number));
            Receipt { answers, ..receipt(1, counter, holding) }
        };
        let (first, second) = (Some(question(1)), Some(question(2)));
        assert!(receipts.add(seat(0), receipt(1, 0, Holding::Adopted)));
        assert!(receipts.holds(seat(0), None) && !receipts.holds(seat(0), first));
        assert!(receipts.add(seat(0), answer(1, Holding::Adopted, 1)));
        assert!(receipts.holds(seat(0), first) && !receipts.holds(seat(0), second));
        // What it says by itself takes the answer back only if it lacks its share.
        assert!(receipts.add(seat(0), receipt(1, 2, Holding::Erased { host_key: true })));
        assert!(receipts.holds(seat(0), first));
        assert!(receipts.add(seat(0), answer(0, Holding::Lacking, 1)));
        assert!(!receipts.holds(seat(0), first));
        assert!(receipts.add(seat(0), receipt(1, 3, Holding::Adopted)));
        assert!(receipts.holds(seat(0), None) && !receipts.holds(seat(0), first));
    }
}
