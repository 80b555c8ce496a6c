//! The addresses of the group's key, or of one of its accounts.

use std::sync::Arc;

use bitcoin::{
    Address, Network, NetworkKind, PublicKey, ScriptBuf, TapNodeHash,
    bip32::{ChainCode, ChildNumber, DerivationPath, Fingerprint, Xpub},
    hashes::Hash as _,
    secp256k1,
};
use miniscript::{
    Descriptor, DescriptorPublicKey, ForEachKey as _,
    descriptor::{Tr, XKeyNetwork},
};
use roastery_protocol::{
    group::Group,
    request::{Derivation, Taproot},
};

use super::{Branch, MAX_INDEX, SECP, WalletError, hrp, tree::Tree, tweaked};

/// The addresses that derive from the group's key itself, or from one of its accounts: a key one
/// unhardened step further, for coins that are kept apart from the others.
///
/// An account is public like all keys here: who has the group's extended key can derive all of
/// them, and who has the extended key of one account that account only.
#[derive(Debug)]
pub struct Account {
    group: Arc<Group>,
    number: Option<u32>,
    tree: Option<Arc<Tree>>,
    xpub: Xpub,
    branches: [Descriptor<DescriptorPublicKey>; 2],
}

impl Account {
    pub(super) fn open(
        group: Arc<Group>,
        number: Option<u32>,
        tree: Option<Arc<Tree>>,
    ) -> Result<Self, WalletError> {
        let xpub = match number {
            None => master(&group),
            Some(index) => master(&group)
                .derive_pub(&*SECP, &[ChildNumber::Normal { index }])
                .map_err(|_| WalletError::Account { account: index })?,
        };
        let origin = (master(&group).fingerprint(), number);
        let text = descriptor_text(&xpub, origin, tree.as_deref());
        let descriptor: Descriptor<DescriptorPublicKey> =
            text.parse().map_err(WalletError::Tree)?;
        if let Some(tree) = &tree {
            tree.check(&descriptor)?;
        }
        let branches = descriptor.into_single_descriptors().map_err(WalletError::Tree)?;
        let branches: [_; 2] = branches.try_into().map_err(|_| WalletError::Branches)?;
        // A descriptor without a wildcard has one address, not many.
        let all_wild = |branch: &Descriptor<DescriptorPublicKey>| {
            branch.for_each_key(DescriptorPublicKey::has_wildcard)
        };
        if !branches.iter().all(all_wild) {
            return Err(WalletError::Branches);
        }
        let account = Self { group, number, tree, xpub, branches };
        // A hardened step shows only when a key is derived.
        for branch in Branch::ALL {
            if let Err(error) = account.output(branch, 0) {
                return Err(match error {
                    WalletError::Index { .. } => WalletError::Branches,
                    other => other,
                });
            }
        }
        Ok(account)
    }

    /// The number of the account; none for the group's key itself.
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// The extended public key: `xpub...` on the main network, `tpub...` on the others.
    pub fn xpub(&self, network: NetworkKind) -> Xpub {
        Xpub { network, ..self.xpub }
    }

    /// The fingerprint of the group's key, the origin of all accounts.
    pub fn fingerprint(&self) -> Fingerprint {
        master(&self.group).fingerprint()
    }

    /// The way from the group's key to the account's.
    pub fn origin_path(&self) -> DerivationPath {
        self.number.map(|index| ChildNumber::Normal { index }).into_iter().collect()
    }

    /// The descriptor of one branch, with the origin of its key and its checksum (BIP-380).
    ///
    /// # Errors
    ///
    /// [`WalletError::OtherNetwork`] if the script tree has keys of another network.
    pub fn descriptor(&self, branch: Branch, network: NetworkKind) -> Result<String, WalletError> {
        let both = self.parse(network)?.into_single_descriptors().map_err(WalletError::Tree)?;
        self.describe(both.get(branch.step() as usize).ok_or(WalletError::Branches)?)
    }

    /// The descriptor of both branches in one, `tr([FINGERPRINT]XPUB/<0;1>/*)` (BIP-389), with its
    /// checksum.
    ///
    /// # Errors
    ///
    /// [`WalletError::OtherNetwork`] if the script tree has keys of another network.
    pub fn multipath_descriptor(&self, network: NetworkKind) -> Result<String, WalletError> {
        self.describe(&self.parse(network)?)
    }

    /// Both branches in one, parsed, with `multi_a` in place of `sortedmulti_a`.
    pub(super) fn parse(
        &self,
        network: NetworkKind,
    ) -> Result<Descriptor<DescriptorPublicKey>, WalletError> {
        let descriptor = self.parse_for(network)?;
        match descriptor.xkey_network() {
            XKeyNetwork::Mixed => {
                let tree = match network {
                    NetworkKind::Main => NetworkKind::Test,
                    NetworkKind::Test => NetworkKind::Main,
                };
                Err(WalletError::OtherNetwork { tree, network })
            }
            XKeyNetwork::Single(_) | XKeyNetwork::NoXKeys => Ok(descriptor),
        }
    }

