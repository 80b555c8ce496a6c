use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roastery_frost::{Seat, Signature, XOnlyPublicKey};
use thiserror::Error;

use super::{
    Party, Plan,
    message::{RollApproval, RollList, approval_digest},
};
use crate::{group::Group, keys::acceptance_digest};

/// The acceptances of all new members and the approvals that a node demands: the proof that dealing
/// may begin. Every signature in it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll(RollList);

impl Roll {
    /// What a message carries of it.
    pub fn list(&self) -> &RollList {
        &self.0
    }
}

/// Why an acceptance, an approval or a roll does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RollError {
    /// There is no such seat.
    #[error("seat {seat} is not among {members} seats")]
    NoSuchSeat {
        /// The seat.
        seat: Seat,
        /// The number of seats on its side.
        members: usize,
    },
    /// The plan excludes the old seat.
    #[error("old seat {seat} is excluded by the plan")]
    Excluded {
        /// The old seat.
        seat: Seat,
    },
    /// The signature is not that of the new member's host key.
    #[error("the acceptance is not signed by the host key of new seat {seat}")]
    Acceptance {
        /// The new seat.
        seat: Seat,
    },
    /// The signature is not that of the old member's identity key.
    #[error("the approval is not signed by the identity key of old seat {seat}")]
    Approval {
        /// The old seat.
        seat: Seat,
    },
    /// A roll of another number of new members.
    #[error("a roll of {listed} acceptances; the plan has {members} members")]
    Count {
        /// How many acceptances it lists.
        listed: usize,
        /// n'.
        members: usize,
    },
}

/// Counts who has approved and who has accepted a plan.
#[derive(Clone, Debug)]
pub struct RollCall {
    plan: Plan,
    parent: Arc<Group>,
    acceptances: BTreeMap<Seat, Signature>,
    approvals: BTreeMap<Seat, Signature>,
    withdrawn: BTreeSet<Seat>,
}

impl RollCall {
    /// Of this plan, whose parent this group is.
    pub fn new(plan: Plan, parent: Arc<Group>) -> Self {
        let (acceptances, approvals) = (BTreeMap::new(), BTreeMap::new());
        Self { plan, parent, acceptances, approvals, withdrawn: BTreeSet::new() }
    }

    /// Counts a new member's acceptance. Returns whether it is the first of that member.
    ///
    /// # Errors
    ///
    /// [`RollError`] if it is none.
    pub fn accept(&mut self, seat: Seat, signature: Signature) -> Result<bool, RollError> {
        let members = self.plan.size();
        let member = self.plan.member(seat).ok_or(RollError::NoSuchSeat { seat, members })?;
        if self.acceptances.contains_key(&seat) {
            return Ok(false);
        }
        let digest = acceptance_digest(self.plan.id(), seat);
        if !signature.verify(&XOnlyPublicKey::from(member.host_key), &digest) {
            return Err(RollError::Acceptance { seat });
        }
        Ok(self.acceptances.insert(seat, signature).is_none())
    }

    /// Counts an old member's approval: the signature of its envelope. Returns whether it is the
    /// first of that member and was not withdrawn.
    ///
    /// # Errors
    ///
    /// [`RollError`] if it is none.
    pub fn approve(&mut self, seat: Seat, signature: Signature) -> Result<bool, RollError> {
        let members = self.parent.size();
        let member = self.parent.member(seat).ok_or(RollError::NoSuchSeat { seat, members })?;
        if self.plan.excluded().contains(&seat) {
            return Err(RollError::Excluded { seat });
        }
        if self.approvals.contains_key(&seat) || self.withdrawn.contains(&seat) {
            return Ok(false);
        }
        let digest = approval_digest(self.plan.id(), seat);
        if !signature.verify(&member.identity_key, &digest) {
            return Err(RollError::Approval { seat });
        }
        Ok(self.approvals.insert(seat, signature).is_none())
    }

