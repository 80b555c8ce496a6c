//! Nonce generation and aggregation.

use std::fmt;

use rand_core::{TryCryptoRng, TryRng};
use roastery_frost::danger::{nonce_gen_with, secret_nonce_from_bytes, secret_nonce_to_bytes};
use roastery_frost::hash::{TaggedHash, tagged_hash};
use roastery_frost::{
    AggregateNonce, Contribution, InvalidContribution, NonceGenInputs, NonceHalf, PublicNonce,
    Seat, decode_aggregate_nonce, decode_nonces, nonce_agg, nonce_gen,
};
use zeroize::Zeroizing;

use crate::behaviour::support::{TestRng, deal, order_plus};

#[test]
fn every_input_changes_the_nonce_even_if_the_random_generator_repeats_itself() {
    let (_, shares) = deal(2, 3, &mut TestRng::new(1));
    let encoded = shares[0].public_share().serialize();
    let key = [3; 32];
    let seat = |id| Seat::new(id).expect("a seat");
    let none = NonceGenInputs::default();
    let inputs = [
        none,
        NonceGenInputs { secret_share: Some(&shares[0]), ..none },
        NonceGenInputs { secret_share: Some(&shares[1]), ..none },
        NonceGenInputs { seat: Some(seat(0)), ..none },
        NonceGenInputs { seat: Some(seat(1)), ..none },
        NonceGenInputs { public_share: Some(&encoded), ..none },
        NonceGenInputs { threshold_public_key: Some(&key), ..none },
        NonceGenInputs { message: Some(b""), ..none },
        NonceGenInputs { message: Some(b"a"), ..none },
        NonceGenInputs { extra_in: Some(b"a"), ..none },
    ];
    let nonces = inputs.map(|inputs| nonce_gen_with(&[7; 32], &inputs).expect("a nonce").1);
    for (i, nonce) in nonces.iter().enumerate() {
        assert!(!nonces[..i].contains(nonce), "inputs {i} give a nonce again");
    }
    let [.., last] = inputs;
    let again = |random| nonce_gen_with(&random, &last).expect("a nonce").1;
    assert_eq!(Some(&again([7; 32])), nonces.last());
    assert_ne!(Some(&again([8; 32])), nonces.last());
}

#[test]
fn nonces_are_drawn_anew_each_time() {
    let mut rng = TestRng::new(2);
    let mut draw = || nonce_gen(&mut rng, &NonceGenInputs::default()).expect("a nonce").1;
    assert_ne!(draw(), draw());
}

#[test]
fn a_failing_random_generator_gives_no_nonce() {
    let error = nonce_gen(&mut Broken, &NonceGenInputs::default()).map(drop).expect_err("none");
    assert_eq!(error.to_string(), "the random generator failed: out of entropy");
}

#[test]
fn a_secret_nonce_survives_its_encoding() {
    let (secret, public) = nonce_gen_with(&[9; 32], &NonceGenInputs::default()).expect("a nonce");
    let again = secret_nonce_from_bytes(&secret_nonce_to_bytes(&secret)).expect("a nonce");
    assert_eq!(again.public_nonce(), &public);
}

#[test]
fn a_secret_nonce_is_two_scalars_from_1_to_the_order_minus_1() {
    let refused = |first: [u8; 32], second: [u8; 32]| {
        let mut bytes = Zeroizing::new([0; 64]);
        bytes[..32].copy_from_slice(&first);
        bytes[32..].copy_from_slice(&second);
        secret_nonce_from_bytes(&bytes).err().map(|error| error.half())
    };
    assert_eq!(refused(order_plus(-1), order_plus(-1)), None);
    for out in [[0; 32], order_plus(0), order_plus(1), [0xff; 32]] {
        assert_eq!(refused(out, [1; 32]), Some(NonceHalf::First));
        assert_eq!(refused([1; 32], out), Some(NonceHalf::Second));
    }
}

