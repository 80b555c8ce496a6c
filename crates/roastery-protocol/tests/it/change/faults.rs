//! Silent coordinators, wrong dealings, lost messages, stores that fail, restarts at each step.

use std::collections::BTreeSet;

use roastery_protocol::{
    ChangeTranscriptHash,
    change::{
        Holding, Party, Question, Receipt,
        machine::{Event, Record, Rejected},
        message::{Body, DealingName, Envelope, Kind, Want},
    },
    machine::{Link, Machine},
    member::Incarnation,
};
use roastery_testkit::{peer, seat};

use super::world::*;

fn decided(t: usize, n: usize, threshold: usize, new: &[usize]) -> World {
    let mut world = World::new(t, n, threshold, new);
    world.open_all();
    world.decide();
    world
}

#[test]
fn a_coordinator_that_is_silent_costs_an_interval() {
    // Who coordinates first is seen in another run of the same plan.
    let mut world = decided(3, 5, 3, &[0, 1, 2, 3, 4]);
    let mut silent = None;
    let begun = world.now;
    world.run_with(10 * MINUTE, |packet| {
        if packet.kind() == Kind::Choice {
            let first = *silent.get_or_insert(packet.from);
            return packet.from != first;
        }
        true
    });
    world.assert_one_epoch();
    world.assert_consistent();
    let took = world.now.monotonic - begun.monotonic;
    assert!(took >= MINUTE / 12 && took < MINUTE / 4, "{took:?}");
}

#[test]
fn a_certificate_that_reaches_one_member_only_is_told_to_each_that_asks() {
    let mut world = decided(2, 4, 2, &[0, 1, 2]);
    let mut first: Option<usize> = None;
    let mut lost = 0;
    world.run_with(10 * MINUTE, |packet| {
        if packet.kind() == Kind::Certificate && lost < 3 {
            first.get_or_insert(packet.from);
            lost += 1;
            return false;
        }
        true
    });
    assert_eq!(lost, 3);
    world.assert_one_epoch();
}

#[test]
fn members_that_join_learn_of_a_certificate_that_only_a_leaving_member_has() {
    let mut world = decided(2, 3, 2, &[3, 4, 5]);
    // The coordinator tells it to person 0 alone, and is not seen again.
    let mut coordinator: Option<usize> = None;
    world.run_with(10 * MINUTE, |packet| {
        let is_first = coordinator.is_none() && packet.kind() == Kind::Certificate;
        if is_first {
            coordinator = Some(packet.from);
        }
        let cut = coordinator.is_some_and(|one| packet.from == one || packet.to == one);
        !cut || (packet.kind() == Kind::Certificate && packet.to == 0)
    });
    assert!(coordinator.is_some_and(|one| one > 2));
    world.assert_one_epoch();
}

#[test]
fn who_tells_of_its_share_of_the_epoch_or_asks_for_those_of_others_is_asked_for_the_certificate() {
    let question = Question { incarnation: Incarnation::after(None, 1, [0; 8]), number: 1 };
    let receipt = Receipt {
        transcript: ChangeTranscriptHash::from_bytes([5; 32]),
        incarnation: question.incarnation,
        counter: 0,
        holding: Holding::Adopted,
        answers: None,
    };
    for body in [Body::Receipt(receipt), Body::Want(Want::Receipt(question))] {
        let mut world = decided(2, 3, 2, &[0, 1, 2]);
        world.queue.clear();
        world.sent.clear();
        let said = Envelope::seal(world.plan.id(), Party::new(seat(2)), &body, &identity(2));
        let packet = Packet { from: 2, to: 0, bytes: said.as_bytes().clone() };
        assert_eq!(world.deliver(&packet), Ok(()));
        // At the rate of answers.
        assert_eq!(world.deliver(&packet), Err(Rejected::Repeat));
        let wants = world.sent_of(Kind::Want);
        assert!(matches!(wants[..], [Packet { from: 0, to: 2, .. }]), "{wants:?}");
    }
}

