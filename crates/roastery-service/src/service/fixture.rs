//! A node of a group of two in the process of a test, and the group's other member.

use std::{sync::Arc, time::Duration};

use bitcoin::Network;
use roastery_node::{
    bus::{Mesh, MeshBus},
    driver::{LocalMember, Node},
};
use roastery_protocol::{
    BodyHash, GroupId, PlanId, SessionId,
    group::{Epoch, Group},
    member::machine::RequestOrigin,
    request::{ApprovedRequest, Derivation, MessageToSign, SigningRequest, Subject},
};
use roastery_store::{
    AuditEntry, Coin, Decider, Decision, Durability, Examination, KeptGroup, KeptRequest,
    Passphrase, PassphraseCost, Principal, RequestState, Spending, Store, StoreWriter,
};
use roastery_testkit::{Fixture, Willing, peer, seat};
use roastery_wallet::LiveView;

use crate::{
    config::{PolicyConfig, SubjectKind},
    files::Folder,
    policy::{Key, PolicyEngine, WalletSettings},
    service::{
        asking::{Asking, Rejecting},
        group::{
            journal::AuditWriter,
            service::{Called, GroupService, key_of},
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

    /// A request of bare hashes that waits in the store.
    pub(in crate::service) async fn proposed(&self) -> KeptRequest {
        let derivation = Derivation::key_path_only();
        let messages = vec![MessageToSign { message: [1; 32], derivation }];
        let group = self.keys.group.id();
        let request = SigningRequest::new(group, [1; 32], now() + 600, messages).unwrap();
        let (kept, session) = (request.clone(), request.session_id());
        self.shared
            .write(Durability::Synced, move |change| {
                change.add_request(&kept, &Subject::Hash, None, now())
            })
            .await
            .unwrap();
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
