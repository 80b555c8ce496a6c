//! Rows 10, 11, 12: lengths, numbers and values that are not allowed.

use roastery_protocol::{
    message::Malformation,
    proof::{FaultKind, ProvenFault, Verdict},
    signing::Rejected,
};

use super::*;

/// The malformed message of a member: refused with its sender named, of no effect but a proof
/// against it, and the session goes on.
fn is_refused_and_proven(scene: &mut Scene, message: &[u8], to: Seat) -> Malformation {
    let sender = Envelope::parse(message).unwrap().sender(&scene.world.fixture.group).unwrap();
    let rejected = scene.world.deliver(sender, to, message).unwrap_err();
    let Rejected::Malformed { sender: named, malformation } = rejected else {
        panic!("{rejected}");
    };
    assert_eq!(named, sender);
    let request = scene.world.fixture.signing_request(1);
    let (session, fault) = (request.session_id(), FaultKind::MalformedMessage);
    let finding = ProvenFault { accused: sender, fault, session };
    let verdict = verdict_on_form(&scene.world.fixture, request, message);
    assert_eq!(verdict, Verdict::Invalid(finding), "{malformation}");
    malformation
}

fn sound(scene: &Scene, message: &[u8]) -> Verdict {
    verdict_on_form(&scene.world.fixture, scene.world.fixture.signing_request(1), message)
}

// Row 10: over-long, truncated, trailing-byte, zero-length, off-by-one vectors.

