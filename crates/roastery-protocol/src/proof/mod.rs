//! Proofs of misbehaviour: self-contained, checked with the group file alone.
//!
//! A proof carries the request and the signed envelopes, so that a third party that took no part
//! and trusts no member can check it. The rule above all others: **no proof against an honest
//! member can be made** out of everything ever sent, over all its runs. Where there is doubt the
//! verdict is [`Verdict::Indeterminate`] and no member is blamed.

mod judge;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

pub use crate::verdict::{FaultKind, Indeterminate, ProvenFault, Verdict};
use crate::{
    ProofId,
    message::{Envelope, MAX_EVIDENCE_ENVELOPE, SlotNonces},
    request::SigningRequest,
    tags::{Tag, VERSION},
    wire,
};

/// A claim that a member broke the protocol, with all that is needed to check it. A value of this
/// type proves nothing by itself; [`Proof::verify`] decides.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Proof {
    version: u8,
    request: SigningRequest,
    fault: Fault,
}

/// The fault that is claimed, with the signed statements that show it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Fault {
    /// Against a coordinator: two packages of one attempt, run and number whose bodies differ.
    PackageConflict {
        /// One of the two packages.
        first: Envelope,
        /// The other one. The order of the two does not matter.
        second: Envelope,
    },
    /// Against a coordinator: two packages of one attempt and run, with different bodies, that both
    /// name one slot of one signer.
    SlotAssignedTwice {
        /// One of the two packages.
        first: Envelope,
        /// The other one. The order of the two does not matter.
        second: Envelope,
    },
    /// Against a coordinator: a package whose aggregate nonces are not the sums of the nonces of
    /// its slots, or which names a slot whose nonces are no points.
    WrongAggregateNonce {
        /// The package.
        package: Envelope,
        /// The nonces of its t slots, in the order of its signers.
        slots: Vec<SlotNonces>,
    },
    /// Against a signer: two shares for one package whose scalars differ.
    ShareConflict {
        /// One of the two shares.
        first: Envelope,
        /// The other one. The order of the two does not matter.
        second: Envelope,
    },
    /// Against a signer: a share of which one partial signature does not fit the signer's own
    /// nonces and public share (BIP-445, PartialSigVerify).
    InvalidShare {
        /// The package that the share answers.
        package: Envelope,
        /// The nonces of the signer's slot in that package.
        nonces: SlotNonces,
        /// The share.
        share: Envelope,
        /// The position of the message whose equation fails.
        message: u8,
    },
    /// Against its sender: a body with a sound header that breaks a structural rule.
    MalformedMessage {
        /// The message.
        message: Envelope,
    },
}

/// Why bytes cannot be read as a proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Longer than a proof may be.
    #[error("a proof of {length} bytes; at most {most} are allowed", most = MAX_EVIDENCE_ENVELOPE)]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A version that this program does not read.
    #[error("a proof of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte, or 0 if there is none.
        version: u8,
    },
    /// The bytes do not decode.
    #[error("the proof does not decode: {0}")]
    Encoding(#[source] std::io::Error),
}

impl Proof {
    /// A claim about the session of this request.
    pub fn new(request: SigningRequest, fault: Fault) -> Self {
        Self { version: VERSION, request, fault }
    }

    /// Reads a proof's bytes. It does not check what they prove: see [`Proof::verify`].
    ///
    /// # Errors
    ///
    /// [`ProofError`] if they are too long, of another version, or do not decode.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_EVIDENCE_ENVELOPE {
            return Err(ProofError::TooLong { length: bytes.len() });
        }
        match bytes.first() {
            Some(&VERSION) => wire::decode(bytes).map_err(ProofError::Encoding),
            other => Err(ProofError::OtherVersion { version: other.copied().unwrap_or(0) }),
        }
    }

    /// The proof's bytes; [`Proof::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The proof's id: the hash of its bytes.
    pub fn id(&self) -> ProofId {
        ProofId::from_bytes(Tag::EvidenceFile.hash(&[&self.encode()]))
    }

    /// The request of the session in which it happened.
    pub fn request(&self) -> &SigningRequest {
        &self.request
    }

    /// The fault that is claimed, with the signed statements.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

impl Fault {
    /// The kind of this fault.
    pub fn kind(&self) -> FaultKind {
        match self {
            Fault::PackageConflict { .. } => FaultKind::PackageConflict,
            Fault::SlotAssignedTwice { .. } => FaultKind::SlotAssignedTwice,
            Fault::WrongAggregateNonce { .. } => FaultKind::WrongAggregateNonce,
            Fault::ShareConflict { .. } => FaultKind::ShareConflict,
            Fault::InvalidShare { .. } => FaultKind::InvalidShare,
            Fault::MalformedMessage { .. } => FaultKind::MalformedMessage,
        }
    }

    /// The message of the member that the claim is about. [`Proof::verify`] checks that the member
    /// really sent it.
    pub fn accused_message(&self) -> &Envelope {
        match self {
            Fault::PackageConflict { first, .. }
            | Fault::SlotAssignedTwice { first, .. }
            | Fault::ShareConflict { first, .. } => first,
            Fault::WrongAggregateNonce { package, .. } => package,
            Fault::InvalidShare { share, .. } => share,
            Fault::MalformedMessage { message } => message,
        }
    }
}

impl BorshDeserialize for Proof {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        if version != VERSION {
            let error = ProofError::OtherVersion { version };
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
        }
        let request = SigningRequest::deserialize_reader(reader)?;
        Ok(Self { version, request, fault: Fault::deserialize_reader(reader)? })
    }
}
