//! A group of daemons under load: signatures a second, time to a signature, CPU time and syncs of
//! each, and whether latency and memory stay the same while requests accumulate.
//!
//! Each node is a process with a store and an API, as `roastery local` starts them; every request
//! is made over the API of a node, and approved by the rules of the others. Linux only: what
//! processes take is read from `/proc`.
//!
//! ```console
//! $ cargo build --release -p roastery && cargo run --release -p roastery --example load
//! ```

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod kept;
mod nodes;
mod rest;
mod signing;

use clap::Parser;

use self::{nodes::Nodes, rest::rest, signing::sign};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The number of requests that are made one at a time, before all others.
const ONE_BY_ONE: usize = 100;

/// Has a group of daemons on this machine sign texts, and prints the resources used
#[derive(Parser)]
struct Options {
    /// How many texts are signed, proposed at one node; and as many proposed at all in turn
    #[arg(long, default_value_t = 5000)]
    requests: usize,
    /// How many are under way at once
    #[arg(long, default_value_t = 32)]
    at_once: usize,
    /// How many requests are then put into the store of node 0, as signed before
    #[arg(long, default_value_t = 100_000)]
    kept: usize,
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
    heading(&format!("{} of {} must sign; one at a time", options.threshold, options.signers));
    sign(&nodes, ONE_BY_ONE, 1, 1).await?;
    let mut made = ONE_BY_ONE;
    made += rest(&nodes, made).await?;

    let (count, at_once) = (options.requests, options.at_once);
    heading(&format!("{at_once} at once, asked of one node"));
    sign(&nodes, count, at_once, 1).await?;
    made += count;
    made += rest(&nodes, made).await?;

    heading(&format!("{at_once} at once, asked of all {} nodes in turn", options.signers));
    sign(&nodes, count, at_once, options.signers).await?;
    made += count;
    made += rest(&nodes, made).await?;

    if options.kept > 0 {
        let kept = options.kept;
        heading(&format!("{kept} more put into the store of node 0 while it is stopped"));
        let start = nodes.restart_with(kept)?;
        println!("  start        {:.1} s, of all nodes", start.as_secs_f64());
        sign(&nodes, count, at_once, 1).await?;
        rest(&nodes, made + count + kept).await?;
    }
    Ok(())
}

/// Prints a heading and the load of the machine: figures of a busy one say little.
fn heading(text: &str) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = load.split_whitespace().next().unwrap_or("unknown");
    println!("\n{text} (load {minute})");
}
