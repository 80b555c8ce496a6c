use std::fmt;

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::{KeygenId, tags::Tag};

/// 32 secret random bytes that a member draws once for one key generation, and keeps until the key
/// generation has ended.
///
/// All that a member draws in a key generation comes from them, so that a node that restarts with
/// the same seed sends the same messages. The node stores them, encrypted, before it opens the key
/// generation. What is drawn depends on the key generation's id as well: one seed in two key
/// generations gives nothing away. Overwritten on drop; its `Debug` shows nothing.
pub struct Seed(Zeroizing<[u8; 32]>);

/// What is drawn from a seed.
#[derive(Clone, Copy)]
pub(super) enum Draw {
    /// The random bytes of ChillDKG's first step.
    Polynomial = 0,
    /// The auxiliary bytes of the signature of the transcript.
    Signature = 1,
}

impl Seed {
    /// Draws a new seed.
    ///
    /// # Errors
    ///
    /// The generator's own.
    pub fn generate<R: TryCryptoRng>(rng: &mut R) -> Result<Self, R::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(bytes.as_mut())?;
        Ok(Self(bytes))
    }

    /// The seed that was stored before.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The seed itself, for stores that write it to encrypted storage, and for nothing else.
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    pub(super) fn draw(&self, keygen: KeygenId, what: Draw) -> Zeroizing<[u8; 32]> {
        let parts: [&[u8]; 3] = [keygen.as_bytes(), &[what as u8], self.0.as_slice()];
        Zeroizing::new(Tag::KeygenRandomness.hash(&parts))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}
