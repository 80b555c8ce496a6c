//! What coordinators do that do not follow the protocol.

use std::time::Duration;

use roastery_protocol::member::proof::FaultKind;
use roastery_sim::signing::Behaviour;

use super::{calm, corrupt, played, proven};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_session_without_faults_takes_one_round_trip_and_a_half_until_all_have_it() {
    assert_eq!(played(&calm(3, 5)).took, Some(ms(150)));
}

#[test]
fn a_silent_coordinator_costs_one_interval_and_a_round_trip_and_a_half() {
    let mut scenario = calm(3, 5);
    corrupt(&mut scenario, 0, Behaviour::Silent);
    assert!(played(&scenario).took < Some(ms(400 + 150 + 50)));
}

#[test]
fn a_coordinator_that_shows_each_half_another_package_is_proven_faulty() {
    let mut scenario = calm(3, 5);
    let seat = corrupt(&mut scenario, 0, Behaviour::Equivocates);
    assert!(proven(&played(&scenario), seat).contains(&FaultKind::PackageConflict));
}

#[test]
fn a_contradiction_is_proven_whatever_runs_follow() {
    let mut scenario = calm(3, 5);
    let seat = corrupt(&mut scenario, 0, Behaviour::EquivocatesThenRuns);
    // Two others give no shares, so that the session lasts.
    let played = played(&scenario);
    assert!(proven(&played, seat).contains(&FaultKind::PackageConflict));
}

#[test]
fn a_coordinator_that_names_one_slot_in_two_packages_is_proven_faulty() {
    let mut scenario = calm(3, 5);
    let seat = corrupt(&mut scenario, 0, Behaviour::SameSlots);
    assert!(proven(&played(&scenario), seat).contains(&FaultKind::SlotAssignedTwice));
}

#[test]
fn a_wrong_sum_whose_coordinator_keeps_its_own_share_costs_an_interval_and_no_member_is_blamed() {
    let mut scenario = calm(3, 5);
    let seat = corrupt(&mut scenario, 0, Behaviour::WrongSum);
    let played = played(&scenario);
    // Without its share no other node has t of them, and so no reason to ask for nonces.
    assert!(played.took > Some(ms(400)) && played.took <= Some(ms(650)), "{:?}", played.took);
    assert!(proven(&played, seat).is_empty());
}

#[test]
fn what_a_coordinator_holds_back_reaches_all_by_others() {
    let mut scenario = calm(3, 5);
    corrupt(&mut scenario, 0, Behaviour::HoldsBack);
    played(&scenario);
}

#[test]
fn runs_without_end_bring_few_shares_and_delay_no_other_coordinator() {
    let mut scenario = calm(3, 5);
    corrupt(&mut scenario, 4, Behaviour::EndlessRuns);
    assert_eq!(played(&scenario).took, Some(ms(150)));
}
