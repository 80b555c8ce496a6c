//! The cases that the protocol was planned with on executable models (d1 to d5), played with the
//! machine that nodes run.

use std::time::Duration;

use roastery_protocol::{Seat, member::machine::RequestOrigin};
use roastery_sim::{
    signing::{Action, Behaviour, Injection, Scenario, scenario::Aim},
    world::Disk,
};

use super::{APPROVED, calm, order, played};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn nodes(scenario: &Scenario) -> Vec<Seat> {
    scenario.first_seats().into_keys().collect()
}

/// Moves the calm to this time, and lets the nodes from this place on approve only then.
fn wait(scenario: &mut Scenario, early: usize, until: Duration) {
    let late: Vec<Seat> = nodes(scenario).into_iter().skip(early).collect();
    for (at, what) in &mut scenario.script {
        match what {
            Injection::Calm => *at = until,
            Injection::Act(node, Action::Approve { .. }) if late.contains(node) => *at = until,
            _ => {}
        }
    }
}

/// Puts this in before everything else that is not earlier, and puts all in order.
fn put(scenario: &mut Scenario, at: Duration, what: Injection) {
    scenario.script.insert(0, (at, what));
    scenario.script.sort_by_key(|(at, _)| *at);
}

/// Everybody that must be up approves once more at this time.
fn approve_again(scenario: &mut Scenario, at: Duration) {
    for node in scenario.last.clone() {
        let approve = Action::Approve { request: 0, origin: RequestOrigin::Waited };
        scenario.script.push((at, Injection::Act(node, approve)));
    }
}

/// The nodes of the highest seats, as many as can be borne, behave so.
fn hostile(scenario: &mut Scenario, behaviour: Behaviour) -> Vec<Seat> {
    let all = nodes(scenario).into_iter().skip(scenario.threshold);
    let all: Vec<Seat> = all.collect();
    for seat in &all {
        scenario.coalition.insert(*seat, behaviour);
        scenario.last.remove(seat);
    }
    all
}

#[test]
fn d1_a_session_that_waits_for_its_last_approval_costs_a_package_of_each_coordinator() {
    for (threshold, count) in [(3, 5), (5, 7)] {
        for seconds in [900, 3_600] {
            let mut scenario = calm(threshold, count);
            wait(&mut scenario, threshold - 1, secs(seconds));
            scenario.script.sort_by_key(|(at, _)| *at);
            // No more packages than nodes until the calm.
            scenario.aim = Aim::Waits;
            played(&scenario);
        }
    }
}

#[test]
fn d1_members_that_say_ready_and_give_nothing_while_an_approval_is_missing_delay_no_signature() {
    for behaviour in [Behaviour::ReadyWithoutEnd, Behaviour::FalseIncarnations] {
        let mut scenario = calm(3, 5);
        hostile(&mut scenario, behaviour);
        wait(&mut scenario, 2, secs(120));
        scenario.script.sort_by_key(|(at, _)| *at);
        played(&scenario);
    }
}

/// All machines of one host are suspended for 20 s, and then all approve at once.
#[test]
fn d2_all_machines_are_suspended_at_once() {
    for (threshold, count) in [(3, 3), (3, 5)] {
        let mut scenario = calm(threshold, count);
        wait(&mut scenario, 0, ms(30_500));
        for (place, node) in (0..).zip(nodes(&scenario)) {
            put(&mut scenario, secs(10), Injection::Sleep(node));
            put(&mut scenario, secs(30) + ms(place), Injection::Resume(node));
        }
        let took = played(&scenario).took;
        assert!(took < Some(secs(2)), "{took:?}");
    }
}

/// All approve, and each link ends while the packages are on their way, for more than ten minutes:
/// all slots that were named are void.
#[test]
fn d2_d3_every_link_is_cut_for_more_than_ten_minutes_while_packages_are_on_their_way() {
    for threshold in [3, 4] {
        let mut scenario = calm(threshold, 5);
        wait(&mut scenario, 5, secs(702));
        for node in nodes(&scenario) {
            put(&mut scenario, APPROVED + ms(40), Injection::CutOff(vec![node]));
        }
        played(&scenario);
    }
}

