use std::time::Duration;

use roastery_node::driver::{Ended, SessionHandle, SignError};
use roastery_protocol::member::machine::{AwaitedThing, Event, OpenError, ReportPhase, StopReason};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep};

async fn last_event(session: &mut SessionHandle) -> Event {
    loop {
        let event = session.event().await.unwrap();
        if matches!(event, Event::Signed(_) | Event::Stopped { .. }) {
            return event;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_stopped_ends_as_cancelled_and_a_later_signature_makes_it_signed() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let own = fixture.coordinator(&request, 0);
    let (_mesh, mut nodes) = fixture.start_all(&fixture.all_but(&[]));
    let node = nodes.remove(own.index());
    settle().await;
    let mut stopped = node.sign(&request).await;
    stopped.stop().await;
    assert_eq!(stopped.ended().await, Some(Ended::Stopped(StopReason::Cancelled)));
    let event = Event::Stopped { session: stopped.id(), reason: StopReason::Cancelled };
    assert_eq!(last_event(&mut stopped).await, event);
    let report = stopped.report().await.unwrap();
    assert_eq!(report.phase, ReportPhase::Stopped(StopReason::Cancelled));
    assert!(!report.awaited.is_empty());

    let others = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&others, &request).await;
    assert!(matches!(last_event(&mut stopped).await, Event::Signed(_)));
    assert_eq!(signed(&stopped, &request).await.signatures, outcomes[0].signatures);
    // A signed request stays signed.
    stopped.stop().await;
    assert!(matches!(stopped.report().await.unwrap().phase, ReportPhase::Signed(_)));
    signed(&stopped, &request).await;
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_session_stops_and_the_report_still_says_who_was_awaited_for_what() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (first, second) = (fixture.coordinator(&request, 0), fixture.coordinator(&request, 1));
    let (_mesh, nodes) = fixture.start_all(&[first, second]);
    sleep(SECOND).await;
    let deadline = Duration::from_millis(1500);
    let start = Instant::now();
    let opened_at = nodes[0].handle.now().monotonic;
    let coordinator = nodes[0].sign_until(&request, deadline).await.unwrap();
    let signer = nodes[1].sign_until(&request, deadline).await.unwrap();
    let reason = StopReason::Deadline;
    assert_eq!(coordinator.ended().await, Some(Ended::Stopped(reason)));
    assert_eq!(signer.ended().await, Some(Ended::Stopped(reason)));
    assert_eq!(start.elapsed().as_millis(), deadline.as_millis());

    sleep(SECOND).await;
    let report = coordinator.report().await.unwrap();
    assert_eq!(report.phase, ReportPhase::Stopped(reason));
    let awaited: Vec<_> = report.awaited.iter().map(|one| (one.seat, one.thing)).collect();
    for silent in fixture.all_but(&[first, second]) {
        assert!(awaited.contains(&(silent, AwaitedThing::Link)), "{awaited:?}");
    }
    assert!(report.awaited.iter().all(|one| one.since >= opened_at));
    assert!(coordinator.now().monotonic >= opened_at + deadline + SECOND);

    let [awaited] = &signer.report().await.unwrap().awaited[..] else { panic!("one is awaited") };
    assert_eq!((awaited.seat, awaited.thing), (first, AwaitedThing::Package));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_after_the_signature_changes_nothing() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let mut sessions = Vec::new();
    for node in &nodes {
        sessions.push(node.sign_until(&request, SECOND).await.unwrap());
    }
    all_signed(&sessions, &request).await;
    sleep(2 * SECOND).await;
    all_signed(&sessions, &request).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_expires_stops_its_session_and_its_report_outlives_it() {
    let fixture = Fixture::new(3, 5);
    let life = 5 * SECOND;
    let request = fixture.request_for(1, life);
    let (_mesh, nodes) = fixture.start_all(&[fixture.coordinator(&request, 0)]);
    let start = Instant::now();
    let mut session = nodes[0].sign(&request).await;
    assert_eq!(session.ended().await, Some(Ended::Stopped(StopReason::Expired)));
    // An expiry is a whole second of the wall clock.
    assert!((life - SECOND..=life).contains(&start.elapsed()), "{:?}", start.elapsed());
    let event = Event::Stopped { session: session.id(), reason: StopReason::Expired };
    assert_eq!(last_event(&mut session).await, event);
    sleep(SECOND).await;
    // The node has forgotten it: there are no further events.
    assert_eq!(session.event().await, None);
    let report = session.report().await.unwrap();
    assert_eq!(report.phase, ReportPhase::Stopped(StopReason::Expired));
    let links = report.awaited.iter().filter(|one| one.thing == AwaitedThing::Link);
    assert_eq!(links.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_kept_until_the_request_expires_and_no_longer() {
    let fixture = Fixture::new(2, 3);
    let life = 100 * SECOND;
    let request = fixture.request_for(1, life);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    let again = async || nodes[0].try_sign(&request).await.map(drop);
    sleep(life - 2 * SECOND).await;
    assert_eq!(again().await, Err(SignError::Open(OpenError::Known)));
    sleep(3 * SECOND).await;
    assert_eq!(again().await, Err(SignError::Open(OpenError::Expired)));
    // A handle still shows how it ended.
    assert_eq!(all_signed(&sessions, &request).await, outcomes);
    let phase = sessions[0].report().await.unwrap().phase;
    assert_eq!(phase, ReportPhase::Signed(outcomes[0].clone()));
}
