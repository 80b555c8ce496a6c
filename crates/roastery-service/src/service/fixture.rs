//! A node of a group of two in the process of a test, and the group's other member.

use std::{sync::Arc, time::Duration};

use bitcoin::{Network, Txid, absolute::LockTime, hashes::Hash as _};
use roastery_bitcoin::{policy::Rules, spend::Spend, wallet::Wallet};
use roastery_node::{
    bus::{Mesh, MeshBus},
    driver::{LocalMember, Node},
};
use roastery_protocol::{
    BodyHash, GroupId, PlanId, Seat, SessionId,
    group::{Epoch, Group},
    member::machine::{Outcome, RequestOrigin},
    request::{ApprovedRequest, Derivation, MessageToSign, Proposal, SigningRequest, Subject},
};
use roastery_store::{
    AuditEntry, Coin, Decider, Decision, Durability, Examination, KeptGroup, KeptRequest,
    Passphrase, PassphraseCost, Principal, RequestState, Spending, Store, StoreWriter, Transaction,
};
use roastery_testkit::{
    Fixture, Willing,
    payments::{TestGroup, ordinary, spend_of},
    peer, seat,
};
use roastery_wallet::LiveView;
use tokio::sync::broadcast;

use crate::{
    config::{ApprovalMode, PolicyConfig, SubjectKind},
    files::Folder,
    policy::{Key, PolicyEngine, WalletSettings},
    service::{
        ServiceError, ServiceEvent,
        asking::{Asking, Rejecting},
        decisions::approval::ApprovalBasis,
        group::{
            journal::AuditWriter,
            service::{Called, GroupService, key_of},
            turns::Lane,
            warning::RequestWarning,
        },
        now,
        outbox::Hooks,
        shared::Shared,
    },
};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An operator who asks for an approval after the rejection of this number.
pub(in crate::service) fn asking(after: u64) -> Asking {
    Asking { by: Principal::User(1000), after }
}

/// An operator who rejects a request.
pub(in crate::service) fn rejecting() -> Rejecting {
    Rejecting { by: Principal::User(1000), seen: None }
}

/// An entry of the audit log, of a request that a command has approved with these words.
pub(crate) fn audit_entry(time_ms: u64, said: &str) -> AuditEntry {
    let group = GroupId::from_bytes([2; 32]);
    let derivation = Derivation::key_path_only();
    let messages = vec![MessageToSign { message: [1; 32], derivation }];
    let request = SigningRequest::new(group, [1; 32], 9, messages).unwrap();
    AuditEntry {
        time_ms,
        group,
        session: SessionId::from_bytes([5; 32]),
        seat: seat(0),
        coordinator: seat(1),
        package: BodyHash::from_bytes([4; 32]),
        messages: vec![[9; 32]],
        key: [3; 32],
        decision: Decision {
            by: Decider::Command { said: said.to_owned() },
            about: Examination::new(&request, &Subject::Hash, b""),
            revision: 1,
            at: 8,
        },
        spending: Spending {
            amount: 60_000,
            coins: vec![Coin { transaction: [6; 32], output: 1 }],
        },
    }
}

/// The ordinary payment of a group, from other coins for each number.
pub(in crate::service) fn payment_from(group: &Arc<Group>, number: u8) -> Spend {
    let wallet = Wallet::new(group.clone()).unwrap();
    let mut psbt = ordinary(&wallet);
    for (index, input) in psbt.unsigned_tx.input.iter_mut().enumerate() {
        input.previous_output.txid = Txid::from_byte_array([number; 32]);
        input.previous_output.vout = index as u32;
        psbt.inputs[index].non_witness_utxo = None;
    }
    spend_of(psbt, &wallet)
}

/// The state of a request that is signed: the store counts signatures, and verifies none.
pub(in crate::service) fn signed(request: &SigningRequest) -> RequestState {
    let signatures = TestGroup::three_of_five().sign(request.messages());
    let (session, package) = (request.session_id(), BodyHash::from_bytes([0; 32]));
    RequestState::Signed(Outcome { session, signatures, package, origin: None })
}

/// The warnings that a group shows of a request.
pub(in crate::service) async fn warnings(
    group: &Arc<GroupService>,
    kept: &KeptRequest,
) -> Vec<RequestWarning> {
    let known = group.known_whole(kept.clone(), Lane::Operator, None).await;
    known.details.unwrap().warnings
}

/// What is said of a request next: that it waits, is approved or is rejected, and why. A test in
/// which nothing is said fails, and does not wait for ever.
pub(in crate::service) async fn said(
    events: &mut broadcast::Receiver<ServiceEvent>,
    session: SessionId,
) -> String {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(60), events.recv());
        let event = next.await.expect("nothing is said of the request").unwrap();
        let kinds = ["pending", "approved", "rejected"];
        if event.session == session.to_string() && kinds.contains(&event.kind.as_str()) {
            return format!("{}: {}", event.kind, event.text);
        }
    }
}

