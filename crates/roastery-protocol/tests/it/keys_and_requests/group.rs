//! Rows 64, 66: the group file and a node's own keys.

use roastery_frost::{GroupKeys, GroupKeysError, MaybePoint, Scalar, SecretShare, SigningKey};
use roastery_protocol::{
    group::{Group, GroupError, SeatKeysError},
    keys::IdentityKey,
    member::{
        engine::{FakeArithmetic, FakeEngine},
        machine::{Member, OpenError, Opening, RequestOrigin},
    },
};
use zeroize::Zeroizing;

use super::*;
use roastery_testkit::forge::files::{RawGroup, RawMember};

fn refusal(file: &RawGroup) -> GroupError {
    Group::decode(&file.bytes()).unwrap_err()
}

// Row 64: a dealer's file with public shares that lie on no polynomial.

#[test]
fn public_shares_that_lie_on_no_polynomial_are_refused_at_load() {
    for (t, n) in [(2, 2), (2, 3), (3, 5), (5, 5), (4, 7)] {
        let file = RawGroup::of(&Fixture::new(t, n).group);
        assert!(Group::decode(&file.bytes()).is_ok());
        let mut wrong = Vec::new();
        for at in 0..n {
            let mut one = file.clone();
            one.shares[at] = multiple(99).serialize();
            wrong.push(one);
            // The negative of the right one.
            let mut one = file.clone();
            one.shares[at][0] ^= 1;
            wrong.push(one);
            let mut two = file.clone();
            two.shares.swap(at, (at + 1) % n);
            wrong.push(two);
        }
        wrong.push(RawGroup { key: multiple(99).serialize(), ..file.clone() });
        for file in wrong {
            let refused = refusal(&file);
            assert!(
                matches!(refused, GroupError::Keys(GroupKeysError::NotOnePolynomial { .. })),
                "{t} of {n}: {refused}"
            );
        }
    }
}

#[test]
fn errors_in_several_shares_that_cancel_in_a_sum_are_refused_all_the_same() {
    // 1 more at one seat and 1 less at another: a plain sum of the shares is the same.
    let mut file = RawGroup::of(&Fixture::new(3, 5).group);
    let shifted = |share: [u8; 33], by: Scalar| {
        let point = roastery_frost::decode_point(&share).unwrap() + by.base_point_mul();
        MaybePoint::into_option(point).unwrap().serialize()
    };
    file.shares[1] = shifted(file.shares[1], Scalar::one());
    file.shares[3] = shifted(file.shares[3], -Scalar::one());
    let refused = refusal(&file);
    assert!(matches!(refused, GroupError::Keys(GroupKeysError::NotOnePolynomial { .. })));
}

#[test]
fn a_threshold_below_that_of_the_polynomial_is_refused() {
    for (t, n) in [(3, 3), (3, 5), (5, 5)] {
        let file = RawGroup::of(&Fixture::new(t, n).group);
        let refused = refusal(&RawGroup { threshold: t as u16 - 1, ..file });
        assert!(matches!(refused, GroupError::Keys(GroupKeysError::NotOnePolynomial { .. })));
    }
}

#[test]
fn a_share_or_key_that_is_no_point_is_refused() {
    let file = RawGroup::of(&Fixture::new(2, 3).group);
    for bad in [NO_POINT, INFINITY, [0xff; 33]] {
        let mut share = file.clone();
        share.shares[1] = bad;
        let mut host = file.clone();
        host.members[1].host_key = bad;
        let key = RawGroup { key: bad, ..file.clone() };
        for file in [share, host, key] {
            assert!(matches!(refusal(&file), GroupError::Encoding(_)));
        }
    }
    let mut identity = file;
    identity.members[1].identity_key = NO_POINT[1..].try_into().unwrap();
    assert!(matches!(refusal(&identity), GroupError::Encoding(_)));
}

#[test]
fn a_group_has_2_to_128_seats_and_a_threshold_of_2_to_all_of_them() {
    for (n, threshold, good) in [
        (2, 2, true),
        (3, 2, true),
        (3, 3, true),
        (128, 2, true),
        (128, 128, true),
        (3, 0, false),
        (3, 1, false),
        (3, 4, false),
        (3, 258, false),
        (1, 1, false),
        (1, 2, false),
        (0, 0, false),
        (0, 2, false),
        (129, 2, false),
    ] {
        let file = RawGroup { threshold, ..RawGroup::fixed(n, 1) };
        match (Group::decode(&file.bytes()), good) {
            (Ok(group), true) => assert_eq!(group.size(), n),
            (Err(GroupError::Keys(_) | GroupError::Size { .. }), false) => {}
            (result, _) => panic!("{threshold} of {n}: {result:?}"),
        }
    }
    // One member whose key is a constant polynomial is sound as keys, and no group.
    let lone = GroupKeys::new(1, multiple(5), vec![multiple(5)]).unwrap();
    let refused = Group::new(lone, [0; 32], vec![member_of(0)]).unwrap_err();
    assert!(matches!(refused, GroupError::Size { threshold: 1, members: 1 }));
}

