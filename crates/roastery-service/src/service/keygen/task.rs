use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use getrandom::SysRng;
use roastery_frost::SigningKey;
use roastery_node::{
    bus::Bus,
    driver::{GeneratedKey, KeygenDriver, KeygenError},
};
use roastery_protocol::{
    Seat,
    clock::Moment,
    group::{Member, Name},
    keygen::{
        Event, Invitation, NodeOpening, Report, ReportPhase, SeatEvent, SeatOpening, Seed, Settings,
    },
    keys::{HostKey, IdentityKey},
};
use roastery_store::{KeptSeat, Store};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use crate::service::{
    ServiceError, ServiceEvent,
    keygen::status::{KeygenPhase, KeygenStatus},
    shared::Shared,
};

/// The key generation of a group, from the invitation to the share.
pub(in crate::service) struct KeygenService {
    pub(in crate::service) invitation: Invitation,
    /// This node's seats.
    pub(in crate::service) seats: Vec<Seat>,
    /// The group's name at this node.
    pub(in crate::service) name: Name,
    state: Mutex<State>,
}

enum State {
    /// The invitation was joined; the fingerprint has not been confirmed.
    Joined,
    /// It runs here, or has ended and answers other members.
    Running(Running),
    /// It failed at this node. What it has stored stays, and it may begin again.
    Failed(String),
}

struct Running {
    reports: watch::Receiver<Report>,
    clock: Box<dyn Fn() -> Moment + Send>,
    task: AbortHandle,
    begun: Instant,
    /// Why the group that it has made does not run.
    not_started: Option<String>,
}

/// How long a task that is aborted may take to end, at most.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);

/// Notified when the share of a key generation is in the store.
pub(in crate::service) type Finished = tokio::sync::oneshot::Sender<()>;

impl KeygenService {
    pub(in crate::service) fn new(invitation: Invitation, seats: Vec<Seat>, name: Name) -> Self {
        Self { invitation, seats, name, state: Mutex::new(State::Joined) }
    }

    /// Whether its task runs.
    pub(in crate::service) fn is_running(&self) -> bool {
        matches!(&*self.lock(), State::Running(running) if !running.task.is_finished())
    }

    /// The group that it has made could not be started.
    pub(in crate::service) fn group_not_started(&self, why: &ServiceError) {
        if let State::Running(running) = &mut *self.lock() {
            running.not_started = Some(format!(
                "the key is made and stored, and the group does not run here: {why}; mend that and start the node again"
            ));
        }
    }

    /// Since when it only answers other members, if it has made a group.
    pub(in crate::service) fn answers_since(&self) -> Option<Instant> {
        match &*self.lock() {
            State::Running(running) if !running.task.is_finished() => {
                let done = matches!(running.reports.borrow().phase, ReportPhase::Done(_));
                done.then_some(running.begun)
            }
            _ => None,
        }
    }

