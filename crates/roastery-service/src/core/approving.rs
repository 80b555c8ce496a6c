//! How a request comes to be approved or refused here.

use std::{sync::Arc, time::Duration};

use roastery_node::{
    driver::ProposeError,
    store::{
        Change, Decider, Decision, Durability, Examination, KeptRequest, MAX_TEXT, Rejection,
        RequestState,
    },
};
use roastery_protocol::{
    Seat, SessionId,
    message::{Proposal, RefusalReason},
    request::{ApprovedRequest, SigningRequest, Subject},
};

use super::{
    ServiceError,
    group::{GroupService, Live, key_of},
    holdings::{Room, is_unshown},
    now,
    rejections::REJECTED,
    turns::Lane,
    views::state_of,
};
use crate::{
    config::Approval,
    limits::Limit,
    policy::{Answer, CommandError, Refusal, Standing, ask},
};

/// How long a command that gave no answer is left alone at first; each further time is twice as long.
const FIRST_COMMAND_PAUSE: Duration = Duration::from_secs(2);

/// How long at most.
const LONGEST_COMMAND_PAUSE: Duration = Duration::from_secs(300);

/// By what a request is approved.
#[derive(Clone, Debug)]
pub(super) enum Approving {
    /// The operator's decision, about the request as it was seen.
    Operator {
        /// The number of the last rejection when the operator asked for it: one after that stands.
        after: u64,
    },
    /// A decision that is made now without the operator, about the request as it was seen.
    Now(Decider),
    /// The decision of before a restart.
    Again(Decision),
}

/// Whether a request that was seen may be approved as it stands now.
fn may_approve(by: &Decider, seen: &KeptRequest, known: &KeptRequest) -> bool {
    known.revision == seen.revision
        && match known.state {
            RequestState::Proposed | RequestState::Approved(_) => true,
            RequestState::Refused(_) | RequestState::Stopped(_) => *by == Decider::Operator,
            RequestState::Signed(_) => false,
        }
}

/// Whether a request that was seen may be refused as it stands now. The operator's rejection stands whatever was decided
/// in between; what the command has approved it may take
/// back, where it was asked about the same.
fn may_refuse(by: &Decider, seen: &KeptRequest, known: &KeptRequest) -> bool {
    match (by, &known.state) {
        (_, RequestState::Signed(_)) => false,
        (Decider::Operator, _) => true,
        (Decider::Command { .. }, RequestState::Approved(decision)) => {
            matches!(decision.by, Decider::Command { .. }) && decision.revision == seen.revision
        }
        (Decider::Command { .. } | Decider::Rules, _) => known.revision == seen.revision,
    }
}

impl GroupService {
    /// Takes up what somebody proposes, if it is new, or shown better than before.
    pub(super) async fn take_up(
        self: &Arc<Self>,
        by: Seat,
        proposal: Proposal,
    ) -> Result<(), ServiceError> {
        let Proposal { request, subject } = proposal;
        let session = request.session_id();
        // Nothing is refused for that: another member may propose the same request and show what it is.
        if let Err(error) = subject.check(&request) {
            tracing::warn!(%session, seat = %by, %error, "a proposal that is not what it says");
            return Ok(());
        }
        let at = now();
        let Some((mut kept, new)) = self.hold(by, &request, &subject, at).await? else {
            return Ok(());
        };
        // Members propose what they have approved.
        self.progress.proposed(session, by);
        if !new {
            match self.shown_better(&kept, request, subject, by).await? {
                Some(better) => kept = better,
                None => {
                    // What waits goes on waiting, and counts for the member that proposed it.
                    if !matches!(kept.state, RequestState::Proposed) {
                        self.handle.decided(session).await;
                    }
                    return Ok(());
                }
            }
        }
        if let Some(text) = self.shared.rejections.of(session) {
            let by = Decider::Operator;
            return self.refuse(&kept, by, RefusalReason::Operator, text).await;
        }
        self.watch(&kept).await;
        self.shared.metrics.proposed(&self.name);
        let text = format!("{} proposes a {}", self.shown_as(by), kept.subject.kind());
        self.tell(session, "proposed", text);
        self.consider(kept);
        Ok(())
    }

