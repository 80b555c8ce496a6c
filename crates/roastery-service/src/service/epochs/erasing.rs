//! What the store holds of a place is erased, after everything that uses it has ended.

use std::{sync::Arc, time::Duration};

use roastery_protocol::{
    change::{EpochOrder, Parent},
    group::Group,
};
use roastery_store::{ContentError, Entry, Erasure, Store, StoreError};
use tokio::task::AbortHandle;

use crate::service::{Service, ServiceError};

/// The timeout for the end of a task that holds a share.
const END: Duration = Duration::from_secs(10);

impl Service {
    /// Erases the shares or the host key of a place: the sessions and changes that use them end
    /// first, and their secrets are overwritten with them. Where a task does not end, nothing is
    /// erased, nor where this node has a seat in the new group and its share of that cannot be read
    /// from the store now. Nothing that uses them is started meanwhile.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] if a task does not end or the new share cannot be read, and an
    /// error of the store. It may be tried again.
    pub(super) async fn erase_place(
        &self,
        erasure: Erasure,
        group: Option<Arc<Group>>,
        new: Option<Arc<Group>>,
    ) -> Result<(), ServiceError> {
        let what = erasure.what;
        let _joining = self.joining.lock().await;
        // Before anything is ended for it, and again at the moment of the erasure.
        if let Some(new) = new.clone() {
            let number = new.epoch().number();
            self.shared.store(move |store| read_back(store, &new)).await.map_err(|error| {
                let reason = format!(
                    "this node's share of epoch {number} cannot be read from its store, so nothing is erased: \
                     {error}. Mend that, then erase again"
                );
                ServiceError::NotReady(reason.into())
            })?;
        }
        let parent = group.as_deref().map(Parent::of);
        self.end_groups(parent.as_ref()).await?;
        self.end_changes(what, parent.as_ref()).await?;
        let erase = move |store: &Store| {
            new.as_deref().map_or(Ok(()), |new| read_back(store, new))?;
            let known = store.known_groups()?;
            let is_known = |group: &Group| {
                known.iter().any(|known| Parent::of(&known.group) == Parent::of(group))
            };
            match &group {
                Some(group) if is_known(group) => store.erase_epoch(group, &erasure),
                _ => store.erase_host_keys(what.plan(), &erasure),
            }
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

/// Opens this node's shares of a group, each of which is compared with its public share.
fn read_back(store: &Store, group: &Group) -> Result<(), StoreError> {
    for known in store.known_groups()? {
        if Parent::of(&known.group) == Parent::of(group) && store.group(known.group.id())?.is_some()
        {
            return Ok(());
        }
    }
    Err(ContentError::Missing(Entry::Group).into())
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
