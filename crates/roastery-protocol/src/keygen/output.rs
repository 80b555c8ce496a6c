use roastery_frost::{Seat, chilldkg::ParticipantFault};
use thiserror::Error;

use super::{
    Suspicion,
    message::{EnvelopeError, Malformation, RefusalReason},
};
use crate::{GroupId, TranscriptHash};

/// What the caller must do for a key generation. The record is the transcript that this node has
/// signed: it is stored beside the seed, and the signature leaves only then.
pub type Output = crate::machine::Output<Event, TranscriptHash>;

/// What has happened in a key generation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// This node has made and signed the transcript of all first messages, and shows it to the
    /// others.
    Coordinating(TranscriptHash),
    /// This node's signature of a transcript has left. From here on the others may come to hold a
    /// certificate: the host key must be kept, whatever happens.
    Signed(TranscriptHash),
    /// This node has seen a breach of the protocol.
    Found(Suspicion),
    /// A member has refused to go on.
    Refused {
        /// The member's seat.
        seat: Seat,
        /// The reason that it gives.
        reason: RefusalReason,
    },
    /// The certificate is there, everything is verified, and the group exists. Final.
    Done(GroupId),
    /// The key generation has ended here without a key.
    Ended(StopReason),
}

/// Why a key generation has ended here without a key.
///
/// If this node's signature has left, the others may still come to hold a certificate, and the
/// key generation can be opened again with the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StopReason {
    /// Its lifetime is over.
    #[error("its lifetime is over")]
    Expired,
    /// The caller stopped it.
    #[error("cancelled")]
    Cancelled,
    /// This member is at fault beyond doubt for this node, and there is no key without it.
    #[error("seat {seat} is at fault: {fault}")]
    Faulty {
        /// The member's seat.
        seat: Seat,
        /// Its fault.
        fault: ParticipantFault,
    },
    /// All members have signed a transcript that gives this node no share. Only a host key that
    /// others know, or a node that signs without checks, leads here.
    #[error("the certificate is valid and gives this node no share")]
    NoShare,
}

/// Why a message had no effect, or not the one that its sender wanted. Never an error of the
/// key generation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It came from a peer that holds no seat.
    #[error("the peer holds no seat in the ceremony")]
    NotAMember,
    /// The bytes are no envelope.
    #[error("{0}")]
    NotAnEnvelope(#[from] EnvelopeError),
    /// It belongs to another key generation.
    #[error("it belongs to another ceremony")]
    OtherKeygen,
    /// There is no such seat.
    #[error("seat {sender} is not among {members} seats")]
    NoSuchSeat {
        /// The sender that the header names.
        sender: u16,
        /// The number of members, n.
        members: usize,
    },
    /// The signature is not that of the seat that the header names.
    #[error("it is not signed by seat {sender}, which it names as its sender")]
    NotSigned {
        /// The sender that the header names.
        sender: Seat,
    },
    /// The body breaks a structural rule.
    #[error("seat {sender}: {malformation}")]
    Malformed {
        /// The sender.
        sender: Seat,
        /// The structural rule that it breaks.
        malformation: Malformation,
    },
    /// It says nothing new, for example because it is a retransmission.
    #[error("nothing new")]
    Repeat,
    /// It breaks the protocol; the finding is in the report.
    #[error("{0}")]
    Wrong(Suspicion),
    /// Its sender has sent so many wrong messages of this kind that no more are checked.
    #[error("seat {sender} has used up its trials")]
    TooMany {
        /// The sender.
        sender: Seat,
    },
    /// A signature of a transcript that is not known here. Kept, and the transcript is asked for.
    #[error("seat {sender} has signed a transcript that is not known here")]
    UnknownTranscript {
        /// The sender.
        sender: Seat,
    },
    /// A reply to a request that this node has not sent.
    #[error("seat {sender} was not asked for it")]
    NotAsked {
        /// The sender.
        sender: Seat,
    },
    /// It asks for something that this node does not have, or exceeds the rate limit of answers.
    #[error("nothing to answer seat {sender} with now")]
    NoAnswer {
        /// The sender.
        sender: Seat,
    },
    /// The key generation is over for this kind of message.
    #[error("the ceremony is over")]
    Over,
}
