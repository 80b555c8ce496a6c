//! What signers do that do not follow the protocol.

use std::time::Duration;

use roastery_protocol::member::proof::FaultKind;
use roastery_sim::signing::Behaviour;

use super::{calm, corrupt, played, proven};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A 3-of-5 in which the two members that coordinate last behave so.
fn two(behaviour: Behaviour) -> (super::Scenario, [super::Seat; 2]) {
    let mut scenario = calm(3, 5);
    let seats = [corrupt(&mut scenario, 3, behaviour), corrupt(&mut scenario, 4, behaviour)];
    (scenario, seats)
}

#[test]
fn two_that_give_no_shares_cost_two_packages_at_most() {
    let (scenario, _) = two(Behaviour::Withholds);
    let played = played(&scenario);
    assert!(played.packages <= 4 && played.took < Some(ms(800)), "{:?}", played.took);
}

#[test]
fn members_that_stall_one_package_each_cost_one_package_each() {
    let (scenario, _) = two(Behaviour::Stalls);
    assert!(played(&scenario).took < Some(ms(800)));
}

#[test]
fn a_bad_share_costs_a_package_more_and_is_proven() {
    // Of equally quick members the coordinator picks itself and those of the lowest seats.
    for place in [2, 4] {
        let mut scenario = calm(3, 5);
        let seat = corrupt(&mut scenario, place, Behaviour::BadShare);
        assert!(seat.index() < 2, "place {place} is seat {seat}, which is not picked");
        let played = played(&scenario);
        assert!(played.packages > 1 && played.took < Some(ms(450)), "{:?}", played.took);
        assert!(proven(&played, seat).contains(&FaultKind::InvalidShare));
    }
}

#[test]
fn two_shares_for_one_package_are_proven() {
    for place in [2, 4] {
        let mut scenario = calm(3, 5);
        let seat = corrupt(&mut scenario, place, Behaviour::TwoShares);
        assert!(seat.index() < 2, "place {place} is seat {seat}, which is not picked");
        assert!(proven(&played(&scenario), seat).contains(&FaultKind::ShareConflict));
    }
}

#[test]
fn malformed_statements_are_proven() {
    let mut scenario = calm(3, 5);
    let seat = corrupt(&mut scenario, 0, Behaviour::Malformed);
    assert!(proven(&played(&scenario), seat).contains(&FaultKind::MalformedMessage));
}

#[test]
fn whatever_two_members_do_the_others_sign_and_blame_no_honest_one() {
    for behaviour in Behaviour::ALL {
        if behaviour == Behaviour::StallsAdaptively {
            continue;
        }
        for places in [[0, 1], [0, 4]] {
            let mut scenario = calm(3, 5);
            for place in places {
                corrupt(&mut scenario, place, behaviour);
            }
            played(&scenario);
        }
    }
}

#[test]
fn an_adaptive_attacker_takes_one_member_for_each_package() {
    let mut scenario = calm(5, 7);
    for place in [5, 6] {
        let seat = super::order(&scenario)[place];
        scenario.coalition.insert(seat, Behaviour::StallsAdaptively);
    }
    // Any member may be taken, so which ones are up in the end is not known before.
    let first = super::order(&scenario)[0];
    scenario.last = [first].into();
    let played = super::play(&scenario, super::Detail::Hash);
    assert_eq!(played.violation, None);
    assert_eq!(played.packages, 3);
}
