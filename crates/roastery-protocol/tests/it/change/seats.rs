//! Nodes that hold several seats, in the group before, in the one after, or in both.

use std::collections::BTreeSet;

use roastery_frost::change::Dealing;
use roastery_protocol::{
    change::{
        Party,
        machine::{Change, Event, FrostEngine, Record, Rejected},
        message::{Body, DealingName, Kind},
    },
    machine::{Link, Machine as _},
};
use roastery_testkit::{peer, seat};

use super::world::*;

fn dealt(world: &World, person: usize) -> BTreeSet<usize> {
    let stored = world.nodes[person].stored.iter();
    let of = stored.filter_map(|record| match record {
        Record::Dealt(name) => Some(name.dealer.index()),
        _ => None,
    });
    of.collect()
}

#[test]
fn a_node_deals_all_its_shares_and_gets_one_for_each_new_seat() {
    for (old, new) in [
        // The number of seats stays, grows, falls, and comes to nothing.
        (vec![0, 0, 0, 1, 2], vec![0, 0, 0, 1, 2]),
        (vec![0, 1, 2], vec![0, 1, 0, 2, 0]),
        (vec![0, 0, 0, 1, 2], vec![2, 1, 0]),
        (vec![0, 0, 1, 2], vec![1, 2, 3]),
        (vec![0, 1, 1, 1], vec![2, 2, 3]),
        // All new seats are of one node, which has none of the old ones.
        (vec![0, 1, 2], vec![3, 3, 3]),
    ] {
        let mut world = World::with_seats(2, &old, 2, &new, &[]);
        world.open_all();
        world.decide();
        let begun = world.now;
        world.run();
        let group = world.assert_one_epoch();
        world.assert_consistent();
        assert_eq!(world.now, begun, "it takes no time but that of the messages: {old:?} {new:?}");
        assert_eq!(group.size(), new.len());
        for person in world.people() {
            let own: BTreeSet<usize> =
                world.old_seats(person).into_iter().map(|seat| seat.index()).collect();
            assert!(dealt(&world, person).is_subset(&own), "a node deals its own shares");
            let signed = world.nodes[person].stored.iter();
            let signed = signed.filter(|record| matches!(record, Record::Signed { .. })).count();
            assert_eq!(signed > 0, !world.new_seats(person).is_empty(), "{old:?} {new:?}");
        }
    }
}

#[test]
fn a_node_with_as_many_old_seats_as_must_deal_deals_alone_once_it_has_approved() {
    let mut world = World::with_seats(3, &[0, 0, 0, 1, 2], 2, &[1, 2, 3], &[]);
    world.open_all();
    world.approve(0);
    for person in 1..4 {
        world.with(person, Change::accept);
    }
    world.run();
    world.assert_one_epoch();
    assert_eq!(dealt(&world, 0), [0, 1, 2].into());
}

#[test]
fn an_excluded_seat_of_a_node_neither_approves_nor_deals_and_its_others_do() {
    let mut world = World::with_seats(2, &[0, 0, 1, 2], 2, &[1, 2, 3], &[0]);
    world.open_all();
    world.decide();
    world.run();
    world.assert_one_epoch();
    assert!(!dealt(&world, 0).contains(&0));
    let approvals = world.sent_of(Kind::Approval).into_iter();
    let seats: BTreeSet<usize> =
        approvals.map(|packet| packet.envelope().header().party().unwrap().seat.index()).collect();
    assert_eq!(seats, [1, 2, 3].into());
}

#[test]
fn a_node_that_stops_after_any_record_goes_on_with_all_its_seats() {
    for number in 0..12 {
        for stops in [Disk::StopsAfter(number), Disk::StopsBefore(number)] {
            let mut world = World::with_seats(3, &[0, 0, 1, 2], 3, &[0, 0, 0, 1, 2], &[]);
            world.nodes[0].disk = stops;
            world.open_all();
            world.decide();
            world.run_with(MINUTE, |_| true);
            world.nodes[0].disk = Disk::Keeps;
            if world.nodes[0].machine.is_none() {
                world.open(0);
                world.decide_one(0);
            }
            world.run();
            world.assert_one_epoch();
            world.assert_consistent();
        }
    }
}

#[test]
fn a_share_that_is_wrong_for_one_seat_of_a_node_keeps_the_dealing_out_and_that_seat_complains() {
    let mut world = World::with_seats(2, &[0, 1, 2], 2, &[0, 1, 1, 2], &[]);
    world.nodes[1].finds_wrong = Some(seat(0));
    world.nodes[1].finds_wrong_at = Some(seat(2));
    world.open_all();
    world.decide();
    world.run();
    world.assert_one_epoch();
    let certificate = world.machine(1).certificate().unwrap();
    assert!(certificate.transcript().heads().all(|head| head.dealer() != seat(0)));
    let complaints = world.sent_of(Kind::Complaint).into_iter();
    let seats: BTreeSet<usize> =
        complaints.map(|packet| packet.envelope().header().party().unwrap().seat.index()).collect();
    assert_eq!(seats, [2].into());
    let wrong = |event: &&Event| matches!(event, Event::WrongShare(_));
    assert_eq!(world.nodes[1].events.iter().filter(wrong).count(), 1);
}

