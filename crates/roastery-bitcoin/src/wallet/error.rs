use roastery_protocol::request::DerivationError;
use thiserror::Error;

use super::{MAX_INDEX, MAX_SCRIPT_TREE};

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
    /// No address has this index.
    #[error("address {index}; 0 to {MAX_INDEX} are allowed")]
    Index {
        /// The index that was asked for.
        index: u32,
    },
    /// The path leads to no key (probability below 2^-127).
    #[error(transparent)]
    Derivation(#[from] DerivationError),
}
