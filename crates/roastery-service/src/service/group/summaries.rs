//! Summaries of transactions. They are made when a request is examined, and kept for the lists.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bitcoin::{Amount, Network};
use roastery_bitcoin::spend::{Part, Payee, Spend};
use roastery_protocol::{SessionId, request::SigningRequest};

use crate::text;

/// The most summaries that are kept for each group.
const MOST_KEPT: usize = 4096;

/// The length of a text's summary, in columns of a terminal.
pub(in crate::service) const WORDS: usize = 64;

/// The most payees in a summary.
const MOST_PAYEES: usize = 8;

/// The most warnings in a summary.
const MOST_WARNINGS: usize = 16;

/// A summary of what a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The first words of a text.
    pub words: Option<String>,
    /// The amount that a proof of funds shows the group can spend; `None` if it is none.
    pub proves: Option<Amount>,
    /// The payments to others, the greatest amounts first; at most 8.
    pub pays: Vec<Payment>,
    /// The number of further payments to others.
    pub more: usize,
    /// The amount that returns to the group's own wallet; `None` if it is no transaction.
    pub returns: Option<Amount>,
    /// The fee, if all amounts are known.
    pub fee: Option<Amount>,
    /// Which part of its transaction a request signs; `None` if it signs all of it.
    pub part: Option<Part>,
    /// Warnings to read before it is approved; at most 16.
    pub warnings: Vec<String>,
    /// The number of warnings.
    pub warning_count: usize,
}

/// A payment to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The amount.
    pub amount: Amount,
    /// The address, or the script where it has none.
    pub to: String,
}

/// The summaries of the transactions of a group's requests.
#[derive(Debug, Default)]
pub(in crate::service) struct Summaries {
    known: Mutex<BTreeMap<SessionId, Summary>>,
    /// Why requests were left to the operator when they were examined.
    left: Mutex<BTreeMap<SessionId, String>>,
}

impl Summaries {
    /// Keeps why a request was left to the operator.
    pub(in crate::service) fn note_left(&self, session: SessionId, why: String) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= MOST_KEPT && !left.contains_key(&session) {
            left.pop_first();
        }
        left.insert(session, why);
    }

    /// Why a request was left to the operator, if it was.
    pub(in crate::service) fn why_left(&self, session: SessionId) -> Option<String> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.get(&session).cloned()
    }

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
    pub(in crate::service) fn note_if_unknown(&self, session: SessionId, summary: Summary) {
        if self.of(session).is_none() {
            self.note(session, summary);
        }
    }

    /// The summary of a request, if it is kept.
    pub(in crate::service) fn of(&self, session: SessionId) -> Option<Summary> {
        self.lock().get(&session).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Summary>> {
        // No step under the lock leaves an entry incomplete.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The summary of a transaction, or of the part of it that a request signs.
pub(in crate::service) fn summary(
    spend: &Spend,
    request: &SigningRequest,
    network: Network,
) -> Summary {
    let part = spend.check(request).ok().filter(|part| part.of > 1);
    let warnings = spend.warnings();
    let (count, warnings) =
        (warnings.len(), warnings.iter().take(MOST_WARNINGS).map(ToString::to_string).collect());
    if let Some(proof) = spend.proof() {
        return Summary {
            words: Some(text::shorten(&proof.text, WORDS)),
            proves: Some(spend.proves().1),
            part,
            warnings,
            warning_count: count,
            ..Summary::default()
        };
    }
    let mut pays = Vec::new();
    let mut returns = Amount::ZERO;
    for output in spend.outputs() {
        match output.payee {
            Payee::Wallet(_) => returns = returns.checked_add(output.amount).unwrap_or(Amount::MAX),
            Payee::Key(_) | Payee::Other => {
                let to = output.address(network).map_or_else(
                    || format!("script {}", output.script.to_hex_string()),
                    |address| address.to_string(),
                );
                pays.push(Payment { amount: output.amount, to: text::shorten(&to, 100) });
            }
        }
    }
    pays.sort_by_key(|payment| std::cmp::Reverse(payment.amount));
    let more = pays.len().saturating_sub(MOST_PAYEES);
    pays.truncate(MOST_PAYEES);
    Summary {
        words: None,
        proves: None,
        pays,
        more,
        returns: Some(returns),
        fee: spend.fee(),
        part,
        warnings,
        warning_count: count,
    }
}
