//! Requests that are made here.

use std::sync::Arc;

use roastery_bitcoin::{
    policy::Refusal as TransactionRefusal,
    spend::{Spend, SpendRequestError},
};
use roastery_protocol::request::{
    Derivation, MAX_LIFETIME_SECONDS, MessageToSign, SigningRequest, Subject,
};
use roastery_store::{Deed, Durability, KeptRequest, Listing, Principal, RequestState, StateKind};

use crate::{
    config::ApprovalMode,
    policy::{Examined, Refusal},
    service::{
        Service, ServiceError,
        answers::known::KnownRequest,
        asking::{Asking, act},
        group::{service::GroupService, shown::Seen, turns::Lane},
        now,
    },
};

/// The life of a request, in seconds, if none is given.
const USUAL_LIFE: u64 = 3600;

/// The most requests that wait for a decision here and were asked for by who may not approve, and
/// how many of those that wait are looked at for it.
const MOST_WAITING: usize = 64;
const MOST_LOOKED_AT: usize = 256;

/// What a client asks the group to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDraft {
    /// What is to be signed.
    pub subject: DraftSubject,
    /// The request expires after this many seconds; an hour if `None`.
    pub life: Option<u64>,
    /// Whether it is refused if a transaction that is under way pays the same. It takes a chain
    /// source.
    pub once: bool,
    /// What was seen of it when it was examined, if it is a transaction: if it is shown otherwise
    /// now, it is not asked for.
    pub seen: Option<Seen>,
    /// Whether this node sends the transaction as soon as it is signed. It takes a chain source.
    pub send: bool,
    /// Whether it waits for a decision of this node, as what other members propose does: who asks
    /// may not approve.
    pub waits: bool,
}

/// What a client asks the group to sign.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftSubject {
    /// A text, as the group's address of this path: its own address without steps, or one of its
    /// wallet.
    Text(String, Vec<u32>),
    /// Bare hashes, with the key of this derivation.
    Hashes(Vec<[u8; 32]>, Derivation),
    /// A PSBT, in binary or in base64. It says which keys sign.
    Transaction(Vec<u8>),
}

/// A request that a client asks for, read and examined, and not stored.
pub(super) struct NewRequest {
    pub(super) kept: KeptRequest,
    pub(super) examined: Result<Examined, Refusal>,
    /// Its transaction, if it is one.
    pub(super) spend: Option<Arc<Spend>>,
}

impl Service {
    /// Makes a request, approves it here, and proposes it to the others; of a transaction with more
    /// signatures than a session makes as many as it takes, of which the first is returned. If
    /// there is a request for the same transaction already, signed or open, none is made: that one
    /// is approved here.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the input is invalid; [`ServiceError::Refused`] if this node's
    /// own rules do not allow it.
    pub async fn propose(
        self: &Arc<Self>,
        group: &str,
        what: RequestDraft,
        by: Principal,
    ) -> Result<KnownRequest, ServiceError> {
        let asking = Asking { by, after: self.shared.rejections.last() };
        let group = self.find_group(group)?;
        let send = what.send;
        if send {
            self.check_sending(&group)?;
        }
        let known = self.propose_in(&group, what, asking).await?;
        if send {
            // A request that is there and is not sent is worse than an answer that says so.
            let session = known.kept.request.session_id();
            self.send_when_signed(&session.to_string()).await?;
        }
        Ok(known)
    }

    async fn propose_in(
        self: &Arc<Self>,
        group: &Arc<GroupService>,
        what: RequestDraft,
        asking: Asking,
    ) -> Result<KnownRequest, ServiceError> {
        if !what.once {
            return group.propose(what, asking).await;
        }
        // Of two that ask at once the second sees what the first has asked for.
        let wallet = self.wallet_of(group)?;
        let _paying = wallet.paying.lock().await;
        if let DraftSubject::Transaction(psbt) = &what.subject {
            self.check_paid_once(group, &wallet, psbt).await?;
        }
        group.propose(what, asking).await
    }
}

