//! What a node checks of a plan against what it knows: the parent, the keys that were used, the
//! clock.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use roastery_frost::{Seat, XOnlyPublicKey};
use thiserror::Error;

use super::{Parent, Plan};
use crate::{
    KeyId, PlanId,
    clock::Moment,
    group::{Epoch, Group},
};

/// The longest life of a plan: a week.
pub const MAX_PLAN_SECONDS: u64 = 7 * 24 * 3600;

/// What a host key was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedBy {
    /// A group of the lineage, by the number of its epoch.
    Epoch(u32),
    /// A plan, whether or not it has come to anything.
    Plan(PlanId),
}

/// The host keys of the lineage and of all plans that a node knows.
///
/// A host key serves one group or one plan: recovery files and certificates are public, so that the
/// host key of an epoch gives its holder the seat's share of it.
#[derive(Clone, Debug, Default)]
pub struct UsedHostKeys(BTreeMap<[u8; 32], UsedBy>);

impl UsedHostKeys {
    /// Records the host keys of a group of the lineage.
    pub fn add_group(&mut self, group: &Group) {
        for member in group.members() {
            let key = XOnlyPublicKey::from(member.host_key).to_bytes();
            self.0.insert(key, UsedBy::Epoch(group.epoch().number()));
        }
    }

    /// Records the host keys of a plan. The first use of a key stays.
    pub fn add_plan(&mut self, plan: &Plan) {
        for member in plan.members() {
            let key = XOnlyPublicKey::from(member.host_key).to_bytes();
            if let Entry::Vacant(entry) = self.0.entry(key) {
                entry.insert(UsedBy::Plan(plan.id()));
            }
        }
    }

    /// What this key was made for, as far as this node knows. Keys are compared as x-only keys.
    pub fn get(&self, key: impl Into<XOnlyPublicKey>) -> Option<UsedBy> {
        self.0.get(&key.into().to_bytes()).copied()
    }
}

/// Why a node takes no part in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanRefused {
    /// It changes another key.
    #[error("the plan changes key {planned:#}; this is key {current:#}")]
    OtherKey {
        /// The key that it names.
        planned: KeyId,
        /// The key of this node's group.
        current: KeyId,
    },
    /// It changes another epoch than the one that the node is in.
    #[error(
        "the plan changes epoch {planned}; this node is in epoch {current}, or in another one of that number"
    )]
    OtherEpoch {
        /// The epoch that it names.
        planned: Epoch,
        /// The epoch that this node is in.
        current: Epoch,
    },
    /// It has expired.
    #[error("the plan expired at {expiry}; it is {now} (seconds since 1970)")]
    Expired {
        /// The plan's expiry, in seconds since 1970.
        expiry: u64,
        /// The wall clock, in seconds since 1970.
        now: u64,
    },
    /// It lives longer than a plan may.
    #[error("the plan expires in {seconds} seconds; at most {MAX_PLAN_SECONDS} are allowed")]
    TooLong {
        /// The remaining life, in seconds.
        seconds: u64,
    },
    /// A key on a card was a host key before.
    #[error("a key of new seat {seat} was made for another group or plan")]
    UsedHostKey {
        /// The new seat.
        seat: Seat,
        /// What the key was made for.
        by: UsedBy,
    },
    /// It excludes a seat that the parent does not have.
    #[error("the plan excludes old seat {seat}; the group has {members}")]
    NoSuchSeat {
        /// The old seat.
        seat: Seat,
        /// n, the number of old seats.
        members: usize,
    },
    /// A member that it excludes stands among the new members.
    #[error("old seat {old} is excluded, and its identity key or peer is that of new seat {new}")]
    ExcludedMember {
        /// The excluded old seat.
        old: Seat,
        /// The new seat.
        new: Seat,
    },
    /// Too few old seats are left to deal.
    #[error("{dealers} old seats may deal; the threshold is {threshold}")]
    Dealers {
        /// How many old seats are not excluded.
        dealers: usize,
        /// t, the threshold of the old group.
        threshold: usize,
    },
}