fn member_of(at: usize) -> roastery_protocol::group::Member {
    member(at, &IdentityKey::new(SigningKeyOf(1).at(at)))
}

#[test]
fn there_are_as_many_members_as_public_shares() {
    let file = RawGroup::fixed(3, 8);
    let mut fewer = file.clone();
    fewer.members.pop();
    let mut more = file;
    more.members.push(RawMember::fixed(3, 8));
    assert!(matches!(refusal(&fewer), GroupError::Count { members: 2, shares: 3 }));
    assert!(matches!(refusal(&more), GroupError::Count { members: 4, shares: 3 }));
}

// Row 66: keys that are shared, and whose they are.

/// The same x coordinate on the other side.
fn negative(key: &SigningKey) -> SigningKey {
    let scalar = -Scalar::from_slice(key.expose_bytes().as_ref()).unwrap();
    SigningKey::from_bytes(Zeroizing::new(scalar.serialize())).unwrap()
}

#[test]
fn no_key_serves_twice_neither_two_seats_nor_two_purposes() {
    let file = RawGroup::fixed(3, 8);
    let (host, identity) = (SigningKeyOf(100), SigningKeyOf(1));
    // Of seat 2: the host key that signs, and the identity key.
    let cases = [
        (host.at(2), identity.at(0), 0),
        (host.at(2), negative(&identity.at(1)), 1),
        (host.at(0), identity.at(2), 0),
        (negative(&host.at(0)), identity.at(2), 0),
        (host.at(2), host.at(1), 1),
        (identity.at(1), identity.at(2), 1),
        (host.at(2), host.at(2), 2),
        (host.at(2), negative(&host.at(2)), 2),
    ];
    for (case, (host, identity, earlier)) in cases.into_iter().enumerate() {
        let mut file = file.clone();
        let line = &mut file.members[2];
        line.host_key = host.plain_public_key().serialize();
        line.identity_key = identity.public_key().to_bytes();
        line.bind(&host);
        match refusal(&file) {
            GroupError::SharedKey { seat: later, other } => {
                assert_eq!((later, other), (seat(2), seat(earlier)), "case {case}");
            }
            other => panic!("case {case}: {other}"),
        }
    }
}

#[test]
fn one_peer_may_serve_several_seats() {
    let mut file = RawGroup::fixed(3, 8);
    file.members[2].peer = file.members[0].peer.clone();
    file.members[2].bind(&SigningKeyOf(100).at(2));
    let group = Group::decode(&file.bytes()).unwrap();
    assert_eq!(group.member(seat(0)).unwrap().peer, group.member(seat(2)).unwrap().peer);
}

#[test]
fn a_binding_that_the_host_key_did_not_sign_as_it_stands_is_refused() {
    let file = RawGroup::fixed(3, 8);
    let change = |change: &dyn Fn(&mut RawMember)| {
        let mut file = file.clone();
        change(&mut file.members[1]);
        file
    };
    let other_identity = SigningKeyOf(1).at(77).public_key().to_bytes();
    let changed = [
        change(&|line| line.binding = [0; 64]),
        change(&|line| line.binding[63] ^= 1),
        change(&|line| line.sequence += 1),
        change(&|line| line.peer.0[7] ^= 1),
        change(&|line| line.peer.0.truncate(7)),
        change(&|line| line.identity_key = other_identity),
        change(&|line| line.host_key = multiple(77).serialize()),
        // Signed, but by another host, by the identity key, and for another seat's line.
        change(&|line| line.bind(&SigningKeyOf(100).at(0))),
        change(&|line| line.bind(&SigningKeyOf(1).at(1))),
        change(&|line| line.binding = file.members[0].binding),
    ];
    for (case, file) in changed.iter().enumerate() {
        let refused = refusal(file);
        assert!(
            matches!(refused, GroupError::Binding { seat: at } if at == seat(1)),
            "case {case}: {refused}"
        );
    }
}

#[test]
fn every_part_of_the_file_makes_the_group_another_one() {
    let file = RawGroup::fixed(3, 8);
    let id = |file: &RawGroup| Group::decode(&file.bytes()).unwrap().id();
    let mut renewed = file.clone();
    renewed.members[1].sequence += 1;
    renewed.members[1].bind(&SigningKeyOf(100).at(1));
    let others = [
        RawGroup { chain_code: [0xcd; 32], ..file.clone() },
        RawGroup { threshold: 3, ..file.clone() },
        renewed,
        RawGroup { epoch: 1, plan: [1; 32], ..file.clone() },
        RawGroup { epoch: 2, plan: [1; 32], ..file.clone() },
        RawGroup { epoch: 1, plan: [2; 32], ..file.clone() },
    ];
    let ids = others.iter().chain([&file]).map(id).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(ids.len(), others.len() + 1);
}