pub(in crate::service) fn request_of(spend: &Spend, id: u8) -> (SigningRequest, Subject) {
    let request = spend.requests([id; 32], now() + 600).unwrap().remove(0);
    (request, Subject::Transaction(spend.document().bytes().to_vec()))
}

pub(in crate::service) struct TestNode {
    pub(in crate::service) shared: Arc<Shared>,
    pub(in crate::service) group: Arc<GroupService>,
    keys: Fixture,
    other: Option<MeshBus>,
    _folder: tempfile::TempDir,
}

impl TestNode {
    /// The node of the first seat, with this rule for how many requests may leave in an hour; 0
    /// means any number. It approves bare hashes if its operator does.
    pub(in crate::service) async fn start(most_per_hour: u32) -> Self {
        let kinds = vec![SubjectKind::Hash];
        Self::with(PolicyConfig { kinds, most_per_hour, ..Default::default() }).await
    }

    /// The node of the first seat, which signs transactions that are approved in this way; a
    /// command approves all of them. It pays nothing twice if its rules say so.
    pub(in crate::service) async fn of_payments(approval: ApprovalMode, pay_once: bool) -> Self {
        let (kinds, command) = (vec![SubjectKind::Transaction], vec!["true".to_owned()]);
        let transactions = Rules { pay_once, ..Rules::default() };
        let config = PolicyConfig { kinds, approval, command, transactions, ..Default::default() };
        Self::with(config).await
    }

    /// The node of the first seat, with this policy.
    pub(in crate::service) async fn with(config: PolicyConfig) -> Self {
        Self::beside(config, None).await
    }

    /// The same, with what a chain source knows of the group's wallet.
    pub(in crate::service) async fn beside(
        config: PolicyConfig,
        chain: Option<Arc<LiveView>>,
    ) -> Self {
        Self::with_hooks(config, chain, Hooks::default()).await
    }

    /// The same, with these hooks.
    pub(in crate::service) async fn with_hooks(
        config: PolicyConfig,
        chain: Option<Arc<LiveView>>,
        hooks: Hooks,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = Passphrase::new("a few words".to_owned());
        let cost = PassphraseCost::new(8, 1, 1).unwrap();
        let store = Arc::new(Store::create(folder.path().join("store"), &words, cost).unwrap());
        let (writer, writing) = StoreWriter::new(store.clone());
        std::thread::spawn(move || writing.run());
        let (at, runtime) = (Folder::new(folder.path()), tokio::runtime::Handle::current());
        let shared = Arc::new(Shared::new(at, store, writer, Arc::default(), hooks, runtime));
        shared.rejections.are_complete().unwrap();

        let keys = Fixture::new(2, 2);
        let (group, own) = (keys.group.clone(), seat(0));
        let policy =
            PolicyEngine::new(config, group.clone(), WalletSettings::default(), Network::Regtest)
                .unwrap();
        let policy = match chain {
            None => policy,
            Some(chain) => policy.beside(chain),
        };
        let key = key_of(&group);
        shared.ledger.open(key, [], crate::service::both_clocks());
        let journal =
            AuditWriter::new(&shared).journal(group.clone(), "treasury", key, policy.caps());
        let mesh = Mesh::default();
        let (bus, other) = (mesh.join(peer(own)).unwrap(), mesh.join(peer(seat(1))).unwrap());
        let called = Called { name: "treasury".to_owned(), section: "policy".to_owned() };
        let seats = vec![(own, keys.share(own))];
        shared.store.keep_group(&group, &seats, None).unwrap();
        let kept = KeptGroup { group, seats, recovery: None };
        let identities = vec![keys.identities[0].clone()];
        let group =
            GroupService::start(shared.clone(), called, kept, bus, identities, policy, journal)
                .await
                .unwrap();
        Self { shared, group, keys, other: Some(other), _folder: folder }
    }

    pub(in crate::service) fn key(&self) -> Key {
        key_of(&self.keys.group)
    }

    /// The group.
    pub(in crate::service) fn members(&self) -> &Arc<Group> {
        &self.keys.group
    }

    /// The ordinary payment, from other coins for each number.
    pub(in crate::service) fn payment_from(&self, number: u8) -> Spend {
        payment_from(self.members(), number)
    }

    /// The same transaction with this lock time: one of both can be confirmed.
    pub(in crate::service) fn replacing(&self, spend: &Spend, height: u32) -> Spend {
        let mut psbt = spend.document().decoded().clone();
        psbt.unsigned_tx.lock_time = LockTime::from_height(height).unwrap();
        spend_of(psbt, &Wallet::new(self.members().clone()).unwrap())
    }

