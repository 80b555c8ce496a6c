//! A secret of 32 bytes in a file of its own, sealed under a passphrase.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::{
    Passphrase, PassphraseCost, StoreError,
    cipher::{open_bytes, random, seal_bytes},
};

const CONTEXT: &[u8] = b"roastery/sealed-secret/1";

/// A secret of 32 bytes, sealed under a passphrase: the parameters of Argon2id, a salt, and the
/// secret under the key derived from both. What is said beside it when it is sealed is not in it,
/// and must be said again when it is opened.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedSecret {
    cost: PassphraseCost,
    salt: [u8; 16],
    nonce: [u8; 24],
    sealed: [u8; 48],
}

impl SealedSecret {
    /// The length of its bytes.
    pub const LENGTH: usize = 12 + 16 + 24 + 48;

    /// Seals a secret, and what is said beside it with it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Memory`] and [`StoreError::Randomness`].
    pub fn seal(
        secret: &Zeroizing<[u8; 32]>,
        beside: &[u8],
        passphrase: &Passphrase,
        cost: PassphraseCost,
    ) -> Result<Self, StoreError> {
        let (salt, nonce) = (*random()?, *random()?);
        let under = cost.derive(passphrase, &salt)?;
        let sealed = seal_bytes::<32, 48>(secret, &under, &nonce, &context(beside));
        Ok(Self { cost, salt, nonce, sealed })
    }

    /// The secret, if passphrase and what is said beside it are those of before.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongPassphrase`], also if anything was changed; [`StoreError::Memory`].
    pub fn open(
        &self,
        beside: &[u8],
        passphrase: &Passphrase,
    ) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        let under = self.cost.derive(passphrase, &self.salt)?;
        open_bytes::<32, 48>(&self.sealed, &under, &self.nonce, &context(beside))
    }

    /// Its bytes; [`SealedSecret::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing into memory does not fail")
    }

    /// Reads the bytes; `None` if they are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        borsh::from_slice(bytes).ok()
    }
}

fn context(beside: &[u8]) -> Vec<u8> {
    [CONTEXT, beside].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_passphrase_and_what_was_said_beside_it_only() {
        let cost = PassphraseCost::new(8, 1, 1).unwrap();
        let (secret, words) = (Zeroizing::new([7; 32]), Passphrase::new("right words".to_owned()));
        let sealed = SealedSecret::seal(&secret, b"epoch 3", &words, cost).unwrap();
        let bytes = sealed.encode();
        assert_eq!(bytes.len(), SealedSecret::LENGTH);
        assert!(!bytes.windows(32).any(|window| window == secret.as_slice()));
        let read = SealedSecret::decode(&bytes).unwrap();
        assert_eq!(*read.open(b"epoch 3", &words).unwrap(), *secret);
        let wrong = Passphrase::new("wrong words".to_owned());
        for (beside, words) in [(&b"epoch 2"[..], &words), (b"epoch 3", &wrong)] {
            assert!(matches!(read.open(beside, words), Err(StoreError::WrongPassphrase)));
        }
        for at in 12..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(SealedSecret::decode(&changed).unwrap().open(b"epoch 3", &words).is_err());
        }
        assert_eq!(SealedSecret::decode(&bytes[1..]), None);
        // No file can use up the memory.
        let greedy = [&[0xff; 12], &bytes[12..]].concat();
        assert_eq!(SealedSecret::decode(&greedy), None);
    }
}
