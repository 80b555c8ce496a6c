use roastery_node::{
    bus::{Bus, BusEvent, Destination, Mesh},
    driver::{Node, ProposeError, Proposed, SignError},
};
use roastery_protocol::{
    message::{Body, Envelope, Header, Kind, Proposal, RefusalReason},
    request::{ApprovedRequest, SigningRequest, Subject, SubjectError},
    signing::Event,
};
use roastery_testkit::nodes::*;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

fn proposal(request: &ApprovedRequest) -> Proposal {
    Proposal { request: request.request().clone(), subject: Subject::Hash }
}

/// A node whose embedding program reads the others' proposals.
fn start_listening(
    fixture: &Fixture,
    bus: impl Bus + 'static,
    at: usize,
) -> (Up, mpsc::Receiver<Proposed>) {
    let (mut node, handle) = Node::new(bus, fixture.member(seat(at)));
    let proposals = node.proposals();
    (Up { seat: seat(at), handle, task: tokio::spawn(node.run()) }, proposals)
}

async fn nothing(proposals: &mut mpsc::Receiver<Proposed>) {
    assert!(timeout(100 * SECOND, proposals.recv()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_proposal_is_shown_once_to_each_of_the_others_with_who_proposes_it() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let [proposer, first, second]: [_; 3] =
        fixture.join(&mesh, &fixture.all_but(&[])).try_into().unwrap();
    let proposer = fixture.start(proposer, seat(0));
    let (_first, mut heard) = start_listening(&fixture, first, 1);
    let (_second, mut heard_too) = start_listening(&fixture, second, 2);
    proposer.handle.propose(proposal(&request)).await.unwrap();
    let expected = Proposed { by: seat(0), proposal: proposal(&request) };
    assert_eq!(heard.recv().await, Some(expected.clone()));
    assert_eq!(heard_too.recv().await, Some(expected));
    // It is retransmitted, and not delivered again.
    nothing(&mut heard).await;
}

#[tokio::test(start_paused = true)]
async fn a_proposal_reaches_a_late_member_even_without_its_proposer() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let proposer = fixture.start(mesh.join(peer(seat(0))).unwrap(), seat(0));
    let helper = fixture.start(mesh.join(peer(seat(1))).unwrap(), seat(1));
    helper.handle.propose(proposal(&request)).await.unwrap();
    proposer.handle.propose(proposal(&request)).await.unwrap();
    settle().await;
    proposer.task.abort();
    sleep(1000 * SECOND).await;
    let start = Instant::now();
    let (_late, mut heard) = start_listening(&fixture, mesh.join(peer(seat(2))).unwrap(), 2);
    assert_eq!(heard.recv().await.unwrap().proposal, proposal(&request));
    assert_eq!(start.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_proposal_is_repeated_until_the_peer_shows_that_it_knows_the_request() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let proposer = fixture.start(mesh.join(peer(seat(0))).unwrap(), seat(0));
    let mut other = mesh.join(peer(seat(1))).unwrap();
    proposer.handle.propose(proposal(&request)).await.unwrap();
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 4 {
        let Some(BusEvent::Message { bytes, .. }) = other.receive().await else { continue };
        assert_eq!(Envelope::peek_kind(&bytes), Some(Kind::Proposal));
        times.push(start.elapsed().as_secs());
    }
    assert_eq!(times, [0, 2, 6, 14]);
    let known = fixture.seal(seat(1), &request, 0, &Body::Refusal(RefusalReason::Policy));
    other.send(Destination::Peer(peer(seat(0))), known.as_bytes()).unwrap();
    assert!(timeout(1000 * SECOND, other.receive()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_its_named_member_has_not_signed_is_not_delivered() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let (_node, mut heard) = start_listening(&fixture, mesh.join(peer(seat(0))).unwrap(), 0);
    let mut other = mesh.join(peer(seat(1))).unwrap();
    let sealed = fixture.seal(seat(2), &request, 0, &Body::Proposal(proposal(&request)));
    let mut forged = sealed.as_bytes().to_vec();
    forged[0] ^= 1;
    other.send(Destination::Everyone, &forged).unwrap();
    nothing(&mut heard).await;
    // And it does not keep the right one from being delivered, which any member may forward.
    other.send(Destination::Everyone, sealed.as_bytes()).unwrap();
    assert_eq!(heard.recv().await.unwrap().by, seat(2));
}

#[tokio::test(start_paused = true)]
async fn what_the_others_would_refuse_is_not_proposed() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let subject = Subject::Transaction(vec![0; 300_000]);
    let proposal = Proposal { subject, ..proposal(&request) };
    let refused = nodes[0].handle.propose(proposal).await;
    assert!(matches!(refused, Err(ProposeError::Subject(SubjectError::TooLong { .. }))));
}

#[tokio::test(start_paused = true)]
async fn who_refuses_is_named_at_once_and_says_it_again_to_a_member_that_still_asks() {
    let fixture = Fixture::new(3, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    nodes[2].handle.refuse(request.request(), RefusalReason::Operator).await;
    settle().await;
    // These two start after the refusal was sent: they get it when they ask.
    let mut session = nodes[0].sign(&request).await;
    let _other = nodes[1].sign(&request).await;
    let refused = Event::Refused { seat: seat(2), reason: RefusalReason::Operator };
    let heard = async { while session.event().await.unwrap() != refused {} };
    timeout(60 * SECOND, heard).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_stops_the_session_and_what_has_stopped_can_be_opened_again() {
    let fixture = Fixture::new(3, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let first = nodes[0].sign(&request).await;
    nodes[0].handle.refuse(request.request(), RefusalReason::Policy).await;
    first.ended().await.unwrap();
    let sessions = sign_at(&nodes, &request).await;
    all_signed(&sessions, &request).await;
    let again = nodes[0].handle.sign(request.clone(), LONG).await.map(drop);
    assert_eq!(again, Err(SignError::AlreadyOpen));
}

#[tokio::test(start_paused = true)]
async fn a_proposal_of_a_request_that_lives_too_long_or_not_at_all_is_not_shown() {
    let fixture = Fixture::new(2, 3);
    let mesh = Mesh::default();
    let (_node, mut heard) = start_listening(&fixture, mesh.join(peer(seat(0))).unwrap(), 0);
    let mut other = mesh.join(peer(seat(1))).unwrap();
    let messages = fixture.request(1).request().messages().to_vec();
    let week = 7 * 24 * 3600;
    for (id, expiry) in [(1, fixture.now.wall_seconds() + week + 600), (2, u64::MAX), (3, 7)] {
        let request =
            SigningRequest::new(fixture.group.id(), [id; 32], expiry, messages.clone()).unwrap();
        let session = request.session_id();
        let proposal = Body::Proposal(Proposal { request, subject: Subject::Hash });
        let header = Header::new(Kind::Proposal, fixture.group.id(), session, 0, 1);
        let sealed = Envelope::seal(header, &proposal, &fixture.member(seat(1)).identity);
        other.send(Destination::Everyone, sealed.as_bytes()).unwrap();
    }
    nothing(&mut heard).await;
}
