use secp::{MaybePoint, MaybeScalar, Point};

use crate::curve;
use crate::hash::TaggedHash;

/// Whether points given for `x = 0, 1, .., points.len() - 1` are those of one polynomial of degree
/// below `bound`, with `1 <= bound < points.len() <= 129`. Costs one multiplication per point.
///
/// This is the test of SCRAPE (eprint 2017/216). A list is right exactly if it is orthogonal to all
/// words of the dual code; a wrong one is orthogonal to a random word with probability 1 in the
/// group order.
pub(crate) fn lie_on_one_polynomial(points: &[Point], bound: usize) -> bool {
    let terms = points.iter().zip(random_word(points, bound)).map(|(&point, word)| point * word);
    MaybePoint::sum(terms.collect::<Vec<MaybePoint>>()).is_infinity()
}

/// A word of the dual code: `v_x * f(x)`, where `f` is a polynomial of degree at most
/// `points.len() - 1 - bound`, and `v_x` the product of `1 / (x - y)` over all other `y`, which
/// here is `(-1)^x * binomial(points.len() - 1, x)` up to a factor that all share.
///
/// The hash of the list is what makes `f` random: the author of the list cannot choose it.
fn random_word(points: &[Point], bound: usize) -> Vec<MaybeScalar> {
    let last = points.len() - 1;
    let mut list = TaggedHash::new("roastery/1/public-shares")
        .chain(&(bound as u32).to_be_bytes())
        .chain(&(points.len() as u32).to_be_bytes());
    for point in points {
        list.update(&point.serialize());
    }
    let coefficients: Vec<MaybeScalar> = (0..=(last - bound) as u32)
        .map(|i| curve::reduce(&list.clone().chain(&i.to_be_bytes()).finalize()))
        .collect();
    let values = binomials(last).into_iter().zip(0u128..).map(|(binomial, x)| {
        let at = MaybeScalar::from(x);
        let f = coefficients.iter().fold(MaybeScalar::Zero, |sum, &c| sum * at + c);
        let value = f * MaybeScalar::from(binomial);
        if x % 2 == 1 { -value } else { value }
    });
    values.collect()
}

/// A row of Pascal's triangle, `binomial(n, 0)` to `binomial(n, n)`, for `n` up to 128: the largest
/// entry then is `binomial(128, 64)`, below 2^125.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::danger_trusted_dealer;

    /// The threshold public key and the public shares of a group.
    fn dealt(t: usize, n: usize) -> Vec<Point> {
        let (group, _) =
            danger_trusted_dealer::deal(t, n, &mut getrandom::SysRng).expect("a group");
        [&[group.threshold_public_key()], group.public_shares()].concat()
    }

    #[test]
    fn a_list_made_to_pass_one_test_does_not_pass_its_own() {
        let honest = dealt(3, 5);
        let word = random_word(&honest, 3);
        let shifted = |point: Point, by: MaybeScalar| (point + honest[5] * by).unwrap();
        let mut list = honest.clone();
        list[1] = shifted(honest[1], word[2]);
        list[2] = shifted(honest[2], -word[1]);

        let terms = list.iter().zip(&word).map(|(&point, &word)| point * word);
        assert!(MaybePoint::sum(terms.collect::<Vec<_>>()).is_infinity());
        assert!(lie_on_one_polynomial(&honest, 3));
        assert!(!lie_on_one_polynomial(&list, 3));
    }

    #[test]
    fn the_degree_is_below_the_bound() {
        let points = dealt(4, 6);
        for bound in 1..=6 {
            assert_eq!(lie_on_one_polynomial(&points, bound), bound >= 4, "bound {bound}");
        }
    }
}