    /// Ends its task, and waits until its channel is closed. Other members that lack the
    /// certificate have to get it from another one.
    pub(in crate::service) async fn retire(&self) {
        self.abort();
        let ended = async {
            while self.is_running() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // If it takes longer there is no room, and the caller gets an error.
        let _ = tokio::time::timeout(ABORT_PATIENCE, ended).await;
    }

    /// Ends its task.
    pub(in crate::service) fn abort(&self) {
        if let State::Running(running) = &*self.lock() {
            running.task.abort();
        }
    }

    /// Opens the key generation with what is stored of it, for the first time or again, and runs it
    /// in a task of its own, which goes on to answer others when this node has its share.
    /// `finished` is notified when the share is in the store.
    pub(in crate::service) async fn run(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        bus: impl Bus + 'static,
        identities: &[Arc<IdentityKey>],
        host_key: PathBuf,
        finished: Finished,
    ) -> Result<(), ServiceError> {
        let invitation = self.invitation.clone();
        let hosts = self.hosts(shared, host_key).await?;
        let mut keys = keys_of(&invitation, &self.seats, hosts, identities)?;
        let (id, seats) = (invitation.id(), self.seats.clone());
        let kept = shared
            .store(move |store| match store.keygen(id)? {
                Some(kept) => Ok(Some(kept)),
                None => {
                    let draw = |seat| Some((seat, Seed::generate(&mut SysRng).ok()?));
                    let Some(seeds) = seats.into_iter().map(draw).collect() else {
                        return Ok(None);
                    };
                    store.begin_keygen(&invitation, &seeds)?;
                    store.keygen(id)
                }
            })
            .await?
            .ok_or_else(|| ServiceError::Internal("the system gave no randomness".into()))?;
        let seats = kept.seats.into_iter().map(|KeptSeat { seat, seed, signed }| {
            let (host, identity) = keys.remove(&seat)?;
            Some(SeatOpening { host, identity, seed, signed })
        });
        let seats = seats.collect::<Option<_>>().filter(|_| keys.is_empty()).ok_or_else(|| {
            ServiceError::Internal("the store has other seats of this key generation".into())
        })?;
        let (invitation, settings) = (kept.invitation, Settings::default());
        let opening = NodeOpening { invitation, seats, settings };
        let mut keygen = KeygenDriver::open(bus, opening)
            .map_err(|error| ServiceError::Conflict(error.into()))?;
        let (listener, events) = mpsc::unbounded_channel();
        keygen.watch(listener);
        let (reports, clock) = (keygen.reports(), Box::new(keygen.clock()));
        let (this, with) = (self.clone(), shared.clone());
        let part = format!("key generation {id:#}");
        shared.finite(part.clone(), tell_events(with.clone(), self.clone(), events));
        let task = shared.finite(part, async move { this.drive(with, keygen, finished).await });
        let (begun, not_started) = (Instant::now(), None);
        *self.lock() = State::Running(Running { reports, clock, task, begun, not_started });
        Ok(())
    }

    /// The host keys of this node's seats: those of its pairing, or else those of its card.
    async fn hosts(
        &self,
        shared: &Shared,
        of_card: PathBuf,
    ) -> Result<Vec<SigningKey>, ServiceError> {
        let (id, invitation, seats) =
            (self.invitation.id(), self.invitation.clone(), self.seats.clone());
        let of_pairing = move |store: &Store| {
            let members = seats.iter().filter_map(|seat| invitation.member(*seat));
            let host = |member: &Member| store.host_key_of_keygen(&member.host_key, id).transpose();
            members.filter_map(host).collect::<Result<Vec<_>, _>>()
        };
        let hosts = shared.store(of_pairing).await?;
        if hosts.len() == self.seats.len() {
            Ok(hosts)
        } else {
            shared.host_key.read(of_card).await
        }
    }

    async fn drive<B: Bus>(
        self: Arc<Self>,
        shared: Arc<Shared>,
        mut keygen: KeygenDriver<B>,
        finished: Finished,
    ) {
        let id = self.invitation.id();
        let (store, state) = (shared.store.clone(), shared.store_state.clone());
        // A transcript is signed once in a key generation: blocking on the disk here does no harm.
        let keep = move |record| {
            let signed = tokio::task::block_in_place(|| store.sign_transcript(id, record));
            state.saw(&signed);
            signed.map_err(std::io::Error::other)
        };
        let made = match keygen.finish(keep).await {
            Ok(made) => made,
            Err(error) => {
                // Its stored state is removed, unless others may hold a certificate with this
                // node's signature: then it can be begun again.
                if matches!(&error, KeygenError::Ended { report, .. } if report.signed.is_none()) {
                    let ended = shared.store(move |store| store.abandon_keygen(id)).await;
                    if let Err(error) = ended {
                        tracing::error!(%error, "the end of a key generation could not be written down");
                    }
                }
                self.tell(&shared, "ended", error.to_string());
                *self.lock() = State::Failed(error.to_string());
                return;
            }
        };
        let GeneratedKey { shares, file } = made;
        let group = file.group().id();
        match shared.store(move |store| store.finish_keygen(&shares, &file)).await {
            Ok(()) => {
                self.tell(&shared, "made", format!("the key is made: group {group}"));
                // The receiver may be dropped.
                let _ = finished.send(());
                // Others may lack the certificate until the key generation's lifetime is over.
                keygen.serve().await;
            }
            Err(error) => {
                // The host keys and the others' recovery file restore the shares.
                tracing::error!(%error, "the key is made, and could not be stored");
                *self.lock() = State::Failed(error.to_string());
            }
        }
    }

    fn tell(&self, shared: &Shared, kind: &str, text: String) {
        let id = self.invitation.id().to_string();
        shared.tell(ServiceEvent::new(self.name.as_str(), id, kind, text));
    }

    /// Its status for the API.
    /// The status of a key generation that has come to this phase, and waits for no member.
    pub(in crate::service) fn status_in(&self, phase: KeygenPhase) -> KeygenStatus {
        KeygenStatus {
            name: self.name.clone(),
            invitation: self.invitation.clone(),
            seats: self.seats.clone(),
            phase,
            awaited: Vec::new(),
            now: Duration::ZERO,
            findings: Vec::new(),
        }
    }

    pub(in crate::service) fn status(&self) -> KeygenStatus {
        match &*self.lock() {
            State::Joined => self.status_in(KeygenPhase::Joined),
            State::Failed(why) => self.status_in(KeygenPhase::Failed(why.clone())),
            State::Running(running) => {
                let report = running.reports.borrow();
                let phase = match report.phase {
                    ReportPhase::Running => KeygenPhase::Running,
                    ReportPhase::Ended(reason) => KeygenPhase::Ended(reason),
                    ReportPhase::Done(group) => match &running.not_started {
                        None => KeygenPhase::Done(group),
                        Some(why) => KeygenPhase::NotStarted(group, why.clone()),
                    },
                };
                KeygenStatus {
                    awaited: report.awaited.clone(),
                    now: (running.clock)().monotonic,
                    findings: report.findings.clone(),
                    ..self.status_in(phase)
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No step under the lock leaves a state incomplete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host key and the identity key of each of these seats.
fn keys_of(
    invitation: &Invitation,
    seats: &[Seat],
    hosts: Vec<SigningKey>,
    identities: &[Arc<IdentityKey>],
) -> Result<BTreeMap<Seat, (HostKey, Arc<IdentityKey>)>, ServiceError> {
    let mut hosts: Vec<HostKey> = hosts.into_iter().map(HostKey::new).collect();
    let mut keys = BTreeMap::new();
    for &seat in seats {
        let missing = |key| {
            let reason = format!("the {key} key of seat {seat} is not among this node's keys");
            ServiceError::NotReady(reason.into())
        };
        let member = invitation.member(seat).ok_or_else(|| missing("host"))?;
        let host = hosts.iter().position(|host| host.public_key() == member.host_key);
        let host = hosts.swap_remove(host.ok_or_else(|| missing("host"))?);
        let identity = identities.iter().find(|key| key.public_key() == member.identity_key);
        keys.insert(seat, (host, identity.ok_or_else(|| missing("identity"))?.clone()));
    }
    Ok(keys)
}

async fn tell_events(
    shared: Arc<Shared>,
    keygen: Arc<KeygenService>,
    mut events: mpsc::UnboundedReceiver<(Duration, SeatEvent)>,
) {
    while let Some((_, event)) = events.recv().await {
        if let Some((kind, text)) = describe(&event) {
            keygen.tell(&shared, kind, text);
        }
    }
}

fn describe(SeatEvent { seat, event }: &SeatEvent) -> Option<(&'static str, String)> {
    Some(match event {
        Event::Coordinating(_) => ("coordinating", format!("seat {seat} offers the transcript")),
        Event::Signed(hash) => ("signed", format!("seat {seat} has signed transcript {hash:#}")),
        Event::Found(finding) => ("found", finding.to_string()),
        _ => return None,
    })
}
