//! Transactions that a person looks at before the group is asked to sign them.

use std::sync::Arc;

use roastery_bitcoin::spend::{Report, Signing};

use super::proposing::{DraftSubject, NewRequest, RequestDraft};
use crate::service::{
    Service, ServiceError,
    answers::payment::PaymentDetails,
    group::{
        conflicts::CoinsElsewhere,
        service::GroupService,
        shown::{Ruling, Seen, Shown},
        turns::Lane,
        warning::RequestWarning,
    },
    wallet::coin_of,
};

/// A transaction that was examined, and that no member was asked to sign by that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExaminedTransaction {
    /// The PSBT.
    pub psbt: Vec<u8>,
    /// The description for people.
    pub report: String,
    /// What it pays; `None` if it is a proof of funds.
    pub payment: Option<PaymentDetails>,
    /// The warnings about it.
    pub warnings: Vec<RequestWarning>,
    /// What the policy says of it.
    pub ruling: Ruling,
    /// The hash of what is shown of it, by which a proposal says what was seen.
    pub seen: Seen,
}

impl Service {
    /// Examines a transaction as one that is asked for here. Nothing of it is stored.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if it is none, or the group has nothing to sign in it.
    pub async fn examine(
        &self,
        group: &str,
        psbt: Vec<u8>,
    ) -> Result<ExaminedTransaction, ServiceError> {
        let group = self.find_group(group)?;
        let subject = DraftSubject::Transaction(psbt);
        let what = RequestDraft { subject, life: None, once: false, seen: None, send: false };
        let new = group.read_proposal(what).await?;
        let missing = || ServiceError::Internal("a transaction that was not read".into());
        let spend = new.spend.clone().ok_or_else(missing)?;
        let BeforeAsked { draft: Shown { warnings, ruling, seen, .. }, .. } =
            group.shown_before(&new).await.ok_or_else(missing)?;
        let described = spend.clone();
        let (report, payment) = group
            .with_policy(Lane::Operator, move |policy| {
                let report = Report::of(&described, policy.network()).to_string();
                Ok((report, PaymentDetails::of(&described, policy.network())))
            })
            .await
            .map_err(ServiceError::Refused)?;
        Ok(ExaminedTransaction {
            psbt: spend.document().bytes().to_vec(),
            report,
            payment,
            warnings,
            ruling: ruling.ok_or_else(missing)?,
            seen,
        })
    }
}

/// What is shown of a transaction before it is asked for.
pub(super) struct BeforeAsked {
    pub(super) draft: Shown,
    /// What its request shows when it is stored, if nothing changes until then.
    pub(super) asked: Seen,
}

impl GroupService {
    /// What is shown of a transaction before it is asked for; `None` for another subject.
    pub(super) async fn shown_before(self: &Arc<Self>, new: &NewRequest) -> Option<BeforeAsked> {
        let NewRequest { kept, examined, spend } = new;
        let spend = spend.as_ref()?;
        let ours = spend.inputs().iter().filter(|input| input.signing != Signing::NotOurs);
        let coins: Vec<_> = ours.map(|input| coin_of(&input.outpoint)).collect();
        let others = self.coins.spenders(&coins);
        let unread = others.len();
        let (group, asked) = (self.clone(), kept.clone());
        let read = self.shared.store(move |store| {
            group.elsewhere_among(&asked, others, |other| store.request(other))
        });
        let elsewhere = read.await.unwrap_or_else(|_| CoinsElsewhere::unread(unread));
        let draft = self.shown_as_draft(kept, spend, examined, &elsewhere);
        let asked = self.shown(kept, Some(spend), examined, &elsewhere).seen;
        Some(BeforeAsked { draft, asked })
    }
}

#[cfg(test)]
mod tests {
    use roastery_bitcoin::{spend::Spend, wallet::Wallet};
    use roastery_store::{Listing, StateKind};
    use roastery_testkit::payments::{ordinary, spend_of};

