use std::time::Duration;

use roastery_sim::keygen::{CrashPoint, Injection, Scenario, When};

use super::{all_done, played};

/// Two of three, calm after two seconds.
fn disturbed() -> Scenario {
    let mut scenario = Scenario::heal(5, 2, 3);
    scenario.script = vec![(Duration::from_secs(2), Injection::Calm)];
    scenario
}

#[test]
fn an_honest_ceremony_takes_two_round_trips_and_the_time_to_store_twice() {
    let scenario = Scenario::heal(5, 2, 3);
    let played = played(&scenario);
    assert!(all_done(&scenario, &played));
    let last = played.done.values().max().unwrap();
    // The coordinator stores what it signs before it shows it, and each member before its signature
    // leaves.
    assert!(*last <= 2 * (scenario.links.round_trip + scenario.storing));
}

#[test]
fn a_crash_after_any_step_with_any_outputs_lost_prevents_nothing() {
    let seats = disturbed().order();
    for seat in [seats[0], seats[2]] {
        for after in 1..12 {
            for leaving in 0..3 {
                let mut scenario = disturbed();
                let (when, down) = (When::Step { after, leaving }, Duration::from_millis(30));
                scenario.crash_points.push(CrashPoint { seat, when, down });
                assert!(all_done(&scenario, &played(&scenario)), "{seat} {after} {leaving}");
            }
        }
    }
}

#[test]
fn a_crash_around_storing_and_one_with_the_certificate_in_hand_prevent_nothing() {
    for when in [When::BeforeStoring, When::AfterStoring, When::Done] {
        for seat in disturbed().order() {
            let mut scenario = disturbed();
            scenario.crash_points.push(CrashPoint { seat, when, down: Duration::from_millis(300) });
            let played = played(&scenario);
            assert_eq!(played.restarts, 1);
            assert!(all_done(&scenario, &played), "{seat} {when:?}");
        }
    }
}

#[test]
fn who_comes_late_gets_the_key_and_who_stays_away_prevents_it() {
    let mut scenario = disturbed();
    let seat = scenario.order()[0];
    scenario.late.push(seat);
    assert!(all_done(&scenario, &played(&scenario)));
    scenario.away.push(seat);
    assert!(played(&scenario).done.is_empty());
}

#[test]
fn what_is_lost_before_the_calm_is_made_good_after_it() {
    let mut scenario = disturbed();
    scenario.links.loss = 1.0;
    let played = played(&scenario);
    assert!(all_done(&scenario, &played));
    assert!(played.done.values().all(|at| *at > scenario.calm_at()));
}

/// A seed of the campaign: a member signs, loses its memory, and is offered other transcripts only.
#[test]
fn a_member_that_has_forgotten_what_it_signed_awaits_that_whatever_else_it_is_offered() {
    let played = played(&Scenario::draw(2_189));
    assert!(played.reports.values().all(|report| !report.awaited.is_empty()));
}