    /// Takes the approval of an old member out, whichever of the two came first. It is final for
    /// this plan, so that an old approval that is shown again counts no more. Returns whether it is
    /// new.
    pub fn withdraw(&mut self, seat: Seat) -> bool {
        self.approvals.remove(&seat);
        self.parent.member(seat).is_some() && self.withdrawn.insert(seat)
    }

    /// Counts all that a roll lists but for what it says of `own`, the seats of the node itself,
    /// which knows its own decisions. Returns whether anything of it is new.
    ///
    /// # Errors
    ///
    /// [`RollError`] of the first entry that is none; those before it are counted.
    pub fn read(&mut self, list: &RollList, own: &[Party]) -> Result<bool, RollError> {
        let (listed, members) = (list.acceptances.len(), self.plan.size());
        if listed != members {
            return Err(RollError::Count { listed, members });
        }
        let mut new = false;
        for (seat, signature) in self.plan.seats().zip(&list.acceptances) {
            if !own.contains(&Party::new(seat)) {
                new |= self.accept(seat, *signature)?;
            }
        }
        let others = |approval: &&RollApproval| !own.contains(&Party::old(approval.seat));
        for approval in list.approvals.iter().filter(others) {
            new |= self.approve(approval.seat, approval.signature)?;
        }
        Ok(new)
    }

    /// How many old members approve.
    pub fn approvals(&self) -> usize {
        self.approvals.len()
    }

    /// Whether this old member approves.
    pub fn has_approved(&self, seat: Seat) -> bool {
        self.approvals.contains_key(&seat)
    }

    /// Whether this new member has accepted.
    pub fn has_accepted(&self, seat: Seat) -> bool {
        self.acceptances.contains_key(&seat)
    }

