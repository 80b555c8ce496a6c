use k256::elliptic_curve::BatchNormalize;
use k256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use k256::{AffinePoint, ProjectivePoint, Sec1Point};
use secp::{MaybePoint, Point};

/// The values of a committed polynomial at 1 to `n`, in variable time.
///
/// By forward differences: `n * t` additions once the differences at 0 are known, and about
/// `t^2 / 2` multiplications by numbers below `t` for these. That is by far less than `n * t`
/// multiplications, but only where an addition costs no inversion. So this works in k256's
/// projective coordinates, and not with libsecp256k1, which has no public call for them.
pub(crate) fn evaluate(coefficients: &[MaybePoint], n: usize) -> Vec<MaybePoint> {
    let mut differences: Vec<ProjectivePoint> = coefficients.iter().map(to_projective).collect();
    into_differences(&mut differences);
    let mut values = Vec::with_capacity(n);
    for _ in 0..n {
        for j in 1..differences.len() {
            let next = differences[j];
            differences[j - 1] += next;
        }
        values.extend(differences.first());
    }
    ProjectivePoint::batch_normalize(values.as_slice()).iter().map(from_affine).collect()
}

/// The value of a committed polynomial at `x`, `1..=128`, in variable time.
pub(crate) fn evaluate_at(coefficients: &[Point], x: u32) -> MaybePoint {
    let value = coefficients.iter().rev().fold(ProjectivePoint::IDENTITY, |value, &coefficient| {
        times(value, x as usize) + to_projective(&coefficient.into())
    });
    from_affine(&value.into())
}

/// From coefficients to the forward differences at 0: entry `j` becomes `Δ^j f(0)`.
///
/// Division by `x`, `x - 1`, `x - 2`, and so on, gives the coefficients of the falling factorials
/// as remainders, and `Δ^j f(0)` is `j!` times the `j`-th. Each division multiplies all
/// coefficients of its quotient by `k` on the way; keeping the products makes up the factorial but
/// for its last factor.
fn into_differences(coefficients: &mut [ProjectivePoint]) {
    let t = coefficients.len();
    for k in 1..t {
        for j in (k + 1..t).rev() {
            coefficients[j] = times(coefficients[j], k);
            let product = coefficients[j];
            coefficients[j - 1] += product;
        }
    }
    for (j, coefficient) in coefficients.iter_mut().enumerate().skip(2) {
        *coefficient = times(*coefficient, j);
    }
}

/// `factor * point` for a small factor, not zero.
fn times(point: ProjectivePoint, factor: usize) -> ProjectivePoint {
    let bits_below_first = factor.ilog2();
    (0..bits_below_first).rev().fold(point, |product, bit| {
        let doubled = product.double();
        if factor >> bit & 1 == 1 { doubled + point } else { doubled }
    })
}

fn to_projective(point: &MaybePoint) -> ProjectivePoint {
    let MaybePoint::Valid(point) = point else { return ProjectivePoint::IDENTITY };
    let encoding = Sec1Point::from_bytes(point.serialize_uncompressed());
    let encoding = encoding.expect("an uncompressed encoding");
    AffinePoint::from_sec1_point(&encoding).expect("a point of the curve").into()
}

fn from_affine(point: &AffinePoint) -> MaybePoint {
    let encoding = point.to_sec1_point(false);
    if encoding.is_identity() {
        return MaybePoint::Infinity;
    }
    Point::from_slice(encoding.as_bytes()).expect("a point of the curve").into()
}

#[cfg(test)]
mod tests {
    use secp::{G, MaybeScalar};

    use super::*;

    fn by_definition(coefficients: &[MaybePoint], x: u128) -> MaybePoint {
        let x = MaybeScalar::from(x);
        coefficients.iter().rev().fold(MaybePoint::Infinity, |value, &c| value * x + c)
    }

    fn assert_values(coefficients: &[MaybePoint], n: usize) {
        let values = evaluate(coefficients, n);
        assert_eq!(values.len(), n);
        for (value, x) in values.into_iter().zip(1..) {
            assert_eq!(value, by_definition(coefficients, x), "at {x} of {n}");
        }
    }

    fn coefficients(t: usize) -> Vec<MaybePoint> {
        (0..t as u128).map(|j| MaybeScalar::from(j * j * j + 7) * G).collect()
    }

    #[test]
    fn the_values_are_those_of_the_polynomial() {
        for (t, n) in [(1, 1), (1, 5), (2, 2), (2, 3), (3, 5), (4, 4), (7, 20), (128, 128)] {
            assert_values(&coefficients(t), n);
        }
    }

    #[test]
    fn a_value_at_one_place_is_that_of_the_polynomial() {
        for t in [1, 2, 5, 67] {
            let maybe = coefficients(t);
            let points: Vec<Point> = maybe.iter().map(|point| point.unwrap()).collect();
            for x in [1, 2, 3, 64, 127, 128] {
                assert_eq!(evaluate_at(&points, x), by_definition(&maybe, x.into()), "{t} at {x}");
            }
        }
        let root_at_3 = [(MaybeScalar::from(3u128) * G).unwrap(), -(secp::Scalar::one() * G)];
        assert_eq!(evaluate_at(&root_at_3, 3), MaybePoint::Infinity);
    }

    #[test]
    fn coefficients_and_values_may_be_infinity() {
        let mut with_gaps = coefficients(5);
        for j in [0, 2, 4] {
            with_gaps[j] = MaybePoint::Infinity;
            assert_values(&with_gaps, 7);
        }
        assert_eq!(evaluate(&[MaybePoint::Infinity; 3], 2), [MaybePoint::Infinity; 2]);
        let root_at_3 = [MaybeScalar::from(3u128) * G, -(MaybeScalar::one() * G)];
        assert_eq!(evaluate(&root_at_3, 4)[2], MaybePoint::Infinity);
        assert_values(&root_at_3, 4);
    }
}
