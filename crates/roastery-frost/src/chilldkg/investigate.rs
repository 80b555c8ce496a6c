use std::fmt;

use secp::{MaybePoint, MaybeScalar};

use super::coordinator::check_messages;
use super::encryption::decrypt_sum;
use super::messages::{Reader, push_points, push_scalars};
use super::{
    CoordinatorError, CoordinatorFault, Fault, Field, MessageError, ParticipantFault,
    ParticipantMsg1, SessionParams,
};
use crate::Seat;
use crate::evaluation::evaluate;
use crate::maybe_secret::MaybeSecret;

/// What a participant needs to find the party that made its share wrong.
pub struct Investigation {
    pub(super) params: SessionParams,
    pub(super) participant: Seat,
    pub(super) enc_secshare: MaybeScalar,
    pub(super) pads: Vec<MaybeSecret>,
    /// The participant's public share without the tweak.
    pub(super) pubshare: MaybePoint,
}

impl Investigation {
    /// The parameters of the session.
    pub fn params(&self) -> &SessionParams {
        &self.params
    }
}

impl fmt::Debug for Investigation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Investigation")
            .field("participant", &self.participant)
            .finish_non_exhaustive()
    }
}

/// The coordinator's message to one participant for its investigation: what each participant
/// encrypted to it, and the public counterparts; 32 *n* + 33 *n* bytes. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorInvestigationMsg {
    enc_partial_secshares: Vec<MaybeScalar>,
    partial_pubshares: Vec<MaybePoint>,
}

impl CoordinatorInvestigationMsg {
    /// The length of every such message of the session, in bytes.
    pub fn len_bytes(params: &SessionParams) -> usize {
        (32 + 33) * params.n()
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if the length is wrong, or names the first entry that is no point or
    /// scalar. The coordinator is at fault.
    pub fn parse(
        bytes: &[u8],
        params: &SessionParams,
    ) -> Result<CoordinatorInvestigationMsg, MessageError> {
        let n = params.n();
        let mut reader = Reader::new(bytes, CoordinatorInvestigationMsg::len_bytes(params))?;
        Ok(CoordinatorInvestigationMsg {
            enc_partial_secshares: reader.scalars(n, Field::EncPartialSecshares)?,
            partial_pubshares: reader.points(n, Field::PartialPubshares)?,
        })
    }

    /// The message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_scalars(&mut bytes, &self.enc_partial_secshares);
        push_points(&mut bytes, &self.partial_pubshares);
        bytes
    }
}

/// Finds the party that made the share of this participant wrong: *participant_investigate*.
///
/// If the coordinator is honest, the answer is a participant that is faulty. If it is not, the
/// answer is the coordinator, or a participant *or* the coordinator.
pub fn participant_investigate(
    investigation: &Investigation,
    cinv: &CoordinatorInvestigationMsg,
) -> Fault {
    let Investigation { params, participant: own, enc_secshare, pads, pubshare } = investigation;
    if cinv.enc_partial_secshares.len() != params.n() {
        return MessageError::OtherSize.of_coordinator();
    }
    if MaybePoint::sum(&cinv.partial_pubshares) != *pubshare {
        return Fault::Coordinator(CoordinatorFault::PubshareSum);
    }
    // The pads are the same on both sides, so the ciphertexts differ if the shares do.
    if cinv.enc_partial_secshares.iter().copied().sum::<MaybeScalar>() != *enc_secshare {
        return Fault::Coordinator(CoordinatorFault::SecshareSum);
    }
    let partials = cinv.enc_partial_secshares.iter().zip(pads).zip(&cinv.partial_pubshares);
    let mut partials = params.participants().zip(partials);
    let wrong = partials.find(|(_, ((share, pad), pubshare))| {
        decrypt_sum(**share, std::slice::from_ref(*pad)).public() != **pubshare
    });
    let (participant, _) =
        wrong.expect("the sums agree with the share and its public share, which do not match");
    if participant == *own {
        return Fault::Coordinator(CoordinatorFault::OwnPartialSecshare);
    }
    Fault::ParticipantOrCoordinator { participant, fault: ParticipantFault::PartialSecshare }
}

/// The messages for the investigations of all participants, in order. Each may go to all.
///
/// # Errors
///
/// [`CoordinatorError`] if there is not one message of each participant, of this session's size.
pub fn coordinator_investigate(
    pmsgs1: &[ParticipantMsg1],
    params: &SessionParams,
) -> Result<Vec<CoordinatorInvestigationMsg>, CoordinatorError> {
    check_messages(pmsgs1, params)?;
    let pubshares: Vec<_> = pmsgs1.iter().map(|pmsg| evaluate(&pmsg.com, params.n())).collect();
    let message = |i: usize| CoordinatorInvestigationMsg {
        enc_partial_secshares: pmsgs1.iter().map(|pmsg| pmsg.enc_shares[i]).collect(),
        partial_pubshares: pubshares.iter().map(|pubshares| pubshares[i]).collect(),
    };
    Ok((0..params.n()).map(message).collect())
}
