//! The fakes do what their programme says, at once or later, and record what they were asked.

use std::collections::HashSet;

use roastery_protocol::member::engine::{
    Answered, ArithmeticCalls, ArithmeticError, ArithmeticProgramme, Call, Job, Programme, Void,
};

use super::*;

fn fake() -> One<FakeEngine> {
    One::new(1, |_, seat| FakeEngine::new([seat]))
}

fn job<T: std::fmt::Debug>(answer: Answer<T>) -> Job {
    match answer {
        Answer::Later(job) => job,
        Answer::Now(result) => panic!("answered at once: {result:?}"),
    }
}

#[test]
fn an_engine_that_answers_later_gives_each_answer_once_and_in_any_order() {
    let mut one = fake();
    let handle = one.engine.clone();
    handle.programme(Programme { later: true, ..Programme::default() });
    let context = context(&one.fixture, one.fixture.now);
    let slots = range(one.seat, one.coordinator, DRAWN..DRAWN + 2);
    let drawing = job(one.engine.draw(&slots, &context));
    let opening = job(one.engine.open(&one.fixture.request(2)));
    let signing = job(one.engine.sign(&one.order(0), one.fixture.now));
    let failing = job(one.engine.sign(&one.order(0), one.fixture.now));
    assert_eq!(handle.pending(), [drawing, opening, signing, failing]);
    // The slots are gone from when the order was given.
    assert_eq!(one.engine.live_slots(), DRAWN as usize + 1);

    let Some(Ok(Answered::Signed(shares))) = handle.answer(signing) else { panic!() };
    assert_eq!(shares.len(), 1);
    let Some(Ok(Answered::Drawn(nonces))) = handle.answer(drawing) else { panic!() };
    assert_eq!(nonces.len(), 2);
    assert_eq!(handle.answer(opening), Some(Ok(Answered::Opened)));
    assert!(matches!(handle.answer(failing), Some(Err(EngineError::NoSuchSlot(_)))));
    assert_eq!(handle.answer(signing), None);
    assert!(handle.pending().is_empty());
    // The share is the one that an engine which answers at once gives.
    let mut at_once = One { engine: FakeEngine::new([one.seat]), ..one };
    now(at_once.engine.open(&at_once.request)).unwrap();
    assert_eq!(at_once.draw(0..DRAWN).unwrap(), at_once.nonces);
    assert_eq!(at_once.sign(&at_once.order(0)), Ok(shares));
}

#[test]
fn a_fake_engine_records_its_calls_in_their_order() {
    let mut one = fake();
    let session = one.request.session_id();
    let order = one.order(0);
    let slots = range(one.seat, one.coordinator, 0..DRAWN);
    one.sign(&order).unwrap();
    one.engine.void(Void::All);
    one.engine.close(session);
    let calls = one.engine.take_calls();
    let expected = [
        Call::Open(session),
        Call::Draw(slots),
        Call::Sign(order),
        Call::Void(Void::All),
        Call::Close(session),
    ];
    assert_eq!(calls, expected);
    assert!(one.engine.take_calls().is_empty());
}

#[test]
fn a_fake_engine_fails_on_command_and_its_slots_are_used_up_all_the_same() {
    let mut one = fake();
    let fails = |error| Programme { draw: error, open: error, sign: error, ..Programme::default() };
    one.engine.programme(fails(Some(EngineError::Unavailable)));
    assert_eq!(one.draw(DRAWN..DRAWN + 1), Err(EngineError::Unavailable));
    assert_eq!(now(one.engine.open(&one.request)), Err(EngineError::Unavailable));
    assert_eq!(one.sign(&one.order(0)), Err(EngineError::Unavailable));
    assert_eq!(one.engine.live_slots(), DRAWN as usize - 1);
    one.engine.programme(fails(None));
    assert!(one.sign(&one.order(1)).is_ok());
    one.engine.programme(fails(Some(EngineError::OwnShareInvalid)));
    assert_eq!(one.sign(&one.order(2)), Err(EngineError::OwnShareInvalid));
    assert_eq!(one.engine.live_slots(), 0);
}

#[test]
fn a_fake_engine_gives_a_wrong_share_on_command() {
    let mut several = Several::fake(Fixture::new(2, 3).messages(3));
    let named = several.name(1, &[seat(0), seat(1)], 0);
    several.engines[1].programme(Programme { wrong_share: Some(1), ..Programme::default() });
    let shares = several.shares(&named);
    let package = several.prepare(&named);
    let verdict =
        several.arithmetic.check_share(&package, seat(1), &named.nonces[1], &shares[1]).unwrap();
    assert_eq!(verdict, Verdict::Wrong { position: 1 });
}

#[test]
fn a_fake_arithmetic_fails_on_command_and_counts_its_calls() {
    let mut several = Several::fake(Fixture::new(2, 3));
    let named = several.name(1, &[seat(0), seat(1)], 0);
    let shares = several.shares(&named);
    let borrowed: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
    let package = several.prepare(&named);
    let arithmetic = several.arithmetic;
    let error = Some(ArithmeticError::Failed);
    arithmetic.programme(ArithmeticProgramme {
        prepare: error,
        check_share: error,
        aggregate: error,
        verify: error,
        aggregate_is_wrong: false,
    });
    let keys = named.request.keys();
    let failed = ArithmeticError::Failed;
    let prepared = arithmetic.prepare(keys, &named.signers, &named.aggregates).map(drop);
    assert_eq!(prepared, Err(failed));
    let checked = arithmetic.check_share(&package, seat(0), &named.nonces[0], &shares[0]);
    assert_eq!(checked, Err(failed));
    assert_eq!(arithmetic.aggregate(&package, &borrowed), Err(failed));
    assert_eq!(arithmetic.verify(keys, &[]), Err(failed));
    let aggregate_is_wrong = true;
    arithmetic.programme(ArithmeticProgramme { aggregate_is_wrong, ..Default::default() });
    let verdict = arithmetic.aggregate(&package, &borrowed);
    assert_eq!(verdict, Ok(Verdict::Wrong { position: 0 }));
    let calls =
        ArithmeticCalls { decode: 0, sum: 1, prepare: 2, check_share: 1, aggregate: 2, verify: 1 };
    assert_eq!(arithmetic.calls(), calls);
}

#[test]
fn the_nonces_of_a_fake_engine_are_all_different_and_their_real_form_is_read() {
    let mut one = fake();
    let nonces = one.draw(DRAWN..5_000).unwrap();
    let bytes: Vec<[u8; 66]> =
        one.nonces.iter().chain(&nonces).map(PublicNonce::to_bytes).collect();
    assert_eq!(bytes.iter().collect::<HashSet<_>>().len(), 5_000);
    let decoded = FakeArithmetic::default().decode_nonces(&bytes[..64]).unwrap();
    assert_eq!(right(decoded).len(), 64);
}