#[test]
fn the_first_message_of_each_kind_on_each_link_may_be_lost() {
    for (t, n, threshold, new) in [(2, 3, 2, vec![0, 1, 2]), (3, 5, 4, vec![0, 1, 2, 3, 5, 6, 7])] {
        let mut world = decided(t, n, threshold, &new);
        let mut lost = BTreeSet::new();
        world.run_with(10 * MINUTE, |packet| !lost.insert((packet.from, packet.to, packet.kind())));
        world.assert_one_epoch();
        world.assert_consistent();
    }
}

#[test]
fn a_dealing_that_is_wrong_for_one_member_is_left_out_and_convicts_no_member() {
    let mut world = World::new(3, 5, 3, &[0, 1, 2, 3, 4]);
    world.nodes[4].finds_wrong = Some(seat(0));
    world.open_all();
    world.decide();
    world.run();
    world.assert_one_epoch();
    world.assert_consistent();
    let heads = world.machine(0).certificate().unwrap().transcript().heads();
    assert!(heads.map(|head| head.dealer()).all(|dealer| dealer != seat(0)));
    assert!(world.nodes[4].events.iter().any(|event| matches!(event, Event::WrongShare(name)
        if name.dealer == seat(0))));
    for person in 0..4 {
        let told = |event: &Event| {
            matches!(event, Event::Complaint { seat: by, dealing }
            if *by == seat(4) && dealing.dealer == seat(0))
        };
        assert!(world.nodes[person].events.iter().any(told), "{person}");
    }
}

#[test]
fn a_complaint_that_is_lost_is_said_again_where_the_dealing_is_chosen() {
    let mut world = World::new(3, 5, 3, &[0, 1, 2, 3, 4]);
    world.nodes[4].finds_wrong = Some(seat(0));
    world.open_all();
    world.decide();
    let mut complaints = 0;
    world.run_with(10 * MINUTE, |packet| {
        complaints += usize::from(packet.kind() == Kind::Complaint);
        // What it says by itself, when the dealing comes.
        packet.kind() != Kind::Complaint || complaints > 4
    });
    // Where that member coordinates first, no choice has the dealing.
    let by_4 = world.sent_of(Kind::Choice).first().is_some_and(|choice| choice.from == 4);
    assert!(complaints > 4 || by_4);
    world.assert_one_epoch();
    world.assert_consistent();
}

/// The dealings that have left, by name.
fn dealt(world: &World) -> Vec<DealingName> {
    let records = world.nodes.iter().flat_map(|node| &node.stored);
    let names: BTreeSet<DealingName> = records
        .filter_map(|record| match record {
            Record::Dealt(name) => Some(*name),
            _ => None,
        })
        .collect();
    names.into_iter().collect()
}

/// A 2-of-3 in which all have dealt, and no choice has arrived.
fn without_choices() -> (World, Vec<DealingName>) {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
    let names = dealt(&world);
    assert_eq!(names.len(), 3);
    (world, names)
}

/// The new seat 2 says something to person 0.
fn say_by_2(world: &mut World, body: &Body) -> Result<(), Rejected> {
    let said = Envelope::seal(world.plan.id(), Party::new(seat(2)), body, &identity(2));
    world.deliver(&Packet { from: 2, to: 0, bytes: said.as_bytes().clone() })
}

#[test]
fn a_false_complaint_is_counted_once_and_shown_by_name() {
    let (mut world, names) = without_choices();
    for name in names {
        assert_eq!(say_by_2(&mut world, &Body::Complaint(name)), Ok(()));
        assert_eq!(say_by_2(&mut world, &Body::Complaint(name)), Err(Rejected::Repeat));
        // About a dealing that is not there.
        let none = DealingName { head: [1; 32], ..name };
        assert_eq!(say_by_2(&mut world, &Body::Complaint(none)), Err(Rejected::Repeat));
    }
    let by_2 =
        |event: &&Event| matches!(event, Event::Complaint { seat: by, .. } if *by == seat(2));
    assert_eq!(world.nodes[0].events.iter().filter(by_2).count(), 3);
}

