//! Summaries of requests. They are made when a request is examined, and kept for the lists.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bitcoin::Network;
use roastery_bitcoin::spend::{Payee, Spend};
use roastery_protocol::{SessionId, request::Subject};
use roastery_store::KeptRequest;
use tokio::time::{Instant, timeout_at};

use crate::{
    service::{Service, decisions::turns::Lane, groups::group::GroupService},
    text,
    view::{Payment, Request, Summary},
};

/// The most summaries that are kept for each group.
const MOST_KEPT: usize = 4096;

/// The most payees in a summary.
const MOST_PAYEES: usize = 8;

/// The most warnings in a summary.
const MOST_WARNINGS: usize = 16;

/// The length of a text's summary, in columns of a terminal.
const WORDS: usize = 64;

/// How long a list may take to parse transactions that were not examined since the start.
const READING: Duration = Duration::from_millis(200);

/// The summaries of the transactions of a group's requests.
#[derive(Debug, Default)]
pub(in crate::service) struct Summaries {
    known: Mutex<BTreeMap<SessionId, Summary>>,
}

impl Summaries {
    /// Keeps the summary of an examined request.
    pub(in crate::service) fn note(&self, session: SessionId, summary: Summary) {
        let mut known = self.lock();
        if known.len() >= MOST_KEPT && !known.contains_key(&session) {
            // Session ids are hashes, so the first is arbitrary.
            known.pop_first();
        }
        known.insert(session, summary);
    }

    /// Keeps a summary that was made for a list, unless the request was examined meanwhile.
    fn note_if_unknown(&self, session: SessionId, summary: Summary) {
        if self.of(session).is_none() {
            self.note(session, summary);
        }
    }

    fn of(&self, session: SessionId) -> Option<Summary> {
        self.lock().get(&session).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Summary>> {
        // No step under the lock leaves an entry incomplete.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The summary of a transaction.
pub(in crate::service) fn summary(spend: &Spend, network: Network) -> Summary {
    let mut pays = Vec::new();
    let mut returns = 0_u64;
    for output in spend.outputs() {
        match output.payee {
            Payee::Wallet(_) => returns = returns.saturating_add(output.amount.to_sat()),
            Payee::Key(_) | Payee::Other => {
                let to = output.address(network).map_or_else(
                    || format!("script {}", output.script.to_hex_string()),
                    |address| address.to_string(),
                );
                pays.push(Payment { amount: output.amount.to_sat(), to: text::shorten(&to, 100) });
            }
        }
    }
    pays.sort_by_key(|payment| std::cmp::Reverse(payment.amount));
    let more = pays.len().saturating_sub(MOST_PAYEES);
    pays.truncate(MOST_PAYEES);
    let warnings = spend.warnings();
    Summary {
        words: None,
        pays,
        more,
        returns: Some(returns),
        fee: spend.fee().map(bitcoin::Amount::to_sat),
        warnings: warnings.iter().take(MOST_WARNINGS).map(ToString::to_string).collect(),
        warning_count: warnings.len(),
    }
}

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

    async fn read_summary(&self, psbt: Vec<u8>, lane: Lane) -> Option<Summary> {
        let read = self
            .with_policy(lane, move |policy| Ok(summary(&policy.read(&psbt)?, policy.network())));
        read.await.ok()
    }
}

/// A request in a list.
pub(in crate::service) struct Listed {
    group: Arc<GroupService>,
    session: SessionId,
    view: Request,
    /// Its transaction, if that was not examined since the start.
    unread: Option<Vec<u8>>,
}

impl Listed {
    pub(in crate::service) fn new(group: &Arc<GroupService>, kept: KeptRequest) -> Self {
        let view = group.view(&kept);
        let unread = match kept.subject {
            Subject::Transaction(psbt) if view.summary.is_none() => Some(psbt),
            _ => None,
        };
        Self { group: group.clone(), session: kept.request.session_id(), view, unread }
    }
}

impl Service {
    /// Parses the transactions of a list that were not examined since the start, within a time
    /// limit.
    pub(in crate::service) async fn summarise(
        &self,
        mut listed: Vec<Listed>,
        lane: Lane,
    ) -> Vec<Request> {
        let until = Instant::now() + READING;
        for Listed { group, session, view, unread } in &mut listed {
            let Some(psbt) = unread.take() else { continue };
            match timeout_at(until, group.read_summary(psbt, lane)).await {
                Ok(summary) => view.summary = summary,
                Err(_) => break,
            }
            if let Some(summary) = &view.summary {
                group.summaries.note_if_unknown(*session, summary.clone());
            }
        }
        listed.into_iter().map(|listed| listed.view).collect()
    }
}
