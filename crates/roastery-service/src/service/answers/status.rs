//! The node's status. Nothing here waits long: it is queried when something is wrong.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bitcoin::hex::DisplayHex as _;
use futures_util::future::join_all;
use roastery_node::bus::{LinkStats, mux::MuxStats};
use roastery_protocol::{GroupId, group::PeerId};
use roastery_store::StateKind;
use tokio::time::timeout;

use crate::{
    limits::Limits,
    metrics::{Metrics, dropped},
    service::{Service, ServiceError, group::service::GroupService, lifecycle::beat::STUCK, now},
    view::{
        GroupStatus, Health, KeygenState, KeygenStatus, MemberStatus, PeerStatus, Status, Time,
    },
};

/// How long a session may take to report its status.
const PATIENCE: Duration = Duration::from_secs(2);

impl Service {
    /// The node's status: its peers, groups, sessions and key generations.
    pub async fn status(&self) -> Status {
        let stats = self.mux.stats();
        let links: BTreeMap<&PeerId, LinkStats> = stats.bus.links().collect();
        let pending = self.pending().await;
        let mut views = Vec::new();
        for group in self.groups() {
            let pending = pending.as_ref().and_then(|all| all.get(&group.group.id()).copied());
            views.push(self.view_group(&group, &links, pending).await);
        }
        let called =
            self.roster.peers().into_iter().map(|(peer, addresses)| {
                (peer, addresses.iter().map(ToString::to_string).collect())
            });
        let called: BTreeMap<PeerId, Vec<String>> = called.collect();
        Status {
            name: self.config.name.to_string(),
            peer: self.peer.as_bytes().to_lower_hex_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            now: Time::from_seconds(now()),
            uptime_seconds: self.started.elapsed().as_secs(),
            peers: links
                .iter()
                .map(|(peer, link)| self.view_peer(peer, link, &stats, &called))
                .collect(),
            groups: views,
            // A finished key generation is shown as a group.
            keygens: self
                .keygens()
                .into_iter()
                .filter(|keygen| keygen.state != KeygenState::Done)
                .collect(),
            warnings: self.warnings(),
        }
    }

    /// The invitations that were joined, and key generations under way.
    pub fn keygens(&self) -> Vec<KeygenStatus> {
        self.lock_keygens().values().map(|keygen| keygen.view()).collect()
    }