impl GroupService {
    /// Makes a request, approves it and proposes it, or leaves it to whom this node's policy names.
    /// A rejection after it was asked for stays.
    pub(in crate::service) async fn propose(
        self: &Arc<Self>,
        what: RequestDraft,
        asking: Asking,
    ) -> Result<KnownRequest, ServiceError> {
        let (draft, waits) = (what.seen, what.waits);
        let new = self.read_proposal(what).await?;
        let seen = match draft {
            None => None,
            Some(seen) => match self.shown_before(&new).await {
                // It is compared once more when the approval takes effect.
                Some(before) if before.draft.is(seen) => Some(before.asked),
                _ => return Err(ServiceError::Changed),
            },
        };
        let NewRequest { kept, examined, spend } = &new;
        if let Some(spend) = spend
            && let Some(parts) = self.requests_for(kept, spend).await?
            && let Some(first) = parts.first()
        {
            // This approves the request that another member has proposed.
            let waiting = parts.iter().find(|part| part.state == RequestState::Proposed);
            let approves = !waits && self.approval_mode() != ApprovalMode::Command;
            let waiting = waiting.filter(|_| approves);
            let Some(waiting) = waiting else { return self.acknowledge(first, None).await };
            let spend = Some(spend.clone()).filter(|_| waiting.subject == kept.subject);
            let examined = self.examine_for(Lane::Operator, waiting, spend).await;
            let examined = examined.map_err(ServiceError::Refused)?;
            let seen = match draft {
                None => None,
                Some(draft) => Some(self.seen_waiting(waiting, &new, &examined, draft).await?),
            };
            self.approve_parts(waiting, &examined, asking, seen).await?;
            let of_first = Some(&examined).filter(|_| waiting.subject == first.subject);
            return self.acknowledge(first, of_first).await;
        }
        let refused = ServiceError::Refused;
        // A request that the rules forbid is not stored.
        let examined = examined.clone().map_err(refused)?;
        self.check(&examined).map_err(refused)?;
        let conflicts = self.conflicts_now(kept, spend.as_ref()).await;
        self.check_paid_once(&conflicts).map_err(refused)?;
        if waits {
            self.check_waiting().await?;
        }
        self.note_examined(&kept.request, &examined);
        let (request, subject, since) = (kept.request.clone(), kept.subject.clone(), kept.since);
        let (group, session) = (request.group(), request.session_id());
        let made = act(asking.by.clone(), Deed::Proposed { group, session });
        self.shared
            .write(Durability::Deferred, move |change| {
                change.append_act(&made)?;
                change.add_request(&request, &subject, None, since)
            })
            .await?;
        let begun = match self.approval_mode() {
            _ if waits => self.evaluate_parts(kept, &examined).await,
            ApprovalMode::Command => self.evaluate_parts(kept, &examined).await,
            _ => self.approve_parts(kept, &examined, asking, seen).await,
        };
        if let Err(error) = begun {
            self.give_up_parts(kept, &examined, &error).await;
            return Err(error);
        }
        self.acknowledge(kept, Some(&examined)).await
    }

    /// Who may not approve has a limited number of requests wait here.
    async fn check_waiting(&self) -> Result<(), ServiceError> {
        let (groups, states) = (vec![self.group.id()], vec![StateKind::Proposed]);
        let which = Listing { groups, states, before: u64::MAX, limit: MOST_LOOKED_AT };
        let waiting = self.shared.store(move |store| store.list(&which)).await?;
        let own = waiting.iter().filter(|kept| kept.proposer.is_none()).count();
        if own < MOST_WAITING {
            return Ok(());
        }
        let reason = format!(
            "{MOST_WAITING} requests that were asked for here wait for a decision of this node, \
             which is the most: have some approved or rejected first"
        );
        Err(ServiceError::TooMany(reason.into()))
    }

