//! How a request comes to be approved or refused here.

use std::{sync::Arc, time::Duration};

use roastery_node::store::{KeptRequest, MAX_TEXT, RequestState};
use roastery_protocol::{
    Seat, SessionId,
    message::{Proposal, RefusalReason},
    request::{ApprovedRequest, SigningRequest, Subject},
};

use super::{
    ServiceError,
    group::{GroupService, Live},
    now,
};
use crate::{
    config::Approval,
    policy::{CommandError, Standing, ask},
};

/// How long a command that could not answer is left alone.
const COMMAND_PAUSE: Duration = Duration::from_secs(30);

/// What stands in the store and in the log where the operator approved.
pub(super) const ASKED_FOR: &str = "asked for by this node's operator";
pub(super) const APPROVED: &str = "approved by this node's operator";

/// Whether these are words of the operator's.
pub(super) fn said_by_operator(said: &str) -> bool {
    [ASKED_FOR, APPROVED].contains(&said)
}

/// Who approves or refuses. What may be changed by it depends on that: nobody but the operator changes what the operator has
/// decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The rules alone.
    Rules,
    /// The command.
    Command,
    /// The operator, now.
    Operator,
    /// Whoever did before a restart.
    Again,
}

impl By {
    fn may_change(self, state: &RequestState) -> bool {
        match state {
            RequestState::Signed(_) => false,
            RequestState::Proposed => self != By::Again,
            RequestState::Approved(_) => self != By::Rules,
            RequestState::Refused(..) | RequestState::Stopped(_) => self == By::Operator,
        }
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
        let (adding, showing) = (request.clone(), subject.clone());
        let (kept, new) = self
            .shared
            .store(move |store| {
                let new = store.add_request(&adding, &showing, Some(by), at)?;
                Ok((store.request(adding.session_id())?, new))
            })
            .await?;
        let Some(mut kept) = kept else { return Ok(()) };
        if !new {
            match self.shown_better(&kept, request, subject, by).await? {
                Some(better) => kept = better,
                None => return Ok(()),
            }
        }
        self.shared.metrics.proposed(&self.name);
        let text = format!("seat {by} proposes a {}", kept.subject.kind());
        self.tell(session, "proposed", text);
        self.consider(kept);
        Ok(())
    }

    /// Whoever shows first what a request is about may show something else than it is: then the next one is looked at.
    async fn shown_better(
        self: &Arc<Self>,
        kept: &KeptRequest,
        request: SigningRequest,
        subject: Subject,
        by: Seat,
    ) -> Result<Option<KeptRequest>, ServiceError> {
        let open = match &kept.state {
            RequestState::Proposed => true,
            RequestState::Refused(reason, _) => *reason != RefusalReason::Operator,
            RequestState::Approved(_) | RequestState::Signed(_) | RequestState::Stopped(_) => false,
        };
        if !open || kept.subject == subject {
            return Ok(None);
        }
        let shown = self.examine(kept.clone()).await;
        if !shown.is_err_and(|refusal| refusal.is_about_what_is_shown()) {
            return Ok(None);
        }
        let better = KeptRequest { subject: subject.clone(), ..kept.clone() };
        if self.examine(better).await.is_err() {
            return Ok(None);
        }
        let at = now();
        self.shared
            .store(move |store| {
                let taken = store.show_otherwise(&request, &subject, by, at)?;
                if taken { store.request(request.session_id()) } else { Ok(None) }
            })
            .await
    }

    /// Judges a request that nobody here has approved, and asks whoever is to approve it.
    pub(super) fn consider(self: &Arc<Self>, kept: KeptRequest) {
        let this = self.clone();
        let part = format!("the judging of a request of group {}", self.name);
        self.shared.finite(part, async move {
            let session = kept.request.session_id();
            let refusal = this.judge(&kept).await.err();
            let done = match (refusal, this.approval()) {
                (Some(refusal), _) => {
                    this.refuse(&kept, By::Rules, refusal.reason(), refusal.to_string()).await
                }
                (None, Approval::Automatic) => {
                    this.begin(&kept, By::Rules, "the rules allow it".to_owned()).await
                }
                (None, Approval::Command) => this.ask_command(kept).await,
                (None, Approval::Manual) => {
                    this.tell(session, "pending", "waits to be approved here".to_owned());
                    Ok(())
                }
            };
            if let Err(error) = done {
                tracing::warn!(group = this.name, %session, %error, "not approved");
            }
        });
    }

