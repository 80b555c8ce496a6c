use roastery_node::{
    bus::{Bus, Mesh},
    driver::ProposeError,
};
use roastery_protocol::{
    member::machine::{Event, OpenError, ProposeError as NotProposed, Proposed},
    request::{ApprovedRequest, Subject, SubjectError},
    request::{Proposal, RefusalReason},
};
use roastery_testkit::nodes::*;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use roastery_node::driver::SignError;

fn proposal(request: &ApprovedRequest) -> Proposal {
    Proposal { request: request.request().clone(), subject: Subject::Hash }
}

/// A node whose embedding program reads the others' proposals.
fn start_listening(
    fixture: &Fixture,
    bus: impl Bus + 'static,
    at: usize,
) -> (Up, mpsc::Receiver<Proposed>) {
    let (mut node, handle) = fixture.node(bus, fixture.member(seat(at)));
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
async fn a_proposal_that_was_not_taken_is_shown_again() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let proposer = fixture.start(mesh.join(peer(seat(0))).unwrap(), seat(0));
    let (node, mut heard) = start_listening(&fixture, mesh.join(peer(seat(1))).unwrap(), 1);
    proposer.handle.propose(proposal(&request)).await.unwrap();
    assert!(heard.recv().await.is_some());
    node.handle.not_taken(request.session_id()).await;
    assert!(timeout(100 * SECOND, heard.recv()).await.unwrap().is_some());
    node.handle.decided(request.session_id()).await;
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
async fn what_the_others_would_refuse_is_not_proposed() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    let subject = Subject::Transaction(vec![0; 300_000]);
    let proposal = Proposal { subject, ..proposal(&request) };
    let refused = nodes[0].handle.propose(proposal).await;
    let Err(ProposeError::Refused(NotProposed::Subject(error))) = refused else {
        panic!("{refused:?}")
    };
    assert!(matches!(error, SubjectError::TooLong { .. }));
}

#[tokio::test(start_paused = true)]
async fn who_refuses_is_named_to_members_that_open_the_session_later() {
    let fixture = Fixture::new(3, 3);
    let request = fixture.request(1);
    let (_mesh, nodes) = fixture.start_all(&fixture.all_but(&[]));
    settle().await;
    nodes[2].handle.refuse(request.request(), RefusalReason::Operator).await;
    settle().await;
    let mut session = nodes[0].sign(&request).await;
    let _other = nodes[1].sign(&request).await;
    let (id, reason) = (request.session_id(), RefusalReason::Operator);
    let refused = Event::Refused { session: id, seat: seat(2), reason };
    let heard = async {
        loop {
            let report = session.report().await.unwrap();
            if report.refusals == [(seat(2), reason)] {
                return;
            }
            assert_eq!(session.event().await.unwrap(), refused);
        }
    };
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
    let again = nodes[0].try_sign(&request).await.map(drop);
    assert_eq!(again, Err(SignError::Open(OpenError::Known)));
    // The former handle does not show the later opening.
    assert!(first.report().await.is_some_and(|report| report.proven.is_empty()));
}
