//! What members tell each other of how far they are.

use std::time::Duration;

use roastery_protocol::{
    change::{
        Holding, Missing, Party, Question, Receipt, SecondCopy,
        message::{Body, Envelope, Want},
        switch::{ANSWERS_WITHIN, Event, READ_EVERY, Record, Rejected, Wish},
    },
    member::Incarnation,
};
use roastery_testkit::{later, seat};

use super::world::*;

fn adopted() -> (World, Epoch) {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(0, &epoch);
    world.run();
    (world, epoch)
}

fn receipt(epoch: &Epoch, of: usize, counter: u32, holding: Holding) -> Envelope {
    let transcript = epoch.order.transcript();
    let incarnation = Incarnation::after(None, 7, [0; 8]);
    let receipt = Receipt { transcript, incarnation, counter, holding, answers: None };
    let sender = Party::new(seat(of));
    Envelope::seal(epoch.plan.id(), sender, &Body::Receipt(receipt), &identity(of))
}

#[test]
fn each_member_says_that_it_has_adopted_and_all_hear_it() {
    let (world, _) = adopted();
    for person in 0..3 {
        let receipts = world.machine(person).receipts().unwrap();
        for other in 0..3 {
            assert_eq!(receipts.get(seat(other)), Some(Holding::Adopted), "{person} of {other}");
        }
    }
}

#[test]
fn a_receipt_counts_on_the_link_of_its_own_peer_only() {
    let (mut world, epoch) = adopted();
    let said = receipt(&epoch, 2, 0, Holding::Lacking);
    let refused = world.deliver(1, 0, said.as_bytes());
    assert!(matches!(refused, Err(Rejected::NotItsLink(_))));
    assert!(world.deliver(2, 0, said.as_bytes()).is_ok());
    let told = Event::Receipt { seat: seat(2), holding: Holding::Lacking };
    assert!(world.nodes[0].events.contains(&told));
}

#[test]
fn a_receipt_of_an_epoch_that_is_not_current_is_not_counted() {
    let (mut world, epoch) = adopted();
    let next = world.certify(&epoch, 1, 2, &[0, 1, 2]);
    world.certified(0, &next);
    let refused = world.deliver(2, 0, receipt(&epoch, 2, 0, Holding::Adopted).as_bytes());
    assert!(matches!(refused, Err(Rejected::OtherEpoch)));
    assert_eq!(world.machine(0).receipts().unwrap().get(seat(2)), None);
}

#[test]
fn a_member_without_share_and_host_key_says_that_it_lacks_its_share_and_adopts_when_it_is_found() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.nodes[2].lacks = true;
    world.certified(0, &epoch);
    world.run();
    assert!(world.nodes[2].events.contains(&Event::Lacking(epoch.order)));
    assert_eq!(world.machine(0).receipts().unwrap().get(seat(2)), Some(Holding::Lacking));
    world.approve(0, &epoch);
    let wish = Wish { second_copy: Some(SecondCopy::SingleCopy), ..Wish::default() };
    world.erase(0, wish);
    world.run();
    assert!(world.machine(0).is_erasing());
    world.nodes[2].lacks = false;
    world.with(2, |machine, now| machine.adopt_again(now));
    world.run();
    assert!(world.has_adopted(2, &epoch) && !world.machine(0).is_erasing());
}

#[test]
fn a_receipt_that_was_under_way_when_the_person_asked_erases_nothing() {
    let (mut world, epoch) = adopted();
    world.approve(0, &epoch);
    let wish = Wish { second_copy: Some(SecondCopy::Backup), ..Wish::default() };
    world.erase(0, wish.clone());
    world.queue.clear();
    for person in [1, 2] {
        let said = receipt(&epoch, person, 9, Holding::Adopted);
        assert!(world.deliver(person, 0, said.as_bytes()).is_ok());
    }
    let seats = [seat(1), seat(2)].into();
    let missing = world.machine(0).missing(&wish);
    assert!(missing.contains(&Missing::Receipts { seats }), "{missing:?}");
    // Nor does one that answers what another start of the node has asked.
    for person in [1, 2] {
        let incarnation = Incarnation::after(None, 0, [0; 8]);
        let answers = Some(Question { incarnation, number: 1 });
        let transcript = epoch.order.transcript();
        let (counter, holding) = (10, Holding::Adopted);
        let incarnation = Incarnation::after(None, 7, [0; 8]);
        let answer = Receipt { transcript, incarnation, counter, holding, answers };
        let sender = Party::new(seat(person));
        let body = Body::Receipt(answer);
        let said = Envelope::seal(epoch.plan.id(), sender, &body, &identity(person));
        assert!(world.deliver(person, 0, said.as_bytes()).is_ok());
    }
    assert!(world.machine(0).is_erasing());
}

#[test]
fn answers_that_are_far_apart_are_asked_for_again() {
    let (mut world, epoch) = adopted();
    world.approve(0, &epoch);
    let wish = Wish { second_copy: Some(SecondCopy::Backup), ..Wish::default() };
    world.erase(0, wish);
    world.run_with(2 * ANSWERS_WITHIN, |from, to| from != 2 && to != 2);
    // Person 1 has answered for the last time a while ago, and person 2 answers now.
    world.run_with(ANSWERS_WITHIN, |_, _| false);
    world.run_with(MINUTE, |from, to| from != 1 && to != 1);
    assert!(world.machine(0).is_erasing());
    world.run();
    assert!(!world.machine(0).is_erasing());
}

