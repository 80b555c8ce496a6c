//! Changes of any size, and bytes of any kind.

use proptest::collection::vec;
use proptest::prelude::*;
use roastery_frost::change::{Certificate, Dealing};

use crate::behaviour::support::{TestRng, seat, some_seats};
use crate::change::support::{Change, Group};

/// `2 <= t <= n <= 9`.
fn size() -> impl Strategy<Value = (usize, usize)> {
    (2..=9usize).prop_flat_map(|n| (2..=n, Just(n)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_change_between_any_sizes_keeps_the_key_and_is_recovered_from_its_bytes(
        (t, n) in size(), (new_t, new_n) in size(), seed in any::<u64>(), plan in 0..1000usize,
    ) {
        let mut rng = TestRng::new(seed);
        let old = Group::new(t, n);
        let change = Change::new(plan, &old, new_t, new_n);
        let mut some = |n, t| -> Vec<usize> {
            some_seats(n, t, &mut rng).into_iter().map(|seat| seat.index()).collect()
        };
        let (new, certificate) = change.run(&old, &some(n, t));
        prop_assert_eq!(new.secret(&some(new_n, new_t)), old.secret(&some(n, t)));
        let bytes = certificate.to_bytes();
        prop_assert_eq!(bytes.len(), 32 + 131 * t + 33 * (new_t - 1) + 96 * new_n);
        let read = Certificate::parse(&change.params, &bytes).unwrap();
        for (key, share) in change.keys.iter().zip(&new.shares) {
            let recovered = read.recover(key).unwrap();
            prop_assert_eq!(recovered.share().expose_bytes(), share.expose_bytes());
        }
    }

    #[test]
    fn bytes_of_any_kind_are_refused_and_nothing_panics(
        bytes in vec(any::<u8>(), 0..700), at in any::<prop::sample::Index>(), value in any::<u8>(),
    ) {
        let old = Group::new(2, 3);
        let change = Change::new(1, &old, 2, 3);
        prop_assert!(Dealing::parse(&change.params, seat(1), &bytes).is_err());
        prop_assert!(Certificate::parse(&change.params, &bytes).is_err());
        // Of the right length, and right but for one byte.
        let mut dealing = change.deal(&old, 1).to_bytes();
        let at = at.index(dealing.len());
        prop_assume!(dealing[at] != value);
        dealing[at] = value;
        prop_assert!(Dealing::parse(&change.params, seat(1), &dealing).is_err());
    }
}