    /// What a request is shown with first may be something else than it is, or bare hashes, about which nothing can be
    /// judged: then what the next member shows is looked at. A decision about what was shown before takes no effect then.
    async fn shown_better(
        self: &Arc<Self>,
        kept: &KeptRequest,
        request: SigningRequest,
        subject: Subject,
        by: Seat,
    ) -> Result<Option<KeptRequest>, ServiceError> {
        let open = match &kept.state {
            RequestState::Proposed => true,
            RequestState::Refused(rejection) => rejection.decision.by != Decider::Operator,
            RequestState::Approved(_) | RequestState::Signed(_) | RequestState::Stopped(_) => false,
        };
        let unshown = is_unshown(kept);
        if !open || (kept.subject == subject && !unshown) {
            return Ok(None);
        }
        if !unshown && !says_more(&subject, &kept.subject) {
            let shown = self.examine_in(Lane::Member(by), kept.clone()).await;
            if !shown.is_err_and(|refusal| refusal.is_about_what_is_shown()) {
                return Ok(None);
            }
        }
        let better = KeptRequest { subject: subject.clone(), ..kept.clone() };
        if self.examine_in(Lane::Member(by), better).await.is_err() {
            return Ok(None);
        }
        // What was decided since this was looked at stands.
        let (seen, at) = (kept.revision, now());
        self.shared
            .write(Durability::Deferred, move |change| {
                let taken = change.show_otherwise(&request, &subject, by, seen, at)?;
                if taken { change.request(request.session_id()) } else { Ok(None) }
            })
            .await
            .inspect(|shown| shown.iter().for_each(|shown| self.holdings.note(shown)))
    }

    /// Keeps what a member proposes, if it is new, in place of the oldest of that member's that the
    /// rules have refused if there is no other room: the request as it is kept now, and whether it is
    /// new. With no room the member is told, and may propose it again.
    async fn hold(
        &self,
        by: Seat,
        request: &SigningRequest,
        subject: &Subject,
        at: u64,
    ) -> Result<Option<(KeptRequest, bool)>, ServiceError> {
        let session = request.session_id();
        let new = KeptRequest::proposed(request.clone(), subject.clone(), Some(by), at);
        let room = self.holdings.room_for(by, new.size());
        let (adding, holdings) = (new.request, self.holdings.clone());
        let (showing, has_room) = (new.subject, room != Room::None);
        let kept = self
            .shared
            .write(Durability::Deferred, move |change| {
                if let Some(known) = change.request(session)? {
                    return Ok(Some((known, false, 0)));
                }
                let Room::Without(forgotten) = room else { return Ok(None) };
                for session in &forgotten {
                    change.forget_unapproved(*session)?;
                }
                change.add_request(&adding, &showing, Some(by), at)?;
                // The writer makes changes one after the other: it is counted in their order.
                holdings.forgotten(&forgotten);
                let kept = change.request(session)?;
                kept.iter().for_each(|kept| holdings.note(kept));
                Ok(kept.map(|kept| (kept, true, forgotten.len())))
            })
            .await?;
        if !has_room || matches!(kept, Some((_, _, 1..))) {
            self.shared.limits.hit(Limit::RequestsHeld, &format!("{}, seat {by}", self.name));
        }
        if kept.is_none() {
            self.handle.refuse(request, RefusalReason::TooMany).await;
            self.handle.not_taken(session).await;
        }
        Ok(kept.map(|(kept, new, _)| (kept, new)))
    }

    /// Judges a request that nobody here has approved, and asks whoever is to approve it.
    pub(super) fn consider(self: &Arc<Self>, kept: KeptRequest) {
        let this = self.clone();
        let part = format!("the judging of a request of group {}", self.name);
        self.shared.finite(part, async move {
            let session = kept.request.session_id();
            let manual = this.approval() == Approval::Manual;
            let left = this.left_to_operator(&kept.request).filter(|_| !manual);
            let done = match (this.approval(), left) {
                // Only the operator undoes the operator's rejection.
                (_, Some(text)) => this.wait_for_operator(&kept, text).await,
                (Approval::Automatic, None) => this.begin_or_refuse(&kept, Decider::Rules).await,
                (Approval::Command, None) => this.ask_command(kept).await,
                (Approval::Manual, None) => {
                    let text = "waits to be approved here".to_owned();
                    this.wait_for_operator(&kept, text).await
                }
            };
            if let Err(error) = done {
                tracing::warn!(group = this.name, %session, %error, "not approved");
            }
        });
    }