#[test]
fn an_answer_that_comes_long_after_the_question_to_a_node_that_slept_erases_nothing() {
    let (mut world, epoch) = adopted();
    world.approve(0, &epoch);
    let wish = Wish { second_copy: Some(SecondCopy::Backup), ..Wish::default() };
    world.erase(0, wish);
    let mut late = Vec::new();
    while let Some((from, to, bytes)) = world.queue.pop_front() {
        if (from, to) == (2, 0) {
            late.push(bytes);
        } else {
            let _ = world.deliver(from, to, &bytes);
        }
    }
    world.now = later(world.now, 2 * ANSWERS_WITHIN);
    for bytes in late {
        assert!(world.deliver(2, 0, &bytes).is_ok());
    }
    assert!(world.machine(0).is_erasing());
    world.run();
    assert!(!world.machine(0).is_erasing());
}

#[test]
fn a_member_that_says_one_thing_and_the_other_by_turns_is_shown_a_few_times() {
    let (mut world, epoch) = adopted();
    for counter in 0..40 {
        let holding = if counter % 2 == 0 { Holding::Lacking } else { Holding::Adopted };
        let said = receipt(&epoch, 2, counter, holding);
        assert!(world.deliver(2, 0, said.as_bytes()).is_ok());
    }
    let events = &world.nodes[0].events;
    let told = |event: &&Event| matches!(event, Event::Receipt { seat: of, .. } if *of == seat(2));
    assert_eq!(events.iter().filter(told).count(), 8);
    assert_eq!(world.machine(0).receipts().unwrap().get(seat(2)), Some(Holding::Adopted));
}

#[test]
fn a_question_is_answered_when_the_share_was_read_back_and_not_where_it_cannot_be_read() {
    let (mut world, epoch) = adopted();
    world.approve(0, &epoch);
    world.nodes[2].unread = true;
    let wish = Wish { second_copy: Some(SecondCopy::SingleCopy), ..Wish::default() };
    world.erase(0, wish.clone());
    world.run();
    let missing = world.machine(0).missing(&wish);
    assert_eq!(missing, [Missing::Receipts { seats: [seat(2)].into() }]);
    assert_eq!((world.nodes[1].reads, world.machine(2).holding()), (1, None));
    assert!(world.nodes[2].events.contains(&Event::NotKept(Record::Adopted(epoch.order))));
    // It is read again as long as it is asked for, also when the node says by itself but rarely
    // which epoch is current. It has adopted the epoch again then.
    world.run_with(Duration::from_secs(1000), |_, _| true);
    world.nodes[2].unread = false;
    world.run();
    assert!(!world.machine(0).is_erasing() && world.has_adopted(2, &epoch));
    let adopted = |event: &&Event| **event == Event::Adopted(epoch.order);
    assert_eq!(world.nodes[2].events.iter().filter(adopted).count(), 2);
}

#[test]
fn a_share_that_is_gone_when_it_is_asked_for_is_said_to_be_lacking() {
    let (mut world, epoch) = adopted();
    world.approve(0, &epoch);
    world.nodes[2].lacks = true;
    let wish = Wish { second_copy: Some(SecondCopy::SingleCopy), ..Wish::default() };
    world.erase(0, wish);
    world.run();
    assert!(world.machine(0).is_erasing() && !world.has_adopted(2, &epoch));
    assert_eq!(world.machine(0).receipts().unwrap().get(seat(2)), Some(Holding::Lacking));
    assert!(world.nodes[2].events.contains(&Event::Lacking(epoch.order)));
}

#[test]
fn however_many_questions_come_a_share_is_read_once_within_an_interval() {
    let (mut world, epoch) = adopted();
    let before = world.sent.len();
    for number in 0..40 {
        let question = Question { incarnation: Incarnation::after(None, 7, [0; 8]), number };
        let from = usize::try_from(number % 2).unwrap();
        let want = Body::Want(Want::Receipt(question));
        let want = Envelope::seal(epoch.plan.id(), Party::new(seat(from)), &want, &identity(from));
        let _ = world.deliver(from, 2, want.as_bytes());
    }
    // A few of each are answered.
    assert_eq!(world.nodes[2].reads, 1);
    let answers = world.sent[before..].iter().filter(|(from, ..)| *from == 2).count();
    assert!((2..=16).contains(&answers), "{answers}");
    world.run_with(READ_EVERY, |_, _| true);
    let question = Question { incarnation: Incarnation::after(None, 7, [0; 8]), number: 50 };
    let want = Body::Want(Want::Receipt(question));
    let want = Envelope::seal(epoch.plan.id(), Party::new(seat(0)), &want, &identity(0));
    assert!(world.deliver(0, 2, want.as_bytes()).is_ok());
    assert_eq!(world.nodes[2].reads, 2);
}
