//! A node goes on with a memory that was saved, as of a virtual machine.

use std::time::Duration;

use roastery_protocol::member::machine::RequestOrigin;
use roastery_sim::{
    signing::{Action, Injection, Invariant, Scenario, play, scenario::Aim},
    trace::Detail,
    violation::Violation,
};

use super::{APPROVED, calm, order};

const SAVED: Duration = Duration::from_millis(1_500);

/// Whether the nodes are told that their memories are used again.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Yes,
    No,
}

/// Both nodes of a 2-of-2 sign, go on with their memories of before that, and sign once more.
fn both_go_back(restored: Duration, told: Told) -> Option<Violation<Invariant>> {
    let mut scenario: Scenario = calm(2, 2);
    scenario.aim = Aim::Safe;
    let nodes: Vec<_> = scenario.first_seats().into_keys().collect();
    let again = restored + Duration::from_secs(1);
    for (at, _) in scenario.script.iter_mut().filter(|(_, what)| *what == Injection::Calm) {
        *at = again;
    }
    for &node in &nodes {
        scenario.script.push((SAVED, Injection::Save(node)));
    }
    for &node in &nodes {
        scenario.script.push((restored, Injection::Restore(node)));
        if told == Told::Yes {
            scenario.script.push((restored, Injection::Act(node, Action::VoidStock)));
        }
    }
    for &node in &nodes {
        let approve = Action::Approve { request: 0, origin: RequestOrigin::Waited };
        scenario.script.push((again, Injection::Act(node, approve)));
    }
    scenario.script.sort_by_key(|(at, _)| *at);
    let played = play(&scenario, Detail::Hash);
    if played.violation.is_none() {
        assert_eq!(played.signatures, 2, "signed once more after {restored:?}");
    }
    played.violation
}

#[test]
fn a_memory_that_is_used_again_after_more_than_ten_seconds_uses_no_nonce_twice() {
    assert_eq!(both_go_back(SAVED + Duration::from_secs(12), Told::No), None);
    assert_eq!(both_go_back(SAVED + Duration::from_secs(3_600), Told::No), None);
}

#[test]
fn a_memory_whose_node_is_told_that_it_is_used_again_uses_no_nonce_twice() {
    assert_eq!(both_go_back(APPROVED + Duration::from_secs(2), Told::Yes), None);
}

/// Why a memory is not to be used again: nothing in it shows that it was, within ten seconds. A
/// signer's nonce answers another package.
#[test]
fn memories_that_are_used_again_at_once_and_untold_answer_twice_with_one_nonce() {
    let violation = both_go_back(APPROVED + Duration::from_secs(2), Told::No);
    assert_eq!(violation.map(|what| what.invariant), Some(Invariant::OneNonceOneEquation));
}

/// The memory is of a coordinator that knows slots of all signers and is not linked to one of them.
/// Linked, it issues its first package; it would issue another one of the same number if it were
/// linked again before it is told that its memory is used again.
#[test]
fn a_coordinator_that_is_told_before_it_is_linked_issues_no_second_package_of_a_number() {
    let mut scenario: Scenario = calm(3, 3);
    scenario.aim = Aim::Safe;
    for (at, _) in scenario.script.iter_mut().filter(|(_, what)| *what == Injection::Calm) {
        *at = Duration::from_secs(12);
    }
    let order = order(&scenario);
    let (coordinator, away) = (order[0], order[2]);
    let second = |seconds| APPROVED + Duration::from_secs(seconds);
    scenario.script.extend([
        (SAVED, Injection::CutOff(vec![away])),
        (second(2), Injection::Save(coordinator)),
        (second(3), Injection::Join(coordinator, away)),
        (second(6), Injection::Restore(coordinator)),
        (second(6), Injection::Act(coordinator, Action::VoidStock)),
    ]);
    scenario.script.sort_by_key(|(at, _)| *at);
    let played = play(&scenario, Detail::Lines);
    let lines = played.lines.join("\n");
    assert!(played.violation.is_none(), "{:?}\n{lines}", played.violation);
    let own = format!("seat {:2} (node", coordinator.index());
    let issues = |line: &&String| line.contains(&own) && line.contains("issues package 0");
    let issued: Vec<_> = played.lines.iter().filter(issues).collect();
    assert_eq!(issued.len(), 2, "once before, and once as it is told: {lines}");
}
