//! Warnings about other requests that spend the same coins or pay the same: a coin can be spent
//! once, and a payment from other coins is made beside the first, so the approver of a request is
//! shown the others.

use std::{collections::BTreeSet, sync::Arc};

use bitcoin::{OutPoint, Txid, hashes::Hash as _};
use roastery_bitcoin::spend::{Level, Part, Spend, Warning};
use roastery_protocol::SessionId;
use roastery_store::{Coin, KeptRequest, RequestState};
use roastery_wallet::View;

use crate::service::{
    coins::Alike,
    group::{
        service::GroupService,
        state::{State, state_of},
        warning::RequestWarning,
    },
    now,
    payments::{PAYMENT_COUNTS, Payment, Pays},
};

/// The most other requests that are named in one request.
const MOST_NAMED: usize = 8;

/// The most other requests that are read for one request.
const MOST_READ: usize = 64;

/// Whether two requests are different parts of one transaction, of which both show the same.
fn are_parts_of_one(one: &KeptRequest, other: &KeptRequest) -> bool {
    let (a, b) = (&one.request, &other.request);
    Part::may_be_of_one(a, b) && one.subject == other.subject && a.messages() != b.messages()
}

/// Whether two requests sign one transaction. Those of two epochs may divide it otherwise.
fn is_same(one: &KeptRequest, other: &KeptRequest) -> bool {
    let epochs = one.request.group() != other.request.group();
    one.request.messages() == other.request.messages() || epochs && one.subject == other.subject
}

/// The other requests that spend coins of one or pay the same, as they are stored.
#[derive(Debug, Default)]
pub(in crate::service) struct CoinsElsewhere {
    /// Each with what it pays too, from other coins; `None` if it spends a coin of this one.
    known: Vec<(KeptRequest, Option<Payment>)>,
    /// The number of those that were not read.
    unread: usize,
    /// Of these, how many were approved here or signed, or may have been.
    unread_approved: usize,
    /// The transactions in a chain of which the warnings about this one say that they have paid the
    /// same.
    paid_before: BTreeSet<Txid>,
}

impl CoinsElsewhere {
    /// So many, of which none was read.
    pub(in crate::service) fn unread(unread: usize) -> Self {
        Self { unread, unread_approved: unread, ..Self::default() }
    }
}

impl GroupService {
    /// The other requests that spend a coin of this transaction or pay the same, as they were
    /// found; none without one.
    pub(in crate::service) fn alike(
        &self,
        kept: &KeptRequest,
        spend: Option<&Spend>,
    ) -> Vec<Alike> {
        let Some(spend) = spend.filter(|spend| spend.proof().is_none()) else { return Vec::new() };
        let Pays { payments, coins, .. } = Pays::of(spend);
        let mut alike = self.coins.alike(&coins, &payments);
        alike.retain(|one| one.session != kept.request.session_id());
        alike
    }

    /// The same, as they are stored; `read` gives a request from the store.
    pub(in crate::service) fn elsewhere<E>(
        &self,
        kept: &KeptRequest,
        spend: Option<&Spend>,
        mut read: impl FnMut(SessionId) -> Result<Option<KeptRequest>, E>,
    ) -> Result<CoinsElsewhere, E> {
        let alike = self.alike(kept, spend);
        let (unread, mut known) = (alike.iter().skip(MOST_READ), Vec::new());
        let unread_approved = unread.clone().filter(|one| one.is_approved).count();
        for Alike { session, pays, .. } in alike.iter().take(MOST_READ) {
            known.extend(read(*session)?.map(|other| (other, *pays)));
        }
        known.retain(|(other, _)| !are_parts_of_one(kept, other));
        let warnings = spend.into_iter().flat_map(Spend::warnings);
        let paid_before = warnings.filter_map(|warning| match warning {
            Warning::PaidBefore { by, .. } => Some(*by),
            _ => None,
        });
        let (unread, paid_before) = (unread.count(), paid_before.collect());
        Ok(CoinsElsewhere { known, unread, unread_approved, paid_before })
    }

    /// The same, read from the store; unread where that does not answer.
    pub(in crate::service) async fn read_elsewhere(
        self: &Arc<Self>,
        kept: &KeptRequest,
        spend: Option<&Arc<Spend>>,
    ) -> CoinsElsewhere {
        let Some(spend) = spend else { return CoinsElsewhere::default() };
        let (group, asked, of) = (self.clone(), kept.clone(), spend.clone());
        let read = self
            .shared
            .store(move |store| group.elsewhere(&asked, Some(&of), |other| store.request(other)));
        match read.await {
            Ok(elsewhere) => elsewhere,
            Err(_) => CoinsElsewhere::unread(self.alike(kept, Some(spend)).len()),
        }
    }

