//! The tagged hash of BIP-340: `SHA256(SHA256(tag) || SHA256(tag) || x)`.

use std::fmt;

use sha2::{Digest, Sha256};

/// The BIP-340 tagged hash of the concatenation of `parts`.
///
/// The parts are not framed: `["ab", "c"]` and `["a", "bc"]` hash alike. Where a part's length
/// varies, its length belongs into the parts.
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = TaggedHash::new(tag);
    for part in parts {
        hash.update(part);
    }
    hash.finalize()
}

/// A BIP-340 tagged hash in progress.
///
/// Cloning copies the state, so a prefix that many hashes share is hashed once. The state is
/// zeroized on drop.
#[derive(Clone)]
pub struct TaggedHash(Sha256);

impl TaggedHash {
    /// Starts a tagged hash (BIP-340) under `tag`, with no input yet.
    pub fn new(tag: &str) -> TaggedHash {
        let tag = Sha256::digest(tag.as_bytes());
        TaggedHash(Sha256::new().chain_update(tag).chain_update(tag))
    }

    /// Appends bytes to what is hashed.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Appends bytes to what is hashed and returns the hash, for one expression.
    #[must_use]
    pub fn chain(mut self, bytes: &[u8]) -> TaggedHash {
        self.update(bytes);
        self
    }

    /// The hash, 32 bytes.
    pub fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl fmt::Debug for TaggedHash {
    /// Opaque: the state may have absorbed secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaggedHash(..)")
    }
}
