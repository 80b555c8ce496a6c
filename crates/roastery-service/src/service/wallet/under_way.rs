//! What a wallet pays already and is in no block: the same asked for again would be paid twice,
//! from other coins.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use bitcoin::{Amount, OutPoint, Script, Transaction, hashes::Hash as _, hex::FromHex as _};
use roastery_bitcoin::{
    psbt,
    spend::{Output, Payee},
};
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
            service::{GroupService, key_of},
            turns::Lane,
        },
        now,
    },
};

fn coin_of(outpoint: &OutPoint) -> Coin {
    Coin { transaction: outpoint.txid.to_byte_array(), output: outpoint.vout }
}

/// How many requests are read at once.
const PAGE: usize = 64;

/// The most requests that are read of each kind. Only a wallet whose payments a program makes has
/// more in a week, and the program sees for itself that it makes each once.
const MOST_READ: usize = 4096;

/// A transaction that this node has approved, has given a share of, or is to send, and that is in
/// no block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UnderWay {
    session: SessionId,
    transaction: Transaction,
    /// Whether its request has ended without a signature here. A share of it has left, so others
    /// may still have it signed; its coins may be spent by another transaction, which then replaces
    /// it.
    has_ended: bool,
}

impl UnderWay {
    /// The transaction of a request; `None` if it shows none.
    fn of(kept: &KeptRequest, at: u64) -> Option<Self> {
        let Subject::Transaction(bytes) = &kept.subject else { return None };
        // What was approved or asked for here could be read.
        let transaction = psbt::read(bytes).ok()?.decoded().unsigned_tx.clone();
        let session = kept.request.session_id();
        let is_open = matches!(kept.state, RequestState::Approved(_) | RequestState::Signed(_));
        let has_ended = !is_open || kept.request.expiry() <= at;
        Some(Self { session, transaction, has_ended })
    }

    /// Whether it may still be confirmed beside another payment: it is in no block, and none of its
    /// coins is spent in one.
    fn is_open(&self, view: &View) -> bool {
        let txid = self.transaction.compute_txid();
        let is_in_block = view.heights.get(&txid).is_some_and(Option::is_some);
        let is_spent = |coin: &OutPoint| {
            let by = view.coins.get(coin).and_then(|coin| coin.spent_by);
            by.is_some_and(|by| by.confirmed && by.txid != txid)
        };
        !is_in_block && !self.coins().any(|coin| is_spent(&coin))
    }

    fn coins(&self) -> impl Iterator<Item = OutPoint> {
        self.transaction.input.iter().map(|input| input.previous_output)
    }

    fn pays(&self, amount: Amount, to: &Script) -> bool {
        let outputs = &self.transaction.output;
        outputs.iter().any(|output| output.value == amount && output.script_pubkey == *to)
    }
}

/// The coins that no other transaction may spend.
pub(super) fn coins_of(under_way: &[UnderWay]) -> BTreeSet<OutPoint> {
    under_way.iter().filter(|one| !one.has_ended).flat_map(UnderWay::coins).collect()
}

/// Why a payment is not made as it is asked for: one that is under way pays the same. `None` if
/// none does, or if what was said allows it: that it is paid once more and, where the other may be
/// signed by others still, from a coin of that one, so that only one of both can be confirmed.
pub(super) fn already_paid(
    under_way: &[UnderWay],
    (amount, to): (Amount, &Script),
    again: bool,
    inputs: &[OutPoint],
) -> Option<String> {
    let mut same = under_way.iter().filter(|one| one.pays(amount, to));
    let stops = |one: &&UnderWay| match one.has_ended {
        false => !again,
        true => !again || !one.coins().any(|coin| inputs.contains(&coin)),
    };
    let one = same.find(stops)?;
    let id = &one.session.to_string()[..8];
    Some(match (one.has_ended, one.coins().next()) {
        (true, Some(coin)) => format!(
            "request {id} pays the same amount to the same address. It has ended here, and a share of it has left, so \
             that others may still have it signed: pay it again with --again --input {coin}, a coin of that one, so that \
             only one of both can be confirmed"
        ),
        _ => format!(
            "request {id} pays the same amount to the same address and is in no block yet: roastery wallet fetch {id} \
             sends it and says how far it is; with --again it is paid once more"
        ),
    })
}

