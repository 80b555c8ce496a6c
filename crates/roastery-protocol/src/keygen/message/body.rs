use std::{fmt, io};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{
    Seat, Signature,
    chilldkg::{
        CoordinatorInvestigationMsg, CoordinatorMsg1, MessageError, ParticipantMsg1,
        ParticipantMsg2, SessionParams,
    },
};
use thiserror::Error;

use super::{Envelope, Kind};
use crate::{TranscriptHash, wire};

/// A member's signature of a transcript with its host key, as ChillDKG has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TranscriptSignature {
    /// The hash of the transcript that is signed.
    pub transcript: TranscriptHash,
    /// The signature, 64 bytes.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub signature: Signature,
}

/// What the sender asks for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Want {
    /// The receiver's first message.
    FirstMessage,
    /// The message that fixes the transcript of this name. Each member that has signed it passes it
    /// on.
    Transcript(TranscriptHash),
    /// The investigation of the sender's share in the transcript of this name.
    Investigation(TranscriptHash),
    /// The first message of this member, as that member has signed it.
    FirstMessageOf(#[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")] Seat),
}

/// Which share is investigated. Each seat has an investigation of its own, and a message to one
/// seat reaches all seats of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Investigated {
    /// The hash of the transcript.
    pub transcript: TranscriptHash,
    /// The seat whose share it is.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
}

/// Why a member does not go on. Its only effect is an entry in the others' report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[non_exhaustive]
pub enum RefusalReason {
    /// Its operator has declined.
    Operator,
    /// It has found this member to be at fault.
    Faulty(#[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")] Seat),
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefusalReason::Operator => f.write_str("its operator said no"),
            RefusalReason::Faulty(seat) => write!(f, "it holds seat {seat} to be at fault"),
        }
    }
}

/// The content of a message, decoded, and of the size that the key generation's n and t give it.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// See [`Kind::FirstMessage`].
    FirstMessage(ParticipantMsg1),
    /// See [`Kind::Transcript`].
    Transcript(CoordinatorMsg1),
    /// See [`Kind::Signature`].
    Signature(TranscriptSignature),
    /// See [`Kind::Certificate`]. The recovery data's bytes, not yet checked.
    Certificate(Vec<u8>),
    /// See [`Kind::Want`].
    Want(Want),
    /// See [`Kind::Investigation`].
    Investigation(Investigated, CoordinatorInvestigationMsg),
    /// See [`Kind::Refusal`].
    Refusal(RefusalReason),
}

/// Which structural rule a body breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformation {
    /// The content does not have the one length that n and t give it.
    #[error("{length} bytes; the ceremony's messages of this kind have {expected}")]
    Length {
        /// The length in bytes.
        length: usize,
        /// The only length allowed, in bytes.
        expected: usize,
    },
    /// A point or a scalar does not decode.
    #[error("{0}")]
    Message(MessageError),
    /// The content does not decode, exactly and to its end.
    #[error("the content does not decode: {0}")]
    Encoding(String),
}

impl Body {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Body::FirstMessage(_) => Kind::FirstMessage,
            Body::Transcript(_) => Kind::Transcript,
            Body::Signature(_) => Kind::Signature,
            Body::Certificate(_) => Kind::Certificate,
            Body::Want(_) => Kind::Want,
            Body::Investigation(..) => Kind::Investigation,
            Body::Refusal(_) => Kind::Refusal,
        }
    }

    /// Decodes the content of a message and checks its size.
    ///
    /// # Errors
    ///
    /// [`Malformation`]; the sender that has signed the envelope is at fault.
    pub fn read(envelope: &Envelope, params: &SessionParams) -> Result<Self, Malformation> {
        let content = envelope.content();
        if let Some(expected) = Self::exact_length(envelope.kind(), params)
            && content.len() != expected
        {
            return Err(Malformation::Length { length: content.len(), expected });
        }
        match envelope.kind() {
            Kind::FirstMessage => ParticipantMsg1::parse(content, params)
                .map(Body::FirstMessage)
                .map_err(Malformation::Message),
            Kind::Transcript => CoordinatorMsg1::parse(content, params)
                .map(Body::Transcript)
                .map_err(Malformation::Message),
            Kind::Signature => exact(content).map(Body::Signature),
            Kind::Certificate => Ok(Body::Certificate(content.to_vec())),
            Kind::Want => exact(content).map(Body::Want),
            Kind::Investigation => {
                // The length was found to be 34 bytes more than that of ChillDKG's message.
                let (investigated, message) = content.split_at(INVESTIGATED);
                let investigated = exact(investigated)?;
                CoordinatorInvestigationMsg::parse(message, params)
                    .map(|message| Body::Investigation(investigated, message))
                    .map_err(Malformation::Message)
            }
            Kind::Refusal => exact(content).map(Body::Refusal),
        }
    }

    /// How long the content of a kind is, in bytes, for the kinds that have one length.
    pub fn exact_length(kind: Kind, params: &SessionParams) -> Option<usize> {
        let (n, t) = (params.n(), params.t());
        match kind {
            Kind::FirstMessage => Some(ParticipantMsg1::len_bytes(params)),
            Kind::Transcript => Some(CoordinatorMsg1::len_bytes(params)),
            Kind::Signature => Some(TRANSCRIPT_HASH + ParticipantMsg2::LEN_BYTES),
            Kind::Certificate => Some(4 + 33 * t + 162 * n),
            Kind::Investigation => {
                Some(INVESTIGATED + CoordinatorInvestigationMsg::len_bytes(params))
            }
            Kind::Want | Kind::Refusal => None,
        }
    }

    pub(super) fn write_content(&self, bytes: &mut Vec<u8>) {
        match self {
            Body::FirstMessage(content) => bytes.extend(content.to_bytes()),
            Body::Transcript(content) => bytes.extend(content.to_bytes()),
            Body::Signature(content) => bytes.extend(wire::encode(content)),
            Body::Certificate(content) => bytes.extend(content),
            Body::Want(content) => bytes.extend(wire::encode(content)),
            Body::Investigation(investigated, content) => {
                bytes.extend(wire::encode(investigated));
                bytes.extend(content.to_bytes());
            }
            Body::Refusal(content) => bytes.extend(wire::encode(content)),
        }
    }
}

const TRANSCRIPT_HASH: usize = 32;

/// The length of [`Investigated`]: the hash, and the seat in two bytes.
const INVESTIGATED: usize = TRANSCRIPT_HASH + 2;

fn exact<T: BorshDeserialize>(content: &[u8]) -> Result<T, Malformation> {
    wire::decode(content).map_err(|error: io::Error| Malformation::Encoding(error.to_string()))
}
