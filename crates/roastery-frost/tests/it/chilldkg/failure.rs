//! What this crate answers, in the words of the reference implementation.

use roastery_frost::chilldkg::{
    CoordinatorError, CoordinatorFault, Fault, HostSeckeyError, MessageError, ParticipantFault,
    RecoverError, RecoveryDataError, SessionParamsError, Step1Error, Step2Error,
};

use crate::chilldkg::format::Error;

/// Why a case failed: an error of the crate, or an input that its types cannot hold.
#[derive(Debug)]
pub(crate) enum Failure {
    Length,
    Count,
    HostSeckey(HostSeckeyError),
    Params(SessionParamsError),
    Randomness,
    Fault(Fault),
    Unknown,
    RecoveryData(RecoveryDataError),
    NotInRecoveryData,
    Other(String),
}

impl Failure {
    /// Asserts that this is the error that the vectors demand, including the party to blame.
    pub(crate) fn assert_is(&self, expected: &Error, case: &str) {
        let ours = self.described();
        // Where the vectors have no wording, the kind and the party to blame must agree.
        let message = expected.message.as_ref().and(ours.message.clone());
        assert_eq!(Error { message, ..ours }, *expected, "{case}: {self:?}");
    }

    fn described(&self) -> Error {
        match self {
            Failure::Length | Failure::Count => error("ValueError", ""),
            Failure::HostSeckey(HostSeckeyError::OutOfRange) => error("HostSeckeyError", ""),
            Failure::HostSeckey(HostSeckeyError::NotInSession) => {
                error("HostSeckeyError", "Host secret key does not match any host public key")
            }
            Failure::HostSeckey(HostSeckeyError::NotOfStep1) => error(
                "HostSeckeyError",
                "Host secret key does not match the one used in participant_step1",
            ),
            Failure::Params(error) => params(error),
            Failure::Randomness => error("RandomnessError", ""),
            Failure::Fault(fault) => blamed(fault),
            Failure::Unknown => error(
                "UnknownFaultyParticipantOrCoordinatorError",
                "Received invalid secshare; consider using participant_investigate() to \
                 determine a faulty party",
            ),
            Failure::RecoveryData(reason) => error(
                "RecoveryDataError",
                match reason {
                    RecoveryDataError::Length { .. } | RecoveryDataError::Entry(_) => {
                        "Failed to deserialize recovery data"
                    }
                    RecoveryDataError::Params(_) => "Invalid session parameters in recovery data",
                    RecoveryDataError::Certificate(_) => "Invalid certificate in recovery data",
                    RecoveryDataError::OtherParams | RecoveryDataError::Degenerate(_) => "",
                },
            ),
            Failure::NotInRecoveryData => error(
                "HostSeckeyError",
                "Host secret key does not match any host public key in the recovery data",
            ),
            Failure::Other(text) => error(text, ""),
        }
    }
}

fn error(r#type: &str, message: &str) -> Error {
    Error { r#type: r#type.to_owned(), message: Some(message.to_owned()), ..Error::default() }
}

fn params(reason: &SessionParamsError) -> Error {
    match reason {
        SessionParamsError::ThresholdOrCount { .. } => error("ThresholdOrCountError", ""),
        SessionParamsError::InvalidHostPubkey { participant } => Error {
            participant_id: Some(participant.index()),
            ..error("InvalidHostPubkeyError", "")
        },
        SessionParamsError::DuplicateHostPubkey { participant1, participant2 } => Error {
            participant_id1: Some(participant1.index()),
            participant_id2: Some(participant2.index()),
            ..error("DuplicateHostPubkeyError", "")
        },
    }
}

fn blamed(fault: &Fault) -> Error {
    let (r#type, participant, message) = match fault {
        Fault::Participant { participant, fault } => {
            ("FaultyParticipantError", Some(participant), participant_message(fault))
        }
        Fault::ParticipantOrCoordinator { participant, fault } => {
            ("FaultyParticipantOrCoordinatorError", Some(participant), participant_message(fault))
        }
        Fault::Coordinator(fault) => ("FaultyCoordinatorError", None, coordinator_message(fault)),
    };
    Error { participant_id: participant.map(|seat| seat.index()), ..error(r#type, message) }
}

fn participant_message(fault: &ParticipantFault) -> &'static str {
    match fault {
        ParticipantFault::Message(_) => "",
        ParticipantFault::Pubnonce => "invalid public nonce",
        ParticipantFault::Commitment => "Participant sent invalid commitment",
        ParticipantFault::ProofOfPossession => "Participant sent invalid proof-of-knowledge",
        ParticipantFault::PartialSecshare => "Participant sent invalid partial secshare",
        ParticipantFault::CertificateSignature => {
            "Participant has provided an invalid signature for the certificate"
        }
    }
}

fn coordinator_message(fault: &CoordinatorFault) -> &'static str {
    match fault {
        CoordinatorFault::Message(_) => "",
        CoordinatorFault::OwnPubnonce => "Coordinator replied with wrong pubnonce",
        CoordinatorFault::OwnCommitment => {
            "Coordinator sent unexpected first group element for local participant id"
        }
        CoordinatorFault::Certificate { .. } => {
            "Coordinator has provided a certificate with an invalid signature"
        }
        CoordinatorFault::PubshareSum => "Sum of partial pubshares not equal to pubshare",
        CoordinatorFault::SecshareSum => {
            "Sum of encrypted partial secshares not equal to encrypted secshare"
        }
        CoordinatorFault::OwnPartialSecshare => {
            "Coordinator fiddled with the share from me to myself"
        }
    }
}

impl From<MessageError> for Failure {
    fn from(error: MessageError) -> Failure {
        match error {
            MessageError::Length { .. } => Failure::Length,
            other => Failure::Other(other.to_string()),
        }
    }
}

impl From<HostSeckeyError> for Failure {
    fn from(error: HostSeckeyError) -> Failure {
        Failure::HostSeckey(error)
    }
}

impl From<SessionParamsError> for Failure {
    fn from(error: SessionParamsError) -> Failure {
        Failure::Params(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

impl From<Step1Error> for Failure {
    fn from(error: Step1Error) -> Failure {
        match error {
            Step1Error::HostSeckey(error) => error.into(),
            Step1Error::Randomness => Failure::Randomness,
        }
    }
}

impl From<Step2Error> for Failure {
    fn from(error: Step2Error) -> Failure {
        match error {
            Step2Error::HostSeckey(error) => error.into(),
            Step2Error::Fault(fault) => fault.into(),
            Step2Error::Unknown(_) => Failure::Unknown,
            other @ Step2Error::Degenerate(_) => Failure::Other(other.to_string()),
        }
    }
}

impl From<CoordinatorError> for Failure {
    fn from(error: CoordinatorError) -> Failure {
        match error {
            CoordinatorError::Count { .. } => Failure::Count,
            CoordinatorError::Fault(fault) => fault.into(),
            other @ CoordinatorError::Degenerate(_) => Failure::Other(other.to_string()),
        }
    }
}

impl From<RecoveryDataError> for Failure {
    fn from(error: RecoveryDataError) -> Failure {
        Failure::RecoveryData(error)
    }
}

impl From<RecoverError> for Failure {
    fn from(error: RecoverError) -> Failure {
        match error {
            RecoverError::HostSeckey(HostSeckeyError::NotInSession) => Failure::NotInRecoveryData,
            other => Failure::Other(other.to_string()),
        }
    }
}
