//! The real engine and arithmetic give what BIP-445 says: its test vectors where they can be put
//! in, and the functions that the vectors test where the engine draws its own nonces.

use std::{convert::Infallible, fs, path::Path};

use rand_core::{TryCryptoRng, TryRng};
use roastery_frost::{
    GroupKeys, NonceGenInputs, SessionContext, Signature, Tweak, TweakContext, danger,
    decode_point, nonce_agg, sign,
};
use roastery_protocol::{member::engine::FrostPackage, request::MessageKey};
use serde_json::Value;

use super::*;

const RANDOM: [u8; 32] = [0x5a; 32];

/// A random generator that always gives the same.
#[derive(Debug)]
struct Same;

impl TryRng for Same {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0x5a5a_5a5a)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0x5a5a_5a5a_5a5a_5a5a)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0x5a);
        Ok(())
    }
}

impl TryCryptoRng for Same {}

/// The secret nonce of an index, from the written rule for `extra_in`.
fn nonce_of(
    one: &One<FrostEngine<Same>>,
    index: u32,
) -> (roastery_frost::SecretNonce, PublicNonce) {
    let now = one.fixture.now;
    let mut extra = one.fixture.group.id().as_bytes().to_vec();
    extra.extend([one.seat.index() as u8, 0, one.coordinator.index() as u8, 0]);
    extra.extend(1_u64.to_le_bytes());
    extra.extend([3; 8]);
    extra.extend(index.to_le_bytes());
    extra.extend(now.monotonic.as_nanos().to_le_bytes());
    extra.extend(now.wall.as_nanos().to_le_bytes());
    assert_eq!(extra.len(), 32 + 2 + 2 + 16 + 4 + 16 + 16);
    let keys = one.fixture.group.keys();
    let inputs = NonceGenInputs {
        secret_share: Some(&one.fixture.share(one.seat)),
        seat: Some(one.seat),
        public_share: Some(&keys.public_share(one.seat).unwrap().serialize()),
        threshold_public_key: Some(&keys.threshold_public_key().serialize_xonly()),
        message: None,
        extra_in: Some(&extra),
    };
    danger::nonce_gen_with(&RANDOM, &inputs).unwrap()
}

fn one() -> One<FrostEngine<Same>> {
    One::new(3, |fixture, _| {
        let shares = [seat(0), seat(1)].map(|seat| (seat, fixture.share(seat)));
        FrostEngine::with_nonces(frost_arithmetic(fixture), shares, Same)
    })
}

#[test]
fn an_engine_draws_the_nonces_of_nonce_gen_with_the_written_extra_input() {
    let mut one = one();
    for (index, nonce) in (0..).zip(&one.nonces) {
        assert_eq!(nonce_of(&one, index).1, *nonce);
    }
    // Of another seat for another coordinator.
    (one.seat, one.coordinator) = (seat(1), seat(2));
    let nonces = one.draw(0..1).unwrap();
    assert_eq!(nonce_of(&one, 0).1, nonces[0]);
}

#[test]
fn an_engine_gives_the_partial_signatures_of_sign_for_the_slots_in_their_order() {
    let mut one = one();
    let order = one.order(2);
    let shares = one.sign(&order).unwrap();
    let signers = one.fixture.group.keys().signers(&order.signers).unwrap();
    let own = one.fixture.share(one.seat);
    for (at, entry) in one.request.keys().iter().enumerate() {
        let context =
            SessionContext::new(&signers, &order.aggregates[at], &entry.tweaks, &entry.message);
        let (secret, _) = nonce_of(&one, 2 + at as u32);
        let expected = sign(secret, &own, one.seat, &context.unwrap()).unwrap();
        assert_eq!(shares[at], expected);
    }
}