/// What was approved here or signed, and has not expired, in these groups.
fn approved(store: &Store, groups: Vec<GroupId>, at: u64) -> Result<Vec<KeptRequest>, StoreError> {
    let states = vec![StateKind::Approved, StateKind::Signed];
    let mut which = Listing { groups, states, before: u64::MAX, limit: PAGE };
    let (mut found, mut read) = (Vec::new(), 0);
    while read < MOST_READ {
        let page = store.list(&which)?;
        let Some(last) = page.last() else { break };
        // What has changed before a request's longest life has expired.
        let ends = last.changed.saturating_add(MAX_LIFETIME_SECONDS) < at;
        which.before = last.position;
        read += page.len();
        found.extend(page.into_iter().filter(|kept| kept.request.expiry() > at));
        if ends {
            return Ok(found);
        }
    }
    if read >= MOST_READ {
        tracing::warn!(read, "older payments are not compared with a new one");
    }
    Ok(found)
}

/// The sessions of transactions of a key of which a share has left here, the latest.
fn released(store: &Store, key: [u8; 32]) -> Result<BTreeSet<SessionId>, StoreError> {
    let latest = store.audit_latest(MOST_READ)?;
    let of_key = latest.into_iter().filter(|entry| entry.key == key);
    Ok(of_key.filter(|entry| !entry.spending.coins.is_empty()).map(|entry| entry.session).collect())
}

/// All that may be under way: of these groups, of what has left under this key, and of what is to
/// be sent.
fn under_way(
    store: &Store,
    groups: Vec<GroupId>,
    key: [u8; 32],
    sending: Vec<SessionId>,
    at: u64,
) -> Result<Vec<UnderWay>, StoreError> {
    let mut known = BTreeMap::new();
    for kept in approved(store, groups, at)? {
        known.insert(kept.request.session_id(), UnderWay::of(&kept, at));
    }
    for session in released(store, key)?.into_iter().chain(sending) {
        if let Entry::Vacant(entry) = known.entry(session) {
            let kept = store.request(session)?;
            entry.insert(kept.and_then(|kept| UnderWay::of(&kept, at)));
        }
    }
    Ok(known.into_values().flatten().collect())
}

