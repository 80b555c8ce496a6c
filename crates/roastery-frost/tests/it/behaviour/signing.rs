//! Whole signing runs.

use proptest::prelude::*;
use roastery_frost::danger::{nonce_gen_with, secret_nonce_from_bytes, secret_nonce_to_bytes};
use roastery_frost::{
    AggregateError, MaybeScalar, NonceGenInputs, PartialSigError, PartialSignature, Scalar, Seat,
    SecretNonce, SignError, Tweak, TweakContext, nonce_agg, sign,
};
use zeroize::Zeroizing;

use crate::behaviour::support::{Run, TestRng, deal, seat, some_seats};

/// The numbers of a run: n, t, u, a seed, the tweaks and the message.
#[derive(Debug, Clone)]
struct Shape {
    n: usize,
    t: usize,
    u: usize,
    seed: u64,
    tweaks: Vec<Tweak>,
    message: Vec<u8>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let tweak = (any::<bool>(), any::<[u8; 32]>()).prop_map(|(x_only, mut bytes)| {
        bytes[0] &= 0x7f;
        if x_only { Tweak::XOnly(bytes) } else { Tweak::Plain(bytes) }
    });
    let tweaks = prop::collection::vec(tweak, 0..4);
    let message = prop::collection::vec(any::<u8>(), 0..150);
    (1usize..=9, any::<u16>(), any::<u16>(), any::<u64>(), tweaks, message).prop_map(
        |(n, t, u, seed, tweaks, message)| {
            let t = 1 + usize::from(t) % n;
            let u = t + usize::from(u) % (n - t + 1);
            Shape { n, t, u, seed, tweaks, message }
        },
    )
}

