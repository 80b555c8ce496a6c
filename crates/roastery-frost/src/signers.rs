use std::fmt;
use std::sync::Arc;

use secp::{MaybePoint, Point, Scalar};

use crate::hash::TaggedHash;
use crate::lagrange::Lagrange;
use crate::{GroupKeys, MAX_SEATS, Seat, decode_point};

/// The *Signers Context* of BIP-445: the signers, validated.
///
/// Holds *t* to *n* distinct seats in the order in which they were given, with their public shares,
/// and what can be computed once for the set. Cloning is cheap.
#[derive(Clone)]
pub struct Signers(Arc<Inner>);

struct Inner {
    n: usize,
    threshold: usize,
    threshold_public_key: Point,
    seats: Vec<Seat>,
    public_shares: Vec<Point>,
    positions: [Option<u8>; MAX_SEATS],
    lagrange: Lagrange,
    nonce_coefficient: TaggedHash,
}

impl GroupKeys {
    /// The *Signers Context* of these seats, *t* to *n* of them in any order.
    ///
    /// The interpolation of *ValidateSignersCtx* is skipped: it holds for every set, because all
    /// shares were checked when the group was loaded.
    ///
    /// # Errors
    ///
    /// [`SignersError`] if there are too few or too many, or one is not of this group or is named
    /// twice.
    pub fn signers(&self, seats: &[Seat]) -> Result<Signers, SignersError> {
        Signers::from_group(self, seats)
    }
}

impl Signers {
    /// *ValidateSignersCtx* of BIP-445, including *DeriveThreshPubkey*.
    ///
    /// `ids` and `pubshares` are the identifiers and public shares of the signers, in one order.
    /// Costs a point multiplication per signer; [`GroupKeys::signers`] costs none.
    ///
    /// # Errors
    ///
    /// [`SignersError`] names the first rule that does not hold, in the order of the BIP.
    pub fn validate(
        n: usize,
        t: usize,
        ids: &[u32],
        pubshares: &[[u8; 33]],
        thresh_pk: &[u8; 33],
    ) -> Result<Signers, SignersError> {
        check_counts(n, t, ids.len())?;
        if ids.len() != pubshares.len() {
            let (ids, public_shares) = (ids.len(), pubshares.len());
            return Err(SignersError::Lengths { ids, public_shares });
        }
        let mut seats = Vec::with_capacity(ids.len());
        let mut points = Vec::with_capacity(ids.len());
        for (index, (&id, share)) in ids.iter().zip(pubshares).enumerate() {
            seats.push(checked_seat(n, index, id)?);
            points.push(decode_point(share).map_err(|_| SignersError::PublicShare { index })?);
        }
        let threshold_public_key =
            decode_point(thresh_pk).map_err(|_| SignersError::ThresholdPublicKey)?;
        let signers = Signers::assemble(n, t, threshold_public_key, seats, points)?;
        if signers.derive_threshold_public_key() != MaybePoint::Valid(threshold_public_key) {
            return Err(SignersError::KeyMaterial);
        }
        Ok(signers)
    }

    fn from_group(group: &GroupKeys, seats: &[Seat]) -> Result<Signers, SignersError> {
        let n = group.n();
        check_counts(n, group.threshold(), seats.len())?;
        let mut points = Vec::with_capacity(seats.len());
        for (index, &seat) in seats.iter().enumerate() {
            let id = seat.into();
            let share = group.public_share(seat);
            points.push(share.ok_or(SignersError::Seat { index, id, n })?);
        }
        let key = group.threshold_public_key();
        Signers::assemble(n, group.threshold(), key, seats.to_vec(), points)
    }

    fn assemble(
        n: usize,
        threshold: usize,
        threshold_public_key: Point,
        seats: Vec<Seat>,
        public_shares: Vec<Point>,
    ) -> Result<Signers, SignersError> {
        let mut positions = [None; MAX_SEATS];
        for (position, seat) in seats.iter().enumerate() {
            if positions[seat.index()].replace(position as u8).is_some() {
                return Err(SignersError::Duplicate { seat: *seat });
            }
        }
        let present = positions.map(|position| position.is_some());
        Ok(Signers(Arc::new(Inner {
            n,
            threshold,
            threshold_public_key,
            lagrange: Lagrange::new(&present),
            nonce_coefficient: nonce_coefficient_of(&present, seats.len()),
            seats,
            public_shares,
            positions,
        })))
    }

    /// The number of participants of the group.
    pub fn n(&self) -> usize {
        self.0.n
    }

    /// The number of signers that a signature takes.
    pub fn threshold(&self) -> usize {
        self.0.threshold
    }

    /// The threshold public key, before any tweak.
    pub fn threshold_public_key(&self) -> Point {
        self.0.threshold_public_key
    }

    /// The signers, in the order in which they were given; *t* to *n* of them.
    pub fn seats(&self) -> &[Seat] {
        &self.0.seats
    }

