//! Proofs of possession: BIP-340 signatures under tags of their own. libsecp256k1 signs with the
//! tags of BIP-340 only, so the equation is written out here.

use secp::MaybePoint;
use zeroize::Zeroizing;

use super::{ParticipantFault, schnorr};
use crate::Seat;
use crate::hash::tagged_hash;
use crate::secret_scalar::SecretScalar;

const CHALLENGE: &str = "BIP DKG/pop message/challenge";

/// *pop_prove*: proves that the participant knows `secret`; in constant time.
///
/// `None` with probability 1 in the group order.
pub(super) fn pop_prove(
    seed: &[u8; 32],
    secret: &SecretScalar,
    participant: Seat,
) -> Option<[u8; 64]> {
    let message = u32::from(participant).to_be_bytes();
    let aux_rand = Zeroizing::new(tagged_hash("BIP DKG/simplpedpop aux", &[seed]));
    let (d, p) = with_even_y(secret);

    let mut t = Zeroizing::new(tagged_hash("BIP DKG/pop message/aux", &[aux_rand.as_slice()]));
    t.iter_mut().zip(d.to_bytes().iter()).for_each(|(t, d)| *t ^= d);
    let nonce = [t.as_slice(), &p, &message];
    let nonce = Zeroizing::new(tagged_hash("BIP DKG/pop message/nonce", &nonce));
    let k = SecretScalar::from_bytes_wrapping(&nonce)?;
    let (k, r) = with_even_y(&k);

    let s = match schnorr::challenge(CHALLENGE, &r, &p, &[&message]).into_option() {
        Some(e) => k.plus(&d.times(e))?,
        None => k,
    };
    let mut pop = [0; 64];
    pop[..32].copy_from_slice(&r);
    pop[32..].copy_from_slice(s.to_bytes().as_slice());
    Some(pop)
}

/// Checks that a commitment to a secret is one, and that the participant knows the secret:
/// *pop_verify*.
pub(super) fn check_pop(
    pop: &[u8; 64],
    com_to_secret: MaybePoint,
    participant: Seat,
) -> Result<(), ParticipantFault> {
    let MaybePoint::Valid(com_to_secret) = com_to_secret else {
        return Err(ParticipantFault::Commitment);
    };
    let message = u32::from(participant).to_be_bytes();
    if !schnorr::verify(CHALLENGE, com_to_secret, &[&message], pop) {
        return Err(ParticipantFault::ProofOfPossession);
    }
    Ok(())
}

/// The secret whose multiple of the generator has an even y coordinate, and the x coordinate.
///
/// The parity is public, as the multiple is; both scalars are computed whatever it is.
fn with_even_y(secret: &SecretScalar) -> (SecretScalar, [u8; 32]) {
    let (public, negated) = (secret.public(), secret.negated());
    let even = if public.has_even_y() { negated.negated() } else { negated };
    (even, public.serialize_xonly())
}
