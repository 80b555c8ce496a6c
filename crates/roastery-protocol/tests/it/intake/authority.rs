//! Rows 1, 2, 3: which sender may send what.

use roastery_protocol::{
    group::{Group, Member, PeerId},
    keys::{HostKey, IdentityKey},
    machine::Machine,
    message::{EnvelopeError, MAX_EVIDENCE_ENVELOPE, Malformation},
    signing::{DeclineReason, Event, Rejected},
};

use super::*;

// Row 1: a member broadcasts a garbage package before the real one.

#[test]
fn a_package_that_the_coordinator_did_not_sign_leaves_the_signer_waiting_for_the_real_one() {
    let mut scene = Scene::new();
    let real = scene.package();
    let (sender, signer, bystander) = (scene.coordinator, scene.others[0], scene.others[3]);
    let raw = Raw::of(&real);
    let mut other = raw.read::<RawPackage>();
    other.aggregates[0] = nonce(1).to_bytes();
    let other = raw.clone().content(&other);
    let forgeries = [
        raw.unsigned(),
        raw.signed_by(bystander.index()),
        other.unsigned(),
        other.signed_by(bystander.index()),
        other.with_signature(&real.as_bytes()[..64]),
    ];
    for bytes in forgeries {
        for link in [sender, bystander] {
            let rejected = scene.world.deliver_without_effect(link, signer, &bytes);
            assert_eq!(rejected, Rejected::NotSigned { sender });
        }
        let rejected = scene.world.deliver_from_outside("outsider", signer, &bytes);
        assert_eq!(rejected, Rejected::NotAMember);
    }
    let rejected = scene.world.deliver_without_effect(sender, signer, &[0x5a; 400]);
    assert!(matches!(rejected, Rejected::NotAnEnvelope(_)));
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn a_package_of_a_member_that_is_not_the_coordinator_is_not_signed_and_proves_its_fault() {
    let mut scene = Scene::new();
    let real = scene.package();
    let (signer, usurper) = (scene.others[0], scene.others[3]);
    // It names the slots that the real one names: if any member were allowed to, the signer would
    // sign it.
    let mut raw = Raw::of(&real);
    raw.sender = usurper.to_u16();
    let rejected = scene.world.deliver(usurper, signer, &raw.sealed()).unwrap_err();
    let (sender, coordinator) = (usurper.to_u16(), scene.coordinator.to_u16());
    let malformation = Malformation::NotTheCoordinator { sender, coordinator };
    assert_eq!(rejected, Rejected::Malformed { sender: usurper, malformation });
    assert_eq!(scene.engines[signer.index()].calls().sign, 0);
    scene.ends_well_and_blames_only(&[usurper]);
}

#[test]
fn a_package_of_the_coordinator_that_names_slots_no_member_has_shown_uses_up_nothing() {
    let mut scene = Scene::new();
    let real = scene.package();
    let signer = scene.others[0];
    let raw = Raw::of(&real);
    let mut package = raw.read::<RawPackage>();
    package.number = 1;
    package.signers.iter_mut().for_each(|(_, slot)| *slot = [3; 32]);
    let garbage = raw.content(&package).sealed();
    let before = scene.world.session(signer.index()).live_slots();
    let rejected = scene.world.deliver(scene.coordinator, signer, &garbage).unwrap_err();
    assert_eq!(rejected, Rejected::NotToBeSigned(DeclineReason::OtherSlot));
    assert_eq!(scene.world.session(signer.index()).live_slots(), before);
    scene.ends_well_and_blames_only(&[]);
}

// Row 2: an outsider, or a member of another group, sends a share.

#[test]
fn an_outsider_is_turned_away_before_its_bytes_are_looked_at() {
    let mut scene = Scene::new();
    let mut messages: Vec<Vec<u8>> =
        scene.one_of_each_kind().iter().map(|message| message.as_bytes().to_vec()).collect();
    // For each of these a member would get another error.
    messages.extend([vec![], vec![0; 135], vec![0xff; 400], vec![0; 1 << 20]]);
    let receivers = [scene.coordinator, scene.others[1]];
    for bytes in &messages {
        for receiver in receivers {
            let rejected = scene.world.deliver_from_outside("outsider", receiver, bytes);
            assert_eq!(rejected, Rejected::NotAMember);
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn a_member_of_another_group_is_no_member_here_whichever_member_passes_its_messages_on() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (sender, relay, coordinator) = (scene.others[0], scene.others[3], scene.coordinator);
    // The same seat of a group with other keys, as the peer that has the seat there.
    let theirs = Fixture::with_identities(3, 5, 2);
    let in_their_session = theirs.seal(sender, 0, &Body::Want(Want::Outcome));
    for link in [sender, relay] {
        let bytes = in_their_session.as_bytes();
        let rejected = scene.world.deliver_without_effect(link, coordinator, bytes);
        assert_eq!(rejected, Rejected::OtherSession);
    }
    // Its identity key signs what would be this session's share.
    let session = scene.world.fixture.signing_request(1).session_id();
    let key = SigningKeyOf(2).at(sender.index());
    let raw = Raw::of(&share);
    assert_eq!(raw.session, *session.as_bytes());
    let bytes = raw.signed_under(Kind::SignatureShare.tag(), &key, [0; 32]);
    let rejected = scene.world.deliver_without_effect(relay, coordinator, &bytes);
    assert_eq!(rejected, Rejected::NotSigned { sender });
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn the_cheapest_reason_to_turn_a_message_away_comes_first() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (sender, relay, to) = (scene.others[0], scene.others[3], scene.others[2]);
    let malformed = Raw { content: vec![0; 9], ..Raw::of(&share) };
    // Each has one fault less than the one before it.
    let of_no_seat = Raw { sender: 5, ..malformed.clone() };
    let elsewhere = Raw { group: [0; 32], ..of_no_seat.clone() };
    let unknown = Raw { kind: 8, ..elsewhere.clone() };
    let foreign = Raw { version: 2, ..unknown.clone() };
    let long = Raw { content: vec![0; 1 << 20], ..foreign.clone() };
    let outside = scene.world.deliver_from_outside("outsider", to, &long.unsigned());
    assert_eq!(outside, Rejected::NotAMember);
    let mut turned_away =
        |raw: &Raw| scene.world.deliver_without_effect(relay, to, &raw.unsigned());
    let length = long.unsigned().len();
    let most = MAX_EVIDENCE_ENVELOPE;
    let too_long = EnvelopeError::TooLong { length, most };
    assert_eq!(turned_away(&long), Rejected::NotAnEnvelope(too_long));
    let other = EnvelopeError::OtherVersion { version: 2 };
    assert_eq!(turned_away(&foreign), Rejected::NotAnEnvelope(other));
    let kind = EnvelopeError::UnknownKind { kind: 8 };
    assert_eq!(turned_away(&unknown), Rejected::NotAnEnvelope(kind));
    assert_eq!(turned_away(&elsewhere), Rejected::OtherSession);
    assert_eq!(turned_away(&of_no_seat), Rejected::NoSuchSeat { sender: 5, members: 5 });
    assert_eq!(turned_away(&malformed), Rejected::NotSigned { sender });
    scene.ends_well_and_blames_only(&[]);
}

// Row 3: a member puts another member's id into its share.

#[test]
fn a_share_in_anothers_name_neither_takes_its_place_nor_has_it_blamed() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (victim, attacker, coordinator) = (scene.others[0], scene.others[3], scene.coordinator);
    let raw = Raw::of(&share);
    let mut bad = raw.read::<RawShare>();
    bad.scalars[0] = [1; 32];
    let bad = raw.content(&bad);
    for bytes in [bad.signed_by(attacker.index()), bad.unsigned()] {
        for receiver in [coordinator, scene.others[1]] {
            let rejected = scene.world.deliver_without_effect(attacker, receiver, &bytes);
            assert_eq!(rejected, Rejected::NotSigned { sender: victim });
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn an_envelope_that_its_sender_signed_may_come_from_any_member() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (relay, coordinator) = (scene.others[3], scene.coordinator);
    assert_eq!(scene.world.deliver(relay, coordinator, share.as_bytes()), Ok(()));
    let received = |event: &(Seat, Event)| {
        matches!(event, (at, Event::ShareReceived { signer, .. })
            if *at == coordinator && *signer == scene.others[0])
    };
    assert_eq!(scene.world.events.iter().filter(|event| received(event)).count(), 1);
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn a_peer_that_holds_two_seats_speaks_for_both_and_for_no_third() {
    let peer_of = |at: usize| PeerId::new(format!("peer {}", at.max(1))).unwrap();
    let mut scene = loop {
        let mut fixture = Fixture::new(3, 5);
        let members = (0..5).map(|at| bound(at, &fixture.identities[at], peer_of(at)));
        let keys = (**fixture.group.keys()).clone();
        fixture.group = Group::new(keys, [7; 32], members.collect()).unwrap().into();
        let scene = Scene::of(fixture);
        if scene.coordinator.index() > 1 {
            break scene;
        }
    };
    let coordinator = scene.coordinator;
    let third = scene.others[2];
    let now = scene.world.now;
    let mut speak_unsigned = |from: usize, sender: Seat| {
        let raw = Raw::in_session(&scene.world.fixture, Kind::Commitments, sender);
        let bytes = raw.content(&raw_slot(sender.index() as u128, 1)).unsigned();
        let session = scene.world.sessions[coordinator.index()].as_mut().unwrap();
        session.handle_message(&peer_of(from), &bytes, now)
    };
    assert_eq!(speak_unsigned(0, seat(0)), Ok(()));
    assert_eq!(speak_unsigned(0, seat(1)), Ok(()));
    assert_eq!(speak_unsigned(0, third), Err(Rejected::NotSigned { sender: third }));
    let sender = seat(1);
    assert_eq!(speak_unsigned(third.index(), sender), Err(Rejected::NotSigned { sender }));
}

fn bound(at: usize, identity: &IdentityKey, peer: PeerId) -> Member {
    let host = HostKey::new(SigningKeyOf(100).at(at));
    let identity_key = identity.public_key();
    let binding = host.bind(&identity_key, &peer, 0);
    Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
}