impl Shape {
    fn run(&self) -> Run {
        let mut rng = TestRng::new(self.seed);
        let (group, shares) = deal(self.t, self.n, &mut rng);
        let seats = some_seats(self.n, self.u, &mut rng);
        let mut tweaks = TweakContext::new(group.threshold_public_key());
        for tweak in &self.tweaks {
            tweaks = tweaks.apply(tweak).expect("a tweak");
        }
        let run = Run::new(&group, &shares, &seats, &tweaks, &self.message, &mut rng);
        assert_eq!(run.session.public_key(), tweaks.x_only_public_key());
        run
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_run_of_honest_signers_gives_a_valid_signature(shape in shape()) {
        let run = shape.run();
        let signature = run.session.aggregate_verified(&run.psigs).expect("a signature");
        prop_assert!(signature.verify(&run.session.public_key(), &shape.message));
        prop_assert_eq!(run.session.aggregate(&run.psigs), Ok(signature));
        prop_assert_eq!(run.culprits(), vec![]);
    }

    #[test]
    fn an_altered_share_is_found_and_only_it(
        shape in shape(),
        culprit in any::<prop::sample::Index>(),
        altered in any::<[u8; 32]>(),
    ) {
        let mut run = shape.run();
        let culprit = culprit.index(run.seats.len());
        let altered = PartialSignature::from_bytes(&MaybeScalar::reduce_from(&altered).serialize());
        run.psigs[culprit] = altered.expect("a partial signature");
        prop_assert_eq!(run.session.aggregate_verified(&run.psigs), Err(AggregateError::Invalid));
        prop_assert_eq!(run.culprits(), vec![run.seats[culprit]]);
    }

    #[test]
    fn shares_that_are_wrong_in_opposite_ways_are_found_though_the_sum_is_right(shape in shape()) {
        prop_assume!(shape.u >= 2);
        let mut run = shape.run();
        let shifted = |psig: &PartialSignature, shift: MaybeScalar| {
            let scalar = MaybeScalar::from_slice(&psig.to_bytes()).expect("a scalar") + shift;
            PartialSignature::from_bytes(&scalar.serialize()).expect("a partial signature")
        };
        run.psigs[0] = shifted(&run.psigs[0], MaybeScalar::one());
        run.psigs[1] = shifted(&run.psigs[1], -MaybeScalar::one());
        prop_assert!(run.session.aggregate_verified(&run.psigs).is_ok());
        prop_assert_eq!(run.culprits(), run.seats[..2].to_vec());
    }

    #[test]
    fn nonces_that_cancel_leave_every_share_checkable(shape in shape(), halves in 0usize..3) {
        prop_assume!(shape.u >= 2);
        let mut rng = TestRng::new(shape.seed);
        let (group, shares) = deal(shape.t, shape.n, &mut rng);
        let seats = some_seats(shape.n, shape.u, &mut rng);
        let nonces = cancelling_nonces(shape.u, halves, &mut rng);
        let tweaks = TweakContext::new(group.threshold_public_key());
        let run = Run::with_nonces(&group, &shares, &seats, &tweaks, &shape.message, nonces);

        let aggregate = nonce_agg(&run.nonces).to_bytes();
        prop_assert_eq!(aggregate[..33] == [0; 33], halves != 1);
        prop_assert_eq!(aggregate[33..] == [0; 33], halves != 0);
        prop_assert_eq!(run.culprits(), vec![]);
        // Only if both halves cancel, the final nonce is not the sum that was signed with.
        let signature = run.session.aggregate_verified(&run.psigs);
        prop_assert_eq!(signature.is_ok(), halves != 2);
    }
}

/// Nonces of which the first halves (0), the second halves (1) or both (2) add up to infinity.
fn cancelling_nonces(count: usize, halves: usize, rng: &mut TestRng) -> Vec<SecretNonce> {
    let mut sums = [MaybeScalar::Zero; 2];
    let mut nonces: Vec<SecretNonce> = Vec::new();
    for _ in 1..count {
        let mut pair = [MaybeScalar::Zero; 2];
        for (scalar, sum) in pair.iter_mut().zip(&mut sums) {
            *scalar = MaybeScalar::reduce_from(&rng.bytes());
            *sum += *scalar;
        }
        nonces.push(secret_nonce(pair));
    }
    let random = MaybeScalar::reduce_from(&rng.bytes());
    nonces.push(secret_nonce([
        if halves == 1 { random } else { -sums[0] },
        if halves == 0 { random } else { -sums[1] },
    ]));
    nonces
}

fn secret_nonce(pair: [MaybeScalar; 2]) -> SecretNonce {
    let mut bytes = Zeroizing::new([0; 64]);
    bytes[..32].copy_from_slice(&pair[0].serialize());
    bytes[32..].copy_from_slice(&pair[1].serialize());
    secret_nonce_from_bytes(&bytes).expect("a secret nonce")
}

#[test]
fn the_largest_group_signs() {
    let mut rng = TestRng::new(1);
    let (group, shares) = deal(86, 128, &mut rng);
    let seats: Vec<Seat> = (42..128).rev().map(seat).collect();
    let tweaks = TweakContext::new(group.threshold_public_key());
    let run = Run::new(&group, &shares, &seats, &tweaks, &[0; 32], &mut rng);
    assert!(run.session.aggregate_verified(&run.psigs).is_ok());
    assert_eq!(run.culprits(), []);
}

#[test]
fn the_order_of_signers_changes_neither_shares_nor_signature() {
    let mut rng = TestRng::new(2);
    let (group, shares) = deal(3, 5, &mut rng);
    let tweaks = TweakContext::new(group.threshold_public_key());
    let run = |order: [u32; 3]| {
        let nonce = |id: u32| {
            nonce_gen_with(&[id as u8; 32], &NonceGenInputs::default()).expect("a nonce").0
        };
        let nonces = order.map(nonce).into();
        Run::with_nonces(&group, &shares, &order.map(seat), &tweaks, b"message", nonces)
    };
    let (one, other) = (run([0, 2, 4]), run([4, 0, 2]));
    assert_eq!([one.psigs[2], one.psigs[0], one.psigs[1]], other.psigs[..]);
    let signature = one.session.aggregate_verified(&one.psigs).expect("a signature");
    assert_eq!(other.session.aggregate_verified(&other.psigs), Ok(signature));
}

#[test]
fn a_signature_takes_one_share_per_signer() {
    let mut rng = TestRng::new(3);
    let (group, shares) = deal(2, 3, &mut rng);
    let tweaks = TweakContext::new(group.threshold_public_key());
    let seats = [seat(0), seat(1)];
    let run = Run::new(&group, &shares, &seats, &tweaks, b"message", &mut rng);
    let too_many = [run.psigs[0], run.psigs[1], run.psigs[1]];
    for count in [0, 1, 3] {
        let error = Err(AggregateError::Count { shares: count, signers: 2 });
        assert_eq!(run.session.aggregate(&too_many[..count]), error);
        assert_eq!(run.session.aggregate_verified(&too_many[..count]), error);
    }
}

#[test]
fn only_a_signer_with_its_own_share_signs() {
    let mut rng = TestRng::new(4);
    let (group, shares) = deal(2, 3, &mut rng);
    let tweaks = TweakContext::new(group.threshold_public_key());
    let seats = [seat(0), seat(1)];
    let run = Run::new(&group, &shares, &seats, &tweaks, b"message", &mut rng);
    let signed = |share: usize, id: u32| {
        let (nonce, _) = nonce_gen_with(&[1; 32], &NonceGenInputs::default()).expect("a nonce");
        sign(nonce, &shares[share], seat(id), &run.session).map(drop)
    };
    assert_eq!(signed(0, 0), Ok(()));
    assert_eq!(signed(2, 2), Err(SignError::NotASigner { seat: seat(2) }));
    assert_eq!(signed(1, 0), Err(SignError::OtherShare { seat: seat(0) }));
    assert_eq!(signed(2, 0), Err(SignError::OtherShare { seat: seat(0) }));
    assert_eq!(
        run.session.verify(&run.psigs[0], &run.nonces[0], seat(2)),
        Err(PartialSigError::NotASigner { seat: seat(2) })
    );
}

#[test]
fn a_share_is_valid_for_its_own_seat_nonce_message_signers_and_key_only() {
    let mut rng = TestRng::new(5);
    let (group, shares) = deal(2, 4, &mut rng);
    let tweaks = TweakContext::new(group.threshold_public_key());
    let seats = [seat(0), seat(1)];
    let run = |seats: &[Seat], tweaks: &TweakContext, message: &[u8]| {
        let nonces = (1..=2)
            .map(|i| nonce_gen_with(&[i; 32], &NonceGenInputs::default()).expect("a nonce").0);
        Run::with_nonces(&group, &shares, seats, tweaks, message, nonces.collect())
    };
    let ours = run(&seats, &tweaks, b"message");
    let (psig, nonce) = (&ours.psigs[0], &ours.nonces[0]);
    assert!(ours.session.verify(psig, nonce, seat(0)).is_ok());
    assert!(ours.session.verify(psig, nonce, seat(1)).is_err());
    assert!(ours.session.verify(psig, &ours.nonces[1], seat(0)).is_err());

    let other_message = run(&seats, &tweaks, b"another").session;
    assert!(other_message.verify(psig, nonce, seat(0)).is_err());
    let other_signers = run(&[seat(0), seat(2)], &tweaks, b"message").session;
    assert!(other_signers.verify(psig, nonce, seat(0)).is_err());
    let tweaked = tweaks.apply(&Tweak::XOnly([1; 32])).expect("a tweak");
    let other_key = run(&seats, &tweaked, b"message").session;
    assert!(other_key.verify(psig, nonce, seat(0)).is_err());
}

#[test]
fn a_partial_signature_may_be_zero() {
    let mut rng = TestRng::new(6);
    let (group, shares) = deal(1, 2, &mut rng);
    let tweaks = TweakContext::new(group.threshold_public_key());
    let nonces = cancelling_nonces(2, 2, &mut rng);
    let [first, second]: [Scalar; 2] = {
        let bytes = secret_nonce_to_bytes(&nonces[0]);
        [0, 32].map(|at| Scalar::from_slice(&bytes[at..at + 32]).expect("a scalar"))
    };
    // With both halves of the aggregate at infinity the coefficients do not depend on the nonces,
    // so a signer can choose them such that its share comes out as zero.
    let seats = [seat(0), seat(1)];
    let run = Run::with_nonces(&group, &shares, &seats, &tweaks, b"message", nonces);
    let psig = MaybeScalar::from_slice(&run.psigs[0].to_bytes()).expect("a scalar");
    let zeroing = secret_nonce([first - psig, second.into()]);
    let nonce = zeroing.public_nonce().clone();
    let zero = sign(zeroing, &shares[0], seat(0), &run.session).expect("a share");
    assert_eq!(zero.to_bytes(), [0; 32]);
    assert!(run.session.verify(&zero, &nonce, seat(0)).is_ok());
}
