//! What a wallet pays already and is in no block: the same asked for again would be paid twice,
//! from other coins.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Amount, OutPoint, Script, Transaction, Txid, hex::FromHex as _};
use roastery_bitcoin::{psbt, spend::Output};
use roastery_protocol::{
    GroupId, SessionId,
    request::{MAX_LIFETIME_SECONDS, Subject},
};
use roastery_store::{Coin, KeptRequest, Listing, RequestState, StateKind, Store, StoreError};
use roastery_wallet::View;

use super::{known::GroupWallet, lock, to_send::SendingState};
use crate::{
    policy::PolicyEngine,
    service::{
        Service, ServiceError,
        group::{
            conflicts::is_over,
            service::{GroupService, key_of},
            turns::Lane,
        },
        now,
        payments::{PAYMENT_COUNTS, Payment, coin_of},
    },
};

/// How many requests are read at once.
const PAGE: usize = 64;

/// The most requests that are read of each state. Only a wallet whose payments a program makes has
/// more, and the program sees for itself that it makes each once.
const MOST_READ: usize = 4096;

/// The most requests of other members that are looked at for one payment.
const MOST_ASKED: usize = 64;

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Its request has ended here without a signature, and a share has left: others may still have
    /// it signed.
    Ended,
    /// It is signed, and its request has expired.
    Lapsed,
    /// It is signed, or approved or asked for here, and its request has not expired.
    Open,
}

/// A transaction that this node has approved, has given a share of, or is to send, and that is in
/// no block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UnderWay {
    session: SessionId,
    transaction: Transaction,
    standing: Standing,
}

impl UnderWay {
    /// The transaction of a request; `None` if it shows none.
    fn of(kept: &KeptRequest, at: u64) -> Option<Self> {
        let Subject::Transaction(bytes) = &kept.subject else { return None };
        // What was approved or asked for here could be read.
        let transaction = psbt::read(bytes).ok()?.decoded().unsigned_tx.clone();
        let session = kept.request.session_id();
        let has_expired = kept.request.expiry() <= at;
        let standing = match &kept.state {
            RequestState::Signed(_) if has_expired => Standing::Lapsed,
            RequestState::Signed(_) => Standing::Open,
            RequestState::Approved(_) if !has_expired => Standing::Open,
            RequestState::Proposed if !has_expired && kept.proposer.is_none() => Standing::Open,
            _ => Standing::Ended,
        };
        Some(Self { session, transaction, standing })
    }

    /// Whether it may still be confirmed beside another payment: it is in no block, and none of its
    /// coins is spent in one.
    fn is_open(&self, view: &View) -> bool {
        let txid = self.transaction.compute_txid();
        let coins: Vec<Coin> = self.coins().map(|coin| coin_of(&coin)).collect();
        !is_over(view, txid, &coins)
    }

    fn coins(&self) -> impl Iterator<Item = OutPoint> {
        self.transaction.input.iter().map(|input| input.previous_output)
    }

    /// Its coins that another transaction of this wallet could spend in its place.
    fn free_coins(&self, view: &View) -> Vec<OutPoint> {
        let is_free =
            |coin: &OutPoint| view.coins.get(coin).is_some_and(|known| known.spent_by.is_none());
        self.coins().filter(is_free).collect()
    }

    fn pays(&self, amount: Amount, to: &Script) -> bool {
        let outputs = &self.transaction.output;
        outputs.iter().any(|output| output.value == amount && output.script_pubkey == *to)
    }
}

/// The coins that are not chosen for another transaction.
pub(super) fn coins_of(under_way: &[UnderWay]) -> BTreeSet<OutPoint> {
    let kept = under_way.iter().filter(|one| one.standing != Standing::Ended);
    kept.flat_map(UnderWay::coins).collect()
}

/// The coins that no other transaction may spend, even if they are named: those of requests that
/// are open.
pub(super) fn open_coins_of(under_way: &[UnderWay]) -> BTreeSet<OutPoint> {
    let open = under_way.iter().filter(|one| one.standing == Standing::Open);
    open.flat_map(UnderWay::coins).collect()
}

/// A payment that is to be made: an amount, to whom, whether it may be made once more, and from
/// which coins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paying<'a> {
    pub(super) amount: Amount,
    pub(super) to: &'a Script,
    pub(super) again: bool,
    pub(super) inputs: &'a [OutPoint],
}

/// Another request that pays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AlreadyPaid {
    session: SessionId,
    reason: String,
}

impl From<AlreadyPaid> for ServiceError {
    fn from(AlreadyPaid { session, reason }: AlreadyPaid) -> Self {
        Self::AlreadyPaid { session: session.to_string(), reason }
    }
}

