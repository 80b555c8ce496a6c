//! A coordinator that the test plays, over the mesh.

use std::collections::BTreeMap;

use roastery_frost::{Seat, nonce_agg};
use roastery_node::{
    bus::{Bus, BusEvent, Destination, MeshBus},
    driver::SessionHandle,
};
use roastery_protocol::{
    Attempt,
    message::{Body, Envelope, Shape, SignerSlot, SigningPackage, Slot},
    proof::{FaultKind, Verdict},
    request::ApprovedRequest,
};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep};

/// Waits until every other member has sent a slot.
async fn slots(fixture: &Fixture, bus: &mut MeshBus) -> BTreeMap<Seat, Slot> {
    let mut slots = BTreeMap::new();
    while slots.len() < fixture.group.size() - 1 {
        let BusEvent::Message { bytes, .. } = bus.receive().await.unwrap() else { continue };
        let envelope = Envelope::parse(&bytes).unwrap();
        let sender = envelope.sender(&fixture.group).unwrap();
        let shape = Shape::new(&fixture.group, envelope.header().session, fixture.messages);
        if let (_, Body::Commitments(commitments)) = shape.read(&envelope).unwrap() {
            slots.insert(sender, commitments.slot);
        }
    }
    slots
}

/// The first package of the coordinator's run, for these signers.
fn package(
    fixture: &Fixture,
    coordinator: Seat,
    request: &ApprovedRequest,
    slots: &BTreeMap<Seat, Slot>,
    signers: &[Seat],
) -> Envelope {
    let picked = signers.iter().map(|signer| (*signer, &slots[signer]));
    let (group, session) = (fixture.group.id(), request.session_id());
    let entry = |(seat, slot): (Seat, &Slot)| SignerSlot {
        seat,
        slot: slot.to_nonces().hash(group, session, Attempt::FIRST, seat),
    };
    let aggregates = (0..fixture.messages)
        .map(|at| nonce_agg(signers.iter().map(|signer| &slots[signer].0[at])))
        .collect();
    let content = SigningPackage {
        run: fixture.run(coordinator),
        number: 0,
        signers: picked.map(entry).collect(),
        aggregates,
    };
    fixture.seal(coordinator, request, 0, &Body::SigningPackage(content))
}

/// Every node holds exactly one proof, which the group file is enough to verify, against the
/// coordinator.
async fn proven(fixture: &Fixture, sessions: &[SessionHandle], coordinator: Seat) {
    for session in sessions {
        let [(finding, proof)] = &session.proofs().await[..] else { panic!("one proof each") };
        assert_eq!((finding.accused, finding.fault), (coordinator, FaultKind::PackageConflict));
        assert_eq!(proof.verify(&fixture.group), Verdict::Invalid(*finding));
    }
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_shows_all_members_two_packages_is_proven_faulty_and_costs_no_time() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0);
    let others = fixture.all_but(&[coordinator]);
    let (mesh, nodes) = fixture.start_all(&others);
    let mut bus = mesh.join(peer(coordinator)).unwrap();
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    let slots = slots(&fixture, &mut bus).await;
    for signers in [&others[..3], &others[1..]] {
        let package = package(&fixture, coordinator, &request, &slots, signers);
        bus.send(Destination::Everyone, package.as_bytes()).unwrap();
    }
    all_signed(&sessions, &request).await;
    proven(&fixture, &sessions, coordinator).await;
    assert_eq!(start.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_shows_each_half_another_package_is_proven_faulty_at_every_node() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0);
    let others = fixture.all_but(&[coordinator]);
    let (mesh, nodes) = fixture.start_all(&others);
    let mut bus = mesh.join(peer(coordinator)).unwrap();
    let sessions = sign_at(&nodes, &request).await;
    let slots = slots(&fixture, &mut bus).await;
    for (signers, shown_to) in [(&others[..3], &others[..2]), (&others[1..], &others[2..])] {
        let package = package(&fixture, coordinator, &request, &slots, signers);
        for seat in shown_to {
            bus.send(Destination::Peer(peer(*seat)), package.as_bytes()).unwrap();
        }
    }
    settle().await;
    assert!(sessions[0].proofs().await.is_empty());
    all_signed(&sessions, &request).await;
    sleep(SECOND).await;
    proven(&fixture, &sessions, coordinator).await;
}
