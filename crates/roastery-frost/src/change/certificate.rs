use secp::{MaybeScalar, Point};

use super::pad::pad;
use super::transcript::Parts;
use super::{ChangeOutput, ChangeParams, DealingHead, DegenerateChoice, NotADealer, Transcript};
use crate::chilldkg::HostSecretKey;
use crate::curve::{decode_maybe_point, decode_point};
use crate::maybe_secret::MaybeSecret;
use crate::reader::Reader;
use crate::{Seat, Signature};

/// The certificate of a change: the transcript, the signatures of its *t* dealers with their old
/// shares, and the signatures of all *n'* new members with their host keys; public.
///
/// 32 + 131 *t* + 33 (*t'* - 1) + 96 *n'* bytes. A value of this type is the proof that the change
/// has succeeded. With a new member's host secret key it gives that member's share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    transcript: Transcript,
    signatures: Vec<Signature>,
}

impl Certificate {
    /// The length of every certificate of the change, in bytes.
    pub fn len_bytes(params: &ChangeParams) -> usize {
        Transcript::len_bytes(params) + 64 * params.old().threshold() + 64 * params.n()
    }

    /// Puts a transcript and the signatures of all new members together, by new seat, and verifies
    /// these.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Count`] or [`CertificateError::Signature`].
    pub fn new(
        transcript: Transcript,
        signatures: Vec<Signature>,
    ) -> Result<Certificate, CertificateError> {
        let (got, expected) = (signatures.len(), transcript.params().n());
        if got != expected {
            return Err(CertificateError::Count { got, expected });
        }
        let mut signed = transcript.params().members().zip(&signatures);
        match signed.find(|(member, signature)| !transcript.verify_signature(*member, signature)) {
            Some((member, _)) => Err(CertificateError::Signature { member }),
            None => Ok(Certificate { transcript, signatures }),
        }
    }

    /// Reads a certificate of the change with these parameters and verifies all of it: *t* + *n'*
    /// signatures, and the evaluation of the new public shares.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] names the first thing that is wrong. The length is checked before
    /// anything is decoded, and everything is decoded before a signature is verified.
    pub fn parse(params: &ChangeParams, bytes: &[u8]) -> Result<Certificate, CertificateError> {
        let expected = Certificate::len_bytes(params);
        let mut reader = Reader::new(bytes, expected)
            .ok_or(CertificateError::Length { got: bytes.len(), expected })?;
        if reader.array() != *params.plan() {
            return Err(CertificateError::OtherPlan);
        }
        let heads = read_heads(params, &mut reader)?;
        let sum_coms = (0..params.t() - 1).map(|index| {
            decode_maybe_point(&reader.array()).map_err(|_| CertificateError::Commitment { index })
        });
        let sum_coms = sum_coms.collect::<Result<_, _>>()?;
        let enc_secshares = params.members().map(|member| {
            MaybeScalar::from_slice(&reader.array::<32>())
                .map_err(|_| CertificateError::EncShare { member })
        });
        let enc_secshares = enc_secshares.collect::<Result<_, _>>()?;
        let by_dealers = read_signatures(&mut reader, heads.len());
        let by_members = read_signatures(&mut reader, params.n());

        for ((head, public_share), signature) in heads.iter().zip(&by_dealers) {
            if !head.is_signed(params.plan(), *public_share, signature) {
                return Err(CertificateError::Dealing { dealer: head.dealer });
            }
        }
        let heads = heads.into_iter().map(|(head, _)| head).zip(by_dealers).collect();
        let parts = Parts { heads, sum_coms, enc_secshares };
        Certificate::new(Transcript::from_parts(params, parts)?, by_members)
    }

    /// The hash of the transcript that the bytes of a certificate begin with; `None` if they have
    /// another length. Nothing is decoded and nothing verified, so it says of what this would be a
    /// certificate if it is one.
    pub fn peek_transcript_hash(params: &ChangeParams, bytes: &[u8]) -> Option<[u8; 32]> {
        let exact = bytes.len() == Certificate::len_bytes(params);
        let transcript = bytes.get(..Transcript::len_bytes(params)).filter(|_| exact)?;
        Some(Transcript::hash_of(transcript))
    }

    /// The certificate's bytes: transcript, dealers' signatures, new members' signatures.
    pub fn to_bytes(&self) -> Vec<u8> {
        let by_dealers = self.transcript.parts().heads.iter().map(|(_, signature)| signature);
        let mut bytes = self.transcript.as_bytes().to_vec();
        by_dealers.chain(&self.signatures).for_each(|s| bytes.extend_from_slice(&s.to_bytes()));
        bytes
    }

