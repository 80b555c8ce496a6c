//! The curve operations that this crate lives on, in libsecp256k1 (through `secp`) and in `k256`
//! 0.14. Results are affine points on both sides, since that is what is encoded and compared.

use std::hint::black_box;

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::ops::{Invert, MulByGeneratorVartime, MulVartime};
use k256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use roastery_frost::{Point, Scalar, decode_point};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{All, Message, Secp256k1};

use crate::measure::{Operation, time};

mod measure;

/// Points in the long sum: the signers of 67-of-100.
const POINTS: u8 = 67;

fn main() {
    let measured = measure::is_measured();
    let (rounds, repetitions) = if measured { (200, 20) } else { (1, 1) };

    let secp = Secp256k1::new();
    let [a, b, seed] =
        [0xa7, 0x3b, 0x77].map(|byte| Scalar::from_slice(&[byte; 32]).expect("a scalar"));
    let point = seed.base_point_mul();
    let encoding = point.serialize();
    let points: Vec<Point> = (1..=POINTS)
        .map(|byte| Scalar::from_slice(&[byte; 32]).expect("a scalar").base_point_mul())
        .collect();

    let [ka, kb] = [a, b].map(k256_scalar);
    let k_point = k256_point(point);
    let k_points: Vec<k256::ProjectivePoint> = points.iter().map(|&p| k256_point(p)).collect();

    let expected = k256_point((point * a + b.base_point_mul()).unwrap()).to_affine();
    let both = k256::ProjectivePoint::mul_by_generator_and_mul_add_vartime(&kb, &ka, &k_point);
    assert_eq!(both.to_affine(), expected);
    assert_eq!(k256_point(recovered(&secp, point, a, b)).to_affine(), expected);

    let operations: Vec<(&'static str, Operation<'_>, Option<Operation<'_>>)> = vec![
        (
            "G*k, constant time",
            Box::new(|| time(|| black_box(a).base_point_mul())),
            Some(Box::new(|| {
                time(|| k256::ProjectivePoint::mul_by_generator(black_box(&ka)).to_affine())
            })),
        ),
        (
            "P*k, variable time",
            Box::new(|| time(|| black_box(point) * black_box(a))),
            Some(Box::new(|| time(|| k_point.mul_vartime(black_box(&ka)).to_affine()))),
        ),
        (
            "a*P + b*G, one pass",
            Box::new(|| time(|| recovered(&secp, black_box(point), black_box(a), b))),
            Some(Box::new(|| {
                time(|| {
                    k256::ProjectivePoint::mul_by_generator_and_mul_add_vartime(
                        &kb,
                        black_box(&ka),
                        &k_point,
                    )
                    .to_affine()
                })
            })),
        ),
        (
            "a*P + b*G, apart",
            Box::new(|| time(|| black_box(point) * black_box(a) + b.base_point_mul())),
            Some(Box::new(|| {
                time(|| {
                    let g = k256::ProjectivePoint::mul_by_generator(&kb);
                    (k_point.mul_vartime(black_box(&ka)) + g).to_affine()
                })
            })),
        ),
        (
            "sum of 67 points",
            Box::new(|| time(|| Point::sum(black_box(&points)))),
            Some(Box::new(|| {
                time(|| black_box(&k_points).iter().sum::<k256::ProjectivePoint>().to_affine())
            })),
        ),
        (
            "sum of 2 points",
            Box::new(|| time(|| black_box(point) + points[0])),
            Some(Box::new(|| time(|| (black_box(k_point) + k_points[0]).to_affine()))),
        ),
        (
            "decode a point",
            Box::new(|| time(|| decode_point(black_box(&encoding)))),
            Some(Box::new(|| time(|| k256::PublicKey::from_sec1_bytes(black_box(&encoding))))),
        ),
        (
            "encode a point",
            Box::new(|| time(|| black_box(point).serialize())),
            Some(Box::new(|| time(|| black_box(k_point).to_affine().to_sec1_point(true)))),
        ),
        (
            "multiply scalars",
            Box::new(|| time_of_one(|| black_box(a) * black_box(b))),
            Some(Box::new(|| time_of_one(|| black_box(ka) * black_box(kb)))),
        ),
        (
            "invert a scalar",
            Box::new(|| time(|| black_box(a).invert())),
            Some(Box::new(|| time(|| Invert::invert_vartime(black_box(&ka))))),
        ),
    ];
    let rows = measure::measure(operations, rounds, repetitions);
    measure::print_table("curve operations", "libsecp256k1", "k256 0.14", &rows);
    if measured {
        let rows = measure::json("libsecp256k1", "k256", &rows);
        let json = format!("{{\n  \"unit\": \"microseconds, median\",\n  \"curve\": {rows}\n}}\n");
        measure::write("curve", &json);
    }
}

/// The time of one of many runs, for operations shorter than a reading of the clock.
fn time_of_one<T>(operation: impl Fn() -> T) -> f64 {
    let many = 100;
    let all = time(|| (0..many).for_each(|_| drop(black_box(operation()))));
    all / f64::from(many)
}

/// `a * P + b * G` by key recovery, as the check of a share does it.
fn recovered(secp: &Secp256k1<All>, point: Point, a: Scalar, b: Scalar) -> Point {
    let encoding = point.serialize();
    let r = Scalar::from_slice(&encoding[1..]).expect("an x coordinate below the order");
    let signature = [r.serialize(), (a * r).serialize()].concat();
    let parity = RecoveryId::try_from(i32::from(encoding[0] & 1)).expect("0 or 1");
    let signature = RecoverableSignature::from_compact(&signature, parity).expect("a signature");
    let z = Message::from_digest((-(b * r)).serialize());
    secp.recover_ecdsa(z, &signature).expect("not infinity").into()
}

fn k256_scalar(scalar: Scalar) -> k256::Scalar {
    k256::Scalar::from_repr(scalar.serialize().into()).expect("a scalar")
}

fn k256_point(point: Point) -> k256::ProjectivePoint {
    let encoding = k256::Sec1Point::from_bytes(point.serialize()).expect("an encoding");
    k256::AffinePoint::from_sec1_point(&encoding).expect("a point").into()
}
