//! The metrics of a node, in Prometheus' format. No metric needs an answer of the protocol.

mod groups;
mod hooks;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use roastery_node::bus::mux::MuxStats;
use roastery_protocol::member::machine::StopReason;

use self::{groups::Groups, hooks::Hooks};
pub(crate) use self::{
    groups::{GroupNow, MemberNow},
    hooks::HookOutcome,
};
use crate::{limits::Limits, view::ProblemCode};

/// What is measured when the metrics are queried.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The links of the node.
    pub(crate) stats: MuxStats,
    /// Its groups.
    pub(crate) groups: Vec<GroupNow>,
    /// Whether the health check finds no problem.
    pub(crate) healthy: bool,
    /// How often the store has waited for the disk.
    pub(crate) syncs: u64,
    /// How many acts are recorded; `None` if the store does not respond.
    pub(crate) acts: Option<u64>,
    /// How many notices wait for each hook; `None` if the store does not respond.
    pub(crate) notices: Option<Vec<(String, u64)>>,
}

/// The counters of a node.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    sessions: Family<Outcome, Counter>,
    time_to_signature: Family<Group, Histogram, fn() -> Histogram>,
    proofs: Family<Fault, Counter>,
    shares: Family<Group, Counter>,
    proposals: Family<Group, Counter>,
    requests_refused: Family<Code, Counter>,
    groups: Groups,
    hooks: Hooks,
    healthy: Gauge,
    peers: Peers,
    refused_connections: Family<Code, Gauge>,
    store_syncs: Counter,
    acts: Gauge,
    log_lines_lost: Counter,
    limits: Arc<Limits>,
}

#[derive(Debug, Default)]
struct Peers {
    dropped: Family<Peer, Gauge>,
    misdirected: Family<Peer, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Group {
    group: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    group: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fault {
    group: String,
    member: String,
    fault: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    reason: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3600.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("roastery");
        let sessions = Family::<Outcome, Counter>::default();
        registry.register(
            "sessions",
            "Sessions that have ended here, by outcome",
            sessions.clone(),
        );
        let time_to_signature =
            Family::<Group, Histogram, fn() -> Histogram>::new_with_constructor(seconds);
        registry.register_with_unit(
            "time_to_signature",
            "From the approval here to the signature",
            Unit::Seconds,
            time_to_signature.clone(),
        );
        let proofs = Family::<Fault, Counter>::default();
        registry.register("proofs", "Faults that were proven, by member and kind", proofs.clone());
        let shares = Family::<Group, Counter>::default();
        registry.register("shares_released", "Signature shares of this node", shares.clone());
        let proposals = Family::<Group, Counter>::default();
        registry.register("proposals", "Requests that others proposed", proposals.clone());
        let requests_refused = Family::<Code, Counter>::default();
        registry.register(
            "api_refused",
            "Requests to the API that were refused, by code",
            requests_refused.clone(),
        );
        let peers = Peers::default();
        registry.register(
            "peer_dropped",
            "Messages of a peer that were lost because its queue was full or they were too long",
            peers.dropped.clone(),
        );
        registry.register(
            "peer_misdirected",
            "Messages of a peer that belong to no group or key generation of which both are members here",
            peers.misdirected.clone(),
        );
        let refused_connections = Family::<Code, Gauge>::default();
        registry.register(
            "connections_refused",
            "Connections that came to nothing: strangers, failed handshakes, no room",
            refused_connections.clone(),
        );
        let store_syncs = Counter::default();
        registry.register(
            "store_syncs",
            "How often the store has waited for the disk",
            store_syncs.clone(),
        );
        let acts = Gauge::default();
        registry.register("acts", "Acts in the record, which are not cut", acts.clone());
        let log_lines_lost = Counter::default();
        registry.register(
            "log_lines_lost",
            "Lines of the program's log that standard error did not take, or not fast enough",
            log_lines_lost.clone(),
        );
        let healthy = Gauge::default();
        registry.register("healthy", "Whether the health check finds no problem", healthy.clone());
        let build = Family::<Build, Gauge>::default();
        registry.register("build_info", "The version of the program; always 1", build.clone());
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        let groups = Groups::new(&mut registry);
        let hooks = Hooks::new(&mut registry);
        let limits = Arc::new(Limits::new(&mut registry));
        Self {
            registry,
            sessions,
            time_to_signature,
            proofs,
            shares,
            proposals,
            requests_refused,
            groups,
            hooks,
            healthy,
            peers,
            refused_connections,
            store_syncs,
            acts,
            log_lines_lost,
            limits,
        }
    }
}

impl Metrics {
    /// The counters of reached bounds.
    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Counts a session with signatures, this long after it was approved.
    pub(crate) fn signed(&self, group: &str, after: Duration) {
        let group = group.to_owned();
        self.time_to_signature
            .get_or_create(&Group { group: group.clone() })
            .observe(after.as_secs_f64());
        self.sessions.get_or_create(&Outcome { group, outcome: "signed" }).inc();
    }

