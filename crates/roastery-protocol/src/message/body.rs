use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature};

use super::{Kind, Proposal};
use crate::{
    Attempt, BodyHash, GroupId, Incarnation, SessionId, SlotHash, proof::Proof, tags::Tag, wire,
};

/// A slot's public nonces as bytes, one pair (66 bytes) for each message of the request, not yet
/// checked to be points. Their hash names the slot.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SlotNonces(pub Vec<[u8; 66]>);

impl SlotNonces {
    /// The slot's name: the tagged hash (`roastery/1/slot`) of group (32 bytes), session (32),
    /// attempt (4, little-endian), signer (2, little-endian) and the pairs (66 each; their number
    /// is the session's).
    pub fn hash(
        &self,
        group: GroupId,
        session: SessionId,
        attempt: Attempt,
        signer: Seat,
    ) -> SlotHash {
        let (attempt, signer) = (attempt.number().to_le_bytes(), signer.to_u16().to_le_bytes());
        let mut parts: Vec<&[u8]> = vec![group.as_bytes(), session.as_bytes(), &attempt, &signer];
        parts.extend(self.0.iter().map(|pair| &pair[..]));
        SlotHash::from_bytes(Tag::Slot.hash(&parts))
    }
}

/// A slot: one public nonce for each message of the request, all of them points other than
/// infinity. Used together, once, for one package.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Slot(
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub  Vec<PublicNonce>,
);

impl Slot {
    /// The nonces as bytes.
    pub fn to_nonces(&self) -> SlotNonces {
        SlotNonces(self.0.iter().map(PublicNonce::to_bytes).collect())
    }
}

/// A signer's first message in an attempt: its incarnation and its unused slot. Sent to the
/// attempt's coordinator.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Commitments {
    /// The signer's incarnation, in which the slot was drawn.
    pub run: Incarnation,
    /// How many slots the signer has made before in this run and attempt.
    pub index: u32,
    /// The public nonces.
    pub slot: Slot,
}

/// The coordinator's statement which seats sign, with which slots and aggregate nonces. Sent to
/// all.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SigningPackage {
    /// The coordinator's incarnation.
    pub run: Incarnation,
    /// The package's number in this run, below n - t + 1.
    pub number: u16,
    /// Exactly t signers in ascending order, each with the name of the slot that it is to use.
    pub signers: Vec<SignerSlot>,
    /// One aggregate nonce for each message; infinity is allowed, as BIP-445 has it.
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub aggregates: Vec<AggregateNonce>,
}

/// One signer of a package and the slot that it is to use.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct SignerSlot {
    /// The signer's seat.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
    /// The hash that names its slot.
    pub slot: SlotHash,
}

impl SigningPackage {
    /// The slot that this seat is to use, if it is one of the signers.
    pub fn slot_of(&self, seat: Seat) -> Option<SlotHash> {
        let at = self.signers.binary_search_by_key(&seat, |entry| entry.seat).ok()?;
        Some(self.signers[at].slot)
    }

    /// The signers in ascending order.
    pub fn seats(&self) -> Vec<Seat> {
        self.signers.iter().map(|entry| entry.seat).collect()
    }
}

/// A signer's answer to a package. Sent to the coordinator; the last one once to all when a further
/// attempt begins.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignatureShare {
    /// The body hash of the package that it answers.
    pub package: BodyHash,
    /// One partial signature for each message.
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub scalars: Vec<PartialSignature>,
    /// The slot for the next package; absent with the last share that the signer may give in this
    /// attempt.
    pub next: Option<NextSlot>,
}

/// The slot that comes with a share.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct NextSlot {
    /// The signer's incarnation, in which the slot was drawn.
    pub run: Incarnation,
    /// How many slots the signer has made before in this run and attempt.
    pub index: u32,
    /// The public nonces.
    pub slot: Slot,
}

/// The outcome: one BIP-340 signature for each message. It proves itself; its sender does not
/// matter.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct FinalSignature {
    /// The package that led to it, as the sender states: a hint.
    pub package: BodyHash,
    /// The signatures, in the order of the messages.
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub signatures: Vec<Signature>,
}

/// What the sender asks for. The attempt is in the header.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Want {
    /// The receiver's unused slot of the attempt that the sender coordinates.
    Slot,
    /// The package of this name.
    Package(BodyHash),
    /// The receiver's share for the package of this name.
    Share(BodyHash),
    /// The nonces of the slot of this name.
    Nonces(SlotHash),
    /// The final signatures.
    Outcome,
}

/// Why a node does not take part. Its only effect is an entry in the others' report.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The node's policy does not allow it.
    Policy,
    /// The request has expired by this node's clock.
    Expired,
    /// The node has reached its limit of sessions.
    Busy,
    /// The node's operator has declined.
    Operator,
    /// The request is not acceptable in itself: another group, too long a life, a key that does not
    /// exist.
    Unacceptable,
    /// The node has found a hardware fault of its own.
    Fault,
    /// The proposer's quota of requests that wait for a decision at the node is used up.
    TooMany,
}

impl RefusalReason {
    /// Whether the node may take part later, when it has capacity: a repeated proposal is evaluated
    /// again.
    pub fn is_for_now(self) -> bool {
        matches!(self, RefusalReason::Busy | RefusalReason::TooMany)
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RefusalReason::Policy => "its policy does not allow it",
            RefusalReason::Expired => "the request has expired by its clock",
            RefusalReason::Busy => "it has no room for a further session",
            RefusalReason::Operator => "its operator said no",
            RefusalReason::Unacceptable => "the request is not acceptable",
            RefusalReason::Fault => "its own machine is at fault",
            RefusalReason::TooMany => {
                "too much of this proposer waits for a decision there; it is asked again later"
            }
        })
    }
}

/// The content of a message, decoded and structurally sound for its session.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// See [`Kind::Proposal`].
    Proposal(Proposal),
    /// See [`Kind::Commitments`].
    Commitments(Commitments),
    /// See [`Kind::SigningPackage`].
    SigningPackage(SigningPackage),
    /// See [`Kind::SignatureShare`].
    SignatureShare(SignatureShare),
    /// See [`Kind::Signature`].
    Signature(FinalSignature),
    /// See [`Kind::Want`].
    Want(Want),
    /// See [`Kind::Refusal`].
    Refusal(RefusalReason),
    /// See [`Kind::Evidence`].
    Evidence(Proof),
}

impl Body {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Proposal(_) => Kind::Proposal,
            Body::Commitments(_) => Kind::Commitments,
            Body::SigningPackage(_) => Kind::SigningPackage,
            Body::SignatureShare(_) => Kind::SignatureShare,
            Body::Signature(_) => Kind::Signature,
            Body::Want(_) => Kind::Want,
            Body::Refusal(_) => Kind::Refusal,
            Body::Evidence(_) => Kind::Evidence,
        }
    }

    pub(super) fn write_content(&self, bytes: &mut Vec<u8>) {
        bytes.extend(match self {
            Body::Proposal(content) => wire::encode(content),
            Body::Commitments(content) => wire::encode(content),
            Body::SigningPackage(content) => wire::encode(content),
            Body::SignatureShare(content) => wire::encode(content),
            Body::Signature(content) => wire::encode(content),
            Body::Want(content) => wire::encode(content),
            Body::Refusal(content) => wire::encode(content),
            Body::Evidence(content) => wire::encode(content),
        });
    }
}
