//! *CertEq*: all participants sign the transcript, and all signatures together are the certificate.

use super::messages::Reader;
use super::{HostSecretKey, MessageError, ParticipantMsg2, SessionParams, Transcript};
use crate::{Seat, Signature, schnorr};

/// The signatures of all participants for one transcript, in order; 64 *n* bytes.
///
/// Only [`Transcript::verify`] decides whether they are valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(pub(super) Vec<Signature>);

/// The coordinator's second message is the certificate.
pub type CoordinatorMsg2 = Certificate;

impl Certificate {
    /// The length of every certificate of the session, in bytes.
    pub fn len_bytes(params: &SessionParams) -> usize {
        64 * params.n()
    }

    /// Puts the participants' second messages together, without checking them.
    pub fn new(pmsgs2: &[ParticipantMsg2]) -> Certificate {
        Certificate(pmsgs2.iter().map(|pmsg2| pmsg2.sig).collect())
    }

    /// Reads a certificate. The signatures are not verified here.
    ///
    /// # Errors
    ///
    /// [`MessageError::Length`]. The sender is at fault.
    pub fn parse(bytes: &[u8], params: &SessionParams) -> Result<Certificate, MessageError> {
        let mut reader = Reader::new(bytes, Certificate::len_bytes(params))?;
        let signatures = reader.arrays(params.n());
        Ok(Certificate(signatures.iter().map(Signature::from_bytes).collect()))
    }

    /// The certificate's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(Signature::to_bytes).collect()
    }

    /// The signatures, by participant.
    pub fn signatures(&self) -> &[Signature] {
        &self.0
    }
}

impl Transcript {
    /// Whether this is `participant`'s signature of the transcript.
    #[must_use]
    pub fn verify_signature(&self, participant: Seat, signature: &Signature) -> bool {
        verify_one(self, participant, signature)
    }

    /// Whether the certificate belongs to this transcript: *certeq_verify*.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] names the first participant whose signature is invalid.
    pub fn verify(&self, certificate: &Certificate) -> Result<(), CertificateError> {
        verify_all(self, certificate)
    }
}

/// *certeq_participant_step*, in constant time.
pub(super) fn sign(
    transcript: &Transcript,
    hostseckey: &HostSecretKey,
    participant: Seat,
    aux_rand: &[u8; 32],
) -> ParticipantMsg2 {
    let message = [&certeq_prefix(participant), transcript.as_bytes()].concat();
    ParticipantMsg2 { sig: hostseckey.signing().sign(&message, aux_rand) }
}

fn verify_one(transcript: &Transcript, participant: Seat, sig: &Signature) -> bool {
    let Some(&key) = transcript.params().points().get(participant.index()) else { return false };
    let prefix = certeq_prefix(participant);
    schnorr::verify("BIP0340/challenge", key, &[&prefix, transcript.as_bytes()], &sig.to_bytes())
}

fn verify_all(transcript: &Transcript, certificate: &Certificate) -> Result<(), CertificateError> {
    let (got, expected) = (certificate.0.len(), transcript.params().n());
    if got != expected {
        return Err(CertificateError::Count { got, expected });
    }
    let mut signed = transcript.params().participants().zip(&certificate.0);
    match signed.find(|(participant, sig)| !transcript.verify_signature(*participant, sig)) {
        Some((participant, _)) => Err(CertificateError::InvalidSignature { participant }),
        None => Ok(()),
    }
}

/// What stands before the transcript in the message that a participant signs: *certeq_message*.
fn certeq_prefix(participant: Seat) -> [u8; 37] {
    const TAG: &[u8] = b"BIP DKG/certeq message";
    let mut prefix = [0; 37];
    prefix[..TAG.len()].copy_from_slice(TAG);
    prefix[33..].copy_from_slice(&u32::from(participant).to_be_bytes());
    prefix
}

/// A certificate that does not belong to a transcript.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    /// The number of signatures is not the number of participants.
    #[error("{got} signatures, the certificate of this session has {expected}")]
    Count {
        /// The number of signatures.
        got: usize,
        /// The number of participants.
        expected: usize,
    },
    /// *InvalidSignatureInCertificateError*; the first, by participant.
    #[error("the signature of participant {participant} is invalid")]
    InvalidSignature {
        /// The participant whose signature it is.
        participant: Seat,
    },
}
