//! A change without faults, and what must be there before anything is dealt.

use roastery_protocol::change::{
    EpochOrder, Parent,
    machine::{Change, Event, FrostEngine, OpenError, Record},
    message::Kind,
};
use roastery_testkit::seat;

use super::world::*;

#[test]
fn a_refresh_gives_the_same_members_other_shares_of_the_same_key() {
    let mut world = World::new(3, 5, 3, &[0, 1, 2, 3, 4]);
    world.open_all();
    world.decide();
    let begun = world.now;
    world.run();
    let group = world.assert_one_epoch();
    world.assert_consistent();
    assert_eq!(world.now, begun, "it takes no time but that of the messages");
    for at in 0..5 {
        let old = world.fixture.group.keys().public_shares()[at];
        assert_ne!(group.keys().public_shares()[at], old);
        let events = &world.nodes[at].events;
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Certified(_))).count(), 1);
        let quiet = |event: &Event| {
            !matches!(event, Event::Complaint { .. } | Event::WrongShare(_) | Event::NotKept(_))
        };
        assert!(events.iter().all(quiet), "{events:?}");
    }
}

#[test]
fn a_group_gets_other_members_and_another_threshold() {
    let mut world = World::new(3, 5, 4, &[3, 0, 5, 1, 6, 2, 7]);
    world.open_all();
    world.decide();
    world.run();
    let group = world.assert_one_epoch();
    assert_eq!((group.threshold(), group.size()), (4, 7));
    world.assert_consistent();
    // A member that leaves has the certificate as well, and no seat.
    assert!(world.nodes[4].stored.iter().any(|record| matches!(record, Record::Certified(_))));
    assert!(world.new_seats(4).is_empty());
}

#[test]
fn one_transcript_is_signed_where_all_is_well() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.decide();
    world.run();
    for node in &world.nodes {
        let signed = node.stored.iter().filter(|record| matches!(record, Record::Signed { .. }));
        assert_eq!(signed.count(), 1);
    }
}

/// No member has dealt or signed.
fn assert_nothing_dealt(world: &World) {
    assert!(world.sent_of(Kind::Dealing).is_empty() && world.sent_of(Kind::Signature).is_empty());
    let dealt = |record: &Record| matches!(record, Record::Dealt(_));
    assert!(world.nodes.iter().all(|node| !node.stored.iter().any(dealt)));
}

#[test]
fn nothing_is_dealt_until_all_new_members_have_accepted() {
    let mut world = World::new(2, 3, 2, &[0, 1, 3]);
    world.open_all();
    (0..3).for_each(|person| world.decide_one(person));
    world.run_with(2 * MINUTE, |_| true);
    assert_nothing_dealt(&world);
    world.decide_one(3);
    world.run();
    world.assert_one_epoch();
}

#[test]
fn nothing_is_dealt_until_as_many_old_members_as_must_sign_have_approved() {
    let mut world = World::new(3, 5, 3, &[0, 1, 2, 3, 4]);
    world.open_all();
    for person in 0..5 {
        world.with(person, Change::accept);
    }
    (0..2).for_each(|person| world.approve(person));
    world.run_with(2 * MINUTE, |_| true);
    assert_nothing_dealt(&world);
    world.approve(4);
    world.run();
    world.assert_one_epoch();
    // Those that have not approved have not dealt.
    for person in [2, 3] {
        let dealt = |record: &Record| matches!(record, Record::Dealt(_));
        assert!(!world.nodes[person].stored.iter().any(dealt));
    }
}

#[test]
fn an_approval_is_withdrawn_until_it_is_dealt_and_not_after() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    (0..3).for_each(|person| {
        world.with(person, Change::accept);
    });
    world.approve(0);
    assert_eq!(world.with(0, Change::withdraw), Some(true));
    world.approve(0);
    world.run_with(MINUTE, |_| true);
    world.approve(1);
    world.run_with(MINUTE, |_| true);
    assert_nothing_dealt(&world);
    // A restart forgets nothing of it.
    world.open(0);
    world.run_with(MINUTE, |_| true);
    assert_nothing_dealt(&world);
    world.approve(2);
    world.run();
    world.assert_one_epoch();
    assert_eq!(world.with(1, Change::withdraw), Some(false));
}

