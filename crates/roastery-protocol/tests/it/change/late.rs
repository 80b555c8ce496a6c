//! Decisions and records that wait, plans that expire, restarts after that, clocks that are set
//! back.

use roastery_protocol::{
    ChangeTranscriptHash,
    change::{
        EpochOrder, Party, Plan, Terms,
        machine::{Change, Event, Record, Rejected},
        message::{Body, DealingName, Envelope, Kind},
    },
    group::NamedMember,
};
use roastery_testkit::seat;

use super::world::*;

fn decided(t: usize, n: usize, threshold: usize, new: &[usize]) -> World {
    let mut world = World::new(t, n, threshold, new);
    world.open_all();
    world.decide();
    world
}

fn has_left(world: &World, kind: Kind, from: usize) -> bool {
    world.sent_of(kind).iter().any(|packet| packet.from == from)
}

fn has_signed(world: &World, person: usize) -> bool {
    let signed = |record: &Record| matches!(record, Record::Signed { .. });
    world.nodes[person].stored.iter().any(signed)
}

fn dealt(record: &Record) -> Option<DealingName> {
    match record {
        Record::Dealt(name) => Some(*name),
        _ => None,
    }
}

/// The new seat 2 shows a choice to person 0.
fn choose(world: &mut World, names: &[DealingName]) -> Result<(), Rejected> {
    let body = Body::Choice(names.to_vec());
    let said = Envelope::seal(world.plan.id(), Party::new(seat(2)), &body, &identity(2));
    world.deliver(&Packet { from: 2, to: 0, bytes: said.as_bytes().clone() })
}

#[test]
fn a_withdrawal_that_could_not_be_kept_holds_at_once_and_is_told_when_the_store_works_again() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    for person in 0..3 {
        world.with(person, Change::accept);
    }
    world.approve(0);
    world.run_with(MINUTE, |_| true);
    world.nodes[0].disk = Disk::Refuses;
    assert_eq!(world.with(0, Change::withdraw), Some(true));
    world.approve(0);
    world.approve(1);
    world.run_with(MINUTE, |_| true);
    assert!(world.nodes[0].events.contains(&Event::NotKept(Record::Withdrawn)));
    assert!(!has_left(&world, Kind::Withdrawal, 0) && !has_left(&world, Kind::Dealing, 0));
    world.nodes[0].disk = Disk::Keeps;
    world.run_with(MINUTE, |_| true);
    assert!(world.nodes[0].stored.contains(&Record::Withdrawn));
    assert!(has_left(&world, Kind::Withdrawal, 0));
    let told = world.nodes[0].events.iter().filter(|event| **event == Event::Withdrawn);
    assert_eq!(told.count(), 1);
    world.approve(2);
    world.run();
    world.assert_one_epoch();
    assert!(!has_left(&world, Kind::Dealing, 0));
}

#[test]
fn a_rule_accepts_nothing_after_a_withdrawal_that_the_store_refuses_and_the_person_does() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    world.nodes[0].disk = Disk::Refuses;
    assert_eq!(world.with(0, Change::withdraw), Some(true));
    world.nodes[0].disk = Disk::Keeps;
    world.with(0, Change::accept_by_rule);
    assert!(!world.nodes[0].stored.contains(&Record::Accepted));
    world.with(0, Change::accept);
    assert!(world.nodes[0].stored.contains(&Record::Accepted));
    world.with(1, Change::accept_by_rule);
    assert!(world.nodes[1].stored.contains(&Record::Accepted));
}

#[test]
fn a_dealing_that_the_store_refused_does_not_leave_after_a_withdrawal_when_the_store_works_again() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    for person in 0..3 {
        world.with(person, Change::accept);
    }
    world.approve(0);
    world.run_with(MINUTE, |_| true);
    world.nodes[0].disk = Disk::Refuses;
    world.approve(1);
    world.run_with(MINUTE, |_| true);
    let is_dealt = |event: &Event| matches!(event, Event::NotKept(Record::Dealt(_)));
    assert!(world.nodes[0].events.iter().any(is_dealt));
    // It may be on the disk, so the answer is the cautious one.
    assert_eq!(world.with(0, Change::withdraw), Some(false));
    world.nodes[0].disk = Disk::Keeps;
    world.run_with(5 * MINUTE, |_| true);
    assert!(has_left(&world, Kind::Withdrawal, 0));
    assert!(!has_left(&world, Kind::Dealing, 0));
}

