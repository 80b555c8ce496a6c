use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use roastery_frost::{SecretShare, change::Certificate};
use roastery_node::{
    bus::Bus,
    driver::{ChangeDriver, ChangeHandle, ChangeReport},
};
use roastery_protocol::{
    ChangeTranscriptHash, GroupId, Seat,
    change::{
        EpochOrder, Plan,
        machine::{Change, Event, FrostEngine, Record},
    },
    group::{Group, Member, Name, PeerId},
};
use roastery_store::{Store, StoreError};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use crate::service::{ServiceEvent, change::status::ChangeStatus, shared::Shared};

/// A change of a group at this node, and its task.
pub(in crate::service) struct ChangeService {
    pub(in crate::service) opened: OpenChange,
    reports: watch::Receiver<ChangeReport>,
    task: AbortHandle,
    adoption: Arc<Mutex<Adoption>>,
}

/// What has become of the new epoch at this node.
#[derive(Clone, Debug, Default)]
enum Adoption {
    /// There is none yet.
    #[default]
    Nothing,
    /// Its group is in the store.
    Adopted(GroupId),
    /// It exists, and is not in the store.
    Failed(String),
}

/// A change of a group that was opened at this node.
pub(in crate::service) struct OpenChange {
    pub(in crate::service) plan: Plan,
    pub(in crate::service) parent: Arc<Group>,
    /// The group's name.
    pub(in crate::service) name: Name,
    /// What the members of the key were called when it was opened.
    pub(in crate::service) names: BTreeMap<PeerId, Name>,
    pub(in crate::service) old: Option<Seat>,
    pub(in crate::service) new: Option<Seat>,
    /// How many approvals this node waits for before it deals.
    pub(in crate::service) approvals: usize,
    pub(in crate::service) handle: ChangeHandle,
}

/// Notified whenever a change has made an epoch, which is in the store if this node has a seat in
/// it.
pub(in crate::service) type Adopted = mpsc::UnboundedSender<EpochOrder>;

impl ChangeService {
    /// Runs a change in a task of its own, until the service stops: after the certificate it
    /// answers members that lack it.
    pub(in crate::service) fn run(
        shared: &Arc<Shared>,
        opened: OpenChange,
        mut driver: ChangeDriver<impl Bus + 'static, FrostEngine>,
        certified: Option<Certificate>,
        adopted: Adopted,
    ) -> Arc<Self> {
        let OpenChange { plan, parent, name, new, .. } = &opened;
        let (listener, events) = mpsc::unbounded_channel();
        driver.watch(listener);
        let reports = driver.reports();
        let adoption = Arc::new(Mutex::new(Adoption::Nothing));
        let part = format!("change {:#}", plan.id());
        shared
            .finite(part.clone(), tell_events(shared.clone(), plan.clone(), name.clone(), events));
        let keeping = Keeping {
            shared: shared.clone(),
            plan: plan.clone(),
            parent: parent.clone(),
            name: name.clone(),
            new: *new,
            adoption: adoption.clone(),
            adopted,
        };
        if let Some(certificate) = certified {
            tokio::task::block_in_place(|| keeping.adopt_again(&certificate));
        }
        // Few records are kept in a change: blocking on the disk here does no harm.
        let store = move |record: &Record, change: &Change<FrostEngine>| {
            tokio::task::block_in_place(|| keeping.keep(record, change))
        };
        let task = shared.finite(part, driver.run(store));
        Arc::new(Self { opened, reports, task, adoption })
    }

    /// Ends its task.
    pub(in crate::service) fn abort(&self) {
        self.task.abort();
    }

    /// Its status, with the names of the old members.
    pub(in crate::service) fn status(&self, shared: &Shared) -> ChangeStatus {
        let (group, problem) = match &*lock(&self.adoption) {
            Adoption::Nothing => (None, None),
            Adoption::Adopted(group) => (Some(*group), None),
            Adoption::Failed(why) => (None, Some(why.clone())),
        };
        let of_plan = |member: &Member| {
            let mut named = self.opened.plan.members().iter().zip(self.opened.plan.names());
            named.find(|(new, _)| new.identity_key == member.identity_key).map(|(_, name)| name)
        };
        // A member that joins knows the names of the others from the plan only. What other groups
        // call a member is shown where nothing else is known.
        let old_names = self.opened.parent.members().iter().map(|member| {
            let known = self.opened.names.get(&member.peer).or_else(|| of_plan(member));
            known.map_or_else(|| shared.name_of(&member.peer), ToString::to_string)
        });
        ChangeStatus {
            name: self.opened.name.clone(),
            plan: self.opened.plan.clone(),
            parent: self.opened.parent.clone(),
            old: self.opened.old,
            new: self.opened.new,
            old_names: old_names.collect(),
            approvals: self.opened.approvals,
            report: self.reports.borrow().clone(),
            group,
            problem,
        }
    }
}

