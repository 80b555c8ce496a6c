//! The load during the faults: programs that propose requests, and an operator who decides by hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bitcoin::base64::{Engine as _, prelude::BASE64_STANDARD};
use roastery_bitcoin::wallet::{Branch, Wallet};
use roastery_protocol::group::Group;
use roastery_testkit::payments::{elsewhere, pay, spending};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::chaos::{
    PATIENCE,
    books::Books,
    chance::Chance,
    nodes::{BY_HAND, Nodes},
};

/// The amount of each transaction, in satoshi.
pub(crate) const AMOUNT: u64 = 61_000;

/// The nodes at which requests are proposed.
const PROPOSERS: [usize; 3] = [0, 1, 3];

/// Proposes requests until the end.
pub(crate) fn begin(
    nodes: &Arc<Nodes>,
    books: &Arc<Books>,
    chance: &mut Chance,
    end: Instant,
) -> Vec<JoinHandle<()>> {
    let group = Arc::new(Group::decode(&nodes.group_file()).unwrap());
    let wallet = Arc::new(Wallet::new(group).unwrap());
    let mut tasks: Vec<_> = PROPOSERS
        .into_iter()
        .map(|node| {
            let (nodes, books, wallet) = (nodes.clone(), books.clone(), wallet.clone());
            let chance = Chance::of(chance.next(), 0);
            tokio::spawn(ask(nodes, books, wallet, chance, node, end))
        })
        .collect();
    let chance = Chance::of(chance.next(), 0);
    tasks.push(tokio::spawn(decide(nodes.clone(), books.clone(), chance, end)));
    tasks
}

async fn ask(
    nodes: Arc<Nodes>,
    books: Arc<Books>,
    wallet: Arc<Wallet>,
    mut chance: Chance,
    node: usize,
    end: Instant,
) {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    while Instant::now() < end {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (what, amount) = match chance.within(0, 4) {
            0 => (json!({"psbt": transaction(&wallet, number)}), AMOUNT),
            _ => (json!({"text": format!("text {number}")}), 0),
        };
        // A request that was not acknowledged may be lost.
        if let Ok(request) = nodes.post(node, "/v1/groups/local/requests", &what).await {
            books.acknowledged(node, session(&request), amount);
        }
        tokio::time::sleep(Duration::from_millis(chance.within(100, 700))).await;
    }
}

/// Spends a coin that no other transaction spends.
fn transaction(wallet: &Wallet, number: u64) -> String {
    let ours = wallet.script(Branch::Receive, 0).unwrap();
    let back = wallet.script(Branch::Change, 0).unwrap();
    let spent = [pay(100_000 + number, ours)];
    let psbt = spending(&spent, vec![pay(60_000, elsewhere()), pay(39_000 + number, back)]);
    BASE64_STANDARD.encode(psbt.serialize())
}

/// The operator: approves some of the waiting requests and rejects some.
async fn decide(nodes: Arc<Nodes>, books: Arc<Books>, mut chance: Chance, end: Instant) {
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(chance.within(100, 800))).await;
        let Ok(waiting) = nodes.get(BY_HAND, "/v1/requests?state=proposed").await else { continue };
        for request in list(&waiting).iter().take(3) {
            let session = session(request);
            let at = format!("/v1/requests/{session}");
            match chance.within(0, 3) {
                0 => {}
                1 => {
                    let approve = format!("{at}/approve");
                    if nodes.post(BY_HAND, &approve, &json!({})).await.is_ok() {
                        books.approved(session);
                    }
                }
                _ => {
                    let reject = format!("{at}/reject");
                    let note = json!({"note": "by chance"});
                    let said = nodes.post(BY_HAND, &reject, &note).await;
                    if said.is_ok_and(|said| said["state"] == "refused") {
                        books.rejected(session);
                    }
                }
            }
        }
    }
}

/// After all faults have ended a further request is signed, and all nodes know it.
pub(crate) async fn settle(nodes: &Arc<Nodes>, books: &Arc<Books>) {
    let begun = Instant::now();
    let what = json!({"text": "the last one"});
    let asked = nodes.post(0, "/v1/groups/local/requests", &what).await;
    let Ok(request) = asked else {
        return books.violation(format!("after all faults nothing can be asked: {asked:?}"));
    };
    let at = format!("/v1/requests/{}", session(&request));
    loop {
        let state = nodes.get(0, &at).await.map(|request| request["state"].clone());
        if state.as_ref().is_ok_and(|state| state == "signed") {
            return;
        }
        if begun.elapsed() > PATIENCE {
            return books.violation(format!("after all faults nothing is signed: {state:?}"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

pub(crate) fn session(request: &Value) -> String {
    request["session"].as_str().unwrap_or_default().to_owned()
}

/// The requests of an answer with a list.
pub(crate) fn list(answer: &Value) -> Vec<Value> {
    let listed = answer.as_array().or_else(|| answer["requests"].as_array());
    listed.cloned().unwrap_or_default()
}