/// Why a payment is not made as it is asked for: one that is under way pays the same. `None` if
/// none does, or if what was said allows it: that it is paid once more and, where the other may
/// still come true and has a coin that is free, from a coin of that one, so that only one of both
/// can be confirmed.
pub(super) fn already_paid(
    under_way: &[UnderWay],
    paying: Paying<'_>,
    view: &View,
) -> Option<AlreadyPaid> {
    let Paying { amount, to, again, inputs } = paying;
    let same = || under_way.iter().filter(|one| one.pays(amount, to));
    // One coin of each that has one, as far as none is given.
    let replaced = same().filter(|one| one.standing != Standing::Open);
    let free = replaced.map(|one| one.free_coins(view));
    let needed: Vec<OutPoint> = free
        .filter(|coins| !coins.iter().any(|coin| inputs.contains(coin)))
        .filter_map(|coins| coins.first().copied())
        .collect();
    if again && needed.is_empty() {
        return None;
    }
    let session = same().next()?.session;
    let id = &session.to_string()[..8];
    let same = format!("request {id} pays the same amount to the same address and is in no block");
    if needed.is_empty() {
        let reason = format!(
            "{same} yet: roastery wallet fetch {id} sends it and says how far it is; with --again it is paid once more"
        );
        return Some(AlreadyPaid { session, reason });
    }
    let coins: Vec<String> = needed.iter().map(|coin| format!("--input {coin}")).collect();
    let reason = format!(
        "{same}. Its request has ended, and others may still have it signed and sent: roastery wallet fetch {id} sends it \
         if it is signed. To pay it once more give --again {}, coins of what is replaced by it, so that one of them is \
         confirmed and not both",
        coins.join(" ")
    );
    Some(AlreadyPaid { session, reason })
}

/// The transactions of requests in one state that changed within these seconds, by their ids.
fn in_state(
    store: &Store,
    groups: &[GroupId],
    state: StateKind,
    since: u64,
    mut take: impl FnMut(&KeptRequest),
) -> Result<(), StoreError> {
    let states = vec![state];
    let mut which = Listing { groups: groups.to_vec(), states, before: u64::MAX, limit: PAGE };
    for _ in 0..MOST_READ / PAGE {
        let page = store.list(&which)?;
        let Some(last) = page.last() else { return Ok(()) };
        let ends = last.changed < since;
        which.before = last.position;
        page.iter().filter(|kept| kept.changed >= since).for_each(&mut take);
        if ends {
            return Ok(());
        }
    }
    tracing::warn!(?state, most = MOST_READ, "older payments are not compared with a new one");
    Ok(())
}

/// All that may be under way: of these groups, of what has left under this key, and of what is to
/// be sent.
fn under_way(
    store: &Store,
    groups: &[GroupId],
    key: [u8; 32],
    sending: Vec<SessionId>,
    at: u64,
) -> Result<Vec<UnderWay>, StoreError> {
    let mut read = BTreeSet::new();
    // The parts of a transaction are one payment.
    let mut known: BTreeMap<Txid, UnderWay> = BTreeMap::new();
    let mut add = |kept: &KeptRequest| {
        let Some(one) = UnderWay::of(kept, at) else { return };
        let txid = one.transaction.compute_txid();
        let most = known.get(&txid).is_none_or(|other| other.standing < one.standing);
        if most {
            known.insert(txid, one);
        }
    };
    // What has not expired has changed within a request's longest life.
    let life = at.saturating_sub(MAX_LIFETIME_SECONDS);
    let counts = at.saturating_sub(PAYMENT_COUNTS);
    for (state, since) in
        [(StateKind::Approved, life), (StateKind::Proposed, life), (StateKind::Signed, counts)]
    {
        in_state(store, groups, state, since, |kept| {
            let is_asked = kept.proposer.is_none();
            let is_here = state != StateKind::Proposed || is_asked;
            let may_count = state == StateKind::Signed || kept.request.expiry() > at;
            if is_here && may_count {
                read.insert(kept.request.session_id());
                add(kept);
            }
        })?;
    }
    let mut others: BTreeSet<SessionId> = sending.into_iter().collect();
    store.audit_since(counts.saturating_mul(1000), |entry| {
        if entry.key == key && !entry.spending.coins.is_empty() {
            others.insert(entry.session);
        }
    })?;
    for session in others.difference(&read) {
        if let Some(kept) = store.request(*session)? {
            add(&kept);
        }
    }
    Ok(known.into_values().collect())
}

