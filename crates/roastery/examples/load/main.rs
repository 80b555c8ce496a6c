//! What a group of daemons does under load: signatures a second, time to a signature, CPU and waits
//! for the disk of each, and whether answers and memory stay as they are while requests accumulate.
//!
//! Each node is a process with a store and an API, as `roastery local` starts them; every request
//! is made over the API of a node, and approved by the rules of the others. Linux only: what
//! processes take is read from `/proc`.
//!
//! ```console
//! $ cargo build --release -p roastery && cargo run --release -p roastery --example load
//! ```

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod nodes;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use roastery_service::{
    api::Client,
    view::{Propose, Request, State},
};
use tokio::{sync::Semaphore, task::JoinSet};

use self::nodes::{Nodes, Taken};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many requests are made one at a time.
const ONE_BY_ONE: usize = 100;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Has a group of daemons on this machine sign texts, and says what that takes
#[derive(Parser)]
struct Options {
    /// How many texts are signed
    #[arg(long, default_value_t = 5000)]
    requests: usize,
    /// How many are under way at once
    #[arg(long, default_value_t = 32)]
    at_once: usize,
    /// How many nodes are asked, in turn
    #[arg(long, default_value_t = 1)]
    proposers: usize,
    /// How many nodes there are
    #[arg(long, default_value_t = 5)]
    signers: usize,
    /// How many must sign
    #[arg(long, default_value_t = 3)]
    threshold: usize,
    /// The first of the ports, of which each node takes one
    #[arg(long, default_value_t = 7600)]
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let nodes = Nodes::start(&options)?;
    println!("{} of {} must sign; one text at a time", options.threshold, options.signers);
    let proposers = options.proposers.clamp(1, options.signers);
    let before = nodes.taken().await?;
    let alone = sign(&nodes, ONE_BY_ONE, 1, proposers).await?;
    report(&alone, &nodes.taken().await?.since(&before), options.signers);
    rest(&nodes, ONE_BY_ONE).await?;

    println!("\n{} at once, asked of {proposers} of the nodes", options.at_once);
    let before = nodes.taken().await?;
    let together = sign(&nodes, options.requests, options.at_once, proposers).await?;
    report(&together, &nodes.taken().await?.since(&before), options.signers);
    rest(&nodes, ONE_BY_ONE + options.requests).await
}

/// What became of requests, and how long each took.
struct Signing {
    times: Vec<Duration>,
    states: BTreeMap<String, usize>,
    took: Duration,
}

/// Has so many texts signed, so many at once, asked of these first nodes in turn.
async fn sign(
    nodes: &Nodes,
    count: usize,
    at_once: usize,
    proposers: usize,
) -> Result<Signing, Failure> {
    let room = Arc::new(Semaphore::new(at_once));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let turn = room.clone().acquire_owned().await?;
        let client = nodes.client(number % proposers);
        tasks.spawn(async move {
            let begun = Instant::now();
            let state = sign_one(&client, number).await;
            drop(turn);
            (state, begun.elapsed())
        });
    }
    let (mut times, mut states) = (Vec::new(), BTreeMap::new());
    while let Some(done) = tasks.join_next().await {
        let (state, time) = done?;
        let state = match state {
            Ok(state) => state.to_string(),
            Err(error) => error.to_string(),
        };
        *states.entry(state).or_default() += 1;
        times.push(time);
    }
    times.sort_unstable();
    Ok(Signing { times, states, took: begun.elapsed() })
}

async fn sign_one(client: &Client, number: usize) -> Result<State, Failure> {
    let text = Some(format!("text {number}"));
    let what = Propose { text, ..Propose::default() };
    let mut request: Request = client.post("/v1/groups/local/requests", &what).await?;
    let begun = Instant::now();
    while matches!(request.state, State::Proposed | State::Approved) && begun.elapsed() < PATIENCE {
        request = client.get(&format!("/v1/requests/{}?wait=20", request.session)).await?;
    }
    Ok(request.state)
}

fn report(signing: &Signing, taken: &Taken, nodes: usize) {
    let count = signing.times.len().max(1);
    let states: Vec<String> =
        signing.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let part = |part: usize| {
        let at = (signing.times.len() * part / 100).min(signing.times.len().saturating_sub(1));
        signing.times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    let each = |all: f64| all / count as f64;
    println!("  requests     {}", states.join(", "));
    println!("  a second     {:.1}", count as f64 / signing.took.as_secs_f64());
    println!("  time         median {:.1} ms, 95 % within {:.1} ms", part(50), part(95));
    println!("  CPU          {:.2} ms a signature, over {nodes} nodes", each(taken.cpu_ms));
    println!("  disk         {:.2} syncs a signature, over {nodes} nodes", each(taken.syncs));
}

/// How answers and memory are with so many requests kept.
async fn rest(nodes: &Nodes, kept: usize) -> Result<(), Failure> {
    let client = nodes.client(0);
    let mut times = Vec::new();
    for path in ["/v1/status", "/v1/requests", "/v1/requests?state=proposed"] {
        let mut all = Vec::new();
        for _ in 0..21 {
            let begun = Instant::now();
            client.bytes(path).await?;
            all.push(begun.elapsed());
        }
        all.sort_unstable();
        times.push(format!("{path} {:.1} ms", all[all.len() / 2].as_secs_f64() * 1e3));
    }
    let memory = nodes.taken().await?.memory_kib as f64 / 1024.0;
    println!("  {kept} kept: {}; {memory:.1} MiB of memory in node 0", times.join(", "));
    Ok(())
}
