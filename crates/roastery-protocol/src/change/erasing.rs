//! When a node may erase its shares of an epoch that another one supersedes.

use std::collections::BTreeSet;

use roastery_frost::Seat;
use thiserror::Error;

use super::{EpochOrder, Question, Receipts};

/// What this node's own person has done for an epoch. What a policy did by itself is none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonsWord {
    /// Approved its plan, as a member of the epoch before.
    Approved,
    /// Accepted its plan by hand.
    Accepted,
    /// Acknowledged the epoch after it was certified, by typing its fingerprint.
    Acknowledged,
}

/// Where this node's new share exists a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondCopy {
    /// In a backup that was made after the adoption.
    Backup,
    /// The host key of the epoch, which gives the share with the public certificate, was confirmed
    /// to be kept offline.
    HostKey,
    /// Nowhere; the person has said that one copy is enough.
    SingleCopy,
}

/// What a node knows when it is to erase what an epoch supersedes.
#[derive(Clone, Debug)]
pub struct Erasing<'a> {
    /// The epoch that supersedes.
    pub by: EpochOrder,
    /// The greatest certified epoch that this node knows.
    pub current: EpochOrder,
    /// The epoch whose shares are to be erased.
    pub superseded: EpochOrder,
    /// Whether this node has a seat in the epoch that supersedes. One that leaves has no share of
    /// it, and none is asked for.
    pub has_seat: bool,
    /// Whether the recovery files of the epoch and of all that lead to it are in this node's store
    /// and were read back from it. With one of them missing the epoch cannot be verified at the
    /// next start.
    pub certificate_read_back: bool,
    /// What the person of this node has done for the epoch.
    pub word: Option<PersonsWord>,
    /// Whether this node's share of the epoch was read back from its store.
    pub share_read_back: bool,
    /// Where that share exists a second time.
    pub second_copy: Option<SecondCopy>,
    /// What the new members say.
    pub receipts: &'a Receipts,
    /// The question that they must have answered, so that no receipt from before it counts. None
    /// shows what is missing before anything was asked; nothing is erased for that.
    pub question: Option<Question>,
    /// The new seats of this node itself.
    pub own: BTreeSet<Seat>,
    /// The new seats that the person has named as not to be waited for.
    pub without: BTreeSet<Seat>,
}

/// Why nothing is erased. All that is missing is in the list, so that a screen can show it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Missing {
    /// It does not supersede: it is not above the epoch whose shares are to be erased.
    #[error("the epoch is not above the one that is to be erased")]
    NotSuperseded,
    /// This node knows a greater certified epoch.
    #[error("a greater certified epoch is known; erase for that one")]
    NotCurrent,
    /// (a) The certificates of the epoch and of those that lead to it were not all read back from
    /// this node's store.
    #[error("the certificates that lead to the epoch were not all read back from the store")]
    Certificate,
    /// (b) No person has decided for this epoch at this node.
    #[error("no person has approved, accepted or acknowledged the epoch at this node")]
    PersonsWord,
    /// (c) The share was not read back from this node's store.
    #[error("the new share was not read back from the store")]
    Share,
    /// (c) The share exists once only.
    #[error("the new share exists once only: make a backup, or confirm the host key")]
    SecondCopy,
    /// (d) The person leaves out seats of this node itself.
    #[error("{} of the members that are not to be waited for are this node's own", .seats.len())]
    OwnSeats {
        /// The new seats.
        seats: BTreeSet<Seat>,
    },
    /// (d) The receipts are about another epoch.
    #[error("the receipts are about another epoch")]
    OtherReceipts,
    /// (d) These members have not said that they have adopted the epoch.
    #[error("{} of the members have not said that they have adopted the epoch", .seats.len())]
    Receipts {
        /// The new seats.
        seats: BTreeSet<Seat>,
    },
    /// (d) With the members that are left out fewer than must sign have adopted the epoch.
    #[error(
        "{holders} members have adopted the epoch; {threshold} must, whichever members are left out"
    )]
    TooFew {
        /// How many have.
        holders: usize,
        /// t', how many must sign.
        threshold: usize,
    },
}

