//! The acknowledged requests, and whether they are unchanged at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::chaos::{
    PATIENCE,
    nodes::{BY_HAND, LIMITED, MOST_PER_DAY, MOST_PER_HOUR, Nodes},
};

#[derive(Default)]
pub(crate) struct Books(Mutex<Content>);

#[derive(Default)]
struct Content {
    /// Where each was proposed, and its amount.
    acknowledged: BTreeMap<String, (usize, u64)>,
    approved: BTreeSet<String>,
    rejected: BTreeSet<String>,
    faults: BTreeMap<&'static str, usize>,
    skipped: Vec<&'static str>,
    probes: BTreeMap<Probe, usize>,
    ended: BTreeMap<String, usize>,
    shares_of_the_limited: usize,
    spent_by_the_limited: u64,
    violations: Vec<String>,
}

/// The result of a probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Probe {
    Healthy,
    Ill,
    Hurt,
}

impl Books {
    fn open(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap()
    }

    pub(crate) fn acknowledged(&self, node: usize, session: String, amount: u64) {
        self.open().acknowledged.insert(session, (node, amount));
    }

    pub(crate) fn approved(&self, session: String) {
        self.open().approved.insert(session);
    }

    pub(crate) fn rejected(&self, session: String) {
        let mut content = self.open();
        content.approved.remove(&session);
        content.rejected.insert(session);
    }

