//! What is known of a request.

use std::sync::Arc;

use roastery_bitcoin::spend::Report;
use roastery_protocol::request::Subject;
use roastery_store::KeptRequest;

use crate::{
    policy::Examined,
    service::group::{
        progress::MemberDecisions,
        service::GroupService,
        state::CurrentState,
        summaries::{Summary, summary},
        turns::Lane,
    },
};

/// A request, as this node knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownRequest {
    /// The name of its group at this node.
    pub group: String,
    /// What the store has of it.
    pub kept: KeptRequest,
    /// The name of the member that proposed it; of this node if it was made here.
    pub proposer_name: String,
    /// Its state, from the store, the time, and the other members' answers.
    pub current: CurrentState,
    /// Which members have approved and refused it.
    pub decisions: MemberDecisions,
    /// A summary of its subject; `None` if that is no text and was not parsed yet.
    pub summary: Option<Summary>,
    /// What takes time to find out; `None` in lists.
    pub details: Option<RequestDetails>,
}

/// What takes time to find out about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDetails {
    /// The x-only public key of each message; `None` if it could not be derived.
    pub keys: Vec<Option<[u8; 32]>>,
    /// The description of its transaction, or why it is none; `None` if the subject is another.
    pub report: Option<String>,
}

impl GroupService {
    /// A request, as in a list: without what takes time to find out.
    pub(in crate::service) fn known(&self, kept: KeptRequest) -> KnownRequest {
        KnownRequest {
            group: self.name.clone(),
            proposer_name: self.shown_as(kept.proposer.unwrap_or(self.first_seat())),
            current: self.current_state(&kept),
            decisions: self.decisions_on(&kept),
            summary: self.summary_of(&kept),
            details: None,
            kept,
        }
    }

    /// The same, with the keys of its messages and the description of its transaction, which is
    /// parsed unless it was examined.
    pub(in crate::service) async fn known_whole(
        &self,
        kept: KeptRequest,
        lane: Lane,
        examined: Option<&Examined>,
    ) -> KnownRequest {
        let mut known = self.known(kept);
        // Each key takes a tenth of a millisecond and more, and there may be 64 of them.
        let (group, request) = (self.group.clone(), known.kept.request.clone());
        let keys = self.shared.runtime.spawn_blocking(move || {
            let keys = request.messages().iter().map(|entry| entry.derivation.tweaks(&group).ok());
            keys.map(|key| Some(key?.x_only_public_key().to_bytes())).collect()
        });
        // If they are missing it is shown all the same.
        let mut details = RequestDetails { keys: keys.await.unwrap_or_default(), report: None };
        if let Subject::Transaction(psbt) = &known.kept.subject {
            let (spend, psbt) = (examined.and_then(Examined::spend).cloned(), psbt.clone());
            let conflicts = self.conflicts(&known.kept).await;
            let read = self
                .with_policy(lane, move |policy| {
                    let spend = match spend {
                        Some(spend) => spend,
                        None => Arc::new(policy.read(&psbt)?),
                    };
                    let report = Report::of(&spend, policy.network()).to_string();
                    Ok((report, summary(&spend, policy.network())))
                })
                .await;
            details.report = Some(match read {
                Ok((mut report, mut summary)) => {
                    for conflict in conflicts {
                        report.push_str(&format!("Warning       {conflict}\n"));
                        summary.warning_count += 1;
                        summary.warnings.push(conflict);
                    }
                    known.summary = Some(summary);
                    report
                }
                Err(refusal) => refusal.to_string(),
            });
        }
        known.details = Some(details);
        known
    }
}
