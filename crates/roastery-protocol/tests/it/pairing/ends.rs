//! How a pairing ends, and what goes on.

use roastery_protocol::{
    clock::Moment,
    machine::{Link, Machine as _},
    pairing::{Checked, CompareError, EndReason, Event, Own, Pairing, PairingError},
};

use super::world::*;

#[test]
fn three_wrong_words_of_the_list_end_it_at_all_and_what_is_not_in_the_list_is_no_try() {
    let mut world = World::three().with_words();
    let (now, words) = (world.now, world.words());
    let right = words[&seat(0)][0];
    let wrong = ["abandon", "zoo", "canyon", "drift"].into_iter().filter(|word| *word != right);
    let bert = world.node(2);
    for typed in ["dirft", "", "no such word", "\u{202e}"] {
        let said = bert.machine.compare(seat(0), typed, now).unwrap();
        assert!(matches!(said, Checked::NotInList { .. }), "{typed}");
    }
    let long = "z".repeat(65);
    assert_eq!(bert.machine.compare(seat(0), &long, now), Err(CompareError::TooLong(65)));
    assert_eq!(bert.machine.compare(seat(1), "zoo", now), Err(CompareError::NotAnother));
    assert_eq!(bert.machine.compare(seat(3), "zoo", now), Err(CompareError::NotAnother));
    for (typed, left) in wrong.take(3).zip([2, 1, 0]) {
        let said = bert.machine.compare(seat(0), typed, now).unwrap();
        assert_eq!(said, Checked::Wrong { tries_left: left });
        // Also over a restart.
        bert.turn(now);
        if left > 0 {
            bert.restart(now);
            bert.machine.handle_link(&peer(1), Link::Up, now);
        }
    }
    assert_eq!(bert.machine.compare(seat(0), right, now), Err(CompareError::NoWords));
    let said = bert.left.clone();
    for (to, bytes) in said {
        let _ =
            world.nodes.get_mut(&to).map(|node| node.machine.handle_message(&peer(2), &bytes, now));
    }
    world.settle();
    for node in world.nodes.values() {
        let ended = node.machine.ended().unwrap();
        assert_eq!((ended.seat, ended.reason), (Some(seat(1)), EndReason::Differ));
        assert!(node.machine.agreed().is_none());
    }
}

#[test]
fn who_has_compared_all_words_is_not_stopped_by_another_member() {
    let mut world = World::three().with_words();
    let (now, words) = (world.now, world.words());
    for number in [0, 2] {
        let word = words[&seat(number)][0];
        world.node(2).machine.compare(seat(number), word, now).unwrap();
    }
    world.node(2).machine.confirm(now).unwrap();
    world.settle();
    world.node(3).machine.cancel(now).unwrap();
    world.settle();
    assert!(world.node(2).machine.agreed().is_some());
    assert!(world.node(2).machine.ended().is_none());
    for key in [1, 3] {
        let ended = world.node(key).machine.ended().unwrap();
        assert_eq!((ended.seat, ended.reason), (Some(seat(2)), EndReason::Cancelled));
    }
}

#[test]
fn wrong_words_count_for_each_member_apart_and_right_ones_are_not_typed_again() {
    let mut world = World::three().with_words();
    let (now, words) = (world.now, world.words());
    let right = |number: u32| words[&seat(number)][0];
    let wrong = ["abandon", "zoo", "canyon"].into_iter();
    let wrong = wrong.filter(|word| *word != right(0) && *word != right(2));
    let wrong = wrong.take(1).next().unwrap();
    let bert = &mut world.node(2).machine;
    for tries_left in [2, 1] {
        for number in [0, 2] {
            let said = bert.compare(seat(number), wrong, now).unwrap();
            assert_eq!(said, Checked::Wrong { tries_left });
        }
    }
    assert!(bert.ended().is_none());
    assert_eq!(bert.compare(seat(0), right(0), now), Ok(Checked::Right { left: 0 }));
    // Neither again, nor wrong: who knows a word needs to type nothing more of this member.
    assert_eq!(bert.compare(seat(0), right(0), now), Err(CompareError::Known));
    assert_eq!(bert.compare(seat(0), wrong, now), Err(CompareError::Known));
    assert!(bert.ended().is_none() && bert.compared(seat(1)).has(seat(0)));
}

#[test]
fn a_member_that_declines_leaves_its_place_to_a_new_line() {
    leaves_its_place(|machine, now| machine.decline(now));
}

#[test]
fn a_member_that_cancels_before_the_roster_leaves_its_place_to_a_new_line() {
    leaves_its_place(|machine, now| machine.cancel(now).unwrap());
}

fn leaves_its_place(leave: fn(&mut Pairing, Moment)) {
    let mut world = World::three();
    world.connect_all();
    let now = world.now;
    leave(&mut world.node(3).machine, now);
    world.node(2).machine.accept(now).unwrap();
    world.settle();
    assert!(world.node(1).machine.declined(seat(2)));
    assert!(world.node(1).machine.ended().is_none());
    let invite = invite(&["anna", "bert", "cleo"], 2);
    world.node(1).machine.again(seat(2), &invite, now).unwrap();
    let line = world.node(1).machine.lines()[1].1.clone();
    let machine = Pairing::join(line, peer(1), own(4, 7), now).unwrap();
    world.disconnect(&peer(3));
    world.nodes.remove(&peer(3));
    world.nodes.insert(peer(4), Node::new(4, machine));
    world.connect(&peer(4));
    world.node(4).machine.accept(now).unwrap();
    world.settle();
    // Nothing was revealed, so the attempt is still the first.
    assert_eq!(world.node(2).machine.attempt(), 1);
    world.reach_all();
    world.agree_all();
    assert!(world.nodes.values().all(|node| node.machine.agreed().is_some()));
}

