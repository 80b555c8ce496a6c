//! What the node that invites takes from joiners, and what it passes on.

use std::time::Duration;

use roastery_frost::Seat;
use roastery_protocol::{
    clock::Moment,
    machine::{Link, Machine as _},
    pairing::*,
};

use super::world::{self, *};

fn names() -> Invite {
    invite(&["anna", "bert", "cleo"], 2)
}

/// The frames that have left a node for a peer, from this place on.
fn left(node: &Node, to: u8, from: usize) -> Vec<Frame> {
    let sent = node.left[from..].iter().filter(|(peer, _)| *peer == world::peer(to));
    sent.map(|(_, bytes)| Frame::decode(bytes, MAX_FRAME).unwrap()).collect()
}

fn hear(world: &mut World, from: u8, frame: &Frame) -> Result<(), Rejected> {
    let now = world.now;
    let heard = world.node(1).machine.handle_message(&peer(from), &frame.encode(), now);
    world.node(1).turn(now);
    heard
}

fn ends(seat: Seat, reason: EndReason) -> Frame {
    Frame::Said(Said { attempt: 0, seat, compared: Seats::default(), end: Some(reason) })
}

#[test]
fn an_offer_leaves_once_it_is_stored_who_has_used_the_line() {
    let mut world = World::three();
    let line = world.node(1).machine.lines()[0].1.clone();
    world.node(1).disk_fails = true;
    let hello = Frame::Hello(line.hello(&peer(2), &peer(1)));
    hear(&mut world, 2, &hello).unwrap();
    assert!(left(world.node(1), 2, 0).is_empty());
    assert!(world.node(1).events.is_empty());
    world.node(1).disk_fails = false;
    let later = at(1);
    world.node(1).machine.handle_timeout(later);
    world.node(1).turn(later);
    assert!(matches!(left(world.node(1), 2, 0)[..], [Frame::Offer(_)]));
    world.node(1).restart(later);
    assert_eq!(world.node(1).machine.used(seat(1)), Some((&peer(2), START)));
}

#[test]
fn a_node_with_a_line_proves_no_other_one() {
    let mut world = World::three();
    world.connect(&peer(2));
    let cleos = world.node(1).machine.lines()[1].1.clone();
    let hello = Frame::Hello(cleos.hello(&peer(2), &peer(1)));
    assert!(matches!(hear(&mut world, 2, &hello), Err(Rejected::OtherSeat)));
    assert!(world.node(1).machine.used(seat(2)).is_none());
}

#[test]
fn a_reveal_that_is_said_again_is_not_passed_on_again() {
    let mut world = World::three().with_words();
    let reveal = Frame::Reveal(world.node(2).revealed().remove(0));
    let before = world.node(1).left.len();
    for _ in 0..10 {
        hear(&mut world, 2, &reveal).unwrap();
    }
    assert_eq!(world.node(1).left.len(), before);
}

#[test]
fn what_a_joiner_says_of_another_attempt_or_of_no_member_is_not_heard() {
    let mut world = World::three().with_words();
    let (attempt, reached) = (2, Seats::default());
    let reach = Frame::Reach(Reach { attempt, seat: seat(1), reached });
    assert!(matches!(hear(&mut world, 2, &reach), Err(Rejected::OtherAttempt)));
    let now = world.now;
    for other in [1, 3] {
        let reach = Frame::Reach(Reach { attempt: 1, seat: seat(other), reached }).encode();
        let heard = world.node(2).machine.handle_message(&peer(1), &reach, now);
        assert!(matches!(heard, Err(Rejected::OtherSeat)), "{other}");
    }
}

#[test]
fn a_joiner_whose_clock_was_wrong_is_asked_again_and_enters_once_it_is_set_right() {
    let mut world = World::three();
    world.connect_all();
    let now = world.now;
    // The clock of Bert's node is set wrong between the offer and his answer.
    let ahead = Moment { wall: now.wall + Duration::from_millis(120_001), ..now };
    world.node(2).machine.accept(ahead).unwrap();
    world.settle();
    assert!(!world.node(1).machine.entered(seat(1)));
    assert!(matches!(world.rejected[..], [Rejected::Clock { milliseconds: 120_001 }]));
    assert!(!world.rejected[0].closes());
    let due = world.node(1).machine.next_timeout();
    assert_eq!(due, Some(now.monotonic + Duration::from_secs(5)));
    let before = world.node(1).left.len();
    world.pass(4);
    assert_eq!(world.node(1).left.len(), before);
    // One offer, which is answered by one Enter.
    world.pass(1);
    assert!(world.node(1).machine.entered(seat(1)));
    assert_eq!(world.node(1).left.len(), before + 1);
}

