//! A person decides about a plan at this node.

use std::{sync::Arc, time::Duration};

use roastery_node::driver::ChangeNotKept;
use roastery_protocol::{
    change::{
        EpochOrder, PersonsWord, Plan,
        machine::{Decided, Record},
    },
    group::Group,
};
use roastery_store::{ChangeAct, ChangeEntry};

use crate::service::{
    Service, ServiceError,
    change::{known::known_of, running::ChangeService, status::ChangeStatus},
    now_ms,
};

pub(in crate::service) fn digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

pub(super) fn not_kept(error: ChangeNotKept) -> ServiceError {
    ServiceError::NotReady(error.into())
}

impl Service {
    /// Approves a plan as an old member, with the fingerprint that all members have compared: this
    /// node deals its shares to the new members as soon as all of them have accepted and enough old
    /// ones have approved. It is stored when this returns.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the fingerprint is another one, or the plan is refused by this
    /// node's rules or by those of all nodes; [`ServiceError::Conflict`] if this node is no old
    /// member, or excluded, or the group has changed meanwhile.
    pub async fn approve_change(
        &self,
        id: &str,
        fingerprint: &str,
    ) -> Result<ChangeStatus, ServiceError> {
        let change = self.compared(id, fingerprint)?;
        let _deciding = self.joining.lock().await;
        self.check_approval(&change).await?;
        self.approve_checked(&change).await?;
        self.mark_as_persons(&change, Decided::Approval).await?;
        let (plan, key) = (change.opened.plan.id(), change.opened.plan.parent().key);
        if let Some(epochs) = self.key_service(key) {
            epochs.handle.decided(plan, PersonsWord::Approved);
        }
        self.change(id)
    }

    /// Whether this node may approve a plan now, as an old member.
    pub(super) async fn check_approval(&self, change: &ChangeService) -> Result<(), ServiceError> {
        let (old, excluded) = (&change.opened.old, change.opened.plan.excluded());
        if old.is_empty() {
            let reason = "this node is no member of the group that the plan changes: it accepts, and does not approve";
            return Err(ServiceError::Conflict(reason.into()));
        }
        if old.iter().all(|seat| excluded.contains(seat)) {
            let reason = "the plan excludes this node: it neither approves nor deals";
            return Err(ServiceError::Conflict(reason.into()));
        }
        self.check_rules(change).await?;
        let plan = change.opened.plan.clone();
        let known = self.shared.store(move |store| known_of(store, &plan)).await?;
        let own = known.plans.iter().find(|kept| kept.plan.id() == change.opened.plan.id());
        if own.is_some_and(|kept| kept.records.contains(&Record::Withdrawn)) {
            let reason = "the approval of this plan was taken back here, for good: make a plan with the next number";
            return Err(ServiceError::Conflict(reason.into()));
        }
        let mut numbers = known.approved;
        numbers.approve(&change.opened.plan).map_err(|error| ServiceError::Invalid(error.into()))
    }

    /// Approves a plan that was checked, and deals in none with a lower number from now on.
    pub(super) async fn approve_checked(&self, change: &ChangeService) -> Result<(), ServiceError> {
        for other in self.others_of(&change.opened.plan) {
            if let Ok(handle) = other.handle() {
                // One that has ended deals no more.
                let _ = handle.bar_dealing().await;
            }
        }
        if !change.handle().map_err(not_kept)?.approve().await.map_err(not_kept)? {
            let reason = "the approval has no effect: the plan has expired, or a later epoch of the group exists \
                          than the one that it changes: make a plan of that";
            return Err(ServiceError::Conflict(reason.into()));
        }
        Ok(())
    }

    /// Accepts a plan as a new member, with the fingerprint that all members have compared. The
    /// host key of this node's card accepts no other plan, ever. It is stored when this returns.
    ///
    /// # Errors
    ///
    /// As of [`Service::approve_change`]; [`ServiceError::Conflict`] if the plan has expired, or
    /// the store is from a backup without the acceptance.
    pub async fn accept_change(
        &self,
        id: &str,
        fingerprint: &str,
    ) -> Result<ChangeStatus, ServiceError> {
        let change = self.compared(id, fingerprint)?;
        if change.opened.new.is_empty() {
            let reason = "this node is no new member of the plan: it may approve it as an old one";
            return Err(ServiceError::Conflict(reason.into()));
        }
        let _deciding = self.joining.lock().await;
        self.check_rules(&change).await?;
        if !change.handle().map_err(not_kept)?.accept().await.map_err(not_kept)? {
            let reason = "the acceptance has no effect: the plan has expired, or this node's store is from a backup \
                          in which it had not accepted: make a fresh card, and a plan with that";
            return Err(ServiceError::Conflict(reason.into()));
        }
        self.mark_as_persons(&change, Decided::Acceptance).await?;
        let plan = &change.opened.plan;
        if let Some(epochs) = self.key_service(plan.parent().key) {
            epochs.handle.decided(plan.id(), PersonsWord::Accepted);
            epochs.handle.hold(EpochOrder::last_of(plan));
        }
        self.change(id)
    }

