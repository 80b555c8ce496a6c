use secp::{MaybePoint, MaybeScalar};

use super::pop::check_pop;
use super::{Field, MessageError, ParticipantFault, SessionParams};
use crate::curve::{decode_maybe_point, decode_point};
use crate::{Seat, Signature, reader};

/// A participant's first message: commitment, proof of possession, encryption nonce, and an
/// encrypted share for each participant; 33 *t* + 64 + 33 + 32 *n* bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantMsg1 {
    pub(super) com: Vec<MaybePoint>,
    pub(super) pop: [u8; 64],
    pub(super) pubnonce: [u8; 33],
    pub(super) enc_shares: Vec<MaybeScalar>,
}

impl ParticipantMsg1 {
    /// The length of every such message of the session, in bytes.
    pub fn len_bytes(params: &SessionParams) -> usize {
        33 * params.t() + 64 + 33 + 32 * params.n()
    }

    /// Reads a message. Nonce and proof are not checked here.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if the length is wrong, or names the first entry that is no point or
    /// scalar. The sender is at fault.
    pub fn parse(bytes: &[u8], params: &SessionParams) -> Result<ParticipantMsg1, MessageError> {
        let mut reader = Reader::new(bytes, ParticipantMsg1::len_bytes(params))?;
        Ok(ParticipantMsg1 {
            com: reader.points(params.t(), Field::Commitment)?,
            pop: reader.array(),
            pubnonce: reader.array(),
            enc_shares: reader.scalars(params.n(), Field::EncShares)?,
        })
    }

    /// The message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_points(&mut bytes, &self.com);
        bytes.extend_from_slice(&self.pop);
        bytes.extend_from_slice(&self.pubnonce);
        push_scalars(&mut bytes, &self.enc_shares);
        bytes
    }

    /// Checks what the others will check as well, from public values: that the nonce is a point,
    /// and that the sender, `participant`, knows the secret it commits to.
    ///
    /// The draft's coordinator passes a message on without this. A coordinator that checks can name
    /// the participant at fault before any share is computed, and is not suspected itself.
    ///
    /// # Errors
    ///
    /// What is wrong with the message.
    pub fn check(&self, participant: Seat) -> Result<(), ParticipantFault> {
        decode_point(&self.pubnonce).map_err(|_| ParticipantFault::Pubnonce)?;
        check_pop(&self.pop, self.com[0], participant)
    }

    /// The public nonce under which the shares are encrypted, 33 bytes. It stands unchanged in the
    /// [`Transcript`](super::Transcript), and distinguishes this session from all others of its
    /// sender.
    pub fn pubnonce(&self) -> &[u8; 33] {
        &self.pubnonce
    }

    /// The proof of possession, 64 bytes.
    pub fn proof(&self) -> &[u8; 64] {
        &self.pop
    }

    pub(super) fn check_size(&self, params: &SessionParams) -> Result<(), MessageError> {
        let fits = self.com.len() == params.t() && self.enc_shares.len() == params.n();
        fits.then_some(()).ok_or(MessageError::OtherSize)
    }
}

/// A participant's second message: its signature of the transcript, 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParticipantMsg2 {
    pub(super) sig: Signature,
}

impl ParticipantMsg2 {
    /// The length of every such message, in bytes.
    pub const LEN_BYTES: usize = 64;

    /// Reads a message. The signature is not verified here.
    ///
    /// # Errors
    ///
    /// [`MessageError::Length`]. The sender is at fault.
    pub fn parse(bytes: &[u8]) -> Result<ParticipantMsg2, MessageError> {
        let mut reader = Reader::new(bytes, ParticipantMsg2::LEN_BYTES)?;
        Ok(ParticipantMsg2 { sig: Signature::from_bytes(&reader.array()) })
    }

    /// The message's bytes.
    pub fn to_bytes(&self) -> [u8; 64] {
        self.sig.to_bytes()
    }

    /// The signature, for [`Transcript::verify_signature`](super::Transcript::verify_signature).
    pub fn signature(&self) -> &Signature {
        &self.sig
    }
}

