//! A thousand events for a server that is down, and for one that never answers, while the node is
//! killed in between.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    configure, propose,
    receiver::{Answer, Received, Receiver},
    webhook,
};
use crate::nodes::{
    api::post,
    support::{Group, free_ports, until},
};

/// As many as a hook keeps at most.
const EVENTS: usize = 1000;

/// So many requests are signed beside them.
const SIGNED: usize = 5;

/// The status of a hook.
fn hook(group: &Group, name: &str) -> Value {
    let hooks = group.tell(1, &["hooks", "--json"]).json();
    let mut all = hooks.as_array().unwrap().iter();
    all.find(|hook| hook["name"] == name).unwrap().clone()
}

/// Makes the events of these numbers: a token is made, and revoked by the next one.
fn make(group: &Group, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let name = token(number);
        let (status, answer) = match number % 2 {
            0 => post(group, 1, "/v1/tokens", &json!({ "name": name, "role": "reader" })),
            _ => post(group, 1, &format!("/v1/tokens/{name}/revoke"), &json!({})),
        };
        assert_eq!(status, 200, "{answer}");
    }
}

fn token(number: usize) -> String {
    format!("t{:04}", number / 2)
}

/// How long each of some requests takes from its proposal to its signature at the other node.
fn sign(group: &Group) -> Vec<Duration> {
    let one = |number: usize| {
        let begun = Instant::now();
        let session = propose(group, 0, &format!("text {number}"));
        group.approve(1, &session);
        group.request_in(0, &session, "signed");
        begun.elapsed()
    };
    (0..SIGNED).map(one).collect()
}

/// Kills the node once what it has stored last is on the disk, and starts it again.
fn kill(group: &Group) {
    // The deferred writes are there 50 ms later.
    std::thread::sleep(Duration::from_millis(500));
    group.kill(1);
    group.restart(1, &[]);
}

/// The messages that have come, each once, in the order in which they came first.
fn firsts(got: &[Received]) -> Vec<Received> {
    let mut seen = BTreeMap::new();
    got.iter().for_each(|one| *seen.entry(one.id.clone()).or_insert(0) += 1);
    let mut firsts: Vec<Received> = Vec::new();
    for one in got {
        if seen.remove(&one.id).is_some() {
            firsts.push(one.clone());
        }
    }
    firsts
}

#[test]
fn of_a_thousand_events_each_is_told_in_order_though_the_server_was_down_and_the_node_killed() {
    let group = Group::start("hook-thousand", 2, 2);
    let port = free_ports(2);
    let mute = Receiver::start(port + 1, |_| Answer::Hang);
    let ops = webhook(&group, 1, port, "\"operator-changed\"");
    let ops = ops.replace("[[hooks]]\n", "[[hooks]]\ndetail = \"summary\"\n");
    let on = "\"operator-changed\", \"request-waiting\", \"signed\"";
    let silent = webhook(&group, 1, port + 1, on).replace("\"ops\"", "\"mute\"");
    configure(&group, 1, &format!("{ops}{silent}"));

    // The server is down. The times at which it is tried again are those of a test without a
    // clock; what is shortened here is how long it is down.
    let begun = Instant::now();
    make(&group, 0..EVENTS / 2);
    kill(&group);
    let times = sign(&group);
    make(&group, EVENTS / 2..EVENTS);
    let down = begun.elapsed();
    let waits = hook(&group, "ops");
    assert_eq!((&waits["waiting"], &waits["dropped"]), (&json!(EVENTS), &json!(0)), "{waits}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(30)), "{times:?}");
    // One that never answers has more than are kept: what is dropped is counted.
    let all = EVENTS + 2 * SIGNED;
    let silent = hook(&group, "mute");
    assert_eq!(silent["waiting"], json!(EVENTS), "{silent}");
    assert_eq!(silent["dropped"], json!(all - EVENTS), "{silent}");
    assert_eq!(silent["delivered"], 0, "{silent}");
    assert!(!mute.got().is_empty());
    mute.got().iter().for_each(Received::check);

    // It is back, and the node is killed twice while it tells.
    let receiver = Receiver::start(port, |_| Answer::Status(200));
    let back = Instant::now();
    kill(&group);
    for part in [EVENTS / 4, EVENTS / 2] {
        until("a part is told", || (receiver.got().len() >= part).then_some(()));
        group.kill(1);
        group.restart(1, &[]);
    }
    until("all are told", || (hook(&group, "ops")["waiting"] == 0).then_some(()));
    let got = receiver.got();
    got.iter().for_each(Received::check);
    let firsts = firsts(&got);
    assert_eq!(firsts.len(), EVENTS, "each at least once, and no others");
    let mut bare = 0;
    for (number, message) in firsts.iter().enumerate() {
        assert_eq!(message.body["type"], "operator-changed");
        let text = message.body["data"]["body"].as_str().unwrap_or_default();
        // From the fourth attempt on every other one has no words.
        if text.contains("token") {
            assert!(text.contains(&token(number)), "number {number}: {text}");
        } else {
            bare += 1;
        }
    }
    assert!(bare <= 4, "{bare}");
    let counts = hook(&group, "ops");
    assert_eq!((&counts["dropped"], &counts["given_up"]), (&json!(0), &json!(0)), "{counts}");
    println!(
        "{EVENTS} events in {:.1} s with the server down; {SIGNED} signatures meanwhile took {:?}; \
         told in {:.1} s with 3 kills, {} messages, {} of them repeated, {bare} without words; the \
         server that never answers was called {} times, and {} of {all} were dropped",
        down.as_secs_f64(),
        times,
        back.elapsed().as_secs_f64(),
        got.len(),
        got.len() - EVENTS,
        mute.got().len(),
        silent["dropped"],
    );
}
