//! Decisions about a plan that the node makes without its person: it accepts by itself, and asks a
//! command whether to approve.

use std::sync::Arc;

use roastery_node::driver::ChangePhase;
use roastery_protocol::{
    change::{
        AcceptedBy, ApprovedBy, EpochOrder, Parent,
        machine::{Decided, Record},
    },
    group::Group,
};

use crate::{
    limits::Limit,
    policy::{Answer, CommandError, ask},
    service::{
        Service, ServiceError, ServiceEvent,
        change::{
            deciding::not_kept,
            known::known_of,
            running::{ChangeService, OpenChange},
        },
        now_ms,
    },
    view,
};

impl Service {
    /// The group that is changed, if this node runs it. A plan file has a roster of its own, which
    /// its sender may have written: by that one a rule decides nothing.
    fn own_group_of(&self, change: &ChangeService) -> Option<Arc<Group>> {
        let OpenChange { plan, parent, .. } = &change.opened;
        let groups = self.groups();
        let mut own = groups.iter().map(|group| &group.group);
        own.find(|own| Parent::of(own) == *plan.parent() && own.id() == parent.id()).cloned()
    }

    /// Starts what decides about a change by this node's rules, if they say so.
    pub(super) fn decide_by_rule(
        self: &Arc<Self>,
        change: &Arc<ChangeService>,
    ) -> Result<(), ServiceError> {
        let Some(own) = self.own_group_of(change) else { return Ok(()) };
        let policy = self.change_rules(&own)?.policy();
        let part = format!("decisions about change {:#}", change.opened.plan.id());
        if policy.accept == AcceptedBy::Automatic && change.stays_in(&own) {
            self.shared.finite(part.clone(), self.clone().accept_by_itself(change.clone()));
        }
        let excluded = change.opened.plan.excluded();
        let deals = change.opened.old.iter().any(|seat| !excluded.contains(seat));
        if policy.approval == ApprovedBy::Command && deals {
            self.shared.finite(part, self.clone().approve_by_command(change.clone()));
        }
        Ok(())
    }

