//! Values as an adversary makes them: out of range, with any key that it holds, every part chosen.
//!
//! Nothing here goes through the encoders of the library, so that a test of these bytes is a test
//! of the format.

pub mod files;

use roastery_frost::{PartialSignature, Point, PublicNonce, Scalar, SigningKey};
use zeroize::Zeroizing;

/// The order of the group of secp256k1, big-endian: the least number that is no scalar.
pub const ORDER: [u8; 32] = {
    let mut order = [0xff; 32];
    let low: [u8; 17] = [
        0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36,
        0x41, 0x41,
    ];
    let mut at = 0;
    while at < low.len() {
        order[15 + at] = low[at];
        at += 1;
    }
    order
};

/// The greatest scalar.
pub const ORDER_LESS_ONE: [u8; 32] = {
    let mut bytes = ORDER;
    bytes[31] -= 1;
    bytes
};

/// An x coordinate that no point of the curve has.
pub const NO_POINT: [u8; 33] = {
    let mut bytes = [0; 33];
    bytes[0] = 2;
    bytes[32] = 5;
    bytes
};

/// The encoding of the point at infinity, where it is allowed.
pub const INFINITY: [u8; 33] = [0; 33];

/// k times the generator.
pub fn multiple(k: u128) -> Point {
    Scalar::try_from(k).unwrap().base_point_mul()
}

/// A public nonce, distinct for each `k`.
pub fn nonce(k: u128) -> PublicNonce {
    PublicNonce::from_bytes(&pair(
        &multiple(2 * k + 1).serialize(),
        &multiple(2 * k + 2).serialize(),
    ))
    .unwrap()
}

/// Two encodings of points side by side.
pub fn pair(first: &[u8; 33], second: &[u8; 33]) -> [u8; 66] {
    let mut bytes = [0; 66];
    bytes[..33].copy_from_slice(first);
    bytes[33..].copy_from_slice(second);
    bytes
}

/// The secret keys of one sort that fixtures are made with: 1 for the identity keys of
/// [`Fixture::new`](crate::Fixture::new), another number for those of another group, 100 for host
/// keys.
pub struct SigningKeyOf(pub u8);

impl SigningKeyOf {
    pub fn at(&self, seat: usize) -> SigningKey {
        let mut bytes = [self.0; 32];
        bytes[31] = seat as u8;
        SigningKey::from_bytes(Zeroizing::new(bytes)).unwrap()
    }
}

/// Another scalar in the message of this position.
pub fn spoiled_at(scalars: &[PartialSignature], position: usize) -> Vec<PartialSignature> {
    let mut scalars = scalars.to_vec();
    let mut bytes = scalars[position].to_bytes();
    bytes[31] ^= 1;
    scalars[position] = PartialSignature::from_bytes(&bytes).unwrap();
    scalars
}
