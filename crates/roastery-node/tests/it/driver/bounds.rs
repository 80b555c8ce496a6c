//! How much a member can make the others keep, and who is notified at the limit.

use std::sync::{Arc, Mutex};

use roastery_node::{
    bus::{Bus, BusEvent, Destination, Mesh, MeshBus},
    driver::{Limit, Node, Notice, Observer, Proposed},
};
use roastery_protocol::{
    message::{Body, Envelope, Kind, Proposal, RefusalReason},
    request::{ApprovedRequest, SigningRequest, Subject},
    signing::Event,
};
use roastery_testkit::nodes::*;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

/// The most requests of one member that wait for a decision.
const MOST: u32 = 1024;

fn proposal(request: &ApprovedRequest) -> Proposal {
    Proposal { request: request.request().clone(), subject: Subject::Hash }
}

fn sealed(fixture: &Fixture, at: usize, id: u32) -> Envelope {
    let request = fixture.request(id);
    fixture.seal(seat(at), &request, 0, &Body::Proposal(proposal(&request)))
}

/// Keeps its notices.
#[derive(Clone, Default)]
struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Observer for Notices {
    fn notice(&mut self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}

impl Notices {
    fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A node at this seat, the proposals that it delivers, and the notices of its observer.
fn start(fixture: &Fixture, mesh: &Mesh, at: usize) -> (Up, mpsc::Receiver<Proposed>, Notices) {
    let notices = Notices::default();
    let bus = mesh.join(peer(seat(at))).unwrap();
    let (node, handle) = Node::new(bus, fixture.member(seat(at)));
    let mut node = node.with_observer(notices.clone());
    let proposals = node.proposals();
    (Up { seat: seat(at), handle, task: tokio::spawn(node.run()) }, proposals, notices)
}

/// The next refusal on a bus, with the session that it is for.
async fn refusal(bus: &mut MeshBus) -> (roastery_protocol::SessionId, RefusalReason) {
    loop {
        let event = timeout(60 * SECOND, bus.receive()).await.unwrap();
        let Some(BusEvent::Message { bytes, .. }) = event else { continue };
        if let Some(reason) = Envelope::peek_refusal(&bytes) {
            return (Envelope::peek_session(&bytes).unwrap(), reason);
        }
    }
}

async fn nothing(proposals: &mut mpsc::Receiver<Proposed>) {
    assert!(timeout(100 * SECOND, proposals.recv()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_decided_does_not_count_for_the_member_that_proposes_it() {
    let mut fixture = Fixture::new(2, 3);
    fixture.messages = 1;
    let mesh = Mesh::default();
    let (node, mut heard, notices) = start(&fixture, &mesh, 0);
    let mut busy = mesh.join(peer(seat(1))).unwrap();
    for id in 0..2 * MOST + 2 {
        busy.send(Destination::Everyone, sealed(&fixture, 1, id).as_bytes()).unwrap();
        let shown = heard.recv().await.unwrap().proposal.request;
        match id % 3 {
            0 => node.handle.decided(shown.session_id()).await,
            1 => node.handle.refuse(&shown, RefusalReason::Policy).await,
            _ => node.sign(&fixture.request(id)).await.stop().await,
        }
    }
    assert_eq!(notices.take(), []);
}

#[tokio::test(start_paused = true)]
async fn a_member_of_which_too_much_waits_is_told_and_heard_again_when_something_is_decided() {
    let mut fixture = Fixture::new(2, 3);
    fixture.messages = 1;
    let mesh = Mesh::default();
    let (node, mut heard, notices) = start(&fixture, &mesh, 0);
    let mut busy = mesh.join(peer(seat(1))).unwrap();
    let mut other = mesh.join(peer(seat(2))).unwrap();
    let mut first = None;
    for id in 0..MOST {
        busy.send(Destination::Everyone, sealed(&fixture, 1, id).as_bytes()).unwrap();
        let shown = heard.recv().await.unwrap();
        first.get_or_insert(shown.proposal.request);
    }
    let further = sealed(&fixture, 1, MOST);
    busy.send(Destination::Everyone, further.as_bytes()).unwrap();
    let told = refusal(&mut busy).await;
    assert_eq!(told, (fixture.request(MOST).session_id(), RefusalReason::TooMany));
    let limited = Notice::Limited { limit: Limit::WaitingProposals, of: Some(seat(1)) };
    assert_eq!(notices.take(), [limited]);
    // Another member has its own quota.
    other.send(Destination::Everyone, sealed(&fixture, 2, 5000).as_bytes()).unwrap();
    assert_eq!(heard.recv().await.unwrap().by, seat(2));
    node.handle.decided(first.unwrap().session_id()).await;
    // Commands are handled in order: when this one is answered, so was the one before.
    node.handle.bus_stats().await.unwrap();
    busy.send(Destination::Everyone, further.as_bytes()).unwrap();
    assert_eq!(heard.recv().await.unwrap().proposal, proposal(&fixture.request(MOST)));
    assert_eq!(notices.take(), []);
}

#[tokio::test(start_paused = true)]
async fn the_proposer_goes_on_proposing_to_a_member_that_has_no_room_and_its_session_says_so() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let mesh = Mesh::default();
    let proposer = fixture.start(mesh.join(peer(seat(0))).unwrap(), seat(0));
    let mut full = mesh.join(peer(seat(1))).unwrap();
    let mut session = proposer.sign(&request).await;
    proposer.handle.propose(proposal(&request)).await.unwrap();
    let too_many = fixture.seal(seat(1), &request, 0, &Body::Refusal(RefusalReason::TooMany));
    full.send(Destination::Peer(peer(seat(0))), too_many.as_bytes()).unwrap();
    let told = Event::Refused { seat: seat(1), reason: RefusalReason::TooMany };
    while session.event().await.unwrap() != told {}
    let mut proposals = 0;
    while proposals < 4 {
        let event = timeout(100 * SECOND, full.receive()).await.unwrap();
        if let Some(BusEvent::Message { bytes, .. }) = event {
            proposals += usize::from(Envelope::peek_kind(&bytes) == Some(Kind::Proposal));
        }
    }
    // A final refusal is accepted after one for want of room.
    let no = fixture.seal(seat(1), &request, 0, &Body::Refusal(RefusalReason::Operator));
    full.send(Destination::Peer(peer(seat(0))), no.as_bytes()).unwrap();
    let told = Event::Refused { seat: seat(1), reason: RefusalReason::Operator };
    while session.event().await.unwrap() != told {}
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_counts_for_the_member_that_proposed_it() {
    let mut fixture = Fixture::new(2, 4);
    fixture.messages = 1;
    let mesh = Mesh::default();
    let (helper, mut heard_by_helper, _) = start(&fixture, &mesh, 1);
    let mut busy = mesh.join(peer(seat(0))).unwrap();
    for id in 0..MOST {
        busy.send(Destination::Everyone, sealed(&fixture, 0, id).as_bytes()).unwrap();
        heard_by_helper.recv().await.unwrap();
        // It opens no session, so that its proposal is the only sign of it.
        helper.handle.propose(proposal(&fixture.request(id))).await.unwrap();
    }
    drop(busy);
    // This one joins late, and gets all of it from the helper.
    let (_late, mut heard, notices) = start(&fixture, &mesh, 2);
    for _ in 0..MOST {
        assert_eq!(heard.recv().await.unwrap().by, seat(0));
    }
    assert_eq!(notices.take(), []);
    helper.handle.propose(proposal(&fixture.request(MOST))).await.unwrap_err();
    helper.handle.refuse(fixture.request(0).request(), RefusalReason::Operator).await;
    helper.handle.propose(proposal(&fixture.request(MOST))).await.unwrap();
    assert_eq!(heard.recv().await.unwrap().by, seat(1));
    nothing(&mut heard).await;
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_came_to_nothing_is_shown_again_when_it_is_repeated() {
    let fixture = Fixture::new(2, 3);
    let mesh = Mesh::default();
    let (node, mut heard, _) = start(&fixture, &mesh, 0);
    let proposer = fixture.start(mesh.join(peer(seat(1))).unwrap(), seat(1));
    proposer.handle.propose(proposal(&fixture.request(1))).await.unwrap();
    let shown = heard.recv().await.unwrap().proposal.request;
    node.handle.not_taken(shown.session_id()).await;
    assert_eq!(heard.recv().await.unwrap().proposal.request, shown);
    nothing(&mut heard).await;
}

#[tokio::test(start_paused = true)]
async fn who_proposes_what_has_expired_by_the_clock_here_is_told_and_so_is_the_owner() {
    let fixture = Fixture::new(2, 3);
    let mesh = Mesh::default();
    let (_node, mut heard, notices) = start(&fixture, &mesh, 0);
    let mut other = mesh.join(peer(seat(1))).unwrap();
    let messages = fixture.request(1).request().messages().to_vec();
    let late = fixture.now.wall_seconds() + 8 * 24 * 3600;
    for (expiry, reason) in [(7, RefusalReason::Expired), (late, RefusalReason::Unacceptable)] {
        let request =
            SigningRequest::new(fixture.group.id(), [1; 32], expiry, messages.clone()).unwrap();
        let session = request.session_id();
        let body = Body::Proposal(Proposal { request, subject: Subject::Hash });
        let sealed = fixture.seal_in(seat(1), session, &body);
        other.send(Destination::Everyone, &sealed).unwrap();
        assert_eq!(refusal(&mut other).await, (session, reason));
        let told = notices.take();
        let [
            Notice::Limited { limit: Limit::ProposalLife, .. },
            Notice::OutOfTime { session: of, by, expiry: until, now },
        ] = told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!((of, by, until), (session, seat(1), expiry));
        assert!(now >= fixture.now.wall_seconds());
    }
    nothing(&mut heard).await;
}

#[tokio::test(start_paused = true)]
async fn who_proposes_hundreds_that_have_expired_is_answered_a_few_times_and_each_is_counted() {
    let fixture = Fixture::new(2, 3);
    let mesh = Mesh::default();
    let (_node, _heard, notices) = start(&fixture, &mesh, 0);
    let mut other = mesh.join(peer(seat(1))).unwrap();
    let messages = fixture.request(1).request().messages().to_vec();
    for number in 0..100 {
        let request =
            SigningRequest::new(fixture.group.id(), [number; 32], 7, messages.clone()).unwrap();
        let session = request.session_id();
        let body = Body::Proposal(Proposal { request, subject: Subject::Hash });
        let sealed = fixture.seal_in(seat(1), session, &body);
        other.send(Destination::Everyone, &sealed).unwrap();
    }
    let mut told = Vec::new();
    let counted = |told: &[Notice]| {
        let limited =
            |notice: &&Notice| matches!(notice, Notice::Limited { limit: Limit::ProposalLife, .. });
        told.iter().filter(limited).count()
    };
    while counted(&told) < 100 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        told.extend(notices.take());
    }
    assert_eq!(told.len() - counted(&told), 16);
}

/// Nodes that sign whatever is proposed, and forward it, as a service does.
#[tokio::test]
async fn five_nodes_that_sign_all_that_is_proposed_sign_hundreds_that_each_of_them_proposes() {
    const OF_EACH: u32 = 60;
    let mut fixture = Fixture::new(2, 5);
    fixture.messages = 1;
    let fixture = Arc::new(fixture);
    let mesh = Mesh::default();
    let mut nodes = Vec::new();
    let all_notices: Vec<Notices> = (0..5)
        .map(|at| {
            let (node, mut heard, notices) = start(&fixture, &mesh, at);
            let handle = node.handle.clone();
            let (group, policy, now) = (fixture.group.clone(), fixture.policy.clone(), fixture.now);
            tokio::spawn(async move {
                while let Some(Proposed { proposal, .. }) = heard.recv().await {
                    let request = proposal.request.clone();
                    let request =
                        ApprovedRequest::obtain(request, &group, policy.clone(), now).unwrap();
                    if handle.sign(request, LONG).await.is_ok() {
                        handle.propose(proposal).await.unwrap();
                    }
                }
            });
            nodes.push(node);
            notices
        })
        .collect();
    let mut proposers = JoinSet::new();
    for (at, node) in nodes.into_iter().enumerate() {
        let fixture = fixture.clone();
        proposers.spawn(async move {
            for number in 0..OF_EACH {
                let request = fixture.request(at as u32 * 1000 + number);
                let session = node.sign(&request).await;
                node.handle.propose(proposal(&request)).await.unwrap();
                signed(&session, &request).await;
            }
            node
        });
    }
    let done = timeout(600 * SECOND, proposers.join_all()).await.expect("all are signed");
    assert_eq!(done.len(), 5);
    for notices in all_notices {
        let limited = notices.take();
        let proposals = |notice: &Notice| {
            matches!(notice, Notice::Limited { limit: Limit::WaitingProposals, .. })
        };
        assert!(!limited.iter().any(proposals), "{limited:?}");
    }
    sleep(SECOND / 1000).await;
}
