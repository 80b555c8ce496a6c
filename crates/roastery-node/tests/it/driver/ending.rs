use std::{collections::BTreeSet, time::Duration};

use roastery_node::{
    bus::{Bus, BusEvent, Mesh},
    driver::{Ended, SessionHandle, SignError},
};
use roastery_protocol::{
    Seat,
    message::{Envelope, Kind},
    signing::{AwaitedThing, Event, OpenError, ReportPhase, StopReason},
};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep, timeout};

async fn last_event(session: &mut SessionHandle) -> Event {
    loop {
        let event = session.event().await.unwrap();
        if matches!(event, Event::Signed(_) | Event::Stopped(_)) {
            return event;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_stopped_ends_as_cancelled_and_a_later_signature_makes_it_signed() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let mut stopped = nodes[0].sign(&request).await;
    stopped.stop().await;
    assert_eq!(stopped.ended().await, Some(Ended::Stopped(StopReason::Cancelled)));
    assert_eq!(last_event(&mut stopped).await, Event::Stopped(StopReason::Cancelled));
    let report = stopped.report().await.unwrap();
    assert_eq!(report.phase, ReportPhase::Stopped(StopReason::Cancelled));
    assert!(!report.awaited.is_empty());

    let others = sign_at(&nodes[1..], &request).await;
    let outcomes = all_signed(&others, &request).await;
    assert!(matches!(last_event(&mut stopped).await, Event::Signed(_)));
    assert_eq!(signed(&stopped, &request).await.signatures, outcomes[0].signatures);
    // A signed request stays signed.
    stopped.stop().await;
    assert!(matches!(stopped.report().await.unwrap().phase, ReportPhase::Signed(_)));
    signed(&stopped, &request).await;
}

#[tokio::test(start_paused = true)]
async fn at_its_deadline_a_session_stops_and_the_report_still_says_who_was_awaited_for_what_since_when()
 {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (first, second) = (fixture.coordinator(&request, 0), fixture.coordinator(&request, 1));
    let (_mesh, nodes) = fixture.start_all(&[first, second]);
    sleep(SECOND).await;
    let deadline = Duration::from_millis(1500);
    let start = Instant::now();
    let opened_at = nodes[0].handle.now().monotonic;
    let coordinator = nodes[0].handle.sign(request.clone(), deadline).await.unwrap();
    let signer = nodes[1].handle.sign(request.clone(), deadline).await.unwrap();
    let reason = StopReason::Deadline;
    assert_eq!(coordinator.ended().await, Some(Ended::Stopped(reason)));
    assert_eq!(signer.ended().await, Some(Ended::Stopped(reason)));
    assert_eq!(start.elapsed().as_millis(), deadline.as_millis());

    sleep(SECOND).await;
    let report = coordinator.report().await.unwrap();
    assert_eq!(report.phase, ReportPhase::Stopped(reason));
    let awaited: Vec<_> = report.awaited.iter().map(|one| (one.seat, one.thing)).collect();
    let silent = fixture.all_but(&[first, second]).into_iter();
    let expected: Vec<_> = silent.map(|seat| (seat, AwaitedThing::Slot)).collect();
    assert_eq!(awaited, expected);
    assert!(report.awaited.iter().all(|one| one.since == opened_at));
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
        sessions.push(node.handle.sign(request.clone(), SECOND).await.unwrap());
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
    assert!((life - SECOND..=life).contains(&start.elapsed()));
    assert_eq!(last_event(&mut session).await, Event::Stopped(StopReason::Expired));
    // The node has forgotten it: there are no further events.
    assert_eq!(session.event().await, None);
    let report = session.report().await.unwrap();
    assert_eq!(report.phase, ReportPhase::Stopped(StopReason::Expired));
    assert!(report.awaited.iter().filter(|one| one.thing == AwaitedThing::Slot).count() >= 4);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_kept_until_the_request_expires_and_no_longer() {
    let fixture = Fixture::new(2, 3);
    let life = 100 * SECOND;
    let request = fixture.request_for(1, life);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    let again = async || nodes[0].handle.sign(request.clone(), LONG).await.map(drop);
    sleep(life - 2 * SECOND).await;
    assert_eq!(again().await, Err(SignError::AlreadyOpen));
    sleep(3 * SECOND).await;
    assert_eq!(again().await, Err(SignError::Open(OpenError::Expired)));
    // A handle still shows how it ended.
    assert_eq!(all_signed(&sessions, &request).await, outcomes);
    let phase = sessions[0].report().await.unwrap().phase;
    assert_eq!(phase, ReportPhase::Signed(outcomes[0].clone()));
}

#[tokio::test(start_paused = true)]
async fn each_opening_of_a_session_is_another_run_which_no_two_openings_have_in_common() {
    let fixture = Fixture::new(3, 3);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0);
    let own = fixture.all_but(&[coordinator])[0];
    let mesh = Mesh::default();
    let mut listener = mesh.join(peer(coordinator)).unwrap();
    let node = fixture.start(mesh.join(peer(own)).unwrap(), own);
    let mut random = BTreeSet::new();
    for _ in 0..20 {
        let session = node.sign(&request).await;
        let run = loop {
            let event = timeout(60 * SECOND, listener.receive()).await.unwrap();
            let Some(BusEvent::Message { bytes, .. }) = event else { continue };
            if Envelope::peek_kind(&bytes) == Some(Kind::Commitments) {
                // Milliseconds, and eight random bytes.
                break <[u8; 16]>::try_from(&bytes[64 + 72..64 + 72 + 16]).unwrap();
            }
        };
        assert!(random.insert(run[8..].to_vec()), "{run:?} has been before");
        session.stop().await;
        session.ended().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_peer_holds_two_seats_says_so_and_signs_nothing() {
    let both = |at: Seat| if at == seat(2) { peer(seat(0)) } else { peer(at) };
    let fixture = Fixture::with_peers(2, 3, both);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let node = fixture.start(mesh.join(peer(seat(0))).unwrap(), seat(0));
    let refused = node.handle.sign(request, LONG).await.map(drop);
    let (first, second) = (seat(0), seat(2));
    assert_eq!(refused, Err(SignError::SeveralSeats { first, second, peer: peer(first) }));
}
