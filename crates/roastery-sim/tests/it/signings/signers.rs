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
fn a_bad_share_is_proven_if_it_is_in_a_package() {
    let (scenario, seats) = two(Behaviour::BadShare);
    let played = played(&scenario);
    let is_proven = |seat| proven(&played, seat).contains(&FaultKind::InvalidShare);
    // The first package may be of honest members only.
    assert!(played.packages == 1 || seats.into_iter().any(is_proven));
}

#[test]
fn two_shares_for_one_package_are_proven() {
    // All of a 5-of-5 would have to sign, so one of a 4-of-5 is in the package or left out.
    let mut scenario = calm(4, 5);
    let seat = corrupt(&mut scenario, 4, Behaviour::TwoShares);
    let played = played(&scenario);
    let proven = proven(&played, seat);
    assert!(proven.is_empty() || proven.contains(&FaultKind::ShareConflict));
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
