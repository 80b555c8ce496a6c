//! What is kept secret.

use roastery_frost::change::{ChangeOutput, DealError, DealtShare, deal, open};

use crate::behaviour::support::seat;
use crate::change::support::{Change, Group};

/// Compiles only where `T` is not `Clone`: otherwise both implementations apply.
trait NotClone<A> {
    const HOLDS: bool = true;
}
impl<T> NotClone<()> for T {}
impl<T: Clone> NotClone<u8> for T {}

#[test]
fn what_was_opened_and_taken_cannot_be_copied() {
    const { assert!(<DealtShare as NotClone<_>>::HOLDS) };
    const { assert!(<ChangeOutput as NotClone<_>>::HOLDS) };
}

#[test]
fn debug_shows_nothing_of_a_secret() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 2, 2);
    let dealing = change.deal(&old, 0);
    let dealt = open(&change.keys[1], &dealing).unwrap();
    assert_eq!(format!("{dealt:?}"), "DealtShare { dealer: Seat(0), receiver: Seat(1), .. }");
    let (_, takes) = change.take_all(&change.deal_all(&old, &[0, 1]));
    let output = format!("{:?}", takes[0].0);
    let group = format!("{:?}", takes[0].0.group());
    assert_eq!(output, format!("ChangeOutput {{ member: Seat(0), group: {group}, .. }}"));
}

#[test]
fn a_share_of_another_seat_or_group_is_not_dealt() {
    let (old, other) = (Group::new(2, 3), Group::new(3, 5));
    let change = Change::new(1, &old, 2, 2);
    for share in [&old.shares[1], &other.shares[0]] {
        let error = deal(&change.params, seat(0), share, &[0; 32]).unwrap_err();
        assert_eq!(error, DealError::Share { dealer: seat(0) });
    }
}

#[test]
fn a_dealing_holds_no_value_of_the_polynomial_in_the_clear() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 3, 4);
    let forger = crate::change::support::Forger::new(&change, &old, 1);
    let dealing = change.deal(&old, 1).to_bytes();
    let values = (1..=4).map(|x| forger.value(x)).chain(forger.polynomial.iter().copied());
    let secrets = values.map(|value| value.serialize()).chain([forger.secnonce.serialize()]);
    for secret in secrets {
        assert!(!dealing.windows(32).any(|window| window == secret));
    }
}
