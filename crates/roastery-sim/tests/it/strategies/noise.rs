//! Members that send too much, and members that send messages about others.

use std::time::Duration;

use roastery_protocol::proof::FaultKind;
use roastery_sim::adversary::Behaviour;

use crate::strategies::support::{Case, acts, all_are_proven, blame_is_right, no_member_is_blamed};

#[test]
fn noise_of_sound_form_blames_no_member_and_delays_no_member() {
    for what in
        [Behaviour::Floods, Behaviour::Replays, Behaviour::AccusesFalsely, Behaviour::RelaysForeign]
    {
        for case in [Case::all_from(3, 5, 1, 0, what), Case::all_from(4, 7, 2, 1, what)] {
            let world = case.play();
            assert!(acts(&world) > 50, "{what}");
            no_member_is_blamed(&world);
            assert!(world.signed_at().unwrap().1 < Duration::from_secs(1), "{what}");
        }
    }
}

#[test]
fn a_member_that_accuses_falsely_while_a_session_goes_on_convicts_no_member() {
    // Some coordinators are silent, so that there are many faults to report before the end.
    for seed in 0..6 {
        let faulty = [
            (0, Behaviour::Silent),
            (1, Behaviour::SilentAfterCommitments),
            (3, Behaviour::AccusesFalsely),
        ];
        no_member_is_blamed(&Case::new(4, 7, seed, &faulty).play());
    }
}

#[test]
fn malformed_messages_are_proven() {
    for seed in 0..3 {
        let world = Case::all_from(3, 5, seed, 0, Behaviour::Garbage).play();
        all_are_proven(&world, FaultKind::MalformedMessage);
    }
}

#[test]
fn mutations_are_blamed_on_the_member_that_signed_them() {
    for seed in 0..6 {
        let world = Case::all_from(4, 7, seed, 0, Behaviour::MutatesMessages).play();
        assert!(acts(&world) > 100);
        blame_is_right(&world);
    }
}
