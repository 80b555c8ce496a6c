//! The group key as a wallet: an extended public key, descriptors and addresses.
//!
//! BIP-328 makes an aggregate key an extended public key by giving it a chain code: depth 0, no
//! parent, child number 0. So it is here, with one difference. BIP-328's chain code is a constant,
//! because MuSig2's aggregate keys have none of their own; then the aggregate key is enough to
//! derive all of its addresses. A group has a chain code in its group file, which all members hold,
//! so its key stands in a descriptor as any wallet's does, and a script or a signature that shows
//! the key does not show its addresses.
//!
//! Every address is `tr(XPUB/0/*)` (receiving) or `tr(XPUB/1/*)` (change), BIP-386 and BIP-389,
//! made by `miniscript`. What is signed follows from the [`Derivation`] of the protocol, which is
//! computed apart from it; they must agree.

mod error;
mod ownership;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock},
};

use bitcoin::{
    Address, KnownHrp, Network, NetworkKind, ScriptBuf, TapNodeHash, XOnlyPublicKey,
    bip32::{ChainCode, ChildNumber, Fingerprint, Xpub},
    hashes::Hash as _,
    key::TweakedPublicKey,
    secp256k1::{self, Secp256k1, VerifyOnly},
};
use miniscript::{Descriptor, DescriptorPublicKey};
use roastery_protocol::{
    group::Group,
    request::{Derivation, Taproot},
};

pub use self::error::WalletError;
pub(crate) use self::ownership::{Hints, Standing};

/// How far addresses are searched for without any hint: this many of each branch, 1000, as Bitcoin
/// Core's key pool has it. An output that is farther is recognised by the PSBT's derivation fields
/// alone.
pub const SEARCH_DEPTH: u32 = 1_000;

/// The highest index of an address that counts as this wallet's. A path beyond may lead to the
/// group's key, and yet no wallet would ever find the coins again.
pub const MAX_INDEX: u32 = 999_999;

/// The longest text of a script tree, in bytes.
pub const MAX_SCRIPT_TREE: usize = 8_192;

pub(crate) static SECP: LazyLock<Secp256k1<VerifyOnly>> =
    LazyLock::new(Secp256k1::verification_only);

/// A branch of the wallet's addresses.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Branch {
    /// Those that others pay to: `XPUB/0/*`.
    Receive,
    /// Those that change goes to: `XPUB/1/*`.
    Change,
}

impl Branch {
    /// Both branches.
    pub const ALL: [Branch; 2] = [Branch::Receive, Branch::Change];

    /// The first step of the branch's paths.
    pub const fn step(self) -> u32 {
        match self {
            Branch::Receive => 0,
            Branch::Change => 1,
        }
    }
}

/// A group's key as a wallet, with a script tree or without.
///
/// The addresses are those of both branches and, without a script tree, the one of the group's key
/// itself.
pub struct Wallet {
    group: Arc<Group>,
    tree: Option<String>,
    branches: [Descriptor<DescriptorPublicKey>; 2],
    /// The output keys up to the search depth, made when one is first looked for.
    known: OnceLock<HashMap<[u8; 32], Derivation>>,
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wallet")
            .field("group", &self.group.id())
            .field("tree", &self.tree)
            .finish_non_exhaustive()
    }
}

impl Wallet {
    /// A wallet whose outputs are spent by the group's key only.
    ///
    /// # Errors
    ///
    /// [`WalletError::Tree`] if the group's key makes no descriptor, which does not happen.
    pub fn new(group: Arc<Group>) -> Result<Self, WalletError> {
        Self::open(group, None)
    }

    /// A wallet whose outputs are spent by the group's key or by a leaf of this tree of scripts, in
    /// the language of descriptors (BIP-386): a leaf, or `{TREE,TREE}`. `@0` stands for the group's
    /// key and `/**` for `/<0;1>/*`, as in BIP-388:
    /// `{pk(@0/<2;3>/*),and_v(v:pk(XPUB/**),older(144))}`.
    ///
    /// # Errors
    ///
    /// [`WalletError`] if it is too long, no tree, malleable or otherwise unsafe, or has a key
    /// without two branches.
    pub fn with_scripts(group: Arc<Group>, tree: &str) -> Result<Self, WalletError> {
        if tree.len() > MAX_SCRIPT_TREE {
            return Err(WalletError::TreeTooLong { length: tree.len() });
        }
        Self::open(group, Some(tree.replace("/**", "/<0;1>/*")))
    }

    fn open(group: Arc<Group>, tree: Option<String>) -> Result<Self, WalletError> {
        let text = descriptor_text(&xpub(&group, NetworkKind::Main), tree.as_deref());
        let descriptor: Descriptor<DescriptorPublicKey> =
            text.parse().map_err(WalletError::Tree)?;
        let branches = descriptor.into_single_descriptors().map_err(WalletError::Tree)?;
        let branches: [_; 2] = branches.try_into().map_err(|_| WalletError::Branches)?;
        // A descriptor without a wildcard has one address, not many.
        let all_wild = |branch: &Descriptor<DescriptorPublicKey>| {
            use miniscript::ForEachKey as _;
            branch.for_each_key(DescriptorPublicKey::has_wildcard)
        };
        if !branches.iter().all(all_wild) {
            return Err(WalletError::Branches);
        }
        let wallet = Self { group, tree, branches, known: OnceLock::new() };
        // A hardened step shows only when a key is derived.
        let derivable = |branch| wallet.descriptor_at(branch, 0).is_ok();
        if !Branch::ALL.into_iter().all(derivable) {
            return Err(WalletError::Branches);
        }
        Ok(wallet)
    }

    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The extended public key: `xpub...` on the main network, `tpub...` on the others.
    pub fn xpub(&self, network: NetworkKind) -> Xpub {
        xpub(&self.group, network)
    }

