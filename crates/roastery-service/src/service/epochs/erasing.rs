//! What the store holds of a place is erased, after everything that uses it has ended.

use std::{sync::Arc, time::Duration};

use roastery_protocol::{
    KeyId,
    change::{EpochOrder, Parent, switch::Record},
    group::Group,
};
use roastery_store::Store;
use tokio::task::AbortHandle;

use crate::service::{Service, ServiceError, now_ms};

/// The timeout for the end of a task that holds a share.
const END: Duration = Duration::from_secs(10);

impl Service {
    /// Erases the shares or the host key of a place: the sessions and changes that use them end
    /// first, and their secrets are overwritten with them. Where a task does not end, nothing is
    /// erased. Nothing that uses them is started meanwhile.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] if a task does not end, and an error of the store. It may be
    /// tried again.
    pub(super) async fn erase_place(
        &self,
        key: KeyId,
        record: &Record,
        (what, group): (EpochOrder, Option<Arc<Group>>),
    ) -> Result<(), ServiceError> {
        let _joining = self.joining.lock().await;
        let parent = group.as_deref().map(Parent::of);
        self.end_groups(parent.as_ref()).await?;
        self.end_changes(what, parent.as_ref()).await?;
        let record = *record;
        let erase = move |store: &Store| {
            let here = match &group {
                Some(group) => store
                    .known_groups()?
                    .into_iter()
                    .any(|known| !known.erased && Parent::of(&known.group) == Parent::of(group)),
                None => false,
            };
            match &group {
                Some(group) if here => store.erase_epoch(group)?,
                _ => store.erase_host_keys(what.plan())?,
            }
            store.keep_erased(key, &record, (what.epoch(), what.plan()), now_ms())
        };
        self.shared.store(erase).await
    }

    async fn end_groups(&self, of: Option<&Parent>) -> Result<(), ServiceError> {
        let Some(of) = of else { return Ok(()) };
        let is_it = |group: &Group| Parent::of(group) == *of;
        let running: Vec<_> =
            self.lock_groups().values().filter(|one| is_it(&one.group)).cloned().collect();
        for group in running {
            group.close();
            ended(&group.node, &format!("the node of group {}", group.group.id())).await?;
            self.lock_groups().remove(&group.group.id());
        }
        Ok(())
    }

    /// Ends the changes that deal the share of this place or hold the host key of its plan.
    async fn end_changes(&self, what: EpochOrder, of: Option<&Parent>) -> Result<(), ServiceError> {
        let changes: Vec<_> = self.lock_changes().values().cloned().collect();
        let uses = changes.into_iter().filter(|change| {
            let plan = &change.opened.plan;
            plan.id() == what.plan() || of.is_some_and(|of| plan.parent() == of)
        });
        for change in uses {
            let Some(task) = change.task() else { continue };
            task.abort();
            let plan = change.opened.plan.id();
            ended(task, &format!("the change of plan {plan}")).await?;
            self.lock_changes().remove(&plan);
        }
        Ok(())
    }
}

/// Waits until a task that was aborted has dropped what it holds.
async fn ended(task: &AbortHandle, what: &str) -> Result<(), ServiceError> {
    let end = async {
        while !task.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(END, end).await.map_err(|_| {
        let seconds = END.as_secs();
        let reason =
            format!("{what} does not end within {seconds} s, so nothing is erased: try it again");
        ServiceError::NotReady(reason.into())
    })
}
