use std::fmt;

use zeroize::Zeroizing;

use crate::SigningKey;
use crate::secret_scalar::SecretScalar;

/// A participant's long-term host secret key, *hostseckey*.
///
/// With a session's public recovery data it gives that session's secret share. Overwritten on drop;
/// its `Debug` shows nothing.
pub struct HostSecretKey {
    signing: SigningKey,
    scalar: SecretScalar,
    hostpubkey: [u8; 33],
}

impl HostSecretKey {
    /// Reads a host secret key, 32 bytes big-endian.
    ///
    /// # Errors
    ///
    /// [`HostSeckeyError::OutOfRange`] if the value is zero, or is the group order or above.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Result<HostSecretKey, HostSeckeyError> {
        let signing = SigningKey::from_bytes(bytes).map_err(|_| HostSeckeyError::OutOfRange)?;
        Ok(HostSecretKey::from(signing))
    }

    /// The host public key, *hostpubkey_gen*: 33 bytes, compressed.
    pub fn hostpubkey_gen(&self) -> [u8; 33] {
        self.hostpubkey
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn scalar(&self) -> &SecretScalar {
        &self.scalar
    }
}

impl From<SigningKey> for HostSecretKey {
    fn from(signing: SigningKey) -> HostSecretKey {
        let scalar = SecretScalar::from_bytes(&signing.expose_bytes());
        let scalar = scalar.expect("a signing key is in range");
        let hostpubkey = signing.plain_public_key().serialize();
        HostSecretKey { signing, scalar, hostpubkey }
    }
}

impl fmt::Debug for HostSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostSecretKey(..)")
    }
}

/// A host secret key that is invalid, or not the one that is needed: *HostSeckeyError*.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostSeckeyError {
    /// The value is out of range.
    #[error("the host secret key is out of range, allowed is 1 up to the group order minus 1")]
    OutOfRange,
    /// No participant of the session has the matching host public key.
    #[error("the host secret key matches no host public key of the session")]
    NotInSession,
    /// It is another key than that of the first step.
    #[error("the host secret key is not the one of the first step")]
    NotOfStep1,
}
