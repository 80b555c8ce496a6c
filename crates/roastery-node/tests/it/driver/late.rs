use roastery_node::bus::{Bus, Destination};
use roastery_protocol::{BodyHash, member::frame::Want};
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn what_came_before_a_node_opened_its_session_is_used_without_being_said_again() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let [first, second, late, ..] = fixture.order(&request)[..] else { unreachable!() };
    // These three are all that the coordinator can pick.
    let (_mesh, nodes) = fixture.start_all(&[first, second, late]);
    settle().await;
    let mut sessions = sign_at(&nodes[..2], &request).await;
    settle().await;
    // This node's policy is slow. Meanwhile it receives the package.
    let start = Instant::now();
    sessions.push(nodes[2].sign(&request).await);
    all_signed(&sessions, &request).await;
    assert_eq!(start.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_floods_a_session_before_it_is_opened_displaces_no_other_members_messages() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let [first, second, late, flooder, ..] = fixture.order(&request)[..] else { unreachable!() };
    let (mesh, nodes) = fixture.start_all(&[first, second, late]);
    let mut bus = mesh.join(peer(flooder)).unwrap();
    settle().await;
    let mut sessions = sign_at(&nodes[..2], &request).await;
    settle().await;
    for number in 0..1000_u32 {
        let mut name = [0; 32];
        name[..4].copy_from_slice(&number.to_le_bytes());
        let want = Want::Package(BodyHash::from_bytes(name));
        let message = fixture.want(flooder, late, request.session_id(), want);
        bus.send(Destination::Peer(peer(late)), &message).unwrap();
    }
    settle().await;
    sessions.push(nodes[2].sign(&request).await);
    let start = Instant::now();
    all_signed(&sessions, &request).await;
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
        assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_opens_when_the_others_have_finished_ends_with_their_outcome() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let late = fixture.coordinator(&request, 4);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    settle().await;
    let (late, others): (Vec<Up>, Vec<Up>) = nodes.into_iter().partition(|up| up.seat == late);
    let sessions = sign_at(&others, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    sleep(100 * SECOND).await;
    let start = Instant::now();
    let session = late[0].sign(&request).await;
    assert_eq!(signed(&session, &request).await.signatures, outcomes[0].signatures);
    assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
}
