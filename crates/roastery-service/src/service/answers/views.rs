//! The API's views of groups and requests.

use std::sync::Arc;

use bitcoin::{
    base64::{Engine as _, prelude::BASE64_STANDARD},
    hex::DisplayHex as _,
};
use roastery_bitcoin::spend::Report;
use roastery_protocol::{
    Seat,
    member::machine,
    request::{Derivation, Subject, Taproot},
};
use roastery_store::{KeptRequest, RequestState};

use crate::{
    config::SubjectKind,
    policy::Examined,
    service::{
        group::service::GroupService,
        group::{summaries::summary, turns::Lane},
    },
    view::{self, Awaited, Said, SessionStatus, Time},
};

impl GroupService {
    /// A request, as in a list: without what takes time to compute, and without a transaction,
    /// which may be long.
    pub(in crate::service) fn view(&self, kept: &KeptRequest) -> view::Request {
        let KeptRequest { request, subject, proposer, since, changed, .. } = kept;
        let messages = request.messages().iter().map(|entry| view::Message {
            message: entry.message.to_lower_hex_string(),
            path: path(&entry.derivation),
            taproot: taproot(&entry.derivation.taproot),
            public_key: None,
        });
        let current = self.current_state(kept);
        let outcome = match &kept.state {
            RequestState::Signed(outcome) => Some(outcome),
            _ => None,
        };
        let signatures = outcome.map(|outcome| {
            let signatures = outcome.signatures.iter();
            signatures.map(|signature| signature.to_bytes().to_lower_hex_string()).collect()
        });
        let origin = outcome.and_then(|outcome| outcome.origin.as_ref());
        view::Request {
            session: request.session_id().to_string(),
            group: self.name.clone(),
            subject: self.view_subject(subject),
            summary: self.summary_of(kept),
            messages: messages.collect(),
            proposer: proposer.map(|seat| seat.to_u16()),
            proposer_name: self.shown_as(proposer.unwrap_or(self.first_seat())),
            since: Time::from_seconds(*since),
            changed: Time::from_seconds(*changed),
            position: kept.position,
            expiry: Time::from_seconds(request.expiry()),
            revision: kept.revision,
            state: current.state,
            text: current.text,
            progress: self.view_progress(kept),
            signatures,
            signers: origin.map(|origin| origin.signers.iter().map(|seat| seat.to_u16()).collect()),
        }
    }

    /// The same, with the keys of its messages, its transaction, and a description of it. The
    /// transaction is parsed unless it was examined.
    pub(in crate::service) async fn view_whole(
        &self,
        kept: &KeptRequest,
        lane: Lane,
        examined: Option<&Examined>,
    ) -> view::Request {
        let mut view = self.view(kept);
        // Each key takes a tenth of a millisecond and more, and there may be 64 of them.
        let (group, request) = (self.group.clone(), kept.request.clone());
        let keys = self.shared.runtime.spawn_blocking(move || {
            let keys = request.messages().iter().map(|entry| entry.derivation.tweaks(&group).ok());
            keys.map(|key| Some(key?.x_only_public_key().to_bytes())).collect::<Vec<_>>()
        });
        // If they are missing it is shown all the same.
        for (message, key) in view.messages.iter_mut().zip(keys.await.unwrap_or_default()) {
            message.public_key = key.map(|key| key.to_lower_hex_string());
        }
        if let Subject::Transaction(psbt) = &kept.subject {
            view.subject.psbt = Some(BASE64_STANDARD.encode(psbt));
            let (known, psbt) = (examined.and_then(Examined::spend).cloned(), psbt.clone());
            let conflicts = self.conflicts(kept).await;
            let read = self
                .with_policy(lane, move |policy| {
                    let spend = match known {
                        Some(spend) => spend,
                        None => Arc::new(policy.read(&psbt)?),
                    };
                    let report = Report::of(&spend, policy.network()).to_string();
                    Ok((report, summary(&spend, policy.network())))
                })
                .await;
            view.subject.text = Some(match read {
                Ok((mut report, mut summary)) => {
                    for conflict in conflicts {
                        report.push_str(&format!("Warning       {conflict}\n"));
                        summary.warning_count += 1;
                        summary.warnings.push(conflict);
                    }
                    view.summary = Some(summary);
                    report
                }
                Err(refusal) => refusal.to_string(),
            });
        }
        view
    }

    fn view_subject(&self, subject: &Subject) -> view::Subject {
        let text = match subject {
            Subject::Text(text) => Some(text.clone()),
            Subject::Hash | Subject::Transaction(_) => None,
        };
        view::Subject { kind: SubjectKind::of(subject), text, psbt: None }
    }

    /// The policy in force.
    pub(in crate::service) fn view_policy(&self) -> view::Policy {
        let (config, caps) = (self.policy.config(), self.policy.caps());
        view::Policy {
            section: self.section.clone(),
            approval: config.approval,
            kinds: config.kinds.clone(),
            most_per_hour: caps.most_per_hour,
            most_per_day: caps.most_per_day,
            problem: self.command_problem(),
        }
    }

    /// The status of a session; `now` is by the node's clock.
    pub(in crate::service) fn view_session(
        &self,
        report: &machine::Report,
        now: std::time::Duration,
    ) -> SessionStatus {
        let said =
            |seat, text: String| Said { seat: Seat::to_u16(seat), name: self.name_of(seat), text };
        SessionStatus {
            session: report.session.to_string(),
            coordinators: report.coordinators.iter().map(|seat| seat.to_u16()).collect(),
            awaited: report
                .awaited
                .iter()
                .map(|one| Awaited {
                    seat: one.seat.to_u16(),
                    name: self.name_of(one.seat),
                    thing: one.thing.to_string(),
                    seconds: now.saturating_sub(one.since).as_secs(),
                })
                .collect(),
            refusals: report
                .refusals
                .iter()
                .map(|(seat, reason)| said(*seat, reason.to_string()))
                .collect(),
            proven: report
                .proven
                .iter()
                .map(|finding| said(finding.accused, finding.fault.to_string()))
                .collect(),
        }
    }
}

fn path(derivation: &Derivation) -> String {
    let steps: Vec<String> = derivation.path.iter().map(ToString::to_string).collect();
    if steps.is_empty() { "m".to_owned() } else { format!("m/{}", steps.join("/")) }
}

fn taproot(taproot: &Taproot) -> String {
    match taproot {
        Taproot::Untweaked => "untweaked".to_owned(),
        Taproot::KeyPathOnly => "key-path-only".to_owned(),
        Taproot::ScriptRoot(root) => root.to_lower_hex_string(),
    }
}
