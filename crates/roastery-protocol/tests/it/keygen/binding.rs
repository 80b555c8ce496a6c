//! Invitations, their names, and bindings that replace others.

use roastery_protocol::{
    group::{Group, GroupError, Member, NamedMember, PeerId, RebindError},
    keygen::{Invitation, InvitationError, MAX_INVITATION},
};

use super::world::*;
use roastery_testkit::{peer, seat};

/// A newer card of this seat: another identity key, another peer.
pub fn newer_card(at: usize, which: usize, sequence: u64) -> Member {
    let host = host(at);
    let identity_key = identity(which).public_key();
    let peer = PeerId::new("another node").unwrap();
    let binding = host.bind(&identity_key, &peer, sequence);
    Member { host_key: host.public_key(), identity_key, peer, sequence, binding }
}

fn group() -> Group {
    let mut world = World::new(2, 3);
    world.run();
    let bytes = world.node(0).group().unwrap().encode();
    Group::decode(&bytes).unwrap()
}

#[test]
fn a_newer_binding_replaces_identity_and_peer_and_keeps_the_key() {
    let group = group();
    let rebound = group.rebind(newer_card(1, 50, 1)).unwrap();
    assert_eq!(rebound.member(seat(1)).unwrap().identity_key, identity(50).public_key());
    assert!(rebound.is_member(&PeerId::new("another node").unwrap()));
    assert!(!rebound.is_member(&peer(seat(1))));
    assert_eq!(rebound.keys(), group.keys());
    assert_eq!(rebound.chain_code(), group.chain_code());
    assert_eq!(rebound.members()[0], group.members()[0]);
    assert_ne!(rebound.id(), group.id());
    assert!(rebound.rebind(newer_card(1, 51, u64::MAX)).is_ok());
}

#[test]
fn a_binding_that_is_not_newer_or_not_a_members_or_not_signed_is_refused() {
    let group = group().rebind(newer_card(1, 50, 5)).unwrap();
    for offered in [0, 4, 5] {
        let refused = group.rebind(newer_card(1, 51, offered)).unwrap_err();
        assert!(
            matches!(refused, RebindError::NotNewer { seat: at, known: 5, offered: is }
                if at == seat(1) && is == offered),
            "{refused}"
        );
    }
    let refused = group.rebind(newer_card(9, 51, 6)).unwrap_err();
    assert!(matches!(refused, RebindError::UnknownHostKey), "{refused}");
    let unsigned = Member { sequence: 7, ..newer_card(1, 51, 6) };
    let refused = group.rebind(unsigned).unwrap_err();
    assert!(
        matches!(refused, RebindError::Group(GroupError::Binding { seat: at }) if at == seat(1)),
        "{refused}"
    );
    // The identity key of seat 0.
    let refused = group.rebind(newer_card(1, 0, 6)).unwrap_err();
    assert!(matches!(refused, RebindError::Group(GroupError::SharedKey { .. })), "{refused}");
}

#[test]
fn an_invitation_is_read_as_it_was_written_and_every_part_of_it_is_in_its_name() {
    let cards: Vec<NamedMember> = (0..4).map(named).collect();
    let make = |name: &str, number, t, cards: &[NamedMember]| {
        Invitation::new(name, number, t, cards.to_vec()).unwrap()
    };
    let invitation = make("treasury", 0, 2, &cards);
    assert_eq!(Invitation::decode(&invitation.encode()).unwrap(), invitation);
    assert_eq!(invitation.named_members(), cards);
    let mut rebound = cards.clone();
    rebound[1].member = newer_card(1, 50, 1);
    let mut renamed = cards.clone();
    renamed[1].name = "another".parse().unwrap();
    let mut in_capitals = cards.clone();
    in_capitals[1].name = "Member 1".parse().unwrap();
    let others = [
        make("treasure", 0, 2, &cards),
        make("treasury", 1, 2, &cards),
        make("treasury", 0, 3, &cards),
        make("treasury", 0, 2, &cards[..3]),
        make("treasury", 0, 2, &[&cards[1..], &cards[..1]].concat()),
        make("treasury", 0, 2, &rebound),
        make("treasury", 0, 2, &renamed),
        make("treasury", 0, 2, &in_capitals),
    ];
    for other in others {
        assert_ne!(other.id(), invitation.id());
        assert_ne!(other.fingerprint().to_string(), invitation.fingerprint().to_string());
    }
    let shown = invitation.fingerprint().to_string();
    assert_eq!(shown.split(' ').count(), 8);
    assert!(shown.split(' ').all(|group| group.len() == 4));
    assert_eq!(shown.replace(' ', ""), invitation.id().to_string()[..32]);
}

