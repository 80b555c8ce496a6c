//! Groups and signer sets.

use roastery_frost::danger_trusted_dealer::{DealError, deal_secret};
use roastery_frost::{
    GroupKeys, GroupKeysError, MAX_SEATS, Point, Seat, Signers, SignersError, decode_point,
};
use zeroize::Zeroizing;

use crate::behaviour::support::{TestRng, deal, order_plus, seat, some_seats};

#[test]
fn seats_go_up_to_127() {
    assert_eq!(Seat::new(0).expect("a seat").index(), 0);
    assert_eq!(Seat::new(127).expect("a seat").to_u16(), 127);
    assert_eq!(Seat::new(127).expect("a seat").to_string(), "127");
    for id in [128, 255, 256, u32::MAX] {
        let error = Seat::new(id).expect_err("no seat");
        assert_eq!(error.id(), id);
        assert_eq!(error.to_string(), format!("seat {id} is out of range, allowed are 0 to 127"));
    }
}

#[test]
fn a_group_has_1_to_128_seats() {
    let mut rng = TestRng::new(1);
    let (largest, _) = deal(3, MAX_SEATS, &mut rng);
    assert_eq!(largest.n(), 128);
    let (smallest, _) = deal(1, 1, &mut rng);
    assert_eq!(smallest.public_shares(), [smallest.threshold_public_key()]);

    let key = largest.threshold_public_key();
    let mut shares = largest.public_shares().to_vec();
    shares.push(key);
    assert_eq!(GroupKeys::new(3, key, shares), Err(GroupKeysError::Seats { n: 129 }));
    assert_eq!(GroupKeys::new(1, key, vec![]), Err(GroupKeysError::Seats { n: 0 }));
}

#[test]
fn a_threshold_is_1_to_n() {
    let (group, _) = deal(1, 3, &mut TestRng::new(2));
    let with = |threshold| {
        GroupKeys::new(threshold, group.threshold_public_key(), group.public_shares().to_vec())
    };
    assert_eq!(with(0), Err(GroupKeysError::Threshold { threshold: 0, n: 3 }));
    assert!(with(1).is_ok());
    // The degree is below the threshold, not equal to the threshold minus one.
    assert!(with(3).is_ok());
    assert_eq!(with(4), Err(GroupKeysError::Threshold { threshold: 4, n: 3 }));
}

#[test]
fn the_dealer_refuses_what_no_group_can_be() {
    let mut rng = TestRng::new(3);
    let mut deal = |secret, t, n| {
        deal_secret(&Zeroizing::new(secret), t, n, &mut rng).map(|(group, _)| group.n())
    };
    assert_eq!(deal(order_plus(-1), 2, 3), Ok(3));
    assert_eq!(deal([0; 32], 2, 3), Err(DealError::Secret));
    assert_eq!(deal(order_plus(0), 2, 3), Err(DealError::Secret));
    assert_eq!(deal([1; 32], 2, 129), Err(GroupKeysError::Seats { n: 129 }.into()));
    assert_eq!(deal([1; 32], 0, 3), Err(GroupKeysError::Threshold { threshold: 0, n: 3 }.into()));
    assert_eq!(deal([1; 32], 4, 3), Err(GroupKeysError::Threshold { threshold: 4, n: 3 }.into()));
}

#[test]
fn a_share_off_the_polynomial_is_refused_wherever_it_is() {
    for (t, n) in [(1, 2), (1, 5), (2, 3), (3, 5), (4, 5), (5, 5), (40, 60)] {
        let (group, _) = deal(t, n, &mut TestRng::new((t * n) as u64));
        let key = group.threshold_public_key();
        for i in 0..n {
            let mut shares = group.public_shares().to_vec();
            shares[i] = moved(shares[i]);
            let refused = Err(GroupKeysError::NotOnePolynomial { threshold: t });
            assert_eq!(GroupKeys::new(t, key, shares), refused, "share {i} of {t} of {n}");
        }
    }
}

#[test]
fn a_threshold_key_off_the_polynomial_is_refused() {
    for (t, n) in [(1, 1), (1, 4), (2, 3), (5, 5), (67, 100)] {
        let (group, _) = deal(t, n, &mut TestRng::new((t + n) as u64));
        for key in [moved(group.threshold_public_key()), -group.threshold_public_key()] {
            let keys = GroupKeys::new(t, key, group.public_shares().to_vec());
            assert_eq!(keys, Err(GroupKeysError::NotOnePolynomial { threshold: t }));
        }
    }
}

#[test]
fn shares_that_are_wrong_in_opposite_ways_are_refused() {
    let (group, _) = deal(3, 6, &mut TestRng::new(4));
    let key = group.threshold_public_key();
    let shares = group.public_shares();
    let refused = Err(GroupKeysError::NotOnePolynomial { threshold: 3 });

    let mut swapped = shares.to_vec();
    swapped.swap(1, 4);
    assert_eq!(GroupKeys::new(3, key, swapped), refused);

    let mut cancelling = shares.to_vec();
    cancelling[0] = (shares[0] + key).unwrap();
    cancelling[1] = (shares[1] - key).unwrap();
    assert_eq!(GroupKeys::new(3, key, cancelling), refused);
}

