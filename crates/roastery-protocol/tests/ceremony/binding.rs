//! Invitations, their names, and bindings that replace others.

use roastery_protocol::{
    ceremony::{Invitation, InvitationError, MAX_INVITATION},
    group::{Group, GroupError, Member, PeerId, RebindError},
};

use super::{
    support::{peer, seat},
    world::*,
};

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
    let cards: Vec<Member> = (0..4).map(card).collect();
    let make = |name: &str, number, t, cards: &[Member]| {
        Invitation::new(name, number, t, cards.to_vec()).unwrap()
    };
    let invitation = make("treasury", 0, 2, &cards);
    assert_eq!(Invitation::decode(&invitation.encode()).unwrap(), invitation);
    let mut rebound = cards.clone();
    rebound[1] = newer_card(1, 50, 1);
    let others = [
        make("treasure", 0, 2, &cards),
        make("treasury", 1, 2, &cards),
        make("treasury", 0, 3, &cards),
        make("treasury", 0, 2, &cards[..3]),
        make("treasury", 0, 2, &[&cards[1..], &cards[..1]].concat()),
        make("treasury", 0, 2, &rebound),
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
    let cards = |n| (0..n).map(card).collect::<Vec<Member>>();
    let refused = |name: &str, t, cards| Invitation::new(name, 0, t, cards).unwrap_err();
    for (name, length) in [("", 0), ("a\nb", 3), (&"x".repeat(65)[..], 65)] {
        let error = refused(name, 2, cards(3));
        assert!(matches!(error, InvitationError::Name { length: is } if is == length), "{error}");
    }
    assert!(Invitation::new(&"x".repeat(64), 0, 2, cards(3)).is_ok());
    for (threshold, n) in [(0, 3), (1, 3), (4, 3), (2, 1), (2, 0)] {
        let error = refused("a", threshold, cards(n));
        assert!(matches!(error, InvitationError::Size { .. }), "{error}");
    }
    let mut twice = cards(3);
    twice[2] = card(0);
    let error = refused("a", 2, twice);
    assert!(matches!(error, InvitationError::Members(GroupError::SharedKey { .. })), "{error}");
    let mut unbound = cards(3);
    unbound[2].sequence = 1;
    let error = refused("a", 2, unbound);
    assert!(matches!(error, InvitationError::Members(GroupError::Binding { .. })), "{error}");
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
