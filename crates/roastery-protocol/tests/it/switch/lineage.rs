//! Which epochs a node knows, and how it learns of them.

use roastery_protocol::{
    change::{
        EpochFile, EpochOrder, EpochRefused, MAX_FORKS, Party,
        message::{Body, Envelope, Kind, LineageContent, LineageMessage, Want},
        switch::{Event, Rejected},
    },
    machine::{Link, Machine},
};
use roastery_testkit::seat;

use super::world::*;

fn file_message(world: &World, epoch: &Epoch) -> Vec<u8> {
    let file = EpochFile::new(epoch.plan.clone(), &epoch.certificate);
    let content = LineageContent::Epoch(file);
    LineageMessage { key: world.fixture.group.key_id(), content }.encode()
}

#[test]
fn a_certificate_that_reached_one_node_is_told_to_all_members_which_adopt_the_epoch() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(1, &epoch);
    world.run();
    for person in 0..3 {
        assert!(world.has_adopted(person, &epoch));
        let group = world.machine(person).lineage().group(epoch.order).unwrap();
        assert_eq!(group.id(), epoch.group.id());
        let events = &world.nodes[person].events;
        let expected = [
            Event::Certified(epoch.order),
            Event::Current(epoch.order),
            Event::Adopted(epoch.order),
        ];
        for event in expected {
            assert_eq!(events.iter().filter(|one| **one == event).count(), 1, "{event:?}");
        }
        // The old epoch is served until it is erased.
        let root = world.machine(person).lineage().root_order();
        assert_eq!(world.machine(person).held().collect::<Vec<_>>(), [root, epoch.order]);
    }
}

#[test]
fn a_node_that_slept_for_three_epochs_is_told_the_lineage_and_each_file_is_verified() {
    let mut world = World::new(2, 3, 4);
    let mut epochs = Vec::new();
    let root = world.root();
    epochs.push(world.certify(&root, 1, 2, &[0, 1, 2]));
    for people in [[1, 2, 3], [0, 1, 2]] {
        let parent = epochs[epochs.len() - 1].clone();
        epochs.push(world.certify(&parent, 1, 2, &people));
    }
    for epoch in &epochs {
        world.certified(1, epoch);
        world.run_with(MINUTE, |from, to| from != 0 && to != 0);
    }
    assert_eq!(world.machine(0).current(), world.machine(0).lineage().root_order());
    // At its first contact, by the link alone.
    world.queue.clear();
    world.with(0, |machine, now| machine.handle_link(&peer_of(1), Link::Up, now));
    world.run_with(MINUTE / 60, |_, _| true);
    assert!(world.has_adopted(0, &epochs[2]));
    let chain = world.machine(0).lineage().chain().map(|epoch| epoch.order().epoch());
    assert_eq!(chain.collect::<Vec<_>>(), [3, 2, 1]);
}

#[test]
fn of_two_certified_plans_of_one_parent_all_members_take_the_greater_whichever_came_first() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let low = world.certify(&root, 1, 2, &[0, 1, 2]);
    let high = world.certify(&root, 2, 3, &[0, 1, 2]);
    world.certified(0, &low);
    world.certified(1, &high);
    world.certified(2, &low);
    world.run_with(MINUTE, |from, to| (from == 1) == (to == 1));
    assert_eq!(world.machine(0).current(), low.order);
    world.run_with(2 * MINUTE, |_, _| true);
    for person in 0..3 {
        assert_eq!(world.machine(person).current(), high.order);
        assert!(world.has_adopted(person, &high));
    }
    // A greater fork that goes on is found from its common epoch on.
    let next = world.certify(&low, 1, 2, &[0, 1, 2]);
    world.certified(0, &next);
    world.run();
    assert!((0..3).all(|person| world.machine(person).current() == next.order));
    // It was made from its parent, though another place is nearer.
    let lineage = world.machine(2).lineage();
    assert_eq!(lineage.parent_of_current().unwrap().id(), low.group.id());
    assert_ne!(low.group.threshold(), high.group.threshold());
}

#[test]
fn a_recovery_file_that_was_not_asked_for_is_not_read() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    let message = file_message(&world, &epoch);
    // The opening has asked each peer once.
    world.queue.clear();
    assert!(world.deliver(1, 0, &message).is_ok());
    assert!(matches!(world.deliver(1, 0, &message), Err(Rejected::Epoch(EpochRefused::Known))));
    for _ in 0..3 {
        let _ = world.deliver(1, 0, &message);
    }
    assert!(matches!(world.deliver(1, 0, &message), Err(Rejected::NotAsked)));
}

