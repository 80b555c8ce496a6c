use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use thiserror::Error;

use super::{Envelope, EnvelopeError, Kind, Malformation, shape::read_proposal};
use crate::{
    group::Group,
    request::{SigningRequest, Subject},
};

/// A member's proposal to sign a request. Its only effect is that the policy evaluates it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// The request.
    pub request: SigningRequest,
    /// What it is about, as the proposer states.
    pub subject: Subject,
}

/// Why bytes cannot be read as a proposal to this group.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProposalError {
    /// The bytes are no envelope.
    #[error("{0}")]
    NotAnEnvelope(#[from] EnvelopeError),
    /// Another kind of message, or one for another group.
    #[error("no proposal to this group")]
    NotAProposal,
    /// The group has no such seat, or it has not signed this.
    #[error("not signed by seat {sender}, which it names as its sender")]
    NotSigned {
        /// The seat that the header names.
        sender: u16,
    },
    /// The content breaks a structural rule.
    #[error("seat {sender}: {malformation}")]
    Malformed {
        /// The seat that signed it.
        sender: Seat,
        /// The structural rule that it breaks.
        malformation: Malformation,
    },
}

impl Proposal {
    /// Reads a proposal of a member of this group, whose session need not be known: everything but
    /// whether the subject is what the request signs ([`Subject::check`]), which is up to
    /// the policy. The signature is checked before the content is decoded.
    ///
    /// # Errors
    ///
    /// [`ProposalError`] names what is wrong.
    pub fn open(bytes: &[u8], group: &Group) -> Result<(Seat, Self), ProposalError> {
        if Envelope::peek_kind(bytes) != Some(Kind::Proposal) {
            return Err(ProposalError::NotAProposal);
        }
        let envelope = Envelope::parse(bytes)?;
        if envelope.header().group != group.id() {
            return Err(ProposalError::NotAProposal);
        }
        let number = envelope.header().sender;
        let sender = envelope
            .sender(group)
            .filter(|_| envelope.is_signed_by_its_sender(group))
            .ok_or(ProposalError::NotSigned { sender: number })?;
        let proposal = read_proposal(&envelope)
            .map_err(|malformation| ProposalError::Malformed { sender, malformation })?;
        Ok((sender, proposal))
    }
}
