use bitcoin::psbt::raw;
use roastery_bitcoin::{
    spend::Spend,
    wallet::{Branch, Wallet},
};
use roastery_protocol::request::{RefusalReason, Subject};
use roastery_store::Decider;
use roastery_testkit::{
    payments::{elsewhere, pay, spend_of, spending},
    seat,
};

use super::*;
use crate::{
    config::{ApprovalMode, PolicyConfig, SubjectKind},
    service::{
        DecidedAbout, DraftSubject, RequestDraft,
        fixture::{TestNode, asking},
    },
};

/// A node that signs transactions if its operator approves them.
pub(in crate::service) async fn node() -> TestNode {
    let (kinds, approval) = (vec![SubjectKind::Transaction], ApprovalMode::Manual);
    TestNode::with(PolicyConfig { kinds, approval, ..Default::default() }).await
}

/// A transaction that takes three sessions.
pub(in crate::service) fn spend(node: &TestNode) -> Spend {
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let ours = |index| pay(10_000, wallet.script(Branch::Receive, index).unwrap());
    let spent: Vec<_> = (0..130).map(ours).collect();
    let mut psbt = spending(&spent, vec![pay(1_250_000, elsewhere())]);
    psbt.inputs.iter_mut().for_each(|input| input.non_witness_utxo = None);
    spend_of(psbt, &wallet)
}

/// A client of this node asks for these signatures.
pub(in crate::service) fn draft(spend: &Spend) -> RequestDraft {
    let subject = DraftSubject::Transaction(spend.document().bytes().to_vec());
    RequestDraft { subject, life: None, once: false, seen: None, send: false, waits: false }
}

/// All parts of a transaction of which one is stored.
pub(in crate::service) async fn parts(node: &TestNode, one: &KeptRequest) -> Vec<KeptRequest> {
    let Subject::Transaction(_) = one.subject else { panic!("{one:?}") };
    let examined = node.group.examine(one).await.unwrap();
    let mut parts = Vec::new();
    for part in examined.parts() {
        parts.push(node.kept(part.session_id()).await);
    }
    parts
}

/// The other member proposes all parts of a transaction; none of them is decided here.
pub(in crate::service) async fn proposed(node: &TestNode, spend: &Spend) -> Vec<KeptRequest> {
    let mut parts = Vec::new();
    for request in spend.requests([0; 32], now() + 600).unwrap() {
        parts.push(propose(node, spend, &request).await);
    }
    parts
}

/// The other member proposes this request of a transaction; it is not decided here.
async fn propose(node: &TestNode, spend: &Spend, request: &SigningRequest) -> KeptRequest {
    let subject = Subject::Transaction(spend.document().bytes().to_vec());
    node.put(request, &subject, Some(seat(1))).await
}

/// The operator's rejection has reached one part and no other yet.
async fn reject_alone(node: &TestNode, part: &KeptRequest) {
    let (by, reason) = (Decider::Operator, RefusalReason::Operator);
    node.group.refuse(part, by, reason, "not this".to_owned(), None).await.unwrap();
}