    /// Counts a session that has stopped without signatures.
    pub(crate) fn stopped(&self, group: &str, reason: &StopReason) {
        let outcome = match reason {
            StopReason::Expired | StopReason::Deadline => "expired",
            StopReason::Cancelled | StopReason::Withdrawn(_) => "refused",
            _ => "failed",
        };
        self.sessions.get_or_create(&Outcome { group: group.to_owned(), outcome }).inc();
    }

    /// Counts a proven fault of a member.
    pub(crate) fn proven(&self, group: &str, member: String, fault: String) {
        self.proofs.get_or_create(&Fault { group: group.to_owned(), member, fault }).inc();
    }

    /// Counts a share that has left.
    pub(crate) fn share_released(&self, group: &str) {
        self.shares.get_or_create(&Group { group: group.to_owned() }).inc();
    }

    /// Counts a proposal.
    pub(crate) fn proposed(&self, group: &str) {
        self.proposals.get_or_create(&Group { group: group.to_owned() }).inc();
    }

    /// Counts a request that the API has refused.
    pub(crate) fn refused(&self, code: ProblemCode) {
        let code = code.as_str();
        self.requests_refused.get_or_create(&Code { reason: code }).inc();
    }

    /// A hook is there, and nothing was told yet.
    pub(crate) fn hook_begins(&self, hook: &str) {
        self.hooks.begin(hook);
    }

    /// Counts what became of notices of a hook, or of attempts to tell them.
    pub(crate) fn notified(&self, hook: &str, outcome: HookOutcome, times: u64) {
        self.hooks.count(hook, outcome, times);
    }

    /// All metrics as text, in Prometheus' format.
    pub(crate) fn text(&self, measured: Measured) -> String {
        self.take(&measured.stats);
        self.groups.set(&measured.groups);
        self.healthy.set(measured.healthy.into());
        self.store_syncs.inner().store(measured.syncs, Ordering::Relaxed);
        if let Some(acts) = measured.acts {
            self.acts.set(acts.cast_signed());
        }
        if let Some(notices) = &measured.notices {
            self.hooks.set_waiting(notices);
        }
        let lost = crate::log::lost_lines();
        self.log_lines_lost.inc_by(lost.saturating_sub(self.log_lines_lost.get()));
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn take(&self, stats: &MuxStats) {
        for (id, _) in stats.bus.links() {
            let label = Peer { peer: hex(id.as_bytes()) };
            self.peers.dropped.get_or_create(&label).set(dropped(stats, id).cast_signed());
            let lost = stats.misdirected.get(id).copied().unwrap_or_default();
            let lost = lost.no_such_topic + lost.not_a_member;
            self.peers.misdirected.get_or_create(&label).set(lost.cast_signed());
        }
        let refusals = stats.bus.refusals();
        for (reason, count) in [
            ("stranger", refusals.strangers),
            ("handshake", refusals.failed_handshakes),
            ("no_room", refusals.no_room),
        ] {
            self.refused_connections.get_or_create(&Code { reason }).set(count.cast_signed());
        }
    }
}

/// The number of a peer's messages that were lost in this node's queues.
pub(crate) fn dropped(stats: &MuxStats, peer: &roastery_protocol::group::PeerId) -> u64 {
    let buses = stats.channels.values().chain([&stats.bus]);
    buses
        .map(|bus| bus.of(peer))
        .map(|queue| queue.dropped_queue_full + queue.dropped_too_large)
        .sum()
}

fn hex(bytes: &[u8]) -> String {
    use bitcoin::hex::DisplayHex as _;
    bytes.to_lower_hex_string()
}

#[cfg(test)]
mod tests {
    use crate::limits::Limit;

    #[test]
    fn every_metric_and_every_limit_is_in_the_manual() {
        let manual = include_str!("../../../../docs/operators.md");
        let begin = concat!("registry.", "register");
        let files = [include_str!("mod.rs"), include_str!("groups.rs"), include_str!("hooks.rs")];
        let names = files.iter().flat_map(|file| file.split(begin).skip(1));
        let names: Vec<&str> = names.filter_map(|rest| rest.split('"').nth(1)).collect();
        assert!(names.len() >= 12, "{names:?}");
        for name in names {
            assert!(manual.contains(&format!("| `roastery_{name}")), "{name}");
        }
        assert!(manual.contains("| `roastery_limited_total` |"));
        for limit in Limit::ALL {
            assert!(manual.contains(&format!("`{}`", limit.name())), "{}", limit.name());
        }
    }
}
