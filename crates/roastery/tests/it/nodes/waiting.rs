//! Requests that wait for their last approval.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    clock::Clock,
    support::{Group, until},
};

/// How long the last approval is waited for.
const WAIT: Duration = Duration::from_secs(30 * 60);

/// The longest time from the last approval to the signature, after any wait.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_request_that_waited_half_an_hour_is_signed_at_once_though_a_node_was_restarted() {
    let Some(mut clock) = Clock::of("waited") else { return };
    let environment = clock.environment();
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let group = Group::start_with("waited", 5, 3, &environment);
    let all: Vec<(&Group, usize)> = (0..5).map(|node| (&group, node)).collect();

    let sessions = [0, 1, 3].map(|restarted| {
        let session = group.propose(0, &format!("node {restarted} is restarted"));
        group.approve(1, &session);
        approved_by(&group, 0, &session, 2);
        (restarted, session)
    });
    clock.pass(WAIT, &all);
    for (restarted, session) in sessions {
        group.stop(restarted);
        group.restart(restarted, &environment);
        linked(&group, 5);
        signed_soon(&group, 2, &session, &[0, 1, 2]);
    }
    waited(&group, 2, WAIT);
}

#[test]
fn a_request_that_waited_half_an_hour_for_one_of_three_operators_is_signed_at_once() {
    let Some(mut clock) = Clock::of("operators") else { return };
    let environment = clock.environment();
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    // In one group all five seats must sign; in the other the operator of three is the last one.
    let all_seats = Group::of_seats_with("operators-5", &[3, 1, 1], 5, &environment);
    let three = Group::of_seats_with("operators-3", &[3, 1, 1], 3, &environment);
    let all: Vec<(&Group, usize)> = [&all_seats, &three]
        .into_iter()
        .flat_map(|group| (0..3).map(move |k| (group, k)))
        .collect();

    let with_all = all_seats.propose(0, "for the node of one seat");
    all_seats.approve(1, &with_all);
    approved_by(&all_seats, 0, &with_all, 4);
    let with_three = three.propose(1, "for the node of three seats");
    three.approve(2, &with_three);
    approved_by(&three, 1, &with_three, 2);
    clock.pass(WAIT, &all);
    for (group, restarted) in [(&all_seats, 0), (&three, 1)] {
        group.stop(restarted);
        group.restart(restarted, &environment);
        linked(group, 5);
    }
    signed_soon(&all_seats, 2, &with_all, &[0, 1, 2]);
    signed_soon(&three, 0, &with_three, &[0, 1, 2]);
    waited(&all_seats, 1, WAIT);
    waited(&three, 2, WAIT);
}

/// Approves a request at a node, and sees when which nodes have it signed.
fn signed_soon(group: &Group, last: usize, session: &str, nodes: &[usize]) {
    let begin = Instant::now();
    group.approve(last, session);
    for node in nodes {
        group.request_in(*node, session, "signed");
    }
    let took = begin.elapsed();
    println!("signed {took:.1?} after the last approval");
    assert!(took < SOON, "{took:?}");
}

/// Waits until a node knows of the approvals of so many seats.
fn approved_by(group: &Group, node: usize, session: &str, seats: usize) {
    until("the approvals are known", || {
        let request = group.request(node, session);
        (request["progress"]["approved_seats"] == json!(seats)).then_some(())
    });
}

/// Waits until each node is connected to each other one.
fn linked(group: &Group, seats: usize) {
    until("all nodes are connected", || {
        (group.status(0)["groups"][0]["reachable"] == json!(seats)).then_some(())
    });
}

/// A node that was not restarted has seen the time go by.
fn waited(group: &Group, node: usize, time: Duration) {
    let uptime = group.status(node)["uptime_seconds"].as_u64().unwrap();
    assert!(uptime >= time.as_secs(), "{uptime} s");
}
