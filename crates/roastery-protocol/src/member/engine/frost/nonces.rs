//! Where an engine's nonces come from.

use rand_core::TryCryptoRng;
use roastery_frost::{NonceGenError, NonceGenInputs, PublicNonce, SecretNonce, nonce_gen};

/// Makes the nonces of an engine. Each random generator for cryptography does so, with *NonceGen*
/// of BIP-445; a simulation, which draws many nonces and uses few, has cheaper ones.
pub trait NonceSource {
    /// A nonce that no other call gives, unless all inputs and the randomness repeat.
    ///
    /// # Errors
    ///
    /// As [`nonce_gen`].
    fn nonce(
        &mut self,
        inputs: &NonceGenInputs<'_>,
    ) -> Result<(SecretNonce, PublicNonce), NonceGenError>;
}

impl<R: TryCryptoRng> NonceSource for R {
    fn nonce(
        &mut self,
        inputs: &NonceGenInputs<'_>,
    ) -> Result<(SecretNonce, PublicNonce), NonceGenError> {
        nonce_gen(self, inputs)
    }
}
