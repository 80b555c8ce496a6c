use std::sync::Arc;

use secp::{MaybePoint, MaybeScalar, Point};

use crate::hash::TaggedHash;
use crate::{MAX_SEATS, Seat, Signers, SignersError, curve};

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
    /// Costs *n* + 1 point multiplications.
    ///
    /// # Errors
    ///
    /// [`GroupKeysError`] says which bound or property does not hold.
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
        let keys =
            GroupKeys { threshold, threshold_public_key, public_shares: public_shares.into() };
        if !keys.lie_on_one_polynomial() {
            return Err(GroupKeysError::NotOnePolynomial { threshold });
        }
        Ok(keys)
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

    /// The test of SCRAPE (eprint 2017/216) on the points `x = 0, 1, .., n`.
    ///
    /// Values at these points are those of a polynomial of degree below *t* exactly if they are
    /// orthogonal to the dual code, whose words are `v_x * f(x)` with `f` of degree `n - t` and
    /// `v_x` the product of `1 / (x - y)` over all other points, here `(-1)^x * binomial(n, x)` up
    /// to a factor that all share. A random `f` misses a wrong list with probability 1 in the
    /// group order. The hash of the list makes it random: whoever writes the list cannot choose it.
    fn lie_on_one_polynomial(&self) -> bool {
        let n = self.n() as u32;
        let mut transcript = TaggedHash::new("roastery/1/public-shares")
            .chain(&(self.threshold as u32).to_be_bytes())
            .chain(&n.to_be_bytes());
        let points =
            || [self.threshold_public_key].into_iter().chain(self.public_shares.iter().copied());
        for point in points() {
            transcript.update(&point.serialize());
        }
        let coefficients: Vec<MaybeScalar> = (0..=n - self.threshold as u32)
            .map(|i| {
                let seed = transcript.clone().chain(&i.to_be_bytes()).finalize();
                curve::reduce(&seed)
            })
            .collect();
        let terms: Vec<MaybePoint> = (0..=n)
            .zip(binomials(self.n()))
            .zip(points())
            .map(|((x, binomial), point)| {
                let at = MaybeScalar::from(u128::from(x));
                let f = coefficients.iter().fold(MaybeScalar::Zero, |sum, &c| sum * at + c);
                let word = f * MaybeScalar::from(binomial);
                point * if x % 2 == 1 { -word } else { word }
            })
            .collect();
        MaybePoint::sum(terms).is_infinity()
    }
}

/// A row of Pascal's triangle, `binomial(n, 0)` to `binomial(n, n)`. Below 2^128 for all `n` up to
/// 128: the largest is `binomial(128, 64)`, below 2^125.
fn binomials(n: usize) -> Vec<u128> {
    let mut row = vec![0u128; n + 1];
    row[0] = 1;
    for _ in 0..n {
        for k in (1..=n).rev() {
            row[k] += row[k - 1];
        }
    }
    row
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
