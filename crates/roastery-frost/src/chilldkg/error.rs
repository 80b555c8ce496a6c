use std::fmt;

use crate::Seat;

/// Which participant made a session fail, as far as can be told, and by what.
///
/// This is for the participants: unlike the proofs about signing it convinces no third party.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// *FaultyParticipantError*: this participant, as the coordinator sees it.
    #[error("participant {participant} is faulty: {fault}")]
    Participant {
        /// The participant.
        participant: Seat,
        /// Its fault.
        fault: ParticipantFault,
    },
    /// *FaultyParticipantOrCoordinatorError*: this participant, or the coordinator that relayed
    /// its part, as another participant sees it. It is the participant if the coordinator is
    /// honest.
    #[error("participant {participant} or the coordinator is faulty: {fault}")]
    ParticipantOrCoordinator {
        /// The participant.
        participant: Seat,
        /// Its fault, unless the coordinator is at fault.
        fault: ParticipantFault,
    },
    /// *FaultyCoordinatorError*: the coordinator.
    #[error("the coordinator is faulty: {0}")]
    Coordinator(CoordinatorFault),
}

/// A fault of a participant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParticipantFault {
    /// Its message does not decode.
    #[error("{0}")]
    Message(MessageError),
    /// Its public encryption nonce is not a point of the curve.
    #[error("the public nonce is not a point of the curve")]
    Pubnonce,
    /// It commits to the secret zero.
    #[error("the commitment to the secret is the point at infinity")]
    Commitment,
    /// It does not prove that it knows the secret it commits to.
    #[error("the proof of possession is invalid")]
    ProofOfPossession,
    /// The share it sent does not match its commitment.
    #[error("the partial secret share does not match its public share")]
    PartialSecshare,
    /// Its signature of the certificate is invalid.
    #[error("the signature for the certificate is invalid")]
    CertificateSignature,
}

/// A fault of a coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoordinatorFault {
    /// Its message does not decode.
    #[error("{0}")]
    Message(MessageError),
    /// It did not pass on the public nonce of the participant that reads its message.
    #[error("it changed this participant's own public nonce")]
    OwnPubnonce,
    /// It did not pass on the commitment of the participant that reads its message.
    #[error("it changed this participant's own commitment to its secret")]
    OwnCommitment,
    /// The certificate is not one: this participant's signature is invalid, and a coordinator
    /// passes on none that is.
    #[error("the certificate holds an invalid signature of participant {participant}")]
    Certificate {
        /// The participant whose signature is invalid.
        participant: Seat,
    },
    /// The partial public shares of the investigation do not add up to the public share.
    #[error("the partial public shares do not add up to the public share")]
    PubshareSum,
    /// The encrypted partial shares of the investigation do not add up to the encrypted share.
    #[error("the encrypted partial secret shares do not add up to the encrypted secret share")]
    SecshareSum,
    /// The share of the participant to itself came back changed.
    #[error("it changed the partial secret share from this participant to itself")]
    OwnPartialSecshare,
}

/// Bytes that are not a message of the session, or a message of a session of another size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    /// The length is wrong; nothing was decoded.
    #[error("{got} bytes, the session's messages of this kind have {expected}")]
    Length {
        /// The length in bytes.
        got: usize,
        /// The only length allowed, in bytes.
        expected: usize,
    },
    /// A group element is not a point of the curve.
    #[error("entry {index} of the {field} is not a point of the curve")]
    Point {
        /// The field that has the error.
        field: Field,
        /// The index of the entry in that field, from 0.
        index: usize,
    },
    /// A scalar is not below the group order.
    #[error("entry {index} of the {field} is not below the group order")]
    Scalar {
        /// The field that has the error.
        field: Field,
        /// The index of the entry in that field, from 0.
        index: usize,
    },
    /// The message was read for a session with another *n* or *t*.
    #[error("the message belongs to a session of another size")]
    OtherSize,
}

impl MessageError {
    /// The fault of the participant that sent the bytes, as the coordinator sees it.
    pub fn of_participant(self, participant: Seat) -> Fault {
        Fault::Participant { participant, fault: ParticipantFault::Message(self) }
    }

    /// The fault of the coordinator that sent the bytes.
    pub fn of_coordinator(self) -> Fault {
        Fault::Coordinator(CoordinatorFault::Message(self))
    }
}

/// The lists that messages and recovery data are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// A participant's commitment to its polynomial.
    Commitment,
    /// The participants' commitments to their secrets.
    ComsToSecrets,
    /// The summed commitments to the other coefficients.
    SumComsToNonconstTerms,
    /// The summed commitments to all coefficients.
    SumComs,
    /// The shares that one participant encrypted to each.
    EncShares,
    /// The summed encrypted shares of each participant.
    EncSecshares,
    /// The shares that each participant encrypted to one.
    EncPartialSecshares,
    /// The partial public shares that belong to those.
    PartialPubshares,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Commitment => "commitment",
            Field::ComsToSecrets => "commitments to the secrets",
            Field::SumComsToNonconstTerms => "summed commitments to the non-constant terms",
            Field::SumComs => "summed commitments",
            Field::EncShares => "encrypted shares",
            Field::EncSecshares => "encrypted secret shares",
            Field::EncPartialSecshares => "encrypted partial secret shares",
            Field::PartialPubshares => "partial public shares",
        })
    }
}

/// The threshold public key or a public share is the point at infinity, which is no key.
///
/// Honest participants get there by chance with probability 1 in the group order. Any dishonest
/// participant, or the coordinator, may have caused it, so none is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the threshold public key or a public share is the point at infinity")]
pub struct DegenerateKey;
