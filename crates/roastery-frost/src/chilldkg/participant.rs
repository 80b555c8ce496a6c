use std::fmt;

use secp::{MaybePoint, Point};
use zeroize::Zeroizing;

use super::encryption::{decaps_multi, decrypt_sum, encaps_multi};
use super::pop::{check_pop, pop_prove};
use super::vss::Polynomial;
use super::{
    CertificateError, CoordinatorFault, CoordinatorMsg1, CoordinatorMsg2, DegenerateKey, DkgOutput,
    Fault, HostSeckeyError, HostSecretKey, Investigation, MessageError, ParticipantFault,
    ParticipantMsg1, ParticipantMsg2, RecoveryData, SessionParams, Transcript, certificate,
};
use crate::curve::base_mul;
use crate::hash::tagged_hash;
use crate::secret_scalar::SecretScalar;
use crate::{GroupKeys, Seat, SecretShare};

/// What a participant keeps between its first and its second step. It holds no secret.
#[derive(Debug)]
pub struct ParticipantState1 {
    params: SessionParams,
    participant: Seat,
    com_to_secret: Point,
    pubnonce: [u8; 33],
}

/// What a participant keeps between its second and its last step.
pub struct ParticipantState2 {
    transcript: Transcript,
    secshare: SecretShare,
    group: GroupKeys,
}

impl ParticipantState2 {
    /// The transcript that this participant has signed.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

impl fmt::Debug for ParticipantState2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParticipantState2")
            .field("transcript", &self.transcript)
            .finish_non_exhaustive()
    }
}

/// A participant's first step: draws its part of the secret, shares it and encrypts the shares.
///
/// `random` is 32 fresh, secret, uniformly random bytes for this session. The same input gives the
/// same output, so that a restarted participant can send the same message again; two sessions must
/// never have the same `random`.
///
/// # Errors
///
/// [`Step1Error`] if the host key has no part in the session, or `random` is all zeros.
pub fn participant_step1(
    hostseckey: &HostSecretKey,
    params: &SessionParams,
    random: &[u8; 32],
) -> Result<(ParticipantState1, ParticipantMsg1), Step1Error> {
    let participant = params
        .participant_of(&hostseckey.hostpubkey_gen())
        .ok_or(Step1Error::HostSeckey(HostSeckeyError::NotInSession))?;
    if *random == [0; 32] {
        return Err(Step1Error::Randomness);
    }

    let seed = Zeroizing::new(tagged_hash(
        "BIP DKG/encpedpop seed",
        &[
            hostseckey.scalar().to_bytes().as_slice(),
            random,
            &params.t_bytes(),
            params.hostpubkeys().as_flattened(),
        ],
    ));
    let secnonce = Zeroizing::new(tagged_hash("BIP DKG/encpedpop secnonce", &[seed.as_slice()]));
    let secnonce = SecretScalar::from_bytes(&secnonce).ok_or(Step1Error::Randomness)?;
    let pubnonce = secnonce.public().serialize();

    let polynomial = Polynomial::generate(&seed, params.t()).ok_or(Step1Error::Randomness)?;
    let pop = pop_prove(&seed, polynomial.secret(), participant).ok_or(Step1Error::Randomness)?;
    let pads = encaps_multi(&secnonce, &pubnonce, hostseckey, params, participant);
    let enc_shares = params
        .participants()
        .zip(pads)
        .map(|(receiver, pad)| polynomial.secshare_for(receiver).plus(&pad).disclose())
        .collect();
    let com = polynomial.commit();
    let com_to_secret = com[0].into_option().ok_or(Step1Error::Randomness)?;

    let state = ParticipantState1 { params: params.clone(), participant, com_to_secret, pubnonce };
    Ok((state, ParticipantMsg1 { com, pop, pubnonce, enc_shares }))
}