/// What stores the records of a change, and the new epoch.
struct Keeping {
    shared: Arc<Shared>,
    plan: Plan,
    parent: Arc<Group>,
    name: Name,
    new: Option<Seat>,
    adoption: Arc<Mutex<Adoption>>,
    adopted: Adopted,
}

impl Keeping {
    fn keep(&self, record: &Record, change: &Change<FrostEngine>) -> io::Result<()> {
        let certificate = match record {
            Record::Certified(_) => change.certificate(),
            _ => None,
        };
        let bytes = certificate.map(Certificate::to_bytes);
        let kept = self.shared.store.keep_plan_record(&self.plan, record, bytes.as_deref());
        self.shared.store_state.saw(&kept);
        kept.map_err(io::Error::other)?;
        if let Some(certificate) = certificate {
            self.adopt(certificate);
            // The receiver ends with the service.
            let _ = self.adopted.send(self.order(certificate));
        }
        Ok(())
    }

    fn order(&self, certificate: &Certificate) -> EpochOrder {
        let transcript = ChangeTranscriptHash::from_bytes(*certificate.transcript().hash());
        EpochOrder::of(&self.plan, transcript)
    }

    /// Puts the new epoch into the store, if this node has a seat in it.
    fn adopt(&self, certificate: &Certificate) {
        self.shared.learn_names(&self.plan);
        let Some(seat) = self.new else { return };
        let group = self.plan.group(&self.parent, certificate);
        let share = self.share_of(seat, certificate);
        let kept = share.and_then(|share| {
            let order = self.order(certificate);
            let adopted = put(&self.shared.store, &self.parent, (&group, order), (seat, share));
            self.shared.store_state.saw(&adopted);
            adopted.map_err(|error| error.to_string())
        });
        *lock(&self.adoption) = match kept {
            Ok(()) => {
                let text = format!("epoch {} is adopted: group {}", self.plan.epoch(), group.id());
                tell(&self.shared, &self.plan, &self.name, "adopted", text);
                Adoption::Adopted(group.id())
            }
            Err(why) => {
                tracing::error!(plan = %self.plan.id(), why, "a new epoch exists and is not adopted");
                Adoption::Failed(format!(
                    "the new epoch exists, and this node does not have it: {why}; mend that and start the node again"
                ))
            }
        };
    }

    /// After a restart: what is in the store is not adopted again.
    fn adopt_again(&self, certificate: &Certificate) {
        let group = self.plan.group(&self.parent, certificate).id();
        match self.shared.store.group(group) {
            Ok(Some(_)) => *lock(&self.adoption) = Adoption::Adopted(group),
            _ => self.adopt(certificate),
        }
    }

    /// This node's share, from the certificate and the host key of the plan.
    fn share_of(&self, seat: Seat, certificate: &Certificate) -> Result<SecretShare, String> {
        let host = self.plan.member(seat).map(|member| member.host_key);
        let host = host.ok_or_else(|| "the plan has no such seat".to_owned())?;
        let key = self.shared.store.host_key(&host).map_err(|error| error.to_string())?;
        let key = key.ok_or_else(|| "the host key of the plan is not here".to_owned())?;
        let recovered = certificate.recover(&key.into());
        let (share, _) = recovered.map_err(|error| error.to_string())?.into_parts();
        Ok(share)
    }
}

/// Keeps the group of a new epoch, and reads it back. It has the names that this node has for the
/// epoch before. At a node that was no member it has none until the operator names it: the name in
/// the plan file is under no fingerprint, and must choose no policy.
fn put(
    store: &Store,
    parent: &Group,
    (group, order): (&Group, EpochOrder),
    own: (Seat, SecretShare),
) -> Result<(), StoreError> {
    store.adopt(parent, group, order, &[own])?;
    // Opens the share, and compares it with the public one.
    store.group(group.id()).map(drop)
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
        Event::Dealt => ("dealt", "this node has dealt its share to the new members".to_owned()),
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
        Event::Withdrawn => ("withdrawn", "this node has taken its approval back".to_owned()),
        _ => return None,
    })
}

fn lock(adoption: &Mutex<Adoption>) -> MutexGuard<'_, Adoption> {
    // No step under the lock leaves a state incomplete.
    adoption.lock().unwrap_or_else(PoisonError::into_inner)
}
