use borsh::BorshDeserialize;
use thiserror::Error;

use crate::wire;

/// Which structural rule a content breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformation {
    /// The content does not decode, exactly and to its end.
    #[error("the content does not decode: {0}")]
    Encoding(String),
    /// A package's number is out of range.
    #[error("package number {number}; at most {most} is allowed")]
    PackageNumber {
        /// The number that the package has.
        number: u16,
        /// The highest number allowed, n - t.
        most: usize,
    },
    /// A package with too few or too many signers.
    #[error("{count} signers; a package has exactly {threshold}")]
    SignerCount {
        /// The number that the package has.
        count: usize,
        /// The threshold, t: how many members must sign.
        threshold: usize,
    },
    /// A package whose signers are not ascending or not in the group.
    #[error("the signers are not ascending seats below {n}")]
    Signers {
        /// The number of members, n.
        n: usize,
    },
    /// The number of entries is not the number of messages of the request.
    #[error("{count} entries; the request has {messages} messages")]
    MessageCount {
        /// The number that the content has.
        count: usize,
        /// The number of messages in the request, m.
        messages: usize,
    },
    /// Slots whose indexes, or the index after the last one, do not fit into 32 bits.
    #[error("{count} slots from index {first} on; indexes are below 2^32 - 1")]
    Indexes {
        /// The first index.
        first: u32,
        /// The number of slots.
        count: usize,
    },
    /// A proposal whose header names another session than the request that it carries; a control
    /// frame that belongs to the group and names a session, or belongs to a session and names none.
    #[error("the header names another session than the content belongs to")]
    OtherSession,
}

/// Decodes a content, which must end where its encoding ends.
pub(super) fn exact<T: BorshDeserialize>(content: &[u8]) -> Result<T, Malformation> {
    wire::decode(content).map_err(|error| Malformation::Encoding(error.to_string()))
}
