//! The approval command: asked about a request until it is decided.

use std::{sync::Arc, time::Duration};

use roastery_protocol::request::RefusalReason;
use roastery_store::{Decider, KeptRequest, RequestState};

use crate::{
    limits::Limit,
    policy::{Answer, CommandError, Examined, ask},
    service::{
        ServiceError,
        group::{service::GroupService, turns::Lane},
        now,
    },
    view,
};

/// The pause after a command gave no answer, at first; each further one is twice as long.
const FIRST_COMMAND_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST_COMMAND_PAUSE: Duration = Duration::from_secs(300);

impl GroupService {
    pub(in crate::service) async fn ask_command(
        self: &Arc<Self>,
        kept: KeptRequest,
        examined: Examined,
    ) -> Result<(), ServiceError> {
        let config = self.policy.config();
        let session = kept.request.session_id();
        let known = self.known_whole(kept.clone(), Lane::Command, Some(&examined)).await;
        // The wire format of the command: its standard input is the request as the JSON that a
        // client of the API gets.
        let question = serde_json::to_vec(&view::Request::from(known))
            .map_err(|error| ServiceError::Internal(error.into()))?;
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
            // It may have taken long: an answer about an earlier state of the request does not
            // count.
            if !self.is_asked_about(&kept).await? {
                return Ok(());
            }
            let pause = match (outcome, self.open_session(session)) {
                (Ok(said), None) => {
                    self.command_answered();
                    let by = Decider::Command { said: self.shortened(said) };
                    self.approve_or_refuse(&kept, &examined, by).await?;
                    config.command_validity() / 2
                }
                // The subject of an open request was replaced, and another answer is waited for.
                (Ok(_), Some(open)) if open.revision != kept.revision => return Ok(()),
                (Ok(_), Some(open)) => {
                    self.command_answered();
                    open.approval.renew(config.command_validity());
                    config.command_validity() / 2
                }
                (Err(error @ CommandError::Refused(_)), _) => {
                    self.command_answered();
                    let by = Decider::Command { said: String::new() };
                    return self
                        .refuse(&kept, by, RefusalReason::Policy, error.to_string(), None)
                        .await;
                }
                (Err(error), _) => {
                    tracing::error!(group = self.name, %session, %error, "the command gave no answer");
                    self.command_failed(&error, &errors);
                    // It waits for a person: the command has to be mended.
                    self.tell_waiting(session).await;
                    let pause = unanswered;
                    unanswered = (unanswered * 2).min(LONGEST_COMMAND_PAUSE);
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Whether the command's answer about this state of the request still matters.
    async fn is_asked_about(&self, asked: &KeptRequest) -> Result<bool, ServiceError> {
        let session = asked.request.session_id();
        let known = self.shared.store(move |store| store.request(session)).await?;
        Ok(known.is_some_and(|known| is_about(asked, &known)))
    }
}

/// Whether the command was asked about the current state of a request: it waits with the same
/// subject, or is approved by the command's answer about it.
fn is_about(asked: &KeptRequest, known: &KeptRequest) -> bool {
    known.subject == asked.subject
        && match &known.state {
            RequestState::Proposed => known.revision == asked.revision,
            RequestState::Approved(decision) => decision.revision == asked.revision,
            RequestState::Refused(_) | RequestState::Stopped(_) | RequestState::Signed(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::decisions::decision::{
        may_refuse,
        tests::{command, decision, request, states},
    };
    use roastery_protocol::request::Subject;
    use roastery_store::Decision;

    #[test]
    fn an_answer_about_another_subject_or_revision_counts_for_nothing() {
        let asked = KeptRequest { revision: 3, ..request() };
        let about =
            |revision, state| is_about(&asked, &KeptRequest { revision, state, ..asked.clone() });
        let approved =
            |revision| RequestState::Approved(Decision { revision, ..decision(command()) });
        assert!(about(3, RequestState::Proposed));
        assert!(about(4, approved(3)));
        // Its subject was replaced, and it was approved in its present state.
        assert!(!about(4, RequestState::Proposed));
        assert!(!about(5, approved(4)));
        let other = Subject::Text("pay".to_owned());
        let other = KeptRequest { subject: other, ..asked.clone() };
        assert!(!is_about(&asked, &other));
        for state in states().into_iter().skip(3) {
            assert!(!about(3, state));
        }
        // Nor does it withdraw an approval of the present state.
        let known = KeptRequest { revision: 5, state: approved(4), ..asked.clone() };
        assert!(!may_refuse(&command(), &asked, &known));
    }
}
