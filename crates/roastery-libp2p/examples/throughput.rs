//! A group of five, of whom three must sign, in one process: many sessions at once, one signature
//! each. How many a second, how long each takes, what one costs in CPU time, and what memory the
//! process takes as sessions go by.
//!
//! `cargo run --release -p roastery-libp2p --example throughput -- --sessions 10000
//! --at-once 64`
//!
//! With `--p2p` the nodes send over TCP on 127.0.0.1, each through a channel of a mux, as a
//! service does. All figures are those of all five nodes together. Linux only: memory and CPU time
//! are read in /proc.

mod connected;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use roastery_node::{
    bus::{
        Mesh,
        mux::{Mux, MuxLimits, Topic},
    },
    driver::NodeHandle,
};
use roastery_protocol::group::{Group, PeerId};
use roastery_testkit::demo::{self, Result, deal, sign};
use tokio::{sync::mpsc, task::JoinSet};

use crate::connected::bound;

const SIGNERS: usize = 5;
const THRESHOLD: usize = 3;

/// The number of sessions between two measurements of the memory.
const SAMPLE: usize = 1000;

struct Asked {
    sessions: usize,
    at_once: usize,
    p2p: bool,
}

impl Asked {
    fn from_arguments() -> Result<Self> {
        let mut asked = Self { sessions: 10_000, at_once: 64, p2p: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut number =
                || -> Result<usize> { Ok(arguments.next().ok_or("a number is missing")?.parse()?) };
            match name.as_str() {
                "--sessions" => asked.sessions = number()?,
                "--at-once" => asked.at_once = number()?,
                "--p2p" => asked.p2p = true,
                _ => return Err(format!("{name} is not known").into()),
            }
        }
        Ok(asked)
    }
}

type Nodes = (Arc<Group>, Vec<NodeHandle>);

fn on_a_mesh() -> Result<Nodes> {
    let (mesh, peers) = (Mesh::default(), demo::peers(SIGNERS)?);
    let (group, members) = deal(THRESHOLD, &peers)?;
    let buses = peers.into_iter().map(|peer| mesh.join(peer));
    let buses = buses.collect::<std::result::Result<Vec<_>, _>>()?;
    Ok((group, demo::start(members, buses)?))
}

async fn over_connections() -> Result<Nodes> {
    let (endpoints, roster) = bound(SIGNERS, &"/ip4/127.0.0.1/tcp/0".parse()?).await?;
    let peers: Vec<PeerId> = endpoints.iter().map(|endpoint| endpoint.peer().clone()).collect();
    let (group, members) = deal(THRESHOLD, &peers)?;
    let mut channels = Vec::new();
    for endpoint in endpoints {
        let bus = endpoint.join(roster.clone())?;
        // A mux sees who is connected only if it has the bus from the beginning.
        let (mux, handle) = Mux::new(bus, MuxLimits::default())?;
        channels.push(handle.open(Topic::Group(group.id()), peers.clone())?);
        tokio::spawn(mux.run());
    }
    Ok((group, demo::start(members, channels)?))
}

/// The resident memory of the process, in KiB.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// The CPU time that the process has used.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in front may hold anything; user and system time are the 12th and 13th after it, in
    // hundredths of seconds.
    let fields = stat.rsplit(')').next().ok_or("no fields")?;
    let times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let hundredths: std::result::Result<u64, _> = times.sum();
    Ok(Duration::from_millis(10 * hundredths?))
}

async fn measure((group, nodes): Nodes, asked: &Asked) -> Result<()> {
    // What every process allocates once is allocated before the first measurement.
    sign(&group, &nodes, u64::MAX).await?;
    let next = Arc::new(AtomicU64::new(0));
    let (signed, mut all_signed) = mpsc::unbounded_channel();
    let (cpu_before, start) = (cpu()?, Instant::now());
    let mut asking = JoinSet::new();
    for _ in 0..asked.at_once {
        let (group, nodes) = (group.clone(), nodes.clone());
        let (next, signed) = (next.clone(), signed.clone());
        let sessions = asked.sessions as u64;
        asking.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= sessions {
                    return Ok(());
                }
                signed.send(sign(&group, &nodes, number).await?.took)?;
            }
        });
    }
    drop(signed);
    println!("{:>8} sessions: {:>7} KiB resident", 0, resident()?);
    let mut times = Vec::with_capacity(asked.sessions);
    while let Some(time) = all_signed.recv().await {
        times.push(time);
        if times.len().is_multiple_of(SAMPLE) {
            println!("{:>8} sessions: {:>7} KiB resident", times.len(), resident()?);
        }
    }
    let (took, cpu) = (start.elapsed(), cpu()? - cpu_before);
    asking.join_all().await.into_iter().collect::<Result<()>>()?;
    times.sort();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("{:.0} signatures a second", times.len() as f64 / took.as_secs_f64());
    println!(
        "{:.1?} until all have a signature (median), {:.1?} (95th percentile)",
        at(50),
        at(95)
    );
    println!("{:.2?} of CPU time for each signature", cpu / times.len().max(1) as u32);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let asked = Asked::from_arguments()?;
    let over = if asked.p2p { "over TCP" } else { "inside the process" };
    println!("{THRESHOLD}-of-{SIGNERS} {over}, {} sessions at once", asked.at_once);
    let nodes = if asked.p2p { over_connections().await? } else { on_a_mesh()? };
    measure(nodes, &asked).await
}
