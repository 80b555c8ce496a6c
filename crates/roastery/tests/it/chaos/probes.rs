//! Whether health reports the truth.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::chaos::{
    SIZE,
    books::{Books, Probe},
    nodes::{Health, Nodes},
};

/// The time within which a fault must be reported, on a loaded machine.
const NOTICED: Duration = Duration::from_secs(20);

/// The time within which a node must be healthy after a fault.
const RECOVERED: Duration = Duration::from_secs(60);

/// Asks all nodes for their health until the end.
pub(crate) fn begin(nodes: &Arc<Nodes>, books: &Arc<Books>, end: Instant) -> JoinHandle<()> {
    let (nodes, books) = (nodes.clone(), books.clone());
    tokio::spawn(async move {
        while Instant::now() < end {
            for node in 0..SIZE {
                books.probe(probe(&nodes, &books, node).await);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
}

/// Probes a node that has had no fault, or one and the same, for long enough to know it. A healthy
/// answer is true if a request can be proposed then, which is stored before the answer; an
/// unhealthy one if there was a fault.
async fn probe(nodes: &Nodes, books: &Books, node: usize) -> Probe {
    let before = nodes.at_peace_for(node);
    let health = nodes.health(node).await;
    if before.is_none() {
        return Probe::Hurt;
    }
    match health {
        Health::Well => {
            let what = json!({"text": "a probe", "expires_in": 60});
            let asked = nodes.post(node, "/v1/groups/local/requests", &what).await;
            let after = nodes.at_peace_for(node);
            let calm = before.zip(after);
            match asked {
                Ok(_) => Probe::Healthy,
                // A refusal at a limit is an answer of a healthy node.
                Err(said) if said.contains("policy") => Probe::Healthy,
                Err(said) => match calm {
                    Some((before, after)) if before >= NOTICED && after >= before => {
                        books.violation(format!("node {node} says it is well, and: {said}"));
                        Probe::Healthy
                    }
                    _ => Probe::Hurt,
                },
            }
        }
        Health::Ill(_) | Health::NoAnswer => {
            let calm = before.zip(nodes.at_peace_for(node));
            if calm.is_some_and(|(before, after)| before >= RECOVERED && after >= before) {
                books.violation(format!("node {node} was left alone, and says {health:?}"));
            }
            Probe::Ill
        }
    }
}