impl Service {
    /// Whether another transaction that is under way pays what this one pays to others, which is
    /// then made twice.
    pub(in crate::service) async fn check_paid_once(
        &self,
        group: &GroupService,
        psbt: &[u8],
    ) -> Result<(), ServiceError> {
        let wallet = self.wallet_of(group)?;
        let view = wallet.view.now();
        let bytes = psbt.to_vec();
        let read = move |policy: &PolicyEngine| policy.read(&bytes);
        let spend = group.with_policy(Lane::Operator, read).await.map_err(ServiceError::Refused)?;
        let coins: BTreeSet<OutPoint> = spend.inputs().iter().map(|one| one.outpoint).collect();
        let mut under_way = self.under_way(group, &wallet, &view).await?;
        // Of two that spend one coin one is confirmed: this one replaces the other, or is the same.
        under_way.retain(|one| !one.coins().any(|coin| coins.contains(&coin)));
        let mut others = spend.outputs().iter().filter(|output| output.payee == Payee::Other);
        let paid =
            |output: &Output| already_paid(&under_way, (output.amount, &output.script), false, &[]);
        match others.find_map(paid) {
            Some(reason) => Err(ServiceError::Conflict(reason.into())),
            None => Ok(()),
        }
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
        let waits = |state: &SendingState| matches!(state, SendingState::Waiting(_));
        let sending: Vec<SessionId> = lock(&wallet.sending)
            .iter()
            .filter(|one| waits(&one.state))
            .filter_map(|one| <[u8; 32]>::from_hex(&one.session).ok())
            .map(SessionId::from_bytes)
            .collect();
        let at = now();
        let read = move |store: &Store| under_way(store, groups, key, sending, at);
        let mut found = self.shared.store(read).await?;
        found.retain(|one| one.is_open(view));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{BlockHash, Txid};
    use roastery_bitcoin::{spend::Spender, wallet::Wallet};
    use roastery_protocol::request::Proposal;
    use roastery_testkit::{
        payments::{elsewhere, ordinary, spend_of},
        seat,
    };
    use roastery_wallet::Coin as ChainCoin;

    use super::*;
    use crate::{
        config::{PolicyConfig, SubjectKind},
        service::{
            DecidedAbout, DraftSubject, RequestDraft,
            fixture::{TestNode, asking},
        },
    };

    async fn node() -> TestNode {
        let kinds = vec![SubjectKind::Transaction];
        TestNode::with(PolicyConfig { kinds, ..Default::default() }).await
    }

    fn payment(node: &TestNode) -> UnderWay {
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let transaction = ordinary(&wallet).unsigned_tx;
        UnderWay { session: SessionId::from_bytes([7; 32]), transaction, has_ended: false }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_others_only_propose_keeps_no_coin_and_what_is_approved_here_does() {
        let node = node().await;
        let mut events = node.shared.events.subscribe();
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let spend = spend_of(ordinary(&wallet), &wallet);
        let expiry = now() + 600;
        let request = spend.requests([1; 32], expiry).unwrap().remove(0);
        let (session, group) = (request.session_id(), node.members().id());
        let subject = Subject::Transaction(spend.document().bytes().to_vec());
        node.group.receive_proposal(seat(1), Proposal { request, subject }).await.unwrap();
        while events.recv().await.unwrap().kind != "pending" {}
        let key = node.key();
        let kept = async |at| {
            let read = move |store: &Store| under_way(store, vec![group], key, Vec::new(), at);
            node.shared.store(read).await.unwrap()
        };
        assert_eq!(kept(now()).await, []);

        let about = DecidedAbout::default();
        node.group.approve_as_operator(node.kept(session).await, about, asking(0)).await.unwrap();
        let transaction = spend.transaction().clone();
        assert_eq!(kept(now()).await, [UnderWay { session, transaction, has_ended: false }]);
        assert_eq!(kept(expiry).await, [], "it has expired, and no share has left");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_payment_whose_share_has_left_is_under_way_after_its_request_has_ended() {
        let mut node = TestNode::with(PolicyConfig {
            kinds: vec![SubjectKind::Transaction],
            ..Default::default()
        })
        .await;
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let spend = spend_of(ordinary(&wallet), &wallet);
        let subject = DraftSubject::Transaction(spend.document().bytes().to_vec());
        let draft = RequestDraft { subject, life: None, once: false };
        let request = node.group.propose(draft, asking(0)).await.unwrap().kept.request;
        let state = node.signed_by_both(&request).await;
        assert!(matches!(state, RequestState::Signed(_)), "{state:?}");
        let (group, key, session) = (node.members().id(), node.key(), request.session_id());
        let at = request.expiry() + 1;
        let read = move |store: &Store| under_way(store, vec![group], key, Vec::new(), at);
        let found = node.shared.store(read).await.unwrap();
        let transaction = spend.transaction().clone();
        assert_eq!(found, [UnderWay { session, transaction, has_ended: true }]);
        assert_eq!(coins_of(&found), [].into(), "another transaction may replace it");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_payment_is_found_by_its_amount_and_payee_and_by_nothing_less() {
        let mut one = payment(&node().await);
        let paid = one.transaction.output.iter().find(|one| one.script_pubkey == elsewhere());
        let (amount, to) = (paid.unwrap().value, elsewhere());
        let coin = one.coins().next().unwrap();
        let paid = |one: &UnderWay, amount, to: &Script, again, inputs: &[OutPoint]| {
            already_paid(std::slice::from_ref(one), (amount, to), again, inputs)
        };
        let stopped = paid(&one, amount, &to, false, &[coin]).unwrap();
        assert!(stopped.contains("with --again it is paid once more"), "{stopped}");
        assert_eq!(paid(&one, amount, &to, true, &[]), None);
        assert_eq!(paid(&one, amount + Amount::ONE_SAT, &to, false, &[]), None);
        assert_eq!(paid(&one, amount, Script::new(), false, &[]), None);
        assert_eq!(coins_of(std::slice::from_ref(&one)).len(), one.transaction.input.len());

        // Where others may still have it signed, one of both can be confirmed.
        one.has_ended = true;
        for (again, inputs) in [(false, vec![]), (true, vec![]), (false, vec![coin])] {
            let stopped = paid(&one, amount, &to, again, &inputs).unwrap();
            assert!(stopped.contains(&format!("--again --input {coin}")), "{stopped}");
        }
        assert_eq!(paid(&one, amount, &to, true, &[coin]), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_in_a_block_or_can_never_be_is_not_under_way() {
        let one = payment(&node().await);
        let txid = one.transaction.compute_txid();
        let mut view = View { tip: Some((9, BlockHash::all_zeros())), ..View::default() };
        assert!(one.is_open(&view));
        view.heights.insert(txid, None);
        assert!(one.is_open(&view), "in no block yet");
        view.heights.insert(txid, Some(9));
        assert!(!one.is_open(&view));

        let coin = one.coins().next().unwrap();
        let spent = |txid, confirmed| {
            let output = one.transaction.output[0].clone();
            let spent_by = Some(Spender { txid, confirmed });
            let coin_now = ChainCoin { output, path: (0, 0), height: Some(1), spent_by };
            View { coins: [(coin, coin_now)].into(), ..View::default() }
        };
        let other = Txid::from_byte_array([9; 32]);
        assert!(one.is_open(&spent(txid, true)) && one.is_open(&spent(other, false)));
        assert!(!one.is_open(&spent(other, true)));
    }
}