    /// A request of bare hashes that waits in the store.
    pub(in crate::service) async fn proposed(&self) -> KeptRequest {
        let derivation = Derivation::key_path_only();
        let messages = vec![MessageToSign { message: [1; 32], derivation }];
        let group = self.keys.group.id();
        let request = SigningRequest::new(group, [1; 32], now() + 600, messages).unwrap();
        self.put(&request, &Subject::Hash, None).await
    }

    /// This request as it waits in the store; it was not examined here.
    pub(in crate::service) async fn put(
        &self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Option<Seat>,
    ) -> KeptRequest {
        let (adding, subject) = (request.clone(), subject.clone());
        let change = move |change: &mut Transaction<'_>| {
            change.add_request(&adding, &subject, proposer, now())
        };
        self.shared.write(Durability::Synced, change).await.unwrap();
        self.kept(request.session_id()).await
    }

    /// The first request of the other member for this, under another id for each number. It waits
    /// in the store, and was not examined here.
    pub(in crate::service) async fn stored(&self, spend: &Spend, id: u8) -> KeptRequest {
        let (request, subject) = request_of(spend, id);
        self.put(&request, &subject, Some(seat(1))).await
    }

    /// The other member proposes the same; returns after it was examined, with what is said of it.
    pub(in crate::service) async fn asked(&self, spend: &Spend, id: u8) -> (KeptRequest, String) {
        let (request, subject) = request_of(spend, id);
        let session = request.session_id();
        let mut events = self.shared.events.subscribe();
        let proposal = Proposal { request, subject };
        self.group.receive_proposal(seat(1), proposal).await.unwrap();
        let said = said(&mut events, session).await;
        (self.kept(session).await, said)
    }

    /// The operator approves a request as it is examined now.
    pub(in crate::service) async fn approved(
        &self,
        kept: &KeptRequest,
    ) -> Result<(), ServiceError> {
        let examined = self.group.examine(kept).await.unwrap();
        self.group.approve(kept, &examined, ApprovalBasis::by_operator(0)).await
    }

    /// The request as the store has it in this state.
    pub(in crate::service) async fn changed(
        &self,
        kept: &KeptRequest,
        state: RequestState,
    ) -> KeptRequest {
        let session = kept.request.session_id();
        let change = move |store: &Store| store.change_request(session, now(), |_| Some(state));
        self.shared.store(change).await.unwrap();
        self.kept(session).await
    }

    /// The next epoch of the group, with the same key, members and policy, at the same node.
    pub(in crate::service) async fn next_epoch(&self) -> Arc<GroupService> {
        let of = &self.keys.group;
        let epoch = Epoch::new(1, PlanId::from_bytes([8; 32])).unwrap();
        let (keys, members) = ((**of.keys()).clone(), of.members().to_vec());
        let group = Arc::new(Group::in_epoch(epoch, keys, *of.chain_code(), members).unwrap());
        let config = self.group.policy.config().clone();
        let settings = WalletSettings::default();
        let policy = PolicyEngine::new(config, group.clone(), settings, Network::Regtest).unwrap();
        let writer = AuditWriter::new(&self.shared);
        let journal = writer.journal(group.clone(), "treasury", self.key(), policy.caps());
        let bus = Mesh::default().join(peer(seat(0))).unwrap();
        let called = Called { name: "treasury".to_owned(), section: "policy".to_owned() };
        let seats = vec![(seat(0), self.keys.share(seat(0)))];
        self.shared.store.keep_group(&group, &seats, None).unwrap();
        let kept = KeptGroup { group, seats, recovery: None };
        let identities = vec![self.keys.identities[0].clone()];
        let shared = self.shared.clone();
        GroupService::start(shared, called, kept, bus, identities, policy, journal).await.unwrap()
    }

    /// The request as the store has it.
    pub(in crate::service) async fn kept(&self, session: SessionId) -> KeptRequest {
        self.shared.store(move |store| store.request(session)).await.unwrap().unwrap()
    }

    /// The other member takes part in signing this, until the state here is another one than
    /// approved.
    pub(in crate::service) async fn signed_by_both(
        &mut self,
        request: &SigningRequest,
    ) -> RequestState {
        let session = request.session_id();
        let mut changes = self.shared.waiters.wait_for(session);
        let (identity, share) = (self.keys.identities[1].clone(), self.keys.share(seat(1)));
        let member = LocalMember::new(self.keys.group.clone(), [(seat(1), identity, share)]);
        let (node, handle) = Node::new(self.other.take().unwrap(), member).unwrap();
        let node = tokio::spawn(node.run());
        let (group, willing) = (&self.keys.group, Arc::new(Willing));
        let approved =
            ApprovedRequest::obtain(request.clone(), group, willing, handle.now()).unwrap();
        let _other = handle.sign(approved, RequestOrigin::Proposed, PATIENCE).await.unwrap();
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let state = self.kept(session).await.state;
            if !matches!(state, RequestState::Approved(_)) {
                node.abort();
                return state;
            }
            tokio::time::timeout_at(until, changes.changed()).await.unwrap();
        }
    }
}
