//! Summaries of the requests in a list.

use std::{sync::Arc, time::Duration};

use roastery_protocol::request::{SigningRequest, Subject};
use roastery_store::KeptRequest;
use tokio::time::{Instant, timeout_at};

use crate::{
    policy::PolicyEngine,
    service::{
        Service,
        answers::known::KnownRequest,
        group::{
            service::GroupService,
            summaries::{Summary, WORDS, summary},
            turns::Lane,
        },
    },
    text,
};

/// How long a list may take to parse transactions that were not examined since the start.
const READING: Duration = Duration::from_millis(200);

impl GroupService {
    /// The summary of a request, if it is known without parsing a transaction.
    pub(in crate::service) fn summary_of(&self, kept: &KeptRequest) -> Option<Summary> {
        match &kept.subject {
            Subject::Text(text) => {
                Some(Summary { words: Some(text::shorten(text, WORDS)), ..Summary::default() })
            }
            Subject::Hash => None,
            Subject::Transaction(_) => self.summaries.of(kept.request.session_id()),
        }
    }

    async fn read_summary(
        &self,
        psbt: Vec<u8>,
        request: SigningRequest,
        lane: Lane,
    ) -> Option<Summary> {
        let read = move |policy: &PolicyEngine| {
            Ok(summary(&policy.read(&psbt)?, &request, policy.network()))
        };
        self.with_policy(lane, read).await.ok()
    }
}

/// A request in a list.
pub(in crate::service) struct Listed {
    group: Arc<GroupService>,
    known: KnownRequest,
}

impl Listed {
    pub(in crate::service) fn new(group: &Arc<GroupService>, kept: KeptRequest) -> Self {
        Self { group: group.clone(), known: group.known(kept) }
    }
}

impl Service {
    /// Parses the transactions of a list that were not examined since the start, within a time
    /// limit.
    pub(in crate::service) async fn summarise(
        &self,
        mut listed: Vec<Listed>,
        lane: Lane,
    ) -> Vec<KnownRequest> {
        let until = Instant::now() + READING;
        for Listed { group, known } in &mut listed {
            let Subject::Transaction(psbt) = &known.kept.subject else { continue };
            if known.summary.is_some() {
                continue;
            }
            match timeout_at(
                until,
                group.read_summary(psbt.clone(), known.kept.request.clone(), lane),
            )
            .await
            {
                Ok(summary) => known.summary = summary,
                Err(_) => break,
            }
            if let Some(summary) = &known.summary {
                group.summaries.note_if_unknown(known.kept.request.session_id(), summary.clone());
            }
        }
        listed.into_iter().map(|listed| listed.known).collect()
    }
}
