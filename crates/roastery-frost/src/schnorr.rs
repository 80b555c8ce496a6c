//! BIP-340 under tags of other uses. libsecp256k1 signs and verifies with the tags of BIP-340 only,
//! so the equations are written out here.

use secp::{G, MaybePoint, MaybeScalar, Point};
use zeroize::Zeroizing;

use crate::curve::{double_mul, reduce};
use crate::hash::{TaggedHash, tagged_hash};
use crate::secret_scalar::SecretScalar;

/// The three tags of one use, so that a signature of one use is none of another.
pub(crate) struct Tags {
    pub(crate) aux: &'static str,
    pub(crate) nonce: &'static str,
    pub(crate) challenge: &'static str,
}

/// *Sign* of BIP-340 under tags of its own, in constant time. `None` with probability 1 in the
/// group order.
pub(crate) fn sign(
    tags: &Tags,
    secret: &SecretScalar,
    message: &[u8],
    aux_rand: &[u8; 32],
) -> Option<[u8; 64]> {
    let (d, p) = with_even_y(secret);
    let mut t = Zeroizing::new(tagged_hash(tags.aux, &[aux_rand]));
    t.iter_mut().zip(d.to_bytes().iter()).for_each(|(t, d)| *t ^= d);
    let nonce = Zeroizing::new(tagged_hash(tags.nonce, &[t.as_slice(), &p, message]));
    let k = SecretScalar::from_bytes_wrapping(&nonce)?;
    let (k, r) = with_even_y(&k);

    let s = match challenge(tags.challenge, &r, &p, &[message]).into_option() {
        Some(e) => k.plus(&d.times(e))?,
        None => k,
    };
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(s.to_bytes().as_slice());
    Some(signature)
}

/// The secret whose multiple of the generator has an even y coordinate, and the x coordinate.
///
/// The parity is public, as the multiple is; both scalars are computed whatever it is.
fn with_even_y(secret: &SecretScalar) -> (SecretScalar, [u8; 32]) {
    let (public, negated) = (secret.public(), secret.negated());
    let even = if public.has_even_y() { negated.negated() } else { negated };
    (even, public.serialize_xonly())
}

/// *Verify* of BIP-340 under any challenge tag, for the key that has the x coordinate of `key`.
///
/// libsecp256k1 knows the tag of BIP-340 only. And it hashes without the processor's SHA
/// instructions: a certificate of key generation is *n* signatures of a message of kilobytes, where
/// that costs more than the curve.
pub(crate) fn verify(challenge_tag: &str, key: Point, message: &[&[u8]], sig: &[u8; 64]) -> bool {
    let (r, s) = sig.split_at(32);
    let Ok(s) = MaybeScalar::from_slice(s) else { return false };
    let key = key.to_even_y();
    let e = challenge(challenge_tag, r, &key.serialize_xonly(), message);
    let nonce = match (-e).into_option() {
        Some(e) => double_mul(key, e, s),
        None => s * G,
    };
    match nonce {
        MaybePoint::Valid(nonce) => nonce.has_even_y() && nonce.serialize_xonly() == *r,
        MaybePoint::Infinity => false,
    }
}

/// The challenge of BIP-340 for a nonce and a key, both as x coordinates.
fn challenge(tag: &str, r: &[u8], key: &[u8; 32], message: &[&[u8]]) -> MaybeScalar {
    let mut hash = TaggedHash::new(tag).chain(r).chain(key);
    message.iter().for_each(|part| hash.update(part));
    reduce(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::SigningKey;

    const TAG: &str = "BIP0340/challenge";

    #[test]
    fn with_the_tag_of_bip_340_it_accepts_what_libsecp256k1_signs_and_nothing_else() {
        for byte in 1..20 {
            let key = SigningKey::from_bytes(Zeroizing::new([byte; 32])).expect("a key");
            let point = key.plain_public_key();
            let sig = key.sign(b"message", &[byte; 32]).to_bytes();
            assert!(verify(TAG, point, &[b"mess", b"age"], &sig));
            assert!(verify(TAG, -point, &[b"message"], &sig));
            assert!(!verify(TAG, point, &[b"massage"], &sig));
            assert!(!verify("another tag", point, &[b"message"], &sig));
            assert!(!verify(TAG, G * secp::Scalar::two(), &[b"message"], &sig));
            for bit in 0..512 {
                let mut sig = sig;
                sig[bit / 8] ^= 1 << (bit % 8);
                assert!(!verify(TAG, point, &[b"message"], &sig), "bit {bit}");
            }
        }
    }

    #[test]
    fn with_the_tags_of_bip_340_it_signs_as_libsecp256k1_does() {
        let tags = Tags { aux: "BIP0340/aux", nonce: "BIP0340/nonce", challenge: TAG };
        for byte in 1..20 {
            let key = SigningKey::from_bytes(Zeroizing::new([byte; 32])).expect("a key");
            let secret = SecretScalar::from_bytes(&[byte; 32]).expect("a secret");
            let sig = sign(&tags, &secret, b"message", &[byte + 1; 32]);
            assert_eq!(sig, Some(key.sign(b"message", &[byte + 1; 32]).to_bytes()));
        }
    }

    #[test]
    fn a_signature_scalar_not_below_the_group_order_is_refused() {
        let key = SigningKey::from_bytes(Zeroizing::new([3; 32])).expect("a key");
        let mut sig = key.sign(b"message", &[4; 32]).to_bytes();
        sig[32..].copy_from_slice(&[0xff; 32]);
        assert!(!verify(TAG, key.plain_public_key(), &[b"message"], &sig));
    }
}
