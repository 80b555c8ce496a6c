//! Rows 4, 8, 9, 13: what a message is, and what its signature covers.

use std::collections::BTreeSet;

use roastery_protocol::{
    message::{EnvelopeError, Malformation},
    proof::Verdict,
    signing::Rejected,
    tags::Tag,
};

use super::*;

// Row 4: a payload signed for attempt B is re-wrapped as attempt A.

#[test]
fn a_signed_body_that_is_re_wrapped_in_any_part_of_its_header_is_not_its_senders() {
    let mut scene = Scene::new();
    let messages = scene.one_of_each_kind();
    let (relay, receiver, other) = (scene.others[3], scene.others[2], scene.others[1]);
    for message in messages {
        let raw = Raw::of(&message);
        let signature = &message.as_bytes()[..64];
        let mut re_wrapped: Vec<Raw> = (0..8)
            .filter(|kind| *kind != raw.kind)
            .map(|kind| Raw { kind, ..raw.clone() })
            .collect();
        for attempt in [1, 5, 65_535, 65_536, u32::MAX] {
            re_wrapped.push(Raw { attempt, ..raw.clone() });
        }
        re_wrapped.push(Raw { sender: other.to_u16(), ..raw.clone() });
        for forgery in re_wrapped {
            let bytes = forgery.with_signature(signature);
            let rejected = scene.world.deliver_without_effect(relay, receiver, &bytes);
            assert!(matches!(rejected, Rejected::NotSigned { .. }), "{forgery:?}: {rejected}");
        }
        for forgery in [Raw { group: [9; 32], ..raw.clone() }, Raw { session: [9; 32], ..raw }] {
            let bytes = forgery.with_signature(signature);
            let rejected = scene.world.deliver_without_effect(relay, receiver, &bytes);
            assert_eq!(rejected, Rejected::OtherSession);
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

// Row 8: a signature over one kind of body is replayed as another kind.

#[test]
fn each_kind_is_signed_under_a_tag_of_its_own_and_no_other_tag_will_do() {
    let fixture = Fixture::new(2, 2);
    let tags: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.tag().as_str()).collect();
    assert_eq!(tags.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        let raw = Raw::in_session(&fixture, kind, seat(1));
        for tag in Tag::ALL {
            let bytes = raw.signed_under(tag, &SigningKeyOf(1).at(1), [0; 32]);
            let signed = Envelope::parse(&bytes).unwrap().is_signed_by_its_sender(&fixture.group);
            assert_eq!(signed, tag == kind.tag(), "{kind:?} under {tag:?}");
        }
    }
}

#[test]
fn no_two_tags_are_the_same_and_all_name_the_project_and_the_version() {
    let tags: BTreeSet<&str> = Tag::ALL.iter().map(|tag| tag.as_str()).collect();
    assert_eq!(tags.len(), Tag::ALL.len());
    let of_a_version =
        |tag: &&str| tag.starts_with("roastery/1/") || tag.starts_with("roastery/2/");
    assert!(tags.iter().all(of_a_version));
}

// Row 9: re-encoded but equal bodies, malleated signatures.

#[test]
fn a_signature_made_anew_over_the_same_body_makes_no_new_message() {
    let mut scene = Scene::new();
    let commitments = scene.world.sent_by(scene.others[0], Kind::Commitments);
    let share = scene.share();
    let package = scene.world.sent_by(scene.coordinator, Kind::SigningPackage);
    let (coordinator, signer) = (scene.coordinator, scene.others[0]);
    scene.world.deliver(signer, coordinator, share.as_bytes()).unwrap();
    for (message, from, to) in [
        (&commitments, signer, coordinator),
        (&share, signer, coordinator),
        (&package, coordinator, scene.others[2]),
    ] {
        let key = SigningKeyOf(1).at(from.index());
        let again = Raw::of(message).signed_under(message.kind().tag(), &key, [1; 32]);
        assert_ne!(again[..], message.as_bytes()[..]);
        let parsed = Envelope::parse(&again).unwrap();
        assert!(parsed.is_signed_by_its_sender(&scene.world.fixture.group));
        assert_eq!(parsed.body_hash(), message.body_hash());
        // A slot that was used or followed is older news still.
        let rejected = scene.world.deliver_without_effect(from, to, &again);
        assert!(
            matches!(rejected, Rejected::Repeat | Rejected::Stale { .. }),
            "{:?}: {rejected}",
            message.kind()
        );
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn two_signatures_of_one_package_or_share_are_no_conflict() {
    let mut scene = Scene::new();
    let share = scene.share();
    let package = scene.world.sent_by(scene.coordinator, Kind::SigningPackage);
    let again = |message: &Envelope| {
        let raw = Raw::of(message);
        let key = SigningKeyOf(1).at(usize::from(raw.sender));
        Envelope::parse(&raw.signed_under(message.kind().tag(), &key, [1; 32])).unwrap()
    };
    let (request, group) = (scene.world.fixture.signing_request(1), &scene.world.fixture.group);
    for fault in [
        Fault::PackageConflict { first: package.clone(), second: again(&package) },
        Fault::SlotAssignedTwice { first: package.clone(), second: again(&package) },
        Fault::ShareConflict { first: share.clone(), second: again(&share) },
    ] {
        assert_eq!(Proof::new(request.clone(), fault).verify(group), Verdict::Valid);
    }
}

#[test]
fn an_unsigned_change_of_a_package_or_a_share_is_neither_new_nor_a_conflict() {
    let mut scene = Scene::new();
    let share = scene.share();
    let package = scene.world.sent_by(scene.coordinator, Kind::SigningPackage);
    let (coordinator, signer, relay) = (scene.coordinator, scene.others[0], scene.others[3]);
    scene.world.deliver(signer, coordinator, share.as_bytes()).unwrap();
    let mut other = Raw::of(&package).read::<RawPackage>();
    other.aggregates[0] = nonce(1).to_bytes();
    let other_package = Raw::of(&package).content(&other);
    let mut other = Raw::of(&share).read::<RawShare>();
    other.scalars[0] = [1; 32];
    let other_share = Raw::of(&share).content(&other);
    for (message, forgery, to) in
        [(&package, &other_package, scene.others[1]), (&share, &other_share, coordinator)]
    {
        let sender = seat(usize::from(forgery.sender));
        for bytes in [forgery.unsigned(), forgery.with_signature(&message.as_bytes()[..64])] {
            for link in [sender, relay] {
                let rejected = scene.world.deliver_without_effect(link, to, &bytes);
                assert_eq!(rejected, Rejected::NotSigned { sender });
            }
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn a_share_sent_again_with_another_next_slot_is_no_conflict() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (coordinator, signer) = (scene.coordinator, scene.others[0]);
    scene.world.deliver(signer, coordinator, share.as_bytes()).unwrap();
    let raw = Raw::of(&share);
    let mut without = raw.read::<RawShare>();
    let mut renewed = without.clone();
    without.next = None;
    renewed.next = Some(raw_slot(77, 1));
    for content in [without, renewed] {
        let again = raw.clone().content(&content).sealed();
        assert_eq!(scene.world.deliver(signer, coordinator, &again), Err(Rejected::Repeat));
        let (first, second) = (share.clone(), Envelope::parse(&again).unwrap());
        let request = scene.world.fixture.signing_request(1);
        let proof = Proof::new(request, Fault::ShareConflict { first, second });
        assert_eq!(proof.verify(&scene.world.fixture.group), Verdict::Valid);
    }
    scene.ends_well_and_blames_only(&[]);
}

// Row 13: empty or missing signature.

#[test]
fn a_message_without_its_signature_or_with_an_empty_one_is_no_message_of_its_sender() {
    let mut scene = Scene::new();
    let messages = scene.one_of_each_kind();
    let (relay, receiver) = (scene.others[3], scene.others[2]);
    for message in messages {
        let bare = scene.world.deliver_without_effect(relay, receiver, message.body());
        // What stands where the header should be is random; it may look like one.
        assert!(matches!(bare, Rejected::NotAnEnvelope(_) | Rejected::OtherSession), "{bare}");
        for signature in [[0; 64], [0xff; 64]] {
            let bytes = Raw::of(&message).with_signature(&signature);
            let rejected = scene.world.deliver_without_effect(relay, receiver, &bytes);
            assert!(matches!(rejected, Rejected::NotSigned { .. }), "{rejected}");
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn an_envelope_that_is_shorter_than_a_signature_and_a_header_is_none() {
    let whole = Raw::in_session(&Fixture::new(2, 2), Kind::Want, seat(0)).unsigned();
    assert_eq!(whole.len(), 136);
    assert!(Envelope::parse(&whole).is_ok());
    for length in 0..136 {
        let parsed = Envelope::parse(&whole[..length]);
        assert_eq!(parsed, Err(EnvelopeError::TooShort { length }));
    }
}

#[test]
fn final_signatures_that_are_missing_or_empty_end_nothing() {
    let mut scene = Scene::new();
    let package = *scene.package().body_hash().as_bytes();
    let (sender, receiver, liar) = (scene.others[0], scene.others[2], scene.others[3]);
    let fixture = &scene.world.fixture;
    let ending = |from, signatures| {
        let content = RawSignature { package, signatures };
        Raw::in_session(fixture, Kind::Signature, from).content(&content).sealed()
    };
    let (empty, missing) = (ending(sender, vec![[0; 64]]), ending(liar, vec![]));
    let rejected = scene.world.deliver_without_effect(sender, receiver, &empty);
    assert_eq!(rejected, Rejected::WrongSignatures { sender });
    let malformation = Malformation::MessageCount { count: 0, messages: 1 };
    let rejected = scene.world.deliver(liar, receiver, &missing).unwrap_err();
    assert_eq!(rejected, Rejected::Malformed { sender: liar, malformation });
    assert_eq!(scene.world.session(receiver.index()).outcome(), None);
    scene.ends_well_and_blames_only(&[liar]);
}