#[test]
fn a_member_whose_time_is_over_before_the_roster_is_fixed_leaves_its_place() {
    for reason in [EndReason::Expired, EndReason::Cancelled, EndReason::Declined] {
        let mut world = World::three();
        world.connect_all();
        let now = world.now;
        world.node(3).machine.accept(now).unwrap();
        world.settle();
        assert!(world.node(1).machine.entered(seat(2)));
        hear(&mut world, 3, &ends(seat(2), reason)).unwrap();
        let anna = &world.node(1).machine;
        assert!(anna.declined(seat(2)) && anna.ended().is_none(), "{reason}");
        assert!(!anna.entered(seat(2)), "{reason}");
    }
    // Anything else ends it for all, and the others are told.
    let mut world = World::three();
    world.connect_all();
    hear(&mut world, 3, &ends(seat(2), EndReason::Differ)).unwrap();
    assert!(world.node(1).machine.ended().is_some());
    assert!(matches!(
        left(world.node(1), 2, 0).last(),
        Some(Frame::Said(Said { end: Some(EndReason::Differ), .. }))
    ));
}

#[test]
fn the_end_is_told_to_each_node_with_a_line_that_comes_after_it() {
    let mut world = World::three();
    world.connect(&peer(2));
    world.disconnect(&peer(2));
    let now = world.now;
    world.node(1).machine.cancel(now).unwrap();
    world.settle();
    for joiner in [2, 3] {
        assert!(world.node(joiner).machine.ended().is_none());
        world.connect(&peer(joiner));
        let ended = world.node(joiner).machine.ended().unwrap();
        assert_eq!((ended.seat, ended.reason), (Some(seat(0)), EndReason::Cancelled));
    }
    assert!(world.node(1).machine.used(seat(2)).is_none());
}

#[test]
fn an_inviter_that_agrees_is_ended_by_no_member_and_by_no_clock() {
    let mut world = World::three().with_words();
    let (now, words) = (world.now, world.words());
    for number in [1, 2] {
        world.node(1).machine.compare(seat(number), words[&seat(number)][0], now).unwrap();
    }
    world.node(1).machine.confirm(now).unwrap();
    world.settle();
    world.node(3).machine.cancel(now).unwrap();
    world.settle();
    assert!(world.node(1).machine.ended().is_none());
    world.pass(8 * 86_400);
    let anna = world.node(1);
    assert!(anna.machine.ended().is_none() && anna.machine.agreed().is_some());
    assert!(!anna.events.iter().any(|event| matches!(event, Event::Ended(_))));
}

#[test]
fn a_member_with_the_keys_of_another_does_not_enter_and_holds_up_no_other() {
    let mut world = World::three();
    world.connect_all();
    let now = world.now;
    world.node(2).machine.accept(now).unwrap();
    world.settle();
    let terms = world.node(1).machine.terms().unwrap().clone();
    // Cleo's node, with the identity and host key of Bert's.
    let mut card = card(2, &name("cleo"));
    let host = roastery_protocol::keys::HostKey::new(signing_key(0, 2));
    let identity = roastery_protocol::keys::IdentityKey::new(signing_key(1, 2));
    card.named.member.peer = peer(3);
    card.named.member.binding = host.bind(&identity.public_key(), &peer(3), 0);
    card.identity_signature = identity.sign_card(&card.named);
    card.transport_signature = sign(&peer(3), &card.named.transport_digest());
    let commitment = commitment(&terms.pairing, 1, seat(2), &card, &[3; 32]);
    let entry = Entry { card, whereabouts: whereabouts(3), version: "0".to_owned(), commitment };
    let enter = Frame::Enter(Box::new(Enter { attempt: 1, clock: START * 1000, entry }));
    assert!(matches!(hear(&mut world, 3, &enter), Err(Rejected::Roster(_))));
    assert!(!world.node(1).machine.entered(seat(2)));
    // Once it has keys of its own it enters.
    world.disconnect(&peer(3));
    world.pass(2);
    world.connect(&peer(3));
    let now = world.now;
    world.node(3).machine.accept(now).unwrap();
    world.settle();
    assert!(world.nodes.values().all(|node| node.machine.roster().is_some()));
}