    /// Takes this node's approval back, for good: another try is a plan with another number.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if this node has dealt, which cannot be taken back. Its seats
    /// that have not dealt do not deal any more all the same.
    pub async fn withdraw_change(&self, id: &str) -> Result<ChangeStatus, ServiceError> {
        let change = self.find_change(id)?;
        let nothing = |reason: &str| Err(ServiceError::Conflict(reason.into()));
        if change.opened.old.is_empty() {
            return nothing(
                "this node is no member of the group that the plan changes: it has no approval that it could take \
                 back, and an acceptance is for good",
            );
        }
        let Ok(handle) = change.handle() else {
            return nothing("the change is over: there is nothing that could be taken back");
        };
        // It waits for nothing: this node deals as soon as it may.
        let is_whole = handle.withdraw().await.map_err(not_kept)?;
        let (plan, key) = (change.opened.plan.id(), change.opened.plan.parent().key);
        if let Some(epochs) = self.key_service(key) {
            epochs.handle.withdrawn(plan);
        }
        if !is_whole {
            return nothing(
                "the withdrawal comes too late: this node has dealt a share, or may have (its store was restored, \
                 or could not say), and the new members may hold what it has dealt. A seat of it that has not dealt \
                 does not deal any more. A plan with the next number is the way to other shares",
            );
        }
        self.change(id)
    }

    /// The change, if this is the fingerprint of its plan.
    fn compared(&self, id: &str, fingerprint: &str) -> Result<Arc<ChangeService>, ServiceError> {
        let change = self.find_change(id)?;
        if digits(&change.opened.plan.fingerprint().to_string()) != digits(fingerprint) {
            // The right one is not shown: members must compare it, not copy it from here.
            let reason = "this is not the fingerprint of the plan that was taken up here: compare it with all \
                          members again, and if it differs, do not go on: one of you has another plan";
            return Err(ServiceError::Invalid(reason.into()));
        }
        Ok(change)
    }

    /// Whether the plan is still one that this node can take part in, and its rules allow it.
    pub(super) async fn check_rules(&self, change: &ChangeService) -> Result<(), ServiceError> {
        self.check_plan(&change.opened.plan, &change.opened.parent).await?;
        let rules = self.change_rules(&change.opened.parent)?.policy();
        let age = self.age_of(&change.opened.parent).await?;
        let allowed = rules.judge(&change.opened.plan, &change.opened.parent, age);
        allowed.map_err(|error| ServiceError::Invalid(error.into()))
    }

    /// How long ago this node has adopted an epoch, by the wall clock and the log of changes. One
    /// that it has not adopted by a change is of any age: that of the key generation, for example.
    async fn age_of(&self, group: &Group) -> Result<Duration, ServiceError> {
        let (key, epoch) = (group.key_id(), group.epoch());
        let adopted = move |entry: &ChangeEntry| {
            (entry.key, entry.epoch, entry.plan) == (key, epoch.number(), epoch.plan())
                && entry.act == ChangeAct::Adopted
        };
        let log = self.shared.store(|store| store.change_log(0, usize::MAX)).await?;
        let last = log.into_iter().map(|(_, entry)| entry).rfind(adopted);
        Ok(last.map_or(Duration::MAX, |entry| {
            Duration::from_millis(now_ms().saturating_sub(entry.time_ms))
        }))
    }

    /// The other changes of the epoch that this plan changes, or of a fork of it, with lower
    /// numbers.
    fn others_of(&self, plan: &Plan) -> Vec<Arc<ChangeService>> {
        let changes = self.lock_changes();
        let others = changes.values().filter(|other| {
            let other = &other.opened.plan;
            (other.parent().key, other.epoch()) == (plan.parent().key, plan.epoch())
                && other.number() < plan.number()
        });
        others.cloned().collect()
    }
}