fn is_running(node: &TestNode, part: &KeptRequest) -> bool {
    node.group.is_running(part.request.session_id())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_one_part_undoes_no_later_rejection_of_another() {
    let node = node().await;
    let parts = proposed(&node, &spend(&node)).await;
    let after = node.shared.rejections.last();
    reject_alone(&node, &parts[1]).await;
    let approved = node
        .group
        .approve_as_operator(parts[0].clone(), DecidedAbout::default(), asking(after))
        .await;
    assert!(matches!(approved, Err(ServiceError::Conflict(_))), "{approved:?}");
    assert!(!parts.iter().any(|part| is_running(&node, part)));
    let state = node.kept(parts[1].request.session_id()).await.state;
    assert!(matches!(state, RequestState::Refused(_)), "{state:?}");
    // An approval that comes after it is about all parts.
    let after = node.shared.rejections.last();
    node.group
        .approve_as_operator(parts[0].clone(), DecidedAbout::default(), asking(after))
        .await
        .unwrap();
    assert!(parts.iter().all(|part| is_running(&node, part)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_a_part_that_is_signed_is_one_of_the_others() {
    let mut node = node().await;
    let parts = proposed(&node, &spend(&node)).await;
    let examined = node.group.examine(&parts[2]).await.unwrap();
    let shown = node.group.known_whole(parts[2].clone(), Lane::Operator, None).await;
    let seen = shown.details.unwrap().seen;
    let basis = ApprovalBasis::by_operator(0);
    node.group.approve(&parts[2], &examined, basis).await.unwrap();
    let signed = node.signed_by_both(&parts[2].request).await;
    assert!(matches!(signed, RequestState::Signed(_)), "{signed:?}");
    let named = node.kept(parts[2].request.session_id()).await;
    assert!(node.group.has_unsigned_parts(&named).await.unwrap());
    // Seen before it was signed: it is another state now.
    let about = DecidedAbout { revision: None, seen: Some(seen) };
    let changed = node.group.approve_as_operator(named.clone(), about, asking(0)).await;
    assert!(matches!(changed, Err(ServiceError::Changed)), "{changed:?}");
    assert!(!is_running(&node, &parts[0]) && !is_running(&node, &parts[1]));
    node.group.approve_as_operator(named, DecidedAbout::default(), asking(0)).await.unwrap();
    assert!(is_running(&node, &parts[0]) && is_running(&node, &parts[1]));
    assert!(!is_running(&node, &parts[2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_an_approval_stores_and_does_not_approve_waits_for_a_decision() {
    let node = node().await;
    let spend = spend(&node);
    let requests = spend.requests([0; 32], now() + 600).unwrap();
    let first = propose(&node, &spend, &requests[0]).await;
    // The last one was decided with another PSBT.
    let mut psbt = spend.document().decoded().clone();
    let key = raw::Key { type_value: 200, key: Vec::new() };
    psbt.unknown.insert(key, b"shown otherwise".to_vec());
    let other = Subject::Transaction(psbt.serialize());
    reject_alone(&node, &node.put(&requests[2], &other, Some(seat(1))).await).await;
    let mut events = node.shared.events.subscribe();
    let after = node.shared.rejections.last();
    let approved =
        node.group.approve_as_operator(first, DecidedAbout::default(), asking(after)).await;
    assert!(matches!(approved, Err(ServiceError::Conflict(_))), "{approved:?}");
    let between = requests[1].session_id().to_string();
    let evaluated = async {
        loop {
            let event = events.recv().await.unwrap();
            if event.session == between && event.kind == "pending" {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), evaluated).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_was_decided_with_another_psbt_is_not_approved_with_this_one() {
    let node = node().await;
    let spend = spend(&node);
    let parts = proposed(&node, &spend).await;
    let mut psbt = spend.document().decoded().clone();
    let key = raw::Key { type_value: 200, key: Vec::new() };
    psbt.unknown.insert(key, b"shown otherwise".to_vec());
    let other = Subject::Transaction(psbt.serialize());
    let (request, revision) = (parts[2].request.clone(), parts[2].revision);
    let shown = node.shared.write(Durability::Synced, move |change| {
        change.show_otherwise(&request, &other, seat(1), revision, now())
    });
    assert!(shown.await.unwrap());
    reject_alone(&node, &node.kept(parts[2].request.session_id()).await).await;
    let after = node.shared.rejections.last();
    let approved = node
        .group
        .approve_as_operator(parts[0].clone(), DecidedAbout::default(), asking(after))
        .await;
    assert!(matches!(approved, Err(ServiceError::Conflict(_))), "{approved:?}");
    assert!(!parts.iter().any(|part| is_running(&node, part)));
}

/// What is shown of a part now.
async fn seen(node: &TestNode, part: &KeptRequest) -> Seen {
    let kept = node.kept(part.request.session_id()).await;
    node.group.known_whole(kept, Lane::Operator, None).await.details.unwrap().seen
}

/// The other member proposes the same payment with another lock time, which is approved here.
async fn twin_approved(node: &TestNode, spend: &Spend) {
    let wallet = Wallet::new(node.members().clone()).unwrap();
    let mut psbt = spend.document().decoded().clone();
    psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_height(3).unwrap();
    let twin = spend_of(psbt, &wallet);
    let request = twin.requests([9; 32], now() + 600).unwrap().remove(0);
    let twin = propose(node, &twin, &request).await;
    // The operator's place may be taken.
    let examined = node.group.examine(&twin).await.unwrap();
    let basis = ApprovalBasis::by_operator(0);
    node.group.approve(&twin, &examined, basis).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_what_is_shown_otherwise_now_stores_no_other_part() {
    let node = node().await;
    let spend = spend(&node);
    let requests = spend.requests([0; 32], now() + 600).unwrap();
    let first = propose(&node, &spend, &requests[0]).await;
    let seen = seen(&node, &first).await;
    twin_approved(&node, &spend).await;
    let about = DecidedAbout { revision: None, seen: Some(seen) };
    let changed = node.group.approve_as_operator(first, about, asking(0)).await;
    assert!(matches!(changed, Err(ServiceError::Changed)), "{changed:?}");
    let others = requests[1..].iter().map(SigningRequest::session_id).collect::<Vec<_>>();
    for session in others {
        let stored = node.shared.store(move |store| store.request(session)).await.unwrap();
        assert_eq!(stored, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_of_a_signed_part_is_compared_again_just_before_the_others_are_approved() {
    let mut node = node().await;
    let spend = spend(&node);
    let parts = proposed(&node, &spend).await;
    let examined = node.group.examine(&parts[2]).await.unwrap();
    let basis = ApprovalBasis::by_operator(0);
    node.group.approve(&parts[2], &examined, basis).await.unwrap();
    let signed = node.signed_by_both(&parts[2].request).await;
    assert!(matches!(signed, RequestState::Signed(_)), "{signed:?}");
    let named = node.kept(parts[2].request.session_id()).await;
    let seen = seen(&node, &named).await;
    // The other parts wait for the operator's place; meanwhile a coin is spent elsewhere, too.
    let turn = node.group.examinations.take(Lane::Operator).await;
    let group = node.group.clone();
    let approval =
        tokio::spawn(
            async move { group.approve_parts(&named, &examined, asking(0), Some(seen)).await },
        );
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    twin_approved(&node, &spend).await;
    assert!(!approval.is_finished());
    drop(turn);
    let changed = approval.await.unwrap();
    assert!(matches!(changed, Err(ServiceError::Changed)), "{changed:?}");
    assert!(!is_running(&node, &parts[0]) && !is_running(&node, &parts[1]));
}
