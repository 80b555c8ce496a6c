use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use roastery_frost::change::Certificate;
use roastery_node::{
    bus::Bus,
    driver::{ChangeDriver, ChangeHandle, ChangeNotKept, ChangePhase, ChangeReport},
};
use roastery_protocol::{
    ChangeTranscriptHash, Seat,
    change::{
        CertifiedEpoch, EpochOrder, Plan,
        machine::{Change, Event, FrostEngine, Record},
    },
    group::{Group, Member, Name, PeerId},
};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use crate::service::{Service, ServiceEvent, change::status::ChangeStatus, now_ms, shared::Shared};

/// A change of a group at this node, and its task, if it is not over.
pub(in crate::service) struct ChangeService {
    pub(in crate::service) opened: OpenChange,
    running: Option<Running>,
    /// Its last report, once another node's certificate has ended it, or if it was over before the
    /// node has started.
    ended: Mutex<Option<ChangeReport>>,
}

struct Running {
    handle: ChangeHandle,
    reports: watch::Receiver<ChangeReport>,
    task: AbortHandle,
}

/// A change of a group that was opened at this node.
pub(in crate::service) struct OpenChange {
    pub(in crate::service) plan: Plan,
    pub(in crate::service) parent: Arc<Group>,
    /// The group's name.
    pub(in crate::service) name: Name,
    /// What the members of the key were called when it was opened.
    pub(in crate::service) names: BTreeMap<PeerId, Name>,
    /// This node's old seats and its new ones.
    pub(in crate::service) old: Vec<Seat>,
    pub(in crate::service) new: Vec<Seat>,
    /// How many approvals this node waits for before it deals.
    pub(in crate::service) approvals: usize,
}

/// Notified of the certificate that a change has come to.
pub(in crate::service) type Certificates = mpsc::UnboundedSender<(Plan, Certificate)>;

