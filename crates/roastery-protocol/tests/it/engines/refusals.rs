//! What an engine refuses, the real one and the fake alike.

use std::time::Duration;

use roastery_protocol::member::engine::{SlotName, Void};

use super::*;

fn name(seat: Seat, coordinator: Seat, index: u32) -> SlotName {
    SlotName { seat, coordinator, index }
}

fn fake(_: &Fixture, seat: Seat) -> FakeEngine {
    FakeEngine::new([seat])
}

/// Both engines, with the same rules.
fn each(messages: usize, check: impl Fn(One<Box<dyn Engine>>)) {
    check(One::new(messages, |fixture, seat| Box::new(frost(fixture, seat)) as Box<dyn Engine>));
    check(One::new(messages, |fixture, seat| Box::new(fake(fixture, seat)) as Box<dyn Engine>));
}

#[test]
fn a_slot_that_was_never_drawn_is_used_or_void_is_not_signed_with() {
    each(2, |mut one| {
        let gone = |index| Err(EngineError::NoSuchSlot(name(one.seat, one.coordinator, index)));
        let (used, void, whole) = (gone(0), gone(3), gone(DRAWN));
        assert_eq!(one.sign(&one.order(0)).unwrap().len(), 2);
        assert_eq!(one.sign(&one.order(0)), used);
        one.engine.void(Void::Slots(range(one.seat, one.coordinator, 3..4)));
        assert_eq!(one.sign(&one.order(3)), void);
        // Its last slot is there, the one after it is not.
        assert_eq!(one.sign(&one.order(DRAWN - 1)), whole);
    });
}

#[test]
fn slots_that_run_past_the_last_index_are_refused_without_a_panic() {
    each(3, |mut one| {
        let error = one.sign(&one.order(u32::MAX)).unwrap_err();
        assert_eq!(error, EngineError::NotAPackage);
        assert_eq!(one.engine.live_slots(), DRAWN as usize);
    });
}

#[test]
fn a_slot_for_one_coordinator_is_not_used_for_another_nor_for_another_seat() {
    each(1, |mut one| {
        let (seat, other) = (one.seat, one.other);
        let order = SignOrder { coordinator: other, ..one.order(0) };
        assert_eq!(one.sign(&order), Err(EngineError::NoSuchSlot(name(seat, other, 0))));
        let order = SignOrder { seat: other, ..one.order(0) };
        assert_eq!(one.sign(&order), Err(EngineError::NoSuchSeat(other)));
        assert!(one.sign(&one.order(0)).is_ok());
    });
}

#[test]
fn slots_of_another_incarnation_are_not_signed_with_and_its_indexes_begin_anew() {
    each(1, |mut one| {
        let order = SignOrder { incarnation: incarnation(2), ..one.order(0) };
        assert_eq!(one.sign(&order), Err(EngineError::OtherIncarnation));
        assert_eq!(one.engine.live_slots(), DRAWN as usize);

        let slots = range(one.seat, one.coordinator, 0..2);
        let mut context = context(&one.fixture, one.fixture.now);
        context.incarnation = incarnation(2);
        let drawn = now(one.engine.draw(&slots, &context)).unwrap();
        // What was drawn before is gone, and what is drawn now is something else.
        assert_eq!(one.engine.live_slots(), 2);
        assert!(drawn.iter().all(|nonce| !one.nonces.contains(nonce)));
        assert_eq!(one.sign(&one.order(0)), Err(EngineError::OtherIncarnation));
        let order = SignOrder { incarnation: incarnation(2), ..one.order(0) };
        assert!(one.sign(&order).is_ok());

        context.incarnation = incarnation(1);
        let slots = range(one.seat, one.coordinator, 20..22);
        let earlier = now(one.engine.draw(&slots, &context));
        assert_eq!(earlier, Err(EngineError::OtherIncarnation));
    });
}

#[test]
fn no_index_is_drawn_twice_though_its_slot_is_used_or_void() {
    each(1, |mut one| {
        assert!(one.sign(&one.order(0)).is_ok());
        one.engine.void(Void::Slots(range(one.seat, one.coordinator, 1..2)));
        let (seat, coordinator) = (one.seat, one.coordinator);
        let again = |index| {
            let slot = name(seat, coordinator, index);
            Err(EngineError::AlreadyDrawn { slot, next: DRAWN })
        };
        assert_eq!(one.draw(0..1), again(0));
        assert_eq!(one.draw(1..2), again(1));
        assert_eq!(one.draw(DRAWN - 1..DRAWN + 3), again(DRAWN - 1));
        one.engine.void(Void::All);
        assert_eq!(one.draw(2..3), again(2));
        assert_eq!(one.draw(DRAWN..DRAWN + 1).unwrap().len(), 1);
        // Those of another coordinator count for themselves, and some may be left out.
        let context = context(&one.fixture, one.fixture.now);
        assert!(now(one.engine.draw(&range(seat, one.other, 5..6), &context)).is_ok());
        assert!(now(one.engine.draw(&range(seat, one.other, 4..5), &context)).is_err());
    });
}

