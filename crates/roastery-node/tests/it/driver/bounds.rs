//! What is reported when a bound is reached, and that honest nodes reach none.

use std::sync::{Arc, Mutex};

use roastery_node::{
    bus::{Bus, Destination, Mesh},
    driver::{Limit, Notice, Observer},
};
use roastery_protocol::{
    member::{
        frame::Content,
        machine::{Limit as MemberLimit, Proposed, RequestOrigin},
    },
    request::Proposal,
    request::{ApprovedRequest, Subject},
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
    let (node, handle) = fixture.node(bus, fixture.member(seat(at)));
    let mut node = node.with_observer(notices.clone());
    let proposals = node.proposals();
    (Up { seat: seat(at), handle, task: tokio::spawn(node.run()) }, proposals, notices)
}

#[tokio::test(start_paused = true)]
async fn an_observer_is_told_of_a_members_quota_and_the_others_proposals_are_still_shown() {
    let mut fixture = Fixture::new(2, 3);
    fixture.messages = 1;
    let mesh = Mesh::default();
    let (_node, mut heard, notices) = start(&fixture, &mesh, 0);
    let mut flooder = mesh.join(peer(seat(1))).unwrap();
    let mut other = mesh.join(peer(seat(2))).unwrap();
    let say = |by: usize, id: u32| {
        let request = fixture.request(id);
        let content = Content::Proposal(proposal(&request));
        fixture.seal(seat(by), request.session_id(), &content)
    };
    for id in 0..MOST + 100 {
        flooder.send(Destination::Everyone, &say(1, id)).unwrap();
        if id % 100 == 0 {
            settle().await;
        }
    }
    settle().await;
    let (limit, of) = (Limit::Member(MemberLimit::WaitingProposals), Some(seat(1)));
    let is_quota = |notice: &Notice| matches!(notice, Notice::Limited { limit: one, of: who, .. } if (*one, *who) == (limit, of));
    assert!(notices.take().iter().any(is_quota));
    other.send(Destination::Everyone, &say(2, MOST + 200)).unwrap();
    settle().await;
    let others = async { while heard.recv().await.unwrap().by != seat(2) {} };
    timeout(SECOND, others).await.unwrap();
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
                    if handle.sign(request, RequestOrigin::Proposed, LONG).await.is_ok() {
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
            matches!(
                notice,
                Notice::Limited { limit: Limit::Member(MemberLimit::WaitingProposals), .. }
            )
        };
        assert!(!limited.iter().any(proposals), "{limited:?}");
    }
    sleep(SECOND / 1000).await;
}