#[test]
fn a_node_signs_with_all_its_seats_or_with_none() {
    let mut world = World::with_seats(2, &[0, 1, 2], 2, &[0, 1, 1, 2], &[]);
    // It cannot take the share of the second of its seats.
    world.nodes[1].takes_nothing = true;
    world.nodes[1].finds_wrong_at = Some(seat(2));
    world.open_all();
    world.decide();
    world.run_with(MINUTE, |_| true);
    assert_eq!(world.certified(), 0);
    assert!(world.sent_of(Kind::Signature).iter().all(|packet| packet.from != 1));
    let signed = |record: &Record| matches!(record, Record::Signed { .. });
    assert!(!world.nodes[1].stored.iter().any(signed), "nothing is signed with its first seat");
}

#[test]
fn a_seat_whose_share_is_missing_keeps_no_other_seat_of_its_node_from_dealing() {
    let mut world = World::with_seats(2, &[0, 0, 1, 2], 2, &[1, 2, 3], &[]);
    let mut opening = world.opening(0);
    let share = world.fixture.share(seat(1));
    opening.engine.frost = FrostEngine::new([(seat(1), share)], None);
    world.open_all();
    world.nodes[0].machine = Some(Change::open(opening, world.now).unwrap());
    world.decide();
    world.run();
    world.assert_one_epoch();
    assert_eq!(dealt(&world, 0), [1].into());
    let cannot = |event: &&Event| matches!(event, Event::CannotDeal(_));
    assert_eq!(world.nodes[0].events.iter().filter(cannot).count(), 1);
}

/// A world in which node 0 holds old seats 0 and 1 and has stored the first of its two dealings,
/// and nothing of the second: it has stopped between them. No dealing has reached another node.
fn with_one_of_two_dealt() -> World {
    let mut world = World::with_seats(2, &[0, 0, 1, 2], 2, &[1, 2, 3], &[]);
    world.nodes[0].disk = Disk::StopsAfter(1);
    world.open_all();
    world.decide();
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Dealing);
    world.nodes[0].disk = Disk::Keeps;
    assert_eq!(dealt(&world, 0), [0].into());
    world.sent.clear();
    world
}

/// The old seats whose messages of a kind this node has sent.
fn old_seats_of(world: &World, person: usize, kind: Kind) -> BTreeSet<usize> {
    let sent = world.sent_of(kind).into_iter().filter(|packet| packet.from == person);
    sent.map(|packet| packet.envelope().header().party().unwrap().seat.index()).collect()
}

#[test]
fn a_withdrawal_before_anything_is_dealt_takes_the_approvals_of_all_seats_back() {
    let mut world = World::with_seats(2, &[0, 0, 1, 2], 2, &[1, 2, 3], &[]);
    world.open_all();
    world.approve(0);
    assert_eq!(world.with(0, Change::withdraw), Some(true));
    for person in 1..4 {
        world.with(person, Change::accept);
    }
    world.approve(1);
    world.run_with(MINUTE, |_| true);
    assert_eq!(world.certified(), 0, "one approval is left, and two must be there");
    assert!(world.sent_of(Kind::Dealing).is_empty());
    assert_eq!(old_seats_of(&world, 0, Kind::Withdrawal), [0, 1].into());
}

#[test]
fn a_seat_that_has_not_dealt_does_not_deal_after_a_withdrawal_though_another_one_has() {
    let mut world = with_one_of_two_dealt();
    // It has no roll yet, so that it deals nothing at once.
    let mut opening = world.opening(0);
    opening.approving = 4;
    world.nodes[0].machine = Some(Change::open(opening, world.now).unwrap());
    assert_eq!(world.with(0, Change::withdraw), Some(false), "one has dealt");
    assert_eq!(dealt(&world, 0), [0].into());
    assert!(world.nodes[0].stored.contains(&Record::Withdrawn));
    // Neither at once nor after a restart, nor when it is approved again.
    for _ in 0..2 {
        world.run_with(MINUTE, |packet| packet.kind() != Kind::Signature);
        world.open(0);
        world.approve(0);
    }
    world.run();
    world.assert_one_epoch();
    assert_eq!(dealt(&world, 0), [0].into());
    assert_eq!(old_seats_of(&world, 0, Kind::Dealing), [0].into(), "what has left is repeated");
    assert_eq!(old_seats_of(&world, 0, Kind::Withdrawal), [1].into());
}

