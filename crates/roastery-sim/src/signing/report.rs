//! What measured sessions take: time, packages, messages, bytes, and computing time per role.

use std::{collections::BTreeSet, fmt, time::Duration};

use roastery_protocol::{Seat, member::machine::RequestOrigin};
use serde::Serialize;

use super::{Action, Counts, Injection, Setup, World, words};
use crate::members::Members;

/// What one session took. Times are in seconds of virtual time since the last approval, computing
/// times in milliseconds of this machine since the start.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The number of seats, n.
    pub signers: usize,
    /// The threshold, t: how many members must sign.
    pub threshold: usize,
    /// The number of faulty members.
    pub faulty: usize,
    /// The name of their attack.
    pub attack: String,
    /// The seed.
    pub seed: u64,
    /// The round-trip time of the network, in seconds.
    pub round_trip_s: f64,
    /// Until the first honest node had the signatures; absent if it has taken too long.
    pub first_signed_s: Option<f64>,
    /// Until all honest nodes had them.
    pub all_signed_s: Option<f64>,
    /// Packages issued by nodes that run the honest code, since the first approval.
    pub packages: usize,
    /// Messages since the first approval, one for each receiver.
    pub messages: usize,
    /// The bytes of all these messages.
    pub bytes: usize,
    /// Messages and bytes by kind.
    pub by_kind: Vec<KindCount>,
    /// Computing time of the busiest node.
    pub busiest_cpu_ms: f64,
    /// Median computing time of the nodes.
    pub median_cpu_ms: f64,
    /// Computing time of all honest nodes.
    pub total_cpu_ms: f64,
}

/// Messages and bytes of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct KindCount {
    /// The name of the kind.
    pub kind: &'static str,
    /// Messages, one for each receiver.
    pub messages: usize,
    /// The bytes of these messages.
    pub bytes: usize,
}

/// How the approvals of a measured session come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approvals {
    /// All at once.
    AtOnce,
    /// One node's owner proposes, and the others approve by their rules alone.
    ByProposal,
    /// Those of t - 1 nodes at once, and of one more after this time.
    LastAfter(Duration),
    /// As [`Approvals::LastAfter`]; one of the first restarts shortly before the last approval.
    RestartBefore(Duration),
}

/// Nodes have shown their slots by then.
const BEGUN: Duration = Duration::from_secs(5);

/// How long a session is waited for, in virtual time.
const LIMIT: Duration = Duration::from_secs(600);

/// Between two sessions.
const BETWEEN: Duration = Duration::from_secs(10);

/// Plays the requests of a setup one after the other, and measures each.
pub fn measure(members: Members, setup: Setup, approvals: &Approvals) -> Vec<Report> {
    let (signers, threshold) = (members.group.size(), members.group.threshold());
    let sessions = setup.requests.len();
    let names: BTreeSet<&str> = setup.coalition.values().map(|one| one.name()).collect();
    let attack = names.into_iter().collect::<Vec<_>>().join(", ");
    let faulty = setup.coalition.len();
    let (seed, round_trip) = (setup.seed, setup.links.round_trip);
    let mut world = World::of_signing(members, setup, None);
    let mut at = BEGUN;
    let mut reports = Vec::new();
    for request in 0..sessions {
        let (before, last) = approve(&mut world, request, at, approvals);
        let (first, all) = run_until_signed(&mut world, request, last);
        let counts = &world.hooks.counts;
        let busy = world.honest().map(|node| node.busy.as_secs_f64() * 1e3);
        let mut busy: Vec<f64> = busy.collect();
        busy.sort_by(f64::total_cmp);
        let (messages, bytes) = counts.total();
        let (messages_before, bytes_before) = before.total();
        let seconds = |at: Duration| at.saturating_sub(last).as_secs_f64();
        reports.push(Report {
            signers,
            threshold,
            faulty,
            attack: attack.clone(),
            seed,
            round_trip_s: round_trip.as_secs_f64(),
            first_signed_s: first.map(seconds),
            all_signed_s: all.map(seconds),
            packages: counts.packages - before.packages,
            messages: messages - messages_before,
            bytes: bytes - bytes_before,
            by_kind: by_kind(counts, &before),
            busiest_cpu_ms: busy.last().copied().unwrap_or_default(),
            median_cpu_ms: busy.get(busy.len() / 2).copied().unwrap_or_default(),
            total_cpu_ms: busy.iter().sum(),
        });
        at = world.now() + BETWEEN;
    }
    reports
}

