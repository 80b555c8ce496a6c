//! When a node erases what another epoch supersedes.

use std::collections::BTreeSet;

use roastery_protocol::{
    change::{
        EpochOrder, Holding, Missing, PersonsWord, SecondCopy,
        switch::{Event, NotCurrent, Record, Wish},
    },
    machine::{Link, Machine},
};
use roastery_testkit::seat;

use super::world::*;

fn wish() -> Wish {
    Wish { second_copy: Some(SecondCopy::Backup), ..Wish::default() }
}

/// 2-of-3 that has adopted its first change; all persons have approved it.
fn adopted() -> (World, Epoch) {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(0, &epoch);
    world.run();
    (0..3).for_each(|person| world.approve(person, &epoch));
    (world, epoch)
}

fn erased(world: &World, person: usize) -> bool {
    let erased = |record: &Record| matches!(record, Record::Erased { .. });
    world.nodes[person].stored.iter().any(erased)
}

#[test]
fn a_node_erases_when_its_person_asks_and_all_members_have_answered_afresh() {
    let (mut world, epoch) = adopted();
    assert!((0..3).all(|person| !erased(&world, person)), "never by itself");
    assert_eq!(world.erase(0, wish()), 1);
    assert!(!erased(&world, 0), "no member has answered since it was asked");
    world.run();
    assert!(erased(&world, 0) && !erased(&world, 1));
    assert!(world.nodes[0].events.contains(&Event::Erased(epoch.order)));
    assert_eq!(world.nodes[0].held, BTreeSet::from([epoch.order]));
    // All have heard of it, and there is nothing more to erase.
    let said = world.machine(1).receipts().unwrap().get(seat(0));
    assert_eq!(said, Some(Holding::Erased { host_key: false }));
    assert_eq!(world.erase(0, wish()), 0);
}

#[test]
fn a_member_that_does_not_answer_holds_everything_up_until_it_is_left_out_by_name() {
    let (mut world, _) = adopted();
    world.erase(0, wish());
    world.run_with(10 * MINUTE, |from, to| from != 2 && to != 2);
    let seats = BTreeSet::from([seat(2)]);
    assert_eq!(world.machine(0).missing(&wish()), [Missing::Receipts { seats: seats.clone() }]);
    assert!(!erased(&world, 0) && world.machine(0).is_erasing());
    world.erase(0, Wish { without: seats, ..wish() });
    world.run_with(MINUTE, |from, to| from != 2 && to != 2);
    assert!(erased(&world, 0));
    // Two of three cannot be left out.
    let without = BTreeSet::from([seat(0), seat(2)]);
    world.erase(1, Wish { without, ..wish() });
    world.run_with(MINUTE, |from, to| from == 1 && to == 1);
    assert!(!erased(&world, 1));
}

#[test]
fn a_wish_that_is_taken_back_erases_nothing_any_more() {
    let (mut world, _) = adopted();
    world.erase(0, wish());
    world.run_with(MINUTE, |from, to| from != 2 && to != 2);
    assert!(world.with(0, |machine, _| machine.stop_erasing()));
    assert!(!world.with(0, |machine, _| machine.stop_erasing()));
    world.run();
    assert!(!erased(&world, 0) && !world.machine(0).is_erasing());
}

#[test]
fn a_member_that_comes_back_is_asked_again() {
    let (mut world, _) = adopted();
    world.erase(0, wish());
    world.run_with(MINUTE, |from, to| from != 2 && to != 2);
    world.with(0, |machine, now| machine.handle_link(&peer_of(2), Link::Up, now));
    world.run_with(MINUTE / 120, |_, _| true);
    assert!(erased(&world, 0));
}

#[test]
fn nothing_is_erased_without_the_word_of_the_nodes_own_person_which_may_acknowledge_later() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(0, &epoch);
    world.run();
    world.erase(0, wish());
    world.run();
    assert_eq!(world.machine(0).missing(&wish()), [Missing::PersonsWord]);
    // Of an epoch that is not known there is nothing to acknowledge.
    let unknown = EpochOrder::last_of(&epoch.plan);
    assert!(!world.with(0, |machine, now| machine.acknowledge(unknown, now)));
    assert!(world.with(0, |machine, now| machine.acknowledge(epoch.order, now)));
    world.run();
    assert!(erased(&world, 0));
    assert!(world.nodes[0].stored.contains(&Record::Acknowledged(epoch.order)));
}

