//! What shares of different times give together: nothing.

use roastery_frost::{
    MaybeScalar, NonceGenInputs, SessionContext, SignError, TweakContext, nonce_agg, nonce_gen,
    sign,
};

use crate::behaviour::support::{TestRng, seat};
use crate::change::support::{Change, Forger, Group, interpolate, scalar};

/// The polynomial with these roots and the value `at_zero`.
fn with_roots(roots: &[usize], at_zero: MaybeScalar) -> Vec<MaybeScalar> {
    let mut polynomial = vec![at_zero];
    for &root in roots {
        // Times 1 - x / root.
        let factor = -scalar(root).invert();
        polynomial.push(MaybeScalar::Zero);
        for k in (1..polynomial.len()).rev() {
            let below = polynomial[k - 1];
            polynomial[k] += below * factor;
        }
    }
    polynomial
}

#[test]
fn what_all_but_one_of_the_old_and_of_the_new_threshold_see_fits_every_key() {
    // Old seats 0 and 1 of 3-of-5 and new seats 1, 3 and 6 of 4-of-7 are one adversary.
    let (dealers, corrupt) = ([0, 1, 2], [1, 3, 6]);
    let old = Group::new(3, 5);
    let mut views = Vec::new();
    for shift in 0..4u128 {
        // Another key, of which the adversary has the same old shares.
        let moved = with_roots(&[1, 2], shift.into());
        let other = old.plus(&moved);
        let change = Change::new(1, &other, 4, 7);
        let mut forgers = dealers.map(|dealer| Forger::new(&change, &other, dealer));
        // The honest dealer's polynomial with the first key, moved where nothing of it is seen.
        forgers[2].polynomial = Forger::new(&change, &old, 2).polynomial;
        let at_dealer = forgers[2].share - old.scalar(2);
        let hidden = with_roots(&corrupt.map(|seat| seat + 1), at_dealer);
        for (coefficient, hidden) in forgers[2].polynomial.iter_mut().zip(hidden) {
            *coefficient += hidden;
        }
        let dealings: Vec<_> = forgers.iter().map(|forger| forger.deal(&change)).collect();
        let (new, _) = change.run_with(&dealings);
        assert_eq!(new.secret(&[0, 2, 4, 5]), old.secret(&dealers) + MaybeScalar::from(shift));
        let seen = corrupt.map(|seat| (new.scalar(seat), forgers[2].value(seat + 1)));
        views.push((other.scalar(0), other.scalar(1), seen));
    }
    assert!(views.iter().all(|view| *view == views[0]));
}

#[test]
fn a_share_from_before_a_change_signs_nothing_after_it() {
    let old = Group::new(3, 5);
    let (new, _) = Change::new(1, &old, 3, 5).run(&old, &[0, 1, 2]);
    let mut rng = TestRng::new(1);
    let seats = [seat(0), seat(1), seat(2)];
    let inputs = NonceGenInputs::default();
    let nonces: Vec<_> = (0..3).map(|_| nonce_gen(&mut rng, &inputs).unwrap()).collect();
    let signers = new.keys.signers(&seats).unwrap();
    let tweaks = TweakContext::new(new.keys.threshold_public_key());
    let aggregate = nonce_agg(nonces.iter().map(|(_, public)| public));
    let session = SessionContext::new(&signers, &aggregate, &tweaks, b"message").unwrap();
    for ((nonce, _), (seat, share)) in nonces.into_iter().zip(seats.iter().zip(&old.shares)) {
        let refused = sign(nonce, share, *seat, &session).map(drop);
        assert_eq!(refused, Err(SignError::OtherShare { seat: *seat }));
    }
    for (share, seat) in old.shares.iter().zip(seats) {
        assert!(!share.matches(&new.keys, seat));
    }
}

#[test]
fn old_shares_and_new_ones_together_hold_no_key() {
    let old = Group::new(3, 5);
    let (new, _) = Change::new(1, &old, 3, 5).run(&old, &[1, 2, 4]);
    let secret = old.secret(&[0, 1, 2]);
    // Each of three seats with its old share or its new one, both kinds among them.
    for kinds in 1..7u32 {
        let share = |i: usize| if kinds >> i & 1 == 1 { new.scalar(i) } else { old.scalar(i) };
        let points: Vec<_> = (0..3).map(|i| (i + 1, share(i))).collect();
        assert_ne!(interpolate(&points), secret, "{kinds:03b}");
    }
}

#[test]
fn the_share_of_a_removed_member_is_worthless_beside_all_but_one_of_a_new_threshold() {
    let old = Group::new(3, 5);
    let change = Change::without(1, &old, &[seat(4)], 3, 4);
    let (new, _) = change.run(&old, &[0, 1, 3]);
    let secret = old.secret(&[0, 1, 2]);
    for (one, two) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        let members = [(one + 1, new.scalar(one)), (two + 1, new.scalar(two))];
        for x in 1..=128 {
            if x != one + 1 && x != two + 1 {
                let points = [members[0], members[1], (x, old.scalar(4))];
                assert_ne!(interpolate(&points), secret);
            }
        }
        assert_ne!(interpolate(&members), secret);
    }
}

#[test]
fn two_plans_of_one_group_give_shares_that_do_not_fit_each_other() {
    let old = Group::new(2, 3);
    let (one, _) = Change::new(1, &old, 3, 4).run(&old, &[0, 1]);
    let (two, _) = Change::new(2, &old, 3, 4).run(&old, &[0, 1]);
    let secret = old.secret(&[0, 1]);
    assert_eq!([one.secret(&[0, 1, 2]), two.secret(&[1, 2, 3])], [secret; 2]);
    let mixed = [(1, one.scalar(0)), (2, one.scalar(1)), (3, two.scalar(2))];
    assert_ne!(interpolate(&mixed), secret);
    for (one, two) in one.shares.iter().zip(&two.shares) {
        assert_ne!(one.public_share(), two.public_share());
    }
}

#[test]
fn a_refresh_gives_every_seat_another_share_that_is_not_zero() {
    let old = Group::new(3, 5);
    let (new, _) = Change::new(1, &old, 3, 5).run(&old, &[0, 2, 3]);
    assert_eq!(new.keys.threshold_public_key(), old.keys.threshold_public_key());
    for i in 0..5 {
        assert_ne!(new.scalar(i), old.scalar(i));
        assert_ne!(MaybeScalar::from(new.scalar(i)), MaybeScalar::Zero);
    }
}