#[test]
fn of_two_choices_of_one_coordinator_one_is_signed_also_after_a_restart() {
    let (mut world, names) = without_choices();
    let choice = |one: usize, other: usize| Body::Choice(vec![names[one], names[other]]);
    let signed = |world: &World| {
        let stored = world.nodes[0].stored.iter();
        let of_2 = stored.filter(|record| {
            matches!(record, Record::Signed { coordinator, .. }
            if *coordinator == seat(2))
        });
        of_2.count()
    };
    assert_eq!(say_by_2(&mut world, &choice(0, 1)), Ok(()));
    assert_eq!(signed(&world), 1);
    assert_eq!(say_by_2(&mut world, &choice(1, 2)), Err(Rejected::Repeat));
    assert_eq!(signed(&world), 1);
    world.open(0);
    let _ = say_by_2(&mut world, &choice(1, 2));
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
    assert_eq!(signed(&world), 1);
    // What was signed is signed again.
    let before = world.sent_of(Kind::Signature).len();
    let _ = say_by_2(&mut world, &choice(0, 1));
    assert_eq!((signed(&world), world.sent_of(Kind::Signature).len()), (1, before + 1));
    world.assert_consistent();
}

#[test]
fn nothing_leaves_before_its_record_is_kept_and_all_goes_on_when_the_store_works_again() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.nodes[1].disk = Disk::Refuses;
    world.decide();
    world.run_with(MINUTE, |_| true);
    let by_1 = world.sent.iter().filter(|packet| packet.from == 1);
    assert_eq!(by_1.count(), 0);
    assert!(world.nodes[1].events.contains(&Event::NotKept(Record::Approved)));
    let tries = world.nodes[1].events.len();
    assert!(tries < 40, "{tries} tries in a minute");
    world.nodes[1].disk = Disk::Keeps;
    world.run();
    world.assert_one_epoch();
}

#[test]
fn a_dealing_and_a_signature_leave_only_when_their_records_are_kept() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    (0..2).for_each(|person| world.decide_one(person));
    world.run_with(MINUTE, |_| true);
    world.nodes[1].disk = Disk::Refuses;
    world.decide_one(2);
    world.run_with(MINUTE, |_| true);
    for kind in [Kind::Dealing, Kind::Signature] {
        assert!(world.sent_of(kind).iter().all(|packet| packet.from != 1), "{kind:?}");
    }
    world.nodes[1].disk = Disk::Keeps;
    world.run();
    world.assert_one_epoch();
}

#[test]
fn a_member_that_stops_at_any_step_goes_on_with_what_it_has_stored() {
    for person in [0, 3, 4] {
        for number in 0..5 {
            for disk in [Disk::StopsAfter(number), Disk::StopsBefore(number)] {
                // Person 3 leaves, person 4 joins.
                let mut world = World::new(2, 4, 2, &[0, 1, 2, 4]);
                world.nodes[person].disk = disk;
                world.open_all();
                world.decide();
                world.run_with(MINUTE, |_| true);
                world.nodes[person].disk = Disk::Keeps;
                world.open(person);
                // A person whose decision was not stored decides again.
                world.decide_one(person);
                world.run();
                world.assert_one_epoch();
                world.assert_consistent();
            }
        }
    }
}

#[test]
fn all_members_that_stop_at_once_go_on_with_what_they_have_stored() {
    for number in 0..4 {
        let mut world = World::new(2, 3, 2, &[0, 1, 2]);
        world.nodes.iter_mut().for_each(|node| node.disk = Disk::StopsAfter(number));
        world.open_all();
        world.decide();
        world.run_with(MINUTE, |_| true);
        world.queue.clear();
        world.nodes.iter_mut().for_each(|node| node.disk = Disk::Keeps);
        world.open_all();
        world.decide();
        world.run();
        world.assert_one_epoch();
        world.assert_consistent();
    }
}