#[test]
fn a_file_whose_epoch_and_plan_do_not_belong_together_is_refused() {
    let file = RawGroup::fixed(3, 8);
    for (epoch, plan) in [(0, [1; 32]), (1, [0; 32])] {
        let refused = refusal(&RawGroup { epoch, plan, ..file.clone() });
        assert!(matches!(refused, GroupError::Encoding(_)), "{refused}");
    }
}

#[test]
fn the_key_id_is_that_of_key_and_chain_code_and_stays_in_every_epoch() {
    let file = RawGroup::fixed(3, 8);
    let key_id = |file: &RawGroup| Group::decode(&file.bytes()).unwrap().key_id();
    let mut renewed = file.clone();
    renewed.members[1].sequence += 1;
    renewed.members[1].bind(&SigningKeyOf(100).at(1));
    let changed = RawGroup { epoch: 3, plan: [1; 32], ..RawGroup::fixed(5, 8) };
    for same in [&renewed, &changed] {
        assert_eq!(key_id(same), key_id(&file));
    }
    let other_code = RawGroup { chain_code: [0xcd; 32], ..file.clone() };
    assert_ne!(key_id(&other_code), key_id(&file));
    assert_ne!(Fixture::new(2, 3).group.key_id(), Fixture::new(2, 3).group.key_id());
}

#[test]
fn a_newer_binding_leaves_a_group_in_its_epoch() {
    let file = RawGroup { epoch: 3, plan: [1; 32], ..RawGroup::fixed(3, 8) };
    let group = Group::decode(&file.bytes()).unwrap();
    let mut renewed = file;
    renewed.members[1].sequence += 1;
    renewed.members[1].bind(&SigningKeyOf(100).at(1));
    let expected = Group::decode(&renewed.bytes()).unwrap();
    let rebound = group.rebind(expected.members()[1].clone()).unwrap();
    assert_eq!((rebound.epoch(), rebound.id()), (group.epoch(), expected.id()));
}

#[test]
fn a_node_whose_own_keys_are_not_those_of_its_seat_is_refused() {
    let fixture = Fixture::new(2, 3);
    let group = &fixture.group;
    let (own, other, none) = (seat(1), seat(2), seat(3));
    let identity = |at: Seat| fixture.identities[at.index()].as_ref();
    let check = |at, identity, share: SecretShare| group.check_seat_keys(at, identity, &share);
    assert_eq!(check(own, identity(own), fixture.share(own)), Ok(()));
    let wrong = check(own, identity(own), fixture.share(other));
    assert_eq!(wrong, Err(SeatKeysError::Share { seat: own }));
    let negative = -Scalar::from_slice(fixture.share(own).expose_bytes().as_ref()).unwrap();
    let negative = SecretShare::from_bytes(Zeroizing::new(negative.serialize())).unwrap();
    let wrong = check(own, identity(own), negative);
    assert_eq!(wrong, Err(SeatKeysError::Share { seat: own }));
    let wrong = check(own, identity(other), fixture.share(own));
    assert_eq!(wrong, Err(SeatKeysError::Identity { seat: own }));
    let wrong = check(none, identity(own), fixture.share(own));
    assert_eq!(wrong, Err(SeatKeysError::NoSuchSeat { seat: none, members: 3 }));
}

/// A node of these seats of a 2-of-3, each with the identity key of a seat.
fn node(fixture: &Fixture, seats: &[(usize, usize)]) -> Result<TestMember, OpenError> {
    let opening = Opening {
        group: fixture.group.clone(),
        seats: seats.iter().map(|(at, of)| (seat(*at), fixture.identities[*of].clone())).collect(),
        last_incarnation: None,
        proofs: Vec::new(),
        engine: FakeEngine::new(seats.iter().map(|(at, _)| seat(*at))),
        arithmetic: FakeArithmetic::default(),
        entropy: Box::new(|| Some([1; 8])),
    };
    Member::new(opening, fixture.now)
}

type TestMember = Member<FakeEngine, FakeArithmetic>;

#[test]
fn a_node_takes_part_only_with_its_own_seats_and_identities_and_opens_the_groups_requests_only() {
    let fixture = Fixture::new(2, 3);
    assert_eq!(node(&fixture, &[]).err(), Some(OpenError::NoSeat));
    let other_identity = OpenError::OtherIdentity { seat: seat(1) };
    assert_eq!(node(&fixture, &[(1, 2)]).err(), Some(other_identity));
    // The seats 0 and 1 are on two peers, and no node has a seat twice.
    for seats in [[(0, 0), (1, 1)], [(1, 1), (1, 1)]] {
        let not_its = OpenError::NotItsSeat { seat: seat(1) };
        assert_eq!(node(&fixture, &seats).err(), Some(not_its));
    }
    let mut member = node(&fixture, &[(1, 1)]).unwrap();
    let elsewhere = Fixture::with_identities(2, 3, 2).request(1);
    let opened = member.open(elsewhere, RequestOrigin::Proposed, fixture.now);
    assert_eq!(opened, Err(OpenError::OtherGroup));
    assert!(member.open(fixture.request(1), RequestOrigin::Proposed, fixture.now).is_ok());
}
