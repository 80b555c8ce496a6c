use std::time::Duration;

use roastery_protocol::{
    clock::Moment,
    machine::{Link, Machine as _},
    pairing::{Checked, EndReason, Event, Pairing, PairingError, Rejected, Seats},
};

use super::world::{World, at, own, peer, seat};

#[test]
fn three_nodes_with_two_lines_have_one_invitation_once_all_words_were_typed() {
    let mut world = World::three().with_words();
    assert!(world.nodes.values().all(|node| node.machine.agreed().is_none()));
    let said = world.compare_all();
    assert_eq!(said, vec![Checked::Right { left: 0 }; 6]);
    world.confirm_all();
    let ids: Vec<_> = world
        .nodes
        .values()
        .map(|node| node.machine.agreed().unwrap().invitation().clone())
        .collect();
    assert!(ids.iter().all(|invitation| *invitation == ids[0]));
    assert_eq!(ids[0].name(), "treasury");
    assert_eq!(
        ids[0].names().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["anna", "bert", "cleo"]
    );
    assert_eq!((ids[0].threshold(), ids[0].size()), (2, 3));
    assert!(world.nodes.values().all(|node| node.revealed().len() == 1));
    assert!(world.nodes.values().all(|node| node.events.contains(&Event::Agreed)));
    assert!(world.rejected.is_empty(), "{:?}", world.rejected);
}

#[test]
fn of_two_members_each_types_two_words_of_the_other() {
    let mut world = World::new(&[1, 2], &["anna", "bert"], 2, 3).with_words();
    assert!(world.words().values().all(|words| words.len() == 2 && words[0] != words[1]));
    let said = world.compare_all();
    assert_eq!(said.iter().filter(|said| **said == Checked::Right { left: 1 }).count(), 2);
    world.confirm_all();
    assert!(world.nodes.values().all(|node| node.machine.agreed().is_some()));
}

#[test]
fn all_words_differ_from_those_of_another_pairing_of_the_same_members() {
    let one = World::new(&[1, 2, 3], &["anna", "bert", "cleo"], 2, 1).with_words();
    let other = World::new(&[1, 2, 3], &["anna", "bert", "cleo"], 2, 2).with_words();
    assert_ne!(one.words(), other.words());
}

#[test]
fn a_member_whose_connection_comes_and_goes_has_what_it_has_missed() {
    let mut world = World::three();
    world.connect_all();
    world.disconnect(&peer(3));
    world.pass(1);
    let now = world.now;
    world.node(2).machine.accept(now).unwrap();
    world.settle();
    world.connect(&peer(3));
    world.node(3).machine.accept(now).unwrap();
    world.settle();
    world.disconnect(&peer(3));
    world.reach_all();
    assert!(world.node(2).machine.own_words().is_empty());
    world.pass(2);
    world.connect(&peer(3));
    world.pass(2);
    assert_eq!(world.node(3).machine.own_words().len(), 1);
    world.agree_all();
    assert!(world.nodes.values().all(|node| node.machine.agreed().is_some()));
}

#[test]
fn after_a_restart_in_any_state_the_numbers_and_words_are_the_same() {
    let words = World::three().with_words().words();
    // Before which step which node is restarted.
    for step in 0..5 {
        for key in [1, 2, 3] {
            let mut world = World::three();
            for now_at in 0..5 {
                if now_at == step {
                    let now = world.now;
                    world.node(key).restart(now);
                    for joiner in world.joiners() {
                        if key == 1 || joiner == peer(key) {
                            world.disconnect(&joiner);
                        }
                    }
                    world.pass(2);
                    if now_at > 0 {
                        world.connect_all();
                    }
                    world.pass(6);
                }
                match now_at {
                    0 => world.connect_all(),
                    1 => world.accept_all(),
                    2 => world.reach_all(),
                    3 => {
                        world.reach_all();
                        // Those drawn anew after a restart before the entry are others.
                        if step > 1 {
                            assert_eq!(world.words(), words, "step {step}, node {key}");
                        }
                    }
                    _ => {
                        assert!(!world.compare_all().is_empty());
                        world.confirm_all();
                    }
                }
            }
            for node in world.nodes.values() {
                assert!(node.machine.agreed().is_some(), "step {step}, node {key}");
                assert_eq!(node.revealed().len(), 1, "step {step}, node {key}");
            }
        }
    }
}

#[test]
fn a_stored_state_of_another_version_or_cut_short_is_not_gone_on_with() {
    let mut world = World::three().with_words();
    let stored = world.node(2).stored.clone();
    let restore = |bytes: &[u8]| Pairing::restore(bytes, own(2, 7), at(0));
    assert!(restore(&stored).is_ok());
    let mut other = stored.clone();
    other[0] ^= 2;
    assert!(matches!(restore(&other), Err(PairingError::Stored(_))));
    for length in [0, 1, stored.len() - 1] {
        assert!(matches!(restore(&stored[..length]), Err(PairingError::Stored(_))));
    }
}

