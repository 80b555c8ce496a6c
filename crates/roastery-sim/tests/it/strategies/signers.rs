//! Signers that do not sign as they should.

use std::time::Duration;

use roastery_protocol::{message::Kind, proof::FaultKind};
use roastery_sim::adversary::Behaviour;

use crate::strategies::support::{Case, acts, all_are_proven, blame_is_right, no_member_is_blamed};

const INTERVAL: Duration = Duration::from_secs(2);

/// The coordinators after the first one do this, n - t of them.
fn after_the_first(t: usize, n: usize, seed: u64, what: Behaviour) -> Case {
    Case::all_from(t, n, seed, 1, what)
}

#[test]
fn silence_is_not_blamed() {
    for what in [Behaviour::Silent, Behaviour::SilentAfterCommitments, Behaviour::Refuses] {
        for case in [Case::all_from(3, 5, 1, 0, what), after_the_first(4, 7, 2, what)] {
            no_member_is_blamed(&case.play());
        }
    }
}

#[test]
fn bad_shares_that_spoil_a_package_are_all_proven() {
    for what in [Behaviour::BadShare, Behaviour::BadShareWithFreshCommitments] {
        let mut found = 0;
        for seed in 0..4 {
            let world = after_the_first(4, 7, seed, what).play();
            for faults in blame_is_right(&world).values() {
                assert_eq!(faults.iter().collect::<Vec<_>>(), [&FaultKind::InvalidShare]);
                found += 1;
            }
            // A signer that is found out is not asked again: no interval is lost.
            assert!(world.signed_at().unwrap().1 < INTERVAL);
        }
        assert!(found >= 4, "{what}: {found}");
    }
}

#[test]
fn two_shares_for_one_package_are_proven() {
    let mut conflicts = 0;
    for seed in 0..4 {
        let world = after_the_first(4, 7, seed, Behaviour::ShareConflict).play();
        for faults in blame_is_right(&world).values() {
            conflicts += usize::from(faults.contains(&FaultKind::ShareConflict));
        }
    }
    assert!(conflicts >= 4, "{conflicts}");
}

#[test]
fn a_share_conflict_of_one_member_is_proven_and_nothing_else() {
    let mut found = 0;
    for seed in 0..8 {
        let world = Case::new(3, 4, seed, &[(1, Behaviour::ShareConflict)]).play();
        if acts(&world) > 0 {
            let wrong_first =
                blame_is_right(&world).values().any(|one| one.contains(&FaultKind::InvalidShare));
            if !wrong_first {
                all_are_proven(&world, FaultKind::ShareConflict);
                found += 1;
            }
        }
    }
    assert!(found > 1, "{found}");
}

#[test]
fn two_slots_for_one_place_do_not_convict_the_coordinator() {
    let mut accused = 0;
    for seed in 0..4 {
        let world = after_the_first(4, 7, seed, Behaviour::CommitsTwice).play();
        no_member_is_blamed(&world);
        let kinds = &world.hooks.watch.kinds;
        accused += world
            .hooks
            .adversary
            .members()
            .keys()
            .filter_map(|seat| kinds.get(&(*seat, Kind::Evidence)))
            .sum::<usize>();
    }
    assert!(accused > 0);
}

#[test]
fn an_infinite_sum_is_legal_and_no_member_is_malformed() {
    // The honest coordinator of attempt 1 is late: the others' slots reach it before it has shown
    // one of its own.
    let faulty = [(0, Behaviour::Silent), (4, Behaviour::CommitsToInfinity)];
    let case = Case { late: Some((1, Duration::from_millis(300))), ..Case::new(3, 5, 1, &faulty) };
    let world = case.play();
    let last = case.seat_at(&world, 4);
    assert!(world.hooks.adversary.acts().contains_key(&last));
    no_member_is_blamed(&world);
}

#[test]
fn nonces_that_cancel_burn_a_package_and_blame_no_member() {
    // Two fast members of a 2-of-5 are the first two in every attempt that begins by its
    // coordinator's clock.
    let faulty = [
        (0, Behaviour::Silent),
        (2, Behaviour::CancellingNonces),
        (3, Behaviour::CancellingNonces),
    ];
    let case = Case { messages: 2, ..Case::new(2, 5, 1, &faulty) };
    let world = case.play();
    for place in [2, 3] {
        assert!(world.hooks.adversary.acts().contains_key(&case.seat_at(&world, place)));
    }
    no_member_is_blamed(&world);
    assert!(world.signed_at().unwrap().1 < 2 * INTERVAL);
}

#[test]
fn fewer_than_t_with_cancelling_nonces_say_nothing() {
    let world = after_the_first(3, 5, 1, Behaviour::CancellingNonces).play();
    no_member_is_blamed(&world);
    for seat in world.hooks.adversary.members().keys() {
        assert!(world.hooks.watch.kinds.keys().all(|(from, _)| from != seat));
    }
}

#[test]
fn a_new_run_does_not_pay_a_debt() {
    for seed in 0..3 {
        let world = after_the_first(4, 7, seed, Behaviour::RecommitsInNewRuns).play();
        no_member_is_blamed(&world);
        assert!(world.signed_at().unwrap().1 < INTERVAL);
    }
}

#[test]
fn a_slot_that_was_named_is_not_named_again_under_any_run() {
    // One signer stalls, so that a second package is needed.
    let faulty = [
        (1, Behaviour::SilentAfterCommitments),
        (2, Behaviour::ReturnsToOldRuns),
        (3, Behaviour::ReturnsToOldRuns),
    ];
    let mut returned = 0;
    for seed in 0..4 {
        let case = Case::new(4, 7, seed, &faulty);
        let world = case.play();
        for place in [2, 3] {
            returned +=
                world.hooks.adversary.acts().get(&case.seat_at(&world, place)).unwrap_or(&0);
        }
        assert!(blame_is_right(&world).is_empty());
        let mut named = std::collections::BTreeMap::new();
        for (envelope, package) in &world.hooks.watch.packages {
            for entry in &package.signers {
                let first = named.entry(*entry).or_insert_with(|| envelope.body_hash());
                assert_eq!(*first, envelope.body_hash());
            }
        }
    }
    assert!(returned > 0);
}
