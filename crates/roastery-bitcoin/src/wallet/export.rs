//! The wallet in the forms that other wallets import.

use bitcoin::{Network, NetworkKind};
use miniscript::descriptor::WalletPolicy;
use serde::Serialize;

use super::{Account, Branch, USUAL_SEARCH_DEPTH, WalletError};

/// One descriptor as Bitcoin Core's `importdescriptors` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoreImport {
    /// The descriptor of one branch, with its checksum.
    pub desc: String,
    /// Whether Core gives out addresses of it.
    pub active: bool,
    /// Whether it is for change.
    pub internal: bool,
    /// The first and the last index that Core looks for at once.
    pub range: [u32; 2],
    /// From when on Core looks for coins, in seconds since 1970; 0 is all blocks.
    pub timestamp: u64,
}

/// A wallet policy of BIP-388.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// A name for people.
    pub name: String,
    /// The descriptor with `@0`, `@1` and so on in place of the keys, and `/**` for `/<0;1>/*`.
    pub descriptor_template: String,
    /// The keys, each with its origin.
    pub keys_info: Vec<String>,
}

impl Account {
    /// The argument of Bitcoin Core's `importdescriptors`: both branches, each active, from the
    /// first block on.
    ///
    /// # Errors
    ///
    /// [`WalletError::OtherNetwork`] if the script tree has keys of another network.
    pub fn core_imports(&self, network: NetworkKind) -> Result<Vec<CoreImport>, WalletError> {
        let import = |branch| {
            let internal = branch == Branch::Change;
            let desc = self.descriptor(branch, network)?;
            let range = [0, USUAL_SEARCH_DEPTH - 1];
            Ok(CoreImport { desc, active: true, internal, range, timestamp: 0 })
        };
        Branch::ALL.into_iter().map(import).collect()
    }

    /// The descriptor record of BIP-129 (BSMS 1.0), unencrypted: the version, the descriptor of
    /// both branches, that no path is excluded, and the first address.
    ///
    /// # Errors
    ///
    /// [`WalletError::OtherNetwork`] if the script tree has keys of another network.
    pub fn bsms_record(&self, network: Network) -> Result<String, WalletError> {
        let descriptor = self.multipath_descriptor(NetworkKind::from(network))?;
        let first = self.address(Branch::Receive, 0, network)?;
        Ok(format!("BSMS 1.0\n{descriptor}\nNo path restrictions\n{first}\n"))
    }

    /// The wallet policy of BIP-388.
    ///
    /// # Errors
    ///
    /// [`WalletError::Policy`] if the script tree has what a policy cannot have, like a key that is
    /// not an extended one; [`WalletError::OtherNetwork`].
    pub fn policy(&self, network: NetworkKind) -> Result<Policy, WalletError> {
        let policy =
            WalletPolicy::from_descriptor(&self.parse(network)?).map_err(WalletError::Policy)?;
        let name = match self.number() {
            None => format!("roastery {}", self.fingerprint()),
            Some(number) => format!("roastery {} account {number}", self.fingerprint()),
        };
        Ok(Policy {
            name,
            descriptor_template: self.restore(&policy.to_string()),
            keys_info: policy.key_info().iter().map(ToString::to_string).collect(),
        })
    }
}
