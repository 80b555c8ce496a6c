use std::collections::HashMap;
use std::sync::Arc;

use secp::Point;

use crate::curve::decode_point;
use crate::hash::tagged_hash;
use crate::seat::seats;
use crate::{MAX_SEATS, Seat};

/// What all participants of a session must agree on: *SessionParams*.
///
/// A value of this type is valid: `1 <= t <= n <= 128`, and the host public keys are points of the
/// curve, no two alike. Participant *i* has the *i*-th key. Cloning is cheap.
///
/// The caller must ensure that the keys are those of the intended participants: compare
/// [`params_hash`](SessionParams::params_hash) over an authenticated channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionParams(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    t: usize,
    hostpubkeys: Vec<[u8; 33]>,
    points: Vec<Point>,
}

impl SessionParams {
    /// Checks host public keys, in order, and a threshold.
    ///
    /// # Errors
    ///
    /// [`SessionParamsError`] if a bound does not hold, or names the first key that is not a point
    /// of the curve or is there twice.
    pub fn new(hostpubkeys: Vec<[u8; 33]>, t: usize) -> Result<SessionParams, SessionParamsError> {
        let n = hostpubkeys.len();
        if n > MAX_SEATS || !(1..=n).contains(&t) {
            return Err(SessionParamsError::ThresholdOrCount { t, n });
        }
        let points = seats(n)
            .zip(&hostpubkeys)
            .map(|(participant, key)| {
                decode_point(key).map_err(|_| SessionParamsError::InvalidHostPubkey { participant })
            })
            .collect::<Result<_, _>>()?;
        let mut seen = HashMap::new();
        for (participant2, key) in seats(n).zip(&hostpubkeys) {
            if let Some(participant1) = seen.insert(*key, participant2) {
                return Err(SessionParamsError::DuplicateHostPubkey { participant1, participant2 });
            }
        }
        Ok(SessionParams(Arc::new(Inner { t, hostpubkeys, points })))
    }

    /// The number of participants, `1..=128`.
    pub fn n(&self) -> usize {
        self.0.hostpubkeys.len()
    }

    /// The number of participants that a signature will take, `1..=n`.
    pub fn t(&self) -> usize {
        self.0.t
    }

    /// The host public keys, compressed, by participant.
    pub fn hostpubkeys(&self) -> &[[u8; 33]] {
        &self.0.hostpubkeys
    }

    /// The participants, in order.
    pub fn participants(&self) -> impl ExactSizeIterator<Item = Seat> + use<> {
        seats(self.n())
    }

    /// The participant with this host public key, if there is one.
    pub fn participant_of(&self, hostpubkey: &[u8; 33]) -> Option<Seat> {
        self.participants().zip(self.hostpubkeys()).find(|(_, key)| *key == hostpubkey).map(|x| x.0)
    }

    /// The hash that stands for these parameters, *params_hash*, 32 bytes.
    pub fn params_hash(&self) -> [u8; 32] {
        tagged_hash("BIP DKG/params_hash", &[&self.t_bytes(), self.hostpubkeys().as_flattened()])
    }

    /// The host public keys as points.
    pub(super) fn points(&self) -> &[Point] {
        &self.0.points
    }

    pub(super) fn t_bytes(&self) -> [u8; 4] {
        u32::try_from(self.t()).expect("t is at most 128").to_be_bytes()
    }
}

/// Parameters that make no session: *SessionParamsError*.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SessionParamsError {
    /// *ThresholdOrCountError*: the threshold or the number of participants is out of bounds.
    #[error("t = {t} of n = {n} is out of range, allowed are 1 <= t <= n <= {MAX_SEATS}")]
    ThresholdOrCount {
        /// The threshold.
        t: usize,
        /// The number of host public keys.
        n: usize,
    },
    /// *InvalidHostPubkeyError*: a host public key is not a point.
    #[error("the host public key of participant {participant} is not a point of the curve")]
    InvalidHostPubkey {
        /// The participant whose key it is.
        participant: Seat,
    },
    /// *DuplicateHostPubkeyError*. At least one of the two is not honest.
    #[error("participants {participant1} and {participant2} have the same host public key")]
    DuplicateHostPubkey {
        /// The earlier of the two.
        participant1: Seat,
        /// The later of the two.
        participant2: Seat,
    },
}
