//! Coordinators that do not coordinate as they should.

use std::{collections::BTreeSet, time::Duration};

use roastery_protocol::{
    Seat,
    message::Kind,
    proof::{Fault, FaultKind, Proof, ProvenFault, Verdict},
};
use roastery_sim::adversary::Behaviour;

use crate::strategies::support::{Case, acts, all_are_proven, no_member_is_blamed, proven};

const INTERVAL: Duration = Duration::from_secs(2);

/// The first n - t coordinators all do this.
fn first(t: usize, n: usize, seed: u64, what: Behaviour) -> Case {
    Case::all_from(t, n, seed, 0, what)
}

#[test]
fn two_packages_of_one_number_shown_to_all_are_proven() {
    for seed in 0..4 {
        let world = first(3, 5, seed, Behaviour::EquivocatesToAll).play();
        assert!(acts(&world) > 0);
        all_are_proven(&world, FaultKind::PackageConflict);
        // A proof against a coordinator passes it over at once.
        assert!(world.signed_at().unwrap().1 < INTERVAL);
    }
}

#[test]
fn two_packages_shown_to_half_each_are_found_out_when_shares_go_to_all() {
    let mut found = 0;
    for seed in 0..6 {
        let world = Case::new(3, 5, seed, &[(0, Behaviour::EquivocatesToSome)]).play();
        assert!(acts(&world) > 0);
        match proven(&world).into_values().next() {
            Some(faults) => {
                // With several numbers, what one half sees is a slot that the other half's package
                // names too.
                let likely = [FaultKind::PackageConflict, FaultKind::SlotAssignedTwice];
                assert!(faults.iter().all(|fault| likely.contains(fault)), "{faults:?}");
                found += 1;
            }
            // One of the two was signed by the members that received it.
            None => assert!(world.signed_at().unwrap().0 < INTERVAL, "seed {seed}"),
        }
    }
    assert!(found > 0);
}

#[test]
fn a_slot_named_in_two_packages_is_proven() {
    for seed in 0..4 {
        let world = Case::new(4, 7, seed, &[(0, Behaviour::AssignsSlotTwice)]).play();
        all_are_proven(&world, FaultKind::SlotAssignedTwice);
    }
}

#[test]
fn a_wrong_sum_costs_time_and_is_proven_by_the_next_coordinators_that_ask_for_all_nonces() {
    // It begins because others have shown their slots, before it has one of its own that is sent
    // to no other member.
    let faulty = [(0, Behaviour::Silent), (1, Behaviour::WrongAggregateNonce)];
    let case = Case { late: Some((1, Duration::from_millis(300))), ..Case::new(3, 5, 5, &faulty) };
    let world = case.play();
    let liars: Vec<Seat> = vec![case.seat_at(&world, 1)];
    assert!(proven(&world).into_iter().eq(
        liars.into_iter().map(|seat| { (seat, BTreeSet::from([FaultKind::WrongAggregateNonce])) })
    ));
    let shown = &world.hooks.watch.slots;
    let mut proofs = 0;
    for (envelope, package) in &world.hooks.watch.packages {
        let slots: Option<Vec<_>> =
            package.signers.iter().map(|entry| shown.get(&entry.slot).cloned()).collect();
        let Some(slots) = slots else { continue };
        let fault = Fault::WrongAggregateNonce { package: envelope.clone(), slots };
        let verdict = Proof::new(world.request().clone(), fault).verify(&world.hooks.members.group);
        let faulty = world
            .hooks
            .adversary
            .members()
            .keys()
            .find(|seat| seat.to_u16() == envelope.header().sender);
        match faulty {
            Some(&accused) => {
                let session = world.request().session_id();
                let fault = FaultKind::WrongAggregateNonce;
                assert_eq!(verdict, Verdict::Invalid(ProvenFault { accused, fault, session }));
                proofs += 1;
            }
            None => assert_eq!(verdict, Verdict::Valid),
        }
    }
    assert!(proofs > 0);
    assert!(world.signed_at().unwrap().0 > 2 * INTERVAL);
}

#[test]
fn members_that_are_not_heard_are_not_missed() {
    for seed in 0..3 {
        let world = first(3, 5, seed, Behaviour::Censors).play();
        no_member_is_blamed(&world);
        assert!(world.signed_at().unwrap().1 < 2 * INTERVAL);
    }
}

#[test]
fn coordinators_that_crash_half_way_cost_one_interval_each_time_their_number_doubles() {
    let world = first(4, 7, 3, Behaviour::CrashesHalfWay).play();
    no_member_is_blamed(&world);
    assert_eq!(acts(&world), 3);
    assert!(world.signed_at().unwrap().1 < 3 * INTERVAL);
}

#[test]
fn a_signature_that_is_withheld_is_put_together_by_others() {
    for seed in 0..3 {
        let world = Case::new(3, 5, seed, &[(0, Behaviour::WithholdsSignature)]).play();
        no_member_is_blamed(&world);
        let (seat, _) = world.hooks.adversary.members().iter().next().unwrap();
        assert!(!world.hooks.watch.kinds.contains_key(&(*seat, Kind::Signature)));
        // When the second attempt begins the first one's shares go to all.
        let (soonest, _) = world.signed_at().unwrap();
        assert!(soonest > INTERVAL && soonest < INTERVAL + INTERVAL / 4, "{soonest:?}");
    }
}

#[test]
fn a_slow_coordinator_is_overtaken_and_not_blamed() {
    no_member_is_blamed(&first(3, 5, 1, Behaviour::Slow).play());
}

#[test]
fn a_coordinator_that_says_it_was_restarted_is_believed_and_not_answered_twice() {
    for seed in 0..3 {
        let world = Case::new(3, 5, seed, &[(0, Behaviour::ClaimsRestarts)]).play();
        no_member_is_blamed(&world);
    }
}

#[test]
fn a_slot_of_another_attempt_is_not_signed_with() {
    let faulty = [(0, Behaviour::Silent), (1, Behaviour::StealsSlots)];
    let case = Case::new(3, 5, 2, &faulty);
    let world = case.play();
    let thief = case.seat_at(&world, 1);
    assert!(world.hooks.adversary.acts()[&thief] > 0);
    no_member_is_blamed(&world);
    assert!(world.signed_at().unwrap().0 > 2 * INTERVAL);
}
