use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use roastery_bitcoin::spend::Part;
use roastery_node::{
    bus::Bus,
    driver::{LocalMember, Node, NodeHandle, SessionWatcher},
};
use roastery_protocol::{
    Seat, SessionId,
    group::Group,
    keygen::RecoveryFile,
    keys::IdentityKey,
    member::Incarnation,
    request::{RefusalReason, SigningRequest},
};
use roastery_store::KeptGroup;
use tokio::{
    sync::{Semaphore, mpsc},
    task::AbortHandle,
};

use crate::{
    config::ApprovalMode,
    policy::{Approval, CommandError, PolicyEngine, Reservation},
    service::{
        ServiceError, ServiceEvent,
        coins::Coins,
        group::{
            holdings::Holdings,
            journal::{GroupJournal, OverLimit},
            observer::GroupObserver,
            opening::Openings,
            progress::Progress,
            summaries::Summaries,
            timeline::Timelines,
            turns::Turns,
        },
        now_ms,
        shared::Shared,
    },
};

/// The most approval commands at once.
const MOST_ASKED_AT_ONCE: usize = 4;

/// How many requests can be decided at once: those whose sessions share a lock wait for each other.
const PLACES: usize = 64;

/// A group at this node: its sessions and their approval.
pub(in crate::service) struct GroupService {
    pub(in crate::service) shared: Arc<Shared>,
    pub(in crate::service) name: String,
    /// The section of its policy in the configuration.
    pub(in crate::service) section: String,
    pub(in crate::service) group: Arc<Group>,
    /// This node's seats in the group, in ascending order; at least one.
    pub(in crate::service) seats: Vec<Seat>,
    pub(in crate::service) recovery: Option<RecoveryFile>,
    pub(in crate::service) handle: NodeHandle,
    pub(in crate::service) policy: Arc<PolicyEngine>,
    pub(in crate::service) journal: GroupJournal,
    open: Mutex<BTreeMap<SessionId, OpenSession>>,
    /// What is about to be open, and what is being rejected.
    pub(in crate::service) openings: Openings,
    /// The summaries of requests.
    pub(in crate::service) summaries: Arc<Summaries>,
    /// The last start that is stored, in milliseconds since 1970, if the wall clock is behind it:
    /// what has expired may seem not to have.
    pub(in crate::service) clock_behind: Option<u64>,
    /// The approvals and refusals of the members.
    pub(in crate::service) progress: Progress,
    /// The steps of the latest requests.
    pub(in crate::service) timelines: Timelines,
    /// Which requests of its key spend which coins, in all epochs.
    pub(in crate::service) coins: Arc<Coins>,
    /// The quotas of requests in the store, by member.
    pub(in crate::service) holdings: Arc<Holdings>,
    /// Held while a request is approved or refused: one decision after the other, each based on the
    /// state after the one before.
    deciding: [tokio::sync::Mutex<()>; PLACES],
    /// Limits concurrent examinations: a hostile transaction takes seconds.
    pub(in crate::service) examinations: Turns,
    /// Limits concurrent approval commands.
    pub(in crate::service) asking: Semaphore,
    /// Why the approval command gave no answer, if the last call gave none.
    command_problem: Mutex<Option<String>>,
    pub(in crate::service) node: AbortHandle,
    /// The task that refuses requests that a limit has stopped.
    over_limit: OnceLock<AbortHandle>,
}

/// How far the wall clock may be behind the last start that is stored.
const CLOCK_TOLERANCE: u64 = 10_000;

/// Whether the clock (milliseconds since 1970) is behind this start.
fn is_behind(now: u64, last: Incarnation) -> bool {
    now.saturating_add(CLOCK_TOLERANCE) < last.milliseconds()
}

/// The x-only key of a group.
pub(in crate::service) fn key_of(group: &Group) -> [u8; 32] {
    let [_, x_only @ ..] = group.keys().threshold_public_key().serialize();
    x_only
}

