use roastery_node::{
    bus::{Bus, Destination},
    driver::{SessionHandle, SignError},
};
use roastery_protocol::{
    message::{Body, Want},
    signing::Settings,
};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep, timeout};

/// Times so long that within a minute there is no retransmission and no further attempt.
fn once(settings: Settings) -> Settings {
    Settings { interval: LONG, repeat_min: LONG, repeat_max: LONG, ..settings }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_node_opened_its_session_is_used_without_being_said_again() {
    let mut fixture = Fixture::new(3, 5);
    fixture.settings = once(fixture.settings);
    let request = fixture.request(1);
    let late = fixture.coordinator(&request, 0);
    let (mesh, mut nodes) = fixture.start_all(&fixture.all_but(&[late]));
    nodes.push(fixture.start(mesh.join(peer(late)).unwrap(), late));
    let mut sessions = sign_at(&nodes[..4], &request).await;
    sleep(SECOND).await;
    // The coordinator's policy is slow. Meanwhile it receives the others' messages.
    let start = Instant::now();
    sessions.push(nodes[4].sign(&request).await);
    all_signed(&sessions, &request).await;
    assert_eq!(start.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_floods_a_session_before_it_is_opened_displaces_no_other_members_messages() {
    let mut fixture = Fixture::new(3, 5);
    fixture.settings = once(fixture.settings);
    let request = fixture.request(1);
    let late = fixture.coordinator(&request, 0);
    let flooder = fixture.coordinator(&request, 1);
    let (mesh, mut nodes) = fixture.start_all(&fixture.all_but(&[late, flooder]));
    nodes.push(fixture.start(mesh.join(peer(late)).unwrap(), late));
    let mut bus = mesh.join(peer(flooder)).unwrap();
    let mut sessions = sign_at(&nodes[..3], &request).await;
    settle().await;
    let want = fixture.seal(flooder, &request, 0, &Body::Want(Want::Outcome));
    let mut flood = want.as_bytes().to_vec();
    for number in 0..1000_u32 {
        flood.truncate(want.as_bytes().len());
        flood.extend(number.to_le_bytes());
        bus.send(Destination::Everyone, &flood).unwrap();
    }
    settle().await;
    sessions.push(nodes[3].sign(&request).await);
    let start = Instant::now();
    all_signed(&sessions, &request).await;
    assert_eq!(start.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_opens_when_the_others_have_finished_finds_the_outcome_waiting_for_it() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let late = fixture.coordinator(&request, 4);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let (late, others): (Vec<Up>, Vec<Up>) = nodes.into_iter().partition(|up| up.seat == late);
    let sessions = sign_at(&others, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    sleep(100 * SECOND).await;
    let start = Instant::now();
    let session = late[0].sign(&request).await;
    assert_eq!(signed(&session, &request).await.signatures, outcomes[0].signatures);
    assert_eq!(start.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_restarts_after_the_end_is_told_the_outcome_by_the_others() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let (mesh, mut nodes) = fixture.start_all(&fixture.all_but(&[]));
    let sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    for seat in fixture.group.seats() {
        nodes[seat.index()].task.abort();
        // The others' evidence has long been pruned.
        sleep(100 * SECOND).await;
        nodes[seat.index()] = fixture.start(mesh.join(peer(seat)).unwrap(), seat);
        let session = nodes[seat.index()].sign(&request).await;
        let start = Instant::now();
        assert_eq!(signed(&session, &request).await.signatures, outcomes[0].signatures);
        assert!(start.elapsed() < 3 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_session_after_which_many_were_signed_the_outcome_is_left_and_answers_who_lacks_it() {
    let mut fixture = Fixture::new(2, 3);
    fixture.messages = 1;
    let late = seat(2);
    let (mesh, nodes) = fixture.start_all(&[seat(0), seat(1)]);
    let mut sessions = Vec::new();
    let mut first = None;
    for number in 0..200 {
        let request = fixture.request(number);
        let mut both = sign_at(&nodes, &request).await;
        let outcomes = all_signed(&both, &request).await;
        first.get_or_insert((request, outcomes[0].signatures.clone()));
        sessions.push(both.remove(0));
    }
    settle().await;
    let (request, signatures) = first.unwrap();
    let again = nodes[0].handle.sign(request.clone(), LONG).await.map(drop);
    assert_eq!(again, Err(SignError::AlreadyOpen));
    // The first one has no further events, and its handle shows how it ended; the last one takes
    // evidence.
    let nothing_more = async |session: &mut SessionHandle| {
        let drained = async { while session.event().await.is_some() {} };
        timeout(SECOND, drained).await.is_ok()
    };
    assert!(nothing_more(&mut sessions[0]).await);
    assert!(!nothing_more(&mut sessions[199]).await);
    assert_eq!(signed(&sessions[0], &request).await.signatures, signatures);

    let node = fixture.start(mesh.join(peer(late)).unwrap(), late);
    let start = Instant::now();
    let session = node.sign(&request).await;
    assert_eq!(signed(&session, &request).await.signatures, signatures);
    assert!(start.elapsed() < 3 * SECOND);
}
