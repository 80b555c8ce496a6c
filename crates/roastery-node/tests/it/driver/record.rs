//! What a node keeps about the members from one session to the next.

use roastery_node::bus::{Bus, Destination};
use roastery_protocol::{Seat, signing::Event};
use roastery_testkit::nodes::*;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn who_kept_others_waiting_is_picked_last_in_the_next_session_however_early_it_comes() {
    let fixture = Fixture::new(2, 3);
    let mut requests = (0..).map(|id| fixture.request(id));
    let first = requests.next().unwrap();
    let (coordinator, slow) = (fixture.coordinator(&first, 0), fixture.coordinator(&first, 1));
    let second = requests.find(|request| fixture.coordinator(request, 0) == coordinator).unwrap();
    let quick = fixture.all_but(&[coordinator, slow])[0];
    let (mesh, nodes) = fixture.start_all(&[coordinator, quick]);
    let mut bus = mesh.join(peer(slow)).unwrap();

    let mut took = Vec::new();
    let mut picked: Vec<Vec<Vec<Seat>>> = Vec::new();
    for request in [&first, &second] {
        let start = Instant::now();
        let mut session = nodes[0].sign(request).await;
        settle().await;
        // The slow one sends a slot before every other member, and never answers.
        let commitments = fixture.commitments(slow, request, 0);
        bus.send(Destination::Peer(peer(coordinator)), commitments.as_bytes()).unwrap();
        settle().await;
        let other = nodes[1].sign(request).await;
        all_signed(std::slice::from_ref(&other), request).await;
        signed(&session, request).await;
        took.push(start.elapsed());
        let mut packages = Vec::new();
        loop {
            match session.event().await.unwrap() {
                Event::PackageIssued { signers, .. } => packages.push(signers),
                Event::Signed(_) => break,
                _ => {}
            }
        }
        picked.push(packages);
    }
    let pair = |other: Seat| {
        let mut pair = vec![coordinator, other];
        pair.sort();
        pair
    };
    assert_eq!(picked, [vec![pair(slow), pair(quick)], vec![pair(quick)]]);
    assert!(took[1] < took[0], "{took:?}");
}