    pub(crate) fn fault(&self, kind: &'static str) {
        *self.open().faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn skip(&self, kind: &'static str) {
        self.open().skipped.push(kind);
    }

    pub(crate) fn probe(&self, probe: Probe) {
        *self.open().probes.entry(probe).or_default() += 1;
    }

    pub(crate) fn violation(&self, what: String) {
        println!("Violation     {what}");
        self.open().violations.push(what);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.open().violations.clone()
    }

    /// Checks that everything is as it was acknowledged.
    pub(crate) async fn check(&self, nodes: &Nodes) {
        self.check_requests(nodes).await;
        self.check_decisions(nodes).await;
        self.check_limits(nodes).await;
    }

    async fn check_requests(&self, nodes: &Nodes) {
        let acknowledged = self.open().acknowledged.clone();
        for (session, (node, _)) in acknowledged {
            match nodes.get(node, &format!("/v1/requests/{session}")).await {
                Ok(request) => {
                    let state = request["state"].as_str().unwrap_or("none").to_owned();
                    *self.open().ended.entry(state).or_default() += 1;
                }
                Err(error) => {
                    self.violation(format!(
                        "{session}, asked for at node {node}, is lost: {error}"
                    ));
                }
            }
        }
    }

    async fn check_decisions(&self, nodes: &Nodes) {
        let (approved, rejected) = {
            let content = self.open();
            (content.approved.clone(), content.rejected.clone())
        };
        let (shares, acts) = (log(nodes, BY_HAND).await, acts(nodes, BY_HAND).await);
        for session in rejected {
            // An approval that had no answer may have taken effect before.
            let before =
                acts.iter().find(|act| act["act"] == "rejected" && act["session"] == session);
            let Some(before) = before.and_then(|act| act["shares"].as_u64()) else {
                self.violation(format!("{session} was rejected, which is not in the log"));
                continue;
            };
            let mut given = shares.iter().filter(|share| share["session"] == session);
            if given.any(|share| share["number"].as_u64().is_none_or(|number| number >= before)) {
                self.violation(format!("a share was given for {session} after it was rejected"));
            }
            let state = state(nodes, BY_HAND, &session).await;
            if !["refused", "signed"].contains(&state.as_str()) {
                self.violation(format!("{session} was rejected, and is {state}"));
            }
        }
        for session in approved {
            let state = state(nodes, BY_HAND, &session).await;
            if ["proposed", "refused", "none"].contains(&state.as_str()) {
                self.violation(format!("{session} was approved, and is {state}"));
            }
        }
    }

    async fn check_limits(&self, nodes: &Nodes) {
        let signed_for = sessions(&log(nodes, LIMITED).await);
        let spent = {
            let content = self.open();
            let amounts = signed_for.iter().filter_map(|id| content.acknowledged.get(id));
            amounts.map(|(_, amount)| amount).sum::<u64>()
        };
        if signed_for.len() > MOST_PER_HOUR {
            let count = signed_for.len();
            self.violation(format!("{count} in an hour, where {MOST_PER_HOUR} are allowed"));
        }
        if spent > MOST_PER_DAY {
            self.violation(format!("{spent} sat in a day, where {MOST_PER_DAY} are allowed"));
        }
        let mut content = self.open();
        content.shares_of_the_limited = signed_for.len();
        content.spent_by_the_limited = spent;
    }

    /// A table of the events, for people.
    pub(crate) fn table(&self) -> String {
        let content = self.open();
        let mut lines = Vec::new();
        let mut line = |name: &str, text: String| lines.push(format!("{name:<14}{text}"));
        let counted = |counts: &mut dyn Iterator<Item = (String, usize)>| {
            counts.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        };
        let mut faults = content.faults.iter().map(|(name, count)| ((*name).to_owned(), *count));
        line("Faults", counted(&mut faults));
        if !content.skipped.is_empty() {
            line("Skipped", content.skipped.join(", "));
        }
        let mut ended = content.ended.iter().map(|(name, count)| (name.clone(), *count));
        line(
            "Requests",
            format!("{} acknowledged: {}", content.acknowledged.len(), counted(&mut ended)),
        );
        line(
            "By hand",
            format!("{} approved, {} rejected", content.approved.len(), content.rejected.len()),
        );
        let (shares, spent) = (content.shares_of_the_limited, content.spent_by_the_limited);
        line(
            "Limits",
            format!(
                "{shares} of {MOST_PER_HOUR} in an hour, {spent} of {MOST_PER_DAY} sat in a day"
            ),
        );
        let of = |probe| content.probes.get(&probe).copied().unwrap_or_default();
        line(
            "Probes",
            format!(
                "{} healthy and true, {} ill, {} while hurt",
                of(Probe::Healthy),
                of(Probe::Ill),
                of(Probe::Hurt)
            ),
        );
        line("Violations", content.violations.len().to_string());
        lines.join("\n")
    }
}

/// The audit log: each share that has left a node.
async fn log(nodes: &Nodes, node: usize) -> Vec<Value> {
    pages(nodes, node, "/v1/log", Value::as_array).await
}

/// What was asked of a node, in one order with its shares.
async fn acts(nodes: &Nodes, node: usize) -> Vec<Value> {
    pages(nodes, node, "/v1/audit", |page| page["acts"].as_array()).await
}

/// All entries of a list, which the node gives page by page.
async fn pages(
    nodes: &Nodes,
    node: usize,
    path: &str,
    entries: impl Fn(&Value) -> Option<&Vec<Value>>,
) -> Vec<Value> {
    let (begun, mut all) = (Instant::now(), Vec::new());
    loop {
        let page = nodes.get(node, &format!("{path}?from={}&limit=500", all.len())).await;
        match page.as_ref().ok().and_then(&entries) {
            Some(page) if page.is_empty() => return all,
            Some(page) => all.extend(page.iter().cloned()),
            None => {
                assert!(begun.elapsed() < PATIENCE, "no {path} of node {node}: {page:?}");
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
    }
}

fn sessions(log: &[Value]) -> BTreeSet<String> {
    log.iter().filter_map(|entry| Some(entry["session"].as_str()?.to_owned())).collect()
}

async fn state(nodes: &Nodes, node: usize, session: &str) -> String {
    let known = nodes.get(node, &format!("/v1/requests/{session}")).await;
    known.map_or_else(
        |_| "none".to_owned(),
        |request| request["state"].as_str().unwrap_or("none").to_owned(),
    )
}
