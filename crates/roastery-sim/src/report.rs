//! What one measured session took: time, packages, messages, bytes, and computing time per role.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use rand_chacha::ChaCha8Rng;
use roastery_protocol::{Seat, engine::FrostEngine, message::Kind, signing::Event};
use serde::Serialize;

use crate::{
    adversary::{Adversary as _, Packet},
    invariants::Violation,
    members::Members,
    scenario::{Attack, Attacker},
    signing::{Setup, Step, Watch, World},
};

/// What one session took. Times are in seconds of virtual time, computing times in milliseconds of
/// this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The number of members, n.
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
    /// Until the first honest member had the signatures; absent if it has taken too long.
    pub first_signed_s: Option<f64>,
    /// Until all honest members had them.
    pub all_signed_s: Option<f64>,
    /// Round trips until the first one had them.
    pub round_trips: Option<f64>,
    /// Attempts that were live in the end, at the member with most of them.
    pub attempts: usize,
    /// Packages issued by honest coordinators and by members that run the honest code.
    pub packages: usize,
    /// Messages, one for each receiver.
    pub messages: usize,
    /// The bytes of all messages.
    pub bytes: usize,
    /// Messages and bytes by kind.
    pub by_kind: Vec<KindCount>,
    /// Seats of which a fault is proven, with the fault.
    pub proven: Vec<(u16, String)>,
    /// Computing time of the busiest coordinator.
    pub coordinator_cpu_ms: Option<f64>,
    /// Median computing time of the signers: members that gave a share and issued no package.
    pub signer_cpu_ms: Option<f64>,
    /// Median computing time of the others.
    pub observer_cpu_ms: Option<f64>,
    /// Computing time of all honest members.
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

/// How long a session is waited for, in virtual time.
const LIMIT: Duration = Duration::from_secs(3600);

/// Plays sessions of one group, one after the other, and measures each. The members remember what a
/// session has shown of the others; a member that has become faulty stays so.
pub fn measure_series(
    mut members: Members,
    attack: &Attack,
    mut setup: Setup,
    sessions: u64,
) -> Vec<Report> {
    let mut attack = attack.clone();
    let mut reports = Vec::new();
    for _ in 0..sessions {
        let (report, world) = measure(members, &attack, setup.clone());
        reports.push(report);
        for node in world.nodes() {
            if let Some(session) = node.session() {
                setup.records.entry(node.seat).or_default().update(session.learned());
            }
        }
        attack = world.hooks.adversary.afterwards(attack);
        members = world.hooks.members;
        setup.seed = setup.seed.wrapping_add(1);
    }
    reports
}

type Measured = World<FrostEngine<ChaCha8Rng>, Attacker, Observer>;

/// Plays one session and measures it.
fn measure(members: Members, attack: &Attack, setup: Setup) -> (Report, Measured) {
    let (signers, threshold) = (members.group.size(), members.group.threshold());
    let (seed, round_trip) = (setup.seed, setup.links.round_trip);
    let attacker = attack.attacker(seed);
    let mut world = Measured::of_signing(members, attacker, Observer::default(), setup);
    // An observer finds nothing wrong.
    let all_signed = world.run_until_signed(LIMIT).unwrap_or(false);
    let times = world.signed_at();
    let watch = &world.hooks.watch;
    let cpu = |is: &dyn Fn(usize) -> bool| {
        let nodes = world.nodes().iter().enumerate();
        let of_role = nodes
            .filter(|(at, node)| is(*at) && !world.hooks.adversary.controls(node.seat))
            .map(|(_, node)| node.busy.as_secs_f64() * 1e3);
        let mut of_role: Vec<f64> = of_role.collect();
        of_role.sort_by(f64::total_cmp);
        of_role
    };
    let coordinates = |at: usize| watch.coordinators.contains(&at);
    let signs = |at: usize| watch.signers.contains(&at) && !coordinates(at);
    let live = world.honest().filter_map(|node| Some(node.session()?.live_attempts()));
    let first = times.map(|(first, _)| first.as_secs_f64());
    let report = Report {
        signers,
        threshold,
        faulty: attack.faulty().len(),
        attack: attack.name(),
        seed,
        round_trip_s: round_trip.as_secs_f64(),
        first_signed_s: first,
        all_signed_s: times.filter(|_| all_signed).map(|(_, last)| last.as_secs_f64()),
        round_trips: first.map(|first| first / round_trip.as_secs_f64()),
        attempts: live.max().unwrap_or(0),
        packages: world.hooks.counts.packages,
        messages: world.hooks.counts.total(),
        bytes: world.hooks.counts.bytes,
        by_kind: watch.by_kind(&world.hooks.counts.messages),
        proven: watch.proven.iter().map(|(seat, fault)| (seat.to_u16(), fault.clone())).collect(),
        coordinator_cpu_ms: cpu(&coordinates).last().copied(),
        signer_cpu_ms: median(&cpu(&signs)),
        observer_cpu_ms: median(&cpu(&|at| !coordinates(at) && !signs(at))),
        total_cpu_ms: cpu(&|_| true).iter().sum(),
    };
    (report, world)
}

fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

/// Which members coordinate and which sign, and how many bytes of each kind are sent.
#[derive(Debug, Default)]
struct Observer {
    coordinators: BTreeSet<usize>,
    signers: BTreeSet<usize>,
    proven: BTreeMap<Seat, String>,
    bytes: [usize; 8],
}

impl Observer {
    fn by_kind(&self, messages: &[usize; 8]) -> Vec<KindCount> {
        Kind::ALL
            .into_iter()
            .map(|kind| KindCount {
                kind: name_of(kind),
                messages: messages[kind as usize],
                bytes: self.bytes[kind as usize],
            })
            .filter(|count| count.messages > 0)
            .collect()
    }
}

/// A kind's name.
pub fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Proposal => "proposal",
        Kind::Commitments => "commitments",
        Kind::SigningPackage => "package",
        Kind::SignatureShare => "share",
        Kind::Signature => "signature",
        Kind::Want => "want",
        Kind::Refusal => "refusal",
        Kind::Evidence => "evidence",
    }
}

impl Watch<FrostEngine<ChaCha8Rng>> for Observer {
    fn sent(&mut self, _: Duration, packet: &Packet) {
        // The kind's number is the second byte of the body.
        if let Some(bytes) =
            packet.bytes.get(65).and_then(|kind| self.bytes.get_mut(usize::from(*kind)))
        {
            *bytes += packet.bytes.len();
        }
    }

    fn event(&mut self, _: Duration, node: usize, _: Seat, event: &Event) {
        match event {
            Event::PackageIssued { .. } => {
                self.coordinators.insert(node);
            }
            Event::ShareReleased { .. } => {
                self.signers.insert(node);
            }
            Event::Proven { finding, .. } => {
                self.proven.insert(finding.accused, finding.fault.to_string());
            }
            _ => {}
        }
    }

    fn step(&mut self, _: &Step<'_, FrostEngine<ChaCha8Rng>>) -> Result<(), Violation> {
        Ok(())
    }
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
        match (self.first_signed_s, self.all_signed_s, self.round_trips) {
            (Some(first), Some(all), Some(trips)) => {
                writeln!(
                    f,
                    "signed after {first:.3} s ({trips:.2} round trips), by all after {all:.3} s"
                )?;
            }
            (Some(first), ..) => writeln!(f, "signed after {first:.3} s, but not by all")?,
            _ => writeln!(f, "not signed within an hour")?,
        }
        writeln!(f, "{} attempts live, {} packages\n", self.attempts, self.packages)?;
        writeln!(f, "{:<12} {:>9} {:>12}", "kind", "messages", "bytes")?;
        for KindCount { kind, messages, bytes } in &self.by_kind {
            writeln!(f, "{kind:<12} {messages:>9} {bytes:>12}")?;
        }
        writeln!(f, "{:<12} {:>9} {:>12}\n", "all", self.messages, self.bytes)?;
        writeln!(f, "{:<12} {:>9}", "role", "CPU ms")?;
        let roles = [
            ("coordinator", self.coordinator_cpu_ms),
            ("signer", self.signer_cpu_ms),
            ("observer", self.observer_cpu_ms),
            ("all", Some(self.total_cpu_ms)),
        ];
        for (role, cpu) in roles {
            if let Some(cpu) = cpu {
                writeln!(f, "{role:<12} {cpu:>9.2}")?;
            }
        }
        for (seat, fault) in &self.proven {
            writeln!(f, "proven against seat {seat}: {fault}")?;
        }
        Ok(())
    }
}
