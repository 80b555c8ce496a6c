use secp::{MaybePoint, MaybeScalar};

use super::{
    Certificate, CertificateError, CoordinatorMsg1, CoordinatorMsg2, DegenerateKey, Fault,
    ParticipantFault, ParticipantMsg1, ParticipantMsg2, RecoveryData, SessionParams, Transcript,
};
use crate::GroupKeys;

/// What a coordinator keeps between its steps. It holds no secret.
#[derive(Debug)]
pub struct CoordinatorState {
    transcript: Transcript,
    group: GroupKeys,
}

impl CoordinatorState {
    /// The transcript that the participants are to sign.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

/// The coordinator's first step: sums commitments and shares, and lists the other parts.
///
/// `pmsgs1` are the first messages of all participants, in order. Proofs and shares are checked by
/// the participants, as the draft has it.
///
/// # Errors
///
/// [`CoordinatorError`] if their number is not *n*, one was read for a session of another size, or
/// they add up to no key.
pub fn coordinator_step1(
    pmsgs1: &[ParticipantMsg1],
    params: &SessionParams,
) -> Result<(CoordinatorState, CoordinatorMsg1), CoordinatorError> {
    check_messages(pmsgs1, params)?;
    let sum_com = |j: usize| MaybePoint::sum(pmsgs1.iter().map(|pmsg| pmsg.com[j]));
    let sum_share = |i: usize| pmsgs1.iter().map(|pmsg| pmsg.enc_shares[i]).sum::<MaybeScalar>();
    let cmsg1 = CoordinatorMsg1 {
        coms_to_secrets: pmsgs1.iter().map(|pmsg| pmsg.com[0]).collect(),
        sum_coms_to_nonconst_terms: (1..params.t()).map(sum_com).collect(),
        pops: pmsgs1.iter().map(|pmsg| pmsg.pop).collect(),
        pubnonces: pmsgs1.iter().map(|pmsg| pmsg.pubnonce).collect(),
        enc_secshares: (0..params.n()).map(sum_share).collect(),
    };
    let transcript = Transcript::new(params, &cmsg1).expect("the message was made for the session");
    let group = transcript.group()?;
    Ok((CoordinatorState { transcript, group }, cmsg1))
}

/// The coordinator's last step: makes and checks the certificate, its message to all.
///
/// The session has succeeded once this returns. `pmsgs2` are the second messages of all
/// participants, in order.
///
/// # Errors
///
/// [`CoordinatorError`] if their number is not *n*, or names the first participant whose signature
/// is invalid.
pub fn coordinator_finalize(
    state: CoordinatorState,
    pmsgs2: &[ParticipantMsg2],
) -> Result<(CoordinatorMsg2, GroupKeys, RecoveryData), CoordinatorError> {
    let CoordinatorState { transcript, group } = state;
    let certificate = Certificate::new(pmsgs2);
    transcript.verify(&certificate).map_err(|error| match error {
        CertificateError::Count { got, expected } => CoordinatorError::Count { got, expected },
        CertificateError::InvalidSignature { participant } => {
            let fault = ParticipantFault::CertificateSignature;
            CoordinatorError::Fault(Fault::Participant { participant, fault })
        }
    })?;
    let recovery_data = RecoveryData::certified(transcript, certificate.clone(), group.clone());
    Ok((certificate, group, recovery_data))
}

pub(super) fn check_messages(
    pmsgs1: &[ParticipantMsg1],
    params: &SessionParams,
) -> Result<(), CoordinatorError> {
    let (got, expected) = (pmsgs1.len(), params.n());
    if got != expected {
        return Err(CoordinatorError::Count { got, expected });
    }
    for (participant, pmsg1) in params.participants().zip(pmsgs1) {
        pmsg1.check_size(params).map_err(|error| error.of_participant(participant))?;
    }
    Ok(())
}

/// Why a coordinator's step fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// The number of messages is not the number of participants.
    #[error("{got} messages, the session has {expected} participants")]
    Count {
        /// The number of messages.
        got: usize,
        /// The number of participants.
        expected: usize,
    },
    /// A participant is at fault.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// There is no key, and no participant can be named.
    #[error("{0}")]
    Degenerate(#[from] DegenerateKey),
}
