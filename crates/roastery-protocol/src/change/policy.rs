use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use thiserror::Error;

use super::Plan;
use crate::group::{Group, Member, PeerId};

/// Who approves a plan at an old member. It is never a rule alone: a change can give the key to
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApprovedBy {
    /// A person.
    #[default]
    Person,
    /// A command of the operator's.
    Command,
}

/// Who accepts a plan at a new member. One that joins always accepts by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AcceptedBy {
    /// A person.
    #[default]
    Person,
    /// The node itself, if it stays and t approvals are there. That is not its person's word for
    /// erasing.
    Automatic,
}

/// A node's own rules for changes, `[policy.change]` of its configuration. The default allows every
/// plan that lowers neither the threshold nor the number of members that must sign at least.
/// Members are peers, however many seats each of them has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangePolicy {
    /// Who approves, as an old member.
    pub approval: ApprovedBy,
    /// Who accepts, as a new member.
    pub accept: AcceptedBy,
    /// The fewest new members.
    pub least_members: usize,
    /// The least n' - t': how many new seats may be away while the group signs.
    pub least_margin: usize,
    /// The most members of the parent that may leave; `None` allows any number.
    pub most_leaving: Option<usize>,
    /// The fewest whole days between two epochs.
    pub least_days_between: u32,
    /// Whether t' may be below t, and the fewest members that have t' seats together below those
    /// that have t.
    pub allow_lower_threshold: bool,
    /// The fewest members that have approved before this node deals. It needs the approvals of t
    /// seats in any case.
    pub least_approvals: usize,
}

/// The rule of this node that a plan breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyRefused {
    /// Too few new members.
    #[error("{members} members; this node's rules demand {least} (least_members)")]
    Members {
        /// How many there are.
        members: usize,
        /// The fewest allowed.
        least: usize,
    },
    /// Fewer can approve than this node waits for: it would never deal nor sign.
    #[error("{members} members can approve it; this node's rules demand {least} (least_approvals)")]
    Approvals {
        /// How many members of the parent have a seat that is not excluded.
        members: usize,
        /// The fewest that must have approved.
        least: usize,
    },
    /// Too few may be away.
    #[error("{margin} seats may be away; this node's rules demand {least} (least_margin)")]
    Margin {
        /// n' - t'.
        margin: usize,
        /// The least allowed.
        least: usize,
    },
    /// Too many leave at once.
    #[error("{leaving} members leave; this node's rules allow {most} (most_leaving)")]
    Leaving {
        /// How many members of the parent are not among the new ones.
        leaving: usize,
        /// The most allowed.
        most: usize,
    },
    /// The epoch before is too young.
    #[error(
        "the last change was {days} days ago; this node's rules demand {least} (least_days_between)"
    )]
    TooSoon {
        /// The age of the parent's epoch, in whole days.
        days: u64,
        /// The least allowed.
        least: u32,
    },
    /// The threshold is lower.
    #[error("the threshold falls from {old} to {new} (allow_lower_threshold)")]
    LowerThreshold {
        /// t.
        old: usize,
        /// t'.
        new: usize,
    },
    /// Fewer members can sign without the others.
    #[error(
        "{new} members have enough seats together to sign after it, and {old} before it \
         (allow_lower_threshold)"
    )]
    FewerSigners {
        /// The fewest members that have t seats together.
        old: usize,
        /// The fewest new ones that have t'.
        new: usize,
    },
}

impl ChangePolicy {
    /// Whether the rules allow a plan of this parent, whose epoch has this age.
    ///
    /// # Errors
    ///
    /// [`PolicyRefused`] names the first rule that the plan breaks.
    pub fn judge(&self, plan: &Plan, parent: &Group, age: Duration) -> Result<(), PolicyRefused> {
        let (members, least) = (peers_of(plan.members().iter()).len(), self.least_members);
        if members < least {
            return Err(PolicyRefused::Members { members, least });
        }
        let approve = parent.seats().zip(parent.members());
        let approve = approve.filter(|(seat, _)| !plan.excluded().contains(seat));
        let approve = peers_of(approve.map(|(_, member)| member)).len();
        if approve < self.least_approvals {
            let (members, least) = (approve, self.least_approvals);
            return Err(PolicyRefused::Approvals { members, least });
        }
        let (margin, least) = (plan.size() - plan.threshold(), self.least_margin);
        if margin < least {
            return Err(PolicyRefused::Margin { margin, least });
        }
        let leaves = |old: &&Member| plan.successor(old, parent).is_none();
        let leaving = peers_of(parent.members().iter().filter(leaves)).len();
        if let Some(most) = self.most_leaving.filter(|most| leaving > *most) {
            return Err(PolicyRefused::Leaving { leaving, most });
        }
        let (days, least) = (age.as_secs() / (24 * 3600), self.least_days_between);
        if days < least.into() {
            return Err(PolicyRefused::TooSoon { days, least });
        }
        let (old, new) = (parent.threshold(), plan.threshold());
        if new < old && !self.allow_lower_threshold {
            return Err(PolicyRefused::LowerThreshold { old, new });
        }
        let (old, new) = (fewest(parent.members(), old), fewest(plan.members(), new));
        if new < old && !self.allow_lower_threshold {
            return Err(PolicyRefused::FewerSigners { old, new });
        }
        Ok(())
    }

    /// At least so many approvals of seats this node needs before it deals. Whether enough members
    /// have approved is the roll's.
    pub fn approvals(&self, parent: &Group) -> usize {
        self.least_approvals.max(parent.threshold())
    }

    /// Whether this node may accept by itself as a member that stays or joins, once so many
    /// approvals are there.
    pub fn accepts_by_itself(&self, stays: bool, approvals: usize, parent: &Group) -> bool {
        self.accept == AcceptedBy::Automatic && stays && approvals >= parent.threshold()
    }
}