#[test]
fn a_seat_that_has_not_dealt_deals_after_a_restore_only_when_it_is_approved_again() {
    let mut world = with_one_of_two_dealt();
    world.nodes[0].stored.push(Record::Restored);
    world.open(0);
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Signature);
    assert_eq!(dealt(&world, 0), [0].into());
    assert_eq!(old_seats_of(&world, 0, Kind::Approval), [0].into());
    assert_eq!(old_seats_of(&world, 0, Kind::Dealing), [0].into());
    world.approve(0);
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Signature);
    assert_eq!(dealt(&world, 0), [0, 1].into());
    assert!(world.nodes[0].stored.contains(&Record::ApprovedAgain));
}

#[test]
fn an_acceptance_that_counts_is_not_signed_again_for_each_message_that_comes() {
    let mut world = World::with_seats(2, &[0, 1, 2], 2, &[0, 0, 0, 1], &[]);
    world.open_all();
    world.with(0, Change::accept);
    world.queue.clear();
    let before = world.machine(0).engine().accepted;
    let bytes = world.sealed(1, Party::old(seat(1)), &Body::Approval);
    let _ = world.deliver(&Packet { from: 1, to: 0, bytes: bytes.clone() });
    let _ = world.deliver(&Packet { from: 1, to: 0, bytes });
    assert_eq!(world.machine(0).engine().accepted, before);
}

#[test]
fn what_was_said_to_all_is_signed_once_for_all_seats_of_a_member_that_comes_back() {
    let mut world = World::with_seats(2, &[0, 1, 1, 1], 2, &[0, 1, 1, 1], &[]);
    world.open_all();
    world.with(0, Change::accept);
    world.queue.clear();
    let before = world.machine(0).engine().accepted;
    let (peer, now) = (peer(seat(1)), world.now);
    for link in [Link::Down, Link::Up] {
        world.nodes[0].machine.as_mut().unwrap().handle_link(&peer, link, now);
        world.collect(0);
    }
    assert_eq!(world.machine(0).engine().accepted, before + 1);
}

#[test]
fn a_complaint_in_the_name_of_an_own_seat_that_comes_from_outside_takes_no_dealing_out() {
    let mut world = World::with_seats(2, &[0, 1, 2], 2, &[0, 0, 1], &[]);
    world.open_all();
    world.decide();
    world.run_with(MINUTE, |packet| matches!(packet.kind(), Kind::Approval | Kind::Acceptance));
    let dealing = world.sent_of(Kind::Dealing).into_iter().find(|one| one.to == 0).unwrap().clone();
    let header = dealing.envelope().header().party().unwrap();
    world.deliver(&dealing).unwrap();
    let read = dealing.envelope().read(&world.plan.params(&world.fixture.group).unwrap()).unwrap();
    let Body::Dealing(content) = read else { panic!("a dealing") };
    let params = world.plan.params(&world.fixture.group).unwrap();
    let dealing = Dealing::parse(&params, header.seat, &content).unwrap();
    let complaint = Body::Complaint(DealingName::of(&dealing));
    let bytes = world.sealed(0, Party::new(seat(1)), &complaint);
    assert_eq!(world.deliver(&Packet { from: 2, to: 0, bytes }), Err(Rejected::Repeat));
    let complaint = |event: &Event| matches!(event, Event::Complaint { .. });
    assert!(!world.nodes[0].events.iter().any(complaint));
}

#[test]
fn what_comes_from_outside_about_any_own_seat_counts_for_nothing() {
    let mut world = World::with_seats(2, &[0, 0, 1, 2], 2, &[0, 0, 1], &[]);
    world.open_all();
    for (sender, body) in
        [(Party::old(seat(1)), Body::Approval), (Party::old(seat(1)), Body::Withdrawal)]
    {
        let bytes = world.sealed(0, sender, &body);
        let told = Packet { from: 1, to: 0, bytes };
        assert_eq!(world.deliver(&told), Err(Rejected::Repeat));
    }
}

#[test]
fn each_seat_of_a_node_coordinates_in_its_turn() {
    let mut world = World::with_seats(2, &[0, 1, 2], 2, &[0, 0, 0, 1], &[]);
    world.open_all();
    world.decide();
    world.run_with(MINUTE, |packet| !matches!(packet.kind(), Kind::Signature | Kind::Certificate));
    let choices = world.sent_of(Kind::Choice).into_iter().filter(|packet| packet.from == 0);
    let seats: BTreeSet<usize> =
        choices.map(|packet| packet.envelope().header().party().unwrap().seat.index()).collect();
    assert_eq!(seats, [0, 1, 2].into());
    world.run();
    world.assert_one_epoch();
    world.assert_consistent();
}