    /// Those warnings as they are now.
    pub(in crate::service) async fn conflicts_now(
        self: &Arc<Self>,
        kept: &KeptRequest,
        spend: Option<&Arc<Spend>>,
    ) -> Conflicts {
        let elsewhere = self.read_elsewhere(kept, spend).await;
        self.conflicts(kept, &elsewhere)
    }

    /// Warnings about other requests that are open or signed and spend the same coins or pay the
    /// same, or were refused and sign the same transaction: one for each, those approved or signed
    /// first.
    pub(in crate::service) fn conflicts(
        &self,
        kept: &KeptRequest,
        elsewhere: &CoinsElsewhere,
    ) -> Conflicts {
        let CoinsElsewhere { known, unread, unread_approved, .. } = elsewhere;
        let mut conflicts = Conflicts { unread: *unread, ..Conflicts::default() };
        // One that was not read may pay the same.
        conflicts.is_unclear = *unread_approved > 0 || *unread > 0 && self.policy.pays_once();
        let chain = self.policy.chain().filter(|chain| chain.whole);
        let mut payments = Vec::new();
        for (other, pays) in known {
            let state = self.state_in_its_group(other);
            if let Some(payment) = pays {
                payments.extend(self.payment(
                    (other, state, *payment),
                    chain.as_deref(),
                    &elsewhere.paid_before,
                ));
                continue;
            }
            let same = is_same(kept, other);
            match state {
                State::Approved | State::Signed => {
                    conflicts.decided.push(conflict(other, state, same));
                }
                State::Proposed => conflicts.proposed.push(conflict(other, state, same)),
                // The same messages were refused before.
                State::Refused if same => conflicts.proposed.push(conflict(other, state, same)),
                _ => {}
            }
        }
        conflicts.add_payments(payments);
        conflicts
    }

    /// Another request that pays the same from other coins, if it may be confirmed beside this one.
    /// One that is in a block is among what the chain source shows, if that was read since.
    fn payment(
        &self,
        (other, state, payment): (&KeptRequest, State, Payment),
        chain: Option<&View>,
        paid_before: &BTreeSet<Txid>,
    ) -> Option<PaidToo> {
        let session = other.request.session_id();
        let spent = self.coins.spent_by(session);
        if let (Some(chain), Some((txid, coins))) = (chain, &spent)
            && (is_replaced(chain, *txid, coins)
                || is_in_block(chain, *txid) && paid_before.contains(txid))
        {
            return None;
        }
        let is_recent = other.changed.saturating_add(PAYMENT_COUNTS) > now();
        let has_expired = other.request.expiry() <= now();
        let (is_decided, how) = match state {
            State::Approved => (true, "is approved"),
            State::Signed if is_recent => (true, "is signed"),
            _ if !has_expired && matches!(other.state, RequestState::Approved(_)) => (
                true,
                "is approved here and refused by other members, who may approve it after all",
            ),
            // After a restart it may wait for a new decision.
            State::Proposed if is_recent && self.coins.is_released(session) => {
                (true, "waits here anew after a share had left, so that others may have it signed")
            }
            State::Proposed => (false, "is proposed"),
            _ if is_recent && self.coins.is_released(session) => {
                (true, "has ended here after a share had left, so that others may have it signed")
            }
            _ => return None,
        };
        let warning = same_payment(other, &self.asked_by(other), how, payment);
        Some(PaidToo { txid: spent.map(|(txid, _)| txid), is_decided, has_expired, warning })
    }

    /// By which member a request was asked for, as it is said in a warning.
    fn asked_by(&self, other: &KeptRequest) -> String {
        match other.proposer {
            None => " of this node".to_owned(),
            Some(seat) if other.request.group() == self.group.id() => {
                format!(" of {}", self.shown_as(seat))
            }
            // The seats of another epoch may be others.
            Some(_) => String::new(),
        }
    }

    /// The state of a request of this key, as its own group shows it.
    fn state_in_its_group(&self, other: &KeptRequest) -> State {
        let group = other.request.group();
        if group == self.group.id() {
            return self.current_state(other).state;
        }
        match state_of(&other.state).0 {
            state @ (State::Signed | State::Refused) => state,
            // Only its group hears of refusals. One that does not run here hears of none.
            _ if self.coins.has_failed(group, other.request.session_id()) => State::Failed,
            _ if other.request.expiry() <= now() => State::Expired,
            state => state,
        }
    }
}

fn conflict(other: &KeptRequest, state: State, same: bool) -> RequestWarning {
    let session = other.request.session_id().to_string();
    let id = &session[..8];
    if same {
        let text = format!("the same transaction as request {id}, which is {state}");
        return RequestWarning { code: "same_transaction", level: Level::Look, text };
    }
    let text = format!(
        "spends a coin that request {id} spends, which is {state}: one replaces the other, and \
         only one can be confirmed"
    );
    RequestWarning { code: "spent_twice", level: Level::Stop, text }
}