/// The members that hold these seats.
fn peers_of<'a>(seats: impl Iterator<Item = &'a Member>) -> BTreeSet<&'a PeerId> {
    seats.map(|member| &member.peer).collect()
}

/// The fewest members that have so many seats together.
fn fewest(seats: &[Member], threshold: usize) -> usize {
    let mut each: BTreeMap<&PeerId, usize> = BTreeMap::new();
    seats.iter().for_each(|member| *each.entry(&member.peer).or_default() += 1);
    let mut counts: Vec<usize> = each.into_values().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let reached = counts.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    reached.take_while(|sum| *sum < threshold).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{change::test_plans::*, group::NamedMember};

    #[test]
    fn members_are_counted_by_peer_and_not_by_seat() {
        let group = group(3, 5);
        // Seat 4 becomes a second one of the first member: its own member leaves.
        let plan = plan(&group, &|terms| {
            let first = terms.members[0].clone();
            let member = at_peer_of(&first.member, 9, 1);
            terms.members[4] = NamedMember { name: first.name, member };
        });
        let lower = || ChangePolicy { allow_lower_threshold: true, ..ChangePolicy::default() };
        let judge = |policy: ChangePolicy| policy.judge(&plan, &group, YEAR);
        let refused = PolicyRefused::FewerSigners { old: 3, new: 2 };
        assert_eq!(judge(ChangePolicy::default()), Err(refused));
        assert_eq!(judge(lower()), Ok(()));
        assert_eq!(judge(ChangePolicy { least_members: 4, ..lower() }), Ok(()));
        let refused = PolicyRefused::Members { members: 4, least: 5 };
        assert_eq!(judge(ChangePolicy { least_members: 5, ..lower() }), Err(refused));
        assert_eq!(judge(ChangePolicy { most_leaving: Some(1), ..lower() }), Ok(()));
        let refused = PolicyRefused::Leaving { leaving: 1, most: 0 };
        assert_eq!(judge(ChangePolicy { most_leaving: Some(0), ..lower() }), Err(refused));
    }

    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

    #[test]
    fn a_rule_refuses_below_its_bound_and_not_at_it() {
        let group = group(3, 5);
        // 3-of-4: one leaves, one may be away.
        let plan = plan(&group, &|terms| {
            terms.members.pop();
        });
        let judge = |policy: ChangePolicy| policy.judge(&plan, &group, YEAR);
        let base = ChangePolicy::default;
        assert_eq!(judge(base()), Ok(()));
        assert_eq!(judge(ChangePolicy { least_members: 4, ..base() }), Ok(()));
        let refused = PolicyRefused::Members { members: 4, least: 5 };
        assert_eq!(judge(ChangePolicy { least_members: 5, ..base() }), Err(refused));
        assert_eq!(judge(ChangePolicy { least_margin: 1, ..base() }), Ok(()));
        let refused = PolicyRefused::Margin { margin: 1, least: 2 };
        assert_eq!(judge(ChangePolicy { least_margin: 2, ..base() }), Err(refused));
        assert_eq!(judge(ChangePolicy { most_leaving: Some(1), ..base() }), Ok(()));
        let refused = PolicyRefused::Leaving { leaving: 1, most: 0 };
        assert_eq!(judge(ChangePolicy { most_leaving: Some(0), ..base() }), Err(refused));
        assert_eq!(judge(ChangePolicy { least_days_between: 365, ..base() }), Ok(()));
        let refused = PolicyRefused::TooSoon { days: 365, least: 366 };
        assert_eq!(judge(ChangePolicy { least_days_between: 366, ..base() }), Err(refused));
    }

    #[test]
    fn a_plan_that_too_few_can_approve_for_the_rules_is_refused_before_any_approval() {
        let group = group(3, 5);
        let plan = plan(&group, &|terms| {
            terms.members.remove(4);
            terms.excluded = vec![Seat::new(4).unwrap()];
        });
        let judge = |least_approvals| {
            let policy = ChangePolicy { least_approvals, ..ChangePolicy::default() };
            policy.judge(&plan, &group, YEAR)
        };
        assert_eq!(judge(4), Ok(()));
        assert_eq!(judge(5), Err(PolicyRefused::Approvals { members: 4, least: 5 }));
    }

    #[test]
    fn a_lower_threshold_is_refused_unless_the_rules_allow_it() {
        let group = group(3, 5);
        let plan = plan(&group, &|terms| terms.threshold = 2);
        let refused = PolicyRefused::LowerThreshold { old: 3, new: 2 };
        assert_eq!(ChangePolicy::default().judge(&plan, &group, YEAR), Err(refused));
        let policy = ChangePolicy { allow_lower_threshold: true, ..ChangePolicy::default() };
        assert_eq!(policy.judge(&plan, &group, YEAR), Ok(()));
    }

    #[test]
    fn no_fewer_approvals_than_must_sign_are_enough() {
        let group = group(3, 5);
        let with = |least_approvals| ChangePolicy { least_approvals, ..ChangePolicy::default() };
        assert_eq!([0, 3, 4].map(|least| with(least).approvals(&group)), [3, 3, 4]);
    }

    #[test]
    fn a_node_accepts_by_itself_only_where_it_stays_and_enough_have_approved() {
        let group = group(3, 5);
        let policy = ChangePolicy { accept: AcceptedBy::Automatic, ..ChangePolicy::default() };
        assert!(policy.accepts_by_itself(true, 3, &group));
        assert!(!policy.accepts_by_itself(true, 2, &group));
        assert!(!policy.accepts_by_itself(false, 3, &group));
        assert!(!ChangePolicy::default().accepts_by_itself(true, 3, &group));
    }
}