impl Plan {
    /// Whether a node whose current epoch is `parent` may take part. The expiry is read against the
    /// wall clock once, here; the result is the deadline on the monotonic clock.
    ///
    /// # Errors
    ///
    /// [`PlanRefused`] names the rule that the plan breaks at this node.
    pub fn check(
        &self,
        parent: &Group,
        used: &UsedHostKeys,
        now: Moment,
    ) -> Result<Duration, PlanRefused> {
        let (planned, current) = (*self.parent(), Parent::of(parent));
        if planned != current {
            let (planned_key, current_key) = (planned.key, current.key);
            if planned_key != current_key {
                return Err(PlanRefused::OtherKey { planned: planned_key, current: current_key });
            }
            let (planned, current) = (planned.epoch, current.epoch);
            return Err(PlanRefused::OtherEpoch { planned, current });
        }
        let (expiry, seconds_now) = (self.expiry(), now.wall_seconds());
        match expiry.checked_sub(seconds_now) {
            None | Some(0) => return Err(PlanRefused::Expired { expiry, now: seconds_now }),
            Some(seconds) if seconds > MAX_PLAN_SECONDS => {
                return Err(PlanRefused::TooLong { seconds });
            }
            Some(_) => {}
        }
        self.check_excluded(parent)?;
        self.check_fresh(parent, used)?;
        Ok(self.deadline(now))
    }

    /// When a plan ends that was [checked](Plan::check) when it was kept, on the monotonic clock:
    /// at once if it has expired, and in a week at the latest. Where more than that seems to
    /// remain, the wall clock is slow, and the plan is not over for that.
    pub fn deadline(&self, now: Moment) -> Duration {
        let remaining = Duration::from_secs(self.expiry()).saturating_sub(now.wall);
        now.monotonic.saturating_add(remaining.min(Duration::from_secs(MAX_PLAN_SECONDS)))
    }

    fn check_excluded(&self, parent: &Group) -> Result<(), PlanRefused> {
        let members = parent.size();
        for &old in self.excluded() {
            let excluded = parent.member(old);
            let excluded = excluded.ok_or(PlanRefused::NoSuchSeat { seat: old, members })?;
            let comes_back = |new: &Seat| {
                self.member(*new).is_some_and(|member| {
                    member.identity_key == excluded.identity_key || member.peer == excluded.peer
                })
            };
            if let Some(new) = self.seats().find(comes_back) {
                return Err(PlanRefused::ExcludedMember { old, new });
            }
        }
        let (dealers, threshold) = (members - self.excluded().len(), parent.threshold());
        if dealers < threshold {
            return Err(PlanRefused::Dealers { dealers, threshold });
        }
        Ok(())
    }