    /// One of them, by its group's name or its id.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub fn keygen(&self, name: &str) -> Result<KeygenStatus, ServiceError> {
        Ok(self.find_keygen(name)?.view())
    }

    /// A group's file and its recovery file, if it has one: both public.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub fn group_files(&self, name: &str) -> Result<(Vec<u8>, Option<Vec<u8>>), ServiceError> {
        let group = self.find_group(name)?;
        Ok((group.group.encode(), group.recovery.as_ref().map(|file| file.encode())))
    }

    /// Whether this process works: its tasks run, the node of each group answers, and released
    /// shares are recorded.
    pub async fn health(&self) -> Health {
        let pulse = Duration::from_millis(self.pulse.load(Ordering::Relaxed));
        let since = self.started.elapsed().saturating_sub(pulse);
        if since >= STUCK {
            let problem = format!("no task has run for {} seconds", since.as_secs());
            return Health { ok: false, problems: vec![problem] };
        }
        let mut problems = Vec::new();
        if let Some(failure) = self.shared.supervisor.failure() {
            problems.push(format!("{failure}: start the node again"));
        }
        if let Some(error) = self.shared.store_state.failure() {
            problems.push(format!(
                "the store has failed, so no share leaves: {error}; it is opened again as soon as its disk takes writes"
            ));
        } else if self.audit.fails() {
            let problem =
                "the audit log cannot be written, so no share leaves: the node's log says why";
            problems.push(problem.to_owned());
        }
        // Concurrently, so that the answer comes in time even if many do not respond.
        let groups = self.groups();
        let asked = groups.iter().map(|group| timeout(PATIENCE, group.handle.bus_stats()));
        for (group, answer) in groups.iter().zip(join_all(asked).await) {
            if !matches!(answer, Ok(Some(_))) {
                problems.push(format!("the node of group {} does not answer", group.name));
            }
        }
        Health { ok: problems.is_empty(), problems }
    }

    /// Whether it can sign: enough members of each group are connected.
    pub async fn readiness(&self) -> Health {
        let mut problems = self.health().await.problems;
        let stats = self.mux.stats();
        let links: BTreeMap<&PeerId, LinkStats> = stats.bus.links().collect();
        for group in self.groups() {
            let (reachable, threshold) = (self.reachable(&group, &links), group.group.threshold());
            if reachable < threshold {
                let name = &group.name;
                problems.push(format!(
                    "group {name}: {reachable} members can be reached; {threshold} must sign"
                ));
            }
        }
        Health { ok: problems.is_empty(), problems }
    }

    /// The metrics, in Prometheus' format.
    pub fn metrics_text(&self) -> String {
        self.shared.metrics.text(&self.mux.stats(), self.shared.store.syncs())
    }

    /// The counters.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Where every bound that is reached is reported.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.shared.limits
    }

    /// The number of requests of each group that wait for approval here; `None` if the store does
    /// not respond.
    async fn pending(&self) -> Option<BTreeMap<GroupId, usize>> {
        let groups: Vec<GroupId> = self.groups().iter().map(|group| group.group.id()).collect();
        let count = self.shared.store(move |store| {
            let count = |id| Ok((id, store.count(id, StateKind::Proposed, now())?));
            groups.into_iter().map(count).collect()
        });
        timeout(PATIENCE, count).await.ok()?.ok()
    }

    async fn view_group(
        &self,
        group: &GroupService,
        links: &BTreeMap<&PeerId, LinkStats>,
        pending: Option<usize>,
    ) -> GroupStatus {
        let mut sessions = Vec::new();
        for watcher in group.watchers() {
            if let Ok(Some(report)) = timeout(PATIENCE, watcher.report()).await {
                sessions.push(group.view_session(&report, watcher.now().monotonic));
            }
        }
        let members = group.group.seats().zip(group.group.members());
        GroupStatus {
            name: group.name.clone(),
            id: group.group.id().to_string(),
            seats: group.seats.iter().map(|seat| seat.to_u16()).collect(),
            threshold: group.group.threshold(),
            key: group.group.keys().threshold_public_key().serialize().to_lower_hex_string(),
            members: members
                .map(|(seat, member)| MemberStatus {
                    seat: seat.to_u16(),
                    name: self.shared.name_of(&member.peer),
                    peer: member.peer.as_bytes().to_lower_hex_string(),
                    reachable: self.is_reachable(&member.peer, links),
                })
                .collect(),
            reachable: self.reachable(group, links),
            sessions,
            pending,
            policy: group.view_policy(),
        }
    }

    fn reachable(&self, group: &GroupService, links: &BTreeMap<&PeerId, LinkStats>) -> usize {
        let members = group.group.members().iter();
        members.filter(|member| self.is_reachable(&member.peer, links)).count()
    }

    fn is_reachable(&self, peer: &PeerId, links: &BTreeMap<&PeerId, LinkStats>) -> bool {
        *peer == self.peer || links.get(peer).is_some_and(|link| link.awaited_since.is_none())
    }

    fn view_peer(
        &self,
        peer: &PeerId,
        link: &LinkStats,
        stats: &MuxStats,
        called: &BTreeMap<PeerId, Vec<String>>,
    ) -> PeerStatus {
        PeerStatus {
            peer: peer.as_bytes().to_lower_hex_string(),
            name: self.shared.name_of(peer),
            connected: link.awaited_since.is_none(),
            awaited_seconds: link.awaited_since.map(|since| since.elapsed().as_secs()),
            round_trip_ms: link.round_trip.map(|time| (time.as_secs_f64() * 1e5).round() / 100.0),
            addresses: called.get(peer).cloned().unwrap_or_default(),
            dropped: dropped(stats, peer),
            clock_offset_ms: stats.clocks.get(peer).map(|offset| offset.ahead_ms),
            clock_differs: stats.clocks.get(peer).is_some_and(|offset| offset.is_notable()),
        }
    }
}