    /// A request that the rules allow waits for the operator.
    async fn wait_for_operator(
        &self,
        kept: &KeptRequest,
        text: String,
    ) -> Result<(), ServiceError> {
        match self.judge(kept).await {
            Ok(()) => {
                self.tell(kept.request.session_id(), "pending", text);
                Ok(())
            }
            Err(refusal) => self.refuse_by_rules(kept, &refusal).await,
        }
    }

    /// Approves a request without the operator. Where that is not possible it is refused by name: nothing waits for
    /// ever for a decision that is not made again.
    async fn begin_or_refuse(
        self: &Arc<Self>,
        kept: &KeptRequest,
        by: Decider,
    ) -> Result<(), ServiceError> {
        match self.begin(kept, Approving::Now(by)).await {
            Err(ServiceError::Refused(refusal)) => self.refuse_by_rules(kept, &refusal).await,
            Err(ServiceError::NoRoom(text)) => {
                self.refuse(kept, Decider::Rules, RefusalReason::Busy, text).await
            }
            done => done,
        }
    }

    pub(super) async fn refuse_by_rules(
        &self,
        kept: &KeptRequest,
        refusal: &Refusal,
    ) -> Result<(), ServiceError> {
        self.refuse(kept, Decider::Rules, refusal.reason(), refusal.to_string()).await?;
        if kept.proposer.is_none() || !refusal.is_about_what_is_shown() {
            return Ok(());
        }
        // It takes up to 255 kB, and is of no use: whoever shows it better shows all of it.
        let (session, shown) = (kept.request.session_id(), kept.subject.clone());
        let hidden = self
            .shared
            .write(Durability::Deferred, move |change| change.hide_subject(session, &shown))
            .await?;
        hidden.iter().for_each(|hidden| self.holdings.note(hidden));
        Ok(())
    }

    /// Approves a request as it was seen, and takes part in signing it. One that is being signed already goes on.
    pub(super) async fn begin(
        self: &Arc<Self>,
        seen: &KeptRequest,
        approving: Approving,
    ) -> Result<(), ServiceError> {
        let request = seen.request.clone();
        let session = request.session_id();
        let refused = ServiceError::Refused;
        // This may take long, and the request may be rejected or shown otherwise meanwhile: that is found out below.
        let operator = match &approving {
            Approving::Operator { .. } => true,
            Approving::Now(_) => false,
            Approving::Again(decision) => decision.by == Decider::Operator,
        };
        let examined = match approving {
            Approving::Operator { .. } => self.examine_in(Lane::Operator, seen.clone()).await,
            _ => self.examine(seen.clone()).await,
        };
        let examined = examined.map_err(refused)?;
        let deciding = self.deciding(session).lock().await;
        if self.is_running(session) {
            return Ok(());
        }
        self.judge.allow(&examined).map_err(refused)?;
        let spending = examined.spending().clone();
        let reservation = self.reserve(session, spending.clone()).map_err(refused)?;
        let standing = Arc::new(Standing::new(session));
        if self.approval() == Approval::Command && !operator {
            standing.renew(self.judge.config().command_validity());
        }
        let approved = ApprovedRequest::obtain(
            request.clone(),
            &self.group,
            standing.clone(),
            self.handle.now(),
        )?;
        let about = examined.about();
        if !operator && let Some(text) = self.left_to_operator(&request) {
            return Err(ServiceError::Conflict(text));
        }
        // Up to which rejection this undoes what was rejected.
        let undone = match approving {
            Approving::Operator { after } => after,
            Approving::Now(_) | Approving::Again(_) => 0,
        };
        if self.shared.rejections.is_later(session, undone) {
            return Err(ServiceError::Conflict(REJECTED.to_owned()));
        }
        let revision = seen.revision;
        let decision = match approving {
            Approving::Operator { .. } => {
                Decision { by: Decider::Operator, about, revision, at: now() }
            }
            Approving::Now(by) => Decision { by, about, revision, at: now() },
            Approving::Again(decision) if decision.about == about => decision,
            Approving::Again(_) => {
                let reason = "what was approved before the restart is not what is found now";
                return Err(ServiceError::Conflict(reason.to_owned()));
            }
        };
        self.take_effect(seen, &decision).await?;
        if undone > 0
            // What a rejection left behind must not undo a later approval at the next start.
            && let Err(error) = self.shared.forget_rejection(session, undone).await
        {
            self.take_back(seen, decision).await?;
            return Err(error);
        }
        if operator {
            self.shared.rejected.forget(key_of(&self.group), &request);
        }
        self.coins.approved(session, &spending.coins);
        self.journal.expect(session, &request, &decision, spending);
        let life = Duration::from_secs(request.expiry().saturating_sub(now()));
        let opened = match self.handle.sign(approved, life).await {
            Ok(opened) => opened,
            Err(error) => {
                self.take_back(seen, decision).await?;
                return Err(error.into());
            }
        };
        let watcher = opened.watcher();
        let standing_of = standing.clone();
        let live = Live { watcher, standing: standing_of, revision, _reservation: reservation };
        self.begun(session, live);
        let part = format!("a session of group {}", self.name);
        let follow = self.clone().follow(opened, decision, standing);
        self.shared.finite(part, follow);
        drop(deciding);
        self.tell(session, "approved", "approved here".to_owned());
        // Whoever proposed it may go; this node tells those who come late.
        let proposal = Proposal { request, subject: seen.subject.clone() };
        if let Err(ProposeError::TooMany { .. }) = self.handle.propose(proposal).await {
            self.shared.limits.hit(Limit::ProposalsOffered, &self.name);
        }
        Ok(())
    }

