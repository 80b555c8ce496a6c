use roastery_protocol::member::machine::Event;
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
            assert_eq!(outcome, outcomes[coordinator.index()]);
            break;
        }
    }
    let count = |matches: fn(&Event) -> bool| events.iter().filter(|event| matches(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Reigning { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::PackageIssued { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::ShareReleased { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::TakesPart { .. })), 2);
    assert_eq!(count(|event| matches!(event, Event::Stopped { .. })), 0);
}
