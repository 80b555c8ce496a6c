//! Transactions that a person looks at before the group is asked to sign them.

use std::sync::Arc;

use roastery_bitcoin::spend::{Report, Spend};
use roastery_store::KeptRequest;

use super::proposing::{DraftSubject, NewRequest, RequestDraft};
use crate::{
    policy::Examined,
    service::{
        Service, ServiceError,
        answers::payment::PaymentDetails,
        group::{
            service::GroupService,
            shown::{Ruling, Seen, Shown},
            turns::Lane,
            warning::RequestWarning,
        },
    },
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
        let what = RequestDraft {
            subject,
            life: None,
            once: false,
            seen: None,
            send: false,
            waits: false,
        };
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
    /// What is seen of a request of another member for the same transaction as this new one, if
    /// that shows the same as the draft that was seen: what is approved is what was looked at.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Changed`] if it shows something else; [`ServiceError::Conflict`] names the
    /// request if that is so for the PSBT with which it was proposed.
    pub(super) async fn seen_waiting(
        self: &Arc<Self>,
        waiting: &KeptRequest,
        new: &NewRequest,
        examined: &Examined,
        draft: Seen,
    ) -> Result<Seen, ServiceError> {
        let elsewhere = self.read_elsewhere(waiting, examined.spend()).await;
        let subject = &new.kept.subject;
        let as_draft = self.shown_instead(subject, waiting, examined, &elsewhere);
        let reads_alike = waiting.subject == *subject
            || match (new.spend.clone(), examined.spend().cloned()) {
                (Some(own), Some(other)) => self.reads_alike(own, other).await?,
                _ => false,
            };
        if reads_alike && as_draft.is(draft) {
            let spend = examined.spend().map(|spend| &**spend);
            return Ok(self.shown(waiting, spend, &Ok(examined.clone()), &elsewhere).seen);
        }
        if waiting.subject == *subject {
            return Err(ServiceError::Changed);
        }
        let session = waiting.request.session_id().to_string();
        let id = &session[..8];
        let reason = format!(
            "request {id} asks for the same transaction with another PSBT, which shows something else: look at it \
             with roastery requests {id}, and approve it if it is to be signed"
        );
        Err(ServiceError::Conflict(reason.into()))
    }

    /// Whether two PSBTs of one transaction are described alike.
    async fn reads_alike(&self, one: Arc<Spend>, other: Arc<Spend>) -> Result<bool, ServiceError> {
        let compared = self
            .with_policy(Lane::Operator, move |policy| {
                let read = |spend: &Spend| Report::of(spend, policy.network()).to_string();
                Ok(read(&one) == read(&other))
            })
            .await;
        compared.map_err(ServiceError::Refused)
    }

    /// What is shown of a transaction before it is asked for; `None` for another subject.
    pub(super) async fn shown_before(self: &Arc<Self>, new: &NewRequest) -> Option<BeforeAsked> {
        let NewRequest { kept, examined, spend } = new;
        let spend = spend.as_ref()?;
        let elsewhere = self.read_elsewhere(kept, Some(spend)).await;
        let draft = self.shown_as_draft(kept, spend, examined, &elsewhere);
        let asked = self.shown(kept, Some(spend), examined, &elsewhere).seen;
        Some(BeforeAsked { draft, asked })
    }
}

#[cfg(test)]
mod tests {
    use roastery_bitcoin::wallet::Wallet;
    use roastery_store::{Listing, StateKind};
    use roastery_testkit::payments::{elsewhere, ordinary, spend_of};

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

    fn draft(spend: &Spend, seen: Option<Seen>) -> RequestDraft {
        let subject = DraftSubject::Transaction(spend.document().bytes().to_vec());
        RequestDraft { subject, life: None, once: false, seen, send: false, waits: false }
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
        let other = node.replacing(&spend, 1);
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
        let other = node.replacing(&spend, 1);
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
            let second = node.replacing(&first, 1);
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_draft_that_another_member_asks_for_is_approved_as_it_was_shown() {
        let node = node().await;
        let spend = spend(&node);
        let before = looked(&node, &spend).await;
        let session = node.asked(&spend, 9).await.0.request.session_id();
        // It was shown without the other request.
        let refused = node.group.propose(draft(&spend, Some(before.seen)), asking(0)).await;
        assert!(matches!(refused, Err(ServiceError::Changed)), "{refused:?}");
        assert!(!node.group.is_running(session));
        let after = looked(&node, &spend).await;
        let made = node.group.propose(draft(&spend, Some(after.seen)), asking(0)).await.unwrap();
        assert_eq!(made.kept.request.session_id(), session);
        assert_eq!(made.current.state, State::Approved);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_draft_that_another_member_shows_otherwise_is_not_approved_by_what_was_seen_of_it() {
        let node = node().await;
        let spend = spend(&node);
        // The output of the payee has a derivation, as change has.
        let mut psbt = spend.document().decoded().clone();
        let paid = psbt.unsigned_tx.output.iter().position(|one| one.script_pubkey == elsewhere());
        let script = &psbt.unsigned_tx.output.last().unwrap().script_pubkey;
        let key = bitcoin::XOnlyPublicKey::from_slice(&script.as_bytes()[2..]).unwrap();
        psbt.outputs[paid.unwrap()].tap_key_origins.insert(key, Default::default());
        let other = spend_of(psbt, &Wallet::new(node.members().clone()).unwrap());
        assert_eq!(other.messages().unwrap(), spend.messages().unwrap());
        let session = node.asked(&other, 9).await.0.request.session_id();
        let seen = looked(&node, &spend).await.seen;
        let refused = node.group.propose(draft(&spend, Some(seen)), asking(0)).await;
        let Err(ServiceError::Conflict(why)) = refused else { panic!("{refused:?}") };
        assert!(why.to_string().contains(&session.to_string()[..8]), "{why}");
        assert!(!node.group.is_running(session));
    }
}
