//! Proofs of possession: BIP-340 signatures under tags of their own. libsecp256k1 signs and verifies
//! with the tags of BIP-340 only, so the equations are written out here.

use secp::{MaybePoint, MaybeScalar, Point};
use zeroize::Zeroizing;

use super::ParticipantFault;
use crate::Seat;
use crate::curve::{double_mul, reduce};
use crate::hash::tagged_hash;
use crate::secret_scalar::SecretScalar;

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
    let k = tagged_hash("BIP DKG/pop message/nonce", &[t.as_slice(), &p, &message]);
    let k = SecretScalar::from_bytes_wrapping(&Zeroizing::new(k))?;
    let (k, r) = with_even_y(&k);

    let s = match challenge(&r, &p, &message).into_option() {
        Some(e) => k.plus(&d.times(e))?,
        None => k,
    };
    let mut pop = [0; 64];
    pop[..32].copy_from_slice(&r);
    pop[32..].copy_from_slice(s.to_bytes().as_slice());
    Some(pop)
}

/// Checks that a commitment to a secret is one, and that the participant knows the secret.
pub(super) fn check_pop(
    pop: &[u8; 64],
    com_to_secret: MaybePoint,
    participant: Seat,
) -> Result<(), ParticipantFault> {
    let MaybePoint::Valid(com_to_secret) = com_to_secret else {
        return Err(ParticipantFault::Commitment);
    };
    if !pop_verify(pop, com_to_secret, participant) {
        return Err(ParticipantFault::ProofOfPossession);
    }
    Ok(())
}

/// *pop_verify*, for a commitment to a secret.
fn pop_verify(pop: &[u8; 64], com_to_secret: Point, participant: Seat) -> bool {
    let message = u32::from(participant).to_be_bytes();
    let (r, s) = pop.split_at(32);
    let (Ok(r), Ok(s)) = (r.try_into(), MaybeScalar::from_slice(s)) else { return false };
    let key = com_to_secret.to_even_y();
    let nonce = match (-challenge(r, &key.serialize_xonly(), &message)).into_option() {
        Some(e) => double_mul(key, e, s),
        None => return false,
    };
    match nonce {
        MaybePoint::Valid(nonce) => nonce.has_even_y() && nonce.serialize_xonly() == *r,
        MaybePoint::Infinity => false,
    }
}

fn challenge(r: &[u8; 32], p: &[u8; 32], message: &[u8]) -> MaybeScalar {
    reduce(&tagged_hash("BIP DKG/pop message/challenge", &[r, p, message]))
}

/// The secret whose multiple of the generator has an even y coordinate, and the x coordinate.
///
/// The parity is public, as the multiple is; both scalars are computed whatever it is.
fn with_even_y(secret: &SecretScalar) -> (SecretScalar, [u8; 32]) {
    let (public, negated) = (secret.public(), secret.negated());
    let even = if public.has_even_y() { negated.negated() } else { negated };
    (even, public.serialize_xonly())
}