impl Erasing<'_> {
    /// What stands against it; nothing, if the shares may be erased.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        let mut require = |holds: bool, what: Missing| {
            if !holds {
                missing.push(what);
            }
        };
        require(self.by > self.superseded, Missing::NotSuperseded);
        require(self.by >= self.current, Missing::NotCurrent);
        require(self.certificate_read_back, Missing::Certificate);
        require(self.word.is_some(), Missing::PersonsWord);
        require(!self.has_seat || self.share_read_back, Missing::Share);
        require(!self.has_seat || self.second_copy.is_some(), Missing::SecondCopy);
        require(self.receipts.epoch() == self.by, Missing::OtherReceipts);
        let seats = (0..self.receipts.members() as u32).filter_map(|id| Seat::new(id).ok());
        let (holders, others): (BTreeSet<Seat>, BTreeSet<Seat>) =
            seats.partition(|seat| self.receipts.holds(*seat, self.question));
        let own: BTreeSet<Seat> = self.own.intersection(&self.without).copied().collect();
        require(own.is_empty(), Missing::OwnSeats { seats: own });
        let seats: BTreeSet<Seat> = others.difference(&self.without).copied().collect();
        require(seats.is_empty(), Missing::Receipts { seats });
        let (holders, threshold) = (holders.len(), self.receipts.threshold());
        require(holders >= threshold, Missing::TooFew { holders, threshold });
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ChangeTranscriptHash,
        change::{Holding, Plan, Receipt, test_plans::*},
        member::Incarnation,
    };

    const HASH: ChangeTranscriptHash = ChangeTranscriptHash::from_bytes([5; 32]);

    fn question(number: u32) -> Question {
        Question { incarnation: Incarnation::after(None, 9, [0; 8]), number }
    }

    fn no_receipts(plan: &Plan) -> Receipts {
        Receipts::new(plan, HASH)
    }

    /// Receipts by seat, each the answer to a question.
    fn receipts(plan: &Plan, holdings: &[(u32, Holding, u32)]) -> Receipts {
        let mut receipts = no_receipts(plan);
        for (at, holding, number) in holdings {
            let incarnation = Incarnation::after(None, 1, [0; 8]);
            let (holding, answers) = (*holding, Some(question(*number)));
            let receipt = Receipt { transcript: HASH, incarnation, counter: 0, holding, answers };
            receipts.add(seat(*at), receipt);
        }
        receipts
    }

    /// A refresh of a 2-of-3, and another plan with a higher number.
    fn plans() -> (Plan, Plan) {
        let group = group(2, 3);
        (plan(&group, &|_| {}), plan(&group, &|terms| terms.number = 2))
    }

    fn all(plan: &Plan) -> Receipts {
        let erased = Holding::Erased { host_key: false };
        receipts(plan, &[(0, Holding::Adopted, 1), (1, Holding::Adopted, 1), (2, erased, 1)])
    }

    /// What is missing after a change of what is known where nothing is missing.
    fn missing(
        plan: &Plan,
        receipts: &Receipts,
        change: impl Fn(&mut Erasing<'_>),
    ) -> Vec<Missing> {
        let by = EpochOrder::of(plan, HASH);
        let mut erasing = Erasing {
            by,
            current: by,
            superseded: EpochOrder::GENERATED,
            has_seat: true,
            certificate_read_back: true,
            word: Some(PersonsWord::Accepted),
            share_read_back: true,
            second_copy: Some(SecondCopy::Backup),
            receipts,
            question: Some(question(1)),
            own: BTreeSet::from([seat(0)]),
            without: BTreeSet::new(),
        };
        change(&mut erasing);
        erasing.missing()
    }

    #[test]
    fn shares_are_erased_only_when_nothing_is_missing() {
        let (plan, _) = plans();
        let all = all(&plan);
        let lacks = |change: &dyn Fn(&mut Erasing<'_>)| missing(&plan, &all, change);
        assert_eq!(lacks(&|_| {}), []);
        assert_eq!(lacks(&|e| e.superseded = e.by), [Missing::NotSuperseded]);
        assert_eq!(lacks(&|e| e.certificate_read_back = false), [Missing::Certificate]);
        assert_eq!(lacks(&|e| e.word = None), [Missing::PersonsWord]);
        assert_eq!(lacks(&|e| e.share_read_back = false), [Missing::Share]);
        assert_eq!(lacks(&|e| e.second_copy = None), [Missing::SecondCopy]);
        let nothing = missing(&plan, &no_receipts(&plan), |e| {
            (e.word, e.second_copy) = (None, None);
        });
        assert_eq!(nothing.len(), 4);
    }

    #[test]
    fn a_member_that_leaves_has_no_new_share_to_show_and_needs_all_else() {
        let (plan, _) = plans();
        let leaves = |e: &mut Erasing<'_>| {
            (e.has_seat, e.share_read_back, e.second_copy) = (false, false, None);
        };
        assert_eq!(missing(&plan, &all(&plan), leaves), []);
        let nothing = missing(&plan, &no_receipts(&plan), |e| {
            leaves(e);
            (e.word, e.certificate_read_back) = (None, false);
        });
        assert_eq!(nothing.len(), 4);
    }

    #[test]
    fn receipts_of_another_epoch_erase_nothing_though_all_members_have_given_them() {
        // The same transcript hash under another plan.
        let (plan, other) = plans();
        assert_eq!(missing(&plan, &all(&other), |_| {}), [Missing::OtherReceipts]);
        let hash = ChangeTranscriptHash::from_bytes([6; 32]);
        let later = |e: &mut Erasing<'_>| {
            e.by = EpochOrder::of(&plan, hash);
            e.current = e.by;
        };
        assert_eq!(missing(&plan, &all(&plan), later), [Missing::OtherReceipts]);
    }

    #[test]
    fn nothing_is_erased_for_an_epoch_below_the_current_one() {
        let (plan, greater) = plans();
        let greater = EpochOrder::of(&greater, HASH);
        assert_eq!(missing(&plan, &all(&plan), |e| e.current = greater), [Missing::NotCurrent]);
    }

    #[test]
    fn every_member_must_have_said_since_it_was_asked_that_it_has_adopted_the_epoch() {
        let (plan, _) = plans();
        let lacks = |holdings: &[(u32, Holding, u32)], at: u32| {
            let seats = BTreeSet::from([seat(at)]);
            let receipts = receipts(&plan, holdings);
            assert_eq!(missing(&plan, &receipts, |_| {}), [Missing::Receipts { seats }]);
        };
        let adopted = Holding::Adopted;
        lacks(&[(0, adopted, 1), (2, adopted, 1)], 1);
        lacks(&[(0, adopted, 1), (1, Holding::Lacking, 1), (2, adopted, 1)], 1);
        // Said in answer to an earlier question.
        lacks(&[(0, adopted, 1), (1, adopted, 0), (2, adopted, 1)], 1);
    }

    #[test]
    fn a_person_may_leave_members_out_and_never_so_many_that_the_group_cannot_sign() {
        let (plan, _) = plans();
        let adopted = Holding::Adopted;
        let two = receipts(&plan, &[(0, adopted, 1), (2, adopted, 1)]);
        assert_eq!(missing(&plan, &two, |e| e.without = BTreeSet::from([seat(1)])), []);
        let one = receipts(&plan, &[(0, adopted, 1)]);
        let without = BTreeSet::from([seat(1), seat(2)]);
        let too_few = Missing::TooFew { holders: 1, threshold: 2 };
        assert_eq!(missing(&plan, &one, |e| e.without = without.clone()), [too_few]);
        // Its own seat is not one that is not to be waited for.
        let own = BTreeSet::from([seat(0)]);
        let refused = Missing::OwnSeats { seats: own.clone() };
        assert_eq!(missing(&plan, &all(&plan), |e| e.without = own.clone()), [refused]);
    }
}
