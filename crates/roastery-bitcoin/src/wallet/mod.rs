//! The group key as a wallet: an extended public key, descriptors and addresses.
//!
//! BIP-328 makes an aggregate key an extended public key by giving it a chain code: depth 0, no
//! parent, child number 0. So it is here, with one difference. BIP-328's chain code is a constant,
//! because MuSig2's aggregate keys have none of their own; then the aggregate key is enough to
//! derive all of its addresses. A group has a chain code in its group file, which all members hold,
//! so its key stands in a descriptor as any wallet's does, and a script or a signature that shows
//! the key does not show its addresses.
//!
//! Every address is `tr([FINGERPRINT]XPUB/0/*)` (receiving) or `tr([FINGERPRINT]XPUB/1/*)`
//! (change), BIP-386 and BIP-389, made by `miniscript`. What is signed follows from the
//! [`Derivation`] of the protocol, which is computed apart from it; they must agree.
//!
//! The key has accounts as well, each a wallet with addresses of its own, one unhardened step
//! further: `tr([FINGERPRINT/N]XPUB/0/*)`. See [`Account`].

mod account;
mod error;
mod export;
mod origins;
mod ownership;
mod shown;
mod tree;
mod work;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use bitcoin::{
    Address, KnownHrp, Network, NetworkKind, ScriptBuf, XOnlyPublicKey,
    bip32::{ChildNumber, Fingerprint, Xpub},
    key::TweakedPublicKey,
    secp256k1::{Secp256k1, VerifyOnly},
};
use roastery_protocol::{group::Group, request::Derivation};

pub use self::{
    account::Account,
    error::WalletError,
    export::{CoreImport, Policy},
    shown::DescriptorError,
    work::{MOST_CONTROL_BLOCKS, MOST_KEYS},
};
pub(crate) use self::{
    origins::{Located, Origins, OwnKey},
    ownership::{Hints, Standing},
    work::Work,
};
use self::{ownership::Known, tree::Tree};

/// How far addresses are searched for without any hint if nothing else is set: this many of each
/// branch, as Bitcoin Core's key pool has it. An output that is farther is recognised by the PSBT's
/// derivation fields alone.
pub const USUAL_SEARCH_DEPTH: u32 = 1_000;

/// The most addresses of each branch that can be searched. They are derived once, when the first
/// output without a hint is looked for, and stay in memory.
pub const MAX_SEARCH_DEPTH: u32 = 100_000;

/// The highest index of an address that counts as this wallet's. A path beyond may lead to the
/// group's key, and yet no wallet would ever find the coins again.
pub const MAX_INDEX: u32 = 999_999;

/// The highest number of an account. All accounts can be searched for coins; a number beyond would
/// hide them.
pub const MAX_ACCOUNT: u32 = 99;

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
/// The addresses are those of both branches, those of the accounts and, without a script tree, the
/// one of the group's key itself.
pub struct Wallet {
    group: Arc<Group>,
    tree: Option<Arc<Tree>>,
    /// The kind of network of the tree's extended keys, if it has any but the group's.
    tree_network: Option<NetworkKind>,
    main: Arc<Account>,
    /// The accounts that were asked for, each made once.
    accounts: Mutex<BTreeMap<u32, Arc<Account>>>,
    search_depth: u32,
    /// The keys of both branches, from which those of addresses are derived.
    parents: [Xpub; 2],
    /// The output keys up to the search depth, made when one is first looked for.
    known: OnceLock<HashMap<[u8; 32], Known>>,
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
    /// `sortedmulti_a` (BIP-387) may be a leaf.
    ///
    /// # Errors
    ///
    /// [`WalletError`] if it is too long, no tree, malleable or otherwise unsafe, has a key without
    /// two branches, or extended keys of two networks.
    pub fn with_scripts(group: Arc<Group>, tree: &str) -> Result<Self, WalletError> {
        Self::open(group, Some(Arc::new(Tree::read(tree)?)))
    }

    fn open(group: Arc<Group>, tree: Option<Arc<Tree>>) -> Result<Self, WalletError> {
        let main = Arc::new(Account::open(group.clone(), None, tree.clone())?);
        let tree_network = main.tree_network()?;
        let parents = Branch::ALL.map(|branch| {
            let step = ChildNumber::Normal { index: branch.step() };
            main.xpub(NetworkKind::Main).derive_pub(&*SECP, &[step])
        });
        let [Ok(receive), Ok(change)] = parents else { return Err(WalletError::Branches) };
        Ok(Self {
            group,
            tree,
            tree_network,
            main,
            accounts: Mutex::default(),
            search_depth: USUAL_SEARCH_DEPTH,
            parents: [receive, change],
            known: OnceLock::new(),
        })
    }