    /// Writes an approval down, if the request is still as it was seen. One of before a restart stands there.
    async fn take_effect(
        &self,
        seen: &KeptRequest,
        decision: &Decision,
    ) -> Result<(), ServiceError> {
        let (before, deciding) = (seen.clone(), decision.clone());
        let change = self
            .change(seen.request.session_id(), Durability::Deferred, move |known| {
                let stands = known.state == RequestState::Approved(deciding.clone());
                let may = !stands && may_approve(&deciding.by, &before, known);
                may.then_some(RequestState::Approved(deciding))
            })
            .await?;
        match change {
            Change::Made(_) => Ok(()),
            Change::Left(known) if known.state == RequestState::Approved(decision.clone()) => {
                Ok(())
            }
            Change::Left(known) => Err(overtaken(&known)),
        }
    }

    /// Writes down that an approval came to nothing.
    async fn take_back(&self, seen: &KeptRequest, decision: Decision) -> Result<(), ServiceError> {
        let before = seen.state.clone();
        let change = self.change(seen.request.session_id(), Durability::Deferred, move |known| {
            (known.state == RequestState::Approved(decision)).then_some(before)
        });
        change.await.map(drop)
    }

    /// A request that was made here was not begun: it does not wait for a decision that is not to come. The operator may
    /// approve it.
    pub(super) async fn give_up(&self, kept: &KeptRequest, why: &ServiceError) {
        let session = kept.request.session_id();
        let stopped = RequestState::Stopped(cut(why.to_string()));
        let change = self.change(session, Durability::Deferred, |known| {
            (known.state == RequestState::Proposed).then_some(stopped)
        });
        if let Err(error) = change.await {
            tracing::error!(%session, %error, "could not be written down");
        }
    }