#[test]
fn a_signature_whose_record_waited_does_not_leave_below_an_epoch_that_became_current_meanwhile() {
    for disk in [Disk::RefusesSigned, Disk::HoldsSigned] {
        let mut world = World::new(2, 3, 2, &[0, 1, 2]);
        world.nodes[2].disk = disk;
        world.open_all();
        world.decide();
        world.run_with(MINUTE, |_| true);
        assert!(world.machine(2).engine().asked > 0 && !has_left(&world, Kind::Signature, 2));
        let greater = ChangeTranscriptHash::from_bytes([0xff; 32]);
        let greater = EpochOrder::of(&world.plan, greater);
        world.with(2, |machine, _| machine.set_current(greater));
        world.mend(2);
        world.run_with(5 * MINUTE, |_| true);
        assert!(!has_left(&world, Kind::Signature, 2) && !has_left(&world, Kind::Choice, 2));
        assert_eq!(world.certified(), 0);
    }
}

#[test]
fn a_first_signature_whose_record_waited_does_not_leave_after_the_expiry_and_the_plan_is_open() {
    for disk in [Disk::RefusesSigned, Disk::HoldsSigned] {
        let mut world = World::new(2, 3, 2, &[0, 1, 2]);
        world.nodes[2].disk = disk;
        world.open_all();
        world.decide();
        world.run_with(61 * MINUTE, |_| true);
        // The record may be on the disk although the store has not said so.
        assert!(world.nodes[2].events.contains(&Event::Expired { open: true }));
        world.mend(2);
        world.run_with(5 * MINUTE, |_| true);
        assert!(!has_left(&world, Kind::Signature, 2) && !has_left(&world, Kind::Choice, 2));
        assert_eq!(world.certified(), 0);
    }
}

#[test]
fn nothing_is_signed_without_an_own_acceptance_that_is_stored_and_a_roll() {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
    // The store of person 0 is lost, and no person has decided there again.
    world.nodes[0].stored.clear();
    world.queue.clear();
    world.open(0);
    let dealings: Vec<Packet> =
        world.sent_of(Kind::Dealing).into_iter().filter(|packet| packet.to == 0).cloned().collect();
    for packet in dealings {
        let _ = world.deliver(&packet);
    }
    let names: Vec<DealingName> =
        world.nodes.iter().flat_map(|node| &node.stored).filter_map(dealt).collect();
    assert_eq!(names.len(), 2);
    let _ = choose(&mut world, &names);
    assert!(!has_signed(&world, 0), "without an acceptance");
    world.with(0, Change::accept);
    let _ = choose(&mut world, &names);
    assert!(!has_signed(&world, 0), "without a roll");
    world.run();
    assert!(has_signed(&world, 0));
    world.assert_one_epoch();
}

/// All but `without` have a certificate, which never reached that one, and the plan has expired.
fn certified_without(mut world: World, without: usize) -> World {
    let lost = |packet: &Packet| packet.kind() == Kind::Certificate && packet.to == without;
    // Where it makes the certificate itself, its own choice is not signed.
    let own = |packet: &Packet| packet.kind() == Kind::Choice && packet.from == without;
    world.run_with(61 * MINUTE, |packet| !lost(packet) && !own(packet));
    assert_eq!(world.certified(), world.nodes.len() - 1);
    assert!(world.nodes[without].certificate.is_none());
    world.queue.clear();
    world
}

#[test]
fn a_member_that_has_signed_or_dealt_asks_for_the_certificate_also_when_it_begins_again_after_the_expiry()
 {
    // Person 3 leaves: it has dealt and signs nothing.
    for person in [0, 3] {
        let mut world = certified_without(decided(2, 4, 2, &[0, 1, 2]), person);
        world.open(person);
        world.run();
        world.assert_one_epoch();
    }
}

#[test]
fn what_was_signed_is_signed_again_for_the_others_by_a_node_that_begins_again_after_the_expiry() {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    let by_0 = |packet: &Packet| {
        packet.from == 0 && matches!(packet.kind(), Kind::Signature | Kind::Choice)
    };
    world.run_with(61 * MINUTE, |packet| !by_0(packet));
    assert!(world.certified() == 0 && has_signed(&world, 0));
    world.queue.clear();
    world.open(0);
    world.run();
    world.assert_one_epoch();
    world.assert_consistent();
}

