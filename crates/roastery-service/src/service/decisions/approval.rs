//! Approval of a request: it is examined, decided, and its session is opened.

use std::{sync::Arc, time::Duration};

use roastery_node::driver::ProposeError;
use roastery_protocol::{
    SessionId,
    member::machine::{ProposeError as NotProposed, RequestOrigin},
    request::ApprovedRequest,
    request::{Proposal, RefusalReason},
};
use roastery_store::{
    Act, Change, Decider, Decision, Deed, Durability, KeptRequest, RequestState, StoreError,
    Transaction,
};

use crate::{
    config::ApprovalMode,
    limits::Limit,
    policy::{Approval, Examined},
    service::{
        ServiceError,
        asking::{Asking, act},
        decisions::decision::{Compared, may_approve, overtaken},
        group::{
            service::{GroupService, OpenSession, key_of},
            shown::Seen,
            timeline::StepKind,
        },
        now,
        payments::Pays,
        rejections::files::REJECTED,
    },
};

/// Who approves a request, and in which state of it.
#[derive(Clone, Debug)]
pub(in crate::service) enum ApprovalBasis {
    /// The operator, for the request as it was shown.
    Operator {
        /// Who, and since when.
        asking: Asking,
        /// What the operator saw, if the decision says so.
        seen: Option<Seen>,
    },
    /// A decision that is made now without the operator, for the request as it was examined.
    Decider(Decider),
    /// The decision from before a restart.
    Resumed(Decision),
}

/// What an approval is compared with when it takes effect.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// It was, before a restart.
    Nothing,
    /// Other requests that pay the same.
    Decider,
    /// The rule about them, and what the operator saw, if the decision says so.
    Operator(Option<Seen>),
}

impl ApprovalBasis {
    /// That of an operator who approves after the rejection of this number.
    #[cfg(test)]
    pub(in crate::service) fn by_operator(after: u64) -> Self {
        Self::Operator { asking: crate::service::fixture::asking(after), seen: None }
    }

    /// How the request came to this node. One that was made here is coordinated here at once; what
    /// waited for a decision is taken to be known to all.
    fn origin(&self, seen: &KeptRequest) -> RequestOrigin {
        match self {
            ApprovalBasis::Resumed(_) => RequestOrigin::Waited,
            _ if seen.proposer.is_none() => RequestOrigin::Own,
            ApprovalBasis::Decider(Decider::Rules) => RequestOrigin::Proposed,
            ApprovalBasis::Decider(_) | ApprovalBasis::Operator { .. } => RequestOrigin::Waited,
        }
    }
}

impl GroupService {
    /// Examines a request that is not approved here, unless that was done already, checks it
    /// against the rules and the limits, and asks the configured approver.
    pub(in crate::service) fn evaluate(
        self: &Arc<Self>,
        kept: KeptRequest,
        examined: Option<Examined>,
    ) {
        let this = self.clone();
        let part = format!("the evaluation of a request of group {}", self.name);
        self.shared.finite(part, async move {
            let session = kept.request.session_id();
            if let Err(error) = this.ask_approver(kept, examined).await {
                tracing::warn!(group = this.name, %session, %error, "not approved");
            }
        });
    }

