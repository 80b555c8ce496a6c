use bitcoin::NetworkKind;
use roastery_protocol::request::DerivationError;
use thiserror::Error;

use super::{MAX_ACCOUNT, MAX_INDEX, MAX_SCRIPT_TREE, MAX_SEARCH_DEPTH};

/// Why there is no such wallet or address.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WalletError {
    /// The text of the script tree is too long.
    #[error("a script tree of {length} bytes; at most {MAX_SCRIPT_TREE} are allowed")]
    TreeTooLong {
        /// The length of the text, in bytes.
        length: usize,
    },
    /// The script tree is invalid, or not safe to use.
    #[error("the script tree: {0}")]
    Tree(#[source] miniscript::Error),
    /// Every key of a tree must lead to receiving and to change addresses.
    #[error(
        "the script tree: each key has two branches and an index, unhardened, as in @0/<2;3>/*"
    )]
    Branches,
    /// `sortedmulti_a` inside of another expression (BIP-387).
    #[error("the script tree: sortedmulti_a is a leaf of its own, and no part of one")]
    Sorted,
    /// A character that no descriptor has (BIP-380).
    #[error("the script tree: {0}")]
    Checksum(#[source] miniscript::descriptor::checksum::Error),
    /// Extended keys of the main network and of a test network in one tree.
    #[error("the script tree: it has extended keys of two networks, xpub and tpub")]
    MixedNetworks,
    /// The tree's extended keys are those of another network.
    #[error("the script tree: its extended keys are {}; on this network they are {}", prefix(.tree), prefix(.network))]
    OtherNetwork {
        /// The kind of network of the tree's keys.
        tree: NetworkKind,
        /// The kind of network that was asked for.
        network: NetworkKind,
    },
    /// No account has this number.
    #[error("account {account}; 0 to {MAX_ACCOUNT} are allowed")]
    Account {
        /// The number that was asked for.
        account: u32,
    },
    /// The wallet is none that BIP-388 can describe.
    #[error("no policy by BIP-388: {0}")]
    Policy(#[source] miniscript::descriptor::WalletPolicyError),
    /// No address has this index.
    #[error("address {index}; 0 to {MAX_INDEX} are allowed")]
    Index {
        /// The index that was asked for.
        index: u32,
    },
    /// Not so many addresses can be searched.
    #[error("a search of {depth} addresses of each branch; 1 to {MAX_SEARCH_DEPTH} are allowed")]
    SearchDepth {
        /// The number that was asked for.
        depth: u32,
    },
    /// The path leads to no key (probability below 2^-127).
    #[error(transparent)]
    Derivation(#[from] DerivationError),
}

fn prefix(network: &NetworkKind) -> &'static str {
    match network {
        NetworkKind::Main => "xpub",
        NetworkKind::Test => "tpub",
    }
}