#[test]
fn a_plan_that_was_signed_and_is_not_certified_after_an_hour_is_shown_as_open_also_after_a_restart()
{
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    let by_0 = |packet: &Packet| {
        packet.from == 0 && matches!(packet.kind(), Kind::Signature | Kind::Choice)
    };
    world.run_with(30 * MINUTE, |packet| !by_0(packet));
    assert!(has_signed(&world, 1) && !world.machine(1).is_open());
    let open =
        |world: &World| world.nodes[1].events.iter().filter(|one| **one == Event::Open).count();
    assert_eq!(open(&world), 0);
    world.run_with(31 * MINUTE, |packet| !by_0(packet));
    assert!(world.machine(1).is_open());
    assert_eq!(open(&world), 1);
    world.open(1);
    world.run_with(61 * MINUTE, |packet| !by_0(packet));
    assert_eq!(open(&world), 2);
    world.queue.clear();
    world.open(0);
    world.run();
    world.assert_one_epoch();
    assert!(!world.machine(1).is_open());
}

#[test]
fn a_certificate_that_was_stored_is_told_to_all_once_when_its_node_begins_again() {
    // Person 3 leaves and has nothing to ask for: it has neither dealt nor signed.
    let mut world = World::new(2, 4, 2, &[0, 1, 2]);
    world.open_all();
    (0..3).for_each(|person| world.decide_one(person));
    let mut world = certified_without(world, 3);
    world.open(1);
    let told = world.queue.iter().filter(|packet| packet.kind() == Kind::Certificate);
    assert_eq!(told.count(), 3);
    world.run();
    world.assert_one_epoch();
}

#[test]
fn a_clock_that_is_set_back_makes_an_expired_plan_no_younger() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    (0..2).for_each(|person| world.decide_one(person));
    let begun = world.now;
    world.run_with(61 * MINUTE, |_| true);
    assert!(world.nodes.iter().all(|node| node.stored.contains(&Record::Expired)));
    world.now = begun;
    world.open_all();
    world.decide();
    world.run_with(5 * MINUTE, |_| true);
    for person in 0..3 {
        assert!(!has_left(&world, Kind::Dealing, person) && !has_signed(&world, person));
        let expired = |event: &&Event| matches!(event, Event::Expired { open: false });
        assert_eq!(world.nodes[person].events.iter().filter(expired).count(), 2);
    }
}

#[test]
fn a_dealing_is_not_repeated_after_the_expiry_or_when_it_is_barred() {
    for bars in [true, false] {
        let mut world = decided(2, 3, 2, &[0, 1, 2]);
        world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
        if bars {
            world.with(0, |machine, _| machine.bar_dealing());
        } else {
            world.run_with(61 * MINUTE, |packet| packet.kind() != Kind::Choice);
        }
        assert!(has_left(&world, Kind::Dealing, 0));
        world.sent.clear();
        world.run_with(5 * MINUTE, |packet| packet.kind() != Kind::Choice);
        assert!(!has_left(&world, Kind::Dealing, 0));
        assert_eq!(has_left(&world, Kind::Dealing, 1), bars);
    }
}

#[test]
fn choices_that_come_to_nothing_are_tried_a_few_times_and_not_again_on_every_event() {
    let mut world = World::new(2, 6, 2, &[0, 1, 2, 3, 4, 5]);
    world.nodes[0].takes_nothing = true;
    world.open_all();
    world.decide();
    world.run_with(5 * MINUTE, |packet| packet.kind() != Kind::Choice || packet.to != 0);
    // Its own choices, each once: the neighbours among the dealings that have come so far.
    let own = world.machine(0).engine().asked;
    assert!(own <= 10, "{own}");
    let records = world.nodes.iter().flat_map(|node| &node.stored);
    let names: Vec<DealingName> = records.filter_map(dealt).collect();
    let mut too_many = 0;
    for one in 0..6 {
        for other in one + 1..6 {
            let result = choose(&mut world, &[names[one], names[other]]);
            too_many += usize::from(matches!(result, Err(Rejected::TooMany { .. })));
        }
    }
    let asked = world.machine(0).engine().asked - own;
    assert!(asked <= 4 && too_many > 0, "{asked}, {too_many}");
}

