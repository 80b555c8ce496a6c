use std::time::Duration;

use roastery_protocol::Seat;
use roastery_sim::keygen::{CrashPoint, Fault, Injection, Scenario, When};

use super::played;

/// Three of six at nodes with two, one and three seats.
fn several(seed: u64) -> Scenario {
    let mut scenario = Scenario::heal(seed, 3, 6);
    scenario.nodes = vec![2, 1, 3];
    scenario
}

fn seat(id: u32) -> Seat {
    Seat::new(id).unwrap()
}

#[test]
fn nodes_with_several_seats_make_a_key_and_sign_with_it() {
    for seed in 1..6 {
        let mut scenario = several(seed);
        scenario.session = true;
        let played = played(&scenario);
        let nodes: Vec<Seat> = played.done.into_keys().collect();
        assert_eq!(nodes, [seat(0), seat(2), seat(3)]);
        assert!(played.session);
    }
}

#[test]
fn a_node_with_several_seats_that_crashes_at_any_step_makes_its_key() {
    for after in 1..12 {
        let mut scenario = several(7);
        scenario.script = vec![(Duration::from_secs(2), Injection::Calm)];
        let (when, down) = (When::Step { after, leaving: 1 }, Duration::from_millis(30));
        scenario.crash_points.push(CrashPoint { seat: seat(3), when, down });
        assert_eq!(played(&scenario).done.len(), 3, "{after}");
    }
}

#[test]
fn nodes_with_several_seats_find_a_member_that_deals_a_bad_share_to_one_of_them() {
    // Its first message goes to another coordinator.
    let others = (1..).map(several).find(|scenario| scenario.order()[0] != seat(2));
    let mut scenario = others.unwrap();
    scenario.faults.insert(seat(2), Fault::BadShareToOne);
    assert!(!played(&scenario).found.is_empty());
}
