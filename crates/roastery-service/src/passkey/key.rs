//! The keys of passkeys: as COSE writes them, and what they sign.

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use roastery_store::PasskeyKey;

use super::PasskeyError;

/// A key of ES256 up to its first coordinate, and between the two. Authenticators must write keys
/// in the one canonical form (WebAuthn, section 6.5.1), so a reader needs no more of CBOR.
const P256_X: [u8; 10] = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
const P256_Y: [u8; 3] = [0x22, 0x58, 0x20];

/// A key of EdDSA with Ed25519, up to the key itself.
const ED25519_X: [u8; 10] = [0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];

/// Reads a key, and returns what follows it.
pub(super) fn read(bytes: &[u8]) -> Result<(PasskeyKey, &[u8]), PasskeyError> {
    if let Some(rest) = bytes.strip_prefix(&P256_X) {
        let (x, rest) = rest.split_first_chunk::<32>().ok_or(PasskeyError::Key)?;
        let rest = rest.strip_prefix(&P256_Y).ok_or(PasskeyError::Key)?;
        let (y, rest) = rest.split_first_chunk::<32>().ok_or(PasskeyError::Key)?;
        let mut point = [4; 65];
        point[1..33].copy_from_slice(x);
        point[33..].copy_from_slice(y);
        return Ok((PasskeyKey::P256(point), rest));
    }
    let rest = bytes.strip_prefix(&ED25519_X).ok_or(PasskeyError::Key)?;
    let (key, rest) = rest.split_first_chunk().ok_or(PasskeyError::Key)?;
    Ok((PasskeyKey::Ed25519(*key), rest))
}

/// Verifies a signature of these bytes. A point that is not on the curve signs nothing.
pub(super) fn verify(
    key: &PasskeyKey,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), PasskeyError> {
    let (algorithm, key): (&'static dyn VerificationAlgorithm, &[u8]) = match key {
        PasskeyKey::P256(point) => (&ECDSA_P256_SHA256_ASN1, point),
        PasskeyKey::Ed25519(key) => (&ED25519, key),
    };
    let key = UnparsedPublicKey::new(algorithm, key);
    key.verify(signed, signature).map_err(|_| PasskeyError::Signature)
}
