use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use roastery_node::{
    bus::{Bus, BusEvent, Mesh},
    driver::{Ended, Journal, JournalAck},
};
use roastery_protocol::{
    Seat,
    member::{
        frame::{Statement, StatementKind},
        machine::{Record, StopReason},
    },
};
use roastery_testkit::nodes::*;
use tokio::time::timeout;

/// Keeps the acks of shares until the test uses them. All else is kept at once.
#[derive(Clone, Default)]
struct Slow {
    shares: Arc<Mutex<VecDeque<(Record, JournalAck)>>>,
    others: Arc<Mutex<Vec<Record>>>,
}

impl Journal for Slow {
    fn keep(&mut self, record: Record, ack: JournalAck) {
        if matches!(record, Record::Share { .. }) {
            self.shares.lock().unwrap().push_back((record, ack));
        } else {
            self.others.lock().unwrap().push(record);
            tokio::spawn(elsewhere(|| ack.kept()));
        }
    }
}

impl Slow {
    fn take(&self) -> Option<(Record, JournalAck)> {
        self.shares.lock().unwrap().pop_front()
    }

    /// Waits for the record of a share.
    async fn next(&self) -> (Record, JournalAck) {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            settle().await;
        }
    }
}

fn start(fixture: &Fixture, mesh: &Mesh, seat: Seat, journal: impl Journal + 'static) -> Up {
    let bus = mesh.join(peer(seat)).unwrap();
    let (node, handle) = fixture.node(bus, fixture.member(seat));
    Up { seat, handle, task: tokio::spawn(node.with_journal(journal).run()) }
}

/// Runs in a thread that may block.
async fn elsewhere(act: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(move || std::thread::spawn(act).join().unwrap()).await.unwrap();
}

/// Whether a share of this seat came over a bus within a minute.
async fn share_of(bus: &mut impl Bus, of: Seat) -> bool {
    let look = async {
        loop {
            let Some(BusEvent::Message { bytes, .. }) = bus.receive().await else { continue };
            let Ok(statement) = Statement::parse(&bytes) else { continue };
            let sender = statement.header().sender;
            if statement.kind() == StatementKind::SignatureShare && sender == of.to_u16() {
                return;
            }
        }
    };
    timeout(60 * SECOND, look).await.is_ok()
}

/// A coordinator, a signer that it must pick with this journal, and a third seat that is silent.
fn two(fixture: &Fixture, order: &[Seat], mesh: &Mesh, journal: &Slow) -> (Up, Up) {
    let up = start(fixture, mesh, order[1], journal.clone());
    (fixture.start(mesh.join(peer(order[0])).unwrap(), order[0]), up)
}

#[tokio::test(start_paused = true)]
async fn a_share_leaves_when_its_record_is_kept_and_not_before() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let order = fixture.order(&request);
    let (mesh, journal) = (Mesh::default(), Slow::default());
    let (first, up) = two(&fixture, &order, &mesh, &journal);
    settle().await;
    let (session, other) = (first.sign(&request).await, up.sign(&request).await);
    let (record, ack) = journal.next().await;
    let Record::Share { session: of, seat, coordinator, .. } = record else { unreachable!() };
    assert_eq!((of, seat, coordinator), (request.session_id(), order[1], order[0]));
    assert!(timeout(SECOND, session.ended()).await.is_err());
    // Other queries are answered meanwhile.
    assert!(other.report().await.is_some());
    elsewhere(|| ack.kept()).await;
    signed(&session, &request).await;
    signed(&other, &request).await;
}

#[tokio::test(start_paused = true)]
async fn a_share_whose_record_is_not_kept_never_leaves_and_its_session_stops() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let order = fixture.order(&request);
    let (mesh, journal) = (Mesh::default(), Slow::default());
    let mut listener = mesh.join(peer(order[2])).unwrap();
    let (first, up) = two(&fixture, &order, &mesh, &journal);
    settle().await;
    let (session, other) = (first.sign(&request).await, up.sign(&request).await);
    let not_kept = journal.next().await;
    elsewhere(|| drop(not_kept)).await;
    assert_eq!(other.ended().await, Some(Ended::Stopped(StopReason::JournalFailed)));
    assert!(!share_of(&mut listener, order[1]).await);
    // With the share there would be a signature.
    assert!(timeout(300 * SECOND, session.ended()).await.is_err());
    // The report shows how it ended, and it can be opened again.
    assert!(other.report().await.is_some());
    up.try_sign(&request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_share_that_waits_for_its_record_does_not_leave_once_its_session_has_stopped() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let order = fixture.order(&request);
    let (mesh, journal) = (Mesh::default(), Slow::default());
    let (first, up) = two(&fixture, &order, &mesh, &journal);
    settle().await;
    let (session, other) = (first.sign(&request).await, up.sign(&request).await);
    let (_, ack) = journal.next().await;
    // The operator stops it while the record is being written.
    other.stop().await;
    settle().await;
    elsewhere(|| ack.kept()).await;
    assert_eq!(other.ended().await, Some(Ended::Stopped(StopReason::Cancelled)));
    assert!(timeout(300 * SECOND, session.ended()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_records_of_many_sessions_wait_at_once_and_are_kept_in_any_order() {
    let fixture = Fixture::new(2, 3);
    // Sessions with the same coordinator.
    let first = fixture.order(&fixture.request(0));
    let alike = (0..).map(|id| fixture.request(id));
    let alike: Vec<_> = alike.filter(|one| fixture.order(one) == first).take(5).collect();
    let (mesh, journal) = (Mesh::default(), Slow::default());
    let (coordinator, up) = two(&fixture, &first, &mesh, &journal);
    settle().await;
    let mut sessions = Vec::new();
    for request in &alike {
        sessions.push((coordinator.sign(request).await, request));
        up.sign(request).await;
    }
    let mut waiting = Vec::new();
    while waiting.len() < alike.len() {
        waiting.push(journal.next().await.1);
    }
    while let Some(ack) = waiting.pop() {
        elsewhere(|| ack.kept()).await;
    }
    for (session, request) in sessions {
        signed(&session, request).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_keeps_its_incarnation_before_it_sends_anything_and_the_next_one_is_greater() {
    let fixture = Fixture::new(2, 3);
    let mesh = Mesh::default();
    let mut last = None;
    for _ in 0..3 {
        let journal = Slow::default();
        let mut member = fixture.member(seat(0));
        member.last_incarnation = last;
        let (node, _handle) = fixture.node(mesh.join(peer(seat(0))).unwrap(), member);
        let task = tokio::spawn(node.with_journal(journal.clone()).run());
        settle().await;
        let kept = journal.others.lock().unwrap().pop();
        let Some(Record::Incarnation(next)) = kept else { panic!("{kept:?}") };
        assert!(Some(next) > last);
        last = Some(next);
        task.abort();
        settle().await;
    }
}