/// The coordinator's first message: the commitments to the secrets, the sums of the other
/// commitments, proofs of possession, nonces, and the sums of the encrypted shares;
/// 33 *n* + 33 (*t* - 1) + 64 *n* + 33 *n* + 32 *n* bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorMsg1 {
    pub(super) coms_to_secrets: Vec<MaybePoint>,
    pub(super) sum_coms_to_nonconst_terms: Vec<MaybePoint>,
    pub(super) pops: Vec<[u8; 64]>,
    pub(super) pubnonces: Vec<[u8; 33]>,
    pub(super) enc_secshares: Vec<MaybeScalar>,
}

impl CoordinatorMsg1 {
    /// The length of every such message of the session, in bytes.
    pub fn len_bytes(params: &SessionParams) -> usize {
        33 * (params.t() - 1) + (33 + 64 + 33 + 32) * params.n()
    }

    /// Reads a message. Nonces and proofs are not checked here.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if the length is wrong, or names the first entry that is no point or
    /// scalar. The coordinator is at fault: it should have refused what it passed on.
    pub fn parse(bytes: &[u8], params: &SessionParams) -> Result<CoordinatorMsg1, MessageError> {
        let (n, t) = (params.n(), params.t());
        let mut reader = Reader::new(bytes, CoordinatorMsg1::len_bytes(params))?;
        Ok(CoordinatorMsg1 {
            coms_to_secrets: reader.points(n, Field::ComsToSecrets)?,
            sum_coms_to_nonconst_terms: reader.points(t - 1, Field::SumComsToNonconstTerms)?,
            pops: reader.arrays(n),
            pubnonces: reader.arrays(n),
            enc_secshares: reader.scalars(n, Field::EncSecshares)?,
        })
    }

    /// The message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        push_points(&mut bytes, &self.coms_to_secrets);
        push_points(&mut bytes, &self.sum_coms_to_nonconst_terms);
        bytes.extend_from_slice(self.pops.as_flattened());
        bytes.extend_from_slice(self.pubnonces.as_flattened());
        push_scalars(&mut bytes, &self.enc_secshares);
        bytes
    }

    /// The participants' proofs of possession, 64 bytes each. They are no part of the
    /// [`Transcript`](super::Transcript), and a participant does not check its own in the draft.
    pub fn proofs(&self) -> &[[u8; 64]] {
        &self.pops
    }

    pub(super) fn check_size(&self, params: &SessionParams) -> Result<(), MessageError> {
        let fits = self.sum_coms_to_nonconst_terms.len() + 1 == params.t()
            && self.coms_to_secrets.len() == params.n();
        fits.then_some(()).ok_or(MessageError::OtherSize)
    }
}

/// Reads lists one after the other from bytes whose length was found to be the sum of theirs.
pub(super) struct Reader<'a>(reader::Reader<'a>);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], expected: usize) -> Result<Reader<'a>, MessageError> {
        let reader = reader::Reader::new(bytes, expected);
        reader.map(Reader).ok_or(MessageError::Length { got: bytes.len(), expected })
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.0.array()
    }

    pub(super) fn arrays<const N: usize>(&mut self, count: usize) -> Vec<[u8; N]> {
        self.0.arrays(count)
    }

    /// *GE.from_bytes_compressed_with_infinity*, `count` times.
    pub(super) fn points(
        &mut self,
        count: usize,
        field: Field,
    ) -> Result<Vec<MaybePoint>, MessageError> {
        let point = |index| {
            decode_maybe_point(&self.array()).map_err(|_| MessageError::Point { field, index })
        };
        (0..count).map(point).collect()
    }

    /// *Scalar.from_bytes_checked*, `count` times.
    pub(super) fn scalars(
        &mut self,
        count: usize,
        field: Field,
    ) -> Result<Vec<MaybeScalar>, MessageError> {
        let scalar = |index| {
            MaybeScalar::from_slice(&self.array::<32>())
                .map_err(|_| MessageError::Scalar { field, index })
        };
        (0..count).map(scalar).collect()
    }
}

pub(super) fn push_points(bytes: &mut Vec<u8>, points: &[MaybePoint]) {
    points.iter().for_each(|point| bytes.extend_from_slice(&point.serialize()));
}

pub(super) fn push_scalars(bytes: &mut Vec<u8>, scalars: &[MaybeScalar]) {
    scalars.iter().for_each(|scalar| bytes.extend_from_slice(&scalar.serialize()));
}