    /// Refuses a request, for all to hear; one that is being signed is stopped here.
    pub(super) async fn refuse(
        &self,
        seen: &KeptRequest,
        by: Decider,
        reason: RefusalReason,
        text: String,
    ) -> Result<(), ServiceError> {
        let request = &seen.request;
        let session = request.session_id();
        let operator = by == Decider::Operator;
        // From here on no share leaves, whatever else is under way. The command takes back what it
        // was asked about only.
        if by != Decider::Rules
            && let Some(live) = self.live(session)
            && (operator || live.revision == seen.revision)
        {
            live.standing.withdraw(reason);
        }
        let deciding = self.deciding(session).lock().await;
        let (before, text) = (seen.clone(), self.shortened(text));
        let shown = text.clone();
        let recorded = if operator {
            self.note_rejected(request);
            Some(self.shared.keep_rejection(session, text.clone()).await?)
        } else {
            None
        };
        let change = self
            .change(session, Durability::Synced, move |known| {
                let about = Examination::new(&known.request, &known.subject, b"");
                let may = may_refuse(&by, &before, known);
                let decision = Decision { by, about, revision: known.revision, at: now() };
                may.then_some(RequestState::Refused(Rejection { decision, reason, text }))
            })
            .await;
        let change = match (change, recorded) {
            (Ok(change), None) => change,
            (Ok(change), Some(_)) => {
                let number = self.shared.rejections.last();
                self.shared.forget_rejection(session, number).await?;
                change
            }
            (Err(ServiceError::Store(error)), Some(recorded)) => {
                self.handle.refuse(request, reason).await;
                return Err(ServiceError::Unrecorded { recorded, error });
            }
            (Err(error), _) => return Err(error),
        };
        if let Change::Left(known) = change {
            return if operator { Err(overtaken(&known)) } else { Ok(()) };
        }
        if let Some(live) = self.live(session) {
            live.standing.withdraw(reason);
        }
        self.handle.refuse(request, reason).await;
        self.handle.watch(request.clone()).await;
        drop(deciding);
        self.tell(session, "rejected", shown);
        Ok(())
    }

    /// A share of this request was not let go: a limit would have been exceeded. The request is refused by name.
    pub(super) async fn over_limit(
        &self,
        session: SessionId,
        decision: Decision,
        refusal: Refusal,
    ) -> Result<(), ServiceError> {
        let deciding = self.deciding(session).lock().await;
        if let Some(live) = self.live(session) {
            live.standing.withdraw(refusal.reason());
        }
        let (reason, text) = (refusal.reason(), self.shortened(refusal.to_string()));
        let shown = text.clone();
        let change = self
            .change(session, Durability::Synced, move |known| {
                // The session may have been written down as stopped before.
                let may = match &known.state {
                    RequestState::Approved(known) => *known == decision,
                    RequestState::Stopped(_) => true,
                    _ => false,
                };
                let by = Decider::Rules;
                let decision = Decision { by, revision: known.revision, at: now(), ..decision };
                may.then_some(RequestState::Refused(Rejection { decision, reason, text }))
            })
            .await?;
        if let Change::Made(kept) = change {
            self.handle.refuse(&kept.request, reason).await;
            self.handle.watch(kept.request).await;
            drop(deciding);
            self.tell(session, "rejected", shown);
        }
        Ok(())
    }

    /// Changes the state of a request as this decides about the state that is found, and wakes those
    /// who wait for it. A decision without which no share leaves may be deferred: the audit entry of
    /// the share takes it to the disk.
    pub(super) async fn change(
        &self,
        session: SessionId,
        durability: Durability,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState> + Send + 'static,
    ) -> Result<Change, ServiceError> {
        let (at, holdings) = (now(), self.holdings.clone());
        let changed = self
            .shared
            .write(durability, move |change| {
                let changed = change.change_request(session, at, decide);
                if let Ok(Change::Made(kept)) = &changed {
                    holdings.note(kept);
                }
                changed
            })
            .await;
        self.shared.waiters.wake(session);
        changed
    }