#[test]
fn a_store_from_before_the_dealing_deals_the_same_again() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.decide();
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
    let backup = world.nodes[0].stored.iter().position(|one| matches!(one, Record::Dealt(_)));
    world.nodes[0].stored.truncate(backup.unwrap());
    world.open(0);
    world.run();
    world.assert_one_epoch();
    world.assert_consistent();
}

#[test]
fn a_dealing_of_another_share_than_the_stored_one_does_not_leave() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.nodes[0].stored = vec![
        Record::Approved,
        Record::Accepted,
        Record::Dealt(DealingName { dealer: seat(0), head: [7; 32] }),
    ];
    world.open_all();
    world.decide();
    world.run();
    world.assert_one_epoch();
    assert!(world.sent_of(Kind::Dealing).iter().all(|packet| packet.from != 0));
    assert!(world.nodes[0].events.iter().any(|event| matches!(event, Event::OtherDealing(_))));
}

#[test]
fn a_link_that_comes_back_brings_at_once_what_was_lost() {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    world.queue.clear();
    let now = world.now;
    for person in world.people() {
        for other in world.people().filter(|other| *other != person) {
            world.with(person, |machine, now| {
                machine.handle_link(&peer(seat(other)), Link::Down, now);
                machine.handle_link(&peer(seat(other)), Link::Up, now);
            });
        }
    }
    world.run();
    world.assert_one_epoch();
    assert_eq!(world.now, now);
}

#[test]
fn what_comes_from_outside_or_is_not_signed_by_its_sender_has_no_effect() {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    let approval = |by: usize, key: usize| {
        let sender = Party::old(seat(by));
        Envelope::seal(world.plan.id(), sender, &Body::Approval, &identity(key))
    };
    let (forged, absent) = (approval(2, 1), approval(3, 3));
    let deliver = |world: &mut World, from: usize, envelope: &Envelope| {
        world.deliver(&Packet { from, to: 0, bytes: envelope.as_bytes().clone() })
    };
    let by_2 = Party::old(seat(2));
    assert_eq!(deliver(&mut world, 1, &forged), Err(Rejected::NotSigned(by_2)));
    let none = Party::old(seat(3));
    assert_eq!(deliver(&mut world, 1, &absent), Err(Rejected::NoSuchSeat(none)));
    assert_eq!(deliver(&mut world, 9, &forged), Err(Rejected::NotAMember));
    let other = roastery_protocol::PlanId::from_bytes([1; 32]);
    let other = Envelope::seal(other, by_2, &Body::Approval, &identity(2));
    assert_eq!(deliver(&mut world, 2, &other), Err(Rejected::OtherPlan));
}

#[test]
fn what_is_not_there_is_not_answered_and_invalid_certificates_are_checked_four_times() {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    let seal =
        |body: &Body| Envelope::seal(world.plan.id(), Party::new(seat(1)), body, &identity(1));
    let want = seal(&Body::Want(Want::Dealing(DealingName { dealer: seat(0), head: [1; 32] })));
    let length = 32 + 131 * 2 + 33 + 96 * 3;
    let certificate = seal(&Body::Certificate(vec![0; length]));
    let deliver = |world: &mut World, envelope: &Envelope| {
        world.deliver(&Packet { from: 1, to: 0, bytes: envelope.as_bytes().clone() })
    };
    let sender = Party::new(seat(1));
    assert_eq!(deliver(&mut world, &want), Err(Rejected::NoAnswer { sender }));
    for _ in 0..4 {
        assert_eq!(deliver(&mut world, &certificate), Err(Rejected::Wrong { sender }));
    }
    assert_eq!(deliver(&mut world, &certificate), Err(Rejected::TooMany { sender }));
}