#[test]
fn a_message_cut_short_or_drawn_out_on_its_way_blames_no_member() {
    let mut scene = Scene::new();
    let messages = scene.one_of_each_kind();
    let (relay, receiver) = (scene.others[3], scene.others[2]);
    for message in messages {
        let whole = message.as_bytes();
        // The senders' own links are tried too: a transport error is no fault either.
        for link in [relay, message.sender(&scene.world.fixture.group).unwrap()] {
            for length in (0..whole.len()).step_by(3).chain([whole.len() - 1]) {
                scene.world.deliver_without_effect(link, receiver, &whole[..length]);
            }
            for tail in [&[0][..], &[1], &[0; 32], &[0xff; 67]] {
                let drawn_out = [whole, tail].concat();
                scene.world.deliver_without_effect(link, receiver, &drawn_out);
            }
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn a_signed_body_of_another_length_than_its_exact_one_is_malformed() {
    let mut scene = Scene::new();
    let receiver = scene.others[2];
    for message in scene.one_of_each_kind() {
        if matches!(message.kind(), Kind::Proposal | Kind::Evidence) {
            continue;
        }
        let raw = Raw::of(&message);
        for length in 0..raw.content.len() {
            let content = raw.content[..length].to_vec();
            let short = Raw { content, ..raw.clone() }.sealed();
            is_refused_and_proven(&mut scene, &short, receiver);
        }
        for tail in [&[0][..], &[1], &[0; 32], &[0; 66]] {
            let content = [&raw.content, tail].concat();
            let long = Raw { content, ..raw.clone() }.sealed();
            is_refused_and_proven(&mut scene, &long, receiver);
        }
        assert_eq!(sound(&scene, message.as_bytes()), Verdict::Valid);
    }
}

#[test]
fn the_form_of_a_proposal_or_of_evidence_proves_nothing_against_the_member_that_passes_it_on() {
    let mut scene = Scene::new();
    for message in scene.one_of_each_kind() {
        if matches!(message.kind(), Kind::Proposal | Kind::Evidence) {
            let raw = Raw { content: vec![1], ..Raw::of(&message) };
            let (sender, receiver) = (scene.others[0], scene.others[2]);
            let rejected = scene.world.deliver_without_effect(sender, receiver, &raw.sealed());
            assert!(matches!(rejected, Rejected::Malformed { .. }), "{rejected}");
            assert!(matches!(sound(&scene, &raw.sealed()), Verdict::Indeterminate(_)));
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn a_list_with_one_entry_less_or_more_than_the_request_has_messages_is_malformed() {
    let mut scene = Scene::of(Fixture::new(3, 5).messages(3));
    let (coordinator, signer, receiver) = (scene.coordinator, scene.others[0], scene.others[2]);
    scene.package();
    for (count, right) in [(0, false), (2, false), (3, true), (4, false), (64, false)] {
        let slot = raw_slot(1, count);
        let scalars = vec![[1; 32]; count];
        let whole = RawShare { package: [1; 32], scalars: vec![[1; 32]; 3], next: None };
        let next = RawShare { next: Some(slot.clone()), ..whole.clone() };
        let share = RawShare { scalars, ..whole };
        let end = RawSignature { package: [1; 32], signatures: vec![[1; 64]; count] };
        let package = raw_package(&[0, 1, 2], count);
        let raw = |kind, from| Raw::in_session(&scene.world.fixture, kind, from);
        let messages = [
            raw(Kind::Commitments, signer).content(&slot),
            raw(Kind::SignatureShare, signer).content(&share),
            raw(Kind::SignatureShare, signer).content(&next),
            raw(Kind::Signature, signer).content(&end),
            raw(Kind::SigningPackage, coordinator).content(&package),
        ];
        for message in messages {
            if right {
                assert_eq!(sound(&scene, &message.sealed()), Verdict::Valid);
            } else {
                let malformation = is_refused_and_proven(&mut scene, &message.sealed(), receiver);
                assert_eq!(malformation, Malformation::MessageCount { count, messages: 3 });
            }
        }
    }
}

// Row 11: ids that alias after narrowing (257 becomes 1), duplicates, unsorted sets, id n.

#[test]
fn a_package_has_exactly_t_ascending_signers_below_n() {
    let mut scene = Scene::new();
    scene.package();
    let (coordinator, receiver) = (scene.coordinator, scene.others[2]);
    let package = |seats: &[u16]| {
        let raw = Raw::in_session(&scene.world.fixture, Kind::SigningPackage, coordinator);
        raw.content(&raw_package(seats, 1)).sealed()
    };
    for seats in [[0, 1, 2], [2, 3, 4], [0, 2, 4]] {
        assert_eq!(sound(&scene, &package(&seats)), Verdict::Valid);
    }
    let order = [[0, 0, 1], [0, 1, 1], [1, 0, 2], [0, 2, 1], [2, 1, 0], [0, 1, 5], [0, 1, 127]];
    let count: [&[u16]; 4] = [&[], &[0, 1], &[0, 1, 2, 3], &[0, 1, 2, 3, 4]];
    let beyond = [[0, 1, 128], [0, 1, 257], [0, 1, 258], [256, 257, 258], [0, 1, u16::MAX]];
    let order = order.map(|seats| package(&seats));
    let count = count.map(|seats| (package(seats), seats.len()));
    let beyond = beyond.map(|seats| package(&seats));
    for bytes in order {
        let malformation = is_refused_and_proven(&mut scene, &bytes, receiver);
        assert_eq!(malformation, Malformation::Signers { n: 5 });
    }
    for (bytes, count) in count {
        let malformation = is_refused_and_proven(&mut scene, &bytes, receiver);
        assert_eq!(malformation, Malformation::SignerCount { count, threshold: 3 });
    }
    for bytes in beyond {
        let malformation = is_refused_and_proven(&mut scene, &bytes, receiver);
        assert!(matches!(malformation, Malformation::Encoding(_)), "{malformation}");
    }
}

#[test]
fn a_sender_that_the_group_does_not_have_is_no_member_whichever_member_signed() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (coordinator, signer) = (scene.coordinator, scene.others[0]);
    let own = signer.to_u16();
    for sender in [5, 127, 128, 255, 256 + own, 512 + own, 32_768 + own, u16::MAX] {
        let raw = Raw { sender, ..Raw::of(&share) };
        let bytes = raw.signed_by(signer.index());
        let rejected = scene.world.deliver_without_effect(signer, coordinator, &bytes);
        assert_eq!(rejected, Rejected::NoSuchSeat { sender, members: 5 });
        let verdict = sound(&scene, &bytes);
        assert!(matches!(verdict, Verdict::Indeterminate(_)), "{verdict:?}");
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn an_attempt_number_from_two_to_the_sixteenth_on_is_malformed_and_no_other_attempt() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (receiver, observer) = (scene.coordinator, scene.others[2]);
    for attempt in [65_536, 65_536 + 5, 1 << 31, u32::MAX - 65_535] {
        let bytes = Raw::of(&share).attempt(attempt).sealed();
        let malformation = is_refused_and_proven(&mut scene, &bytes, receiver);
        assert_eq!(malformation, Malformation::Attempt { attempt });
    }
    let last = Raw::of(&share).attempt(65_535).sealed();
    assert_eq!(sound(&scene, &last), Verdict::Valid);
    // Its number is n - t at most.
    for (number, right) in [(2, true), (3, false), (256, false), (u16::MAX, false)] {
        let raw = Raw::in_session(&scene.world.fixture, Kind::SigningPackage, receiver);
        let package = RawPackage { number, ..raw_package(&[0, 1, 2], 1) };
        let bytes = raw.content(&package).sealed();
        if right {
            assert_eq!(sound(&scene, &bytes), Verdict::Valid);
        } else {
            let malformation = is_refused_and_proven(&mut scene, &bytes, observer);
            assert_eq!(malformation, Malformation::PackageNumber { number, most: 2 });
        }
    }
}

// Row 12: points at infinity, off the curve, scalars not below the order.

/// Pairs of which one half is no point in any encoding that is allowed.
fn pairs_off_the_curve() -> Vec<[u8; 66]> {
    let point = multiple(3).serialize();
    let mut others = vec![NO_POINT];
    // Tags of infinity, of uncompressed and hybrid points, and none; an x coordinate that is not
    // reduced.
    for tag in [0, 1, 4, 5, 6, 7, 0xff] {
        others.push([&[tag], &point[1..]].concat().try_into().unwrap());
    }
    others.push([0xff; 33]);
    others.push([&[2][..], &[0xff; 32]].concat().try_into().unwrap());
    let halves = others.iter().flat_map(|bad| [pair(bad, &point), pair(&point, bad)]);
    halves.collect()
}

fn pairs_with_infinity() -> [[u8; 66]; 3] {
    let point = multiple(3).serialize();
    [pair(&INFINITY, &point), pair(&point, &INFINITY), pair(&INFINITY, &INFINITY)]
}

#[test]
fn a_nonce_that_is_infinite_or_no_point_is_refused_with_the_signer_named() {
    let mut scene = Scene::of(Fixture::new(3, 5).messages(2));
    let (coordinator, signer) = (scene.coordinator, scene.others[0]);
    for bad in pairs_off_the_curve().into_iter().chain(pairs_with_infinity()) {
        for position in 0..2 {
            let mut slot = raw_slot(1, 2);
            slot.nonces[position] = bad;
            let share =
                RawShare { package: [1; 32], scalars: vec![[1; 32]; 2], next: Some(slot.clone()) };
            let raw = |kind| Raw::in_session(&scene.world.fixture, kind, signer);
            let shown = raw(Kind::Commitments).content(&slot).sealed();
            let with_share = raw(Kind::SignatureShare).content(&share).sealed();
            for message in [shown, with_share] {
                is_refused_and_proven(&mut scene, &message, coordinator);
            }
        }
    }
    assert_eq!(scene.world.proven(coordinator.index()), [signer.index()]);
}

#[test]
fn an_aggregate_nonce_may_be_infinite_but_not_off_the_curve() {
    let mut scene = Scene::new();
    scene.package();
    let (coordinator, receiver) = (scene.coordinator, scene.others[2]);
    let package = |aggregate| {
        let package = RawPackage { aggregates: vec![aggregate], ..raw_package(&[0, 1, 2], 1) };
        let raw = Raw::in_session(&scene.world.fixture, Kind::SigningPackage, coordinator);
        raw.content(&package).sealed()
    };
    let infinite = pairs_with_infinity().map(package);
    let bad: Vec<Vec<u8>> = pairs_off_the_curve().into_iter().map(package).collect();
    for bytes in &infinite {
        assert_eq!(sound(&scene, bytes), Verdict::Valid);
    }
    let rejected = scene.world.deliver(coordinator, receiver, &infinite[2]).unwrap_err();
    assert!(matches!(rejected, Rejected::NotToBeSigned(_)), "{rejected}");
    assert!(scene.world.proven(receiver.index()).is_empty());
    for message in bad {
        is_refused_and_proven(&mut scene, &message, receiver);
    }
}

#[test]
fn a_scalar_that_is_not_below_the_order_is_refused_with_the_signer_named() {
    let mut scene = Scene::of(Fixture::new(3, 5).messages(2));
    scene.package();
    let (coordinator, signer) = (scene.coordinator, scene.others[0]);
    let share = |scalars: Vec<[u8; 32]>| {
        let share = RawShare { package: [1; 32], scalars, next: None };
        Raw::in_session(&scene.world.fixture, Kind::SignatureShare, signer).content(&share).sealed()
    };
    let mut above = ORDER;
    above[31] += 1;
    let bad = [ORDER, above, [0xff; 32]]
        .into_iter()
        .flat_map(|bad| [share(vec![bad, [1; 32]]), share(vec![[1; 32], bad])]);
    let bad: Vec<Vec<u8>> = bad.collect();
    for good in [[0; 32], ORDER_LESS_ONE] {
        assert_eq!(sound(&scene, &share(vec![good, [1; 32]])), Verdict::Valid);
    }
    for message in bad {
        is_refused_and_proven(&mut scene, &message, coordinator);
    }
}