    async fn ask_command(self: &Arc<Self>, kept: KeptRequest) -> Result<(), ServiceError> {
        let config = self.judge.config();
        let session = kept.request.session_id();
        if let Err(refusal) = self.judge(&kept).await {
            return self.refuse_by_rules(&kept, &refusal).await;
        }
        let question = serde_json::to_vec(&self.view_whole(&kept, Lane::Command).await)
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        let folder = self.shared.folder.path();
        let mut unanswered = FIRST_COMMAND_PAUSE;
        while kept.request.expiry() > now() && self.is_asked_about(&kept).await? {
            let turn = match self.asking.try_acquire() {
                Ok(turn) => turn,
                Err(_) => {
                    self.shared.limits.hit(Limit::Commands, &self.name);
                    let Ok(turn) = self.asking.acquire().await else { return Ok(()) };
                    turn
                }
            };
            let answer = ask(&config.command, folder, &question, config.command_timeout()).await;
            drop(turn);
            let Answer { outcome, errors, cut: output_is_cut } = answer;
            if output_is_cut {
                self.shared.limits.hit(Limit::CommandOutput, &self.name);
            }
            if !errors.is_empty() {
                tracing::warn!(group = self.name, %session, errors, "the command complains");
            }
            // It may have taken long: an answer about something else than what is there counts for nothing.
            if !self.is_asked_about(&kept).await? {
                return Ok(());
            }
            let pause = match (outcome, self.live(session)) {
                (Ok(said), None) => {
                    self.command_answered();
                    let by = Decider::Command { said: self.shortened(said) };
                    self.begin_or_refuse(&kept, by).await?;
                    config.command_validity() / 2
                }
                // What is being signed was shown otherwise, and another answer is awaited about it.
                (Ok(_), Some(live)) if live.revision != kept.revision => return Ok(()),
                (Ok(_), Some(live)) => {
                    self.command_answered();
                    live.standing.renew(config.command_validity());
                    config.command_validity() / 2
                }
                (Err(error @ CommandError::Refused(_)), _) => {
                    self.command_answered();
                    let by = Decider::Command { said: String::new() };
                    return self.refuse(&kept, by, RefusalReason::Policy, error.to_string()).await;
                }
                (Err(error), _) => {
                    tracing::error!(group = self.name, %session, %error, "the command gave no answer");
                    self.command_failed(&error, &errors);
                    let pause = unanswered;
                    unanswered = (unanswered * 2).min(LONGEST_COMMAND_PAUSE);
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Whether the command's answer about a request as it was shown still matters.
    async fn is_asked_about(&self, asked: &KeptRequest) -> Result<bool, ServiceError> {
        let session = asked.request.session_id();
        let known = self.shared.store(move |store| store.request(session)).await?;
        Ok(known.is_some_and(|known| is_about(asked, &known)))
    }
}

/// Whether the command was asked about a request as it is now: it waits as it was shown, or is
/// approved by what the command has said of that.
fn is_about(asked: &KeptRequest, known: &KeptRequest) -> bool {
    known.subject == asked.subject
        && match &known.state {
            RequestState::Proposed => known.revision == asked.revision,
            RequestState::Approved(decision) => decision.revision == asked.revision,
            RequestState::Refused(_) | RequestState::Stopped(_) | RequestState::Signed(_) => false,
        }
}

/// Whether what is shown now can be judged, and what was shown before could not.
fn says_more(new: &Subject, old: &Subject) -> bool {
    match old {
        Subject::Hash => matches!(new, Subject::Text(_) | Subject::Transaction(_)),
        Subject::Text(_) | Subject::Transaction(_) => false,
    }
}

/// Says what the request is now: the decision that was under way has no effect.
pub(super) fn overtaken(known: &KeptRequest) -> ServiceError {
    let (state, text) = state_of(&known.state);
    let text = if text.is_empty() { String::new() } else { format!(" ({text})") };
    let reason = format!(
        "the request has changed since it was looked at, and is {state} now{text}: look at it again"
    );
    ServiceError::Conflict(reason)
}

impl GroupService {
    /// What fits into the store. What does not is reported.
    fn shortened(&self, text: String) -> String {
        if text.len() > MAX_TEXT {
            self.shared.limits.hit(Limit::StoredText, &self.name);
        }
        cut(text)
    }
}

fn cut(mut text: String) -> String {
    let mut end = MAX_TEXT.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{
        BodyHash, GroupId,
        request::{Derivation, MessageToSign},
        session::Outcome,
    };

    use super::*;

    fn request() -> KeptRequest {
        let derivation = Derivation::key_path_only();
        let messages = vec![MessageToSign { message: [1; 32], derivation }];
        let group = GroupId::from_bytes([2; 32]);
        let request = SigningRequest::new(group, [1; 32], 9, messages).unwrap();
        KeptRequest::proposed(request, Subject::Hash, None, 7)
    }

    fn command() -> Decider {
        Decider::Command { said: "yes".to_owned() }
    }

    fn decision(by: Decider) -> Decision {
        let seen = request();
        let about = Examination::new(&seen.request, &seen.subject, b"");
        Decision { by, about, revision: 0, at: 8 }
    }

    /// All states that a request can come to.
    fn states() -> [RequestState; 6] {
        let text = String::new();
        let (decision, reason) = (decision(Decider::Operator), RefusalReason::Operator);
        let signatures = Vec::new();
        let package = BodyHash::from_bytes([0; 32]);
        [
            RequestState::Proposed,
            RequestState::Approved(decision.clone()),
            RequestState::Approved(self::decision(command())),
            RequestState::Refused(Rejection { decision, reason, text: text.clone() }),
            RequestState::Stopped(text),
            RequestState::Signed(Outcome { signatures, package, origin: None }),
        ]
    }

    #[test]
    fn an_approval_is_about_the_revision_that_was_seen_and_no_other() {
        let seen = request();
        for state in states() {
            let known = KeptRequest { state, revision: 1, ..seen.clone() };
            for by in [Decider::Operator, Decider::Rules, command()] {
                assert!(!may_approve(&by, &seen, &known), "{by:?} {known:?}");
            }
        }
    }

    #[test]
    fn only_the_operator_approves_what_was_refused_and_nothing_approves_what_is_signed() {
        let may = |by: &Decider| {
            states().map(|state| {
                let seen = KeptRequest { state, ..request() };
                may_approve(by, &seen, &seen)
            })
        };
        assert_eq!(may(&Decider::Operator), [true, true, true, true, true, false]);
        assert_eq!(may(&Decider::Rules), [true, true, true, false, false, false]);
        assert_eq!(may(&command()), [true, true, true, false, false, false]);
    }

    #[test]
    fn an_answer_about_another_subject_or_revision_counts_for_nothing() {
        let asked = KeptRequest { revision: 3, ..request() };
        let about =
            |revision, state| is_about(&asked, &KeptRequest { revision, state, ..asked.clone() });
        let approved =
            |revision| RequestState::Approved(Decision { revision, ..decision(command()) });
        assert!(about(3, RequestState::Proposed));
        assert!(about(4, approved(3)));
        // It was shown otherwise, and approved as it is now.
        assert!(!about(4, RequestState::Proposed));
        assert!(!about(5, approved(4)));
        let other = Subject::Text("pay".to_owned());
        let other = KeptRequest { subject: other, ..asked.clone() };
        assert!(!is_about(&asked, &other));
        for state in states().into_iter().skip(3) {
            assert!(!about(3, state));
        }
        // Nor does it take back what was approved as it is now.
        let known = KeptRequest { revision: 5, state: approved(4), ..asked.clone() };
        assert!(!may_refuse(&command(), &asked, &known));
    }

    #[test]
    fn bare_hashes_hide_neither_a_text_nor_a_transaction_that_is_shown_later() {
        let (text, transaction) = (Subject::Text("pay".to_owned()), Subject::Transaction(vec![1]));
        for new in [&text, &transaction] {
            assert!(says_more(new, &Subject::Hash));
            assert!(!says_more(&Subject::Hash, new));
            assert!(!says_more(new, &text) && !says_more(new, &transaction));
        }
        assert!(!says_more(&Subject::Hash, &Subject::Hash));
    }

    #[test]
    fn the_operators_rejection_stands_whatever_was_decided_since_the_request_was_seen() {
        let seen = request();
        let may = |by: &Decider| {
            states().map(|state| {
                may_refuse(by, &seen, &KeptRequest { state, revision: 1, ..seen.clone() })
            })
        };
        assert_eq!(may(&Decider::Operator), [true, true, true, true, true, false]);
        // The command takes back what it has approved, and the rules nothing.
        assert_eq!(may(&command()), [false, false, true, false, false, false]);
        assert_eq!(may(&Decider::Rules), [false; 6]);
    }

    #[test]
    fn what_is_too_long_for_the_store_is_cut_between_two_characters() {
        assert_eq!(cut("as it is".to_owned()), "as it is");
        let long = cut("\u{20ac}".repeat(MAX_TEXT));
        assert_eq!(long.len(), MAX_TEXT - MAX_TEXT % 3);
        assert!(long.chars().all(|c| c == '\u{20ac}'));
    }
}
