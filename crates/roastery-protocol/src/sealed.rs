//! What the envelopes of sessions and of key generations have in common: `signature || header ||
//! content`.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Signature, XOnlyPublicKey};

use crate::{BodyHash, keys::IdentityKey, tags::Tag, wire};

/// How long the signature before a body is, in bytes.
pub(crate) const SIGNATURE: usize = 64;

/// The bytes of a message with a header of `HEADER` bytes. They are at least as many as a signature
/// and a header, and never change.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed<const HEADER: usize>(Arc<[u8]>);

impl<const HEADER: usize> Sealed<HEADER> {
    /// The fewest bytes that a message has.
    pub(crate) const LEAST: usize = SIGNATURE + HEADER;

    /// Signs a header and the content that is written behind it, under the tag of their kind.
    pub(crate) fn seal(
        tag: Tag,
        header: &impl BorshSerialize,
        write_content: impl FnOnce(&mut Vec<u8>),
        key: &IdentityKey,
    ) -> Self {
        let mut bytes = vec![0; SIGNATURE];
        bytes.extend(wire::encode(header));
        write_content(&mut bytes);
        let signature = key.sign(tag, &bytes[SIGNATURE..]);
        bytes[..SIGNATURE].copy_from_slice(&signature.to_bytes());
        Self(bytes.into())
    }

    /// A header and the content that is written behind it, with a signature that was made before.
    pub(crate) fn assemble(
        signature: &[u8; SIGNATURE],
        header: &impl BorshSerialize,
        write_content: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        let mut bytes = signature.to_vec();
        bytes.extend(wire::encode(header));
        write_content(&mut bytes);
        Self(bytes.into())
    }

    /// The signature before the body.
    pub(crate) fn signature(&self) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(&self.0[..SIGNATURE]);
        signature
    }

    /// The header of a message, without a copy of it. Nothing if the bytes are fewer than those of
    /// signature and header.
    pub(crate) fn peek<H: BorshDeserialize>(bytes: &[u8]) -> Option<H> {
        wire::decode(bytes.get(SIGNATURE..Self::LEAST)?).ok()
    }

    /// A copy of a message whose header was read.
    pub(crate) fn copied(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= Self::LEAST).then(|| Self(bytes.into()))
    }

    /// The whole message, as it is sent.
    pub(crate) fn as_bytes(&self) -> &Arc<[u8]> {
        &self.0
    }

    /// What is signed: header and content.
    pub(crate) fn body(&self) -> &[u8] {
        &self.0[SIGNATURE..]
    }

    /// What follows the header.
    pub(crate) fn content(&self) -> &[u8] {
        &self.0[Self::LEAST..]
    }

    /// The message's name.
    pub(crate) fn body_hash(&self) -> BodyHash {
        BodyHash::from_bytes(Tag::Body.hash(&[self.body()]))
    }

    /// Whether this identity key has signed the body under this tag (BIP-340).
    pub(crate) fn is_signed_by(&self, key: &XOnlyPublicKey, tag: Tag) -> bool {
        Signature::from_bytes(&self.signature()).verify(key, &tag.hash(&[self.body()]))
    }
}
