//! *EncPedPop*: every participant encrypts a share to every other under a pad, and the pads of all
//! senders to one receiver add up as the shares do.

use secp::{MaybeScalar, Point};
use zeroize::Zeroizing;

use super::{HostSecretKey, SessionParams, Transcript};
use crate::Seat;
use crate::curve::decode_point;
use crate::hash::TaggedHash;
use crate::maybe_secret::MaybeSecret;
use crate::secret_scalar::SecretScalar;

/// The pads under which `sender`, which drew `secnonce`, encrypts to each participant:
/// *encaps_multi*.
pub(super) fn encaps_multi(
    secnonce: &SecretScalar,
    pubnonce: &[u8; 33],
    deckey: &HostSecretKey,
    params: &SessionParams,
    sender: Seat,
) -> Vec<MaybeSecret> {
    let receivers = params.participants().zip(params.points()).zip(params.hostpubkeys());
    let pad = |((receiver, enckey), enckey_bytes): ((Seat, &Point), &[u8; 33])| {
        if receiver == sender {
            return self_pad(deckey, pubnonce, receiver, params);
        }
        ecdh_pad(secnonce, enckey, [pubnonce, enckey_bytes], receiver, params)
    };
    receivers.map(pad).collect()
}

/// The pads under which each participant encrypted to `receiver`, which has `deckey`:
/// *decaps_multi*.
///
/// The error is the first participant whose nonce is not a point of the curve.
pub(super) fn decaps_multi(
    deckey: &HostSecretKey,
    transcript: &Transcript,
    receiver: Seat,
) -> Result<Vec<MaybeSecret>, Seat> {
    let (params, enckey) = (transcript.params(), deckey.hostpubkey_gen());
    let pad = |(sender, pubnonce): (Seat, &[u8; 33])| {
        if sender == receiver {
            return Ok(self_pad(deckey, pubnonce, receiver, params));
        }
        let point = decode_point(pubnonce).map_err(|_| sender)?;
        Ok(ecdh_pad(deckey.scalar(), &point, [pubnonce, &enckey], receiver, params))
    };
    params.participants().zip(transcript.pubnonces()).map(pad).collect()
}

/// What is left of a ciphertext without its pads: *decrypt_sum*.
pub(super) fn decrypt_sum(enc_secshare: MaybeScalar, pads: &[MaybeSecret]) -> MaybeSecret {
    let pads = pads.iter().fold(MaybeSecret::ZERO, MaybeSecret::plus);
    pads.negated().plus_public(enc_secshare)
}

/// The pad between two participants, which both compute: *ecdh*.
fn ecdh_pad(
    secret: &SecretScalar,
    point: &Point,
    [pubnonce, enckey]: [&[u8; 33]; 2],
    receiver: Seat,
    params: &SessionParams,
) -> MaybeSecret {
    let hash = TaggedHash::new("BIP DKG/encpedpop ecdh")
        .chain(secret.ecdh(point).as_slice())
        .chain(pubnonce)
        .chain(enckey);
    finish(hash, receiver, params)
}

/// The pad of a participant to itself, which takes no key exchange: *self_pad*.
fn self_pad(
    symkey: &HostSecretKey,
    nonce: &[u8; 33],
    receiver: Seat,
    params: &SessionParams,
) -> MaybeSecret {
    let hash = TaggedHash::new("BIP DKG/encaps_multi self_pad")
        .chain(symkey.scalar().to_bytes().as_slice())
        .chain(nonce);
    finish(hash, receiver, params)
}

fn finish(hash: TaggedHash, receiver: Seat, params: &SessionParams) -> MaybeSecret {
    let hash = hash
        .chain(&u32::from(receiver).to_be_bytes())
        .chain(&params.t_bytes())
        .chain(params.hostpubkeys().as_flattened());
    MaybeSecret::reduce(&Zeroizing::new(hash.finalize()))
}
