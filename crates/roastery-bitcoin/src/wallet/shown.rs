//! The address that a descriptor of another program means.

use bitcoin::{Address, Network, bip32::ChildNumber};
use miniscript::{Descriptor, DescriptorPublicKey};
use thiserror::Error;

use super::{MAX_SCRIPT_TREE, SECP, Wallet};

/// Why a descriptor is not that of one of this wallet's addresses.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// It is too long.
    #[error("a descriptor of {length} bytes; at most {most} are allowed", most = 2 * MAX_SCRIPT_TREE)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It does not parse, or its checksum is wrong.
    #[error("no descriptor: {0}")]
    Invalid(#[source] miniscript::Error),
    /// It has many addresses, or none.
    #[error("not a descriptor of one address, like tr([FINGERPRINT/0/7]KEY)")]
    NotOne,
    /// Its key is another wallet's.
    #[error("the descriptor's key has the fingerprint {there}; this group's is {ours}")]
    Fingerprint {
        /// The fingerprint in the descriptor.
        there: bitcoin::bip32::Fingerprint,
        /// The wallet's.
        ours: bitcoin::bip32::Fingerprint,
    },
    /// What it pays to is no address of the wallet.
    #[error("the descriptor is not that of an address of this group's wallet")]
    NotOurs,
}

impl Wallet {
    /// The address of a descriptor of one address, if it is one of this wallet: its key has the
    /// wallet's fingerprint, and its path leads to the output of the descriptor.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`].
    pub fn address_of(&self, text: &str, network: Network) -> Result<Address, DescriptorError> {
        if text.len() > 2 * MAX_SCRIPT_TREE {
            return Err(DescriptorError::TooLong { length: text.len() });
        }
        let descriptor: Descriptor<DescriptorPublicKey> =
            text.parse().map_err(DescriptorError::Invalid)?;
        let Descriptor::Tr(tr) = &descriptor else { return Err(DescriptorError::NotOurs) };
        let key = tr.internal_key();
        let (there, ours) = (key.master_fingerprint(), self.fingerprint());
        if there != ours {
            return Err(DescriptorError::Fingerprint { there, ours });
        }
        if descriptor.has_wildcard() || descriptor.is_multipath() {
            return Err(DescriptorError::NotOne);
        }
        let path = key.full_derivation_path().ok_or(DescriptorError::NotOne)?;
        let path: Option<Vec<u32>> = path
            .into_iter()
            .map(|step| match step {
                ChildNumber::Normal { index } => Some(*index),
                ChildNumber::Hardened { .. } => None,
            })
            .collect();
        let definite = descriptor.at_derivation_index(0).map_err(|_| DescriptorError::NotOne)?;
        let meant = definite.derived_descriptor(&*SECP).script_pubkey();
        let address = path.and_then(|path| self.address_at(&path, network));
        address.filter(|address| address.script_pubkey() == meant).ok_or(DescriptorError::NotOurs)
    }

    /// The address at a path: of a branch, or of a branch of an account.
    fn address_at(&self, path: &[u32], network: Network) -> Option<Address> {
        let (account, step, index) = match *path {
            [step, index] => (None, step, index),
            [account, step, index] => (Some(account), step, index),
            _ => return None,
        };
        let branch = super::Branch::ALL.into_iter().find(|branch| branch.step() == step)?;
        self.account(account).ok()?.address(branch, index, network).ok()
    }
}
