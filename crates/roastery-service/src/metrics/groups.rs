//! What is measured of the groups, by the names of the groups and their members.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use super::Group;

/// A group, when the metrics are queried.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GroupNow {
    /// Its name at this node.
    pub(crate) name: String,
    /// How many must sign.
    pub(crate) threshold: usize,
    /// The seats of other nodes, and those of this node.
    pub(crate) members: Vec<MemberNow>,
    /// The requests that wait for approval here; `None` if the store does not respond.
    pub(crate) waiting: Option<usize>,
    /// When the one that has waited longest was proposed, in seconds since 1970.
    pub(crate) oldest_waiting: Option<u64>,
    /// The sessions that are open here.
    pub(crate) signing: usize,
}

/// A seat of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MemberNow {
    /// The name of its node.
    pub(crate) name: String,
    /// Whether it is this node, or connected to it, and not barred.
    pub(crate) reachable: bool,
    /// Whether it is connected through another member.
    pub(crate) relayed: bool,
    /// The last round trip to it.
    pub(crate) round_trip: Option<Duration>,
    /// How far its wall clock is ahead of this node's, in seconds, as it says.
    pub(crate) clock_ahead: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Member {
    group: String,
    member: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    group: String,
    state: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// The gauges of all groups. Each query sets them anew: what is not measured any more is not shown.
#[derive(Debug, Default)]
pub(super) struct Groups {
    members: Family<Group, Gauge>,
    reachable: Family<Group, Gauge>,
    threshold: Family<Group, Gauge>,
    requests: Family<State, Gauge>,
    oldest_waiting: Family<Group, Gauge>,
    member_reachable: Family<Member, Gauge>,
    member_relayed: Family<Member, Gauge>,
    round_trip: Family<Member, Seconds>,
    clock_offset: Family<Member, Seconds>,
}

impl Groups {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register("members", "The seats of a group", new.members.clone());
        registry.register(
            "members_reachable",
            "The seats of this node and of nodes that are connected, without those that are barred",
            new.reachable.clone(),
        );
        registry.register("threshold", "How many seats must sign", new.threshold.clone());
        registry.register(
            "requests",
            "Requests that are not ended, by state",
            new.requests.clone(),
        );
        registry.register_with_unit(
            "oldest_waiting_timestamp",
            "When the request was proposed that has waited longest for approval here",
            Unit::Seconds,
            new.oldest_waiting.clone(),
        );
        registry.register(
            "member_reachable",
            "Whether a member is connected and not barred",
            new.member_reachable.clone(),
        );
        registry.register(
            "member_through_relay",
            "Whether a member is connected through another one, which relays",
            new.member_relayed.clone(),
        );
        registry.register_with_unit(
            "member_round_trip",
            "The last round trip to a member",
            Unit::Seconds,
            new.round_trip.clone(),
        );
        registry.register_with_unit(
            "member_clock_offset",
            "How far a member's wall clock is ahead of this node's, as it says",
            Unit::Seconds,
            new.clock_offset.clone(),
        );
        new
    }

    pub(super) fn set(&self, groups: &[GroupNow]) {
        self.clear();
        groups.iter().for_each(|group| self.set_one(group));
    }

    fn clear(&self) {
        for family in [&self.members, &self.reachable, &self.threshold, &self.oldest_waiting] {
            family.clear();
        }
        self.requests.clear();
        self.member_reachable.clear();
        self.member_relayed.clear();
        self.round_trip.clear();
        self.clock_offset.clear();
    }

    fn set_one(&self, group: &GroupNow) {
        let label = Group { group: group.name.clone() };
        let reachable = group.members.iter().filter(|member| member.reachable).count();
        self.members.get_or_create(&label).set(whole(group.members.len()));
        self.reachable.get_or_create(&label).set(whole(reachable));
        self.threshold.get_or_create(&label).set(whole(group.threshold));
        if let Some(oldest) = group.oldest_waiting {
            self.oldest_waiting.get_or_create(&label).set(oldest.cast_signed());
        }
        let of_state = |state| State { group: group.name.clone(), state };
        if let Some(waiting) = group.waiting {
            self.requests.get_or_create(&of_state("waiting_here")).set(whole(waiting));
        }
        self.requests.get_or_create(&of_state("signing")).set(whole(group.signing));
        for member in &group.members {
            let label = Member { group: group.name.clone(), member: member.name.clone() };
            self.member_reachable.get_or_create(&label).set(member.reachable.into());
            self.member_relayed.get_or_create(&label).set(member.relayed.into());
            if let Some(round_trip) = member.round_trip {
                self.round_trip.get_or_create(&label).set(round_trip.as_secs_f64());
            }
            if let Some(ahead) = member.clock_ahead {
                self.clock_offset.get_or_create(&label).set(ahead);
            }
        }
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn shown(groups: &Groups, registry: &Registry, now: &[GroupNow]) -> String {
        groups.set(now);
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn a_group_that_has_ended_and_a_member_that_has_left_are_not_shown_any_more() {
        let mut registry = Registry::with_prefix("roastery");
        let groups = Groups::new(&mut registry);
        let bert = MemberNow { name: "bert".into(), reachable: true, ..MemberNow::default() };
        let cleo = MemberNow { name: "cleo".into(), ..MemberNow::default() };
        let group = |members: &[&MemberNow], oldest_waiting: Option<u64>| GroupNow {
            name: "treasury".into(),
            threshold: 2,
            members: members.iter().map(|one| (*one).clone()).collect(),
            waiting: Some(usize::from(oldest_waiting.is_some())),
            oldest_waiting,
            signing: 0,
        };
        let text = shown(&groups, &registry, &[group(&[&bert, &cleo], Some(1_700_000_000))]);
        for line in [
            "roastery_members{group=\"treasury\"} 2\n",
            "roastery_members_reachable{group=\"treasury\"} 1\n",
            "roastery_threshold{group=\"treasury\"} 2\n",
            "roastery_requests{group=\"treasury\",state=\"waiting_here\"} 1\n",
            "roastery_oldest_waiting_timestamp_seconds{group=\"treasury\"} 1700000000\n",
            "roastery_member_reachable{group=\"treasury\",member=\"cleo\"} 0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        let text = shown(&groups, &registry, &[group(&[&bert], None)]);
        assert!(!text.contains("cleo") && !text.contains("timestamp_seconds{"), "{text}");
        assert!(!shown(&groups, &registry, &[]).contains("treasury"));
    }
}
