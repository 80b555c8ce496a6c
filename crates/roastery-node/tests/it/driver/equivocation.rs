//! A coordinator that the test plays, over the mesh.

use std::collections::BTreeMap;

use roastery_frost::{PublicNonce, Seat, nonce_agg};
use roastery_node::bus::{Bus, BusEvent, Destination, Mesh, MeshBus};
use roastery_protocol::{
    member::{
        Run,
        frame::{
            Content, ControlContent, ControlKind, Frame, SignerSlots, SigningPackage, slot_hash,
        },
        proof::{FaultKind, Verdict},
    },
    request::ApprovedRequest,
};
use roastery_testkit::nodes::*;
use tokio::time::Instant;

/// The first slots that each other member shows, as many as the request has messages.
async fn slots(fixture: &Fixture, bus: &mut MeshBus) -> BTreeMap<Seat, (u32, Vec<[u8; 66]>)> {
    let mut slots = BTreeMap::new();
    while slots.len() < fixture.group.size() - 1 {
        let BusEvent::Message { bytes, .. } = bus.receive().await.unwrap() else { continue };
        let (sender, frame) = Frame::parse(&bytes, &fixture.group).unwrap();
        let Frame::Control(control) = frame else { continue };
        if control.kind() != ControlKind::Slots {
            continue;
        }
        let Ok(ControlContent::Slots(shown)) = control.read() else { panic!("{control:?}") };
        let nonces = shown.nonces[..fixture.messages].to_vec();
        slots.insert(sender, (shown.first, nonces));
    }
    slots
}

/// The first package of the coordinator's run, for these signers.
fn package(
    fixture: &Fixture,
    coordinator: Seat,
    request: &ApprovedRequest,
    slots: &BTreeMap<Seat, (u32, Vec<[u8; 66]>)>,
    signers: &[Seat],
) -> Content {
    let group = fixture.group.id();
    let entry = |seat: &Seat| {
        let (first, nonces) = &slots[seat];
        let hash = slot_hash(group, coordinator, *seat, nonces);
        SignerSlots { seat: *seat, first: *first, hash }
    };
    let nonce = |seat: &Seat, at: usize| PublicNonce::from_bytes(&slots[seat].1[at]).unwrap();
    let aggregates = (0..request.keys().len())
        .map(|at| {
            let nonces: Vec<PublicNonce> = signers.iter().map(|seat| nonce(seat, at)).collect();
            nonce_agg(&nonces)
        })
        .collect();
    Content::SigningPackage(SigningPackage {
        run: Run::new(1, [7; 8]),
        number: 0,
        signers: signers.iter().map(entry).collect(),
        aggregates,
    })
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_shows_two_packages_is_proven_faulty_at_every_node() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0);
    let others = fixture.all_but(&[coordinator]);
    let mesh = Mesh::default();
    let mut bus = mesh.join(peer(coordinator)).unwrap();
    let buses = fixture.join(&mesh, &others);
    let nodes: Vec<Up> =
        buses.into_iter().zip(&others).map(|(bus, seat)| fixture.start(bus, *seat)).collect();
    let slots = slots(&fixture, &mut bus).await;
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    for signers in [&others[..3], &others[1..]] {
        let package = package(&fixture, coordinator, &request, &slots, signers);
        let package = fixture.seal(coordinator, request.session_id(), &package);
        bus.send(Destination::Everyone, &package).unwrap();
    }
    all_signed(&sessions, &request).await;
    // The next coordinators begin after an interval and two.
    assert!(start.elapsed() < 5 * SECOND);
    for session in sessions {
        let [(fault, proof)] = &session.proofs().await[..] else { panic!("one proof each") };
        assert_eq!((fault.accused, fault.fault), (coordinator, FaultKind::PackageConflict));
        assert_eq!(proof.verify(&fixture.group), Verdict::Invalid(*fault));
    }
}
