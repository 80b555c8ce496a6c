//! Warnings about other requests that spend the same coins or pay the same: a coin can be spent
//! once, and a payment from other coins is made beside the first, so the approver of a request is
//! shown the others.

use std::{collections::BTreeSet, sync::Arc};

use bitcoin::{OutPoint, Txid, hashes::Hash as _};
use roastery_bitcoin::spend::{Level, Part, Signing, Spend};
use roastery_protocol::SessionId;
use roastery_store::{Coin, KeptRequest};
use roastery_wallet::View;

use crate::service::{
    coins::{Alike, PAYMENT_COUNTS, coin_of},
    group::{
        service::GroupService,
        state::{State, state_of},
        warning::RequestWarning,
    },
    now,
    payments::{Payment, Pays},
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
}

impl CoinsElsewhere {
    /// So many, of which none was read.
    pub(in crate::service) fn unread(unread: usize) -> Self {
        Self { known: Vec::new(), unread }
    }
}

/// The coins of the group that a transaction spends.
pub(in crate::service) fn coins_spent(spend: &Spend) -> Vec<Coin> {
    let ours = spend.inputs().iter().filter(|input| input.signing != Signing::NotOurs);
    ours.map(|input| coin_of(&input.outpoint)).collect()
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
        let Pays { payments, .. } = Pays::of(spend);
        let mut alike = self.coins.alike(&coins_spent(spend), &payments);
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
        let unread = alike.len().saturating_sub(MOST_READ);
        let mut known = Vec::new();
        for Alike { session, pays } in alike.into_iter().take(MOST_READ) {
            known.extend(read(session)?.map(|other| (other, pays)));
        }
        known.retain(|(other, _)| !are_parts_of_one(kept, other));
        Ok(CoinsElsewhere { known, unread })
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
        let CoinsElsewhere { known, unread } = elsewhere;
        let mut conflicts = Conflicts { unread: *unread, ..Conflicts::default() };
        let chain = self.policy.chain().filter(|chain| chain.whole);
        let mut named = BTreeSet::new();
        for (other, pays) in known {
            let state = self.state_in_its_group(other);
            if let Some(payment) = pays {
                self.add_payment(
                    &mut conflicts,
                    (other, state, *payment),
                    chain.as_deref(),
                    &mut named,
                );
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
        conflicts
    }

    /// Adds the warning about another request that pays the same from other coins, once for all
    /// parts of its transaction. One that is in a block is among what the chain source shows.
    fn add_payment(
        &self,
        conflicts: &mut Conflicts,
        (other, state, payment): (&KeptRequest, State, Payment),
        chain: Option<&View>,
        named: &mut BTreeSet<Txid>,
    ) {
        let session = other.request.session_id();
        let (txid, coins) = self.coins.spent_by(session);
        if let (Some(chain), Some(txid)) = (chain, txid)
            && is_over(chain, txid, &coins)
        {
            return;
        }
        let is_recent = other.changed.saturating_add(PAYMENT_COUNTS) > now();
        let has_expired = other.request.expiry() <= now();
        let (is_decided, how) = match state {
            State::Approved => (true, "is approved"),
            State::Signed if is_recent => (true, "is signed"),
            State::Proposed => (false, "is proposed"),
            _ if is_recent && self.coins.is_released(session) => {
                (true, "has ended here after a share had left, so that others may have it signed")
            }
            _ => return,
        };
        if txid.is_some_and(|txid| !named.insert(txid)) {
            return;
        }
        let warning = same_payment(other, &self.asked_by(other), how, payment);
        if !is_decided {
            return conflicts.proposed.push(warning);
        }
        conflicts.paid.get_or_insert_with(|| warning.text.clone());
        if !has_expired {
            conflicts.open_payment.get_or_insert_with(|| warning.text.clone());
        }
        conflicts.decided.push(warning);
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

/// Whether a transaction is in a block, or can be in none any more.
fn is_over(chain: &View, txid: Txid, coins: &[Coin]) -> bool {
    let is_in_block = chain.heights.get(&txid).is_some_and(Option::is_some);
    let is_spent = |coin: &Coin| {
        let coin = OutPoint::new(Txid::from_byte_array(coin.transaction), coin.output);
        let by = chain.coins.get(&coin).and_then(|coin| coin.spent_by);
        by.is_some_and(|by| by.confirmed && by.txid != txid)
    };
    is_in_block || coins.iter().any(is_spent)
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
}

impl Conflicts {
    /// Why only the operator may approve a request: another one that has not expired pays the same.
    pub(in crate::service) fn left(&self) -> Option<String> {
        self.open_payment.as_ref().map(|text| format!("{text} Only the operator may approve it"))
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
        let also = |number: usize, text: &str| {
            let text = format!("{number} {text}");
            RequestWarning { code: "spent_twice", level: Level::Stop, text }
        };
        if more > 0 {
            lines.push(also(more, "more requests spend the same coins or pay the same"));
        }
        if unread > 0 {
            lines.push(also(
                unread,
                "further requests have the same coins or pay the same, and were not read",
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
