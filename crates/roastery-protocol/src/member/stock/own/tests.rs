use super::*;

const MOST_PACKAGES: usize = 3;

fn seat() -> Seat {
    Seat::new(2).unwrap()
}

fn session(id: u8) -> SessionId {
    SessionId::from_bytes([id; 32])
}

fn incarnation(milliseconds: u64) -> Incarnation {
    Incarnation::after(None, milliseconds, [0; 8])
}

fn at(seconds: u64) -> Moment {
    let monotonic = Duration::from_secs(seconds);
    Moment { monotonic, wall: monotonic + Duration::from_secs(1_800_000_000) }
}

fn nonces(draw: Draw) -> Vec<[u8; 66]> {
    (draw.first..).take(draw.count.into()).map(|index| [index as u8; 66]).collect()
}

fn fill(stock: &mut OwnStock, m: usize, now: Moment) -> Draw {
    let draw = stock.missing(seat(), m, now).unwrap();
    stock.drawn(draw, &nonces(draw), m, now);
    draw
}

/// A stock of a group of 100 seats: 13 slots a batch.
fn stock() -> OwnStock {
    OwnStock::new(incarnation(1), 100, MOST_PACKAGES)
}

#[test]
fn a_whole_batch_is_drawn_and_no_index_is_drawn_twice() {
    let mut stock = stock();
    let first = fill(&mut stock, 1, at(0));
    assert_eq!((first.first, first.count), (0, 13));
    assert_eq!(stock.missing(seat(), 1, at(0)), None);
    stock.take(seat(), 0..7, session(1), at(0));
    let second = stock.low(seat(), 1, at(0)).unwrap();
    assert_eq!((second.first, second.count), (13, 7));
    stock.not_drawn(second);
    assert_eq!(stock.low(seat(), 1, at(0)).unwrap().first, 20);
}

#[test]
fn new_slots_are_drawn_below_half_a_batch_or_when_a_request_needs_more() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    stock.take(seat(), 0..6, session(1), at(0));
    assert_eq!(stock.low(seat(), 1, at(0)), None);
    let draw = stock.low(seat(), 14, at(0)).unwrap();
    assert_eq!(draw.count, 14, "a request of 14 messages needs them in one stretch");
    stock.take(seat(), 6..7, session(1), at(0));
    assert!(stock.low(seat(), 1, at(0)).is_some());
}

#[test]
fn a_slot_is_used_once() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    assert_eq!(stock.check(seat(), 3..5, at(1)), Ok(vec![[3; 66], [4; 66]]));
    stock.take(seat(), 3..5, session(1), at(1));
    for indexes in [3..4, 4..5, 2..6] {
        assert!(matches!(
            stock.check(seat(), indexes, at(1)),
            Err(NotUsable::Gone { index: 3 | 4 })
        ));
    }
    assert_eq!(stock.check(seat(), 12..14, at(1)), Err(NotUsable::Gone { index: 13 }));
}

#[test]
fn a_slot_of_one_coordinator_is_none_of_another() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    let other = Seat::new(3).unwrap();
    assert_eq!(stock.check(other, 0..1, at(0)), Err(NotUsable::Gone { index: 0 }));
}

#[test]
fn another_incarnation_begins_with_nothing_at_index_0() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    stock.renew(incarnation(2));
    assert_eq!(stock.check(seat(), 0..1, at(0)), Err(NotUsable::Gone { index: 0 }));
    assert_eq!(fill(&mut stock, 1, at(0)).first, 0);
    assert_eq!(stock.incarnation(), incarnation(2));
}

#[test]
fn the_slots_for_an_own_seat_are_drawn_when_they_are_named() {
    let mut stock = stock();
    let draw = stock.for_own(seat(), 2, at(0)).unwrap_err().unwrap();
    assert_eq!((draw.first, draw.count), (0, 2));
    stock.drawn(draw, &nonces(draw), 2, at(0));
    assert_eq!(stock.for_own(seat(), 2, at(0)).unwrap().first, 0);
    stock.take(seat(), 0..2, session(1), at(0));
    assert_eq!(stock.for_own(seat(), 2, at(0)).unwrap_err().unwrap().first, 2);
}