impl ChangeService {
    /// Runs a change in a task of its own, until it comes to its certificate. From then on the
    /// switch of the key answers members that lack it.
    pub(in crate::service) fn run(
        shared: &Arc<Shared>,
        opened: OpenChange,
        (mut driver, handle): (ChangeDriver<impl Bus + 'static, FrostEngine>, ChangeHandle),
        certificates: Certificates,
    ) -> Arc<Self> {
        let OpenChange { plan, name, .. } = &opened;
        let (listener, events) = mpsc::unbounded_channel();
        driver.watch(listener);
        let reports = driver.reports();
        let part = format!("change {:#}", plan.id());
        shared
            .finite(part.clone(), tell_events(shared.clone(), plan.clone(), name.clone(), events));
        let keeping = Keeping { shared: shared.clone(), plan: plan.clone(), certificates };
        // Few records are kept in a change: blocking on the disk here does no harm.
        let store = move |record: &Record, change: &Change<FrostEngine>| {
            tokio::task::block_in_place(|| keeping.keep(record, change))
        };
        let task = shared.finite(part, driver.run(store));
        let running = Some(Running { handle, reports, task });
        Arc::new(Self { opened, running, ended: Mutex::new(None) })
    }

    /// One that was certified before this start.
    pub(in crate::service) fn over(opened: OpenChange, certificate: &Certificate) -> Arc<Self> {
        let ended = Mutex::new(Some(report_of(certificate)));
        Arc::new(Self { opened, running: None, ended })
    }

    /// Ends its task.
    pub(in crate::service) fn abort(&self) {
        if let Some(running) = &self.running {
            running.task.abort();
        }
    }

    /// Its task, which holds a share or a host key; none if it was over before this start.
    pub(in crate::service) fn task(&self) -> Option<&AbortHandle> {
        self.running.as_ref().map(|running| &running.task)
    }

    /// Decides about it.
    ///
    /// # Errors
    ///
    /// [`ChangeNotKept::Ended`] if it is over.
    pub(super) fn handle(&self) -> Result<&ChangeHandle, ChangeNotKept> {
        let is_over = matches!(self.report().phase, ChangePhase::Certified(_));
        let running = self.running.as_ref().filter(|_| !is_over);
        running.map(|running| &running.handle).ok_or(ChangeNotKept::Ended)
    }

    /// Its reports, as long as it runs.
    pub(super) fn reports(&self) -> Option<watch::Receiver<ChangeReport>> {
        self.running.as_ref().map(|running| running.reports.clone())
    }

    /// Whether this node is a member after the change, and all of its new seats have an identity
    /// key of this roster.
    pub(super) fn stays_in(&self, own: &Group) -> bool {
        let OpenChange { plan, new, .. } = &self.opened;
        !new.is_empty() && new.iter().all(|seat| plan.stays(*seat, own))
    }

    /// Another epoch is current. One that has ended neither deals nor signs.
    pub(in crate::service) async fn superseded(&self, current: EpochOrder) {
        if let Ok(handle) = self.handle() {
            let _ = handle.superseded(current).await;
        }
    }

    /// How far it is.
    pub(super) fn report(&self) -> ChangeReport {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let running = || Some(self.running.as_ref()?.reports.borrow().clone());
        ended.or_else(running).unwrap_or(ChangeReport {
            approved: Vec::new(),
            unaccepted: Vec::new(),
            phase: ChangePhase::Waiting,
        })
    }
}

/// What a certificate says of a change: the dealers have approved, and all have accepted.
fn report_of(certificate: &Certificate) -> ChangeReport {
    let hash = ChangeTranscriptHash::from_bytes(*certificate.transcript().hash());
    let approved = certificate.transcript().heads().map(|head| head.dealer());
    let (approved, unaccepted) = (approved.collect(), Vec::new());
    ChangeReport { approved, unaccepted, phase: ChangePhase::Certified(hash) }
}

impl Service {
    /// The change that runs here for the plan of an epoch is over: its certificate is stored.
    pub(in crate::service) fn end_change(&self, epoch: &CertifiedEpoch) {
        let Some(change) = self.lock_changes().get(&epoch.plan().id()).cloned() else { return };
        *change.ended.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(report_of(epoch.certificate()));
        change.abort();
    }