    use super::*;
    use crate::{
        config::{PolicyConfig, SubjectKind},
        service::{
            fixture::{TestNode, asking},
            group::state::State,
        },
    };

    async fn node() -> TestNode {
        let kinds = vec![SubjectKind::Transaction];
        TestNode::with(PolicyConfig { kinds, ..Default::default() }).await
    }

    fn spend(node: &TestNode) -> Spend {
        let wallet = Wallet::new(node.members().clone()).unwrap();
        spend_of(ordinary(&wallet), &wallet)
    }

    /// Another transaction with the same coins.
    fn other(node: &TestNode, spend: &Spend) -> Spend {
        let mut other = spend.document().decoded().clone();
        other.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_height(1).unwrap();
        spend_of(other, &Wallet::new(node.members().clone()).unwrap())
    }

    fn draft(spend: &Spend, seen: Option<Seen>) -> RequestDraft {
        let subject = DraftSubject::Transaction(spend.document().bytes().to_vec());
        RequestDraft { subject, life: None, once: false, seen, send: false }
    }

    async fn looked(node: &TestNode, spend: &Spend) -> Shown {
        let new = node.group.read_proposal(draft(spend, None)).await.unwrap();
        node.group.shown_before(&new).await.unwrap().draft
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_seen_of_a_draft_is_what_is_proposed_and_nothing_else() {
        let node = node().await;
        let spend = spend(&node);
        let seen = looked(&node, &spend).await;
        assert_eq!(looked(&node, &spend).await, seen, "it does not change by itself");
        // Another transaction, of which nothing was seen.
        let other = other(&node, &spend);
        let refused = node.group.propose(draft(&other, Some(seen.seen)), asking(0)).await;
        assert!(matches!(refused, Err(ServiceError::Changed)), "{refused:?}");
        let which = Listing {
            groups: vec![node.members().id()],
            states: vec![StateKind::Proposed, StateKind::Approved],
            before: u64::MAX,
            limit: 9,
        };
        let stored = node.shared.store(move |store| store.list(&which)).await.unwrap();
        assert!(stored.is_empty(), "{stored:?}");
        let made = node.group.propose(draft(&spend, Some(seen.seen)), asking(0)).await.unwrap();
        assert_eq!(made.current.state, State::Approved);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_draft_whose_coin_another_request_spends_meanwhile_is_shown_otherwise() {
        let node = node().await;
        let spend = spend(&node);
        let before = looked(&node, &spend).await;
        assert_eq!(before.warnings, []);
        let other = other(&node, &spend);
        node.group.propose(draft(&other, None), asking(0)).await.unwrap();
        let after = looked(&node, &spend).await;
        assert!(after.warnings.iter().any(|one| one.code == "spent_twice"), "{after:?}");
        let refused = node.group.propose(draft(&spend, Some(before.seen)), asking(0)).await;
        assert!(matches!(refused, Err(ServiceError::Changed)), "{refused:?}");
        node.group.propose(draft(&spend, Some(after.seen)), asking(0)).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_drafts_with_one_coin_that_are_proposed_at_once_two_are_never_approved() {
        for _ in 0..6 {
            let node = node().await;
            let first = spend(&node);
            let second = other(&node, &first);
            let seen = [looked(&node, &first).await.seen, looked(&node, &second).await.seen];
            let propose = |spend: &Spend, seen| {
                let (group, draft) = (node.group.clone(), draft(spend, Some(seen)));
                tokio::spawn(async move { group.propose(draft, asking(0)).await })
            };
            let both = [propose(&first, seen[0]), propose(&second, seen[1])];
            let [one, two] = futures_util::future::join_all(both).await.try_into().unwrap();
            let approved = [one.unwrap(), two.unwrap()].into_iter().filter_map(Result::ok).count();
            assert!(approved <= 1, "neither was shown with the other");
        }
    }
}
