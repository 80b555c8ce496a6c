use secp::{G, MaybePoint, MaybeScalar, Point};

use crate::curve::{double_mul, reduce};
use crate::hash::TaggedHash;

/// *Verify* of BIP-340 under any challenge tag, for the key that has the x coordinate of `key`.
///
/// libsecp256k1 knows the tag of BIP-340 only, which proofs of possession do not have. And it
/// hashes without the processor's SHA instructions: a certificate is *n* signatures of a message of
/// kilobytes, where that costs more than the curve.
pub(super) fn verify(challenge_tag: &str, key: Point, message: &[&[u8]], sig: &[u8; 64]) -> bool {
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
pub(super) fn challenge(tag: &str, r: &[u8], key: &[u8; 32], message: &[&[u8]]) -> MaybeScalar {
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
    fn a_signature_scalar_not_below_the_group_order_is_refused() {
        let key = SigningKey::from_bytes(Zeroizing::new([3; 32])).expect("a key");
        let mut sig = key.sign(b"message", &[4; 32]).to_bytes();
        sig[32..].copy_from_slice(&[0xff; 32]);
        assert!(!verify(TAG, key.plain_public_key(), &[b"message"], &sig));
    }
}
