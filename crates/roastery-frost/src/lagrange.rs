use secp::{MaybeScalar, Scalar};

/// *DeriveInterpolatingValue* of BIP-445 for one set of signers.
///
/// With the points of the set among `1..=top`, the quotient that defines a value is, after
/// multiplying above and below by the points that are missing in between,
///
/// ```text
/// lambda_j = (-1)^(j-1) * binomial(top, j) * product over missing k of (k - j) / k
/// ```
///
/// so all values share one denominator, which is inverted once, and all else is a product of
/// small integers.
#[derive(Debug)]
pub(crate) struct Lagrange {
    top: u32,
    missing: Vec<u32>,
    inverse_denominator: Scalar,
}

impl Lagrange {
    /// For the set of points marked in `points`, where index `i` stands for `x = i + 1`.
    pub(crate) fn new(points: &[bool]) -> Lagrange {
        let top = points
            .iter()
            .rposition(|&present| present)
            .map_or(0, |last| last as u32 + 1);
        let missing: Vec<u32> = (1..=top).filter(|&x| !points[x as usize - 1]).collect();
        let denominator = product(missing.iter().map(|&k| u128::from(k)));
        let inverse_denominator = if missing.is_empty() {
            denominator
        } else {
            denominator.invert()
        };
        Lagrange {
            top,
            missing,
            inverse_denominator,
        }
    }

    /// The interpolating value of the member at `x`.
    pub(crate) fn value(&self, x: u32) -> Scalar {
        let factors = self.missing.iter().map(|&k| u128::from(k.abs_diff(x)));
        let magnitude = product(factors.chain([binomial(self.top, x)])) * self.inverse_denominator;
        let negative_factors = self.missing.iter().filter(|&&k| k < x).count();
        if (x as usize - 1 + negative_factors) % 2 == 1 {
            -magnitude
        } else {
            magnitude
        }
    }
}

/// The product of integers that are not zero, multiplied as integers while they fit.
fn product(factors: impl Iterator<Item = u128>) -> Scalar {
    let mut product = Scalar::one();
    let mut packed = 1u128;
    for factor in factors {
        match packed.checked_mul(factor) {
            Some(larger) => packed = larger,
            None => {
                product *= scalar(packed);
                packed = factor;
            }
        }
    }
    product * scalar(packed)
}

/// The binomial coefficient; at most `binomial(128, 64)`, which is below 2^124.
pub(crate) fn binomial(n: u32, k: u32) -> u128 {
    let k = k.min(n - k);
    (1..=k).fold(1u128, |value, i| {
        // The product by itself may pass 2^128 before the division brings it back.
        let (value, numerator, i) = (value, u128::from(n - k + i), u128::from(i));
        let common = gcd(value, i);
        (value / common) * (numerator / (i / common))
    })
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn scalar(value: u128) -> Scalar {
    // Callers multiply integers that are at least 1.
    MaybeScalar::from(value)
        .into_option()
        .expect("a product of positive integers is not zero")
}