    /// Reads the input: its subject, its messages, and what is found in it. A transaction is parsed
    /// here and not again.
    pub(super) async fn read_proposal(
        &self,
        what: RequestDraft,
    ) -> Result<NewRequest, ServiceError> {
        let RequestDraft { subject, life, .. } = what;
        let life = life.unwrap_or(USUAL_LIFE);
        if !(1..=MAX_LIFETIME_SECONDS).contains(&life) {
            let reason = format!("expires_in is {life}; 1 to {MAX_LIFETIME_SECONDS} are allowed");
            return Err(ServiceError::Invalid(reason.into()));
        }
        let mut id = [0; 32];
        getrandom::fill(&mut id)
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        let at = now();
        let group = self.group.id();
        let request = move |messages| SigningRequest::new(group, id, at + life, messages);
        let messages = |messages: Vec<[u8; 32]>, derivation: Derivation| {
            let entry = |message| MessageToSign { message, derivation: derivation.clone() };
            messages.into_iter().map(entry).collect()
        };
        let (subject, messages) = match subject {
            DraftSubject::Text(text, path) => {
                let message = self.policy.wallet().text_message(&path, &text);
                let message = message.map_err(|error| ServiceError::Invalid(error.into()))?;
                (Subject::Text(text), vec![message])
            }
            DraftSubject::Hashes(hashes, derivation) => {
                (Subject::Hash, messages(hashes, derivation))
            }
            DraftSubject::Transaction(psbt) => {
                let read = self
                    .with_policy(Lane::Operator, move |policy| {
                        let spend = Arc::new(policy.read(&psbt)?);
                        let subject = Subject::Transaction(spend.document().bytes().to_vec());
                        let requests = match spend.requests(id, at + life) {
                            Ok(requests) => requests,
                            Err(SpendRequestError::CannotSign(error)) => {
                                return Err(TransactionRefusal::from(error).into());
                            }
                            Err(error) => return Ok(Err(ServiceError::Invalid(error.into()))),
                        };
                        // If there are others they follow from the first.
                        let request = requests.into_iter().next().ok_or(Refusal::Unavailable)?;
                        let kept = KeptRequest::proposed(request, subject, None, at);
                        let examined = policy.examine(&kept, Some(spend.clone()));
                        Ok(Ok(NewRequest { kept, examined, spend: Some(spend) }))
                    })
                    .await;
                return read.map_err(|refusal| ServiceError::Invalid(refusal.into()))?;
            }
        };
        let kept = KeptRequest::proposed(request(messages)?, subject, None, at);
        let examined = self.policy.examine(&kept, None);
        Ok(NewRequest { kept, examined, spend: None })
    }
}

#[cfg(test)]
mod tests {
    use roastery_bitcoin::wallet::Wallet;
    use roastery_protocol::request::{Policy as _, RefusalReason, Step};
    use roastery_store::Decider;
    use roastery_testkit::payments::spend_of;

    use super::*;
    use crate::service::{
        decisions::{
            approval::ApprovalBasis,
            parts::tests::{draft, node, parts, proposed, spend},
        },
        fixture::{TestNode, asking},
    };