/// A session that is open.
#[derive(Clone)]
pub(in crate::service) struct OpenSession {
    pub(in crate::service) watcher: SessionWatcher,
    pub(in crate::service) approval: Arc<Approval>,
    /// The revision of the request's row that was approved.
    pub(in crate::service) revision: u64,
    pub(in crate::service) request: SigningRequest,
    /// While it exists the request counts as approved and open.
    pub(in crate::service) _reservation: Arc<Reservation>,
}

/// The name of a group at this node, and its section in the configuration.
pub(in crate::service) struct Called {
    pub(in crate::service) name: String,
    pub(in crate::service) section: String,
}

impl GroupService {
    /// Runs the node of a group over its own bus, and resumes approved requests.
    pub(in crate::service) async fn start(
        shared: Arc<Shared>,
        Called { name, section }: Called,
        kept: KeptGroup,
        bus: impl Bus + 'static,
        identities: Vec<Arc<IdentityKey>>,
        policy: PolicyEngine,
        (journal, over_limit): (GroupJournal, mpsc::UnboundedReceiver<OverLimit>),
    ) -> Result<Arc<Self>, ServiceError> {
        let KeptGroup { group, seats: shares, recovery } = kept;
        let seats: Vec<Seat> = shares.iter().map(|(seat, _)| *seat).collect();
        let id = group.id();
        let stored = shared
            .store(move |store| Ok((store.incarnation(id)?, store.proofs(id)?, store.bars(id)?)));
        let (last_incarnation, proofs, kept_bars) = stored.await?;
        shared.bars.add(id, &kept_bars);
        let bars = shared.bars.of(id);
        if bars.len() > kept_bars.len() {
            // The disk has failed to take them before.
            let bars = bars.clone();
            shared.store(move |store| store.keep_bars(id, &bars)).await?;
        }
        let behind = last_incarnation.filter(|last| is_behind(now_ms(), *last));
        let clock_behind = behind.map(|last| last.milliseconds());
        let proofs = proofs.into_iter().map(|kept| Arc::new(kept.proof)).collect();
        let own = shares.into_iter().zip(identities);
        let own = own.map(|((seat, share), identity)| (seat, identity, share));
        let member = LocalMember::new(group.clone(), own);
        let member = LocalMember { last_incarnation, proofs, ..member };
        let (node, handle) = Node::new(bus, member)?;
        let observer =
            GroupObserver { shared: shared.clone(), name: name.clone(), group: group.clone() };
        let mut node = node
            .with_journal(journal.clone())
            .with_observer(observer)
            .with_barred(bars.iter().map(|bar| bar.seat));
        let (proposals, news) = (node.proposals(), node.news());
        let node = shared.essential(format!("the node of group {name}"), node.run());
        let coins = shared.coins.of(key_of(&group));
        let service = Arc::new(Self {
            shared,
            name,
            section,
            group,
            seats,
            recovery,
            handle,
            policy: Arc::new(policy),
            journal,
            open: Mutex::default(),
            openings: Openings::default(),
            deciding: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            summaries: Arc::default(),
            clock_behind,
            progress: Progress::default(),
            timelines: Timelines::default(),
            examinations: Turns::default(),
            coins,
            holdings: Arc::default(),
            asking: Semaphore::new(MOST_ASKED_AT_ONCE),
            command_problem: Mutex::default(),
            node,
            over_limit: OnceLock::new(),
        });
        let epoch = Arc::downgrade(&service);
        service.coins.started(service.group.id(), move |session| {
            let epoch = epoch.upgrade();
            epoch.is_some_and(|epoch| epoch.why_it_fails(session).is_some())
        });
        let part = format!("the limits of group {}", service.name);
        let task = service.shared.essential(part, service.clone().stop_over_limit(over_limit));
        // Set once: the service is new.
        let _ = service.over_limit.set(task);
        // Without its service a client could not reject what its node signs.
        if let Err(error) = service.resume().await {
            service.close();
            return Err(error);
        }
        let part = format!("the proposals of group {}", service.name);
        // It ends with the node, whose unexpected end is a failure.
        service.shared.finite(part, service.clone().receive_proposals(proposals));
        let part = format!("the ends of requests of group {}", service.name);
        service.shared.finite(part, service.clone().receive_outcomes(news));
        Ok(service)
    }

