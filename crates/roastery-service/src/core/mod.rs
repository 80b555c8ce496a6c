//! The service: a node's groups and key generations, and its operations.

mod approval;
mod beat;
mod ceremony;
mod clocks;
mod coins;
mod command;
mod cutting;
mod decision;
mod error;
mod event;
#[cfg(test)]
mod fixture;
mod group;
mod groups;
mod holdings;
mod host_key;
mod intake;
mod joining;
mod journal;
mod naming;
mod observer;
mod outcomes;
mod paging;
mod progress;
mod proposed;
mod records;
mod recovering;
mod refusal;
mod rejections;
mod requests;
mod room;
mod running;
mod same;
mod shared;
mod status;
mod store_state;
mod summary;
mod supervision;
mod turns;
mod twins;
mod views;
mod waiters;
mod watching;
mod whereabouts;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use roastery_node::bus::{PeerId, exchange::ExchangeHandle, p2p::Roster};
use roastery_protocol::{GroupId, KeygenId, keys::IdentityKey};
use tokio::sync::{broadcast, watch};

use self::{
    ceremony::CeremonyService, group::GroupService, journal::AuditWriter, shared::Shared,
    whereabouts::AddressBook,
};
pub use self::{
    cutting::{nothing_to_cut, too_young},
    error::ServiceError,
    event::ServiceEvent,
    rejections::RecordedIn,
    requests::{RequestFilter, RequestPage},
    supervision::{Failure, FailureKind},
};
pub(crate) use self::{
    requests::MOST_LISTED,
    supervision::{Supervisor, panic_message},
};
use crate::{config::Config, policy::Now};

/// A running node.
pub struct Service {
    shared: Arc<Shared>,
    config: Config,
    identity: Arc<IdentityKey>,
    peer: PeerId,
    exchange: ExchangeHandle,
    roster: Roster,
    /// The addresses that members have signed.
    addresses: AddressBook,
    audit: AuditWriter,
    groups: Mutex<BTreeMap<GroupId, Arc<GroupService>>>,
    ceremonies: Mutex<BTreeMap<KeygenId, Arc<CeremonyService>>>,
    /// Held while a group is added.
    joining: tokio::sync::Mutex<()>,
    started: Instant,
    /// The time of the last pulse, in milliseconds after the start.
    pulse: AtomicU64,
    stop: watch::Sender<bool>,
    asked_to_stop: watch::Sender<bool>,
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

    fn lock_groups(&self) -> MutexGuard<'_, BTreeMap<GroupId, Arc<GroupService>>> {
        // No step under the lock leaves an entry incomplete.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_ceremonies(&self) -> MutexGuard<'_, BTreeMap<KeygenId, Arc<CeremonyService>>> {
        // No step under the lock leaves an entry incomplete.
        self.ceremonies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The only element, or an error.
fn one<T>(
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
