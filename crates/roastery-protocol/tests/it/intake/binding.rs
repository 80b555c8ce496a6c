//! Rows 5, 6, 7: what a message belongs to, and what is signed.

use std::time::Duration;

use roastery_frost::PartialSignature;
use roastery_protocol::{
    engine::{EngineError, EngineSession, FrostPackage, FrostSession, SlotId},
    message::{Malformation, SigningPackage},
    request::{ApprovedRequest, Derivation, SigningRequest, Taproot},
    signing::{Event, Rejected, Session},
};

use super::*;

// Row 5: messages of an older attempt, session, group or coordinator arrive late.

#[test]
fn messages_of_another_session_or_group_are_ignored_without_effect() {
    let mut scene = Scene::new();
    let messages = scene.one_of_each_kind();
    let other_session = *scene.world.fixture.signing_request(2).session_id().as_bytes();
    for message in messages {
        let raw = Raw::of(&message);
        let sender = seat(usize::from(raw.sender));
        let elsewhere = [
            Raw { session: other_session, ..raw.clone() },
            Raw { group: [7; 32], ..raw.clone() },
            Raw { group: [7; 32], session: other_session, ..raw },
        ];
        for forgery in elsewhere {
            for (link, to) in [(sender, scene.others[2]), (scene.others[3], scene.others[1])] {
                let bytes = forgery.sealed();
                let rejected = scene.world.deliver_without_effect(link, to, &bytes);
                assert_eq!(rejected, Rejected::OtherSession);
            }
        }
    }
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn a_share_for_another_attempt_is_ignored() {
    let mut scene = Scene::new();
    let share = scene.share();
    let (coordinator, signer) = (scene.coordinator, scene.others[0]);
    for attempt in [1, 5, 10, 65_535] {
        let late = Raw::of(&share).attempt(attempt).sealed();
        let rejected = scene.world.deliver(signer, coordinator, &late).unwrap_err();
        // It may be for a package that exists elsewhere: the package is asked for, nothing more.
        assert_eq!(rejected, Rejected::UnknownPackage { sender: signer });
    }
    let counted = scene.world.events.iter().any(
        |(_, event)| matches!(event, Event::ShareReceived { signer: from, .. } if *from == signer),
    );
    assert!(!counted);
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn commitments_for_another_coordinators_attempt_are_ignored() {
    let mut scene = Scene::new();
    scene.package();
    let signer = scene.others[0];
    let fixture = &scene.world.fixture;
    let request = fixture.request(1);
    let attempts: Vec<(u32, Seat)> =
        (1..5).map(|attempt| (attempt, fixture.coordinator(&request, attempt))).collect();
    let raw = Raw::in_session(fixture, Kind::Commitments, signer).content(&raw_slot(1, 1));
    for (number, coordinator) in attempts {
        let bytes = raw.clone().attempt(number).sealed();
        let to = scene.coordinator;
        let rejected = scene.world.deliver_without_effect(signer, to, &bytes);
        let attempt = roastery_protocol::Attempt::new(number).unwrap();
        assert_eq!(rejected, Rejected::NotTheCoordinator { attempt, coordinator });
    }
    scene.ends_well_and_blames_only(&[]);
}

/// A group of two of which only this seat is up, opened long enough ago that the first attempt of
/// each seat is out of service: attempts 0 to 4 are live.
fn alone_in_the_third_round(up: impl Fn(&Fixture) -> Seat) -> (World<FakeSession>, Seat) {
    let fixture = Fixture::new(2, 2);
    let own = up(&fixture);
    let engines = fixture.group.seats().map(|at| (at == own).then(|| FakeEngine::new(at)));
    let engines: Vec<Option<FakeEngine>> = engines.collect();
    let mut world = World::open(fixture, engines, Settings::default());
    world.pass_time(6 * Settings::default().interval);
    assert_eq!(world.session(own.index()).live_attempts(), 5);
    (world, own)
}

#[test]
fn commitments_of_an_attempt_that_two_newer_turns_have_put_out_of_service_are_ignored() {
    let (mut world, own) =
        alone_in_the_third_round(|fixture| fixture.coordinator(&fixture.request(1), 0));
    let other = seat(1 - own.index());
    let raw = Raw::in_session(&world.fixture, Kind::Commitments, other).content(&raw_slot(1, 1));
    let rejected = world.deliver_without_effect(other, own, &raw.clone().attempt(0).sealed());
    assert!(matches!(rejected, Rejected::NotServed { .. }), "{rejected}");
    // The two newest turns are served; one that is more than a round ahead is not.
    let ahead = world.deliver_without_effect(other, own, &raw.clone().attempt(8).sealed());
    assert!(matches!(ahead, Rejected::NotServed { .. }), "{ahead}");
    for attempt in [4, 2] {
        let slot = raw_slot(u128::from(attempt), 1);
        let current = raw.clone().content(&slot).attempt(attempt).sealed();
        assert_eq!(world.deliver(other, own, &current), Ok(()));
    }
}

#[test]
fn packages_of_ever_older_attempts_are_not_kept() {
    let (mut world, own) =
        alone_in_the_third_round(|fixture| fixture.coordinator(&fixture.request(1), 1));
    let coordinator = seat(1 - own.index());
    let raw = Raw::in_session(&world.fixture, Kind::SigningPackage, coordinator);
    let raw = raw.content(&raw_package(&[0, 1], 1));
    for turn in (0..1000).rev() {
        let bytes = raw.clone().attempt(2 * turn).sealed();
        let rejected = world.deliver(coordinator, own, &bytes).unwrap_err();
        assert_eq!(turn < 998, matches!(rejected, Rejected::NotServed { .. }), "{rejected}");
    }
    let kept = world.session(own.index()).bytes_kept_of(coordinator);
    assert_eq!(kept, 2 * raw.sealed().len());
}

#[test]
fn a_package_of_an_earlier_run_of_the_coordinator_is_stale() {
    let mut scene = Scene::new();
    let package = scene.package();
    let (coordinator, signer) = (scene.coordinator, scene.others[0]);
    scene.world.deliver(coordinator, signer, package.as_bytes()).unwrap();
    let mut earlier = Raw::of(&package).read::<RawPackage>();
    earlier.run = roastery_protocol::Incarnation::new(earlier.run.opened_ms() - 1, [0xff; 8]);
    let bytes = Raw::of(&package).content(&earlier).sealed();
    let rejected = scene.world.deliver_without_effect(coordinator, signer, &bytes);
    assert_eq!(rejected, Rejected::Stale { sender: coordinator });
    scene.ends_well_and_blames_only(&[]);
}

#[test]
fn what_comes_after_the_end_changes_nothing_and_is_answered_with_the_outcome_at_the_floors_pace() {
    let mut scene = Scene::new();
    scene.one_of_each_kind();
    scene.world.run();
    let (late, receiver) = (scene.others[3], scene.others[2]);
    let outcome = scene.world.session(receiver.index()).outcome().cloned();
    assert!(outcome.is_some());
    let floor = Settings::default().repeat_min;
    let instant = Duration::from_nanos(1);
    for (wait, answers) in [(Duration::ZERO, 1), (floor - instant, 0), (instant, 1)] {
        scene.world.now = later(scene.world.now, wait);
        // Any message shows that its sender lacks the signatures.
        for message in scene.one_of_each_kind() {
            let raw = Raw { sender: late.to_u16(), ..Raw::of(&message) };
            if ![Kind::SigningPackage, Kind::Signature].contains(&message.kind()) {
                let _ = scene.world.deliver(late, receiver, &raw.sealed());
            }
        }
        let answered = scene.world.queue.drain(..).filter(|answer| {
            (answer.from, answer.to, answer.kind()) == (receiver, late, Kind::Signature)
        });
        assert_eq!(answered.count(), answers, "after {wait:?}");
    }
    assert_eq!(scene.world.session(receiver.index()).outcome().cloned(), outcome);
    scene.ends_well_and_blames_only(&[]);
}

// Row 6: the caller's message differs from what the attempt is bound to.

#[test]
fn signing_takes_a_slot_and_a_package_and_no_message() {
    // The types are the rule: a second message parameter anywhere does not compile here.
    type Sign =
        fn(&mut FrostSession, SlotId, &FrostPackage) -> Result<Vec<PartialSignature>, EngineError>;
    let _: Sign = <FrostSession as EngineSession>::sign;
    let _ = |fixture: &Fixture, request: &ApprovedRequest| {
        Session::open(
            fixture.opening(seat(0), request, 0, Settings::default()),
            &fixture.frost(seat(0)),
            fixture.now,
        )
    };
}

#[test]
fn what_is_signed_is_the_message_that_each_signer_approved() {
    let mut world = {
        let fixture = Fixture::new(2, 2);
        let engines = fixture.frost_engines();
        World::open(fixture, engines, Settings::default())
    };
    // The node in seat 1 approved a request that differs in one bit of its message.
    let fixture = &world.fixture;
    let approved = fixture.signing_request(1);
    let mut entry = approved.messages()[0].clone();
    entry.message[31] ^= 1;
    let other =
        SigningRequest::new(fixture.group.id(), *approved.id(), approved.expiry(), vec![entry]);
    let other = ApprovedRequest::obtain(
        other.unwrap(),
        &fixture.group,
        fixture.policy.clone(),
        fixture.now,
    )
    .unwrap();
    let opening = fixture.opening(seat(1), &other, 1, Settings::default());
    let session = Session::open(opening, &fixture.frost(seat(1)), fixture.now).unwrap();
    world.queue.clear();
    world.sessions[1] = Some(session);
    for at in 0..2 {
        world.collect(seat(at));
    }
    for _ in 0..10 {
        world.pass_time(Settings::default().interval);
    }
    assert_eq!(world.signed(), 0);
    let others_only = world.rejected.iter().all(|(_, why)| *why == Rejected::OtherSession);
    assert!(others_only && !world.rejected.is_empty(), "{:?}", world.rejected);
    assert!(world.session(0).proofs().chain(world.session(1).proofs()).next().is_none());
}

// Row 7: the package carries another Taproot root or another message.

#[test]
fn a_package_has_no_room_for_a_message_a_key_or_a_tweak() {
    let mut scene = Scene::new();
    let package = scene.package();
    let signer = scene.others[0];
    let raw = Raw::of(&package);
    // A new field makes this not compile.
    let SigningPackage { run: _, number: _, signers, aggregates } =
        borsh::from_slice(package.content()).unwrap();
    let length = 16 + 2 + 4 + signers.len() * (2 + 32) + 4 + aggregates.len() * 66;
    assert_eq!(package.content().len(), length);
    let root = [&raw.content[..], &[9; 32]].concat();
    let bytes = Raw { content: root, ..raw }.sealed();
    let sender = scene.coordinator;
    let rejected = scene.world.deliver(sender, signer, &bytes).unwrap_err();
    assert!(
        matches!(rejected, Rejected::Malformed { malformation: Malformation::Encoding(_), .. }),
        "{rejected}"
    );
    assert_eq!(scene.engines[signer.index()].calls().sign, 0);
}

#[test]
fn each_signature_is_for_the_message_and_the_key_of_the_request_and_for_no_other() {
    let fixture = Fixture::new(2, 3).messages(3);
    let engines = fixture.frost_engines();
    let mut world = World::open(fixture, engines, Settings::default());
    world.run();
    let signatures = world.session(0).outcome().unwrap().signatures.clone();
    let entries = world.fixture.signing_request(1).messages().to_vec();
    let key = |derivation: &Derivation, taproot| {
        let derivation = Derivation { taproot, ..derivation.clone() };
        derivation.tweaks(&world.fixture.group).unwrap().x_only_public_key()
    };
    for (entry, signature) in entries.iter().zip(&signatures) {
        let derivation = &entry.derivation;
        let right = key(derivation, derivation.taproot.clone());
        assert!(signature.verify(&right, &entry.message));
        assert!(!signature.verify(&right, &[0xee; 32]));
        let roots = [
            Taproot::Untweaked,
            Taproot::KeyPathOnly,
            Taproot::ScriptRoot([9; 32]),
            Taproot::ScriptRoot([10; 32]),
        ];
        for other in roots.into_iter().filter(|other| *other != derivation.taproot) {
            assert!(!signature.verify(&key(derivation, other), &entry.message));
        }
    }
}
