//! The node's status. Nothing here waits long: it is queried when something is wrong.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bitcoin::Network;
use futures_util::future::join_all;
use roastery_bitcoin::wallet::Branch;
use roastery_libp2p::DialAddress;
use roastery_node::bus::{LinkStats, mux::ClockOffset};
use roastery_protocol::{
    GroupId, Seat,
    group::{Group, Name, PeerId},
    member::machine,
};
use roastery_store::StateKind;
use tokio::time::timeout;

use crate::{
    Time,
    config::{ApprovalMode, SubjectKind},
    limits::Limits,
    metrics::{Metrics, dropped},
    policy::{Caps, PolicyEngine},
    service::{
        Service, ServiceError,
        epochs::known::lineage_file,
        group::service::GroupService,
        keygen::status::{KeygenPhase, KeygenStatus},
        lifecycle::beat::STUCK,
        now,
        wallet::reading::ChainStatus,
    },
};

/// How long a session may take to report its status.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The status of a node.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// The node's name.
    pub name: Name,
    /// The node's peer id.
    pub peer: PeerId,
    /// The time by the node's clock, in seconds since 1970.
    pub now: u64,
    /// How long it has been running.
    pub uptime: Duration,
    /// The network of its addresses.
    pub network: Network,
    /// The other nodes.
    pub peers: Vec<PeerStatus>,
    /// The groups of which it is a member.
    pub groups: Vec<GroupStatus>,
    /// Invitations that were joined, and key generations under way.
    pub keygens: Vec<KeygenStatus>,
    /// The chain source, if there is one.
    pub chain: Option<ChainStatus>,
    /// Warnings about the configuration and the chain source, each in a line.
    pub warnings: Vec<String>,
}

/// Another node, as the transport sees it.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Its peer id.
    pub peer: PeerId,
    /// Its name, from its card.
    pub name: String,
    /// Its connection.
    pub link: LinkStats,
    /// The name of the member that relays the connection; `None` if it is direct.
    pub through: Option<String>,
    /// The addresses at which this node dials it; empty if this node does not dial it.
    pub addresses: Vec<DialAddress>,
    /// Messages from it that were lost because a queue was full or they were too long.
    pub dropped: u64,
    /// How its wall clock differs from this node's, if it is known.
    pub clock: Option<ClockOffset>,
}

/// A group and its sessions.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Its name at this node.
    pub name: String,
    /// The group.
    pub group: Arc<Group>,
    /// This node's seats.
    pub seats: Vec<Seat>,
    /// Its members, one for each seat, by seat.
    pub members: Vec<MemberStatus>,
    /// The first address of its wallet, the same at every member with the same script tree; `None`
    /// if it cannot be derived.
    pub address: Option<String>,
    /// The tree of scripts of its wallet, as the node has read it at its start.
    pub scripts: Option<String>,
    /// The sessions that are running.
    pub sessions: Vec<SessionStatus>,
    /// The number of requests that wait for approval here; `None` if the store does not answer.
    pub pending: Option<usize>,
    /// The policy of this node for the group.
    pub policy: PolicyStatus,
}

impl GroupStatus {
    /// The name on the card of a seat; empty if there is none.
    pub fn name_of(&self, seat: Seat) -> &str {
        let member = self.members.get(usize::from(seat.to_u16()));
        member.map(|member| member.name.as_str()).unwrap_or_default()
    }
}

/// The member of a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Its name, from its card.
    pub name: String,
    /// Whether it is this node or connected to it.
    pub reachable: bool,
    /// Since when it is barred by this node's operator; absent if it is not.
    pub barred_since: Option<Time>,
}

/// A running session.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    /// The report of its machine.
    pub report: machine::Report,
    /// The time of the report by the clock of the machine, from which waiting is counted.
    pub now: Duration,
}

/// The policy for a group, as the node has read it at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStatus {
    /// Its section in the configuration.
    pub section: String,
    /// Who approves what the rules allow.
    pub approval: ApprovalMode,
    /// The kinds of subjects that may be signed.
    pub kinds: Vec<SubjectKind>,
    /// The limits within a time.
    pub caps: Caps,
    /// Why the approval command gave no answer, if the last call gave none.
    pub problem: Option<String>,
}