    /// The fingerprint by which PSBTs name this wallet's keys: the first four bytes of the HASH160
    /// of the threshold public key (BIP-32).
    pub fn fingerprint(&self) -> Fingerprint {
        self.xpub(NetworkKind::Main).fingerprint()
    }

    /// The descriptor of one branch, with its checksum (BIP-380).
    ///
    /// # Errors
    ///
    /// None in practice: the wallet was made from it.
    pub fn descriptor(&self, branch: Branch, network: NetworkKind) -> Result<String, WalletError> {
        let both = self.parse(network)?.into_single_descriptors().map_err(WalletError::Tree)?;
        let one = both.get(branch.step() as usize).ok_or(WalletError::Branches)?;
        Ok(one.to_string())
    }

    /// The descriptor of both branches in one, `tr(XPUB/<0;1>/*)` (BIP-389), with its checksum.
    ///
    /// # Errors
    ///
    /// None in practice: the wallet was made from it.
    pub fn multipath_descriptor(&self, network: NetworkKind) -> Result<String, WalletError> {
        Ok(self.parse(network)?.to_string())
    }

    fn parse(&self, network: NetworkKind) -> Result<Descriptor<DescriptorPublicKey>, WalletError> {
        descriptor_text(&self.xpub(network), self.tree.as_deref())
            .parse()
            .map_err(WalletError::Tree)
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
        let Derivation { path, taproot } = self.derivation(branch, index)?;
        let tweaks = Derivation { path, taproot }.tweaks(&self.group)?;
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
        Ok(Derivation { path: vec![branch.step(), index], taproot })
    }

    /// The script of an address, from the descriptor.
    ///
    /// # Errors
    ///
    /// [`WalletError::Index`] if there is no address of this index.
    pub fn script(&self, branch: Branch, index: u32) -> Result<ScriptBuf, WalletError> {
        if index > MAX_INDEX {
            return Err(WalletError::Index { index });
        }
        let descriptor = self.descriptor_at(branch, index)?;
        Ok(descriptor.derived_descriptor(&*SECP).script_pubkey())
    }

    /// The address of the group's key itself, at no path, which only its key can spend; outside of
    /// the descriptors.
    ///
    /// # Errors
    ///
    /// None in practice: a group's key can be tweaked with probability all but 1.
    pub fn own_address(&self, network: Network) -> Result<Address, WalletError> {
        let tweaks = Derivation::key_path_only().tweaks(&self.group)?;
        Ok(Address::p2tr_tweaked(tweaked(&tweaks.x_only_public_key().to_bytes()), hrp(network)))
    }

    fn descriptor_at(
        &self,
        branch: Branch,
        index: u32,
    ) -> Result<Descriptor<miniscript::DefiniteDescriptorKey>, WalletError> {
        self.branches[branch.step() as usize]
            .at_derivation_index(index)
            .map_err(|_| WalletError::Index { index })
    }

    /// The Merkle root of the scripts of an address, if it has any.
    fn root(&self, branch: Branch, index: u32) -> Result<Option<TapNodeHash>, WalletError> {
        if self.tree.is_none() {
            return Ok(None);
        }
        let derived = self.descriptor_at(branch, index)?.derived_descriptor(&*SECP);
        Ok(match derived {
            Descriptor::Tr(tr) => tr.spend_info().merkle_root(),
            _ => None,
        })
    }
}

fn descriptor_text(xpub: &Xpub, tree: Option<&str>) -> String {
    match tree {
        None => format!("tr({xpub}/<0;1>/*)"),
        Some(tree) => format!("tr({xpub}/<0;1>/*,{})", tree.replace("@0", &xpub.to_string())),
    }
}

fn xpub(group: &Group, network: NetworkKind) -> Xpub {
    let key = group.keys().threshold_public_key().serialize();
    Xpub {
        network,
        depth: 0,
        parent_fingerprint: Fingerprint::default(),
        child_number: ChildNumber::Normal { index: 0 },
        public_key: secp256k1::PublicKey::from_slice(&key)
            .expect("a point of one library is one of the other"),
        chain_code: ChainCode::from(*group.chain_code()),
    }
}

/// An output key of these bytes, which are an x-only key already.
fn tweaked(key: &[u8; 32]) -> TweakedPublicKey {
    let key = XOnlyPublicKey::from_slice(key)
        .expect("a valid x-only public key of one library is one of the other");
    TweakedPublicKey::dangerous_assume_tweaked(key)
}

/// The address prefix of a network; testnet3, testnet4 and signet share theirs.
fn hrp(network: Network) -> KnownHrp {
    KnownHrp::from(network)
}