    /// The index of a seat among [`seats`](Signers::seats), if it signs.
    pub fn position(&self, seat: Seat) -> Option<usize> {
        self.0.positions[seat.index()].map(usize::from)
    }

    /// Whether this seat is among the signers.
    pub fn contains(&self, seat: Seat) -> bool {
        self.position(seat).is_some()
    }

    /// The public share of a seat, if it signs.
    pub fn public_share(&self, seat: Seat) -> Option<Point> {
        self.position(seat).map(|position| self.0.public_shares[position])
    }

    /// *DeriveInterpolatingValue*: the Lagrange coefficient of a seat at zero, if it signs.
    ///
    /// Costs about half a microsecond, without an inversion, whatever the number of signers.
    pub fn interpolating_value(&self, seat: Seat) -> Option<Scalar> {
        self.contains(seat).then(|| self.0.lagrange.value(seat.x()))
    }

    /// The hash `BIP0445/noncecoef` of the signer set, to which aggregate nonce, key and message
    /// are appended.
    pub(crate) fn nonce_coefficient(&self) -> TaggedHash {
        self.0.nonce_coefficient.clone()
    }

    fn derive_threshold_public_key(&self) -> MaybePoint {
        let terms = self
            .0
            .seats
            .iter()
            .zip(&self.0.public_shares)
            .map(|(&seat, &share)| share * self.0.lagrange.value(seat.x()));
        Point::sum(terms)
    }
}

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signers")
            .field("n", &self.0.n)
            .field("threshold", &self.0.threshold)
            .field("threshold_public_key", &self.0.threshold_public_key)
            .field("seats", &self.0.seats)
            .finish_non_exhaustive()
    }
}

fn check_counts(n: usize, threshold: usize, signers: usize) -> Result<(), SignersError> {
    if !(1..=MAX_SEATS).contains(&n) {
        return Err(SignersError::Group { n });
    }
    if !(1..=n).contains(&threshold) {
        return Err(SignersError::Threshold { threshold, n });
    }
    if !(threshold..=n).contains(&signers) {
        return Err(SignersError::Count { signers, threshold, n });
    }
    Ok(())
}

fn checked_seat(n: usize, index: usize, id: u32) -> Result<Seat, SignersError> {
    match Seat::new(id) {
        Ok(seat) if seat.index() < n => Ok(seat),
        _ => Err(SignersError::Seat { index, id, n }),
    }
}

/// The hash of `bytes(4, u) || SerializeIds(ids)`; the identifiers of the marked seats, ascending.
fn nonce_coefficient_of(present: &[bool; MAX_SEATS], signers: usize) -> TaggedHash {
    let mut encoding = Vec::with_capacity(4 * (1 + signers));
    encoding.extend((signers as u32).to_be_bytes());
    for (id, _) in (0u32..).zip(present).filter(|(_, present)| **present) {
        encoding.extend(id.to_be_bytes());
    }
    TaggedHash::new("BIP0445/noncecoef").chain(&encoding)
}

/// A rule of *ValidateSignersCtx* that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignersError {
    /// The number of participants is out of bounds.
    #[error("a group of {n} seats is out of range, allowed are 1 to {MAX_SEATS}")]
    Group {
        /// The number of participants.
        n: usize,
    },
    /// The threshold is out of bounds.
    #[error("threshold {threshold} is out of range, allowed are 1 to {n}")]
    Threshold {
        /// The threshold.
        threshold: usize,
        /// The number of participants.
        n: usize,
    },
    /// Too few or too many signers.
    #[error("{signers} signers are out of range, allowed are {threshold} to {n}")]
    Count {
        /// The number of signers.
        signers: usize,
        /// The threshold.
        threshold: usize,
        /// The number of participants.
        n: usize,
    },
    /// There are not as many public shares as identifiers.
    #[error("{ids} identifiers came with {public_shares} public shares")]
    Lengths {
        /// The number of identifiers.
        ids: usize,
        /// The number of public shares.
        public_shares: usize,
    },
    /// An identifier is not of this group.
    #[error("signer {index} has identifier {id}, allowed are 0 to {}", n - 1)]
    Seat {
        /// The index in the list of signers.
        index: usize,
        /// The identifier.
        id: u32,
        /// The number of participants.
        n: usize,
    },
    /// A public share is not a point.
    #[error("the public share of signer {index} is not a compressed point")]
    PublicShare {
        /// The index in the list of signers.
        index: usize,
    },
    /// A signer is named twice.
    #[error("seat {seat} is named twice among the signers")]
    Duplicate {
        /// The seat.
        seat: Seat,
    },
    /// The threshold public key is not a point.
    #[error("the threshold public key is not a compressed point")]
    ThresholdPublicKey,
    /// The public shares do not interpolate to the threshold public key.
    #[error("the signers' public shares do not give the threshold public key")]
    KeyMaterial,
}