    /// The transcript that all new members have signed.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The signatures of the new members, by new seat.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Recovers a new member's share from public data and its host secret key.
    ///
    /// # Errors
    ///
    /// [`RecoverError`] if the host key is of no new member, or the certified data give it no
    /// share, which happens to no member that signed what [`take`](super::take) has checked.
    pub fn recover(&self, hostseckey: &HostSecretKey) -> Result<ChangeOutput, RecoverError> {
        let transcript = &self.transcript;
        let params = transcript.params();
        let member = params.member_of(&hostseckey.hostpubkey_gen());
        let member = member.ok_or(RecoverError::NotAMember)?;
        let mut pads = MaybeSecret::ZERO;
        for (head, weight) in transcript.heads().zip(transcript.weights()) {
            let scalar = hostseckey.scalar();
            let pad = pad(scalar, &head.nonce, params, head.dealer, &head.nonce, member);
            pads = pads.plus(&pad.times(weight));
        }
        let enc_secshare = transcript.parts().enc_secshares[member.index()];
        let share = pads.negated().plus_public(enc_secshare);
        ChangeOutput::checked(transcript, member, share).ok_or(RecoverError::Share)
    }
}

/// The heads of *t* dealings, by dealer, each with the dealer's public share.
fn read_heads(
    params: &ChangeParams,
    reader: &mut Reader<'_>,
) -> Result<Vec<(DealingHead, Point)>, CertificateError> {
    let mut heads: Vec<(DealingHead, Point)> = Vec::new();
    for index in 0..params.old().threshold() {
        let id = u16::from_le_bytes(reader.array());
        let dealer = Seat::new(id.into()).map_err(|_| CertificateError::Seat { index, id })?;
        let public_share = params.dealer(dealer)?;
        if heads.last().is_some_and(|last| last.0.dealer >= dealer) {
            return Err(CertificateError::Order { index });
        }
        let nonce = decode_point(&reader.array());
        let nonce = nonce.map_err(|_| CertificateError::Nonce { dealer })?;
        heads.push((DealingHead { dealer, nonce, digest: reader.array() }, public_share));
    }
    Ok(heads)
}

fn read_signatures(reader: &mut Reader<'_>, count: usize) -> Vec<Signature> {
    reader.arrays(count).iter().map(Signature::from_bytes).collect()
}

/// Bytes that are not the certificate of the change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    /// The length is wrong; nothing was decoded.
    #[error("{got} bytes, the certificate of this change has {expected}")]
    Length {
        /// The length in bytes.
        got: usize,
        /// The only length allowed, in bytes.
        expected: usize,
    },
    /// It is the certificate of another plan.
    #[error("the certificate is that of another plan")]
    OtherPlan,
    /// A dealer is no seat.
    #[error("dealer {index} of the transcript is {id}, allowed are 0 to {}", crate::MAX_SEATS - 1)]
    Seat {
        /// The index in the list of dealers, from 0.
        index: usize,
        /// The number that stands there.
        id: u16,
    },
    /// An old seat in the transcript does not deal in this change.
    #[error("{0}")]
    Dealer(#[from] NotADealer),
    /// The dealers do not ascend: one is there twice, or they are in another order.
    #[error("dealer {index} of the transcript does not come after the one before it")]
    Order {
        /// The index in the list of dealers, from 0.
        index: usize,
    },
    /// A dealer's nonce is not a point of the curve.
    #[error("the nonce of old seat {dealer} is not a point of the curve")]
    Nonce {
        /// The old seat.
        dealer: Seat,
    },
    /// A summed commitment is not a point of the curve.
    #[error("the summed commitment to coefficient {} is not a point of the curve", index + 1)]
    Commitment {
        /// The index of the commitment, from 0; that of coefficient 1 is the first.
        index: usize,
    },
    /// A summed encrypted share is not below the group order.
    #[error("the summed encrypted share of new seat {member} is not below the group order")]
    EncShare {
        /// The new seat.
        member: Seat,
    },
    /// A dealer has not signed its head with its share.
    #[error("the dealing of old seat {dealer} is not signed by its share")]
    Dealing {
        /// The old seat.
        dealer: Seat,
    },
    /// The transcript gives no keys.
    #[error("{0}")]
    Degenerate(#[from] DegenerateChoice),
    /// The number of signatures is not the number of new members.
    #[error("{got} signatures, the certificate of this change has {expected}")]
    Count {
        /// The number of signatures.
        got: usize,
        /// The number of new members.
        expected: usize,
    },
    /// A new member has not signed the transcript; the first, by new seat.
    #[error("the signature of new seat {member} is invalid")]
    Signature {
        /// The new seat.
        member: Seat,
    },
}

/// Why a new member does not get its share back from a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecoverError {
    /// No new member has the matching host public key.
    #[error("the host secret key matches no host public key of the plan")]
    NotAMember,
    /// The share that was certified is zero or does not match its public share.
    #[error("the certified secret share does not match its public share")]
    Share,
}