impl Service {
    /// The node's status: its peers, groups, sessions and key generations.
    pub async fn status(&self) -> NodeStatus {
        let stats = self.mux.stats();
        let links: BTreeMap<&PeerId, LinkStats> = stats.bus.links().collect();
        let pending = self.pending().await;
        let mut groups = Vec::new();
        for group in self.groups() {
            let pending = pending.as_ref().and_then(|all| all.get(&group.group.id()).copied());
            groups.push(self.status_of(&group, &links, pending).await);
        }
        let mut dialled: BTreeMap<PeerId, Vec<DialAddress>> =
            self.roster.peers().into_iter().collect();
        let peers = links.iter().map(|(peer, link)| PeerStatus {
            peer: (*peer).clone(),
            name: self.shared.name_of(peer),
            through: link.through.as_ref().map(|relay| self.shared.name_of(relay)),
            link: link.clone(),
            addresses: dialled.remove(*peer).unwrap_or_default(),
            dropped: dropped(&stats, peer),
            clock: stats.clocks.get(peer).copied(),
        });
        NodeStatus {
            name: self.config.name.clone(),
            peer: self.peer.clone(),
            now: now(),
            uptime: self.started.elapsed(),
            network: self.wallets.network,
            peers: peers.collect(),
            groups,
            // A finished key generation is shown as a group.
            keygens: self
                .keygens()
                .into_iter()
                .filter(|keygen| !matches!(keygen.phase, KeygenPhase::Done(_)))
                .collect(),
            chain: self.chain_status(),
            warnings: self.warnings(),
        }
    }