impl GroupService {
    /// Whether another member asks for one of these payments, by a transaction that spends none of
    /// these coins, is not decided here, and may still be confirmed.
    pub(super) async fn check_asked_once(
        &self,
        payments: Vec<Payment>,
        coins: &BTreeSet<OutPoint>,
        view: &View,
    ) -> Result<(), ServiceError> {
        let coins: Vec<_> = coins.iter().map(coin_of).collect();
        let alike = self.coins.alike(&coins, &payments);
        let mut payers: Vec<_> = alike.iter().filter(|one| one.pays.is_some()).collect();
        // Of too many these are read last: what was approved or signed seldom waits for a decision,
        // and what is under way is compared apart from this.
        payers.sort_by_key(|one| one.is_approved);
        let payers: Vec<SessionId> = payers.into_iter().map(|one| one.session).collect();
        let most = payers.len().min(MOST_ASKED);
        let read = move |store: &Store| {
            payers.into_iter().take(most).map(|session| store.request(session)).collect()
        };
        let found: Vec<Option<KeptRequest>> = self.shared.store(read).await?;
        let is_over = |kept: &KeptRequest| {
            let spent = self.coins.spent_by(kept.request.session_id());
            spent.is_some_and(|(txid, coins)| is_over(view, txid, &coins))
        };
        let asked = found.into_iter().flatten().find(|kept| {
            kept.state == RequestState::Proposed
                && kept.proposer.is_some()
                && kept.request.expiry() > now()
                && self.why_it_fails(kept.request.session_id()).is_none()
                && !is_over(kept)
        });
        let Some(kept) = asked else { return Ok(()) };
        let session = kept.request.session_id();
        let id = &session.to_string()[..8];
        let reason = format!(
            "another member asks for a payment of the same amount to the same address, which waits for a decision: \
             roastery requests {id} shows it, and roastery approve {id} approves it; with --again it is paid once more"
        );
        Err(AlreadyPaid { session, reason }.into())
    }
}

impl Service {
    /// Whether another transaction that is under way pays what this one pays to others, which is
    /// then made twice.
    pub(in crate::service) async fn check_paid_once(
        &self,
        group: &GroupService,
        wallet: &GroupWallet,
        psbt: &[u8],
    ) -> Result<(), ServiceError> {
        let view = wallet.view.now();
        let bytes = psbt.to_vec();
        let read = move |policy: &PolicyEngine| policy.read(&bytes);
        let spend = group.with_policy(Lane::Operator, read).await.map_err(ServiceError::Refused)?;
        let coins: BTreeSet<OutPoint> = spend.inputs().iter().map(|one| one.outpoint).collect();
        let mut under_way = self.under_way(group, wallet, &view).await?;
        // Of two that spend one coin one is confirmed: this one replaces the other, or is the same.
        under_way.retain(|one| !one.coins().any(|coin| coins.contains(&coin)));
        let paid = |(_, output): (usize, &Output)| {
            let (amount, to) = (output.amount, &*output.script);
            already_paid(&under_way, Paying { amount, to, again: false, inputs: &[] }, &view)
        };
        if let Some(paid) = spend.payments().find_map(paid) {
            return Err(paid.into());
        }
        let payments = spend.payments();
        let payments = payments.map(|(_, paid)| Payment::new(paid.amount, &paid.script)).collect();
        group.check_asked_once(payments, &coins, &view).await
    }

    /// The coins of a wallet that open requests spend which were not approved here.
    pub(super) async fn proposed_coins(
        &self,
        group: &GroupService,
        view: &View,
    ) -> Result<BTreeSet<OutPoint>, ServiceError> {
        let unspent = view.coins.iter().filter(|(_, coin)| coin.spent_by.is_none());
        let unspent: Vec<OutPoint> = unspent.map(|(outpoint, _)| *outpoint).collect();
        let spenders: Vec<(OutPoint, Vec<SessionId>)> = unspent
            .into_iter()
            .map(|coin| (coin, group.coins.proposed_for(&coin_of(&coin))))
            .filter(|(_, sessions)| !sessions.is_empty())
            .collect();
        let at = now();
        let read = move |store: &Store| {
            let mut open = BTreeSet::new();
            for (coin, sessions) in spenders {
                for session in sessions {
                    let kept = store.request(session)?;
                    let is_open = |kept: &KeptRequest| {
                        kept.state == RequestState::Proposed && kept.request.expiry() > at
                    };
                    if kept.as_ref().is_some_and(is_open) {
                        open.insert(coin);
                        break;
                    }
                }
            }
            Ok(open)
        };
        self.shared.store(read).await
    }

    /// What is under way in the wallet of a group, in all epochs of its key.
    pub(super) async fn under_way(
        &self,
        group: &GroupService,
        wallet: &GroupWallet,
        view: &View,
    ) -> Result<Vec<UnderWay>, ServiceError> {
        let key = key_of(&group.group);
        let groups = self.groups().into_iter().filter(|one| key_of(&one.group) == key);
        let groups: Vec<GroupId> = groups.map(|one| one.group.id()).collect();
        let sends = |state: &SendingState| !matches!(state, SendingState::Ended(_));
        let sending: Vec<SessionId> = lock(&wallet.sending)
            .iter()
            .filter(|one| sends(&one.state))
            .filter_map(|one| <[u8; 32]>::from_hex(&one.session).ok())
            .map(SessionId::from_bytes)
            .collect();
        let at = now();
        let read = move |store: &Store| under_way(store, &groups, key, sending, at);
        let mut found = self.shared.store(read).await?;
        found.retain(|one| one.is_open(view));
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
