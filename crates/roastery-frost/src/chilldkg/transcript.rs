use secp::{MaybePoint, MaybeScalar};

use super::messages::{push_points, push_scalars};
use super::outcome::{Outcome, taproot_tweak};
use super::{CoordinatorMsg1, DegenerateKey, MessageError, SessionParams};
use crate::{GroupKeys, Seat};

/// The public transcript of a session, which all participants sign: *eq_input*.
///
/// 4 bytes of *t*, the summed commitments, the host public keys, the encryption nonces and the
/// summed encrypted shares: 4 + 33 *t* + 98 *n* bytes. It can be made from the parameters and
/// the coordinator's first message, without a secret and without having taken part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    params: SessionParams,
    sum_coms: Vec<MaybePoint>,
    pubnonces: Vec<[u8; 33]>,
    enc_secshares: Vec<MaybeScalar>,
    bytes: Vec<u8>,
}

impl Transcript {
    /// The transcript of a session with this first message of the coordinator.
    ///
    /// The message is not checked: the participants do that before they sign.
    ///
    /// # Errors
    ///
    /// [`MessageError::OtherSize`] if the message was read for a session of another size.
    pub fn new(
        params: &SessionParams,
        cmsg1: &CoordinatorMsg1,
    ) -> Result<Transcript, MessageError> {
        cmsg1.check_size(params)?;
        let mut sum_coms = vec![MaybePoint::sum(&cmsg1.coms_to_secrets)];
        sum_coms.extend_from_slice(&cmsg1.sum_coms_to_nonconst_terms);
        let (pubnonces, enc_secshares) = (cmsg1.pubnonces.clone(), cmsg1.enc_secshares.clone());
        Ok(Transcript::from_parts(params.clone(), sum_coms, pubnonces, enc_secshares))
    }

    /// The lists must have the lengths that the parameters give.
    pub(super) fn from_parts(
        params: SessionParams,
        sum_coms: Vec<MaybePoint>,
        pubnonces: Vec<[u8; 33]>,
        enc_secshares: Vec<MaybeScalar>,
    ) -> Transcript {
        let mut bytes = params.t_bytes().to_vec();
        push_points(&mut bytes, &sum_coms);
        bytes.extend_from_slice(params.hostpubkeys().as_flattened());
        bytes.extend_from_slice(pubnonces.as_flattened());
        push_scalars(&mut bytes, &enc_secshares);
        Transcript { params, sum_coms, pubnonces, enc_secshares, bytes }
    }

    /// The parameters of the session.
    pub fn params(&self) -> &SessionParams {
        &self.params
    }

    /// The transcript's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The public outcome: threshold public key and public shares.
    ///
    /// It is the key of a group only if a [`Certificate`](super::Certificate) belongs to this
    /// transcript.
    ///
    /// # Errors
    ///
    /// [`DegenerateKey`] if one of these is the point at infinity.
    pub fn group(&self) -> Result<GroupKeys, DegenerateKey> {
        self.outcome()?.into_group(self.params.t())
    }

    pub(super) fn outcome(&self) -> Result<Outcome, DegenerateKey> {
        Outcome::new(&self.sum_coms, self.params.n())
    }

    pub(super) fn tweak(&self) -> Result<MaybeScalar, DegenerateKey> {
        taproot_tweak(&self.sum_coms).map(|(tweak, _)| tweak)
    }

    /// The public nonces of the participants, as they were sent.
    pub fn pubnonces(&self) -> &[[u8; 33]] {
        &self.pubnonces
    }

    pub(super) fn enc_secshare(&self, participant: Seat) -> MaybeScalar {
        self.enc_secshares[participant.index()]
    }
}
