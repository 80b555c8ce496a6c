use std::collections::BTreeMap;

use thiserror::Error;

use super::{Parent, Plan};
use crate::{KeyId, PlanId};

/// How far above the highest number approved a plan's number may be.
pub const MAX_NUMBERS_AHEAD: u32 = 16;

/// The plan with the highest number that a node has approved, for each key and epoch.
///
/// A node deals only in the plan that this names, so that two plans of one epoch never get one
/// node's dealings at a time. Numbers count for the epoch's number alone, so that neither a newer
/// binding nor a fork of the lineage lets them begin again.
#[derive(Clone, Debug, Default)]
pub struct ApprovedNumbers(BTreeMap<(KeyId, u32), (u32, PlanId)>);

/// Why a plan's number is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NumberRefused {
    /// A plan with this number or a higher one was approved here.
    #[error("plan number {number}; number {highest} was approved here, take a higher one")]
    NotHigher {
        /// The plan's number.
        number: u32,
        /// The highest number approved here.
        highest: u32,
    },
    /// The number is so high that few would be left after it.
    #[error("plan number {number}; at most {most} is allowed now")]
    TooHigh {
        /// The plan's number.
        number: u32,
        /// The highest number allowed.
        most: u32,
    },
}

impl ApprovedNumbers {
    /// Approves a plan's number. The same plan may be approved again.
    ///
    /// # Errors
    ///
    /// [`NumberRefused`] states which numbers are allowed.
    pub fn approve(&mut self, plan: &Plan) -> Result<(), NumberRefused> {
        let number = plan.number();
        let known = self.0.get(&key(plan.parent())).copied();
        if known == Some((number, plan.id())) {
            return Ok(());
        }
        let highest = known.map(|(highest, _)| highest);
        if let Some(highest) = highest.filter(|highest| number <= *highest) {
            return Err(NumberRefused::NotHigher { number, highest });
        }
        let most = highest.unwrap_or(0).saturating_add(MAX_NUMBERS_AHEAD);
        if number > most {
            return Err(NumberRefused::TooHigh { number, most });
        }
        self.0.insert(key(plan.parent()), (number, plan.id()));
        Ok(())
    }

    /// Whether this plan is the one with the highest number that was approved here.
    pub fn is_highest(&self, plan: &Plan) -> bool {
        self.0.get(&key(plan.parent())) == Some(&(plan.number(), plan.id()))
    }

    /// Whether a node may deal in this plan, once it has approved it: none with as high a number
    /// was approved but this one.
    pub fn may_deal_in(&self, plan: &Plan) -> bool {
        let approved = self.0.get(&key(plan.parent()));
        approved.is_none_or(|(number, id)| *number < plan.number() || *id == plan.id())
    }
}

fn key(parent: &Parent) -> (KeyId, u32) {
    (parent.key, parent.epoch.number())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::{Terms, test_plans::*},
        group::Epoch,
    };

    #[test]
    fn a_later_plan_has_a_higher_number_and_is_then_the_only_one_that_is_dealt_in() {
        let group = group(2, 3);
        let numbered = |number| plan(&group, &move |terms| terms.number = number);
        let mut numbers = ApprovedNumbers::default();
        let (first, second) = (numbered(1), numbered(2));
        assert_eq!(numbers.approve(&first), Ok(()));
        assert_eq!(numbers.approve(&first), Ok(()));
        assert!(numbers.is_highest(&first));
        assert_eq!(numbers.approve(&second), Ok(()));
        assert!(numbers.is_highest(&second) && !numbers.is_highest(&first));
        assert!(numbers.may_deal_in(&second) && !numbers.may_deal_in(&first));
        assert!(numbers.may_deal_in(&numbered(3)), "once it is approved");
        let refused = NumberRefused::NotHigher { number: 1, highest: 2 };
        assert_eq!(numbers.approve(&first), Err(refused));
        // Another plan of the same number.
        let other = plan(&group, &|terms| (terms.number, terms.threshold) = (2, 3));
        let refused = NumberRefused::NotHigher { number: 2, highest: 2 };
        assert_eq!(numbers.approve(&other), Err(refused));
        assert!(!numbers.may_deal_in(&other));
    }

    #[test]
    fn numbers_go_on_under_a_newer_binding_of_a_member_and_in_another_epoch_of_the_same_number() {
        let group = group(2, 3);
        let (host, mut member) = (host(0, 0), card(0, 0));
        member.sequence = 1;
        member.binding = host.bind(&member.identity_key, &member.peer, 1);
        let newer = group.rebind(member).unwrap();
        assert_ne!(newer.id(), group.id());
        let mut numbers = ApprovedNumbers::default();
        assert_eq!(numbers.approve(&plan(&group, &|terms| terms.number = 2)), Ok(()));
        let (lower, higher) = (plan(&newer, &|_| {}), plan(&newer, &|terms| terms.number = 3));
        let refused = NumberRefused::NotHigher { number: 1, highest: 2 };
        assert_eq!(numbers.approve(&lower), Err(refused));
        assert!(!numbers.may_deal_in(&lower) && numbers.may_deal_in(&higher));
        // Two certified plans of one parent: two epochs of one number.
        let in_epoch_of = |byte: u8, number: u32| {
            let epoch = Epoch::new(1, PlanId::from_bytes([byte; 32])).unwrap();
            let parent = Parent { epoch, ..Parent::of(&group) };
            Plan::new(parent, Terms { number, ..terms(&group) }).unwrap()
        };
        assert_eq!(numbers.approve(&in_epoch_of(1, 2)), Ok(()));
        assert_eq!(numbers.approve(&in_epoch_of(2, 1)), Err(refused));
        assert_eq!(numbers.approve(&in_epoch_of(2, 3)), Ok(()));
    }

    #[test]
    fn a_number_far_above_the_last_is_refused_so_that_numbers_do_not_end() {
        let group = group(2, 3);
        let numbered = |number| plan(&group, &move |terms| terms.number = number);
        let mut numbers = ApprovedNumbers::default();
        for number in [17, u32::MAX] {
            let refused = NumberRefused::TooHigh { number, most: 16 };
            assert_eq!(numbers.approve(&numbered(number)), Err(refused));
        }
        assert_eq!(numbers.approve(&numbered(16)), Ok(()));
        assert_eq!(numbers.approve(&numbered(32)), Ok(()));
        assert!(numbers.approve(&numbered(49)).is_err());
    }
}