    async fn are_running(node: &TestNode, parts: &[KeptRequest]) -> bool {
        parts.iter().all(|part| node.group.is_running(part.request.session_id()))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_of_which_one_part_can_never_be_signed_is_asked_for_anew() {
        let mut node = node().await;
        let spend = spend(&node);
        let first = node.group.propose(draft(&spend), asking(0)).await.unwrap().kept;
        let known = parts(&node, &first).await;
        let signed = node.signed_by_both(&first.request).await;
        assert!(matches!(signed, RequestState::Signed(_)), "{signed:?}");
        // It is found while the others can be signed.
        let again = node.group.propose(draft(&spend), asking(0)).await.unwrap().kept;
        assert_eq!(again.request, first.request);
        let (by, reason) = (Decider::Operator, RefusalReason::Operator);
        node.group.refuse(&known[2], by, reason, "not this".to_owned(), None).await.unwrap();
        let after = node.shared.rejections.last();
        let anew = node.group.propose(draft(&spend), asking(after)).await.unwrap().kept;
        assert_ne!(anew.request.session_id(), first.request.session_id());
        assert!(are_running(&node, &parts(&node, &anew).await).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_of_which_one_part_is_approved_is_approved_whole_when_it_is_proposed_again()
     {
        let node = node().await;
        let spend = spend(&node);
        let known = proposed(&node, &spend).await;
        let examined = node.group.examine(&known[0]).await.unwrap();
        let basis = ApprovalBasis::by_operator(0);
        node.group.approve(&known[0], &examined, basis).await.unwrap();
        assert!(!are_running(&node, &known).await);
        let again = node.group.propose(draft(&spend), asking(0)).await.unwrap().kept;
        assert_eq!(again.request, known[0].request);
        assert!(are_running(&node, &known).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_transaction_that_cannot_be_opened_whole_no_part_waits_or_is_signed() {
        let node = node().await;
        let spend = spend(&node);
        // A request is rejected while this one is made.
        let known = proposed(&node, &spend).await;
        let (by, reason) = (Decider::Operator, RefusalReason::Operator);
        for part in &known {
            let (by, text) = (by.clone(), "not this".to_owned());
            node.group.refuse(part, by, reason, text, None).await.unwrap();
        }
        let made = node.group.propose(draft(&spend), asking(0)).await;
        assert!(matches!(made, Err(ServiceError::Conflict(_))), "{made:?}");
        assert_eq!(stored(&node, StateKind::Proposed).await, 0);
        assert_eq!(stored(&node, StateKind::Stopped).await, 1);

        // One part cannot be opened after others were.
        let after = node.shared.rejections.last();
        let first = node.group.propose(draft(&spend), asking(after)).await.unwrap().kept;
        let known = parts(&node, &first).await;
        let examined = node.group.examine(&first).await.unwrap();
        let open = known.iter().map(|part| node.group.open_session(part.request.session_id()));
        let open: Vec<_> = open.map(Option::unwrap).collect();
        node.group.give_up_parts(&first, &examined, &ServiceError::Expired).await;
        for (part, open) in known.iter().zip(open) {
            assert!(open.approval.judge(&part.request, Step::Release).is_err());
            let state = node.kept(part.request.session_id()).await.state;
            assert!(matches!(state, RequestState::Stopped(_)), "{state:?}");
        }
    }

    /// How many requests are in this state.
    async fn stored(node: &TestNode, state: StateKind) -> usize {
        let groups = vec![node.members().id()];
        let which = Listing { groups, states: vec![state], before: u64::MAX, limit: 64 };
        node.shared.store(move |store| store.list(&which)).await.unwrap().len()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_asked_for_by_who_may_not_approve_waits_with_all_its_parts_for_an_approval() {
        let node = node().await;
        let spend = spend(&node);
        let waits = RequestDraft { waits: true, ..draft(&spend) };
        let made = node.group.propose(waits.clone(), asking(0)).await.unwrap().kept;
        let known = parts(&node, &made).await;
        assert!(known.len() > 1);
        assert!(known.iter().all(|part| part.state == RequestState::Proposed), "{known:?}");
        assert!(!known.iter().any(|part| node.group.is_running(part.request.session_id())));
        // Neither does it approve what waits already.
        let again = node.group.propose(waits, asking(0)).await.unwrap().kept;
        assert_eq!((again.request, again.state), (made.request.clone(), RequestState::Proposed));
        // Who may approve does so.
        let again = node.group.propose(draft(&spend), asking(0)).await.unwrap().kept;
        assert_eq!(again.request, made.request);
        assert!(are_running(&node, &parts(&node, &made).await).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_may_not_approve_has_a_limited_number_of_requests_wait() {
        let node = TestNode::start(0).await;
        let hash = |number: usize| RequestDraft {
            subject: DraftSubject::Hashes(vec![[number as u8; 32]], Derivation::key_path_only()),
            life: None,
            once: false,
            seen: None,
            send: false,
            waits: true,
        };
        for number in 0..MOST_WAITING {
            node.group.propose(hash(number), asking(0)).await.unwrap();
        }
        let more = node.group.propose(hash(MOST_WAITING), asking(0)).await;
        assert!(matches!(more, Err(ServiceError::TooMany(_))), "{more:?}");
        let approved = RequestDraft { waits: false, ..hash(MOST_WAITING) };
        node.group.propose(approved, asking(0)).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_whose_other_parts_sign_something_else_is_not_taken_for_the_same() {
        let node = node().await;
        let spend = spend(&node);
        let mut psbt = spend.document().decoded().clone();
        // The hash of the last input commits to this, those of the first part do not.
        psbt.inputs[129].sighash_type = Some(bitcoin::TapSighashType::All.into());
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let other = spend_of(psbt, &wallet);
        let known = proposed(&node, &other).await;
        let own = spend.requests([0; 32], now() + 600).unwrap();
        assert_eq!(own[0].messages(), known[0].request.messages());
        assert_ne!(own[2].messages(), known[2].request.messages());
        let answer = node.group.propose(draft(&spend), asking(0)).await.unwrap().kept;
        assert_ne!(answer.request.id(), known[0].request.id());
        assert!(!known.iter().any(|part| node.group.is_running(part.request.session_id())));
        assert!(are_running(&node, &parts(&node, &answer).await).await);
    }
}