/// Two hostile members are near, so that intervals are short, and come and go; the honest ones are
/// 1.5 s from each other.
#[test]
fn d2_d5_hostile_members_near_by_that_come_and_go_do_not_outrun_honest_ones_far_away() {
    for behaviour in [Behaviour::Stalls, Behaviour::FalseIncarnations, Behaviour::ReadyWithoutEnd] {
        let mut scenario = calm(3, 5);
        scenario.links.round_trip = ms(1_500);
        let near = hostile(&mut scenario, behaviour);
        scenario.links.near = near.iter().map(|seat| (*seat, ms(4))).collect();
        wait(&mut scenario, 0, secs(5));
        for turn in 0..60 {
            for (node, honest) in near.iter().zip(scenario.last.clone()) {
                let at = secs(5) + ms(200) * turn;
                scenario.script.push((at, Injection::Cut(*node, honest)));
                scenario.script.push((at + ms(100), Injection::Join(*node, honest)));
            }
        }
        played(&scenario);
    }
}

/// The slots in the honest coordinators' first packages end, because all honest clocks are set by
/// 15 s, while hostile members give one share in each interval.
#[test]
fn d2_d3_shares_that_dribble_in_do_not_put_off_a_new_run() {
    let mut scenario = calm(6, 11);
    scenario.links.round_trip = ms(500);
    hostile(&mut scenario, Behaviour::Dribbles);
    wait(&mut scenario, 11, APPROVED + ms(20));
    for node in scenario.last.clone() {
        let step = Injection::Act(node, Action::StepClock(15_000));
        put(&mut scenario, APPROVED + ms(10), step);
    }
    played(&scenario);
}

/// Nodes lose their disks, and their clocks are an hour behind what they were.
#[test]
fn d2_d3_nodes_that_lost_their_disks_and_an_hour_of_their_clocks_are_heard() {
    for (threshold, lost) in [(2, 3), (3, 1)] {
        let mut scenario = calm(threshold, 3);
        wait(&mut scenario, 2, secs(4));
        let mut all = order(&scenario);
        all.truncate(lost);
        for node in all {
            put(&mut scenario, secs(3), Injection::Open(node));
            put(&mut scenario, ms(2_100), Injection::Act(node, Action::StepClock(-3_600_000)));
            put(&mut scenario, ms(2_100), Injection::Disk(node, Disk::Lost));
            put(&mut scenario, ms(2_100), Injection::Crash(node));
        }
        approve_again(&mut scenario, secs(4));
        let took = played(&scenario).took;
        assert!(took < Some(secs(9)), "{took:?}");
    }
}

/// The clock of a node is an hour ahead, so its runs are; it is put right in a restart.
#[test]
fn d3_a_clock_that_is_put_right_in_a_restart_locks_no_coordinator_out() {
    let mut scenario = calm(3, 3);
    let first = order(&scenario)[0];
    wait(&mut scenario, 3, secs(3_011));
    for (at, what) in &mut scenario.script {
        if matches!(what, Injection::Act(..)) {
            *at = secs(3_000);
        }
    }
    put(&mut scenario, secs(3_000) + ms(200), Injection::Open(first));
    let back = Injection::Act(first, Action::StepClock(-2_900_000));
    put(&mut scenario, secs(3_000) + ms(100), back);
    put(&mut scenario, secs(3_000) + ms(100), Injection::Crash(first));
    put(&mut scenario, ms(1), Injection::Act(first, Action::StepClock(2_900_000)));
    approve_again(&mut scenario, secs(3_011));
    played(&scenario);
}

/// A request of as many messages as there can be takes one slot for each, and the stock is drawn
/// for that.
#[test]
fn d4_a_request_of_64_messages_is_signed_with_one_package() {
    let mut scenario = calm(3, 5);
    scenario.requests = vec![64];
    let played = played(&scenario);
    assert_eq!(played.packages, 1);
    assert!(played.took < Some(secs(1)), "{:?}", played.took);
}