    /// Approves a request in these words, and takes part in signing it. One that is being signed already goes on.
    pub(super) async fn begin(
        self: &Arc<Self>,
        kept: &KeptRequest,
        by: By,
        said: String,
    ) -> Result<(), ServiceError> {
        let request = kept.request.clone();
        let session = request.session_id();
        let examined = self.examine(kept.clone()).await.map_err(ServiceError::Refused)?;
        let mut history = self.history.lock().await;
        if self.is_running(session) {
            return Ok(());
        }
        // It may have been rejected, or shown otherwise, while it was looked at.
        let before = self.still(kept, by).await?;
        let allowed = self.judge.allow(&examined, &history, now());
        let amount = allowed.map_err(ServiceError::Refused)?;
        let said = cut(said);
        let standing = Arc::new(Standing::new(session, said.clone()));
        if self.approval() == Approval::Command {
            standing.renew(self.judge.config().command_validity());
        }
        let approved = ApprovedRequest::obtain(
            request.clone(),
            &self.group,
            standing.clone(),
            self.handle.now(),
        )?;
        let messages = request.messages().iter().map(|entry| entry.message).collect();
        self.set(&request, RequestState::Approved(said.clone())).await?;
        // From here on it counts, whatever comes of it.
        history.note(session, now(), amount);
        self.journal.expect(session, messages, said);
        let life = Duration::from_secs(request.expiry().saturating_sub(now()));
        let opened = match self.handle.sign(approved, life).await {
            Ok(opened) => opened,
            Err(error) => {
                self.set(&request, before).await?;
                return Err(error.into());
            }
        };
        self.begun(session, Live { watcher: opened.watcher(), standing: standing.clone() });
        let part = format!("a session of group {}", self.name);
        self.shared.finite(part, self.clone().follow(opened, request.clone(), standing));
        drop(history);
        self.tell(session, "approved", "approved here".to_owned());
        // Whoever proposed it may go; this node tells those who come late.
        let proposal = Proposal { request, subject: kept.subject.clone() };
        let _ = self.handle.propose(proposal).await;
        Ok(())
    }

    /// Refuses a request, for all to hear; one that is being signed is stopped here.
    pub(super) async fn refuse(
        self: &Arc<Self>,
        kept: &KeptRequest,
        by: By,
        reason: RefusalReason,
        text: String,
    ) -> Result<(), ServiceError> {
        let request = &kept.request;
        let session = request.session_id();
        let deciding = self.history.lock().await;
        // What was decided otherwise meanwhile stays so.
        if let Err(error) = self.still(kept, by).await {
            return if by == By::Operator { Err(error) } else { Ok(()) };
        }
        if let Some(live) = self.live(session) {
            live.standing.withdraw(reason);
        }
        self.handle.refuse(request, reason).await;
        let text = cut(text);
        self.set(request, RequestState::Refused(reason, text.clone())).await?;
        drop(deciding);
        self.tell(session, "rejected", text);
        Ok(())
    }

    /// The state of a request, if it may still be changed and is what was looked at.
    async fn still(&self, kept: &KeptRequest, by: By) -> Result<RequestState, ServiceError> {
        let session = kept.request.session_id();
        let known = self.shared.store(move |store| store.request(session)).await?;
        match known {
            Some(known) if known.subject == kept.subject && by.may_change(&known.state) => {
                Ok(known.state)
            }
            _ => Err(ServiceError::Conflict("it was decided otherwise meanwhile".to_owned())),
        }
    }

    async fn set(&self, request: &SigningRequest, state: RequestState) -> Result<(), ServiceError> {
        let (request, at) = (request.clone(), now());
        self.shared.store(move |store| store.set_request(&request, &state, at)).await
    }

    async fn ask_command(self: &Arc<Self>, kept: KeptRequest) -> Result<(), ServiceError> {
        let config = self.judge.config();
        let session = kept.request.session_id();
        let question = serde_json::to_vec(&self.view_whole(&kept).await)
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        let folder = self.shared.folder.path();
        while kept.request.expiry() > now() && !self.is_decided(session).await? {
            let Ok(turn) = self.asking.acquire().await else { return Ok(()) };
            let answer = ask(&config.command, folder, &question, config.command_timeout()).await;
            drop(turn);
            let pause = match (answer, self.live(session)) {
                (Ok(line), None) => {
                    let said = format!("the command allows it: {line}");
                    self.begin(&kept, By::Command, said).await?;
                    config.command_validity() / 2
                }
                (Ok(_), Some(live)) => {
                    live.standing.renew(config.command_validity());
                    config.command_validity() / 2
                }
                (Err(error @ CommandError::Refused(_)), _) => {
                    let (by, reason) = (By::Command, RefusalReason::Policy);
                    return self.refuse(&kept, by, reason, error.to_string()).await;
                }
                (Err(error), _) => {
                    tracing::error!(%session, %error, "the command gave no answer");
                    COMMAND_PAUSE
                }
            };
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Whether there is nothing more to be asked about a request.
    async fn is_decided(&self, session: SessionId) -> Result<bool, ServiceError> {
        let kept = self.shared.store(move |store| store.request(session)).await?;
        Ok(kept.is_none_or(|kept| {
            !matches!(kept.state, RequestState::Proposed | RequestState::Approved(_))
        }))
    }
}

/// What fits into the store.
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
    use super::*;

    #[test]
    fn nobody_but_the_operator_undoes_what_was_refused_and_nobody_what_is_signed() {
        let refused = RequestState::Refused(RefusalReason::Operator, String::new());
        let stopped = RequestState::Stopped(String::new());
        let approved = RequestState::Approved(String::new());
        let may = |state: &RequestState| {
            [By::Rules, By::Command, By::Operator, By::Again].map(|by| by.may_change(state))
        };
        assert_eq!(may(&RequestState::Proposed), [true, true, true, false]);
        assert_eq!(may(&approved), [false, true, true, true]);
        assert_eq!(may(&refused), [false, false, true, false]);
        assert_eq!(may(&stopped), [false, false, true, false]);
    }

    #[test]
    fn what_is_too_long_for_the_store_is_cut_between_two_characters() {
        assert_eq!(cut("as it is".to_owned()), "as it is");
        let long = cut("\u{20ac}".repeat(MAX_TEXT));
        assert_eq!(long.len(), MAX_TEXT - MAX_TEXT % 3);
        assert!(long.chars().all(|c| c == '\u{20ac}'));
    }
}
