use std::sync::LazyLock;

use rand_core::TryRng;
use secp::{MaybePoint, Point, Scalar};
use secp256k1::{All, PublicKey, Secp256k1, SecretKey};
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
    PublicKey::from_byte_array_compressed(*bytes)
        .map(Point::from)
        .map_err(|_| PointError)
}

/// *cpoint_ext* of BIP-445: as [`decode_point`], and 33 zero bytes are the point at infinity.
pub(crate) fn decode_maybe_point(bytes: &[u8; 33]) -> Result<MaybePoint, PointError> {
    if *bytes == [0; 33] {
        return Ok(MaybePoint::Infinity);
    }
    decode_point(bytes).map(MaybePoint::Valid)
}

/// `k * G` in constant time.
pub(crate) fn base_mul_secret(k: &SecretKey) -> Point {
    PublicKey::from_secret_key(&SECP, k).into()
}

/// `k * G` for a public scalar.
pub(crate) fn base_mul(k: Scalar) -> Point {
    base_mul_secret(&k.into())
}

/// Bytes that are not the encoding of a point of the curve.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not the encoding of a point of the curve")]
pub struct PointError;
