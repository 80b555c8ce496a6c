use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

/// Draws 32 secret bytes.
pub(crate) fn draw<R: TryCryptoRng>(rng: &mut R) -> Result<Zeroizing<[u8; 32]>, RandomnessError> {
    let mut bytes = Zeroizing::new([0; 32]);
    match rng.try_fill_bytes(bytes.as_mut()) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(RandomnessError(error.to_string())),
    }
}

/// The random generator failed; the message is the generator's own.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the random generator failed: {0}")]
pub struct RandomnessError(String);
