//! What a wallet pays already and is in no block: the same asked for again would be paid twice,
//! from other coins.

use std::collections::BTreeSet;

use bitcoin::{Amount, OutPoint, Script, Transaction, hex::FromHex as _};
use roastery_bitcoin::psbt;
use roastery_protocol::{
    GroupId, SessionId,
    request::{MAX_LIFETIME_SECONDS, Subject},
};
use roastery_store::{KeptRequest, Listing, RequestState, StateKind, Store, StoreError};
use roastery_wallet::View;

use super::{known::GroupWallet, lock, to_send::SendingState};
use crate::service::{
    Service, ServiceError,
    group::service::{GroupService, key_of},
    now,
};

/// How many requests are read at once.
const PAGE: usize = 64;

/// The most requests that are read. As many are signed in a week by a wallet only whose payments a
/// program makes, which must see for itself that it makes each once.
const MOST_READ: usize = 4096;

/// A transaction that this node has approved or is to send, and that is in no block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UnderWay {
    session: SessionId,
    transaction: Transaction,
}

impl UnderWay {
    /// The transaction of a request; `None` if it shows none.
    fn of(kept: &KeptRequest) -> Option<Self> {
        let Subject::Transaction(bytes) = &kept.subject else { return None };
        // What was approved or asked for here could be read.
        let transaction = psbt::read(bytes).ok()?.decoded().unsigned_tx.clone();
        Some(Self { session: kept.request.session_id(), transaction })
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

/// All coins that these spend.
pub(super) fn coins_of(under_way: &[UnderWay]) -> BTreeSet<OutPoint> {
    under_way.iter().flat_map(UnderWay::coins).collect()
}

/// The request that pays this amount to this script, if one does.
pub(super) fn payment_in(under_way: &[UnderWay], amount: Amount, to: &Script) -> Option<SessionId> {
    under_way.iter().find(|one| one.pays(amount, to)).map(|one| one.session)
}

/// What was approved here or signed, and has not expired, in these groups.
fn approved(store: &Store, groups: Vec<GroupId>, at: u64) -> Result<Vec<UnderWay>, StoreError> {
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
        let lasting = page.iter().filter(|kept| kept.request.expiry() > at);
        found.extend(lasting.filter_map(UnderWay::of));
        if ends {
            break;
        }
    }
    Ok(found)
}

impl Service {
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
        let mut found = self
            .shared
            .store(move |store| {
                let mut found = approved(store, groups, at)?;
                for session in sending {
                    let kept = store.request(session)?;
                    let ends = |state: &RequestState| {
                        matches!(state, RequestState::Refused(_) | RequestState::Stopped(_))
                    };
                    let kept = kept.filter(|kept| !ends(&kept.state));
                    found.extend(kept.as_ref().and_then(UnderWay::of));
                }
                Ok(found)
            })
            .await?;
        found.retain(|one| one.is_open(view));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{BlockHash, Txid, hashes::Hash as _};
    use roastery_bitcoin::{spend::Spender, wallet::Wallet};
    use roastery_protocol::request::Proposal;
    use roastery_testkit::{
        payments::{elsewhere, ordinary, spend_of},
        seat,
    };
    use roastery_wallet::Coin;

    use super::*;
    use crate::{
        config::{PolicyConfig, SubjectKind},
        service::{
            DecidedAbout,
            fixture::{TestNode, asking},
        },
    };

    async fn node() -> TestNode {
        let kinds = vec![SubjectKind::Transaction];
        TestNode::with(PolicyConfig { kinds, ..Default::default() }).await
    }

    fn under_way(node: &TestNode) -> UnderWay {
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let transaction = ordinary(&wallet).unsigned_tx;
        UnderWay { session: SessionId::from_bytes([7; 32]), transaction }
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
        let kept = async |at| {
            node.shared.store(move |store| approved(store, vec![group], at)).await.unwrap()
        };
        assert_eq!(kept(now()).await, []);

        let about = DecidedAbout::default();
        node.group.approve_as_operator(node.kept(session).await, about, asking(0)).await.unwrap();
        let transaction = spend.transaction().clone();
        assert_eq!(kept(now()).await, [UnderWay { session, transaction }]);
        assert_eq!(kept(expiry).await, [], "expired");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_payment_is_found_by_its_amount_and_payee_and_by_nothing_less() {
        let one = under_way(&node().await);
        let paid = one.transaction.output.iter().find(|one| one.script_pubkey == elsewhere());
        let (amount, session) = (paid.unwrap().value, one.session);
        let all = [one];
        assert_eq!(payment_in(&all, amount, &elsewhere()), Some(session));
        assert_eq!(payment_in(&all, amount + Amount::ONE_SAT, &elsewhere()), None);
        assert_eq!(payment_in(&all, amount, Script::new()), None);
        assert_eq!(coins_of(&all).len(), all[0].transaction.input.len());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_in_a_block_or_can_never_be_is_not_under_way() {
        let one = under_way(&node().await);
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
            let coin_now = Coin { output, path: (0, 0), height: Some(1), spent_by };
            View { coins: [(coin, coin_now)].into(), ..View::default() }
        };
        let other = Txid::from_byte_array([9; 32]);
        assert!(one.is_open(&spent(txid, true)) && one.is_open(&spent(other, false)));
        assert!(!one.is_open(&spent(other, true)));
    }
}