    async fn ask_approver(
        self: &Arc<Self>,
        kept: KeptRequest,
        examined: Option<Examined>,
    ) -> Result<(), ServiceError> {
        let session = kept.request.session_id();
        let examined = match examined {
            Some(examined) => Ok(examined),
            None => self.examine(&kept).await,
        };
        let allowed = examined.and_then(|examined| self.check(&examined).map(|()| examined));
        let examined = match allowed {
            Ok(examined) => examined,
            Err(refusal) => return self.refuse_by_rules(&kept, &refusal).await,
        };
        let mode = self.approval_mode();
        let conflicts = self.conflicts_now(&kept, examined.spend()).await;
        if let Err(refusal) = self.check_paid_once(&conflicts) {
            return self.refuse_by_rules(&kept, &refusal).await;
        }
        let left = self.left_to_operator(&kept.request, &examined).or_else(|| conflicts.left());
        match (mode, left) {
            (ApprovalMode::Automatic | ApprovalMode::Command, Some(text)) => {
                self.leave(session, text).await;
            }
            (ApprovalMode::Automatic, None) => {
                self.approve_or_refuse(&kept, &examined, Decider::Rules).await?;
            }
            (ApprovalMode::Command, None) => self.ask_command(kept, examined).await?,
            (ApprovalMode::Manual, left) => {
                left.into_iter().for_each(|why| self.summaries.note_left(session, why));
                self.tell(session, "pending", "waits to be approved here".to_owned());
                self.tell_waiting(session).await;
            }
        }
        Ok(())
    }

    /// Leaves a request to the operator. The reason stays: it may have ended when the operator
    /// decides, and nothing else decides about the request again.
    async fn leave(&self, session: SessionId, why: String) {
        self.summaries.note_left(session, why.clone());
        self.tell(session, "pending", why);
        self.tell_waiting(session).await;
    }

    /// Approves a request without the operator. Where that is not possible it is refused with the
    /// reason: no request waits for a decision that is not made again.
    pub(in crate::service) async fn approve_or_refuse(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
        by: Decider,
    ) -> Result<(), ServiceError> {
        match self.approve(kept, examined, ApprovalBasis::Decider(by)).await {
            Err(ServiceError::Refused(refusal)) => self.refuse_by_rules(kept, &refusal).await,
            Err(error @ ServiceError::NoRoom(_)) => {
                self.refuse(kept, Decider::Rules, RefusalReason::Busy, error.to_string(), None)
                    .await
            }
            done => done,
        }
    }

