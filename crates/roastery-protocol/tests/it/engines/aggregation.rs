//! Engines and arithmetic together make signatures.

use roastery_protocol::{member::engine::ArithmeticError, request::MessageKey};

use super::*;

fn signs<E: Engine, A: Arithmetic>(mut several: Several<E, A>) {
    let signers = [seat(0), seat(2)];
    let named = several.name(1, &signers, 0);
    let shares = several.shares(&named);
    let package = several.prepare(&named);
    for ((signer, nonces), share) in signers.iter().zip(&named.nonces).zip(&shares) {
        let verdict = several.arithmetic.check_share(&package, *signer, nonces, share);
        assert_eq!(verdict, Ok(Verdict::Right(())));
    }
    let borrowed: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
    let signatures = right(several.arithmetic.aggregate(&package, &borrowed).unwrap());
    let keys = named.request.keys();
    assert_eq!(signatures.len(), keys.len());
    assert_eq!(several.arithmetic.verify(keys, &signatures), Ok(Verdict::Right(())));
    let missing = Verdict::Wrong { position: keys.len() - 1 };
    let fewer = &signatures[..keys.len() - 1];
    assert_eq!(several.arithmetic.verify(keys, fewer), Ok(missing));
    let mut wrong = signatures;
    wrong.swap(0, keys.len() - 1);
    let verdict = if keys.len() == 1 { Verdict::Right(()) } else { Verdict::Wrong { position: 0 } };
    assert_eq!(several.arithmetic.verify(keys, &wrong), Ok(verdict));
}

#[test]
fn two_engines_and_arithmetic_make_the_signatures_of_keys_of_every_derivation() {
    for messages in [1, 3, 64] {
        signs(Several::frost(Fixture::new(2, 3).messages(messages)));
        signs(Several::fake(Fixture::new(2, 3).messages(messages)));
    }
}

#[test]
fn the_signatures_of_engines_are_those_that_bip_340_verifies() {
    let mut several = Several::frost(Fixture::new(2, 3).messages(3));
    let named = several.name(1, &[seat(0), seat(1)], 0);
    let shares = several.shares(&named);
    let borrowed: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
    let package = several.prepare(&named);
    let signatures = right(several.arithmetic.aggregate(&package, &borrowed).unwrap());
    for (entry, signature) in named.request.request().messages().iter().zip(&signatures) {
        let key = entry.derivation.tweaks(&several.fixture.group).unwrap().x_only_public_key();
        assert!(signature.verify(&key, &entry.message));
    }
}

fn finds_a_wrong_share<E: Engine, A: Arithmetic>(mut several: Several<E, A>) {
    let signers = [seat(1), seat(2)];
    let named = several.name(1, &signers, 0);
    let mut shares = several.shares(&named);
    shares[1][2] = shares[0][1];
    let package = several.prepare(&named);
    let arithmetic = &several.arithmetic;
    let check = |at: usize, share: &[PartialSignature]| {
        arithmetic.check_share(&package, signers[at], &named.nonces[at], share)
    };
    assert_eq!(check(0, &shares[0]), Ok(Verdict::Right(())));
    assert_eq!(check(1, &shares[1]), Ok(Verdict::Wrong { position: 2 }));
    let borrowed: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
    assert_eq!(arithmetic.aggregate(&package, &borrowed), Ok(Verdict::Wrong { position: 2 }));
    // What is wrong about a call is no verdict.
    let count = ArithmeticError::Count { given: 2, needed: 3 };
    assert_eq!(check(0, &shares[0][..2]), Err(count));
    let short = arithmetic.check_share(&package, signers[0], &named.nonces[0][..2], &shares[0]);
    assert_eq!(short, Err(count));
    let stranger = arithmetic.check_share(&package, seat(0), &named.nonces[0], &shares[0]);
    assert_eq!(stranger, Err(ArithmeticError::NotASigner(seat(0))));
    let count = ArithmeticError::Count { given: 1, needed: 2 };
    assert_eq!(arithmetic.aggregate(&package, &borrowed[..1]), Err(count));
    let count = ArithmeticError::Count { given: 2, needed: 3 };
    let keys = named.request.keys();
    let prepared = arithmetic.prepare(keys, &signers, &named.aggregates[..2]);
    assert_eq!(prepared.map(drop), Err(count));
}

#[test]
fn a_wrong_share_is_found_at_its_message_and_a_wrong_call_is_no_verdict() {
    finds_a_wrong_share(Several::frost(Fixture::new(2, 3).messages(3)));
    finds_a_wrong_share(Several::fake(Fixture::new(2, 3).messages(3)));
}

#[test]
fn nonces_that_are_no_points_are_a_verdict_with_their_position() {
    let mut several = Several::frost(Fixture::new(2, 3).messages(3));
    let named = several.name(1, &[seat(0), seat(1)], 0);
    let mut bytes: Vec<[u8; 66]> = named.nonces[0].iter().map(PublicNonce::to_bytes).collect();
    let decoded = right(several.arithmetic.decode_nonces(&bytes).unwrap());
    assert_eq!(decoded, named.nonces[0]);
    bytes[1] = [0; 66];
    let verdict = several.arithmetic.decode_nonces(&bytes);
    assert_eq!(verdict, Ok(Verdict::Wrong { position: 1 }));
}