#[test]
fn a_slot_ends_after_ten_minutes_and_the_coordinator_is_told() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    stock.take(seat(), 0..7, session(1), at(300));
    let draw = stock.low(seat(), 1, at(300)).unwrap();
    stock.drawn(draw, &nonces(draw), 1, at(300));
    assert_eq!(stock.next_timeout(), Some(Duration::from_secs(308)), "a credit grows");
    assert_eq!(stock.expire(at(600)), []);
    assert_eq!(stock.next_timeout(), Some(at(600).monotonic + Duration::from_nanos(1)));
    assert_eq!(stock.check(seat(), 7..8, at(601)), Err(NotUsable::TooOld { index: 7 }));
    assert_eq!(stock.expire(at(601)), [Voided { coordinator: seat(), indexes: 7..13 }]);
    assert_eq!(stock.oldest(seat()), 13);
    assert!(stock.check(seat(), 13..20, at(601)).is_ok());
}

#[test]
fn a_slot_does_not_outlive_a_suspended_machine() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    let woken = Moment { monotonic: Duration::from_secs(5), wall: at(5_000).wall };
    assert!(stock.check(seat(), 0..1, woken).is_err());
    assert_eq!(stock.expire(woken), [Voided { coordinator: seat(), indexes: 0..13 }]);
}

#[test]
fn a_coordinator_cannot_draw_more_than_its_credit() {
    let mut stock = stock();
    let mut drawn = 0;
    let mut used = 0;
    while let Some(draw) = stock.missing(seat(), 1, at(0)) {
        stock.drawn(draw, &nonces(draw), 1, at(0));
        drawn += u32::from(draw.count);
        stock.take(seat(), used..drawn, session(1), at(0));
        used = drawn;
    }
    assert_eq!(drawn as usize, MOST_PACKAGES * 13);
    assert_eq!(stock.missing(seat(), 1, at(7)), None);
    assert!(stock.missing(seat(), 1, at(8)).is_some());
}

#[test]
fn the_slots_of_a_signed_session_give_the_credit_back_at_once() {
    let mut stock = stock();
    for _ in 0..MOST_PACKAGES {
        let draw = fill(&mut stock, 1, at(0));
        stock.take(seat(), draw.first..draw.first + u32::from(draw.count), session(1), at(0));
    }
    assert_eq!(stock.missing(seat(), 1, at(0)), None);
    stock.signed(session(1));
    assert!(stock.missing(seat(), 1, at(0)).is_some());
}

#[test]
fn at_most_three_batches_are_held_and_the_oldest_go_first() {
    let mut stock = OwnStock::new(incarnation(1), 100, 50);
    let mut last = None;
    for first in [0, 13, 26, 39] {
        let draw = Draw { coordinator: seat(), first, count: 13 };
        last = stock.drawn(draw, &nonces(draw), 1, at(0));
    }
    assert_eq!(last, Some(Voided { coordinator: seat(), indexes: 0..13 }));
    assert_eq!((stock.held(seat()), stock.oldest(seat())), (39, 13));
}

#[test]
fn what_is_unused_is_shown_again_in_stretches_of_consecutive_indexes() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    stock.take(seat(), 4..6, session(1), at(0));
    let shown = stock.unused(seat());
    assert_eq!(
        shown.iter().map(|one| (one.first, one.nonces.len())).collect::<Vec<_>>(),
        [(0, 4), (6, 7)]
    );
    assert_eq!(shown[1].nonces[0], [6; 66]);
}

#[test]
fn what_was_promised_over_a_link_that_is_gone_is_void() {
    let mut stock = stock();
    fill(&mut stock, 1, at(0));
    assert_eq!(stock.void(seat()), Some(Voided { coordinator: seat(), indexes: 0..13 }));
    assert_eq!(stock.void(seat()), None);
    assert_eq!(stock.oldest(seat()), 13);
    assert_eq!(fill(&mut stock, 1, at(0)).first, 13);
}

#[test]
fn the_last_indexes_are_drawn_and_no_further_ones() {
    let mut stock = stock();
    stock.not_drawn(Draw { coordinator: seat(), first: u32::MAX - 5, count: 3 });
    let draw = stock.missing(seat(), 1, at(0)).unwrap();
    assert_eq!((draw.first, draw.count), (u32::MAX - 2, 2));
    stock.not_drawn(draw);
    assert_eq!(stock.missing(seat(), 1, at(0)), None);
}