    /// Approves a request as it was examined, and opens its session. A session that is open already
    /// goes on. The examination may have taken long, and the request may have been rejected or its
    /// subject replaced meanwhile: that is checked under the lock.
    pub(in crate::service) async fn approve(
        self: &Arc<Self>,
        seen: &KeptRequest,
        examined: &Examined,
        basis: ApprovalBasis,
    ) -> Result<(), ServiceError> {
        let request = seen.request.clone();
        let session = request.session_id();
        let refused = ServiceError::Refused;
        let operator = match &basis {
            ApprovalBasis::Operator { .. } => true,
            ApprovalBasis::Decider(_) => false,
            ApprovalBasis::Resumed(decision) => decision.by == Decider::Operator,
        };
        let allowed = self.policy.allow(examined);
        let deciding = self.deciding(session).lock().await;
        if self.is_running(session) {
            return Ok(());
        }
        allowed.map_err(refused)?;
        let reservation = self.reserve(examined).map_err(refused)?;
        let approval = Arc::new(Approval::new(session));
        if self.approval_mode() == ApprovalMode::Command && !operator {
            approval.renew(self.policy.config().command_validity());
        }
        let approved = ApprovedRequest::obtain(
            request.clone(),
            &self.group,
            approval.clone(),
            self.handle.now(),
        )?;
        let about = examined.about();
        let origin = basis.origin(seen);
        let left = match &basis {
            ApprovalBasis::Operator { .. } => None,
            ApprovalBasis::Decider(_) => self.left_to_operator(&request, examined),
            ApprovalBasis::Resumed(_) if operator => None,
            ApprovalBasis::Resumed(_) => self.left_but_for_reading(&request, examined),
        };
        if let Some(text) = left {
            if matches!(basis, ApprovalBasis::Decider(_)) {
                self.leave(session, text.clone()).await;
            }
            return Err(ServiceError::Conflict(text.into()));
        }
        // The last rejection that this approval reverses, what it is compared with, and the act.
        let (undone, against, act) = match &basis {
            ApprovalBasis::Operator { asking, seen } => {
                let (group, seen_as) = (self.group.id(), seen.map(Seen::to_bytes));
                let deed = Deed::Approved { group, session, seen: seen_as };
                (asking.after, Against::Operator(*seen), Some(act(asking.by.clone(), deed)))
            }
            ApprovalBasis::Decider(_) => (0, Against::Decider, None),
            ApprovalBasis::Resumed(_) => (0, Against::Nothing, None),
        };
        // Until the session is open a rejection finds the approval here.
        let opening = self.openings.approve(&request, &approval);
        let Some(opening) = opening.filter(|_| !self.shared.rejections.is_later(session, undone))
        else {
            return Err(ServiceError::Conflict(REJECTED.into()));
        };
        let revision = seen.revision;
        let decision = match basis {
            ApprovalBasis::Operator { .. } => {
                Decision { by: Decider::Operator, about, revision, at: now() }
            }
            ApprovalBasis::Decider(by) => Decision { by, about, revision, at: now() },
            ApprovalBasis::Resumed(decision) if decision.about == about => decision,
            ApprovalBasis::Resumed(_) => {
                let reason = "what was approved before the restart is not what is found now";
                return Err(ServiceError::Conflict(reason.into()));
            }
        };
        self.take_effect(seen, &decision, (against, examined.clone()), act).await?;
        if undone > 0
            // The file of a rejection must not reverse a later approval at the next start.
            && let Err(error) = self.shared.forget_rejection(session, undone).await
        {
            self.take_back(seen, decision).await?;
            return Err(error);
        }
        if operator {
            self.shared.rejected.forget(key_of(&self.group), &request);
        }
        let pays = examined.spend().map(|spend| Pays::of(spend));
        let forgotten = self.coins.approved(session, &examined.spending().coins, pays);
        self.shared.limits.hit_times(Limit::PaymentsCompared, &self.name, forgotten);
        self.journal.expect(&request, &decision, examined, &approval);
        let life = Duration::from_secs(request.expiry().saturating_sub(now()));
        let opened = match self.handle.sign(approved, origin, life).await {
            Ok(opened) => opened,
            Err(error) => {
                self.journal.forget(session);
                self.take_back(seen, decision).await?;
                return Err(error.into());
            }
        };
        let watcher = opened.watcher();
        let approval_of = approval.clone();
        let open = OpenSession {
            watcher,
            approval: approval_of,
            revision,
            request: request.clone(),
            _reservation: reservation,
        };
        self.session_opened(session, open);
        drop(opening);
        // Before the steps of the session, which are kept of no other request.
        self.timelines.begin(session, StepKind::Approved, self.first_seat());
        let part = format!("a session of group {}", self.name);
        let follow = self.clone().follow(opened, decision, approval);
        self.shared.finite(part, follow);
        drop(deciding);
        self.tell(session, "approved", "approved here".to_owned());
        // The member that proposed it may disconnect; this node proposes it to members that connect
        // later.
        let proposal = Proposal { request, subject: seen.subject.clone() };
        if let Err(ProposeError::Refused(NotProposed::TooMany { .. })) =
            self.handle.propose(proposal).await
        {
            self.shared.limits.hit(Limit::ProposalsOffered, &self.name);
        }
        Ok(())
    }