    /// The status of a change, with the names of the old members.
    pub(super) fn status_of_change(&self, change: &ChangeService) -> ChangeStatus {
        let OpenChange { plan, parent, name, names, old, new, approvals } = &change.opened;
        let of_plan = |member: &Member| {
            let seat = plan.successor(member, parent)?;
            plan.names().get(seat.index())
        };
        // A member that joins knows the names of the others from the plan only. What other groups
        // call a member is shown where nothing else is known.
        let old_names = parent.members().iter().map(|member| {
            let known = names.get(&member.peer).or_else(|| of_plan(member));
            known.map_or_else(|| self.shared.name_of(&member.peer), ToString::to_string)
        });
        let (report, key) = (change.report(), self.key_service(plan.parent().key));
        let epochs = key.as_ref().map(|key| key.report());
        let (mut group, mut problem) = (None, None);
        let mut last = EpochOrder::last_of(plan);
        if let ChangePhase::Certified(transcript) = report.phase {
            last = EpochOrder::of(plan, transcript);
            problem = key.as_ref().and_then(|key| key.problem_of(last));
            let is_held =
                |epochs: &&roastery_node::driver::SwitchReport| epochs.held.contains(&last);
            let held = epochs.as_ref().filter(is_held);
            group = held.and_then(|epochs| epochs.groups.get(&last)).map(|group| group.id());
        }
        let current = epochs.as_ref().map(|epochs| epochs.current);
        ChangeStatus {
            name: name.clone(),
            plan: plan.clone(),
            parent: parent.clone(),
            old: old.clone(),
            new: new.clone(),
            old_names: old_names.collect(),
            approvals: *approvals,
            report,
            group,
            problem,
            note: self.naming_note(&change.opened),
            is_superseded: current.is_some_and(|current| last < current),
            has_old_shares: epochs.is_none_or(|epochs| epochs.superseded > 0),
        }
    }
}

impl Service {
    /// What the operator of a node that joins must do: the name in the plan file names no group.
    fn naming_note(&self, opened: &OpenChange) -> Option<String> {
        if !opened.old.is_empty() || self.is_named(opened.plan.parent().key) {
            return None;
        }
        let name = opened.name.as_str();
        let bound = self.shared.store.group_named(&opened.name).ok().flatten();
        let clash = bound
            .map(|_| format!("; {name:?} is the name of another group here, so take another one"));
        Some(format!(
            "this node has no name for the group: once it is here, name it with roastery group rename ID NAME{}",
            clash.unwrap_or_default()
        ))
    }
}

/// What stores the records of a change.
struct Keeping {
    shared: Arc<Shared>,
    plan: Plan,
    certificates: Certificates,
}

impl Keeping {
    fn keep(&self, record: &Record, change: &Change<FrostEngine>) -> io::Result<()> {
        let certificate = match record {
            Record::Certified(_) => change.certificate(),
            _ => None,
        };
        let bytes = certificate.map(Certificate::to_bytes);
        let store = &self.shared.store;
        let kept = store.keep_plan_record(&self.plan, record, bytes.as_deref(), now_ms());
        self.shared.store_state.saw(&kept);
        kept.map_err(io::Error::other)?;
        if let Some(certificate) = certificate {
            // The receiver ends with the service.
            let _ = self.certificates.send((self.plan.clone(), certificate.clone()));
        }
        Ok(())
    }
}

fn tell(shared: &Shared, plan: &Plan, name: &Name, kind: &str, text: String) {
    shared.tell(ServiceEvent::new(name.as_str(), plan.id().to_string(), kind, text));
}

async fn tell_events(
    shared: Arc<Shared>,
    plan: Plan,
    name: Name,
    mut events: mpsc::UnboundedReceiver<Event>,
) {
    while let Some(event) = events.recv().await {
        if let Some((kind, text)) = describe(&event) {
            tell(&shared, &plan, &name, kind, text);
        }
    }
}

fn describe(event: &Event) -> Option<(&'static str, String)> {
    Some(match event {
        Event::RollComplete => {
            ("roll", "all have accepted and enough have approved: members deal now".to_owned())
        }
        Event::Dealt { dealer } => (
            "dealt",
            format!("this node has dealt the share of old seat {dealer} to the new members"),
        ),
        Event::CannotDeal(error) => ("cannot-deal", error.to_string()),
        Event::OtherDealing(_) => {
            ("cannot-deal", "the share is not the one that was dealt before".to_owned())
        }
        Event::WrongShare(dealing) => {
            ("wrong-share", format!("old seat {} deals this node a wrong share", dealing.dealer))
        }
        Event::Complaint { seat, dealing } => {
            let dealer = dealing.dealer;
            ("complaint", format!("new seat {seat} says that old seat {dealer} deals it wrong"))
        }
        Event::TwoDealings { dealer } => {
            ("two-dealings", format!("old seat {dealer} has dealt twice; the first one counts"))
        }
        Event::Signed(transcript) => {
            ("signed", format!("this node has signed transcript {transcript:#}"))
        }
        Event::Certified(transcript) => {
            ("certified", format!("the new epoch exists: transcript {transcript:#}"))
        }
        Event::Open => ("open", "not certified yet, and can still take effect".to_owned()),
        Event::Expired { open: true } => {
            ("expired", "expired, and can still take effect: keep machine and key".to_owned())
        }
        Event::Expired { open: false } => ("expired", "expired, without effect".to_owned()),
        Event::Withdrawn => (
            "withdrawn",
            "this node has taken its approval back, for each of its seats that has not dealt"
                .to_owned(),
        ),
        _ => return None,
    })
}