    /// The tree of scripts as it was given to [`Self::with_scripts`].
    pub fn scripts(&self) -> Option<&str> {
        self.tree.as_ref().map(|tree| tree.given())
    }

    /// Checks that the keys of the script tree are those of this kind of network: a descriptor with
    /// keys of both is none.
    ///
    /// # Errors
    ///
    /// [`WalletError::OtherNetwork`].
    pub fn check_network(&self, network: NetworkKind) -> Result<(), WalletError> {
        match self.tree_network {
            Some(tree) if tree != network => Err(WalletError::OtherNetwork { tree, network }),
            _ => Ok(()),
        }
    }

    /// The addresses of an account, or of the wallet's key itself, which is none.
    ///
    /// # Errors
    ///
    /// [`WalletError::Account`] if there is none of this number.
    pub fn account(&self, number: Option<u32>) -> Result<Arc<Account>, WalletError> {
        let Some(number) = number else { return Ok(self.main.clone()) };
        if number > MAX_ACCOUNT {
            return Err(WalletError::Account { account: number });
        }
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = accounts.get(&number) {
            return Ok(known.clone());
        }
        let made = Account::open(self.group.clone(), Some(number), self.tree.clone())?;
        Ok(accounts.entry(number).or_insert(Arc::new(made)).clone())
    }

    /// The same wallet, with this many addresses of each branch searched for an output without a
    /// hint, in place of [`USUAL_SEARCH_DEPTH`].
    ///
    /// # Errors
    ///
    /// [`WalletError::SearchDepth`] if it is 0 or above [`MAX_SEARCH_DEPTH`].
    pub fn searching(self, depth: u32) -> Result<Self, WalletError> {
        if !(1..=MAX_SEARCH_DEPTH).contains(&depth) {
            return Err(WalletError::SearchDepth { depth });
        }
        Ok(Self { search_depth: depth, known: OnceLock::new(), ..self })
    }

    /// The group.
    pub fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The extended public key: `xpub...` on the main network, `tpub...` on the others.
    pub fn xpub(&self, network: NetworkKind) -> Xpub {
        self.main.xpub(network)
    }

    /// The fingerprint by which PSBTs name this wallet's keys: the first four bytes of the HASH160
    /// of the threshold public key (BIP-32).
    pub fn fingerprint(&self) -> Fingerprint {
        self.main.fingerprint()
    }

    /// The descriptor of one branch; see [`Account::descriptor`].
    ///
    /// # Errors
    ///
    /// [`WalletError::OtherNetwork`] if the script tree has keys of another network.
    pub fn descriptor(&self, branch: Branch, network: NetworkKind) -> Result<String, WalletError> {
        self.main.descriptor(branch, network)
    }

    /// The descriptor of both branches in one; see [`Account::multipath_descriptor`].
    ///
    /// # Errors
    ///
    /// [`WalletError::OtherNetwork`] if the script tree has keys of another network.
    pub fn multipath_descriptor(&self, network: NetworkKind) -> Result<String, WalletError> {
        self.main.multipath_descriptor(network)
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
        self.main.address(branch, index, network)
    }

    /// How the group signs for the output of an address by its key.
    ///
    /// # Errors
    ///
    /// [`WalletError::Index`] if there is no address of this index.
    pub fn derivation(&self, branch: Branch, index: u32) -> Result<Derivation, WalletError> {
        self.main.derivation(branch, index)
    }

    /// The script of an address, from the descriptor.
    ///
    /// # Errors
    ///
    /// [`WalletError::Index`] if there is no address of this index.
    pub fn script(&self, branch: Branch, index: u32) -> Result<ScriptBuf, WalletError> {
        self.main.script(branch, index)
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
}

/// An output key of these bytes, which are an x-only key already.
pub(crate) fn tweaked(key: &[u8; 32]) -> TweakedPublicKey {
    let key = XOnlyPublicKey::from_slice(key)
        .expect("a valid x-only public key of one library is one of the other");
    TweakedPublicKey::dangerous_assume_tweaked(key)
}

/// The address prefix of a network; testnet3, testnet4 and signet share theirs.
pub(crate) fn hrp(network: Network) -> KnownHrp {
    KnownHrp::from(network)
}