/// A participant's second step: checks all parts of the key and its own share, and signs the
/// transcript.
///
/// Once the message of this step has left, other participants may come to hold a certificate and
/// use the key. **The host secret key must be kept**, whatever this participant receives
/// afterwards. The state is consumed: a participant signs one transcript. One that begins again
/// after a restart must go on with the same message of the coordinator, or begin with fresh random
/// bytes.
///
/// `aux_rand` is 32 fresh random bytes for the signature, as in BIP-340.
///
/// # Errors
///
/// [`Step2Error`] names the party at fault. If it is [`Step2Error::Unknown`],
/// [`participant_investigate`](super::participant_investigate) can find it with one more message
/// of the coordinator.
pub fn participant_step2(
    hostseckey: &HostSecretKey,
    state1: ParticipantState1,
    cmsg1: &CoordinatorMsg1,
    aux_rand: &[u8; 32],
) -> Result<(ParticipantState2, ParticipantMsg2), Step2Error> {
    let ParticipantState1 { params, participant, com_to_secret, pubnonce } = state1;
    let index = participant.index();
    if params.hostpubkeys()[index] != hostseckey.hostpubkey_gen() {
        return Err(Step2Error::HostSeckey(HostSeckeyError::NotOfStep1));
    }
    let transcript = Transcript::new(&params, cmsg1).map_err(MessageError::of_coordinator)?;

    if cmsg1.pubnonces[index] != pubnonce {
        return Err(Fault::Coordinator(CoordinatorFault::OwnPubnonce).into());
    }
    let pads = decaps_multi(hostseckey, &transcript, participant)
        .map_err(|sender| relayed(sender, ParticipantFault::Pubnonce))?;
    if cmsg1.coms_to_secrets[index] != MaybePoint::Valid(com_to_secret) {
        return Err(Fault::Coordinator(CoordinatorFault::OwnCommitment).into());
    }
    check_pops(cmsg1, &params, participant)?;

    let enc_secshare = transcript.enc_secshare(participant);
    let outcome = transcript.outcome()?;
    let secshare = decrypt_sum(enc_secshare, &pads).plus_public(outcome.tweak);
    let pubshare = outcome.pubshares[index];
    if secshare.public() != pubshare {
        let tweak = outcome.tweak.into_option();
        let pubtweak = tweak.map_or(MaybePoint::Infinity, |tweak| base_mul(tweak).into());
        let pubshare = pubshare - pubtweak;
        let investigation = Investigation { params, participant, enc_secshare, pads, pubshare };
        return Err(Step2Error::Unknown(Box::new(investigation)));
    }
    let secshare = secshare.into_option().ok_or(DegenerateKey)?;
    let secshare = SecretShare::from_bytes(secshare.to_bytes()).expect("a share in range");
    let group = outcome.into_group(params.t())?;

    let pmsg2 = certificate::sign(&transcript, hostseckey, participant, aux_rand);
    Ok((ParticipantState2 { transcript, secshare, group }, pmsg2))
}

/// A participant's last step: checks the certificate.
///
/// If this fails the session may still have succeeded for others: **the host secret key must be
/// kept**. They can prove it with [`RecoveryData`].
///
/// # Errors
///
/// A [`Fault`] of the coordinator, if a signature is invalid: an honest one passes on valid ones
/// only. The state is consumed; from recovery data [`recover`](super::recover) gets all back.
pub fn participant_finalize(
    state2: ParticipantState2,
    cmsg2: &CoordinatorMsg2,
) -> Result<(DkgOutput, RecoveryData), Fault> {
    let ParticipantState2 { transcript, secshare, group } = state2;
    transcript.verify(cmsg2).map_err(|error| match error {
        CertificateError::Count { .. } => MessageError::OtherSize.of_coordinator(),
        CertificateError::InvalidSignature { participant } => {
            Fault::Coordinator(CoordinatorFault::Certificate { participant })
        }
    })?;
    let recovery_data = RecoveryData::certified(transcript, cmsg2.clone(), group.clone());
    Ok((DkgOutput { secshare, group }, recovery_data))
}

/// Checks the others' commitments to their secrets, and that they know these.
fn check_pops(cmsg1: &CoordinatorMsg1, params: &SessionParams, own: Seat) -> Result<(), Fault> {
    let proofs = cmsg1.coms_to_secrets.iter().zip(&cmsg1.pops);
    let mut others =
        params.participants().zip(proofs).filter(|(participant, _)| *participant != own);
    others.try_for_each(|(participant, (com, pop))| {
        check_pop(pop, *com, participant).map_err(|fault| relayed(participant, fault))
    })
}

fn relayed(participant: Seat, fault: ParticipantFault) -> Fault {
    Fault::ParticipantOrCoordinator { participant, fault }
}

/// Why a participant's first step fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Step1Error {
    /// The host key is of no participant of the session.
    #[error("{0}")]
    HostSeckey(HostSeckeyError),
    /// *RandomnessError*: the random bytes are all zero, or are the one in 2^127 that gives no
    /// valid key.
    #[error("the random bytes are not random")]
    Randomness,
}

/// Why a participant does not sign the transcript.
#[derive(Debug, thiserror::Error)]
pub enum Step2Error {
    /// The host key is not the one of the first step.
    #[error("{0}")]
    HostSeckey(HostSeckeyError),
    /// A party is known to be at fault.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// *UnknownFaultyParticipantOrCoordinatorError*: the share is wrong, and the party at fault
    /// shows only in an investigation.
    #[error("the secret share does not match its public share; who is at fault is not known yet")]
    Unknown(Box<Investigation>),
    /// There is no key, and no party can be named.
    #[error("{0}")]
    Degenerate(#[from] DegenerateKey),
}
