//! Texts that are signed, and the resources that takes.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use roastery_service::{
    api::Client,
    view::{Propose, Request, State},
};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    Failure,
    nodes::{Nodes, Taken},
};

/// The timeout of one request.
const PATIENCE: Duration = Duration::from_secs(120);

/// Has so many texts signed, so many at once, proposed at these first nodes in turn, and prints the
/// resources used.
pub(crate) async fn sign(
    nodes: &Nodes,
    count: usize,
    at_once: usize,
    proposers: usize,
) -> Result<(), Failure> {
    let before = nodes.taken().await?;
    let signing = sign_all(nodes, count, at_once, proposers).await?;
    signing.report(&nodes.taken().await?.since(&before), nodes.count());
    Ok(())
}

/// The outcomes of requests, and how long each took.
struct Signing {
    times: Vec<Duration>,
    states: BTreeMap<String, usize>,
    took: Duration,
}

async fn sign_all(
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

impl Signing {
    fn report(&self, taken: &Taken, nodes: usize) {
        let count = self.times.len().max(1);
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let part = |part: usize| {
            let at = (self.times.len() * part / 100).min(self.times.len().saturating_sub(1));
            self.times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        let each = |all: f64| all / count as f64;
        println!("  requests     {}", states.join(", "));
        println!("  a second     {:.1}", count as f64 / self.took.as_secs_f64());
        println!("  time         median {:.1} ms, 95 % within {:.1} ms", part(50), part(95));
        println!("  CPU          {:.2} ms a signature, over {nodes} nodes", each(taken.cpu_ms));
        println!("  disk         {:.2} syncs a signature, over {nodes} nodes", each(taken.syncs));
    }
}