#[test]
fn what_was_typed_is_known_after_a_restart_and_so_is_what_was_agreed() {
    let mut world = World::three().with_words();
    let (words, now) = (world.words(), world.now);
    world.node(2).machine.compare(seat(0), words[&seat(0)][0], now).unwrap();
    world.settle();
    assert!(world.node(3).machine.compared(seat(1)).has(seat(0)));
    world.node(2).restart(now);
    let known = world.node(2).machine.compared(seat(1));
    assert!(known.has(seat(0)) && !known.has(seat(2)));
    world.node(2).machine.compare(seat(2), words[&seat(2)][0], now).unwrap();
    world.node(2).turn(now);
    // A node that ends here is asked the last question again, and goes on.
    world.node(2).restart(now);
    assert!(world.node(2).machine.all_right() && world.node(2).machine.agreed().is_none());
    world.node(2).machine.confirm(now).unwrap();
    world.node(2).turn(now);
    world.node(2).restart(now);
    assert!(world.node(2).machine.agreed().is_some());
    // It cannot be ended any more.
    assert!(matches!(world.node(2).machine.cancel(now), Err(PairingError::Agreed)));
    assert!(world.node(2).machine.ended().is_none());
}

#[test]
fn without_t_members_that_are_linked_no_number_is_revealed() {
    let mut world = World::new(&[1, 2, 3], &["anna", "bert", "cleo"], 3, 7);
    world.connect_all();
    world.accept_all();
    let now = world.now;
    world.node(1).machine.reached([seat(1), seat(2)].into_iter().collect(), now);
    world.node(2).machine.reached(Seats::default(), now);
    world.node(3).machine.reached([seat(0)].into_iter().collect(), now);
    world.settle();
    assert!(world.nodes.values().all(|node| node.revealed().is_empty()));
    world.node(3).machine.reached([seat(0), seat(1)].into_iter().collect(), now);
    world.settle();
    assert!(world.nodes.values().all(|node| node.revealed().len() == 1));
}

#[test]
fn a_pairing_ends_with_its_line_and_once_the_roster_is_fixed_after_seven_days() {
    let mut world = World::three();
    world.connect_all();
    world.pass(86_399);
    assert!(world.nodes.values().all(|node| node.machine.ended().is_none()));
    world.pass(1);
    let ended = |world: &World| {
        world.nodes.values().all(|node| {
            node.machine.ended().is_some_and(|ended| ended.reason == EndReason::Expired)
        })
    };
    assert!(ended(&world));
    let mut world = World::three().with_words();
    world.pass(7 * 86_400 - 1);
    assert!(world.nodes.values().all(|node| node.machine.ended().is_none()));
    let due = world.node(2).machine.next_timeout().unwrap();
    assert_eq!(due, world.now.monotonic + std::time::Duration::from_secs(1));
    world.pass(1);
    assert!(ended(&world));
}

#[test]
fn that_a_node_agrees_is_one_record_so_that_it_is_stored_with_what_follows() {
    let mut world = World::three().with_words();
    world.compare_all();
    let now = world.now;
    let bert = world.node(2);
    bert.disk_fails = true;
    bert.machine.confirm(now).unwrap();
    bert.turn(now);
    assert!(!bert.machine.is_stored());
    assert!(!bert.events.contains(&Event::Agreed));
    bert.disk_fails = false;
    let later = at(1);
    bert.machine.handle_timeout(later);
    bert.turn(later);
    assert!(bert.machine.is_stored());
    assert!(bert.events.contains(&Event::Agreed));
    bert.restart(later);
    assert!(bert.machine.agreed().is_some());
}

#[test]
fn a_member_says_no_more_whom_it_reaches_once_all_have_revealed() {
    let mut world = World::three().with_words();
    let (now, before) = (world.now, world.node(2).left.len());
    world.node(2).machine.reached(Seats::default(), now);
    world.settle();
    assert_eq!(world.node(2).left.len(), before);
}

#[test]
fn an_offer_that_was_refused_for_the_clock_is_asked_for_again() {
    let mut world = World::three();
    world.connect_all();
    let mut other = World::three();
    let slow = at(0);
    let ahead = Moment { wall: slow.wall + Duration::from_secs(121), ..slow };
    other.node(2).machine.handle_link(&peer(1), Link::Up, ahead);
    let offer = world.node(1).left.iter().find(|(to, _)| *to == peer(2)).unwrap().1.clone();
    let said = other.node(2).machine.handle_message(&peer(1), &offer, ahead);
    assert!(matches!(said, Err(Rejected::Clock { .. })));
    assert_eq!(other.node(2).machine.next_timeout(), Some(Duration::from_secs(5)));
}

#[test]
fn an_offer_stays_when_another_peer_than_the_inviter_goes() {
    let mut world = World::three();
    world.connect_all();
    let now = world.now;
    world.node(2).machine.handle_link(&peer(3), Link::Down, now);
    world.node(2).machine.accept(now).unwrap();
    world.settle();
    assert!(world.node(1).machine.entered(seat(1)));
}
