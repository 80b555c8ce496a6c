use std::sync::{Arc, Mutex, PoisonError};

use roastery_node::driver::{SwitchHandle, SwitchReport};
use roastery_protocol::{
    KeyId,
    change::{
        EpochOrder, Parent,
        switch::{Event, Record},
    },
    group::Group,
};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use crate::service::{Service, ServiceError, ServiceEvent, change::running::ChangeService};

/// The epochs of a key at this node, and the task that follows them.
pub(in crate::service) struct KeyService {
    pub(in crate::service) key: KeyId,
    pub(in crate::service) handle: SwitchHandle,
    pub(super) reports: watch::Receiver<SwitchReport>,
    pub(super) task: AbortHandle,
    pub(super) problem: Problem,
}

/// Why the last record of an epoch was not kept, if that is so.
#[derive(Clone, Debug, Default)]
pub(super) struct Problem(Arc<Mutex<Option<(EpochOrder, String)>>>);

impl Problem {
    pub(super) fn set(&self, epoch: EpochOrder, why: Option<String>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = why.map(|why| (epoch, why));
    }

    pub(super) fn get(&self) -> Option<(EpochOrder, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl KeyService {
    /// Ends its task.
    pub(in crate::service) fn abort(&self) {
        self.task.abort();
    }

    pub(in crate::service) fn report(&self) -> SwitchReport {
        self.reports.borrow().clone()
    }

    /// Why an epoch is not at this node although it exists, if that is known.
    pub(in crate::service) fn problem_of(&self, epoch: EpochOrder) -> Option<String> {
        let (of, why) = self.problem.get()?;
        (of == epoch).then_some(why)
    }
}

impl Service {
    /// The switch of a key, if it runs.
    pub(in crate::service) fn key_service(&self, key: KeyId) -> Option<Arc<KeyService>> {
        self.lock_keys().get(&key).cloned()
    }

    /// The place of a group in the order of epochs, as far as it is known here.
    pub(in crate::service) fn place_of(&self, group: &Group) -> EpochOrder {
        let service = self.key_service(group.key_id());
        let known = service.and_then(|one| one.reports.borrow().place_of(&Parent::of(group)));
        known.unwrap_or_else(|| EpochOrder::of_root(group))
    }

    /// The greatest certified epoch of a key that is known here.
    pub(in crate::service) fn current_of(&self, key: KeyId) -> EpochOrder {
        let service = self.key_service(key);
        service.map_or(EpochOrder::GENERATED, |one| one.reports.borrow().current)
    }

    /// Does what follows when another epoch is current, adopted or erased.
    pub(super) async fn follow_epochs(
        self: Arc<Self>,
        key: KeyId,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) {
        while let Some(event) = events.recv().await {
            if let Some((epoch, kind, text)) = describe(&event) {
                let (name, plan) = (self.name_of_key(key), epoch.plan().to_string());
                self.shared.tell(ServiceEvent::new(&name, plan, kind, text));
            }
            let done = match event {
                Event::Current(epoch) => {
                    self.supersede_changes(key, epoch).await;
                    Ok(())
                }
                Event::Adopted(_) => self.start_new_groups().await,
                Event::Erased(_) => self.resume_changes().await,
                // What was ended for it is served again.
                Event::NotKept(Record::Erased { .. }) => self.resume_changes().await,
                _ => Ok(()),
            };
            if let Err(error) = done {
                tracing::error!(%key, %error, "what follows from another epoch is not done");
            }
        }
    }

    /// Tells the changes of a key that another epoch is current.
    async fn supersede_changes(&self, key: KeyId, current: EpochOrder) {
        let changes: Vec<Arc<ChangeService>> = self.lock_changes().values().cloned().collect();
        let of_key = changes.iter().filter(|change| change.opened.plan.parent().key == key);
        for change in of_key.filter(|change| change.opened.plan.id() != current.plan()) {
            change.superseded(current).await;
        }
    }

    /// What a key is called here: by the name of its newest group, also of one whose shares are
    /// erased, or else by its id.
    pub(in crate::service) fn name_of_key(&self, key: KeyId) -> String {
        let newest = {
            let groups = self.lock_groups();
            let of_key = groups.values().filter(|group| group.group.key_id() == key);
            let newest = of_key.max_by_key(|group| group.group.epoch().number());
            newest.map(|group| group.name.clone())
        };
        let stored = || {
            let report = self.key_service(key)?.report();
            let mut groups = report.groups.values().rev();
            groups.find_map(|group| self.shared.store.name_of(group.id()).ok().flatten())
        };
        newest.or_else(stored).unwrap_or_else(|| key.to_string())
    }

    /// Whether a group of this key has a name here.
    pub(in crate::service) fn is_named(&self, key: KeyId) -> bool {
        let Some(service) = self.key_service(key) else { return false };
        let groups = service.report().groups;
        let named = |id| self.shared.store.name_of(id).ok().flatten().is_some();
        groups.values().any(|group| named(group.id()))
    }

    /// The switch of the key with this id, or of the group with this name or id.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub(super) fn find_key(&self, name: &str) -> Result<Arc<KeyService>, ServiceError> {
        let with_id = self.lock_keys().values().find(|one| one.key.to_string() == name).cloned();
        if let Some(service) = with_id {
            return Ok(service);
        }
        let key = match self.find_group(name) {
            Ok(group) => Some(group.group.key_id()),
            // Its shares may be erased: then its name still means it.
            Err(ServiceError::NotFound { .. }) => self.key_named(name)?,
            Err(error) => return Err(error),
        };
        let not_found = || ServiceError::NotFound { what: "key", name: name.to_owned() };
        key.and_then(|key| self.key_service(key)).ok_or_else(not_found)
    }

    /// The key of the group that this name is bound to.
    fn key_named(&self, name: &str) -> Result<Option<KeyId>, ServiceError> {
        let Ok(name) = name.parse() else { return Ok(None) };
        let Some(id) = self.shared.store.group_named(&name)? else { return Ok(None) };
        let keys = self.lock_keys();
        let mut of_group = keys.values().filter(|service| {
            service.reports.borrow().groups.values().any(|group| group.id() == id)
        });
        Ok(of_group.next().map(|service| service.key))
    }
}

fn describe(event: &Event) -> Option<(EpochOrder, &'static str, String)> {
    Some(match event {
        Event::Current(epoch) => {
            (*epoch, "current", format!("epoch {} is the current one now", epoch.epoch()))
        }
        Event::Adopted(epoch) => (*epoch, "adopted", format!("epoch {} is adopted", epoch.epoch())),
        Event::Lacking(epoch) => (
            *epoch,
            "lacking",
            format!("this node has a seat in epoch {} and no share of it", epoch.epoch()),
        ),
        Event::Acknowledged(epoch) => {
            (*epoch, "acknowledged", format!("epoch {} is acknowledged", epoch.epoch()))
        }
        Event::Erased(epoch) => (
            *epoch,
            "erased",
            format!("what epoch {} supersedes is erased at this node", epoch.epoch()),
        ),
        _ => return None,
    })
}
