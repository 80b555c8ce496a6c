use std::fmt;

use roastery_frost::{
    Seat,
    chilldkg::{Fault, ParticipantFault},
};

use crate::TranscriptHash;

/// A breach of the protocol that this node has seen. It is local knowledge: ChillDKG's blame
/// convinces no third party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The member at fault, as far as this node can know.
    pub suspect: Suspect,
    /// The breach that was seen.
    pub misbehaviour: Misbehaviour,
}

/// The member at fault. No honest member is named alone, as long as it and this node have kept
/// their seeds and what they have stored as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspect {
    /// This member is at fault.
    Seat(Seat),
    /// One of the two, or both.
    Either {
        /// The member whose first message it concerns.
        participant: Seat,
        /// The coordinator that passed it on.
        coordinator: Seat,
    },
    /// The member at fault is not known.
    Unknown,
}

/// A breach of the key generation protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A first message that no coordinator could use.
    FirstMessage(ParticipantFault),
    /// Two different first messages. A member that lost its seed and drew another looks the same.
    TwoFirstMessages,
    /// A transcript that this node does not sign, or a wrong share in it.
    Transcript(Fault),
    /// A transcript that gives no key.
    NoKey,
    /// Two transcripts of one coordinator. An honest one sends only one, which it has
    /// stored as signed.
    TwoTranscripts {
        /// The one that was received first.
        first: TranscriptHash,
        /// The one that was received second.
        second: TranscriptHash,
    },
    /// A transcript beside the one that this node has signed. Some member sent different first
    /// messages, or some coordinator changed them. The member at fault can be named where a nonce
    /// differs from the one that its member has sent to this node.
    OtherTranscript {
        /// The transcript that this node has signed.
        signed: TranscriptHash,
        /// The other transcript, which it has received.
        offered: TranscriptHash,
    },
    /// A signature that is not valid for the transcript.
    Signature(TranscriptHash),
    /// Signatures of two transcripts. A member that lost what it had stored looks the same.
    TwoSignatures {
        /// The one that was received first.
        first: TranscriptHash,
        /// The one that was received second.
        second: TranscriptHash,
    },
    /// An invalid certificate, or one of another key generation.
    Certificate,
}

impl Suspicion {
    pub(super) fn of(seat: Seat, misbehaviour: Misbehaviour) -> Self {
        Self { suspect: Suspect::Seat(seat), misbehaviour }
    }

    pub(super) fn of_unknown(misbehaviour: Misbehaviour) -> Self {
        Self { suspect: Suspect::Unknown, misbehaviour }
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.suspect, self.misbehaviour)
    }
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Suspect::Seat(seat) => write!(f, "seat {seat}"),
            Suspect::Either { participant, coordinator } => {
                write!(f, "seat {participant} or coordinator {coordinator}")
            }
            Suspect::Unknown => f.write_str("unknown who"),
        }
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misbehaviour::FirstMessage(fault) => write!(f, "a first message of no use: {fault}"),
            Misbehaviour::TwoFirstMessages => f.write_str("two different first messages"),
            Misbehaviour::Transcript(fault) => {
                write!(f, "a transcript that is not signed here: {fault}")
            }
            Misbehaviour::NoKey => f.write_str("a transcript that gives no key"),
            Misbehaviour::TwoTranscripts { first, second } => {
                write!(f, "two transcripts by one coordinator: {first:#} and {second:#}")
            }
            Misbehaviour::OtherTranscript { signed, offered } => {
                write!(f, "transcript {offered:#} beside {signed:#}, which was signed here")
            }
            Misbehaviour::Signature(hash) => {
                write!(f, "a signature that is none of transcript {hash:#}")
            }
            Misbehaviour::TwoSignatures { first, second } => {
                write!(f, "signatures of two transcripts: {first:#} and {second:#}")
            }
            Misbehaviour::Certificate => f.write_str("a certificate that is none of this ceremony"),
        }
    }
}
