use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use roastery_node::{
    bus::{Bus, BusEvent, Mesh},
    driver::{Ended, Journal, JournalAck, Node, SessionHandle, ShareRecord},
};
use roastery_protocol::{
    message::{Envelope, Kind},
    signing::{ReportPhase, StopReason},
};
use roastery_testkit::nodes::*;
use tokio::time::timeout;

/// Keeps the acks until the test uses them.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<Vec<(ShareRecord, JournalAck)>>>);

impl Journal for Slow {
    fn keep(&mut self, share: ShareRecord, ack: JournalAck) {
        self.0.lock().unwrap().push((share, ack));
    }
}

impl Slow {
    fn take(&self) -> Option<(ShareRecord, JournalAck)> {
        self.0.lock().unwrap().pop()
    }
}

fn start(fixture: &Fixture, mesh: &Mesh, at: usize, journal: impl Journal + 'static) -> Up {
    let bus = mesh.join(peer(seat(at))).unwrap();
    let (node, handle) = Node::new(bus, fixture.member(seat(at)));
    Up { seat: seat(at), handle, task: tokio::spawn(node.with_journal(journal).run()) }
}

/// Runs in a thread that may block.
async fn elsewhere(act: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(move || std::thread::spawn(act).join().unwrap()).await.unwrap();
}

/// Whether a share of this seat came over a bus within a minute, apart from messages that the bus's
/// own node sends.
async fn share_of(bus: &mut impl Bus, of: usize) -> bool {
    let look = async {
        loop {
            let Some(BusEvent::Message { bytes, .. }) = bus.receive().await else { continue };
            let envelope = Envelope::parse(&bytes).unwrap();
            if envelope.kind() == Kind::SignatureShare && envelope.header().sender == of as u16 {
                return;
            }
        }
    };
    timeout(60 * SECOND, look).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_share_leaves_when_its_record_is_kept_and_not_before() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0);
    let signer = fixture.coordinator(&request, 1).index();
    let mesh = Mesh::default();
    let journal = Slow::default();
    let up = start(&fixture, &mesh, signer, journal.clone());
    let first = fixture.start(mesh.join(peer(coordinator)).unwrap(), coordinator);
    let (session, other) = (first.sign(&request).await, up.sign(&request).await);
    assert!(timeout(300 * SECOND, session.ended()).await.is_err());
    let (share, ack) = journal.take().unwrap();
    assert_eq!(share.session, request.session_id());
    // Other queries are answered meanwhile.
    assert!(other.report().await.is_some());
    elsewhere(|| ack.kept()).await;
    // By escalation it is a coordinator as well by now, and it owes a share to each attempt.
    let kept = Arc::new(AtomicBool::new(true));
    let (keeping, more) = (kept.clone(), journal.clone());
    let keeper = std::thread::spawn(move || {
        while keeping.load(Ordering::Relaxed) {
            if let Some((_, ack)) = more.take() {
                ack.kept();
            }
            std::thread::yield_now();
        }
    });
    signed(&session, &request).await;
    signed(&other, &request).await;
    kept.store(false, Ordering::Relaxed);
    keeper.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_share_whose_record_is_not_kept_never_leaves_and_its_session_stops() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0);
    let signer = fixture.coordinator(&request, 1).index();
    let third = fixture.coordinator(&request, 2);
    let mesh = Mesh::default();
    let journal = Slow::default();
    let up = start(&fixture, &mesh, signer, journal.clone());
    let first = fixture.start(mesh.join(peer(coordinator)).unwrap(), coordinator);
    let mut listener = mesh.join(peer(third)).unwrap();
    let (session, other) = (first.sign(&request).await, up.sign(&request).await);
    while journal.0.lock().unwrap().is_empty() {
        settle().await;
    }
    let acks = std::mem::take(&mut *journal.0.lock().unwrap());
    elsewhere(|| drop(acks)).await;
    assert_eq!(other.ended().await, Some(Ended::Stopped(StopReason::JournalFailed)));
    assert!(!share_of(&mut listener, signer).await);
    // With the share there would be a signature.
    assert!(timeout(300 * SECOND, session.ended()).await.is_err());
    // The report shows how it ended, and it can be opened again.
    assert!(other.report().await.is_some());
    up.handle.sign(request.clone(), LONG).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_share_that_waits_for_its_record_does_not_leave_once_its_session_has_stopped() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0);
    let signer = fixture.coordinator(&request, 1).index();
    let mesh = Mesh::default();
    let journal = Slow::default();
    let up = start(&fixture, &mesh, signer, journal.clone());
    let first = fixture.start(mesh.join(peer(coordinator)).unwrap(), coordinator);
    let (session, other) = (first.sign(&request).await, up.sign(&request).await);
    while journal.0.lock().unwrap().is_empty() {
        settle().await;
    }
    // The operator stops it while the record is being written.
    other.stop().await;
    settle().await;
    let (_, ack) = journal.take().unwrap();
    elsewhere(|| ack.kept()).await;
    assert_eq!(other.ended().await, Some(Ended::Stopped(StopReason::Cancelled)));
    assert!(timeout(300 * SECOND, session.ended()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn signatures_that_were_computed_with_a_share_that_is_withheld_are_not_told() {
    let fixture = Fixture::new(2, 3);
    let request = fixture.request(1);
    let coordinator = fixture.coordinator(&request, 0).index();
    let signer = fixture.coordinator(&request, 1);
    let mesh = Mesh::default();
    let journal = Slow::default();
    let up = start(&fixture, &mesh, coordinator, journal.clone());
    let first = fixture.start(mesh.join(peer(signer)).unwrap(), signer);
    let (session, other) = (first.sign(&request).await, up.sign(&request).await);
    while journal.0.lock().unwrap().is_empty() {
        settle().await;
    }
    // The other share comes in, and with the one that is held here it makes the signatures.
    while !matches!(up_report(&other).await, ReportPhase::Signed(_)) {
        settle().await;
    }
    let acks = std::mem::take(&mut *journal.0.lock().unwrap());
    elsewhere(|| drop(acks)).await;
    assert_eq!(other.ended().await, Some(Ended::Stopped(StopReason::JournalFailed)));
    assert!(timeout(300 * SECOND, session.ended()).await.is_err());
}

async fn up_report(session: &SessionHandle) -> ReportPhase {
    session.report().await.unwrap().phase
}