#[test]
fn a_session_that_was_not_opened_or_is_closed_gets_no_share() {
    each(1, |mut one| {
        let unknown = one.fixture.request(2).session_id();
        let order = SignOrder { session: unknown, ..one.order(0) };
        assert_eq!(one.sign(&order), Err(EngineError::NotOpen(unknown)));
        let session = one.request.session_id();
        one.engine.close(session);
        assert_eq!(one.sign(&one.order(1)), Err(EngineError::NotOpen(session)));
        // The stock is the group's: it outlives the session, but what an order named is gone.
        assert_eq!(one.engine.live_slots(), DRAWN as usize - 2);
        now(one.engine.open(&one.request)).unwrap();
        assert!(one.sign(&one.order(2)).is_ok());
        assert!(one.sign(&one.order(1)).is_err());
    });
}

#[test]
fn a_request_that_has_expired_by_either_clock_is_not_signed() {
    let hour = Duration::from_secs(3600);
    let (second, nothing) = (Duration::from_secs(1), Duration::ZERO);
    for (monotonic, wall) in [(hour, nothing), (nothing, hour), (hour, hour)] {
        each(1, |mut one| {
            let at = Moment {
                monotonic: one.fixture.now.monotonic + monotonic,
                wall: one.fixture.now.wall + wall,
            };
            let expired = Err(EngineError::Expired(one.request.session_id()));
            assert_eq!(one.sign_at(&one.order(0), at), expired);
            assert_eq!(one.engine.live_slots(), DRAWN as usize - 1);
        });
    }
    each(1, |mut one| {
        // A second earlier the slot would be too old: one that was drawn then.
        let at = later(one.fixture.now, hour - second);
        let slots = range(one.seat, one.coordinator, DRAWN..DRAWN + 1);
        now(one.engine.draw(&slots, &context(&one.fixture, at))).unwrap();
        assert!(one.sign_at(&one.order(DRAWN), at).is_ok());
    });
}

#[test]
fn a_slot_is_not_used_that_is_too_old_by_either_clock_or_whose_ages_differ() {
    let seconds = Duration::from_secs;
    for (monotonic, wall, is_signed) in
        [(600, 600, true), (595, 601, false), (601, 595, false), (11, 0, false), (0, 11, false)]
    {
        each(1, |mut one| {
            let at = Moment {
                monotonic: one.fixture.now.monotonic + seconds(monotonic),
                wall: one.fixture.now.wall + seconds(wall),
            };
            let result = one.sign_at(&one.order(0), at);
            match is_signed {
                true => assert!(result.is_ok()),
                false => {
                    let slot = name(one.seat, one.coordinator, 0);
                    assert_eq!(result, Err(EngineError::TooOld(slot)));
                }
            }
        });
    }
}

#[test]
fn an_order_that_is_refused_uses_up_the_slots_that_it_names() {
    each(2, |mut one| {
        let aggregates = one.order(0).aggregates;
        let few = SignOrder { aggregates: aggregates[..1].to_vec(), ..one.order(0) };
        let without = SignOrder { signers: vec![one.coordinator, one.other], ..one.order(2) };
        let too_many = SignOrder { aggregates: vec![aggregates[0].clone(); 3], ..one.order(4) };
        for (order, left) in [(few, 6), (without, 4), (too_many, 1)] {
            assert_eq!(one.sign(&order), Err(EngineError::NotAPackage));
            assert_eq!(one.engine.live_slots(), left);
            let whole = one.order(order.first);
            assert!(matches!(one.sign(&whole), Err(EngineError::NoSuchSlot(_))));
        }
    });
}

#[test]
fn an_engine_holds_no_more_secret_nonces_than_its_bound_and_says_so() {
    let most = DRAWN as usize + 2;
    let check = |mut one: One<Box<dyn Engine>>| {
        let error = EngineError::TooManySlots { live: DRAWN as usize, asked: 3, most };
        assert_eq!(one.draw(DRAWN..DRAWN + 3), Err(error));
        assert!(error.to_string().contains("at most 10"), "{error}");
        // All or none: none was drawn, so that they can be drawn when there is room.
        assert_eq!(one.engine.live_slots(), DRAWN as usize);
        assert!(one.sign(&one.order(0)).is_ok());
        assert_eq!(one.draw(DRAWN..DRAWN + 3).unwrap().len(), 3);
        assert!(matches!(one.draw(99..u32::MAX), Err(EngineError::TooManySlots { .. })));
    };
    check(One::new(1, |fixture, seat| {
        Box::new(frost(fixture, seat).with_most_slots(most)) as Box<dyn Engine>
    }));
    check(One::new(1, |_, seat| {
        Box::new(FakeEngine::with_most_slots([seat], most)) as Box<dyn Engine>
    }));
}

#[test]
fn the_request_of_another_group_is_not_opened() {
    let mut one = One::new(1, frost);
    let other = Fixture::new(2, 3);
    assert_eq!(now(one.engine.open(&other.request(1))), Err(EngineError::OtherGroup));
}