#[test]
fn files_that_do_not_verify_are_read_four_times_of_one_peer() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    let mut message = file_message(&world, &epoch);
    *message.last_mut().unwrap() ^= 1;
    let mut wrong = 0;
    for _ in 0..8 {
        world.run_with(MINUTE, |_, _| false);
        world.with(0, |machine, now| machine.handle_link(&peer_of(1), Link::Up, now));
        match world.deliver(1, 0, &message) {
            Err(Rejected::Epoch(EpochRefused::NotCertified(_))) => wrong += 1,
            Err(Rejected::TooMany) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(wrong, 4);
    assert!(world.nodes[0].events.is_empty());
}

#[test]
fn an_epoch_of_a_parent_that_is_not_known_is_not_taken_and_its_parent_is_asked_for() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let first = world.certify(&root, 1, 2, &[0, 1, 2]);
    let second = world.certify(&first, 1, 2, &[0, 1, 2]);
    world.queue.clear();
    let message = file_message(&world, &second);
    // It asks for epoch 1, and a file of epoch 2 is no answer to that: nothing more is asked.
    let refused = world.deliver(1, 0, &message);
    assert!(matches!(refused, Err(Rejected::Epoch(EpochRefused::UnknownParent { epoch: 2 }))));
    assert!(world.queue.is_empty());
    let file = EpochFile::new(second.plan.clone(), &second.certificate);
    world.with(0, |machine, now| {
        let refused = machine.enter(&file, now);
        assert_eq!(refused, Err(EpochRefused::UnknownParent { epoch: 2 }));
    });
}

#[test]
fn a_peer_without_a_seat_in_any_epoch_is_neither_read_nor_answered() {
    let mut world = World::new(2, 3, 4);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(0, &epoch);
    let ask = LineageContent::Ask { current: EpochOrder::GENERATED, epoch: 1 };
    let ask = LineageMessage { key: world.fixture.group.key_id(), content: ask }.encode();
    world.queue.clear();
    assert!(matches!(world.deliver(3, 0, &ask), Err(Rejected::NotAMember)));
    assert!(world.queue.is_empty());
    assert!(world.deliver(1, 0, &ask).is_ok());
    assert_eq!(world.queue.len(), 1);
    // The same is answered once within the interval.
    assert!(matches!(world.deliver(1, 0, &ask), Err(Rejected::NoAnswer)));
}

#[test]
fn forks_are_kept_up_to_a_bound() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let greatest = world.certify(&root, 100, 2, &[0, 1, 2]);
    world.certified(0, &greatest);
    for number in 1..=MAX_FORKS as u32 {
        let fork = world.certify(&root, number, 2, &[0, 1, 2]);
        world.certified(0, &fork);
    }
    let kept = |world: &World| {
        let lineage = world.machine(0).lineage();
        lineage.epochs().count() - lineage.chain().count()
    };
    let dropped = |world: &World| {
        let dropped = |event: &&Event| matches!(event, Event::Dropped(_));
        world.nodes[0].events.iter().filter(dropped).count()
    };
    assert_eq!((kept(&world), dropped(&world)), (MAX_FORKS, 0));
    // The lowest one makes room, and the one that was added stays, as low as it may be.
    let fork = world.certify(&root, 0, 2, &[0, 1, 2]);
    world.certified(0, &fork);
    assert!(world.machine(0).lineage().get(fork.order).is_some());
    assert_eq!(kept(&world), MAX_FORKS + 1);
    let greater = world.certify(&root, 101, 2, &[0, 1, 2]);
    world.certified(0, &greater);
    assert_eq!((kept(&world), dropped(&world)), (MAX_FORKS, 2));
    assert!(world.machine(0).lineage().get(greatest.order).is_some());
    world.open(0);
    assert_eq!((kept(&world), world.machine(0).current()), (MAX_FORKS, greater.order));
}

#[test]
fn the_greatest_epoch_is_reached_in_another_branch_though_all_forks_are_kept() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let greatest = world.certify(&root, 100, 2, &[0, 1, 2]);
    world.certified(0, &greatest);
    for number in 10..10 + MAX_FORKS as u32 {
        let fork = world.certify(&root, number, 2, &[0, 1, 2]);
        world.certified(0, &fork);
    }
    world.queue.clear();
    let low = world.certify(&root, 1, 2, &[0, 1, 2]);
    let next = world.certify(&low, 1, 2, &[0, 1, 2]);
    world.certified(1, &low);
    world.certified(1, &next);
    world.run();
    assert!(world.has_adopted(0, &next));
    assert_eq!(world.machine(0).lineage().chain().count(), 2);
    world.open(0);
    assert_eq!(world.machine(0).current(), next.order);
}

#[test]
fn a_plan_with_two_certificates_is_followed_from_either_and_no_peer_is_counted_as_wrong() {
    for knows_the_greater in [false, true] {
        let mut world = World::new(2, 3, 3);
        let root = world.root();
        let one = world.certify(&root, 1, 2, &[0, 1, 2]);
        let other = world.certify_again(&root, &one);
        assert_ne!(one.order, other.order);
        let is_ordered = one.order < other.order;
        let (low, high) = if is_ordered { (one, other) } else { (other, one) };
        let (known, base) = if knows_the_greater { (high, low) } else { (low, high) };
        world.certified(0, &known);
        world.run_with(MINUTE, |_, _| false);
        // The network goes on from the other outcome of the plan, five times.
        world.certified(1, &base);
        let mut last = base;
        for _ in 0..5 {
            last = world.certify(&last.clone(), 1, 2, &[0, 1, 2]);
            world.certified(1, &last);
        }
        world.run_with(2 * MINUTE, |_, _| true);
        assert!((0..3).all(|person| world.machine(person).current() == last.order));
        assert!(world.has_adopted(0, &last));
    }
}

