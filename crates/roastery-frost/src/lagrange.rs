use std::sync::LazyLock;

use secp::{MaybeScalar, Scalar};

use crate::MAX_SEATS;

/// *DeriveInterpolatingValue* of BIP-445 for one set of signers, without an inversion per set.
///
/// The value of the member `j` is the product of `k / (k - j)` over all other members `k`. With all
/// members among `1..=top`, `j` and the missing `m` of that range brought in above and below give
///
/// ```text
/// lambda_j = (product of all members) * (product of all m - j) / (j! * (top - j)!)
/// ```
///
/// up to the sign. Above stand small integers, below factorials whose inverses are tabled.
#[derive(Debug)]
pub(crate) struct Lagrange {
    members: Vec<u32>,
    missing: Vec<u32>,
    top: u32,
    product_of_members: Scalar,
}

impl Lagrange {
    /// For the set of members marked in `present`, where index `i` stands for `x = i + 1`.
    pub(crate) fn new(present: &[bool; MAX_SEATS]) -> Lagrange {
        let at = |marked: bool| {
            let all = (1u32..).zip(present);
            all.filter(move |(_, present)| **present == marked).map(|(x, _)| x)
        };
        let members: Vec<u32> = at(true).collect();
        let top = members.last().copied().unwrap_or(0);
        let missing = at(false).take_while(|&x| x < top).collect();
        let product_of_members = product(members.iter().copied());
        Lagrange { members, missing, top, product_of_members }
    }

    /// The interpolating value of the member at `x`.
    pub(crate) fn value(&self, x: u32) -> Scalar {
        let magnitude = self.product_of_members
            * product(self.missing.iter().map(|k| k.abs_diff(x)))
            * INVERSE_FACTORIALS[x as usize]
            * INVERSE_FACTORIALS[(self.top - x) as usize];
        let members_below = self.members.partition_point(|&member| member < x);
        if members_below % 2 == 1 { -magnitude } else { magnitude }
    }
}

/// The inverses of `0!` to `128!`.
static INVERSE_FACTORIALS: LazyLock<Vec<Scalar>> = LazyLock::new(|| {
    let top = MAX_SEATS as u32;
    let mut inverses = vec![product(1..=top).invert()];
    for i in (1..=top).rev() {
        let above = inverses[inverses.len() - 1];
        inverses.push(above * scalar(u128::from(i)));
    }
    inverses.reverse();
    inverses
});

/// The product of positive integers, multiplied as integers for as long as they fit.
fn product(factors: impl Iterator<Item = u32>) -> Scalar {
    let mut product = Scalar::one();
    let mut packed = 1u128;
    for factor in factors.map(u128::from) {
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

fn scalar(value: u128) -> Scalar {
    // All callers multiply positive integers.
    MaybeScalar::from(value).into_option().expect("a product of positive integers is not zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in BIP-445, factor by factor.
    fn by_definition(members: &[u32], x: u32) -> Scalar {
        let mut value = MaybeScalar::one();
        for &k in members.iter().filter(|&&k| k != x) {
            let difference = scalar(u128::from(k.abs_diff(x))).invert();
            value *= scalar(u128::from(k)) * if k < x { -difference } else { difference };
        }
        value.unwrap()
    }

    fn assert_as_defined(members: &[u32]) {
        let mut present = [false; MAX_SEATS];
        for &x in members {
            present[x as usize - 1] = true;
        }
        let lagrange = Lagrange::new(&present);
        for &x in members {
            assert_eq!(lagrange.value(x), by_definition(members, x), "{x} of {members:?}");
        }
    }

    #[test]
    fn interpolating_values_are_those_of_the_definition() {
        assert_as_defined(&[1]);
        assert_as_defined(&[128]);
        assert_as_defined(&[1, 2]);
        assert_as_defined(&[1, 3]);
        assert_as_defined(&[2, 3, 127, 128]);
        assert_as_defined(&(1..=128).collect::<Vec<_>>());
        assert_as_defined(&(62..=128).collect::<Vec<_>>());
        assert_as_defined(&(1..=128).filter(|x| x % 3 != 1).collect::<Vec<_>>());
    }

    #[test]
    fn interpolating_values_add_up_to_one() {
        let mut present = [true; MAX_SEATS];
        present[5] = false;
        let lagrange = Lagrange::new(&present);
        let members = (1..=128u32).filter(|&x| x != 6);
        let sum: MaybeScalar = members.map(|x| lagrange.value(x)).sum();
        assert_eq!(sum, MaybeScalar::one());
    }
}
