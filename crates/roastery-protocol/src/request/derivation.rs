use bitcoin::{
    NetworkKind, TapNodeHash,
    bip32::{ChainCode, ChildNumber, Fingerprint, Xpub},
    hashes::Hash as _,
    key::UntweakedPublicKey,
    secp256k1,
    taproot::TapTweakHash,
};
use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Tweak, TweakContext, TweakError};
use thiserror::Error;

use crate::group::Group;

/// The most steps in a derivation path.
pub const MAX_PATH_LENGTH: usize = 8;

/// Which key of the group: an unhardened BIP-32 path from the threshold public key, then Taproot as
/// BIP-341 has it.
///
/// No tweak scalar is ever carried: every node derives them from the group file, so that no
/// requester can have it sign under a tweak that cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Derivation {
    /// At most eight steps, each below 2^31 (unhardened).
    pub path: Vec<u32>,
    /// The Taproot tweak of the output key.
    pub taproot: Taproot,
}

/// What a Taproot output key commits to beside the internal key (BIP-341).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Taproot {
    /// Nothing is tweaked: the signature is under the internal key itself, as a script leaf may ask
    /// for it. An output key of this kind may hide a script path; funds belong on one of the other
    /// two.
    Untweaked,
    /// An output that can be spent by its key only: commits to an unspendable script path, as
    /// BIP-341 recommends.
    KeyPathOnly,
    /// An output with this Merkle root of its scripts.
    ScriptRoot([u8; 32]),
}

/// Why a derivation is not allowed or does not lead to a key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DerivationError {
    /// The path is too long.
    #[error("a path of {length} steps; at most {most} are allowed", most = MAX_PATH_LENGTH)]
    PathTooLong {
        /// The number of steps.
        length: usize,
    },
    /// A hardened step, which needs the secret key of the group, and no party has it.
    #[error(
        "step {step} of the path is {index}; only unhardened steps (below 2147483648) are possible"
    )]
    Hardened {
        /// The position of the step in the path, from 0.
        step: usize,
        /// The child number of that step.
        index: u32,
    },
    /// The path leads to no valid key (BIP-32: take the next index; probability below 2^-127).
    #[error("step {step} of the path leads to no valid key")]
    NoSuchChild {
        /// The position of the step in the path, from 0.
        step: usize,
    },
    /// The tweak leads to no valid key (probability below 2^-127).
    #[error("the tweak leads to no valid key: {0}")]
    Tweak(#[source] TweakError),
}

impl Derivation {
    /// The group's own key as an output that only its key can spend.
    pub const fn key_path_only() -> Self {
        Self { path: Vec::new(), taproot: Taproot::KeyPathOnly }
    }

    pub(super) fn check(&self) -> Result<(), DerivationError> {
        if self.path.len() > MAX_PATH_LENGTH {
            return Err(DerivationError::PathTooLong { length: self.path.len() });
        }
        match self.path.iter().enumerate().find(|(_, index)| **index >= 1 << 31) {
            Some((step, &index)) => Err(DerivationError::Hardened { step, index }),
            None => Ok(()),
        }
    }

    /// The tweaked key of this group: the threshold public key, one plain tweak for each step of
    /// the path (BIP-32, CKDpub), then the x-only Taproot tweak (BIP-341).
    ///
    /// # Errors
    ///
    /// [`DerivationError`] if a step is not allowed, or leads to no valid key.
    pub fn tweaks(&self, group: &Group) -> Result<TweakContext, DerivationError> {
        let own = *self == Self::key_path_only();
        if let Some(key) = group.own_key().get().filter(|_| own) {
            return Ok(key.clone());
        }
        let key = self.derive(group)?;
        if own {
            // If another thread has set it meanwhile, the value is the same.
            let _ = group.own_key().set(key.clone());
        }
        Ok(key)
    }

    fn derive(&self, group: &Group) -> Result<TweakContext, DerivationError> {
        self.check()?;
        let mut key = TweakContext::new(group.keys().threshold_public_key());
        let mut chain_code = *group.chain_code();
        for (step, &index) in self.path.iter().enumerate() {
            let no_child = |_| DerivationError::NoSuchChild { step };
            let parent = Xpub {
                network: NetworkKind::Main,
                depth: 0,
                parent_fingerprint: Fingerprint::default(),
                child_number: ChildNumber::Normal { index: 0 },
                public_key: secp256k1::PublicKey::from_slice(&key.plain_public_key().serialize())
                    .map_err(no_child)?,
                chain_code: ChainCode::from(chain_code),
            };
            let (tweak, next) = parent
                .ckd_pub_tweak(ChildNumber::Normal { index })
                .map_err(|_| DerivationError::NoSuchChild { step })?;
            key = key
                .apply(&Tweak::Plain(tweak.secret_bytes()))
                .map_err(|_| DerivationError::NoSuchChild { step })?;
            chain_code = next.to_bytes();
        }
        let merkle_root = match &self.taproot {
            Taproot::Untweaked => return Ok(key),
            Taproot::KeyPathOnly => None,
            Taproot::ScriptRoot(root) => Some(TapNodeHash::from_byte_array(*root)),
        };
        let internal = UntweakedPublicKey::from_slice(&key.x_only_public_key().to_bytes())
            .map_err(|_| DerivationError::Tweak(TweakError::Infinity))?;
        let tweak = TapTweakHash::from_key_and_tweak(internal, merkle_root).to_byte_array();
        key.apply(&Tweak::XOnly(tweak)).map_err(DerivationError::Tweak)
    }
}