#[test]
fn a_recovery_file_is_stored_after_the_one_before_it() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let first = world.certify(&root, 1, 2, &[0, 1, 2]);
    let second = world.certify(&first, 1, 2, &[0, 1, 2]);
    world.nodes[0].refuses.insert(first.order);
    world.certified(0, &first);
    world.certified(0, &second);
    world.run();
    assert!(world.nodes[0].files.is_empty() && !world.has_adopted(0, &second));
    world.nodes[0].refuses.clear();
    world.run();
    let numbers: Vec<u32> = world.nodes[0].files.iter().map(|file| file.plan().epoch()).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(world.has_adopted(0, &second));
}

#[test]
fn a_stored_file_without_the_one_before_it_is_passed_over_and_both_are_asked_for() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let first = world.certify(&root, 1, 2, &[0, 1, 2]);
    let second = world.certify(&first, 1, 2, &[0, 1, 2]);
    world.certified(1, &first);
    world.certified(1, &second);
    world.run();
    assert!(world.has_adopted(0, &second));
    world.nodes[0].files.retain(|file| file.plan().epoch() == 2);
    world.open(0);
    let missing = Event::ParentMissing { epoch: 2, plan: second.plan.id() };
    assert!(world.nodes[0].events.contains(&missing));
    assert_eq!(world.machine(0).current(), EpochOrder::GENERATED);
    world.run();
    assert!(world.has_adopted(0, &second));
    // Both are stored again, and the next start finds them.
    world.open(0);
    assert_eq!(world.machine(0).current(), second.order);
}

#[test]
fn a_certificate_whose_file_is_not_given_back_is_stored_again() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(1, &epoch);
    world.run();
    world.nodes[0].files.clear();
    world.open(0);
    world.run();
    assert_eq!(world.nodes[0].files.len(), 1);
}

#[test]
fn messages_of_a_plan_whose_epoch_exists_are_answered_with_the_certificate() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(0, &epoch);
    world.queue.clear();
    let says = [
        (Party::old(seat(1)), Body::Approval),
        (Party::new(seat(2)), Body::Want(Want::Certificate)),
    ];
    for (sender, body) in says {
        let from = sender.seat.index();
        let envelope = Envelope::seal(epoch.plan.id(), sender, &body, &identity(from));
        let over = world.deliver(from, 0, envelope.as_bytes());
        assert!(matches!(over, Err(Rejected::Over)));
        let (_, to, bytes) = world.queue.pop_back().unwrap();
        assert_eq!((to, Envelope::parse(&bytes).unwrap().kind()), (from, Kind::Certificate));
    }
    // Under the name of another one.
    let forged =
        Envelope::seal(epoch.plan.id(), Party::old(seat(1)), &Body::Approval, &identity(2));
    let refused = world.deliver(2, 0, forged.as_bytes());
    assert!(matches!(refused, Err(Rejected::NotSigned(_))));
}

#[test]
fn a_message_about_a_lineage_is_read_back_and_its_length_is_bounded() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    let bytes = file_message(&world, &epoch);
    let read = LineageMessage::parse(&bytes).unwrap();
    assert_eq!(read.encode(), bytes);
    assert_eq!(LineageMessage::peek_key(&bytes), Some(read.key));
    for length in 0..40 {
        assert!(LineageMessage::parse(&bytes[..length]).is_err());
    }
    let most = roastery_protocol::change::message::MAX_LINEAGE_MESSAGE;
    assert!(LineageMessage::parse(&vec![1; most + 1]).is_err());
    assert!(LineageMessage::parse(&[&bytes[..], &[0]].concat()).is_err());
}

/// How often a file that is no use is read, each time asked for by a new link.
fn read_of(world: &mut World, message: &[u8]) -> usize {
    world.open(0);
    let mut read = 0;
    for _ in 0..40 {
        world.run_with(MINUTE, |_, _| false);
        world.with(0, |machine, now| machine.handle_link(&peer_of(1), Link::Up, now));
        let refused = world.deliver(1, 0, message);
        read += usize::from(!matches!(refused, Err(Rejected::TooMany)));
    }
    read
}

#[test]
fn files_that_add_nothing_or_do_not_decode_are_read_a_few_times_of_one_peer() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let first = world.certify(&root, 1, 2, &[0, 1, 2]);
    let second = world.certify(&first, 1, 2, &[0, 1, 2]);
    let message = file_message(&world, &second);
    assert_eq!(read_of(&mut world, &message), 16);
    assert_eq!(read_of(&mut world, &message[..message.len() - 1]), 4);
    let other = LineageMessage {
        key: roastery_protocol::KeyId::from_bytes([1; 32]),
        ..LineageMessage::parse(&message).unwrap()
    };
    assert_eq!(read_of(&mut world, &other.encode()), 4);
}
