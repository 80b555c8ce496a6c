use secp::{MaybeScalar, Point};

use super::{ChangeParams, NotADealer};
use crate::curve::decode_point;
use crate::hash::tagged_hash;
use crate::reader::Reader;
use crate::schnorr::{self, Tags};
use crate::secret_scalar::SecretScalar;
use crate::{Seat, Signature};

/// The tags of the signature that a dealer makes with its share: no signature of the group, and
/// none of another key, is under them.
const TAGS: Tags = Tags {
    aux: "roastery/1/change/dealing/aux",
    nonce: "roastery/1/change/dealing/nonce",
    challenge: "roastery/1/change/dealing/challenge",
};

/// What stands for one dealing in the transcript: dealer, nonce and the digest of the content.
///
/// An honest dealer has one head in a plan, since its dealing follows from its share and the plan
/// id. 67 bytes: seat `u16`, nonce 33, digest 32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DealingHead {
    pub(super) dealer: Seat,
    pub(super) nonce: Point,
    pub(super) digest: [u8; 32],
}

impl DealingHead {
    /// The length of every head, in bytes.
    pub const LEN_BYTES: usize = 2 + 33 + 32;

    /// The old seat that deals.
    pub fn dealer(&self) -> Seat {
        self.dealer
    }

    /// The hash of the content, 32 bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The head's bytes, as they stand in the transcript.
    pub fn to_bytes(&self) -> [u8; DealingHead::LEN_BYTES] {
        let mut bytes = [0; DealingHead::LEN_BYTES];
        bytes[..2].copy_from_slice(&self.dealer.to_u16().to_le_bytes());
        bytes[2..35].copy_from_slice(&self.nonce.serialize());
        bytes[35..].copy_from_slice(&self.digest);
        bytes
    }

    /// What the dealer signs with its share, 32 bytes: plan id and head.
    pub fn hash(&self, plan: &[u8; 32]) -> [u8; 32] {
        tagged_hash("roastery/1/change/dealing", &[plan, &self.to_bytes()])
    }

    pub(super) fn sign(
        &self,
        plan: &[u8; 32],
        share: &SecretScalar,
        aux_rand: &[u8; 32],
    ) -> Option<Signature> {
        let signature = schnorr::sign(&TAGS, share, &self.hash(plan), aux_rand)?;
        Some(Signature::from_bytes(&signature))
    }

    pub(super) fn is_signed(
        &self,
        plan: &[u8; 32],
        public_share: Point,
        signature: &Signature,
    ) -> bool {
        let hash = self.hash(plan);
        schnorr::verify(TAGS.challenge, public_share, &[&hash], &signature.to_bytes())
    }
}

/// What a dealer deals: the commitments to the coefficients above the constant one, and an
/// encrypted share for each new member; 33 (*t'* - 1) + 32 *n'* bytes.
///
/// The constant term is not sent. It is the dealer's public share, which everybody knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Content {
    pub(super) commitments: Vec<Point>,
    pub(super) enc_shares: Vec<MaybeScalar>,
}

impl Content {
    fn len_bytes(params: &ChangeParams) -> usize {
        33 * (params.t() - 1) + 32 * params.n()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.commitments.iter().for_each(|point| bytes.extend_from_slice(&point.serialize()));
        self.enc_shares.iter().for_each(|scalar| bytes.extend_from_slice(&scalar.serialize()));
        bytes
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        let bytes = self.to_bytes();
        let length = u32::try_from(bytes.len()).expect("at most 8,287 bytes");
        tagged_hash("roastery/1/change/content", &[&length.to_le_bytes(), &bytes])
    }
}

/// One old member's dealing to all new members: 64 + 33 *t'* + 32 *n'* bytes, public.
///
/// A value of this type is the proof that the holder of the dealer's share has signed it for this
/// plan. Whether the share of one new member in it is right, that member alone can see:
/// [`open`](super::open).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dealing {
    params: ChangeParams,
    head: DealingHead,
    content: Content,
    signature: Signature,
}