    fn parse_for(
        &self,
        network: NetworkKind,
    ) -> Result<Descriptor<DescriptorPublicKey>, WalletError> {
        let origin = (self.fingerprint(), self.number);
        descriptor_text(&self.xpub(network), origin, self.tree.as_deref())
            .parse()
            .map_err(WalletError::Tree)
    }

    /// The kind of network of the extended keys in the tree, if it has any but the group's.
    pub(super) fn tree_network(&self) -> Result<Option<NetworkKind>, WalletError> {
        let fits = |network| {
            let descriptor = self.parse_for(network)?;
            Ok::<_, WalletError>(descriptor.xkey_network() != XKeyNetwork::Mixed)
        };
        match (fits(NetworkKind::Main)?, fits(NetworkKind::Test)?) {
            (true, true) => Ok(None),
            (true, false) => Ok(Some(NetworkKind::Main)),
            (false, true) => Ok(Some(NetworkKind::Test)),
            (false, false) => Err(WalletError::MixedNetworks),
        }
    }

    /// The text of a descriptor of this account, with its checksum.
    fn describe(
        &self,
        descriptor: &Descriptor<DescriptorPublicKey>,
    ) -> Result<String, WalletError> {
        match &self.tree {
            None => Ok(descriptor.to_string()),
            Some(tree) => tree.describe(descriptor),
        }
    }

    /// The text of a template of this account's descriptor.
    pub(super) fn restore(&self, template: &str) -> String {
        self.tree.as_ref().map_or_else(|| template.to_owned(), |tree| tree.restore(template))
    }

    /// An address, up to [`MAX_INDEX`].
    ///
    /// # Errors
    ///
    /// [`WalletError::Index`] if there is none of this index.
    pub fn address(
        &self,
        branch: Branch,
        index: u32,
        network: Network,
    ) -> Result<Address, WalletError> {
        let tweaks = self.derivation(branch, index)?.tweaks(&self.group)?;
        Ok(Address::p2tr_tweaked(tweaked(&tweaks.x_only_public_key().to_bytes()), hrp(network)))
    }

    /// How the group signs for the output of an address by its key.
    ///
    /// # Errors
    ///
    /// [`WalletError::Index`] if there is no address of this index.
    pub fn derivation(&self, branch: Branch, index: u32) -> Result<Derivation, WalletError> {
        if index > MAX_INDEX {
            return Err(WalletError::Index { index });
        }
        let taproot = match self.root(branch, index)? {
            Some(root) => Taproot::ScriptRoot(root.to_byte_array()),
            None => Taproot::KeyPathOnly,
        };
        let path = self.number.into_iter().chain([branch.step(), index]).collect();
        Ok(Derivation { path, taproot })
    }

    /// The script of an address, from the descriptor.
    ///
    /// # Errors
    ///
    /// [`WalletError::Index`] if there is no address of this index.
    pub fn script(&self, branch: Branch, index: u32) -> Result<ScriptBuf, WalletError> {
        Ok(self.output(branch, index)?.script_pubkey())
    }

    /// The output of an address, with all keys derived.
    pub(super) fn output(&self, branch: Branch, index: u32) -> Result<Tr<PublicKey>, WalletError> {
        if index > MAX_INDEX {
            return Err(WalletError::Index { index });
        }
        let definite = self.branches[branch.step() as usize]
            .at_derivation_index(index)
            .map_err(|_| WalletError::Index { index })?;
        match (definite.derived_descriptor(&*SECP), &self.tree) {
            (Descriptor::Tr(tr), None) => Ok(tr),
            (Descriptor::Tr(tr), Some(tree)) => tree.arrange(tr),
            _ => Err(WalletError::Branches),
        }
    }

    /// The Merkle root of the scripts of an address, if it has any.
    fn root(&self, branch: Branch, index: u32) -> Result<Option<TapNodeHash>, WalletError> {
        match self.tree {
            None => Ok(None),
            Some(_) => Ok(self.output(branch, index)?.spend_info().merkle_root()),
        }
    }
}

fn descriptor_text(
    xpub: &Xpub,
    (fingerprint, account): (Fingerprint, Option<u32>),
    tree: Option<&Tree>,
) -> String {
    let key = match account {
        None => format!("[{fingerprint}]{xpub}"),
        Some(account) => format!("[{fingerprint}/{account}]{xpub}"),
    };
    match tree {
        None => format!("tr({key}/<0;1>/*)"),
        Some(tree) => format!("tr({key}/<0;1>/*,{})", tree.with_key(&key)),
    }
}

/// The group's key as an extended key of the main network.
fn master(group: &Group) -> Xpub {
    let key = group.keys().threshold_public_key().serialize();
    Xpub {
        network: NetworkKind::Main,
        depth: 0,
        parent_fingerprint: Fingerprint::default(),
        child_number: ChildNumber::Normal { index: 0 },
        public_key: secp256k1::PublicKey::from_slice(&key)
            .expect("a point of one library is one of the other"),
        chain_code: ChainCode::from(*group.chain_code()),
    }
}
