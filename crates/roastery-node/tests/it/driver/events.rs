use roastery_node::bus::{Bus, Destination};
use roastery_protocol::{
    message::{Body, Commitments},
    signing::Event,
};
use roastery_testkit::nodes::*;

#[tokio::test(start_paused = true)]
async fn the_events_of_a_coordinators_session_tell_how_it_came_to_its_signatures() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let coordinator = fixture.coordinator(&request, 0);
    let mut sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    drop(nodes);

    let mut session = sessions.remove(coordinator.index());
    let mut events = Vec::new();
    loop {
        let event = session.event().await.unwrap();
        events.push(event.clone());
        if let Event::Signed(outcome) = event {
            assert_eq!(outcome, outcomes[0]);
            break;
        }
    }
    let count = |matches: fn(&Event) -> bool| events.iter().filter(|event| matches(event)).count();
    assert!(matches!(events[0], Event::Coordinating { .. }));
    assert!(count(|event| matches!(event, Event::SlotReceived { .. })) >= 3);
    assert_eq!(count(|event| matches!(event, Event::PackageIssued { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::ShareReceived { .. })), 3);
    assert_eq!(count(|event| matches!(event, Event::Stopped(_))), 0);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_takes_no_events_delays_no_other_and_finds_the_end_behind_what_waited_for_it()
 {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (coordinator, busy) = (fixture.coordinator(&request, 0), fixture.coordinator(&request, 1));
    let (mesh, nodes) = fixture.start_all(&fixture.all_but(&[busy]));
    let mut bus = mesh.join(peer(busy)).unwrap();
    let listening = nodes.iter().find(|node| node.seat == coordinator).unwrap();
    let mut session = listening.sign(&request).await;

    // Every message of a member that sends one slot after the other is an event.
    let slots = [0, 1].map(|index| fixture.slot(busy, &request, 0, index));
    for index in 0..5000 {
        let slot = slots[index as usize % 2].clone();
        let content = Commitments { run: fixture.run(busy), index, slot };
        let message = fixture.seal(busy, &request, 0, &Body::Commitments(content));
        bus.send(Destination::Peer(peer(coordinator)), message.as_bytes()).unwrap();
        if index % 500 == 0 {
            settle().await;
        }
    }
    let others = nodes.iter().filter(|node| node.seat != coordinator);
    let mut sessions = Vec::new();
    for node in others {
        sessions.push(node.sign(&request).await);
    }
    all_signed(&sessions, &request).await;
    let outcome = signed(&session, &request).await;

    let mut waited = 0;
    loop {
        match session.event().await.unwrap() {
            Event::Signed(last) => break assert_eq!(last, outcome),
            _ => waited += 1,
        }
    }
    assert_eq!(waited, 4096);
}
