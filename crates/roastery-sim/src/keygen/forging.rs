//! Changed messages, byte for byte. The offsets follow from `docs/protocol.md`.

use rand_chacha::ChaCha8Rng;
use roastery_frost::{
    MaybeScalar, Point, Scalar, Seat, Signature, SigningKey,
    chilldkg::{HostSecretKey, ParticipantMsg1, SessionParams, participant_step1},
};

use super::participants::copy;

const POINT: usize = 33;
const PROOF: usize = 64;
const SCALAR: usize = 32;

/// The offsets of the parts of a first message.
pub(super) struct FirstMessage;

impl FirstMessage {
    pub(super) const COMMITMENT: usize = 0;

    pub(super) fn proof(params: &SessionParams) -> usize {
        POINT * params.t()
    }

    pub(super) fn nonce(params: &SessionParams) -> usize {
        Self::proof(params) + PROOF
    }

    pub(super) fn share(params: &SessionParams, of: Seat) -> usize {
        Self::nonce(params) + POINT + SCALAR * of.index()
    }
}

/// The offsets of the parts of a coordinator's first message.
pub(super) struct CoordinatorMessage;

impl CoordinatorMessage {
    pub(super) fn commitment(of: Seat) -> usize {
        POINT * of.index()
    }

    pub(super) fn first_sum(params: &SessionParams) -> usize {
        POINT * params.n()
    }

    pub(super) fn proof(params: &SessionParams, of: Seat) -> usize {
        Self::first_sum(params) + POINT * (params.t() - 1) + PROOF * of.index()
    }

    pub(super) fn share(params: &SessionParams, of: Seat) -> usize {
        let n = params.n();
        Self::first_sum(params)
            + POINT * (params.t() - 1)
            + (PROOF + POINT) * n
            + SCALAR * of.index()
    }
}

/// Where the encrypted part of a sender is in a transcript hash with an investigation.
pub(super) fn partial_in_investigation(of: Seat) -> usize {
    SCALAR * of.index()
}

/// Adds one to the scalar at this offset.
pub(super) fn add_one(bytes: &mut [u8], at: usize) {
    let Some(place) = bytes.get_mut(at..at + SCALAR) else { return };
    if let Ok(scalar) = MaybeScalar::from_slice(place) {
        place.copy_from_slice(&(scalar + MaybeScalar::from(Scalar::one())).serialize());
    }
}

/// Replaces the point at this offset by bytes that are no point of the curve.
pub(super) fn spoil_point(bytes: &mut [u8], at: usize) {
    if let Some(place) = bytes.get_mut(at..at + POINT) {
        place.fill(0xff);
    }
}

/// Replaces the point at this offset by the point at infinity.
pub(super) fn to_infinity(bytes: &mut [u8], at: usize) {
    if let Some(place) = bytes.get_mut(at..at + POINT) {
        place.fill(0);
    }
}

/// Copies a point from one place to another.
pub(super) fn copy_point(bytes: &mut [u8], from: usize, to: usize) {
    if from.max(to) + POINT <= bytes.len() {
        bytes.copy_within(from..from + POINT, to);
    }
}

/// Changes a byte.
pub(super) fn flip(bytes: &mut [u8], at: usize, by: u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= by.max(1);
    }
}

/// The signature of a transcript, without any check of it.
pub(super) fn sign_transcript(host: &SigningKey, seat: Seat, transcript: &[u8]) -> Signature {
    let mut message = [0; 37];
    let tag = b"BIP DKG/certeq message";
    message[..tag.len()].copy_from_slice(tag);
    message[33..].copy_from_slice(&u32::from(seat).to_be_bytes());
    host.sign(&[&message, transcript].concat(), &[0; 32])
}

/// Makes a first message another one that is as valid: of a polynomial whose second coefficient is
/// greater by one. Nonce, proof and first commitment stay.
pub(super) fn shift_second_coefficient(bytes: &mut [u8], params: &SessionParams) {
    let place = &mut bytes[POINT..2 * POINT];
    let shifted = Point::from_slice(place).map(|point| point + Scalar::one().base_point_mul());
    if let Ok(shifted) = shifted {
        place.copy_from_slice(&shifted.serialize());
        for seat in params.participants() {
            // The value at x grows by x, which is the seat and one.
            (0..=seat.index()).for_each(|_| add_one(bytes, FirstMessage::share(params, seat)));
        }
    }
}

/// Another first message of the same member, as valid as its own.
pub(super) fn another_first_message(
    host: &SigningKey,
    params: &SessionParams,
    rng: &mut ChaCha8Rng,
) -> Option<ParticipantMsg1> {
    use rand::RngExt as _;
    let random: [u8; 32] = rng.random();
    let step = participant_step1(&HostSecretKey::from(copy(host)), params, &random);
    step.ok().map(|(_, message)| message)
}
