use std::hint::black_box;

use secp::{MaybeScalar, Point, Scalar};
use zeroize::Zeroizing;

use super::dealing::Content;
use super::pad::pad;
use super::{ChangeParams, Dealing, DealingHead, NotADealer};
use crate::hash::{TaggedHash, tagged_hash};
use crate::maybe_secret::MaybeSecret;
use crate::secret_scalar::SecretScalar;
use crate::{Seat, SecretShare, Signature};

/// Deals an old member's share to the new members, in constant time.
///
/// Nonce and content follow from the share and the plan id, so a member that begins again deals the
/// same, byte for byte; in another plan it deals another polynomial. Only the signature depends on
/// `aux_rand` as well, 32 fresh random bytes as in BIP-340: a computation that is disturbed must
/// not use one nonce for two challenges.
///
/// A dealing that has left is a grant: any *t'* of the new members can sign if *t* dealings reach
/// them, whatever becomes of the plan.
///
/// # Errors
///
/// [`DealError`] if the seat does not deal in this change, the share is not the seat's, or the
/// computation was disturbed: everything is computed twice, and the signature is verified.
pub fn deal(
    params: &ChangeParams,
    dealer: Seat,
    share: &SecretShare,
    aux_rand: &[u8; 32],
) -> Result<Dealing, DealError> {
    let sign = |head: &DealingHead| head.sign(params.plan(), share.scalar(), aux_rand);
    deal_by(params, dealer, share, || compute(params, dealer, black_box(share)), sign)
}

/// [`deal`] by these computations, which a test can disturb.
fn deal_by(
    params: &ChangeParams,
    dealer: Seat,
    share: &SecretShare,
    mut compute: impl FnMut() -> Result<(Point, Content), DealError>,
    sign: impl FnOnce(&DealingHead) -> Option<Signature>,
) -> Result<Dealing, DealError> {
    let public_share = params.dealer(dealer)?;
    // From the scalar itself: the public share beside it could be right where the scalar is not.
    if share.scalar().public() != public_share {
        return Err(DealError::Share { dealer });
    }
    let (nonce, content) = compute()?;
    if compute()? != (nonce, content.clone()) {
        return Err(DealError::Disturbed);
    }
    let head = DealingHead { dealer, nonce, digest: content.digest() };
    let signature = sign(&head).ok_or(DealError::Degenerate)?;
    if !head.is_signed(params.plan(), public_share, &signature) {
        return Err(DealError::Disturbed);
    }
    Ok(Dealing::signed(params, head, content, signature))
}

/// Nonce and content, from share and plan id alone.
fn compute(
    params: &ChangeParams,
    dealer: Seat,
    share: &SecretShare,
) -> Result<(Point, Content), DealError> {
    let seed = Zeroizing::new(tagged_hash(
        "roastery/1/change/seed",
        &[share.scalar().to_bytes().as_slice(), params.plan(), &dealer.to_u16().to_le_bytes()],
    ));
    let secnonce = tagged_hash("roastery/1/change/nonce", &[seed.as_slice()]);
    let secnonce = scalar(Zeroizing::new(secnonce))?;
    let nonce = secnonce.public();
    let coefficients = coefficients(&seed, params.t())?;
    let enc_shares = params.members().zip(params.points()).map(|(receiver, key)| {
        let pad = pad(&secnonce, key, params, dealer, &nonce, receiver);
        evaluate(share.scalar(), &coefficients, receiver).plus(&pad).disclose()
    });
    let enc_shares: Vec<MaybeScalar> = enc_shares.collect();
    let commitments = coefficients.iter().map(SecretScalar::public).collect();
    Ok((nonce, Content { commitments, enc_shares }))
}

/// The coefficients above the constant one, *t'* - 1 of them.
fn coefficients(seed: &[u8; 32], t: usize) -> Result<Vec<SecretScalar>, DealError> {
    let hash = TaggedHash::new("roastery/1/change/coefficient").chain(seed);
    (1u16..)
        .take(t - 1)
        .map(|k| scalar(Zeroizing::new(hash.clone().chain(&k.to_le_bytes()).finalize())))
        .collect()
}

fn scalar(hash: Zeroizing<[u8; 32]>) -> Result<SecretScalar, DealError> {
    SecretScalar::from_bytes_wrapping(&hash).ok_or(DealError::Degenerate)
}

