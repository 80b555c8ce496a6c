//! Latency of answers and memory with so many requests kept.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time::sleep};

use crate::{Failure, nodes::Nodes};

/// The number of measurements of each kind.
const TIMES: usize = 101;

/// The number of concurrent queries of the status.
const LOOKING: usize = 60;

/// Measures the node that is asked first. The commands make some further requests, whose number is
/// returned.
pub(crate) async fn rest(nodes: &Nodes, kept: usize) -> Result<usize, Failure> {
    // Requests in progress end, and the memory of the last answers is freed.
    sleep(Duration::from_secs(2)).await;
    let client = nodes.client(0);
    let mut times = Vec::new();
    for path in ["/v1/status", "/v1/requests", "/v1/requests?state=proposed"] {
        let mut all = Vec::new();
        for _ in 0..TIMES {
            let begun = Instant::now();
            client.bytes(path).await?;
            all.push(begun.elapsed());
        }
        times.push(format!("{path} {}", median(all)));
    }
    println!("  with {kept} kept at node 0");
    println!("    API        {}", times.join(", "));
    let mut times = Vec::new();
    for arguments in [
        &["status"][..],
        &["requests"],
        &["sign", "--group", "local", "--text", "one more", "--wait", "0"],
    ] {
        let mut all = Vec::new();
        for _ in 0..TIMES {
            all.push(nodes.command(0, arguments)?);
        }
        let shown = if arguments[0] == "sign" { "sign --wait 0" } else { arguments[0] };
        times.push(format!("{shown} {}", median(all)));
    }
    println!("    commands   {}, each a process", times.join(", "));
    look_at_once(nodes).await?;
    let memory: Vec<String> = nodes.memory().await?.into_iter().map(mebibytes).collect();
    println!("    memory     {} MiB, of each node", memory.join(", "));
    Ok(TIMES)
}

/// Queries the status many times at once, and prints what that adds to the memory.
async fn look_at_once(nodes: &Nodes) -> Result<(), Failure> {
    let process = nodes.process(0).await?;
    process.forget_peak()?;
    let before = process.memory_kib("VmRSS:")?;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..LOOKING {
        let client = nodes.client(0);
        tasks.spawn(async move { client.bytes("/v1/status").await.map(drop) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let more = process.memory_kib("VmHWM:")?.saturating_sub(before);
    println!("    {LOOKING} status  in {took:.1} ms at once, with {} MiB more", mebibytes(more));
    Ok(())
}

fn mebibytes(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}

fn median(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let middle = all.get(all.len() / 2).copied().unwrap_or_default();
    format!("{:.1} ms", middle.as_secs_f64() * 1e3)
}
