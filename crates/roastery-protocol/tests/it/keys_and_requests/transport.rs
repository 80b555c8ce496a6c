//! Row 66: the transport key leaks. An attacker that has it is on a member's link and has none of
//! the member's other keys.

use roastery_protocol::{
    engine::FakeSession,
    message::{Body, Commitments, Envelope, Kind, RefusalReason, SlotNonces, Want},
    proof::{Fault, Proof},
    signing::{Rejected, Settings},
};

use super::*;

/// Three of five, with commitments in transit: the world, the coordinator, and the member whose
/// link has leaked.
fn leaked() -> (World<FakeSession>, Seat, Seat) {
    let fixture = Fixture::new(3, 5);
    let engines = fixture.fake_engines();
    let world = World::open(fixture, engines.into_iter().map(Some), Settings::default());
    let coordinator = world.coordinator();
    let victim = world.fixture.group.seats().find(|seat| *seat != coordinator).unwrap();
    (world, coordinator, victim)
}

#[test]
fn the_link_alone_has_nothing_signed_noted_or_counted_against_its_member() {
    let (mut world, coordinator, victim) = leaked();
    world.deliver_all(Kind::Commitments);
    let other = seat((0..5).find(|at| ![coordinator, victim].contains(&seat(*at))).unwrap());
    let package = Raw::of(&world.sent_by(coordinator, Kind::SigningPackage));
    let refusal = world.fixture.seal(victim, 0, &Body::Refusal(RefusalReason::Fault));
    let message = world.sent_by(victim, Kind::Commitments);
    let fault = Fault::MalformedMessage { message };
    let proof = Proof::new(world.fixture.signing_request(1), fault);
    let evidence = world.fixture.seal(victim, 0, &Body::Evidence(proof));
    let malformed = Raw { content: vec![9], ..Raw::of(&refusal) };
    for (raw, sender) in [
        (package, coordinator),
        (Raw::of(&refusal), victim),
        (Raw::of(&evidence), victim),
        (malformed, victim),
    ] {
        // More often than a member may send evidence that proves nothing.
        for _ in 0..8 {
            let rejected = world.deliver_without_effect(sender, other, &raw.unsigned());
            assert_eq!(rejected, Rejected::NotSigned { sender });
        }
    }
    // What the member itself sends is processed as before.
    let heard = world.deliver(victim, other, evidence.as_bytes());
    assert!(matches!(heard, Err(Rejected::NotProven { .. })), "{heard:?}");
    assert_eq!(world.deliver(victim, other, refusal.as_bytes()), Ok(()));
}

#[test]
fn contradictions_on_the_link_alone_prove_nothing_against_its_member() {
    let (mut world, coordinator, victim) = leaked();
    world.deliver_all(Kind::Commitments);
    world.deliver_all(Kind::SigningPackage);
    let share = Raw::of(&world.sent_by(victim, Kind::SignatureShare));
    for scalar in 1..=4 {
        let mut other = share.read::<RawShare>();
        other.scalars[0] = [scalar; 32];
        let bytes = share.clone().content(&other).unsigned();
        let _ = world.deliver(victim, coordinator, &bytes);
    }
    let _ = world.deliver(victim, coordinator, &share.sealed());
    world.run();
    for _ in 0..4 {
        world.pass_time(Settings::default().interval);
    }
    assert_eq!(world.signed(), 5);
    assert!((0..5).all(|at| world.proven(at).is_empty()));
}

#[test]
fn nonces_that_their_signer_did_not_sign_are_counted_but_not_shown_to_others() {
    for signed in [false, true] {
        let (mut world, coordinator, victim) = leaked();
        let (group, session) = (world.fixture.group.id(), world.fixture.signing_request(1));
        let shown = world.sent_by(victim, Kind::Commitments);
        let bytes = if signed { shown.as_bytes().to_vec() } else { Raw::of(&shown).unsigned() };
        assert_eq!(world.deliver(victim, coordinator, &bytes), Ok(()));
        let content: Commitments = borsh::from_slice(shown.content()).unwrap();
        let nonces: SlotNonces = content.slot.to_nonces();
        let hash =
            nonces.hash(group, session.session_id(), roastery_protocol::Attempt::FIRST, victim);
        let asker = seat((0..5).find(|at| ![coordinator, victim].contains(&seat(*at))).unwrap());
        let want = world.fixture.seal(asker, 0, &Body::Want(Want::Nonces(hash)));
        world.queue.clear();
        let answer = world.deliver(asker, coordinator, want.as_bytes());
        if signed {
            assert_eq!(answer, Ok(()));
            let envelope: Envelope = world.queue.pop_front().unwrap().envelope();
            assert_eq!(envelope, shown);
        } else {
            assert_eq!(answer, Err(Rejected::NoAnswer { sender: asker }));
            assert!(world.queue.is_empty());
        }
    }
}
