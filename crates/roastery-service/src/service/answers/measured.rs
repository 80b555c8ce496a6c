//! What the metrics show of the groups.

use std::{collections::BTreeMap, sync::Arc};

use roastery_node::bus::{LinkStats, mux::MuxStats};
use roastery_protocol::{GroupId, Seat, group::PeerId};
use roastery_store::Waiting;
use tokio::{join, time::timeout};

use super::status::PATIENCE;
use crate::{
    metrics::{GroupNow, Measured, MemberNow},
    service::{
        Service,
        group::service::{GroupService, key_of},
        now,
    },
};

impl Service {
    /// The metrics, in Prometheus' format. It takes at most two seconds; what does not respond in
    /// that time is left out.
    pub async fn metrics_text(&self) -> String {
        let (waiting, problems, acts, notices) =
            join!(self.waiting(), self.health(), self.recorded(), self.notices());
        let stats = self.mux.stats();
        let current = self.current();
        let groups = current.iter().map(|group| self.measured(group, &stats, &waiting)).collect();
        let (healthy, syncs) = (problems.is_empty(), self.shared.store.syncs());
        self.shared.metrics.text(Measured { stats, groups, healthy, syncs, acts, notices })
    }

    /// The groups of the latest epochs that run here: in an older one of a key nothing new is
    /// signed, and its members that have left are not missed.
    pub(in crate::service) fn current(&self) -> Vec<Arc<GroupService>> {
        let mut groups = self.groups();
        let mut latest = BTreeMap::new();
        for group in &groups {
            let latest: &mut u32 = latest.entry(key_of(&group.group)).or_default();
            *latest = (*latest).max(group.group.epoch().number());
        }
        groups.retain(|one| latest.get(&key_of(&one.group)) == Some(&one.group.epoch().number()));
        groups
    }

    fn measured(
        &self,
        group: &GroupService,
        stats: &MuxStats,
        waiting: &BTreeMap<GroupId, Waiting>,
    ) -> GroupNow {
        let links: BTreeMap<&PeerId, LinkStats> = stats.bus.links().collect();
        let members = group.group.seats().zip(group.group.members());
        let members = members.map(|(seat, member)| MemberNow {
            name: self.label_of(group, seat),
            reachable: self.can_sign(group, seat, &links),
            relayed: links.get(&member.peer).is_some_and(|link| link.through.is_some()),
            round_trip: links.get(&member.peer).and_then(|link| link.round_trip),
            clock_ahead: stats.clocks.get(&member.peer).map(|one| one.ahead_ms as f64 / 1000.0),
        });
        let waiting = waiting.get(&group.group.id());
        GroupNow {
            name: group.name.clone(),
            threshold: group.group.threshold(),
            members: members.collect(),
            waiting: waiting.map(|waiting| waiting.count),
            oldest_waiting: waiting.and_then(|waiting| waiting.oldest),
            signing: group.watchers().len(),
        }
    }

    /// The name of a member; with its seat where another member of the group has the same name.
    fn label_of(&self, group: &GroupService, seat: Seat) -> String {
        let peer = group.group.member(seat).map(|member| &member.peer);
        let name = peer.map(|peer| self.shared.name_of(peer)).unwrap_or_default();
        let mut others = group.group.members().iter().filter(|one| Some(&one.peer) != peer);
        match name.is_empty() || others.any(|one| self.shared.name_of(&one.peer) == name) {
            true => format!("{name} (seat {seat})").trim_start().to_owned(),
            false => name,
        }
    }

    /// How many acts are recorded; `None` if the store does not respond.
    async fn recorded(&self) -> Option<u64> {
        let head = self.shared.store(|store| store.chain_head());
        Some(timeout(PATIENCE, head).await.ok()?.ok()?.acts)
    }

    /// How many notices wait for each hook; `None` if the store does not respond.
    async fn notices(&self) -> Option<Vec<(String, u64)>> {
        let hooks = timeout(PATIENCE, self.hooks()).await.ok()?.ok()?;
        Some(hooks.into_iter().map(|hook| (hook.config.name, hook.waiting)).collect())
    }

    /// What waits in each group; empty if the store does not respond.
    async fn waiting(&self) -> BTreeMap<GroupId, Waiting> {
        let groups: Vec<GroupId> = self.groups().iter().map(|group| group.group.id()).collect();
        let count = self.shared.store(move |store| {
            groups.into_iter().map(|id| Ok((id, store.waiting(id, now())?))).collect()
        });
        timeout(PATIENCE, count).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}
