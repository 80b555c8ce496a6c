//! A node goes on with a memory that was saved, as of a virtual machine.

use std::time::Duration;

use roastery_protocol::member::machine::RequestOrigin;
use roastery_sim::{
    signing::{Action, Injection, Invariant, Scenario, play, scenario::Aim},
    trace::Detail,
    violation::Violation,
};

use super::{APPROVED, calm};

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