#[test]
fn infinity_is_legal_in_an_aggregate_nonce_only() {
    let (_, public) = nonce_gen_with(&[9; 32], &NonceGenInputs::default()).expect("a nonce");
    for half in [0..33, 33..66, 0..66] {
        let mut bytes = public.to_bytes();
        bytes[half].fill(0);
        let aggregate = AggregateNonce::from_bytes(&bytes).expect("an aggregate nonce");
        assert_eq!(aggregate.to_bytes(), bytes);
        assert!(PublicNonce::from_bytes(&bytes).is_err());
    }
    assert_eq!(nonce_agg([]).to_bytes(), [0; 66]);
}

#[test]
fn a_nonce_that_does_not_decode_names_its_half() {
    let (_, public) = nonce_gen_with(&[9; 32], &NonceGenInputs::default()).expect("a nonce");
    for (byte, half) in [(0, NonceHalf::First), (33, NonceHalf::Second)] {
        let mut bytes = public.to_bytes();
        bytes[byte] = 4;
        let error = PublicNonce::from_bytes(&bytes).expect_err("no nonce");
        assert_eq!(error.half(), half);
        assert_eq!(AggregateNonce::from_bytes(&bytes), Err(error));
        let message = format!("the {half} half of the nonce is not a compressed point");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn decoding_names_the_member_that_sent_what_does_not_decode() {
    let mut rng = TestRng::new(3);
    let mut draw = || nonce_gen(&mut rng, &NonceGenInputs::default()).expect("a nonce").1;
    let good: Vec<PublicNonce> = (0..4).map(|_| draw()).collect();
    let encoded: Vec<[u8; 66]> = good.iter().map(PublicNonce::to_bytes).collect();
    assert_eq!(decode_nonces(&encoded), Ok(good));

    for (culprit, byte) in [(0, 0), (1, 33), (3, 33)] {
        let mut bad = encoded.clone();
        bad[culprit][byte] = 4;
        let blamed = InvalidContribution {
            signer_index: Some(culprit),
            contribution: Contribution::PublicNonce,
        };
        assert_eq!(decode_nonces(&bad), Err(blamed));
        assert_eq!(blamed.to_string(), format!("signer {culprit} sent an invalid public nonce"));

        let blamed =
            InvalidContribution { signer_index: None, contribution: Contribution::AggregateNonce };
        assert_eq!(decode_aggregate_nonce(&bad[culprit]), Err(blamed));
        assert_eq!(blamed.to_string(), "the coordinator sent an invalid aggregate nonce");
    }
}

#[test]
fn the_order_of_nonces_does_not_matter() {
    let mut rng = TestRng::new(4);
    let mut draw = || nonce_gen(&mut rng, &NonceGenInputs::default()).expect("a nonce").1;
    let (a, b, c) = (draw(), draw(), draw());
    assert_eq!(nonce_agg([&a, &b, &c]), nonce_agg([&c, &a, &b]));
    assert_ne!(nonce_agg([&a, &b]), nonce_agg([&a, &c]));
}

#[test]
fn a_tagged_hash_in_parts_is_that_of_the_whole() {
    let whole = tagged_hash("tag", &[b"abc"]);
    assert_eq!(tagged_hash("tag", &[b"a", b"", b"bc"]), whole);
    let prefix = TaggedHash::new("tag").chain(b"ab");
    assert_eq!(prefix.clone().chain(b"c").finalize(), whole);
    assert_eq!(prefix.chain(b"c").finalize(), whole);
    assert_ne!(tagged_hash("other", &[b"abc"]), whole);
}

struct Broken;

#[derive(Debug)]
struct OutOfEntropy;

impl fmt::Display for OutOfEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of entropy")
    }
}

impl std::error::Error for OutOfEntropy {}

impl TryRng for Broken {
    type Error = OutOfEntropy;

    fn try_next_u32(&mut self) -> Result<u32, OutOfEntropy> {
        Err(OutOfEntropy)
    }

    fn try_next_u64(&mut self) -> Result<u64, OutOfEntropy> {
        Err(OutOfEntropy)
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), OutOfEntropy> {
        Err(OutOfEntropy)
    }
}

impl TryCryptoRng for Broken {}