fn file(name: &str) -> Value {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../roastery-frost/tests/vectors/bip445");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bytes<const N: usize>(value: &Value) -> Option<[u8; N]> {
    let text = value.as_str().unwrap();
    let digits = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    digits.collect::<Result<Vec<u8>, _>>().unwrap().try_into().ok()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The arithmetic of a group of the vectors.
fn arithmetic(group: &Value) -> FrostArithmetic {
    let number = |name: &str| group[name].as_u64().unwrap() as usize;
    let point = |value: &Value| decode_point(&bytes(value).unwrap()).unwrap();
    // A point more than the group has is one that is refused.
    let shares = list(&group["pubshares"]).take(number("n")).map(point).collect();
    let keys = GroupKeys::new(number("t"), point(&group["thresh_pk"]), shares).unwrap();
    FrostArithmetic::new(keys.into())
}

/// The message and the package of a case, if the message is one that this protocol can sign.
fn package(
    arithmetic: &FrostArithmetic,
    group: &Value,
    case: &Value,
    aggregate: &AggregateNonce,
) -> Option<(MessageKey, FrostPackage)> {
    let mut tweaks = TweakContext::new(arithmetic.keys().threshold_public_key());
    for (index, is_xonly) in list(&case["tweak_indices"]).zip(list(&case["is_xonly"])) {
        let tweak = bytes(&group["tweaks"][index.as_u64().unwrap() as usize]).unwrap();
        let kind = if is_xonly.as_bool().unwrap() { Tweak::XOnly } else { Tweak::Plain };
        tweaks = tweaks.apply(&kind(tweak)).unwrap();
    }
    let message = MessageKey { message: bytes(&case["msg"])?, tweaks };
    let signers: Vec<Seat> =
        list(&case["ids"]).map(|id| seat(id.as_u64().unwrap() as usize)).collect();
    let package = arithmetic
        .prepare(std::slice::from_ref(&message), &signers, std::slice::from_ref(aggregate))
        .unwrap();
    Some((message, package))
}

#[test]
fn arithmetic_makes_the_signatures_of_the_vectors_of_bip_445() {
    let mut cases = 0;
    for group in list(&file("sig_agg_vectors.json")["test_groups"]) {
        let arithmetic = arithmetic(group);
        for case in list(&group["valid_tests"]) {
            let aggregate = AggregateNonce::from_bytes(&bytes(&case["aggnonce"]).unwrap()).unwrap();
            let Some((message, package)) = package(&arithmetic, group, case, &aggregate) else {
                continue;
            };
            let shares: Vec<[PartialSignature; 1]> = list(&case["psigs"])
                .map(|share| [PartialSignature::from_bytes(&bytes(share).unwrap()).unwrap()])
                .collect();
            let shares: Vec<&[PartialSignature]> = shares.iter().map(|share| &share[..]).collect();
            let signatures = right(arithmetic.aggregate(&package, &shares).unwrap());
            assert_eq!(signatures, [Signature::from_bytes(&bytes(&case["expected"]).unwrap())]);
            assert_eq!(arithmetic.verify(&[message], &signatures), Ok(Verdict::Right(())));
            cases += 1;
        }
    }
    assert_eq!(cases, 7);
}

#[test]
fn arithmetic_accepts_and_refuses_the_partial_signatures_of_the_vectors_of_bip_445() {
    let (mut accepted, mut refused) = (0, 0);
    for name in ["sign_verify_vectors.json", "tweak_vectors.json"] {
        for group in list(&file(name)["test_groups"]) {
            let arithmetic = arithmetic(group);
            let all = list(&group["valid_tests"]).map(|case| (case, "expected", true));
            let failing = list(&group["verify_fail_tests"]).map(|case| (case, "psig", false));
            for (case, share, is_right) in all.chain(failing) {
                let nonces: Vec<PublicNonce> = list(&case["pubnonce_indices"])
                    .map(|at| &group["pubnonces"][at.as_u64().unwrap() as usize])
                    .map(|nonce| PublicNonce::from_bytes(&bytes(nonce).unwrap()).unwrap())
                    .collect();
                let aggregate = nonce_agg(&nonces);
                let Some((_, package)) = package(&arithmetic, group, case, &aggregate) else {
                    continue;
                };
                // A scalar that is none does not get as far as arithmetic.
                let Ok(share) = PartialSignature::from_bytes(&bytes(&case[share]).unwrap()) else {
                    assert!(!is_right);
                    continue;
                };
                let place = match case["signer_index"].as_u64() {
                    Some(place) => place as usize,
                    None => list(&case["ids"]).position(|id| *id == case["my_id"]).unwrap(),
                };
                let signer = seat(case["ids"][place].as_u64().unwrap() as usize);
                let verdict =
                    arithmetic.check_share(&package, signer, &nonces[place..=place], &[share]);
                match is_right {
                    true => {
                        assert_eq!(verdict, Ok(Verdict::Right(())), "{name} {}", case["tc_id"]);
                        accepted += 1;
                    }
                    false => {
                        assert_eq!(verdict, Ok(Verdict::Wrong { position: 0 }), "{name}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert_eq!((accepted, refused), (22, 4));
}
