use secp::{MaybePoint, MaybeScalar};

/// The values of a committed polynomial at 1 to `n`.
pub(super) fn evaluate(coefficients: &[MaybePoint], n: usize) -> Vec<MaybePoint> {
    (1..=n).map(|x| evaluate_at(coefficients, x as u128)).collect()
}

/// The value of a committed polynomial at `x`.
pub(super) fn evaluate_at(coefficients: &[MaybePoint], x: u128) -> MaybePoint {
    let x = MaybeScalar::from(x);
    coefficients.iter().rev().fold(MaybePoint::Infinity, |value, &coeff| value * x + coeff)
}
