use super::certificate::{Certificate, CertificateError};
use super::encryption::{decaps_multi, decrypt_sum};
use super::messages::Reader;
use super::{
    DegenerateKey, DkgOutput, Field, HostSeckeyError, HostSecretKey, MessageError, SessionParams,
    SessionParamsError, Transcript,
};
use crate::{GroupKeys, MAX_SEATS, Seat, SecretShare, Signature};

/// What each participant adds to the recovery data, in bytes.
const PER_PARTICIPANT: usize = 33 + 33 + 32 + 64;

/// The transcript of a successful session with its certificate: 4 + 33 *t* + 162 *n* bytes, public.
///
/// A value of this type is the proof that the session succeeded: all participants have signed, and
/// the keys are derived. Whether these are the intended participants is for the reader to check,
/// against the [parameters](RecoveryData::params) it expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryData {
    transcript: Transcript,
    certificate: Certificate,
    group: GroupKeys,
}

impl RecoveryData {
    /// Reads recovery data and verifies its certificate, *n* signatures.
    ///
    /// # Errors
    ///
    /// [`RecoveryDataError`] names what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<RecoveryData, RecoveryDataError> {
        let (transcript, certificate) = read(bytes)?;
        RecoveryData::verified(transcript, certificate)
    }

    /// Reads the recovery data of a session with these parameters: the check by a participant that
    /// is sent recovery data as proof that its session has succeeded.
    ///
    /// # Errors
    ///
    /// As [`parse`](RecoveryData::parse); and if the parameters are others, which is found before
    /// any signature is verified, [`RecoveryDataError::OtherParams`].
    pub fn parse_for(
        params: &SessionParams,
        bytes: &[u8],
    ) -> Result<RecoveryData, RecoveryDataError> {
        let (transcript, certificate) = read(bytes)?;
        if transcript.params() != params {
            return Err(RecoveryDataError::OtherParams);
        }
        RecoveryData::verified(transcript, certificate)
    }

    fn verified(
        transcript: Transcript,
        certificate: Certificate,
    ) -> Result<RecoveryData, RecoveryDataError> {
        transcript.verify(&certificate)?;
        let group = transcript.group()?;
        Ok(RecoveryData { transcript, certificate, group })
    }

    /// The certificate must have been verified, and the group be that of the transcript.
    pub(super) fn certified(
        transcript: Transcript,
        certificate: Certificate,
        group: GroupKeys,
    ) -> RecoveryData {
        RecoveryData { transcript, certificate, group }
    }

    /// The recovery data's bytes, to be kept with the host secret key's backup, or anywhere.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.transcript.as_bytes(), &self.certificate.to_bytes()].concat()
    }

    /// The parameters of the session.
    pub fn params(&self) -> &SessionParams {
        self.transcript.params()
    }

    /// The transcript that all have signed.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The certificate: the signatures of all participants.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Threshold public key and public shares: *coordinator_recover*.
    pub fn group(&self) -> &GroupKeys {
        &self.group
    }
}

/// Reads recovery data, without verifying any signature.
fn read(bytes: &[u8]) -> Result<(Transcript, Certificate), RecoveryDataError> {
    let wrong = RecoveryDataError::Length { got: bytes.len() };
    let (t, rest) = bytes.split_first_chunk().ok_or(wrong)?;
    let t = usize::try_from(u32::from_be_bytes(*t)).unwrap_or(usize::MAX);
    let per_participant = t.checked_mul(33).and_then(|coms| rest.len().checked_sub(coms));
    let per_participant = per_participant.filter(|len| len % PER_PARTICIPANT == 0);
    let n = per_participant.ok_or(wrong)? / PER_PARTICIPANT;
    if n > MAX_SEATS || t > MAX_SEATS {
        return Err(SessionParamsError::ThresholdOrCount { t, n }.into());
    }

    let mut reader = Reader::new(rest, rest.len())?;
    let sum_coms = reader.points(t, Field::SumComs)?;
    let hostpubkeys = reader.arrays(n);
    let pubnonces = reader.arrays(n);
    let enc_secshares = reader.scalars(n, Field::EncSecshares)?;
    let certificate = reader.arrays(n).iter().map(Signature::from_bytes).collect();

    let params = SessionParams::new(hostpubkeys, t)?;
    let transcript = Transcript::from_parts(params, sum_coms, pubnonces, enc_secshares);
    Ok((transcript, Certificate(certificate)))
}

/// Recovers a participant's output of a successful session: *participant_recover*.
///
/// # Errors
///
/// [`RecoverError`] if the host key is of no participant of the session, or if the signed data
/// gives it no share.
pub fn recover(
    hostseckey: &HostSecretKey,
    recovery_data: &RecoveryData,
) -> Result<(DkgOutput, SessionParams), RecoverError> {
    let RecoveryData { transcript, group, .. } = recovery_data;
    let params = transcript.params();
    let participant = params
        .participant_of(&hostseckey.hostpubkey_gen())
        .ok_or(RecoverError::HostSeckey(HostSeckeyError::NotInSession))?;
    let pads = decaps_multi(hostseckey, transcript, participant)
        .map_err(|sender| RecoverError::Pubnonce { participant: sender })?;
    let tweak = transcript.tweak().map_err(|_| RecoverError::Secshare)?;
    let secshare = decrypt_sum(transcript.enc_secshare(participant), &pads).plus_public(tweak);
    let secshare = secshare.into_option().ok_or(RecoverError::Secshare)?;
    let secshare =
        SecretShare::from_bytes(secshare.to_bytes()).map_err(|_| RecoverError::Secshare)?;
    if !secshare.matches(group, participant) {
        return Err(RecoverError::Secshare);
    }
    Ok((DkgOutput { secshare, group: group.clone() }, params.clone()))
}

/// Bytes that are not the recovery data of a successful session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecoveryDataError {
    /// The length does not fit the threshold that they begin with.
    #[error("{got} bytes are not 4 + 33 t + {PER_PARTICIPANT} n with the t that they begin with")]
    Length {
        /// The length in bytes.
        got: usize,
    },
    /// A point or a scalar does not decode.
    #[error("{0}")]
    Entry(#[from] MessageError),
    /// The session's parameters are invalid.
    #[error("{0}")]
    Params(#[from] SessionParamsError),
    /// It is the data of another session than the one expected.
    #[error("the parameters are not those of the session expected")]
    OtherParams,
    /// The certificate does not belong to the transcript.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The transcript gives no key.
    #[error("{0}")]
    Degenerate(#[from] DegenerateKey),
}

/// Why a participant does not get its share back from certified data.
///
/// Of the last two neither happens to a participant that signed in [`participant_step2`] only.
///
/// [`participant_step2`]: super::participant_step2
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecoverError {
    /// The host key is of no participant of the session.
    #[error("{0}")]
    HostSeckey(HostSeckeyError),
    /// A nonce that was signed is not a point of the curve.
    #[error("the public nonce of participant {participant} is not a point of the curve")]
    Pubnonce {
        /// The participant whose nonce it is.
        participant: Seat,
    },
    /// The share that was signed does not match its public share.
    #[error("the secret share does not match its public share")]
    Secshare,
}