/// The value of the secret polynomial for a new seat.
fn evaluate(constant: &SecretScalar, above: &[SecretScalar], receiver: Seat) -> MaybeSecret {
    let x = MaybeScalar::from(u128::from(receiver.x()));
    let x: Scalar = x.into_option().expect("seats begin at x = 1");
    let above = above.iter().rev();
    let value = above.fold(MaybeSecret::ZERO, |value, a| value.plus_secret(a).times(x));
    value.plus_secret(constant)
}

/// Why a member does not deal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DealError {
    /// The old seat does not deal in this change.
    #[error("{0}")]
    Dealer(#[from] NotADealer),
    /// The secret share does not give the seat's public share.
    #[error("the secret share is not that of old seat {dealer}")]
    Share {
        /// The old seat.
        dealer: Seat,
    },
    /// Two computations gave different dealings, or the signature does not verify: the machine has
    /// made a mistake, and nothing may leave it.
    #[error("the dealing was computed twice and came out different, or its signature is invalid")]
    Disturbed,
    /// A scalar came out as zero, which happens with probability 2^-249. The same share gives the
    /// same in this plan: another plan is needed.
    #[error("a scalar of the dealing came out as zero")]
    Degenerate,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chilldkg::HostSecretKey;
    use crate::{SigningKey, danger_trusted_dealer};

    const DEALER: usize = 1;

    fn setting() -> (ChangeParams, Vec<SecretShare>) {
        let mut rng = getrandom::SysRng;
        let (old, shares) = danger_trusted_dealer::deal(2, 3, &mut rng).expect("a group");
        let key = |_| HostSecretKey::from(SigningKey::generate(&mut rng).expect("a key"));
        let keys: Vec<_> = (0..3).map(key).map(|key| key.hostpubkey_gen()).collect();
        (ChangeParams::new([7; 32], &old, &[], keys, 2).expect("parameters"), shares)
    }

    /// Deals with `disturb` done to what the computation of that number gives, from 0.
    fn disturbed(
        number: usize,
        disturb: impl Fn(&mut Point, &mut Content),
    ) -> Result<Dealing, DealError> {
        let (params, shares) = setting();
        let (share, mut done) = (&shares[DEALER], 0..);
        let dealer = Seat::new(DEALER as u32).expect("a seat");
        let compute = || {
            let (mut nonce, mut content) = compute(&params, dealer, share)?;
            if done.next() == Some(number) {
                disturb(&mut nonce, &mut content);
            }
            Ok((nonce, content))
        };
        let sign = |head: &DealingHead| head.sign(params.plan(), share.scalar(), &[1; 32]);
        deal_by(&params, dealer, share, compute, sign)
    }

    #[test]
    fn a_computation_that_is_disturbed_once_deals_nothing() {
        for number in [0, 1] {
            let other = |point: &mut Point| *point = -*point;
            let error = DealError::Disturbed;
            assert_eq!(disturbed(number, |nonce, _| other(nonce)), Err(error));
            let commitment = disturbed(number, |_, content| other(&mut content.commitments[0]));
            assert_eq!(commitment, Err(error));
            let share = disturbed(number, |_, c| c.enc_shares[2] = -c.enc_shares[2]);
            assert_eq!(share, Err(error));
        }
        assert!(disturbed(2, |_, _| {}).is_ok());
    }

    #[test]
    fn a_signature_that_is_disturbed_does_not_leave() {
        let (params, shares) = setting();
        let dealer = Seat::new(DEALER as u32).expect("a seat");
        let share = &shares[DEALER];
        let computed = compute(&params, dealer, share).expect("a dealing");
        let deal = |bit: usize| {
            deal_by(
                &params,
                dealer,
                share,
                || Ok(computed.clone()),
                |head| {
                    let mut signature =
                        head.sign(params.plan(), share.scalar(), &[1; 32])?.to_bytes();
                    signature[bit / 8] ^= 1 << (bit % 8);
                    Some(Signature::from_bytes(&signature))
                },
            )
        };
        assert!((0..512).all(|bit| deal(bit) == Err(DealError::Disturbed)));
    }

    #[test]
    fn a_share_whose_scalar_was_disturbed_is_not_dealt() {
        let (params, mut shares) = setting();
        let (other, share) = (shares.remove(2), shares.remove(DEALER));
        let dealer = Seat::new(DEALER as u32).expect("a seat");
        let share = share.with_scalar_of(other);
        assert!(share.matches(params.old(), dealer));
        assert_eq!(deal(&params, dealer, &share, &[1; 32]), Err(DealError::Share { dealer }));
    }
}
