//! The envelope of every message of key generation: `signature || header || content`.

use std::{fmt, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Seat, Signature, XOnlyPublicKey};

use crate::{BodyHash, keys::IdentityKey, tags::Tag, wire};

/// How long the signature before a body is, in bytes.
pub(crate) const SIGNATURE: usize = 64;

/// The first bytes of every body of one protocol. All headers of a type have the same length.
pub trait Header: BorshSerialize + BorshDeserialize + Copy + fmt::Debug + PartialEq + Eq {
    /// The kinds of messages that the protocol has.
    type Kind: Copy + fmt::Debug + PartialEq + Eq;

    /// The header's length in bytes.
    const LENGTH: usize;

    /// The sender's seat, as the sender wrote it.
    fn sender(&self) -> u16;

    /// The tag under which envelopes of a kind are signed.
    fn tag(kind: Self::Kind) -> Tag;
}

/// A message as it is sent: `signature || body`, with a header that was read and a kind that is
/// known.
///
/// The signature is not checked: see `is_signed_by_its_sender`. The bytes are this value's own and
/// never change.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope<H: Header> {
    /// At least as many as a signature and a header.
    bytes: Arc<[u8]>,
    header: H,
    kind: H::Kind,
}

impl<H: Header> Envelope<H> {
    /// The fewest bytes that a message has.
    pub(crate) const LEAST: usize = SIGNATURE + H::LENGTH;

    /// Signs a header and the content that is written behind it, under the tag of its kind.
    pub(crate) fn seal_content(
        header: H,
        kind: H::Kind,
        write_content: impl FnOnce(&mut Vec<u8>),
        key: &IdentityKey,
    ) -> Self {
        let mut bytes = vec![0; SIGNATURE];
        bytes.extend(wire::encode(&header));
        write_content(&mut bytes);
        let signature = key.sign(H::tag(kind), &bytes[SIGNATURE..]);
        bytes[..SIGNATURE].copy_from_slice(&signature.to_bytes());
        Self { bytes: bytes.into(), header, kind }
    }

    /// The header of a message, without a copy of it. Nothing if the bytes are fewer than those of
    /// signature and header.
    pub(crate) fn peek(bytes: &[u8]) -> Option<H> {
        wire::decode(bytes.get(SIGNATURE..Self::LEAST)?).ok()
    }

    /// A copy of a message whose header and kind were read.
    pub(crate) fn copied(bytes: &[u8], header: H, kind: H::Kind) -> Self {
        Self { bytes: bytes.into(), header, kind }
    }

    /// The header.
    pub fn header(&self) -> &H {
        &self.header
    }

    /// The kind.
    pub fn kind(&self) -> H::Kind {
        self.kind
    }

    /// The bytes of the whole message: signature and body.
    pub fn as_bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The signature. It is not checked here.
    pub fn signature(&self) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(&self.bytes[..SIGNATURE]);
        signature
    }

    /// The bytes that are signed: header and content.
    pub fn body(&self) -> &[u8] {
        &self.bytes[SIGNATURE..]
    }

    /// What follows the header.
    pub fn content(&self) -> &[u8] {
        &self.bytes[Self::LEAST..]
    }

    /// The hash of the body, which names the message.
    pub fn body_hash(&self) -> BodyHash {
        BodyHash::from_bytes(Tag::Body.hash(&[self.body()]))
    }

    /// The sender's seat, if it is one of `members`.
    pub(crate) fn sender_among(&self, members: usize) -> Option<Seat> {
        let seat = Seat::new(self.header.sender().into()).ok()?;
        (seat.index() < members).then_some(seat)
    }

    /// Whether this identity key has signed the body as a message of its kind (BIP-340).
    pub(crate) fn is_signed_by(&self, key: &XOnlyPublicKey) -> bool {
        let digest = H::tag(self.kind).hash(&[self.body()]);
        Signature::from_bytes(&self.signature()).verify(key, &digest)
    }
}

impl<H: Header> fmt::Debug for Envelope<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("kind", &self.kind)
            .field("header", &self.header)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