#[test]
fn a_polynomial_of_too_high_a_degree_is_refused() {
    let (group, _) = deal(5, 8, &mut TestRng::new(5));
    let with = |threshold| {
        GroupKeys::new(threshold, group.threshold_public_key(), group.public_shares().to_vec())
    };
    assert_eq!(with(4), Err(GroupKeysError::NotOnePolynomial { threshold: 4 }));
    assert_eq!(with(5), Ok(group.clone()));
}

#[test]
fn a_secret_share_matches_its_own_seat_only() {
    let (group, shares) = deal(2, 3, &mut TestRng::new(6));
    for (i, share) in shares.iter().enumerate() {
        for id in 0..5 {
            assert_eq!(share.matches(&group, seat(id)), id as usize == i);
        }
    }
}

#[test]
fn signers_are_t_to_n_distinct_seats_of_the_group() {
    let (group, _) = deal(2, 3, &mut TestRng::new(7));
    let signers = |ids: &[u32]| {
        let seats: Vec<Seat> = ids.iter().map(|&id| seat(id)).collect();
        group.signers(&seats).map(|signers| signers.seats().to_vec())
    };
    let count = |signers| Err(SignersError::Count { signers, threshold: 2, n: 3 });
    assert_eq!(signers(&[]), count(0));
    assert_eq!(signers(&[1]), count(1));
    assert_eq!(signers(&[2, 0]), Ok(vec![seat(2), seat(0)]));
    assert_eq!(signers(&[1, 2, 0]), Ok(vec![seat(1), seat(2), seat(0)]));
    assert_eq!(signers(&[0, 1, 2, 3]), count(4));
    assert_eq!(signers(&[0, 3]), Err(SignersError::Seat { index: 1, id: 3, n: 3 }));
    assert_eq!(signers(&[2, 0, 2]), Err(SignersError::Duplicate { seat: seat(2) }));
}

#[test]
fn signers_of_a_group_are_those_that_the_bip_validates() {
    let mut rng = TestRng::new(8);
    let (group, _) = deal(3, 7, &mut rng);
    for count in 3..=7 {
        let seats = some_seats(7, count, &mut rng);
        let ids: Vec<u32> = seats.iter().map(|&seat| seat.into()).collect();
        let encoded = |seat: &Seat| group.public_share(*seat).expect("a share").serialize();
        let shares: Vec<[u8; 33]> = seats.iter().map(encoded).collect();
        let key = group.threshold_public_key().serialize();

        let ours = group.signers(&seats).expect("signers");
        let theirs = Signers::validate(7, 3, &ids, &shares, &key).expect("signers");
        assert_eq!(ours.seats(), theirs.seats());
        for &seat in &seats {
            assert_eq!(ours.interpolating_value(seat), theirs.interpolating_value(seat));
            assert_eq!(ours.public_share(seat), theirs.public_share(seat));
        }

        let mut wrong = shares.clone();
        wrong.swap(0, 1);
        let refused = Signers::validate(7, 3, &ids, &wrong, &key).map(drop);
        assert_eq!(refused, Err(SignersError::KeyMaterial));
        let refused = Signers::validate(7, 3, &ids, &shares[1..], &key).map(drop);
        let lengths = SignersError::Lengths { ids: count, public_shares: count - 1 };
        assert_eq!(refused, Err(lengths));
        let refused = Signers::validate(7, 3, &ids, &shares, &[9; 33]).map(drop);
        assert_eq!(refused, Err(SignersError::ThresholdPublicKey));
    }
}

#[test]
fn validation_refuses_numbers_out_of_bounds() {
    let (group, _) = deal(1, 2, &mut TestRng::new(9));
    let key = group.threshold_public_key().serialize();
    let validate = |n, t, ids: &[u32]| {
        let shares = vec![key; ids.len()];
        Signers::validate(n, t, ids, &shares, &key).map(drop)
    };
    assert_eq!(validate(0, 1, &[0]), Err(SignersError::Group { n: 0 }));
    assert_eq!(validate(129, 1, &[0]), Err(SignersError::Group { n: 129 }));
    assert_eq!(validate(128, 1, &[127]), Ok(()));
    assert_eq!(validate(128, 0, &[0]), Err(SignersError::Threshold { threshold: 0, n: 128 }));
    assert_eq!(validate(3, 4, &[0]), Err(SignersError::Threshold { threshold: 4, n: 3 }));
    assert_eq!(validate(128, 1, &[128]), Err(SignersError::Seat { index: 0, id: 128, n: 128 }));
    let huge = u32::MAX;
    assert_eq!(validate(3, 1, &[0, huge]), Err(SignersError::Seat { index: 1, id: huge, n: 3 }));
}

#[test]
fn a_point_decodes_from_its_own_encoding_only() {
    let (group, _) = deal(2, 3, &mut TestRng::new(10));
    for &point in group.public_shares() {
        assert_eq!(decode_point(&point.serialize()), Ok(point));
    }
    assert!(decode_point(&[0; 33]).is_err());
}

/// Another point.
fn moved(point: Point) -> Point {
    (point + Point::generator()).unwrap()
}