/// Whether a transaction is in a block.
fn is_in_block(chain: &View, txid: Txid) -> bool {
    chain.heights.get(&txid).is_some_and(Option::is_some)
}

/// Whether a transaction can be in no block any more: another one in a block spends one of its
/// coins.
fn is_replaced(chain: &View, txid: Txid, coins: &[Coin]) -> bool {
    coins.iter().any(|coin| {
        let coin = OutPoint::new(Txid::from_byte_array(coin.transaction), coin.output);
        let by = chain.coins.get(&coin).and_then(|coin| coin.spent_by);
        by.is_some_and(|by| by.confirmed && by.txid != txid)
    })
}

/// Whether a transaction is in a block, or can be in none any more.
pub(in crate::service) fn is_over(chain: &View, txid: Txid, coins: &[Coin]) -> bool {
    is_in_block(chain, txid) || is_replaced(chain, txid, coins)
}

/// Another request that pays the same from other coins.
struct PaidToo {
    txid: Option<Txid>,
    /// Whether it counts as a payment that is made.
    is_decided: bool,
    has_expired: bool,
    warning: RequestWarning,
}

fn unread_text(unread: usize) -> String {
    format!("{unread} further requests have the same coins or pay the same, and were not read")
}

fn same_payment(other: &KeptRequest, of: &str, how: &str, payment: Payment) -> RequestWarning {
    let session = other.request.session_id().to_string();
    let (id, amount) = (&session[..8], payment.amount);
    let text = format!(
        "pays {amount} to the same address as request {id}{of}, which {how}: from other coins, so \
         that both can be confirmed; is it paid twice?"
    );
    RequestWarning { code: "same_payment", level: Level::Stop, text }
}

/// The warnings about other requests with the same coins or payments.
#[derive(Debug, Default)]
pub(in crate::service) struct Conflicts {
    /// About those that are approved or signed: each is part of what a decision is about.
    pub(in crate::service) decided: Vec<RequestWarning>,
    /// About the others. One member alone can make and end them at any time, so a decision is only
    /// about whether there are some.
    pub(in crate::service) proposed: Vec<RequestWarning>,
    pub(in crate::service) unread: usize,
    /// The first of them about a payment that was approved, signed, or given a share here.
    pub(in crate::service) paid: Option<String>,
    /// The first of these whose request has not expired.
    pub(in crate::service) open_payment: Option<String>,
    /// Whether one of those that were not read may be such a payment.
    pub(in crate::service) is_unclear: bool,
}

impl Conflicts {
    /// Adds the warnings about other requests that pay the same, one for all that sign the same
    /// transaction: about one that is decided, if there is one.
    fn add_payments(&mut self, mut payments: Vec<PaidToo>) {
        payments.sort_by_key(|paid| (!paid.is_decided, paid.has_expired));
        let mut named = BTreeSet::new();
        payments.retain(|paid| paid.txid.is_none_or(|txid| named.insert(txid)));
        for PaidToo { is_decided, has_expired, warning, .. } in payments {
            if !is_decided {
                self.proposed.push(warning);
                continue;
            }
            self.paid.get_or_insert_with(|| warning.text.clone());
            if !has_expired {
                self.open_payment.get_or_insert_with(|| warning.text.clone());
            }
            self.decided.push(warning);
        }
    }

    /// Why only the operator may approve a request: another one that has not expired pays the same,
    /// or may do so and was not read.
    pub(in crate::service) fn left(&self) -> Option<String> {
        let paid = self.open_payment.as_ref();
        let paid = paid.map(|text| format!("{text} Only the operator may approve it"));
        paid.or_else(|| {
            let unread = unread_text(self.unread);
            self.is_unclear.then(|| format!("{unread}: only the operator may approve it"))
        })
    }

    /// Whether there are some, of each level, that are neither approved nor signed, or were not
    /// read: to look at, and to stop at.
    pub(in crate::service) fn proposed(&self) -> [bool; 2] {
        let some = |level| self.proposed.iter().any(|warning| warning.level == level);
        [some(Level::Look), some(Level::Stop) || self.unread > 0]
    }

    /// The lines to be shown: a bounded number, with the number of those that are left out.
    pub(in crate::service) fn lines(self) -> Vec<RequestWarning> {
        let Self { decided, proposed, unread, .. } = self;
        let mut lines = decided;
        lines.extend(proposed);
        let more = lines.len().saturating_sub(MOST_NAMED);
        lines.truncate(MOST_NAMED);
        let also = |text| RequestWarning { code: "spent_twice", level: Level::Stop, text };
        if more > 0 {
            let text = format!("{more} more requests spend the same coins or pay the same");
            lines.push(also(text));
        }
        if unread > 0 {
            lines.push(also(unread_text(unread)));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
