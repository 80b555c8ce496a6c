use std::sync::LazyLock;

use rand_core::TryRng;
use secp::{MaybePoint, MaybeScalar, Point, Scalar};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{All, Message, PublicKey, Secp256k1, SecretKey};
use zeroize::Zeroizing;

/// The context for every operation that touches a secret.
///
/// It is blinded once, against side channels. Blinding never changes a result, so a system
/// without randomness costs that defence and nothing else.
pub(crate) static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(|| {
    let mut secp = Secp256k1::new();
    let mut seed = Zeroizing::new([0u8; 32]);
    if getrandom::SysRng.try_fill_bytes(seed.as_mut()).is_ok() {
        secp.seeded_randomize(&seed);
    }
    secp
});

/// Decodes a point from exactly 33 bytes, compressed: *cpoint* of BIP-445.
///
/// # Errors
///
/// [`PointError`] if the bytes are not a compressed point of the curve. The point at infinity has
/// no such encoding.
pub fn decode_point(bytes: &[u8; 33]) -> Result<Point, PointError> {
    PublicKey::from_byte_array_compressed(*bytes).map(Point::from).map_err(|_| PointError)
}

/// *cpoint_ext* of BIP-445: as [`decode_point`], and 33 zero bytes are the point at infinity.
pub(crate) fn decode_maybe_point(bytes: &[u8; 33]) -> Result<MaybePoint, PointError> {
    if *bytes == [0; 33] {
        return Ok(MaybePoint::Infinity);
    }
    decode_point(bytes).map(MaybePoint::Valid)
}

/// *scalar_from_bytes_wrapping* of BIP-445: 32 bytes, big-endian, modulo the group order.
pub(crate) fn reduce(bytes: &[u8; 32]) -> MaybeScalar {
    // All but one value in 2^128 are below the order, and then the reduction is a waste.
    MaybeScalar::from_slice(bytes).unwrap_or_else(|_| MaybeScalar::reduce_from(bytes))
}

/// `k * G` in constant time.
pub(crate) fn base_mul_secret(k: &SecretKey) -> Point {
    PublicKey::from_secret_key(&SECP, k).into()
}

/// `k * G` for a public scalar.
pub(crate) fn base_mul(k: Scalar) -> Point {
    base_mul_secret(&k.into())
}

/// `a * P + g * G`, not in constant time, in one pass over both.
///
/// libsecp256k1 has that pass and offers it in one place only, the recovery of an ECDSA key, which
/// computes `(s / r) * R - (z / r) * G` for a point `R` given by its x coordinate `r`. With `R =
/// P`, `s = a * r` and `z = -g * r` that is the sum wanted, a quarter faster than the two apart.
pub(crate) fn double_mul(point: Point, a: Scalar, g: MaybeScalar) -> MaybePoint {
    recover(point, a, g).unwrap_or_else(|| {
        // An x coordinate not below the group order, or a sum at infinity.
        point * a + g.into_option().map_or(MaybePoint::Infinity, |g| base_mul(g).into())
    })
}

fn recover(point: Point, a: Scalar, g: MaybeScalar) -> Option<MaybePoint> {
    let encoding = point.serialize();
    let r = Scalar::from_slice(&encoding[1..]).ok()?;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&encoding[1..]);
    signature[32..].copy_from_slice(&(a * r).serialize());
    let parity = RecoveryId::try_from(i32::from(encoding[0] & 1)).ok()?;
    let signature = RecoverableSignature::from_compact(&signature, parity).ok()?;
    let z = Message::from_digest((-(g * r)).serialize());
    SECP.recover_ecdsa(z, &signature).ok().map(MaybePoint::from)
}

/// Bytes that are not the encoding of a point of the curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not the encoding of a point of the curve")]
pub struct PointError;

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(byte: u8) -> Scalar {
        Scalar::from_slice(&[byte; 32]).expect("a scalar")
    }

    #[test]
    fn one_pass_gives_the_sum_of_two_multiplications() {
        for byte in 1..=40 {
            let (point, a, g) = (base_mul(scalar(byte)), scalar(byte + 80), scalar(byte + 120));
            assert_eq!(double_mul(point, a, g.into()), point * a + base_mul(g));
            assert_eq!(double_mul(point, -a, g.into()), base_mul(g) - point * a);
            assert_eq!(double_mul(point, a, MaybeScalar::Zero), MaybePoint::Valid(point * a));
        }
    }

    #[test]
    fn one_pass_reaches_infinity() {
        let point = base_mul(scalar(3));
        let g = -(scalar(3) * scalar(5));
        assert_eq!(double_mul(point, scalar(5), g.into()), MaybePoint::Infinity);
    }

    #[test]
    fn an_x_coordinate_above_the_group_order_takes_the_other_way() {
        // The smallest x from the group order upwards that a point of the curve has.
        let mut encoding = [0xff; 33];
        encoding[0] = 2;
        let order = Scalar::max().serialize();
        encoding[1..].copy_from_slice(&order);
        let point = (1..=64u8).find_map(|above| {
            encoding[32] = order[31] + above;
            decode_point(&encoding).ok()
        });
        let point = point.expect("half of all values are x coordinates");
        assert!(Scalar::from_slice(&point.serialize_xonly()).is_err());
        let sum = point * scalar(5) + base_mul(scalar(7));
        assert_eq!(double_mul(point, scalar(5), scalar(7).into()), sum);
    }

    #[test]
    fn bytes_wrap_at_the_group_order() {
        let mut order = Scalar::max().serialize();
        assert_eq!(reduce(&order), MaybeScalar::max());
        order[31] += 1;
        assert_eq!(reduce(&order), MaybeScalar::Zero);
        order[31] += 1;
        assert_eq!(reduce(&order), MaybeScalar::one());
        // 2^256 - 1 = order + (2^256 - order - 1), and 2^256 - order is 1 + 2^128 and the rest.
        let rest = MaybeScalar::from(0x4551_2319_50b7_5fc4_402d_a173_2fc9_bebe_u128);
        let two_to_128 = MaybeScalar::from(u128::MAX) + MaybeScalar::one();
        assert_eq!(reduce(&[0xff; 32]), two_to_128 + rest);
    }

    #[test]
    fn only_33_zero_bytes_are_infinity_and_only_where_it_is_allowed() {
        assert_eq!(decode_point(&[0; 33]), Err(PointError));
        assert_eq!(decode_maybe_point(&[0; 33]), Ok(MaybePoint::Infinity));
        let mut encoding = base_mul(scalar(3)).serialize();
        for tag in (0..=255).filter(|tag| ![2, 3].contains(tag)) {
            encoding[0] = tag;
            assert_eq!(decode_point(&encoding), Err(PointError), "tag {tag}");
        }
        let mut nearly_zero = [0; 33];
        for tag in 1..=255 {
            nearly_zero[0] = tag;
            assert_eq!(decode_maybe_point(&nearly_zero), Err(PointError), "tag {tag}");
        }
    }
}
