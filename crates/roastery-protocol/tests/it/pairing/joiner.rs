//! What a joiner takes from the node that its line names.

use roastery_protocol::{
    machine::{Link, Machine as _},
    pairing::*,
};

use super::{cheat::Cheat, world::*};

#[test]
fn a_joiner_hears_the_node_that_its_line_names_and_no_other() {
    let mut cheat = Cheat::new();
    let (terms, version) = (cheat.terms.clone(), "0".to_owned());
    let offer = Offer { terms, attempt: 1, seat: 1, clock: START * 1000, version };
    let offer = Frame::Offer(offer).encode();
    let heard = cheat.bert.machine.handle_message(&peer(9), &offer, at(0));
    assert!(matches!(heard, Err(Rejected::Stranger)));
    assert!(cheat.bert.machine.terms().is_none());
    let heard = cheat.bert.machine.handle_message(&peer(1), &offer, at(0));
    assert!(heard.is_ok() && cheat.bert.machine.terms().is_some());
}

#[test]
fn a_joiner_enters_nothing_before_its_operator_takes_part() {
    let mut cheat = Cheat::new();
    for _ in 0..3 {
        cheat.offer(1).unwrap();
    }
    let entered = |cheat: &Cheat| {
        let frames = cheat.bert.left.iter().map(|(_, bytes)| Frame::decode(bytes, MAX_FRAME));
        frames.filter(|frame| matches!(frame, Ok(Frame::Enter(_)))).count()
    };
    assert_eq!(entered(&cheat), 0);
    cheat.bert.machine.accept(at(0)).unwrap();
    cheat.bert.turn(at(0));
    assert_eq!(entered(&cheat), 1);
}

#[test]
fn a_seat_that_is_the_inviters_or_no_members_is_not_taken() {
    for number in [0, 3, 128, u16::MAX] {
        let mut cheat = Cheat::new();
        let (terms, version) = (cheat.terms.clone(), "0".to_owned());
        let offer = Offer { terms, attempt: 1, seat: number, clock: START * 1000, version };
        let heard = cheat.say(&Frame::Offer(offer));
        assert!(matches!(heard, Err(Rejected::OtherOffer)), "{number}");
        assert!(cheat.bert.machine.terms().is_none(), "{number}");
    }
}

#[test]
fn a_joiner_that_agrees_enters_no_further_attempt() {
    let mut world = World::three().with_words();
    world.compare_all();
    let now = world.now;
    world.node(2).machine.confirm(now).unwrap();
    world.node(2).turn(now);
    let (words, revealed) = (world.node(2).machine.own_words(), world.node(2).revealed());
    let terms = world.node(2).machine.terms().unwrap().clone();
    let clock = START * 1000;
    let offer = Offer { terms, attempt: 2, seat: 1, clock, version: "0".to_owned() };
    let offer = Frame::Offer(offer).encode();
    let bert = world.node(2);
    let heard = bert.machine.handle_message(&peer(1), &offer, now);
    bert.turn(now);
    assert!(matches!(heard, Err(Rejected::OtherAttempt)));
    assert_eq!((bert.machine.attempt(), bert.machine.own_words()), (1, words));
    assert_eq!(bert.revealed(), revealed);
    assert!(bert.machine.agreed().is_some());
}

#[test]
fn a_joiner_hears_and_says_nothing_after_its_end() {
    let mut cheat = Cheat::to_roster(1);
    cheat.bert.machine.cancel(at(0)).unwrap();
    cheat.bert.turn(at(0));
    let before = cheat.bert.left.len();
    let entries = cheat.entries(1);
    assert!(matches!(cheat.roster(1, entries), Err(Rejected::Ended)));
    assert!(matches!(cheat.offer(2), Err(Rejected::Ended)));
    assert!(cheat.bert.machine.roster().is_none());
    assert!(matches!(cheat.bert.machine.accept(at(0)), Err(PairingError::NotNow(_))));
    cheat.bert.machine.handle_link(&peer(1), Link::Down, at(0));
    cheat.bert.machine.handle_link(&peer(1), Link::Up, at(0));
    cheat.bert.turn(at(0));
    assert_eq!(cheat.bert.left.len(), before);
}

#[test]
fn an_offer_counts_for_the_connection_that_has_brought_it() {
    let mut cheat = Cheat::new();
    cheat.offer(1).unwrap();
    cheat.bert.machine.handle_link(&peer(1), Link::Down, at(0));
    cheat.bert.machine.handle_link(&peer(1), Link::Up, at(0));
    cheat.bert.turn(at(0));
    let before = cheat.bert.left.len();
    cheat.bert.machine.accept(at(0)).unwrap();
    cheat.bert.turn(at(0));
    assert_eq!(cheat.bert.left.len(), before);
    cheat.offer(1).unwrap();
    assert_eq!(cheat.bert.left.len(), before + 1);
}