#[test]
fn without_a_second_copy_of_the_new_share_nothing_is_erased() {
    let (mut world, _) = adopted();
    world.erase(0, Wish::default());
    world.run();
    assert_eq!(world.machine(0).missing(&Wish::default()), [Missing::SecondCopy]);
    assert!(!erased(&world, 0));
}

#[test]
fn a_wish_for_another_epoch_than_the_current_one_erases_nothing_and_ends_no_other_wish() {
    let (mut world, epoch) = adopted();
    let next = world.certify(&epoch, 1, 2, &[0, 1, 2]);
    world.certified(0, &next);
    world.run();
    world.approve(0, &next);
    // Nothing is missing for either of them; the person has looked at the first.
    let refused = world.with(0, |machine, now| machine.erase(epoch.order, wish(), now));
    assert_eq!(refused, Err(NotCurrent { wished: epoch.order.epoch(), current: next.order }));
    world.run();
    assert!(!world.machine(0).is_erasing() && !erased(&world, 0));
    assert!(world.nodes[0].held.contains(&epoch.order));
    world.erase(0, Wish::default());
    world.with(0, |machine, now| machine.erase(epoch.order, wish(), now)).unwrap_err();
    assert!(world.machine(0).is_erasing());
}

#[test]
fn a_wish_for_an_epoch_that_is_not_current_any_more_is_dropped() {
    let (mut world, epoch) = adopted();
    world.erase(0, wish());
    world.queue.clear();
    let next = world.certify(&epoch, 1, 2, &[0, 1, 2]);
    world.certified(0, &next);
    world.run();
    assert!(!world.machine(0).is_erasing() && !erased(&world, 0));
    // For the next one everything before is erased, with its person's word for that.
    world.erase(0, wish());
    world.run();
    assert!(!erased(&world, 0));
    world.approve(0, &next);
    world.run();
    let left = world.nodes[0].held.iter().copied().collect::<Vec<_>>();
    assert_eq!(left, [next.order]);
    let expected = |what| Record::Erased { what, by: next.order, host_key: false };
    let root = world.machine(0).lineage().root_order();
    for what in [root, epoch.order] {
        assert!(world.nodes[0].stored.contains(&expected(what)));
    }
}

#[test]
fn what_was_signed_and_the_host_keys_of_plans_are_kept_until_they_are_erased_for_something_greater()
{
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let open = world.certify(&root, 1, 2, &[0, 1, 2]);
    let epoch = world.certify(&root, 2, 2, &[0, 1, 2]);
    let later = world.certify(&root, 3, 2, &[0, 1, 2]);
    let keys = [EpochOrder::last_of(&open.plan), EpochOrder::last_of(&epoch.plan)];
    let kept = EpochOrder::last_of(&later.plan);
    for place in [open.order, keys[0], keys[1], kept] {
        world.nodes[0].held.insert(place);
        world.with(0, |machine, _| machine.hold(place));
    }
    world.certified(0, &epoch);
    world.run();
    (0..3).for_each(|person| world.approve(person, &epoch));
    assert_eq!(world.erase(0, wish()), 3);
    world.run();
    // The host key of its own plan gives its share, and that of a later one may yet be needed.
    assert_eq!(world.nodes[0].held, BTreeSet::from([epoch.order, keys[1], kept]));
}

#[test]
fn a_member_that_leaves_erases_once_all_new_members_have_adopted() {
    let mut world = World::new(2, 4, 4);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(3, &epoch);
    world.run();
    world.approve(3, &epoch);
    assert_eq!(world.machine(3).holding(), None);
    world.erase(3, Wish::default());
    world.run();
    assert!(erased(&world, 3) && world.nodes[3].held.is_empty());
}

#[test]
fn a_node_that_stops_before_or_after_any_record_goes_on_with_what_it_has_stored() {
    let count = {
        let (mut world, _) = adopted();
        world.erase(0, wish());
        world.run();
        world.nodes[0].stored.len()
    };
    assert_eq!(count, 3, "certified, adopted, erased");
    for number in 0..count {
        for after in [false, true] {
            let mut world = World::new(2, 3, 3);
            let root = world.root();
            let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
            world.nodes[0].words.insert(epoch.plan.id(), PersonsWord::Accepted);
            world.open(0);
            world.nodes[0].stops = Some((number, after));
            world.certified(1, &epoch);
            world.run();
            if world.nodes[0].machine.is_some() {
                world.erase(0, wish());
                world.run();
            }
            assert!(world.nodes[0].machine.is_none(), "{number} {after}");
            world.nodes[0].stops = None;
            world.open(0);
            world.run();
            assert!(world.has_adopted(0, &epoch));
            world.erase(0, wish());
            world.run();
            assert_eq!(world.nodes[0].held, BTreeSet::from([epoch.order]), "{number} {after}");
        }
    }
}

