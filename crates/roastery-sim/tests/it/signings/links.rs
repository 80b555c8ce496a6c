//! Disks, clocks, links and sleep.

use std::time::Duration;

use roastery_sim::{
    signing::{Action, Injection},
    world::{CrashPoint, Disk, When},
};

use super::{APPROVED, calm, order, played};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_node_that_crashes_around_the_record_of_its_share_comes_back_and_the_session_ends() {
    for when in [When::BeforeStoring, When::AfterStoring] {
        let mut scenario = calm(3, 3);
        scenario.storing = ms(5);
        let seat = order(&scenario)[1];
        scenario.crash_points.push(CrashPoint { seat, when, down: ms(300) });
        // The calm comes when it is up again.
        scenario.script[0].0 = APPROVED + ms(600);
        scenario.script.sort_by_key(|(at, _)| *at);
        played(&scenario);
    }
}

#[test]
fn a_node_that_slept_shows_new_slots_and_signs() {
    let mut scenario = calm(2, 2);
    let seat = order(&scenario)[1];
    scenario.script.insert(0, (ms(500), Injection::Sleep(seat)));
    scenario.script.insert(1, (ms(500) + Duration::from_secs(3_600), Injection::Resume(seat)));
    let later = Duration::from_secs(3_602);
    scenario.script[2..].iter_mut().for_each(|(at, _)| *at = later);
    played(&scenario);
}

#[test]
fn a_node_that_lost_its_disk_or_restored_an_older_one_is_heard() {
    for disk in [Disk::Lost, Disk::Restored] {
        let mut scenario = calm(2, 2);
        let seat = order(&scenario)[0];
        let day = Action::StepClock(86_400_000);
        let back = Action::StepClock(-86_400_000);
        let before = [
            (ms(100), Injection::Act(seat, day)),
            (ms(500), Injection::Crash(seat)),
            (ms(500), Injection::Disk(seat, disk)),
            (ms(600), Injection::Act(seat, back)),
            (ms(700), Injection::Open(seat)),
        ];
        scenario.script.splice(0..0, before);
        let took = played(&scenario).took;
        assert!(took < Some(Duration::from_secs(2)), "{took:?}");
    }
}