#[test]
fn signers_that_are_no_signers_of_the_group_make_no_package() {
    let mut several = Several::frost(Fixture::new(2, 3));
    let named = several.name(1, &[seat(0), seat(1)], 0);
    for signers in [vec![seat(0)], vec![seat(0), seat(0)], vec![seat(0), seat(3)]] {
        let package = several.arithmetic.prepare(named.request.keys(), &signers, &named.aggregates);
        assert_eq!(package.map(drop), Err(ArithmeticError::NotAPackage), "{signers:?}");
    }
}

#[test]
fn a_package_that_is_kept_serves_no_other_messages_keys_signers_or_nonces() {
    let mut several = Several::frost(Fixture::new(2, 3).messages(2));
    let named = several.name(1, &[seat(0), seat(1)], 0);
    let other = several.name(1, &[seat(0), seat(2)], 2);
    let share = several.shares(&named).remove(0);
    let arithmetic = &several.arithmetic;
    let is_right = |keys: &[MessageKey], signers: &[Seat], aggregates: &[AggregateNonce]| {
        // The right package is the one that is kept.
        several.prepare(&named);
        let package = arithmetic.prepare(keys, signers, aggregates).unwrap();
        let nonces = &named.nonces[0];
        arithmetic.check_share(&package, seat(0), nonces, &share) == Ok(Verdict::Right(()))
    };
    let (keys, signers, aggregates) = (named.request.keys(), &named.signers, &named.aggregates);
    assert!(is_right(keys, signers, aggregates));
    let (mut message, mut key) = (keys.to_vec(), keys.to_vec());
    message[1].message = [77; 32];
    key[1].tweaks = keys[0].tweaks.clone();
    assert!(!is_right(&message, signers, aggregates));
    assert!(!is_right(&key, signers, aggregates));
    assert!(!is_right(keys, &other.signers, aggregates));
    assert!(!is_right(keys, signers, &other.aggregates));
}

#[test]
fn an_engine_that_shares_its_arithmetic_signs_packages_of_several_sessions_in_turns() {
    let fixture = Fixture::new(2, 3).messages(2);
    let arithmetic = frost_arithmetic(&fixture);
    let engines = fixture
        .group
        .seats()
        .map(|seat| FrostEngine::new(arithmetic.clone(), [(seat, fixture.share(seat))]))
        .collect();
    let mut several = Several { fixture, engines, arithmetic, coordinator: seat(2) };
    let packages = [
        several.name(1, &[seat(0), seat(1)], 0),
        several.name(2, &[seat(0), seat(1)], 2),
        several.name(2, &[seat(1), seat(2)], 4),
    ];
    let mut shares: Vec<Vec<Vec<PartialSignature>>> = vec![Vec::new(); packages.len()];
    for place in 0..2 {
        for (named, shares) in packages.iter().zip(&mut shares) {
            let order = several.order(named, named.signers[place]);
            let engine = &mut several.engines[named.signers[place].index()];
            shares.push(now(engine.sign(&order, several.fixture.now)).unwrap());
        }
    }
    for (named, shares) in packages.iter().zip(&shares) {
        let package = several.prepare(named);
        let borrowed: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
        let signatures = right(several.arithmetic.aggregate(&package, &borrowed).unwrap());
        let verdict = several.arithmetic.verify(named.request.keys(), &signatures);
        assert_eq!(verdict, Ok(Verdict::Right(())));
    }
}

#[test]
fn one_engine_signs_with_every_seat_of_its_node() {
    let fixture = Fixture::new(2, 3);
    let arithmetic = frost_arithmetic(&fixture);
    let shares = [seat(0), seat(1)].map(|seat| (seat, fixture.share(seat)));
    let mut engine = FrostEngine::new(arithmetic.clone(), shares);
    let request = fixture.request(1);
    now(engine.open(&request)).unwrap();
    let context = context(&fixture, fixture.now);
    let nonces = [seat(0), seat(1)]
        .map(|own| now(engine.draw(&range(own, seat(2), 0..1), &context)).unwrap());
    assert_ne!(nonces[0], nonces[1]);
    let aggregates = arithmetic.aggregate_nonces(1, &[&nonces[0], &nonces[1]]).unwrap();
    let signers = vec![seat(0), seat(1)];
    let package = arithmetic.prepare(request.keys(), &signers, &aggregates).unwrap();
    let shares = [seat(0), seat(1)].map(|own| {
        let order = SignOrder {
            session: request.session_id(),
            seat: own,
            coordinator: seat(2),
            incarnation: incarnation(1),
            first: 0,
            signers: signers.clone(),
            aggregates: aggregates.clone(),
        };
        now(engine.sign(&order, fixture.now)).unwrap()
    });
    right(arithmetic.aggregate(&package, &[&shares[0], &shares[1]]).unwrap());
    let absent = engine.draw(&range(seat(2), seat(0), 0..1), &context);
    assert_eq!(now(absent), Err(EngineError::NoSuchSeat(seat(2))));
}