    /// Stores an approval and who has asked for it, if the request is still as it was examined and
    /// nothing that it is compared with is against it. One from before a restart is in the store
    /// already.
    async fn take_effect(
        self: &Arc<Self>,
        seen: &KeptRequest,
        decision: &Decision,
        (basis, examined): (Against, Examined),
        act: Option<Act>,
    ) -> Result<(), ServiceError> {
        let (before, deciding) = (seen.clone(), decision.clone());
        let decide = move |known: &KeptRequest| {
            let stands = known.state == RequestState::Approved(deciding.clone());
            let may = !stands && may_approve(&deciding.by, &before, known);
            may.then_some(RequestState::Approved(deciding))
        };
        let session = seen.request.session_id();
        let change = match basis {
            Against::Nothing => self.change_by(session, Durability::Deferred, act, decide).await?,
            against => {
                let group = self.clone();
                let compare = move |change: &Transaction<'_>, known: &KeptRequest| {
                    group.compare(change, known, &examined, against)
                };
                match self.change_if(session, compare, act, decide).await? {
                    Ok(change) => change,
                    Err(Compared::Refused(refusal)) => return Err(ServiceError::Refused(refusal)),
                    Err(Compared::Left(why)) => {
                        self.leave(session, why.clone()).await;
                        return Err(ServiceError::Conflict(why.into()));
                    }
                    Err(Compared::Same | Compared::Changed) => return Err(ServiceError::Changed),
                }
            }
        };
        match change {
            Change::Made(_) => Ok(()),
            Change::Left(known) if known.state == RequestState::Approved(decision.clone()) => {
                Ok(())
            }
            Change::Left(known) => Err(overtaken(&known)),
        }
    }

    /// What other requests that pay the same say against an approval, and what was seen.
    fn compare(
        &self,
        change: &Transaction<'_>,
        known: &KeptRequest,
        examined: &Examined,
        against: Against,
    ) -> Result<Compared, StoreError> {
        let spend = examined.spend().map(|spend| &**spend);
        let elsewhere = self.elsewhere(known, spend, |other| change.request(other))?;
        let conflicts = self.conflicts(known, &elsewhere);
        if let Err(refusal) = self.check_paid_once(&conflicts) {
            return Ok(Compared::Refused(refusal));
        }
        Ok(match (against, conflicts.left()) {
            (Against::Decider, Some(why)) => Compared::Left(why),
            (Against::Operator(Some(seen)), _)
                if !self.shows(known, examined, &elsewhere, seen) =>
            {
                Compared::Changed
            }
            _ => Compared::Same,
        })
    }

    /// Stores that an approval had no effect. A restart must not repeat it.
    async fn take_back(&self, seen: &KeptRequest, decision: Decision) -> Result<(), ServiceError> {
        let before = seen.state.clone();
        let change = self.change(seen.request.session_id(), Durability::Synced, move |known| {
            (known.state == RequestState::Approved(decision)).then_some(before)
        });
        change.await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::service::fixture::TestNode;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_approved_while_it_is_being_rejected() {
        let node = TestNode::start(0).await;
        let seen = node.proposed().await;
        let examined = node.group.examine(&seen).await.unwrap();
        let approve = || node.group.approve(&seen, &examined, ApprovalBasis::by_operator(0));
        let rejecting = node.group.openings.reject(&seen.request, RefusalReason::Operator);
        let refused = approve().await;
        assert!(matches!(refused, Err(ServiceError::Conflict(_))), "{refused:?}");
        assert!(!node.group.is_running(seen.request.session_id()));
        drop(rejecting);
        approve().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rejection_that_the_store_lacks_is_undone_by_a_later_approval_only() {
        let node = TestNode::start(0).await;
        let seen = node.proposed().await;
        let session = seen.request.session_id();
        let examined = node.group.examine(&seen).await.unwrap();
        // The operator approves. Before that takes effect the request is rejected, and the store
        // cannot be written.
        let after = node.shared.rejections.last();
        node.shared.keep_rejection(session, "not this one".to_owned()).await.unwrap();
        let begun = node.group.approve(&seen, &examined, ApprovalBasis::by_operator(after)).await;
        let Err(ServiceError::Conflict(why)) = begun else { panic!("{begun:?}") };
        assert_eq!(why.to_string(), REJECTED);
        assert_eq!(node.kept(session).await, seen);
        assert!(!node.group.is_running(session));
        assert!(node.shared.rejections.of(session).is_some());

        let after = node.shared.rejections.last();
        node.group.approve(&seen, &examined, ApprovalBasis::by_operator(after)).await.unwrap();
        assert!(matches!(node.kept(session).await.state, RequestState::Approved(_)));
        assert!(node.group.is_running(session));
        assert_eq!(node.shared.rejections.of(session), None);
    }
}
