use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use roastery_frost::Seat;
use roastery_node::{
    bus::{Bus, Destination, Mesh, MeshLimits, queue::QueueLimits},
    driver::Ended,
};
use roastery_protocol::{
    BodyHash, SlotHash,
    member::{
        frame::Want,
        machine::{RequestOrigin, StopReason},
    },
    request::ApprovedRequest,
    request::RefusalReason,
};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, advance, sleep};

use crate::driver::buses::Endless;

/// Messages of a member that all differ: well-formed questions for what does not exist, and a valid
/// header over garbage without a valid signature.
fn flood(fixture: &Fixture, flooder: Seat, request: &ApprovedRequest, count: u32) -> Vec<Bytes> {
    let session = request.session_id();
    let to = fixture.all_but(&[flooder]);
    let message = |number: u32| {
        let mut name = [0; 32];
        name[..4].copy_from_slice(&number.to_le_bytes());
        let to = to[number as usize % to.len()];
        let bytes = match number % 3 {
            0 => fixture.want(flooder, to, session, Want::Package(BodyHash::from_bytes(name))),
            1 => fixture.want(flooder, to, session, Want::Nonces(SlotHash::from_bytes(name))),
            _ => {
                let refusal = fixture.refusal(flooder, session, RefusalReason::Busy);
                [&refusal[..], &name].concat().into()
            }
        };
        Bytes::copy_from_slice(&bytes)
    };
    (0..count).map(message).collect()
}

fn mesh_with_room_for(max_queued_messages: usize) -> Mesh {
    let queues = QueueLimits { max_queued_messages, ..QueueLimits::default() };
    Mesh::new(MeshLimits { queues, ..MeshLimits::default() }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_member_that_floods_all_others_loses_its_own_messages_and_the_session_completes() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let flooder = fixture.coordinator(&request, 1);
    let mesh = mesh_with_room_for(32);
    let seats = fixture.all_but(&[flooder]);
    let buses = fixture.join(&mesh, &seats);
    let nodes: Vec<Up> =
        buses.into_iter().zip(&seats).map(|(bus, seat)| fixture.start(bus, *seat)).collect();

    let mut bus = mesh.join(peer(flooder)).unwrap();
    let flood = flood(&fixture, flooder, &request, 2000);
    let flooding = tokio::spawn(async move {
        for messages in flood.chunks(100).cycle() {
            for message in messages {
                bus.send(Destination::Everyone, message).unwrap();
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    sleep(SECOND / 10).await;
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    all_signed(&sessions, &request).await;
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    flooding.abort();

    for node in &nodes {
        let stats = node.handle.bus_stats().await.unwrap();
        assert!(stats.of(&peer(flooder)).dropped_queue_full > 100);
        assert!(seats.iter().all(|other| stats.of(&peer(*other)).dropped_queue_full == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_whose_task_is_not_run_for_a_while_delays_no_other_and_finishes_later() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let slow = fixture.coordinator(&request, 4);
    let mesh = mesh_with_room_for(1);
    let seats = fixture.all_but(&[slow]);
    let buses = fixture.join(&mesh, &seats);
    let nodes: Vec<Up> =
        buses.into_iter().zip(&seats).map(|(bus, seat)| fixture.start(bus, *seat)).collect();

    let bus = mesh.join(peer(slow)).unwrap();
    let (node, handle) = fixture.node(bus, fixture.member(slow));
    let mut running = Box::pin(node.run());
    let of_slow = tokio::select! {
        () = &mut running => panic!("the node ended"),
        session = handle.sign(request.clone(), RequestOrigin::Proposed, LONG) => session.unwrap(),
    };
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    assert!(start.elapsed() < 3 * SECOND);
    let lost = mesh.stats(&peer(slow)).unwrap().of(&peer(fixture.coordinator(&request, 0)));
    assert!(lost.dropped_queue_full > 0);

    tokio::spawn(running);
    let late = signed(&of_slow, &request).await;
    assert_eq!(late.signatures, outcomes[0].signatures);
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_bus_is_always_ready_leaves_the_others_on_its_thread_their_turn() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let order = fixture.order(&request);
    let (flooder, mesh) = (order[4], Mesh::default());
    let _flooding = mesh.join(peer(flooder)).unwrap();
    // No time passes: all that are there are signers of the first package.
    let seats = order[..3].to_vec();
    let flood = flood(&fixture, flooder, &request, 100);
    let nodes: Vec<Up> = fixture
        .join(&mesh, &seats)
        .into_iter()
        .zip(&seats)
        .map(|(bus, seat)| {
            let (bus, _) = Endless::new(bus, peer(flooder), flood.clone(), 50_000);
            fixture.start(bus, *seat)
        })
        .collect();
    let sessions = sign_at(&nodes, &request).await;
    all_signed(&sessions, &request).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_bus_is_always_ready_keeps_its_own_times() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let flood = flood(&fixture, seat(1), &request, 100);
    let bus = mesh.join(peer(seat(0))).unwrap();
    let (bus, given) = Endless::new(bus, peer(seat(1)), flood, 50_000);
    let node = fixture.start(bus, seat(0));
    let session = node.sign_until(&request, SECOND).await.unwrap();
    advance(SECOND).await;
    let before = given.load(Ordering::Relaxed);
    assert_eq!(session.ended().await, Some(Ended::Stopped(StopReason::Deadline)));
    let meanwhile = given.load(Ordering::Relaxed) - before;
    assert!(meanwhile < 500, "{meanwhile} messages were read after the time had come");
}