#[test]
fn an_invitation_that_breaks_a_rule_is_refused_by_name() {
    let cards = |n| (0..n).map(named).collect::<Vec<NamedMember>>();
    let refused = |name: &str, t, cards| Invitation::new(name, 0, t, cards).unwrap_err();
    for name in ["", "a\nb", "treasury; true", &"x".repeat(65)[..]] {
        let error = refused(name, 2, cards(3));
        assert!(matches!(error, InvitationError::Name(_)), "{error}");
    }
    assert!(Invitation::new(&"x".repeat(64), 0, 2, cards(3)).is_ok());
    for (threshold, n) in [(0, 3), (1, 3), (4, 3), (2, 1), (2, 0)] {
        let error = refused("a", threshold, cards(n));
        assert!(matches!(error, InvitationError::Size { .. }), "{error}");
    }
    let mut unbound = cards(3);
    unbound[2].member.sequence = 1;
    let error = refused("a", 2, unbound);
    assert!(matches!(error, InvitationError::Members(GroupError::Binding { .. })), "{error}");
}

#[test]
fn a_member_that_stands_twice_in_an_invitation_is_named() {
    let refused = |change: &dyn Fn(&mut NamedMember)| {
        let mut cards: Vec<NamedMember> = (0..3).map(named).collect();
        change(&mut cards[2]);
        Invitation::new("a", 0, 2, cards).unwrap_err().to_string()
    };
    // Signs its line anew, so that nothing but the rule itself can be what refuses it.
    let line = |host_of: usize, identity_of: usize, peer: PeerId| {
        let (host, identity_key) = (host(host_of), identity(identity_of).public_key());
        let binding = host.bind(&identity_key, &peer, 0);
        Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
    };
    let own = || peer(seat(2));
    for (error, said) in [
        (refused(&|card| card.name = named(0).name), "two members are called member 0"),
        (refused(&|card| card.name = "MEMBER 1".parse().unwrap()), "called MEMBER 1"),
        (
            refused(&|card| card.member = line(2, 2, peer(seat(0)))),
            "member 0 and member 2 have the same peer",
        ),
        (
            refused(&|card| card.member = line(1, 2, own())),
            "member 1 and member 2 have the same host key",
        ),
        (
            refused(&|card| card.member = line(2, 1, own())),
            "member 1 and member 2 have the same identity key",
        ),
    ] {
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn one_node_holds_several_seats_under_one_name_and_one_peer() {
    let mut cards: Vec<NamedMember> = (0..5).map(named).collect();
    for at in [1, 3] {
        let (host, identity_key, peer) = (host(at), identity(at).public_key(), peer(seat(0)));
        let binding = host.bind(&identity_key, &peer, 0);
        let host_key = host.public_key();
        let member = Member { host_key, identity_key, peer, sequence: 0, binding };
        cards[at] = NamedMember { name: named(0).name, member };
    }
    let read = Invitation::decode(&Invitation::new("a", 0, 3, cards.clone()).unwrap().encode());
    let invitation = read.unwrap();
    let of = |at| invitation.seats_of(&peer(seat(at))).collect::<Vec<_>>();
    assert_eq!(of(0), [seat(0), seat(1), seat(3)]);
    assert_eq!((of(1), of(2)), (vec![], vec![seat(2)]));
    // In case only is another name.
    cards[3].name = "MEMBER 0".parse().unwrap();
    let error = Invitation::new("a", 0, 3, cards).unwrap_err();
    assert!(matches!(error, InvitationError::SamePeer { .. }), "{error}");
}

#[test]
fn a_members_name_that_is_none_is_refused_when_an_invitation_is_read() {
    let bytes = invitation(2, 3, 0).encode();
    let at = bytes.windows(8).position(|window| window == b"member 1").unwrap();
    let mut changed = bytes.clone();
    changed[at + 6] = b';';
    let error = Invitation::decode(&changed).unwrap_err();
    assert!(matches!(error, InvitationError::MemberName { member: 1, .. }), "{error}");
}

#[test]
fn an_invitation_of_another_length_or_version_is_not_read() {
    let bytes = invitation(2, 3, 0).encode();
    assert!(Invitation::decode(&[&bytes[..], &[0]].concat()).is_err());
    for length in 0..bytes.len() {
        assert!(Invitation::decode(&bytes[..length]).is_err());
    }
    let other = [&[2], &bytes[1..]].concat();
    let error = Invitation::decode(&other).unwrap_err();
    assert!(matches!(error, InvitationError::OtherVersion { version: 2 }));
    let error = Invitation::decode(&vec![1; MAX_INVITATION + 1]).unwrap_err();
    assert!(matches!(error, InvitationError::TooLong { .. }));
    let error = Invitation::decode(&vec![1; MAX_INVITATION]).unwrap_err();
    assert!(!matches!(error, InvitationError::TooLong { .. }));
}