#[test]
fn a_further_attempt_has_other_numbers_and_words_and_there_are_five() {
    let mut world = World::three().with_words();
    let mut words = vec![world.words()];
    for attempt in 2..=5 {
        let now = world.now;
        world.node(1).machine.attempt_again(now).unwrap();
        world.settle();
        assert!(world.node(2).machine.own_words().is_empty());
        world.reach_all();
        assert!(world.nodes.values().all(|node| node.machine.attempt() == attempt));
        assert!(world.node(2).events.contains(&Event::Attempt(attempt)));
        assert!(!words.contains(&world.words()));
        words.push(world.words());
        world.pass(5);
    }
    let now = world.now;
    let sixth = world.node(1).machine.attempt_again(now);
    assert!(matches!(sixth, Err(PairingError::NotNow(_))));
    let again = world.node(1).machine.again(seat(1), &invite(&["anna", "bert", "cleo"], 2), now);
    assert!(matches!(again, Err(PairingError::NotNow(_))));
    assert!(world.nodes.values().all(|node| node.revealed().len() == 5));
    world.agree_all();
    assert!(world.nodes.values().all(|node| node.machine.agreed().is_some()));
}

#[test]
fn what_cannot_be_offered_is_refused_with_the_reason() {
    let begin = |names: &[&str], threshold| {
        let begun = Pairing::invite(&invite(names, threshold), own(1, 1), at(0));
        begun.err().map(|error| error.to_string())
    };
    assert_eq!(begin(&["anna", "bert"], 2), None);
    for (names, threshold, said) in [
        (&["anna"][..], 1, "1 of 1"),
        (&["anna", "bert"], 3, "3 of 2"),
        (&["anna", "bert", "Anna"], 2, "two members are called Anna"),
    ] {
        assert!(begin(names, threshold).unwrap().contains(said));
    }
    let mut silent = own(1, 1);
    silent.entropy = Box::new(|| None);
    let begun = Pairing::invite(&invite(&["a", "b"], 2), silent, at(0));
    assert!(matches!(begun, Err(PairingError::Randomness)));
}

#[test]
fn a_node_that_brings_what_others_would_not_read_begins_no_pairing() {
    let line = World::three().node(1).machine.lines()[0].1.clone();
    let begin = |change: fn(&mut Own)| {
        let mut own = own(2, 1);
        change(&mut own);
        Pairing::join(line.clone(), peer(1), own, at(0)).err()
    };
    assert!(begin(|_| {}).is_none());
    for change in [
        (|own| own.network.clear()) as fn(&mut Own),
        |own| own.network = "two words".to_owned(),
        |own| own.version = "9".repeat(33),
        |own| own.version = "\u{1b}".to_owned(),
    ] {
        assert!(matches!(begin(change), Some(PairingError::Text)));
    }
    let addresses = begin(|own| own.whereabouts.addresses = vec!["x".repeat(256); 5]);
    assert!(matches!(addresses, Some(PairingError::Addresses)));
}

#[test]
fn a_line_that_has_expired_or_is_the_nodes_own_is_not_joined() {
    let world = World::three();
    let line = world.nodes[&peer(1)].machine.lines()[0].1.clone();
    let join = |line, key, now| Pairing::join(line, peer(1), own(key, 1), now).err();
    assert!(matches!(join(line.clone(), 2, at(86_400)), Some(PairingError::Expired)));
    assert!(matches!(join(line.clone(), 1, at(0)), Some(PairingError::OwnLine)));
    assert!(join(line, 2, at(86_399)).is_none());
}

#[test]
fn a_node_agrees_only_once_a_person_says_that_its_words_were_right_at_all_others() {
    let mut world = World::three().with_words();
    let now = world.now;
    let early = world.node(2).machine.confirm(now);
    assert!(matches!(early, Err(PairingError::NotNow(_))));
    let annas = world.words()[&seat(0)][0];
    world.node(2).machine.compare(seat(0), annas, now).unwrap();
    let half = world.node(2).machine.confirm(now);
    assert!(matches!(half, Err(PairingError::NotNow(_))));
    let cleos = world.words()[&seat(2)][0];
    world.node(2).machine.compare(seat(2), cleos, now).unwrap();
    for (key, others) in [(1, [1, 2]), (3, [0, 1])] {
        for number in others {
            let word = world.words()[&seat(number)][0];
            world.node(key).machine.compare(seat(number), word, now).unwrap();
        }
    }
    world.settle();
    for node in world.nodes.values() {
        assert!(node.machine.all_right());
        assert!(node.machine.agreed().is_none());
        assert!(!node.events.contains(&Event::Agreed));
    }
    // One of them says that a word was wrong there: nothing is made at all.
    world.node(3).machine.cancel(now).unwrap();
    world.settle();
    let late = world.node(2).machine.confirm(now);
    assert!(matches!(late, Err(PairingError::NotNow(_))));
    assert!(world.nodes.values().all(|node| node.machine.agreed().is_none()));
}