    /// The new members that have not accepted, in order.
    pub fn missing(&self) -> impl Iterator<Item = Seat> + '_ {
        self.plan.seats().filter(|seat| !self.has_accepted(*seat))
    }

    /// The roll, once all new members have accepted and at least t old seats have approved, which
    /// `members` peers hold at the least.
    pub fn roll(&self, members: usize) -> Option<Roll> {
        let approving = self.approvals.keys().filter_map(|seat| self.parent.member(*seat));
        let approving: BTreeSet<_> = approving.map(|member| &member.peer).collect();
        let is_enough =
            self.approvals.len() >= self.parent.threshold() && approving.len() >= members;
        if self.missing().next().is_some() || !is_enough {
            return None;
        }
        let approval = |(seat, signature): (&Seat, &Signature)| RollApproval {
            seat: *seat,
            signature: *signature,
        };
        Some(Roll(RollList {
            acceptances: self.acceptances.values().copied().collect(),
            approvals: self.approvals.iter().map(approval).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{
        message::{Body, Envelope},
        test_plans::*,
    };

    fn approval(plan: &Plan, at: u8) -> Signature {
        let sender = Party::old(seat(at.into()));
        let envelope = Envelope::seal(plan.id(), sender, &Body::Approval, &identity(at));
        Signature::from_bytes(&envelope.signature())
    }

    fn acceptance(plan: &Plan, at: u8) -> Signature {
        host(at, 1).accept(plan.id(), seat(at.into()))
    }

    /// 2-of-3 in which all have accepted and so many have approved.
    fn called(approved: u8) -> (RollCall, Plan) {
        let group = Arc::new(group(2, 3));
        let plan = plan(&group, &|_| {});
        let mut call = RollCall::new(plan.clone(), group);
        (0..3).for_each(|at| {
            assert_eq!(call.accept(seat(at.into()), acceptance(&plan, at)), Ok(true))
        });
        for at in 0..approved {
            assert_eq!(call.approve(seat(at.into()), approval(&plan, at)), Ok(true));
        }
        (call, plan)
    }

    #[test]
    fn a_roll_has_all_acceptances_and_as_many_approvals_as_must_sign() {
        assert!(called(1).0.roll(0).is_none());
        let (call, plan) = called(2);
        let roll = call.roll(0).unwrap();
        assert!(call.roll(3).is_none());
        // Another node counts the same from the list.
        let mut other = RollCall::new(plan, call.parent.clone());
        assert_eq!(other.read(roll.list(), &[]), Ok(true));
        assert_eq!(other.roll(0), Some(roll.clone()));
        assert_eq!(other.read(roll.list(), &[]), Ok(false));
        let mut incomplete = roll.list().clone();
        incomplete.acceptances.pop();
        assert_eq!(other.read(&incomplete, &[]), Err(RollError::Count { listed: 2, members: 3 }));
    }

    #[test]
    fn what_a_roll_says_of_the_nodes_own_seats_does_not_count() {
        let (call, plan) = called(2);
        let roll = call.roll(0).unwrap();
        let own = [Party::old(seat(1)), Party::new(seat(2))];
        let mut other = RollCall::new(plan, call.parent.clone());
        assert_eq!(other.read(roll.list(), &own), Ok(true));
        assert!(other.has_approved(seat(0)) && !other.has_approved(seat(1)));
        assert_eq!(other.missing().collect::<Vec<_>>(), [seat(2)]);
    }

    #[test]
    fn a_roll_lacks_no_member() {
        let (call, plan) = called(3);
        let mut without = RollCall::new(plan.clone(), call.parent.clone());
        for at in 0..2 {
            without.accept(seat(at.into()), acceptance(&plan, at)).unwrap();
            without.approve(seat(at.into()), approval(&plan, at)).unwrap();
        }
        assert!(without.roll(0).is_none());
        assert_eq!(without.missing().collect::<Vec<_>>(), [seat(2)]);
    }

    #[test]
    fn a_withdrawn_approval_counts_no_more_also_when_it_is_shown_again() {
        let (mut call, plan) = called(2);
        assert!(call.withdraw(seat(1)));
        assert!(!call.withdraw(seat(1)));
        assert!(call.roll(0).is_none());
        assert_eq!(call.approve(seat(1), approval(&plan, 1)), Ok(false));
        assert!(call.roll(0).is_none() && !call.has_approved(seat(1)));
        assert!(!call.withdraw(seat(3)));
    }

    #[test]
    fn an_approval_or_acceptance_of_another_plan_or_member_does_not_count() {
        let (call, own) = called(0);
        let mut call = RollCall::new(own.clone(), call.parent);
        let other = plan(&call.parent, &|terms| terms.number = 2);
        let refused = Err(RollError::Acceptance { seat: seat(0) });
        assert_eq!(call.accept(seat(0), acceptance(&other, 0)), refused);
        assert_eq!(call.accept(seat(0), acceptance(&own, 1)), refused);
        // Of the old host key, with which its holder accepts nothing.
        assert_eq!(call.accept(seat(0), host(0, 0).accept(own.id(), seat(0))), refused);
        let refused = Err(RollError::Approval { seat: seat(0) });
        assert_eq!(call.approve(seat(0), approval(&other, 0)), refused);
        assert_eq!(call.approve(seat(0), approval(&own, 1)), refused);
        let none = Err(RollError::NoSuchSeat { seat: seat(3), members: 3 });
        assert_eq!(call.approve(seat(3), approval(&own, 3)), none);
        assert_eq!(call.accept(seat(3), acceptance(&own, 3)), none);
    }

    #[test]
    fn an_excluded_member_approves_nothing() {
        let group = Arc::new(group(2, 3));
        let plan = plan(&group, &|terms| {
            terms.excluded = vec![seat(2)];
            terms.members[2] = joiner(9);
        });
        let mut call = RollCall::new(plan.clone(), group);
        let refused = Err(RollError::Excluded { seat: seat(2) });
        assert_eq!(call.approve(seat(2), approval(&plan, 2)), refused);
    }
}