    /// The x-only group key, by which limits are counted.
    pub(in crate::service) fn key(&self) -> [u8; 32] {
        key_of(&self.group)
    }

    /// Held during a decision about this request.
    pub(in crate::service) fn deciding(&self, session: SessionId) -> &tokio::sync::Mutex<()> {
        &self.deciding[usize::from(session.as_bytes()[0]) % PLACES]
    }

    pub(in crate::service) fn command_answered(&self) {
        *self.command_problem.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(in crate::service) fn command_failed(&self, error: &CommandError, errors: &str) {
        let errors = if errors.is_empty() { String::new() } else { format!(" ({errors})") };
        let problem = format!("{error}{errors}; it is asked again");
        *self.command_problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
    }

    /// Why the approval command gave no answer, if the last call gave none.
    pub(in crate::service) fn command_problem(&self) -> Option<String> {
        self.command_problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::service) fn approval_mode(&self) -> ApprovalMode {
        self.policy.config().approval
    }

    /// The sessions that have not ended here.
    pub(in crate::service) fn watchers(&self) -> Vec<SessionWatcher> {
        self.lock().values().map(|open| open.watcher.clone()).collect()
    }

    pub(in crate::service) fn open_session(&self, session: SessionId) -> Option<OpenSession> {
        self.lock().get(&session).cloned()
    }

    /// Withdraws the approvals of all open sessions that may sign one transaction with this
    /// request, and of its own, and returns them. Their names say so, whether this request is open
    /// or examined: a member that names another request like these has it rejected with them, and
    /// no share leaves that must not.
    pub(in crate::service) fn withdraw_parts(
        &self,
        request: &SigningRequest,
        reason: RefusalReason,
    ) -> Vec<SessionId> {
        let all = self.lock();
        let parts = all.iter().filter(|(_, open)| {
            open.request == *request || Part::may_be_of_one(&open.request, request)
        });
        let withdrawn = parts.map(|(session, open)| {
            open.approval.withdraw(reason);
            *session
        });
        withdrawn.collect()
    }

    pub(in crate::service) fn session_opened(&self, session: SessionId, open: OpenSession) {
        self.lock().insert(session, open);
    }

    /// A run of a session has ended. Another run of the same session goes on.
    pub(in crate::service) fn session_ended(&self, session: SessionId, approval: &Arc<Approval>) {
        let mut open = self.lock();
        if open.get(&session).is_some_and(|open| Arc::ptr_eq(&open.approval, approval)) {
            open.remove(&session);
            self.journal.forget(session);
        }
    }

    /// Ends the node and all its sessions.
    pub(in crate::service) fn close(&self) {
        self.node.abort();
        // The task holds the service, which holds the sender that it waits for.
        if let Some(task) = self.over_limit.get() {
            task.abort();
        }
        self.lock().clear();
    }

    pub(in crate::service) fn is_running(&self, session: SessionId) -> bool {
        self.lock().contains_key(&session)
    }

    /// The first of this node's seats.
    pub(in crate::service) fn first_seat(&self) -> Seat {
        *self.seats.first().expect("a group runs here with at least one seat")
    }

    /// The name on the card of a seat.
    pub(in crate::service) fn name_of(&self, seat: Seat) -> String {
        self.group.member(seat).map(|member| self.shared.name_of(&member.peer)).unwrap_or_default()
    }

    pub(in crate::service) fn tell(&self, session: SessionId, kind: &str, text: String) {
        self.shared.tell(ServiceEvent::new(&self.name, session.to_string(), kind, text));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, OpenSession>> {
        // No step under the lock leaves an entry incomplete.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ten_seconds_behind_the_last_start_is_wrong() {
        let last = Incarnation::after(None, 1_000_000, [0; 8]);
        assert!(is_behind(989_999, last));
        assert!(!is_behind(990_000, last) && !is_behind(2_000_000, last));
    }
}