impl Dealing {
    /// The length of every dealing of the change, in bytes.
    pub fn len_bytes(params: &ChangeParams) -> usize {
        33 + Content::len_bytes(params) + 64
    }

    /// Reads a dealing, and verifies that it is the dealer's for this plan: one signature.
    ///
    /// # Errors
    ///
    /// [`DealingError`] names what is wrong. The length is checked before anything is decoded, and
    /// everything is decoded before the signature is verified.
    pub fn parse(
        params: &ChangeParams,
        dealer: Seat,
        bytes: &[u8],
    ) -> Result<Dealing, DealingError> {
        let public_share = params.dealer(dealer)?;
        let expected = Dealing::len_bytes(params);
        let mut reader = Reader::new(bytes, expected)
            .ok_or(DealingError::Length { got: bytes.len(), expected })?;
        let nonce = decode_point(&reader.array()).map_err(|_| DealingError::Nonce)?;
        let commitments = (0..params.t() - 1)
            .map(|index| {
                decode_point(&reader.array()).map_err(|_| DealingError::Commitment { index })
            })
            .collect::<Result<_, _>>()?;
        let enc_shares = params
            .members()
            .map(|receiver| {
                MaybeScalar::from_slice(&reader.array::<32>())
                    .map_err(|_| DealingError::EncShare { receiver })
            })
            .collect::<Result<_, _>>()?;
        let signature = Signature::from_bytes(&reader.array());
        let content = Content { commitments, enc_shares };
        let head = DealingHead { dealer, nonce, digest: content.digest() };
        if !head.is_signed(params.plan(), public_share, &signature) {
            return Err(DealingError::Signature);
        }
        Ok(Dealing::signed(params, head, content, signature))
    }

    /// The signature must have been verified, and the digest be the content's.
    pub(super) fn signed(
        params: &ChangeParams,
        head: DealingHead,
        content: Content,
        signature: Signature,
    ) -> Dealing {
        Dealing { params: params.clone(), head, content, signature }
    }

    /// The dealing's bytes: nonce, content, signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let nonce = self.head.nonce.serialize();
        [nonce.as_slice(), &self.content.to_bytes(), &self.signature.to_bytes()].concat()
    }

    /// The parameters of the change.
    pub fn params(&self) -> &ChangeParams {
        &self.params
    }

    /// The old seat that deals.
    pub fn dealer(&self) -> Seat {
        self.head.dealer
    }

    /// What stands for the dealing in the transcript. Two dealings of one head differ in the
    /// signature at most.
    pub fn head(&self) -> &DealingHead {
        &self.head
    }

    /// The dealer's signature of the head, made with its share.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }
}

/// Bytes that are not a dealing of the change by this dealer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DealingError {
    /// The old seat does not deal in this change.
    #[error("{0}")]
    Dealer(#[from] NotADealer),
    /// The length is wrong; nothing was decoded.
    #[error("{got} bytes, the dealings of this change have {expected}")]
    Length {
        /// The length in bytes.
        got: usize,
        /// The only length allowed, in bytes.
        expected: usize,
    },
    /// The nonce is not a point of the curve.
    #[error("the nonce is not a point of the curve")]
    Nonce,
    /// A commitment is not a point of the curve. Infinity is none.
    #[error("the commitment to coefficient {} is not a point of the curve", index + 1)]
    Commitment {
        /// The index of the commitment, from 0; that of coefficient 1 is the first.
        index: usize,
    },
    /// An encrypted share is not below the group order.
    #[error("the encrypted share for new seat {receiver} is not below the group order")]
    EncShare {
        /// The new seat that the share is for.
        receiver: Seat,
    },
    /// The signature is not one of the dealer's share for this plan and content.
    #[error("the signature is not by the dealer's share for this plan and content")]
    Signature,
}
