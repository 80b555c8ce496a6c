use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use super::{MAX_EVIDENCE_FRAME, NamedSlots, Statement};
use crate::{
    ProofId,
    request::SigningRequest,
    tags::{SIGNING_VERSION, Tag},
    verdict::FaultKind,
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
    /// Against a coordinator: two packages of one run and number whose bodies differ.
    PackageConflict {
        /// One of the two packages.
        first: Statement,
        /// The other one. The order of the two does not matter.
        second: Statement,
    },
    /// Against a coordinator: two packages of one run, with different bodies, that both name the
    /// same slots (seat and slot hash) of one signer.
    SlotAssignedTwice {
        /// One of the two packages.
        first: Statement,
        /// The other one. The order of the two does not matter.
        second: Statement,
    },
    /// Against a coordinator: a package whose aggregate nonces are not the sums of the nonces of
    /// its slots, or which names slots whose nonces are no points.
    WrongAggregateNonce {
        /// The package.
        package: Statement,
        /// The nonces of the slots of each of its t signers, in their order.
        #[borsh(deserialize_with = "wire::take_at_most::<128, _, _>")]
        slots: Vec<NamedSlots>,
    },
    /// Against a signer: two shares for one package whose scalars differ.
    ShareConflict {
        /// One of the two shares.
        first: Statement,
        /// The other one. The order of the two does not matter.
        second: Statement,
    },
    /// Against a signer: a share of which one partial signature does not fit the signer's own
    /// nonces and public share (BIP-445, PartialSigVerify).
    InvalidShare {
        /// The package that the share answers.
        package: Statement,
        /// The nonces of the signer's slots in that package.
        nonces: NamedSlots,
        /// The share.
        share: Statement,
        /// The position of the message whose equation fails.
        message: u8,
    },
    /// Against its sender: a package, a share or final signatures with a sound header and a content
    /// that breaks a structural rule.
    MalformedMessage {
        /// The statement.
        message: Statement,
    },
}

/// Why bytes cannot be read as a proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Longer than a proof may be.
    #[error("a proof of {length} bytes; at most {most} are allowed", most = MAX_EVIDENCE_FRAME)]
    TooLong {
        /// The length in bytes.
        length: usize,
    },
    /// A version that this program does not read.
    #[error("a proof of version {version}; this program reads version {SIGNING_VERSION}")]
    OtherVersion {
        /// The version byte, or 0 if there is none.
        version: u8,
    },
    /// The bytes do not decode.
    #[error("the proof does not decode: {0}")]
    Encoding(#[source] io::Error),
}

impl Proof {
    /// A claim about the session of this request.
    pub fn new(request: SigningRequest, fault: Fault) -> Self {
        Self { version: SIGNING_VERSION, request, fault }
    }

    /// Reads a proof's bytes. It does not check what they prove: see [`Proof::verify`].
    ///
    /// # Errors
    ///
    /// [`ProofError`] if they are too long, of another version, or do not decode.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        if bytes.len() > MAX_EVIDENCE_FRAME {
            return Err(ProofError::TooLong { length: bytes.len() });
        }
        match bytes.first() {
            Some(&SIGNING_VERSION) => wire::decode(bytes).map_err(ProofError::Encoding),
            other => Err(ProofError::OtherVersion { version: other.copied().unwrap_or(0) }),
        }
    }

    /// The proof's bytes; [`Proof::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// The proof's id: the hash of its bytes (`roastery/2/evidence-file`).
    pub fn id(&self) -> ProofId {
        ProofId::from_bytes(Tag::ProofFile.hash(&[&self.encode()]))
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

    /// The statement of the member that the claim is about. [`Proof::verify`] checks that the
    /// member really made it.
    pub fn accused_statement(&self) -> &Statement {
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
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        if version != SIGNING_VERSION {
            let error = ProofError::OtherVersion { version };
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let request = SigningRequest::deserialize_reader(reader)?;
        Ok(Self { version, request, fault: Fault::deserialize_reader(reader)? })
    }
}