#[test]
fn a_second_copy_from_before_the_adoption_does_not_count() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.nodes[0].lacks = true;
    world.certified(0, &epoch);
    world.run();
    world.approve(0, &epoch);
    world.erase(0, wish());
    world.nodes[0].lacks = false;
    world.with(0, |machine, now| machine.adopt_again(now));
    world.run();
    assert!(world.has_adopted(0, &epoch) && !erased(&world, 0));
    assert_eq!(world.machine(0).missing(&wish()), [Missing::SecondCopy]);
    world.erase(0, wish());
    world.run();
    assert!(erased(&world, 0));
}

#[test]
fn an_own_newer_binding_takes_no_seat_from_the_node_and_its_own_seat_is_not_left_out() {
    let (mut world, epoch) = adopted();
    let key = world.rebind(0, &epoch);
    let own = BTreeSet::from([seat(0)]);
    let without = Wish { without: own.clone(), second_copy: None, ..wish() };
    world.erase(0, without);
    world.run();
    assert!(!erased(&world, 0));
    let missing = world.machine(0).missing(&wish());
    assert!(missing.contains(&Missing::OwnSeats { seats: own }), "{missing:?}");
    assert!(missing.contains(&Missing::SecondCopy), "{missing:?}");
    world.with(0, |machine, now| machine.add_identity(key, now));
    assert_eq!(world.machine(0).holding(), Some(Holding::Adopted));
    world.erase(0, wish());
    world.run();
    assert!(erased(&world, 0));
    let said = world.machine(1).receipts().unwrap().get(seat(0));
    assert_eq!(said, Some(Holding::Erased { host_key: false }));
}

#[test]
fn a_node_that_holds_something_of_an_epoch_without_its_identity_key_shows_its_share_all_the_same() {
    let mut world = World::new(2, 3, 4);
    let root = world.root();
    // Person 0 is in the plan under an identity key that the switch does not have.
    let epoch = world.certify(&root, 1, 2, &[3, 1, 2]);
    let place = EpochOrder::last_of(&epoch.plan);
    world.nodes[0].held.insert(place);
    world.with(0, |machine, _| machine.hold(place));
    world.nodes[0].lacks = true;
    world.open_with(3, world.fixture.group.clone());
    world.certified(0, &epoch);
    world.approve(0, &epoch);
    world.erase(0, wish());
    world.run();
    let missing = world.machine(0).missing(&wish());
    assert_eq!(missing, [Missing::Share, Missing::SecondCopy]);
    assert!(!erased(&world, 0));
}

#[test]
fn an_approval_that_is_taken_back_is_no_word_for_erasing() {
    let (mut world, epoch) = adopted();
    world.with(0, |machine, _| machine.withdrawn(epoch.plan.id()));
    world.erase(0, wish());
    world.run();
    assert_eq!(world.machine(0).missing(&wish()), [Missing::PersonsWord]);
    assert!(!erased(&world, 0));
}

#[test]
fn what_was_erased_and_is_held_again_is_erased_again() {
    let (mut world, epoch) = adopted();
    let root = world.machine(0).lineage().root_order();
    for times in 1..=2 {
        world.nodes[0].held.insert(root);
        world.with(0, |machine, _| machine.hold(root));
        assert_eq!(world.erase(0, wish()), 1);
        world.run();
        assert_eq!(world.nodes[0].held, BTreeSet::from([epoch.order]));
        let is_its = |one: &&Record| matches!(one, Record::Erased { what, .. } if *what == root);
        assert_eq!(world.nodes[0].stored.iter().filter(is_its).count(), times);
    }
}

#[test]
fn nothing_is_erased_while_a_recovery_file_that_leads_to_the_epoch_is_not_stored() {
    let (mut world, epoch) = adopted();
    let next = world.certify(&epoch, 1, 2, &[0, 1, 2]);
    world.certified(0, &next);
    world.run();
    world.approve(0, &next);
    world.nodes[0].stored.retain(|record| *record != Record::Certified(epoch.order));
    world.nodes[0].refuses.insert(epoch.order);
    world.open(0);
    world.erase(0, wish());
    world.run();
    assert_eq!(world.machine(0).missing(&wish()), [Missing::Certificate]);
    assert!(!erased(&world, 0));
    world.nodes[0].refuses.clear();
    world.run_with(60 * MINUTE, |_, _| true);
    assert_eq!(world.nodes[0].held, BTreeSet::from([next.order]));
}