/// Person 2 has not accepted yet, and all else is there for a roll.
fn waiting_for_the_last() -> World {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    (0..2).for_each(|person| world.decide_one(person));
    world.approve(2);
    world.run_with(MINUTE, |_| true);
    world
}

#[test]
fn a_plan_is_not_dealt_in_once_another_epoch_than_its_parent_is_current_also_after_a_restart() {
    for restarts in [false, true] {
        let mut world = waiting_for_the_last();
        // Another plan of the same parent, with a lower place than anything of this one.
        let other = ChangeTranscriptHash::from_bytes([0; 32]);
        world.current = EpochOrder::of(&world.plan, other);
        let current = world.current;
        if restarts {
            world.open(0);
        } else {
            world.with(0, |machine, _| machine.set_current(current));
        }
        world.with(2, Change::accept);
        world.run_with(5 * MINUTE, |packet| packet.kind() != Kind::Choice);
        assert!(!has_left(&world, Kind::Dealing, 0) && has_left(&world, Kind::Dealing, 1));
        assert!(!world.nodes[0].stored.iter().any(|record| dealt(record).is_some()));
    }
}

#[test]
fn a_node_approves_only_while_the_parent_is_its_current_epoch() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    let other = EpochOrder::of(&world.plan, ChangeTranscriptHash::from_bytes([0; 32]));
    world.with(0, |machine, _| machine.set_current(other));
    world.approve(0);
    world.approve(1);
    world.run_with(MINUTE / 2, |_| true);
    assert!(!has_left(&world, Kind::Approval, 0) && world.nodes[0].stored.is_empty());
    world.with(1, |machine, _| machine.set_current(other));
    world.sent.clear();
    world.run_with(MINUTE, |_| true);
    assert!(!has_left(&world, Kind::Approval, 1), "nor does it repeat it");
}

#[test]
fn a_dealing_is_not_repeated_once_another_epoch_than_the_parent_is_current() {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Choice);
    let current = EpochOrder::of(&world.plan, ChangeTranscriptHash::from_bytes([0; 32]));
    world.with(0, |machine, _| machine.set_current(current));
    world.sent.clear();
    world.run_with(5 * MINUTE, |packet| packet.kind() != Kind::Choice);
    assert!(!has_left(&world, Kind::Dealing, 0) && has_left(&world, Kind::Dealing, 1));
}

#[test]
fn a_plan_that_a_later_one_has_overtaken_is_not_dealt_in_after_a_restart() {
    let mut world = waiting_for_the_last();
    world.may_deal = false;
    world.open(0);
    world.with(2, Change::accept);
    world.run_with(5 * MINUTE, |packet| packet.kind() != Kind::Choice);
    assert!(!has_left(&world, Kind::Dealing, 0) && has_left(&world, Kind::Dealing, 1));
}

#[test]
fn a_plan_below_the_current_epoch_says_nothing_by_itself_though_it_was_dealt_and_signed() {
    let mut world = decided(2, 3, 2, &[0, 1, 2]);
    world.run_with(MINUTE, |packet| packet.kind() != Kind::Signature);
    assert!((0..3).all(|person| has_signed(&world, person)));
    let greater = ChangeTranscriptHash::from_bytes([0xff; 32]);
    let terms = Terms {
        number: 2,
        threshold: 2,
        expiry: world.plan.expiry(),
        excluded: Vec::new(),
        members: named_members(&world),
    };
    let plan = Plan::new(*world.plan.parent(), terms).unwrap();
    let later = EpochOrder::of(&plan, greater);
    for person in 0..3 {
        world.with(person, |machine, _| machine.set_current(later));
    }
    world.queue.clear();
    world.sent.clear();
    world.run_with(90 * MINUTE, |_| true);
    assert!(world.sent.is_empty(), "{:?}", world.sent[0].kind());
    // That it has expired is kept and told all the same.
    assert!(world.nodes.iter().all(|node| node.stored.contains(&Record::Expired)));
}

fn named_members(world: &World) -> Vec<NamedMember> {
    let named = world.plan.names().iter().cloned().zip(world.plan.members().iter().cloned());
    named.map(|(name, member)| NamedMember { name, member }).collect()
}