/// Has nodes approve a request. Gives what was counted before, and when the last approval was.
fn approve(
    world: &mut World,
    request: usize,
    at: Duration,
    approvals: &Approvals,
) -> (Counts, Duration) {
    // Nothing is watched.
    let _ = world.run_until(at);
    let before = world.hooks.counts.clone();
    let threshold = world.hooks.members.group.threshold();
    let nodes: Vec<Seat> = world.hooks.members.nodes();
    let act = |world: &mut World, node: Seat, origin| {
        let _ = world.interfere(&Injection::Act(node, Action::Approve { request, origin }));
    };
    let wait = match approvals {
        Approvals::AtOnce => {
            nodes.iter().for_each(|node| act(world, *node, RequestOrigin::Proposed));
            return (before, at);
        }
        Approvals::ByProposal => {
            let last = nodes.len() - 1;
            let propose = Injection::Act(nodes[last], Action::Propose(request));
            let _ = world.interfere(&propose);
            act(world, nodes[last], RequestOrigin::Own);
            return (before, at);
        }
        Approvals::LastAfter(wait) | Approvals::RestartBefore(wait) => *wait,
    };
    let (early, late) = nodes.split_at(threshold - 1);
    early.iter().for_each(|node| act(world, *node, RequestOrigin::Proposed));
    if let (Approvals::RestartBefore(_), Some(node)) = (approvals, early.first()) {
        let _ = world.run_until(at + wait.saturating_sub(BETWEEN));
        let _ = world.interfere(&Injection::Crash(*node));
        let _ = world.interfere(&Injection::Open(*node));
    }
    let _ = world.run_until(at + wait);
    if let Some(node) = late.first() {
        act(world, *node, RequestOrigin::Waited);
    }
    (before, world.now())
}

/// Goes on until all honest nodes that have approved have the signatures. Gives when the first and
/// when the last one had them.
fn run_until_signed(
    world: &mut World,
    request: usize,
    since: Duration,
) -> (Option<Duration>, Option<Duration>) {
    let session = world.hooks.requests[request].session_id();
    let mut first = None;
    loop {
        let approved = |seat: Seat| world.hooks.owners.approved_by(seat).contains(&request);
        let nodes = world.honest().filter(|node| approved(node.seat));
        let signed = nodes
            .map(|node| node.machine().is_some_and(|machine| machine.outcome(session).is_some()));
        let signed: Vec<bool> = signed.collect();
        if first.is_none() && signed.contains(&true) {
            first = Some(world.now());
        }
        if signed.iter().all(|one| *one) {
            return (first, Some(world.now()));
        }
        if world.now() > since + LIMIT || !world.step().is_ok_and(|goes_on| goes_on) {
            return (first, None);
        }
    }
}

fn by_kind(counts: &Counts, before: &Counts) -> Vec<KindCount> {
    let since = counts.by_kind.iter().map(|(kind, (messages, bytes))| {
        let (messages_before, bytes_before) = before.by_kind.get(kind).copied().unwrap_or_default();
        KindCount {
            kind: words::kind(*kind),
            messages: messages - messages_before,
            bytes: bytes - bytes_before,
        }
    });
    since.filter(|count| count.messages > 0).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { signers, threshold, faulty, attack, seed, .. } = self;
        let who = match faulty {
            0 => "no member faulty".to_owned(),
            1 => format!("1 faulty ({attack})"),
            many => format!("{many} faulty ({attack})"),
        };
        let trip = self.round_trip_s * 1e3;
        writeln!(f, "{threshold} of {signers}, {who}, {trip:.0} ms round trip, seed {seed}")?;
        match (self.first_signed_s, self.all_signed_s) {
            (Some(first), Some(all)) => writeln!(
                f,
                "signed {first:.3} s after the last approval ({:.2} round trips), by all after \
                 {all:.3} s",
                first / self.round_trip_s
            )?,
            (Some(first), None) => writeln!(f, "signed after {first:.3} s, but not by all")?,
            _ => writeln!(f, "not signed within {} s", LIMIT.as_secs())?,
        }
        writeln!(f, "{} packages\n", self.packages)?;
        writeln!(f, "{:<12} {:>9} {:>12}", "kind", "messages", "bytes")?;
        for KindCount { kind, messages, bytes } in &self.by_kind {
            writeln!(f, "{kind:<12} {messages:>9} {bytes:>12}")?;
        }
        writeln!(f, "{:<12} {:>9} {:>12}\n", "all", self.messages, self.bytes)?;
        let Self { busiest_cpu_ms, median_cpu_ms, total_cpu_ms, .. } = self;
        writeln!(
            f,
            "CPU ms since the start: busiest node {busiest_cpu_ms:.2}, median {median_cpu_ms:.2}, \
             all {total_cpu_ms:.2}"
        )
    }
}
