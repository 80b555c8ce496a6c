//! A change of a group over a bus.

use std::{
    io,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use roastery_frost::change::Certificate;
use roastery_node::{
    bus::Mesh,
    driver::{ChangeDriver, ChangeHandle, ChangeNotKept, ChangePhase, ChangeReport},
};
use roastery_protocol::{
    ChangeTranscriptHash,
    change::{
        EpochOrder, Parent, Plan, Terms, UsedHostKeys,
        machine::{Change, FrostEngine, Opening, Record, Settings},
    },
    group::{Member, NamedMember},
    keys::{HostKey, IdentityKey},
};
use roastery_testkit::{Fixture, forge::SigningKeyOf, nodes::LONG, peer, seat};
use tokio::{sync::watch, time::timeout};

const MEMBERS: usize = 3;

struct Node {
    handle: ChangeHandle,
    reports: watch::Receiver<ChangeReport>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    records: Vec<Record>,
    certificate: Option<Certificate>,
    refuses: bool,
}

fn host(at: usize) -> HostKey {
    HostKey::new(SigningKeyOf(110).at(at))
}

fn identity(at: usize) -> IdentityKey {
    IdentityKey::new(SigningKeyOf(1).at(at))
}

/// A plan of fresh shares for the same members.
fn plan(fixture: &Fixture) -> Plan {
    let named = |at: usize| {
        let (identity_key, peer, host) = (identity(at).public_key(), peer(seat(at)), host(at));
        let binding = host.bind(&identity_key, &peer, 0);
        let host_key = host.public_key();
        let member = Member { host_key, identity_key, peer, sequence: 0, binding };
        NamedMember { name: format!("member {at}").parse().unwrap(), member }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let members = (0..MEMBERS).map(named).collect();
    let (number, threshold, expiry, excluded) = (1, 2, now + 3600, Vec::new());
    let terms = Terms { number, threshold, expiry, excluded, members };
    Plan::new(Parent::of(&fixture.group), terms).unwrap()
}

fn open(mesh: &Mesh, fixture: &Fixture, plan: &Plan, at: usize, kept: &Arc<Mutex<Kept>>) -> Node {
    let before = kept.lock().unwrap();
    let (stored, certificate) = (before.records.clone(), before.certificate.clone());
    drop(before);
    let key = Arc::new(identity(at));
    let engine = FrostEngine::new([(seat(at), fixture.share(seat(at)))], [(seat(at), host(at))]);
    let (group, opened) = (fixture.group.clone(), plan.clone());
    let opening = move |now| Opening {
        deadline: opened.check(&group, &UsedHostKeys::default(), now).unwrap(),
        plan: opened,
        parent: group,
        place: EpochOrder::GENERATED,
        may_deal: true,
        old: vec![(seat(at), key.clone())],
        new: vec![(seat(at), key)],
        engine,
        approving: 0,
        current: EpochOrder::GENERATED,
        stored,
        certificate: certificate.map(|certificate| certificate.to_bytes()),
        settings: Settings::default(),
    };
    let (driver, handle) = ChangeDriver::open(mesh.join(peer(seat(at))).unwrap(), opening).unwrap();
    let (reports, keeping) = (driver.reports(), kept.clone());
    tokio::spawn(driver.run(move |record: &Record, change: &Change<FrostEngine>| {
        let mut kept = keeping.lock().unwrap();
        if kept.refuses {
            return Err(io::ErrorKind::StorageFull.into());
        }
        kept.records.push(record.clone());
        kept.certificate = change.certificate().cloned();
        Ok(())
    }));
    Node { handle, reports, kept: kept.clone() }
}

async fn certified(node: &mut Node) {
    let done = |report: &ChangeReport| matches!(report.phase, ChangePhase::Certified(_));
    timeout(LONG, node.reports.wait_for(done)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_change_comes_to_its_certificate_once_all_have_accepted_and_enough_have_approved() {
    let (mesh, fixture) = (Mesh::default(), Fixture::new(2, MEMBERS));
    let plan = plan(&fixture);
    let kept: Vec<Arc<Mutex<Kept>>> = (0..MEMBERS).map(|_| Arc::default()).collect();
    let open = |at: usize| open(&mesh, &fixture, &plan, at, &kept[at]);
    let mut nodes: Vec<Node> = (0..2).map(open).collect();
    for node in &nodes {
        assert!(node.handle.approve().await.unwrap());
        assert!(node.handle.accept().await.unwrap());
    }
    // Nothing is dealt before all have accepted.
    let report = nodes[0].reports.borrow().clone();
    assert_eq!(report.phase, ChangePhase::Waiting);
    assert!(report.unaccepted.contains(&seat(2)));
    let dealt = |node: &Node| {
        node.kept.lock().unwrap().records.iter().any(|record| matches!(record, Record::Dealt(_)))
    };
    assert!(!nodes.iter().any(dealt));
    nodes.push(open(2));
    nodes[2].handle.accept().await.unwrap();
    for node in &mut nodes {
        certified(node).await;
    }
    assert!(dealt(&nodes[0]) && dealt(&nodes[1]) && !dealt(&nodes[2]));
    // It is over: there is nothing that could be taken back.
    let ended = nodes[0].handle.withdraw().await.unwrap_err();
    assert!(matches!(ended, ChangeNotKept::Ended), "{ended}");
    for node in &nodes {
        let kept = node.kept.lock().unwrap();
        let group = plan.group(&fixture.group, kept.certificate.as_ref().unwrap());
        assert_eq!(group.key_id(), fixture.group.key_id());
        assert!(kept.records.contains(&Record::Accepted));
    }
}

#[tokio::test]
async fn a_decision_that_cannot_be_stored_is_an_error_and_is_stored_when_the_disk_works_again() {
    let (mesh, fixture) = (Mesh::default(), Fixture::new(2, MEMBERS));
    let plan = plan(&fixture);
    let kept: Arc<Mutex<Kept>> = Arc::default();
    kept.lock().unwrap().refuses = true;
    let mut node = open(&mesh, &fixture, &plan, 0, &kept);
    let refused = node.handle.approve().await.unwrap_err();
    assert!(matches!(refused, ChangeNotKept::Store(_)), "{refused}");
    assert_eq!(node.reports.borrow().approved, []);
    kept.lock().unwrap().refuses = false;
    let approved = |report: &ChangeReport| report.approved == [seat(0)];
    timeout(LONG, node.reports.wait_for(approved)).await.unwrap().unwrap();
    assert_eq!(kept.lock().unwrap().records, [Record::Approved]);
    // Another plan is approved: this one is not dealt in any more. The approval is taken back.
    node.handle.bar_dealing().await.unwrap();
    assert!(node.handle.withdraw().await.unwrap());
    assert_eq!(kept.lock().unwrap().records, [Record::Approved, Record::Withdrawn]);
}

#[tokio::test]
async fn a_decision_that_has_no_effect_is_reported_as_none() {
    let (mesh, fixture) = (Mesh::default(), Fixture::new(2, MEMBERS));
    let plan = plan(&fixture);
    let kept: Arc<Mutex<Kept>> = Arc::default();
    kept.lock().unwrap().records = vec![Record::Restored];
    let node = open(&mesh, &fixture, &plan, 0, &kept);
    assert!(!node.handle.accept().await.unwrap());
    let other = ChangeTranscriptHash::from_bytes([7; 32]);
    node.handle.superseded(EpochOrder::of(&plan, other)).await.unwrap();
    assert!(!node.handle.approve().await.unwrap());
    assert_eq!(kept.lock().unwrap().records, [Record::Restored]);
    assert_eq!(node.reports.borrow().approved, []);
}

#[tokio::test]
async fn an_expired_plan_without_any_part_of_this_node_ends_and_its_bus_is_free() {
    let (mesh, fixture) = (Mesh::default(), Fixture::new(2, MEMBERS));
    let plan = plan(&fixture);
    let kept: Arc<Mutex<Kept>> = Arc::default();
    kept.lock().unwrap().records = vec![Record::Expired];
    let mut node = open(&mesh, &fixture, &plan, 0, &kept);
    let expired = ChangePhase::Expired { open: false };
    let is_expired = |report: &ChangeReport| report.phase == expired;
    assert!(node.reports.wait_for(is_expired).await.is_ok());
    timeout(LONG, async { while node.reports.changed().await.is_ok() {} }).await.unwrap();
    let ended = node.handle.approve().await.unwrap_err();
    assert!(matches!(ended, ChangeNotKept::Ended), "{ended}");
    drop(mesh.join(peer(seat(0))).unwrap());
}
