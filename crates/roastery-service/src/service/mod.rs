//! The service: a node's groups and key generations, and its operations.

mod admitted;
mod answers;
mod asking;
mod bars;
mod change;
mod coins;
mod decisions;
mod epochs;
mod error;
mod event;
#[cfg(test)]
pub(crate) mod fixture;
mod group;
mod groups;
mod hooks;
mod host_key;
mod keygen;
mod kits;
mod lifecycle;
mod outbox;
mod pairing;
mod passkeys;
mod payments;
mod rejections;
mod remote;
mod requests;
mod returning;
mod role;
mod shared;
mod spreading;
mod store_state;
mod supervision;
mod tokens;
mod waiters;
mod wallet;
mod whereabouts;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use roastery_libp2p::Roster;
use roastery_node::bus::mux::MuxHandle;
use roastery_protocol::{
    GroupId, KeyId, KeygenId, PlanId,
    group::{Member, PeerId},
    keys::IdentityKey,
};
use tokio::sync::{broadcast, watch};

pub(crate) use self::{answers::requests::MOST_LISTED, supervision::Supervisor};
pub use self::{
    answers::{
        acts::{RecordedAct, RecordedActs},
        changes::LoggedChange,
        cutting::{AuditCuts, LineOf, nothing_to_cut, too_young},
        known::{KnownRequest, RequestDetails, TextSigner},
        payment::{PaidOutput, PaymentDetails},
        records::{HeldProof, LoggedShare},
        requests::{OutputVersion, RequestCounts, RequestFilter, RequestPage, SignedForm},
        settings::SettingsInForce,
        status::{GroupStatus, MemberStatus, NodeStatus, PeerStatus, PolicyStatus, SessionStatus},
        timeline::KnownStep,
    },
    change::status::ChangeStatus,
    decisions::operator::DecidedAbout,
    epochs::{
        acting::{EraseWish, KeptCopy},
        asking::HostKeyVerdict,
        status::{EpochsStatus, LowerEpoch},
    },
    error::{BoxError, RecordedIn, ServiceError},
    event::ServiceEvent,
    group::{
        progress::{MemberDecision, MemberDecisions},
        shown::{NotSeen, Ruling, Seen},
        state::{CurrentState, State, approval_text},
        summaries::{Payment, Summary},
        timeline::{Step, StepKind},
        warning::RequestWarning,
    },
    hooks::{HookStatus, HookTest},
    keygen::status::{KeygenPhase, KeygenStatus},
    kits::{
        making::NewKit,
        status::{KitHolder, KitStatus},
    },
    outbox::check_hooks,
    pairing::{
        asking::NewPairing,
        status::{PairingMember, PairingPhase, PairingStatus},
    },
    passkeys::{RemoteAct, fingerprint},
    remote::{BegunEnrolment, Challenge, EnrolmentState, RemoteWish},
    requests::{
        examining::ExaminedTransaction,
        proposing::{DraftSubject, RequestDraft},
    },
    returning::{
        inviting::NewReturn,
        joining::Returned,
        status::{OwnReturnStatus, ReturnLineStatus, ReturnsStatus},
    },
    role::Role,
    supervision::{Failure, FailureKind},
    tokens::Brought,
    wallet::{
        answers::{DraftWhat, DraftedTransaction, WalletDraft, WalletStatus},
        reading::ChainStatus,
        to_send::{Sending, SendingState},
    },
    whereabouts::CardAddresses,
};
use self::{
    change::running::ChangeService,
    epochs::running::KeyService,
    group::{journal::AuditWriter, service::GroupService},
    keygen::task::KeygenService,
    kits::making::Kits,
    pairing::running::PairingsHere,
    returning::here::Returns,
    shared::Shared,
    wallet::Wallets,
    whereabouts::AddressBook,
};
use crate::{config::Config, policy::Now};

/// A running node.
pub struct Service {
    shared: Arc<Shared>,
    config: Config,
    /// One for each seat that the node can hold in a group: those that it was made with, and those
    /// of further seats that it may get in a change.
    identities: Vec<Arc<IdentityKey>>,
    /// How many seats it was made with: those on its card.
    seats: usize,
    peer: PeerId,
    mux: MuxHandle,
    roster: Roster,
    /// The addresses that members have signed.
    addresses: AddressBook,
    audit: AuditWriter,
    groups: Mutex<BTreeMap<GroupId, Arc<GroupService>>>,
    keygens: Mutex<BTreeMap<KeygenId, Arc<KeygenService>>>,
    changes: Mutex<BTreeMap<PlanId, Arc<ChangeService>>>,
    pairings: PairingsHere,
    returns: tokio::sync::Mutex<Returns>,
    kits: Kits,
    keys: Mutex<BTreeMap<KeyId, Arc<KeyService>>>,
    /// Held while the switch of a key is opened.
    opening: tokio::sync::Mutex<()>,
    /// Held while a group is added, a person decides about a change, and while shares are erased.
    /// The switch of a key waits for it: its answer is not awaited under it.
    joining: tokio::sync::Mutex<()>,
    /// The wallets of the groups, if there is a chain source.
    wallets: Wallets,
    started: Instant,
    /// The time of the last pulse, in milliseconds after the start.
    pulse: AtomicU64,
    stop: watch::Sender<bool>,
    asked_to_stop: watch::Sender<bool>,
    asked_to_start_again: watch::Sender<bool>,
}

pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The time by both clocks, for limits over a time.
pub(crate) fn both_clocks() -> Now {
    Now { wall: now(), steady: Instant::now() }
}

pub(crate) fn now() -> u64 {
    now_ms() / 1000
}

impl Service {
    /// The events from here on.
    pub fn events(&self) -> broadcast::Receiver<ServiceEvent> {
        self.shared.events.subscribe()
    }

    /// Waits until an essential part fails. Then the process must be ended and started again: a
    /// part is never restarted alone.
    pub async fn failed(&self) -> Failure {
        self.shared.supervisor.failed().await
    }

    /// The supervisor of the essential tasks.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.shared.supervisor
    }

    /// The identity key of one of this node's seats, if it is here.
    fn identity_of(&self, member: &Member) -> Option<&Arc<IdentityKey>> {
        self.identities.iter().find(|key| key.public_key() == member.identity_key)
    }

    fn lock_groups(&self) -> MutexGuard<'_, BTreeMap<GroupId, Arc<GroupService>>> {
        // No step under the lock leaves an entry incomplete.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_changes(&self) -> MutexGuard<'_, BTreeMap<PlanId, Arc<ChangeService>>> {
        // No step under the lock leaves an entry incomplete.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_keys(&self) -> MutexGuard<'_, BTreeMap<KeyId, Arc<KeyService>>> {
        // No step under the lock leaves an entry incomplete.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_keygens(&self) -> MutexGuard<'_, BTreeMap<KeygenId, Arc<KeygenService>>> {
        // No step under the lock leaves an entry incomplete.
        self.keygens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The only element, or an error.
fn exactly_one<T>(
    what: &'static str,
    name: &str,
    mut found: impl Iterator<Item = T>,
) -> Result<T, ServiceError> {
    let name = name.to_owned();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(ServiceError::Ambiguous { what, name }),
        (None, _) => Err(ServiceError::NotFound { what, name }),
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("peer", &self.peer).finish_non_exhaustive()
    }
}