#[test]
fn an_excluded_member_neither_approves_nor_deals() {
    let mut world = World::excluding(2, 4, 2, &[0, 1, 2], &[3]);
    world.open_all();
    world.decide();
    world.run();
    world.assert_one_epoch();
    let by_3 = world.sent.iter().filter(|packet| packet.from == 3);
    let kinds: Vec<Kind> = by_3.map(Packet::kind).collect();
    assert!(!kinds.contains(&Kind::Approval) && !kinds.contains(&Kind::Dealing), "{kinds:?}");
}

#[test]
fn after_its_expiry_a_plan_comes_to_nothing_and_the_node_says_whether_it_can_still_take_effect() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    (0..2).for_each(|person| world.decide_one(person));
    world.run_with(61 * MINUTE, |_| true);
    world.decide_one(2);
    world.run_with(MINUTE, |_| true);
    assert_nothing_dealt(&world);
    for node in &world.nodes {
        assert!(node.events.contains(&Event::Expired { open: false }), "{:?}", node.events);
    }
    // One that was signed and not certified is open, and ends when the last signature is there.
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.decide();
    world.run_with(61 * MINUTE, |packet: &Packet| packet.kind() != Kind::Signature);
    assert_eq!(world.certified(), 0);
    assert!(world.nodes[2].events.contains(&Event::Expired { open: true }));
    world.run();
    world.assert_one_epoch();
}

#[test]
fn a_node_that_is_barred_does_not_deal() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.with(0, |machine, _| machine.bar_dealing());
    world.decide();
    world.run();
    world.assert_one_epoch();
    assert!(world.sent_of(Kind::Dealing).iter().all(|packet| packet.from != 0));
}

#[test]
fn nothing_below_the_current_epoch_is_signed() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    let greater = roastery_protocol::ChangeTranscriptHash::from_bytes([0xff; 32]);
    let greater = EpochOrder::of(&world.plan, greater);
    world.with(2, |machine, _| machine.set_current(greater));
    world.decide();
    world.run_with(2 * MINUTE, |_| true);
    assert_eq!(world.certified(), 0);
    assert!(world.sent_of(Kind::Signature).iter().all(|packet| packet.from != 2));
    assert!(!world.nodes[2].stored.iter().any(|record| matches!(record, Record::Signed { .. })));
}

#[test]
fn a_change_is_opened_with_the_own_keys_of_a_seat_and_the_plans_parent() {
    let world = World::new(2, 3, 2, &[0, 1, 2]);
    let open = |change: &dyn Fn(&mut roastery_protocol::change::machine::Opening<TestEngine>)| {
        let mut opening = world.opening(0);
        change(&mut opening);
        Change::open(opening, world.now).map(|_| ()).unwrap_err()
    };
    let none = open(&|opening| (opening.old, opening.new) = (Vec::new(), Vec::new()));
    assert_eq!(none, OpenError::NoSeat);
    let identity = std::sync::Arc::new(identity(1));
    let other = open(&|opening| opening.old = vec![(seat(0), identity.clone())]);
    assert_eq!(other, OpenError::OtherIdentity);
    for key in [None, Some(host(1))] {
        let key = std::cell::RefCell::new(key);
        let other = open(&|opening| {
            opening.engine.frost = {
                let host = key.borrow_mut().take().map(|host| (seat(0), host));
                FrostEngine::new(None, host)
            };
        });
        assert_eq!(other, OpenError::OtherHostKey { seat: seat(0) });
    }
    let elsewhere = World::new(2, 3, 2, &[0, 1, 2]);
    assert_ne!(Parent::of(&elsewhere.fixture.group), *world.plan.parent());
    let parent = open(&|opening| opening.parent = elsewhere.fixture.group.clone());
    assert_eq!(parent, OpenError::OtherParent);
}