#[test]
fn no_attempt_and_no_line_follows_on_what_is_agreed_or_has_ended() {
    let refused = |world: &mut World| {
        let now = world.now;
        let anna = &mut world.node(1).machine;
        let line = anna.lines()[0].1.clone();
        assert!(matches!(anna.again(seat(1), &names(), now), Err(PairingError::NotNow(_))));
        assert!(matches!(anna.attempt_again(now), Err(PairingError::NotNow(_))));
        assert!(anna.attempt() == 1 && *anna.lines()[0].1 == line);
    };
    let mut world = World::three().with_words();
    world.agree_all();
    refused(&mut world);
    let mut world = World::three().with_words();
    let now = world.now;
    world.node(1).machine.cancel(now).unwrap();
    refused(&mut world);
    // Before the roster is fixed there is nothing that a further attempt would replace.
    let mut world = World::three();
    world.connect_all();
    let now = world.now;
    let early = world.node(1).machine.attempt_again(now);
    assert!(matches!(early, Err(PairingError::NotNow(_))));
    assert_eq!(world.node(1).machine.attempt(), 1);
}

#[test]
fn no_further_attempt_begins_while_a_joiner_agrees_unless_it_is_replaced() {
    let mut world = World::three().with_words();
    let (now, words) = (world.now, world.words());
    for number in [0, 2] {
        world.node(2).machine.compare(seat(number), words[&seat(number)][0], now).unwrap();
    }
    world.settle();
    assert!(!world.node(1).machine.agrees(seat(1)));
    world.node(2).machine.confirm(now).unwrap();
    world.settle();
    // What it says of itself is no member of whom it has compared the words.
    let anna = world.node(1);
    assert!(anna.machine.agrees(seat(1)) && !anna.machine.compared(seat(1)).has(seat(1)));
    for attempted in [anna.machine.attempt_again(now), anna.machine.again(seat(2), &names(), now)] {
        let named =
            matches!(&attempted, Err(PairingError::AgreedThere(member)) if *member == name("bert"));
        assert!(named, "{attempted:?}");
    }
    assert_eq!(anna.machine.attempt(), 1);
    assert!(anna.machine.used(seat(2)).is_some());
    // The inviter knows it again after a restart.
    world.node(1).restart(now);
    for joiner in [2, 3] {
        world.disconnect(&peer(joiner));
    }
    world.pass(2);
    world.connect_all();
    assert!(world.node(1).machine.agrees(seat(1)));
    let now = world.now;
    world.node(1).machine.again(seat(1), &names(), now).unwrap();
    assert_eq!(world.node(1).machine.attempt(), 2);
}

#[test]
fn a_line_can_be_used_for_ten_minutes_to_seven_days_whatever_is_asked_for() {
    for (seconds, used) in [(0, 600), (599, 600), (604_800, 604_800), (u32::MAX, 604_800)] {
        let invite = Invite { seconds, ..names() };
        let begun = Pairing::invite(&invite, own(1, 1), at(0)).unwrap();
        assert!(begun.lines().iter().all(|(_, line)| u64::from(line.expiry) == START + used));
    }
}

#[test]
fn a_member_that_comes_again_is_told_all_but_whom_others_reach_once_all_have_revealed() {
    let mut world = World::three().with_words();
    let before = world.node(1).left.len();
    world.disconnect(&peer(2));
    world.pass(2);
    world.connect(&peer(2));
    let told = left(world.node(1), 2, before);
    assert!(told.iter().any(|frame| matches!(frame, Frame::Roster(_))));
    let reveals = told.iter().filter(|frame| matches!(frame, Frame::Reveal(_)));
    assert_eq!(reveals.count(), 2);
    assert!(!told.iter().any(|frame| matches!(frame, Frame::Reach(_))));
}

#[test]
fn a_peer_that_is_no_joiner_says_hello_or_nothing() {
    let mut world = World::three();
    let now = world.now;
    for frame in [
        ends(seat(1), EndReason::Cancelled),
        Frame::Reach(Reach { attempt: 1, seat: seat(1), reached: Seats::default() }),
    ] {
        assert!(matches!(hear(&mut world, 9, &frame), Err(Rejected::Stranger)));
    }
    world.node(1).machine.handle_link(&peer(9), Link::Up, now);
    assert!(world.node(1).machine.ended().is_none());
    assert!(left(world.node(1), 9, 0).is_empty());
}
