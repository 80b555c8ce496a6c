use std::sync::Arc;

use secp::Point;

use crate::dual_code::lie_on_one_polynomial;
use crate::{MAX_SEATS, Seat};

/// The public keys of a group: *t*, the threshold public key, and *n* public shares.
///
/// A value of this type is the proof that they fit together: `1 <= t <= n <= 128`, and the shares
/// together with the threshold public key lie on one polynomial of degree below *t*. Cloning is
/// cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupKeys {
    threshold: usize,
    threshold_public_key: Point,
    public_shares: Arc<[Point]>,
}

impl GroupKeys {
    /// Checks keys and puts them together; the share of seat `i` is `public_shares[i]`.
    ///
    /// Costs *n* + 1 point multiplications: a random word of the dual code tests all at once
    /// (SCRAPE, eprint 2017/216), and misses a wrong key with probability 1 in the group order.
    ///
    /// # Errors
    ///
    /// [`GroupKeysError`] names the bound or property that does not hold.
    pub fn new(
        threshold: usize,
        threshold_public_key: Point,
        public_shares: Vec<Point>,
    ) -> Result<GroupKeys, GroupKeysError> {
        let n = public_shares.len();
        if !(1..=MAX_SEATS).contains(&n) {
            return Err(GroupKeysError::Seats { n });
        }
        if !(1..=n).contains(&threshold) {
            return Err(GroupKeysError::Threshold { threshold, n });
        }
        let points = [&[threshold_public_key], public_shares.as_slice()].concat();
        if !lie_on_one_polynomial(&points, threshold) {
            return Err(GroupKeysError::NotOnePolynomial { threshold });
        }
        Ok(GroupKeys { threshold, threshold_public_key, public_shares: public_shares.into() })
    }

    /// Keys that fit together because they were evaluated from one polynomial.
    pub(crate) fn on_one_polynomial(
        threshold: usize,
        threshold_public_key: Point,
        public_shares: Vec<Point>,
    ) -> GroupKeys {
        GroupKeys { threshold, threshold_public_key, public_shares: public_shares.into() }
    }

    /// The number of participants, `1..=128`.
    pub fn n(&self) -> usize {
        self.public_shares.len()
    }

    /// The number of signers that a signature takes, `1..=n`.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The threshold public key, before any tweak.
    pub fn threshold_public_key(&self) -> Point {
        self.threshold_public_key
    }

    /// The public share of a seat, if the group has that seat.
    pub fn public_share(&self, seat: Seat) -> Option<Point> {
        self.public_shares.get(seat.index()).copied()
    }

    /// All public shares, by seat.
    pub fn public_shares(&self) -> &[Point] {
        &self.public_shares
    }
}

/// Public keys that do not make a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupKeysError {
    /// The number of public shares is out of bounds.
    #[error("a group of {n} seats is out of range, allowed are 1 to {MAX_SEATS}")]
    Seats {
        /// The number of public shares.
        n: usize,
    },
    /// The threshold is out of bounds.
    #[error("threshold {threshold} is out of range, allowed are 1 to {n}")]
    Threshold {
        /// The threshold.
        threshold: usize,
        /// The number of public shares.
        n: usize,
    },
    /// Some public share, or the threshold public key, is wrong.
    #[error(
        "the public shares and the threshold public key do not lie on one polynomial of degree \
         below {threshold}"
    )]
    NotOnePolynomial {
        /// The threshold.
        threshold: usize,
    },
}