    /// The status of a group, by its name or its id.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn group_status(&self, name: &str) -> Result<GroupStatus, ServiceError> {
        let group = self.find_group(name)?;
        let pending = self.pending().await;
        let pending = pending.as_ref().and_then(|all| all.get(&group.group.id()).copied());
        let stats = self.mux.stats();
        Ok(self.status_of(&group, &stats.bus.links().collect(), pending).await)
    }

    /// The invitations that were joined, and key generations under way.
    pub fn keygens(&self) -> Vec<KeygenStatus> {
        self.lock_keygens().values().map(|keygen| keygen.status()).collect()
    }

    /// One of them, by its group's name or its id.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub fn keygen(&self, name: &str) -> Result<KeygenStatus, ServiceError> {
        Ok(self.find_keygen(name)?.status())
    }

    /// A group's file, which is public.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub fn group_file(&self, name: &str) -> Result<Vec<u8>, ServiceError> {
        Ok(self.find_group(name)?.group.encode())
    }

    /// The recovery file of a group's key, which is public: of all its epochs that are known here,
    /// or of the key generation alone. None for a group of a trusted dealer that was never changed.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`], and an error of the store.
    pub async fn recovery_file(&self, name: &str) -> Result<Option<Vec<u8>>, ServiceError> {
        let group = self.find_group(name)?;
        let key = group.group.key_id();
        // It is read and verified once more: a file that does not verify is not given away.
        let read = move || lineage_file(&self.shared.store, key);
        let file = tokio::task::block_in_place(read)?;
        let of_generation = || group.recovery.as_ref().map(|file| file.encode());
        Ok(file.map(|file| file.encode()).or_else(of_generation))
    }

    /// Whether this process works: its tasks run, the node of each group answers, and released
    /// shares are recorded. Returns the problems, each in a line; none if there are none.
    pub async fn health(&self) -> Vec<String> {
        let mut problems = self.stuck().await;
        if let Some(error) = self.shared.store_state.failure() {
            problems.push(format!(
                "the store has failed, so no share leaves: {error}; it is opened again as soon as its disk takes writes"
            ));
        } else if self.audit.fails() {
            let problem =
                "the audit log cannot be written, so no share leaves: the node's log says why";
            problems.push(problem.to_owned());
        }
        problems
    }

    /// The problems that another start mends and waiting does not: a part has failed or does not
    /// answer. A disk that takes no writes is none of them: the store is opened again once it does,
    /// and until then a new process could not even start.
    pub async fn stuck(&self) -> Vec<String> {
        let pulse = Duration::from_millis(self.pulse.load(Ordering::Relaxed));
        let since = self.started.elapsed().saturating_sub(pulse);
        if since >= STUCK {
            return vec![format!("no task has run for {} seconds", since.as_secs())];
        }
        let mut problems = Vec::new();
        if let Some(failure) = self.shared.supervisor.failure() {
            problems.push(format!("{failure}: start the node again"));
        }
        // Concurrently, so that the answer comes in time even if many do not respond.
        let groups = self.groups();
        let asked = groups.iter().map(|group| timeout(PATIENCE, group.handle.bus_stats()));
        for (group, answer) in groups.iter().zip(join_all(asked).await) {
            if !matches!(answer, Ok(Some(_))) {
                problems.push(format!("the node of group {} does not answer", group.name));
            }
        }
        problems
    }

    /// Whether it can sign: enough members of each group are connected. Returns the problems, each
    /// in a line; none if there are none.
    pub async fn readiness(&self) -> Vec<String> {
        let mut problems = self.health().await;
        let stats = self.mux.stats();
        let links: BTreeMap<&PeerId, LinkStats> = stats.bus.links().collect();
        for group in self.groups() {
            let (reachable, threshold) = (self.reachable(&group, &links), group.group.threshold());
            if reachable < threshold {
                let name = &group.name;
                problems.push(format!(
                    "group {name}: {reachable} members can be reached and are not barred; {threshold} must sign"
                ));
            }
        }
        problems
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

    async fn status_of(
        &self,
        group: &GroupService,
        links: &BTreeMap<&PeerId, LinkStats>,
        pending: Option<usize>,
    ) -> GroupStatus {
        let mut sessions = Vec::new();
        for watcher in group.watchers() {
            if let Ok(Some(report)) = timeout(PATIENCE, watcher.report()).await {
                sessions.push(SessionStatus { report, now: watcher.now().monotonic });
            }
        }
        let members = group.group.seats().zip(group.group.members());
        let members = members.map(|(seat, member)| MemberStatus {
            name: self.shared.name_of(&member.peer),
            reachable: self.is_reachable(&member.peer, links),
            barred_since: self.shared.bars.since(group.group.id(), seat),
        });
        let config = group.policy.config();
        GroupStatus {
            name: group.name.clone(),
            group: group.group.clone(),
            seats: group.seats.clone(),
            members: members.collect(),
            address: first_address(&group.policy),
            scripts: group.policy.wallet().scripts().map(str::to_owned),
            sessions,
            pending,
            policy: PolicyStatus {
                section: group.section.clone(),
                approval: config.approval,
                kinds: config.kinds.clone(),
                caps: group.policy.caps(),
                problem: group.command_problem(),
            },
        }
    }

    fn reachable(&self, group: &GroupService, links: &BTreeMap<&PeerId, LinkStats>) -> usize {
        group.group.seats().filter(|seat| self.can_sign(group, *seat, links)).count()
    }

    /// Whether the member of a seat can be asked to sign: it is reachable and not barred.
    pub(super) fn can_sign(
        &self,
        group: &GroupService,
        seat: Seat,
        links: &BTreeMap<&PeerId, LinkStats>,
    ) -> bool {
        self.shared.bars.since(group.group.id(), seat).is_none()
            && group.group.member(seat).is_some_and(|one| self.is_reachable(&one.peer, links))
    }

    fn is_reachable(&self, peer: &PeerId, links: &BTreeMap<&PeerId, LinkStats>) -> bool {
        *peer == self.peer || links.get(peer).is_some_and(|link| link.awaited_since.is_none())
    }
}

fn first_address(policy: &PolicyEngine) -> Option<String> {
    let address = policy.wallet().address(Branch::Receive, 0, policy.network()).ok()?;
    Some(address.to_string())
}