    fn check_fresh(&self, parent: &Group, used: &UsedHostKeys) -> Result<(), PlanRefused> {
        let mut used = used.clone();
        used.add_group(parent);
        for (seat, member) in self.seats().zip(self.members()) {
            let host = used.get(member.host_key).filter(|by| *by != UsedBy::Plan(self.id()));
            // An identity key stays for many epochs, but was never a host key.
            if let Some(by) = host.or_else(|| used.get(member.identity_key)) {
                return Err(PlanRefused::UsedHostKey { seat, by });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::test_plans::*;

    fn refusal(plan: &Plan, group: &Group) -> PlanRefused {
        plan.check(group, &UsedHostKeys::default(), NOW).unwrap_err()
    }

    #[test]
    fn a_plan_of_the_current_epoch_is_good_until_its_expiry() {
        let group = group(2, 3);
        let plan = plan(&group, &|_| {});
        let deadline = plan.check(&group, &UsedHostKeys::default(), NOW).unwrap();
        assert_eq!(deadline, NOW.monotonic + Duration::from_secs(3600));
    }

    #[test]
    fn a_plan_of_another_key_or_epoch_is_refused() {
        let (group, other) = (group(2, 3), super::super::test_plans::group(2, 3));
        let plan = plan(&other, &|_| {});
        assert!(matches!(refusal(&plan, &group), PlanRefused::OtherKey { .. }));
        let epoch = Epoch::new(1, PlanId::from_bytes([1; 32])).unwrap();
        let parent = Parent { epoch, ..Parent::of(&group) };
        let plan = Plan::new(parent, terms(&group)).unwrap();
        assert!(matches!(refusal(&plan, &group), PlanRefused::OtherEpoch { .. }));
    }

    #[test]
    fn a_plan_lives_for_a_week_at_most() {
        let group = group(2, 3);
        let now = NOW.wall_seconds();
        for (expiry, good) in [
            (0, false),
            (now, false),
            (now + 1, true),
            (now + MAX_PLAN_SECONDS, true),
            (now + MAX_PLAN_SECONDS + 1, false),
            (u64::MAX, false),
        ] {
            let plan = plan(&group, &|terms| terms.expiry = expiry);
            let checked = plan.check(&group, &UsedHostKeys::default(), NOW);
            assert_eq!(checked.is_ok(), good, "{expiry}: {checked:?}");
        }
    }

    #[test]
    fn a_kept_plan_ends_at_its_expiry_and_a_slow_clock_ends_it_in_a_week() {
        let group = group(2, 3);
        let plan = plan(&group, &|_| {});
        let (hour, week) = (Duration::from_secs(3600), Duration::from_secs(MAX_PLAN_SECONDS));
        let in_time = |wall| plan.deadline(Moment { wall, ..NOW }) - NOW.monotonic;
        assert_eq!(in_time(NOW.wall), hour);
        assert_eq!(in_time(NOW.wall - week), week);
        for late in [NOW.wall + hour, NOW.wall + week] {
            assert_eq!(in_time(late), Duration::ZERO);
        }
    }

    #[test]
    fn a_host_key_serves_one_group_or_one_plan() {
        let group = group(2, 3);
        // That of the parent, also as another member's.
        for (of, by) in [(1, 1), (2, 0u8)] {
            let plan = plan(&group, &|terms| {
                let host = host(of, 0);
                let member = &mut terms.members[usize::from(by)].member;
                member.host_key = host.public_key();
                member.binding = host.bind(&member.identity_key, &member.peer, 0);
            });
            let used = PlanRefused::UsedHostKey { seat: seat(by.into()), by: UsedBy::Epoch(0) };
            assert_eq!(refusal(&plan, &group), used);
        }
        // That of another plan, which may be checked again itself.
        let first = plan(&group, &|_| {});
        let second = plan(&group, &|terms| {
            terms.number = 2;
            terms.members[0] = named(0, 2);
            terms.members[2] = named(2, 2);
        });
        let mut used = UsedHostKeys::default();
        used.add_plan(&first);
        used.add_plan(&second);
        assert!(first.check(&group, &used, NOW).is_ok());
        let by = UsedBy::Plan(first.id());
        let refused = second.check(&group, &used, NOW);
        assert_eq!(refused, Err(PlanRefused::UsedHostKey { seat: seat(1), by }));
    }

    #[test]
    fn a_host_key_of_the_lineage_is_no_identity_key() {
        let group = group(2, 3);
        let mut used = UsedHostKeys::default();
        used.add_group(&group);
        let plan = plan(&group, &|terms| {
            let (identity, host) = (XOnlyPublicKey::from(host(0, 0).public_key()), host(2, 1));
            let member = &mut terms.members[2].member;
            member.identity_key = identity;
            member.binding = host.bind(&identity, &member.peer, 0);
        });
        let refused = PlanRefused::UsedHostKey { seat: seat(2), by: UsedBy::Epoch(0) };
        assert_eq!(plan.check(&group, &used, NOW), Err(refused));
    }

    #[test]
    fn an_excluded_member_does_not_stand_among_the_new_ones() {
        let group = group(2, 3);
        let excluding = |change: &dyn Fn(&mut super::super::Terms)| {
            plan(&group, &|terms| {
                terms.excluded = vec![seat(2)];
                change(terms);
            })
        };
        let comes_back = PlanRefused::ExcludedMember { old: seat(2), new: seat(2) };
        assert_eq!(refusal(&excluding(&|_| {}), &group), comes_back);
        let other_identity = excluding(&|terms| {
            let (host, identity) = (host(9, 1), identity(9).public_key());
            let member = &mut terms.members[2].member;
            let binding = host.bind(&identity, &member.peer, 0);
            (member.host_key, member.identity_key) = (host.public_key(), identity);
            member.binding = binding;
        });
        assert_eq!(refusal(&other_identity, &group), comes_back);
        let replaced = excluding(&|terms| terms.members[2] = joiner(9));
        assert!(replaced.check(&group, &UsedHostKeys::default(), NOW).is_ok());
    }

    #[test]
    fn as_many_old_seats_as_must_sign_are_left_to_deal() {
        let group = group(2, 3);
        let with = |excluded: &[u32]| {
            plan(&group, &|terms| {
                terms.excluded = excluded.iter().map(|at| seat(*at)).collect();
                terms.members = (7..10).map(joiner).collect();
            })
        };
        assert!(with(&[1]).check(&group, &UsedHostKeys::default(), NOW).is_ok());
        let few = PlanRefused::Dealers { dealers: 1, threshold: 2 };
        assert_eq!(refusal(&with(&[0, 1]), &group), few);
        let none = PlanRefused::NoSuchSeat { seat: seat(3), members: 3 };
        assert_eq!(refusal(&with(&[3]), &group), none);
    }
}