    /// Accepts as soon as enough old members have approved. What its rules refuse is left to the
    /// person, and tried again when another member has approved.
    async fn accept_by_itself(self: Arc<Self>, change: Arc<ChangeService>) {
        let Some(mut reports) = change.reports() else { return };
        loop {
            let report = reports.borrow_and_update().clone();
            if report.phase != ChangePhase::Waiting
                || !change.opened.new.iter().any(|own| report.unaccepted.contains(own))
            {
                return;
            }
            match self.accept_if_allowed(&change, report.approved.len()).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    let text = format!("this node does not accept by itself: {error}");
                    self.tell_of(&change, "not-accepted", text);
                }
            }
            if reports.changed().await.is_err() {
                return;
            }
        }
    }

    async fn accept_if_allowed(
        &self,
        change: &ChangeService,
        approvals: usize,
    ) -> Result<bool, ServiceError> {
        let plan = &change.opened.plan;
        let Some(own) = self.own_group_of(change) else { return Ok(false) };
        let policy = self.change_rules(&own)?.policy();
        if !policy.accepts_by_itself(change.stays_in(&own), approvals, &own) {
            return Ok(false);
        }
        let _deciding = self.joining.lock().await;
        let id = plan.id();
        let kept = self.shared.store(move |store| store.plan(id)).await?;
        if kept.is_some_and(|kept| kept.records.contains(&Record::Withdrawn)) {
            // Its person does not want the plan: a rule says nothing else.
            return Ok(false);
        }
        self.check_rules(change).await?;
        // Whose decision it is stands in the store before the decision.
        self.mark(change, Decided::Acceptance, Record::Accepted).await?;
        // The machine knows a withdrawal also while the store refuses it.
        if !change.handle().map_err(not_kept)?.accept_by_rule().await.map_err(not_kept)? {
            return Ok(false);
        }
        if let Some(epochs) = self.key_service(plan.parent().key) {
            epochs.handle.hold(EpochOrder::last_of(plan));
        }
        let text = "this node has accepted by its rules; its person has not decided";
        self.tell_of(change, "accepted-by-rule", text.to_owned());
        Ok(true)
    }

    /// Asks the command once in each start, unless the plan is decided. Whatever else it says than
    /// yes, the person decides.
    async fn approve_by_command(self: Arc<Self>, change: Arc<ChangeService>) {
        match self.ask_about(&change).await {
            Ok(()) => {}
            Err(error) => {
                let text = format!("the command does not approve: {error}");
                self.tell_of(&change, "not-approved", text);
            }
        }
    }

    async fn ask_about(&self, change: &ChangeService) -> Result<(), ServiceError> {
        let plan = change.opened.plan.clone();
        let known = self.shared.store(move |store| store.plan(plan.id())).await?;
        let records = known.map(|known| known.records).unwrap_or_default();
        // What was decided after a backup is not in a store that was restored from it.
        let is_decided = |record: &Record| {
            matches!(
                record,
                Record::Approved | Record::Withdrawn | Record::Expired | Record::Restored
            )
        };
        if records.iter().any(is_decided) || change.report().phase != ChangePhase::Waiting {
            return Ok(());
        }
        let (id, config) =
            (change.opened.parent.id(), self.settings_for(&change.opened.parent)?.policy);
        let status = view::ChangeStatus::from(self.status_of_change(change));
        let question =
            serde_json::to_vec(&status).map_err(|error| ServiceError::Internal(error.into()))?;
        let (folder, patience) = (self.shared.folder.path(), config.command_timeout());
        let asked = ask(&config.change.command, folder, &question, patience).await;
        let Answer { outcome, errors, cut } = asked;
        if cut {
            self.shared.limits.hit(Limit::CommandOutput, change.opened.name.as_str());
        }
        if !errors.is_empty() {
            tracing::warn!(group = %id, errors, "the command for changes complains");
        }
        match outcome {
            Ok(_) => self.approve_as_command(change).await,
            Err(error @ CommandError::Refused(_)) => Err(ServiceError::Conflict(error.into())),
            Err(error) => Err(ServiceError::NotReady(error.into())),
        }
    }

    async fn approve_as_command(&self, change: &ChangeService) -> Result<(), ServiceError> {
        let _deciding = self.joining.lock().await;
        self.check_approval(change).await?;
        self.mark(change, Decided::Approval, Record::Approved).await?;
        self.approve_checked(change).await?;
        let text = "the command has approved; this node's person has not decided";
        self.tell_of(change, "approved-by-command", text.to_owned());
        Ok(())
    }

    /// Keeps that the next decision is not the person's, unless it is made already.
    async fn mark(
        &self,
        change: &ChangeService,
        what: Decided,
        made: Record,
    ) -> Result<(), ServiceError> {
        let plan = change.opened.plan.clone();
        let keep = move |store: &roastery_store::Store| {
            let known = known_of(store, &plan)?;
            let own = known.plans.iter().find(|kept| kept.plan.id() == plan.id());
            if own.is_some_and(|kept| kept.records.contains(&made)) {
                return Ok(());
            }
            store.keep_plan_record(&plan, &Record::ByRule(what), None, now_ms())
        };
        self.shared.store(keep).await
    }

    /// Keeps that the person has made a decision that a rule has made or is about to make.
    pub(super) async fn mark_as_persons(
        &self,
        change: &ChangeService,
        what: Decided,
    ) -> Result<(), ServiceError> {
        let plan = change.opened.plan.clone();
        let keep = move |store: &roastery_store::Store| {
            let kept = store.plan(plan.id())?;
            match kept {
                Some(kept) if Record::is_by_rule(&kept.records, what) => {
                    store.keep_plan_record(&plan, &Record::ByPerson(what), None, now_ms())
                }
                _ => Ok(()),
            }
        };
        self.shared.store(keep).await
    }

    fn tell_of(&self, change: &ChangeService, kind: &str, text: String) {
        let (name, plan) = (change.opened.name.as_str(), change.opened.plan.id().to_string());
        tracing::info!(group = name, plan, text, "a decision by a rule");
        self.shared.tell(ServiceEvent::new(name, plan, kind, text));
    }
}
