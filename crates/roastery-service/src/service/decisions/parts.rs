//! Transactions with more signatures than one session makes: each part of them is a request of its
//! own, and all follow from each. A decision of the operator about one is about all.

use std::sync::Arc;

use roastery_bitcoin::spend::Part;
use roastery_protocol::{
    SessionId,
    request::{RefusalReason, SigningRequest},
};
use roastery_store::{Durability, KeptRequest, RequestState, Transaction};

use crate::{
    policy::Examined,
    service::{
        ServiceError,
        decisions::{approval::ApprovalBasis, decision::cut},
        group::{service::GroupService, shown::Seen, turns::Lane},
        now,
    },
};

/// The other parts of a transaction, as they are stored.
#[derive(Default)]
pub(in crate::service) struct OtherParts {
    /// All of them.
    pub(in crate::service) all: Vec<KeptRequest>,
    /// Those of them that wait now with what was not examined here before.
    new: Vec<KeptRequest>,
}

impl GroupService {
    /// Approves a request as the operator, and with it the other parts of its transaction, those
    /// too that no member has proposed here yet. A rejection after the one of number `after` stays.
    pub(in crate::service) async fn approve_parts(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
        after: u64,
        seen: Option<Seen>,
    ) -> Result<(), ServiceError> {
        self.check_parts(examined, after)?;
        self.check_seen(kept, examined, seen).await?;
        let OtherParts { all, new } = self.other_parts(kept, examined).await?;
        let approved = self.approve_with(kept, examined, all, after, seen).await;
        if let Err(error) = &approved {
            // No decision about these is under way yet.
            for part in new {
                match part.proposer {
                    _ if self.is_running(part.request.session_id()) => {}
                    Some(_) => self.evaluate(part, None),
                    None => self.give_up(&part.request, RefusalReason::Busy, error).await,
                }
            }
        }
        approved
    }

    /// A later rejection of one part is one of all, and may not have reached this one yet.
    fn check_parts(&self, examined: &Examined, after: u64) -> Result<(), ServiceError> {
        if examined.parts().is_empty() || self.shared.rejections.last() == after {
            return Ok(());
        }
        let reason = "a request was rejected here meanwhile, perhaps a part of this \
                      transaction: look at it again, and approve it if it is to be signed";
        Err(ServiceError::Conflict(reason.into()))
    }

    /// Of a part that is signed nothing is decided in which it could be compared, and nothing is
    /// stored for what is not as it was seen.
    async fn check_seen(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
        seen: Option<Seen>,
    ) -> Result<(), ServiceError> {
        let Some(seen) = seen else { return Ok(()) };
        let (group, session) = (self.clone(), kept.request.session_id());
        let examined = examined.clone();
        let compare = move |change: &mut Transaction<'_>| match change.request(session)? {
            Some(known) => group.still_shows(change, &known, &examined, seen),
            None => Ok(false),
        };
        match self.shared.write(Durability::Deferred, compare).await? {
            true => Ok(()),
            false => Err(ServiceError::Changed),
        }
    }

    async fn approve_with(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
        parts: Vec<KeptRequest>,
        after: u64,
        seen: Option<Seen>,
    ) -> Result<(), ServiceError> {
        // All are stored and examined before the first takes effect.
        let others = self.parts_to_approve(kept, examined, parts).await?;
        self.check_parts(examined, after)?;
        // Of a part that is signed there is nothing to approve.
        if matches!(kept.state, RequestState::Signed(_)) {
            self.check_seen(kept, examined, seen).await?;
        } else {
            self.approve(kept, examined, ApprovalBasis::Operator { after, seen }).await?;
        }
        // What was seen is one part; the others have its subject.
        for (part, of_part) in others {
            let basis = ApprovalBasis::Operator { after, seen: None };
            self.approve(&part, &of_part, basis).await?;
        }
        Ok(())
    }

    /// The other parts that an operator's approval of this one opens, each examined.
    async fn parts_to_approve(
        &self,
        kept: &KeptRequest,
        examined: &Examined,
        parts: Vec<KeptRequest>,
    ) -> Result<Vec<(KeptRequest, Examined)>, ServiceError> {
        let mut others = Vec::new();
        for part in parts {
            let session = part.request.session_id();
            if matches!(part.state, RequestState::Signed(_)) || self.is_running(session) {
                continue;
            }
            if part.subject != kept.subject {
                let name = session.to_string();
                let reason = format!(
                    "part {} of its transaction was decided here with another PSBT than this \
                     one: look at that one, or propose the transaction anew",
                    &name[..8]
                );
                return Err(ServiceError::Conflict(reason.into()));
            }
            let spend = examined.spend().cloned();
            let of_part = self.examine_for(Lane::Operator, &part, spend).await;
            others.push((part, of_part.map_err(ServiceError::Refused)?));
        }
        Ok(others)
    }

    /// Whether a part of the transaction of this request is not signed here.
    pub(in crate::service) async fn has_unsigned_parts(
        &self,
        kept: &KeptRequest,
    ) -> Result<bool, ServiceError> {
        if !Part::may_be(&kept.request) {
            return Ok(false);
        }
        // What cannot be examined has no parts that could be approved.
        let Ok(examined) = self.examine_for(Lane::Operator, kept, None).await else {
            return Ok(false);
        };
        let parts: Vec<SessionId> = examined.parts().iter().map(|part| part.session_id()).collect();
        self.shared
            .store(move |store| {
                for part in parts {
                    match store.request(part)? {
                        Some(KeptRequest { state: RequestState::Signed(_), .. }) => {}
                        _ => return Ok(true),
                    }
                }
                Ok(false)
            })
            .await
    }

    /// Has the command asked about a request that was made here, and about the other parts of its
    /// transaction.
    pub(in crate::service) async fn evaluate_parts(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
    ) -> Result<(), ServiceError> {
        let others = self.other_parts(kept, examined).await?;
        self.evaluate(kept.clone(), Some(examined.clone()));
        others.all.into_iter().for_each(|part| self.evaluate(part, None));
        Ok(())
    }

    /// A request that was made here could not be opened with all its parts: all of them are
    /// stopped, so that no part waits for a decision, or is signed alone. The operator may approve
    /// them.
    pub(in crate::service) async fn give_up_parts(
        &self,
        kept: &KeptRequest,
        examined: &Examined,
        why: &ServiceError,
    ) {
        let reason = match why {
            ServiceError::Refused(refusal) => refusal.reason(),
            _ => RefusalReason::Busy,
        };
        // All at once: from here on no share of any part leaves.
        self.withdraw_parts(&kept.request, reason);
        self.give_up(&kept.request, reason, why).await;
        let own = kept.request.session_id();
        for part in examined.parts().iter().filter(|part| part.session_id() != own) {
            self.give_up(part, reason, why).await;
        }
    }

    async fn give_up(&self, request: &SigningRequest, reason: RefusalReason, why: &ServiceError) {
        let session = request.session_id();
        let deciding = self.deciding(session).lock().await;
        let open = self.open_session(session);
        if let Some(open) = &open {
            open.approval.withdraw(reason);
        }
        let stopped = RequestState::Stopped(cut(why.to_string()));
        let change = self.change(session, Durability::Synced, |known| {
            let waits = matches!(known.state, RequestState::Proposed | RequestState::Approved(_));
            waits.then_some(stopped)
        });
        if let Err(error) = change.await {
            tracing::error!(%session, %error, "could not be written down");
        }
        if open.is_some() {
            self.handle.refuse(request, reason).await;
        }
        drop(deciding);
    }

    /// The other requests of an examined transaction, with what this one shows. Those that are not
    /// known here are stored.
    pub(in crate::service) async fn other_parts(
        &self,
        kept: &KeptRequest,
        examined: &Examined,
    ) -> Result<OtherParts, ServiceError> {
        let own = kept.request.session_id();
        let parts = examined.parts().iter().filter(|part| part.session_id() != own);
        let parts: Vec<SigningRequest> = parts.cloned().collect();
        if parts.is_empty() {
            return Ok(OtherParts::default());
        }
        let (subject, proposer, at) = (kept.subject.clone(), kept.proposer, now());
        let holdings = self.holdings.clone();
        self.shared
            .write(Durability::Deferred, move |change| {
                let mut others = OtherParts::default();
                for request in &parts {
                    let session = request.session_id();
                    let is_new = match change.request(session)? {
                        None => {
                            change.add_request(request, &subject, proposer, at)?;
                            true
                        }
                        Some(known) if known.subject != subject => match known.proposer {
                            Some(by) => {
                                let revision = known.revision;
                                change.show_otherwise(request, &subject, by, revision, at)?
                            }
                            None => false,
                        },
                        Some(_) => false,
                    };
                    let part = change.request(session)?;
                    others.new.extend(part.clone().filter(|_| is_new));
                    others.all.extend(part);
                }
                others.all.iter().for_each(|part| holdings.note(part));
                Ok(others)
            })
            .await
    }
}

#[cfg(test)]
pub(in crate::service) mod tests {
    use bitcoin::psbt::raw;
    use roastery_bitcoin::{
        spend::Spend,
        wallet::{Branch, Wallet},
    };
    use roastery_protocol::request::{RefusalReason, Subject};
    use roastery_store::Decider;
    use roastery_testkit::{
        payments::{elsewhere, pay, spend_of, spending},
        seat,
    };

    use super::*;
    use crate::{
        config::{ApprovalMode, PolicyConfig, SubjectKind},
        service::{DecidedAbout, DraftSubject, RequestDraft, fixture::TestNode},
    };

    /// A node that signs transactions if its operator approves them.
    pub(in crate::service) async fn node() -> TestNode {
        let (kinds, approval) = (vec![SubjectKind::Transaction], ApprovalMode::Manual);
        TestNode::with(PolicyConfig { kinds, approval, ..Default::default() }).await
    }

    /// A transaction that takes three sessions.
    pub(in crate::service) fn spend(node: &TestNode) -> Spend {
        let wallet = Wallet::new(node.members().clone()).unwrap();
        let ours = |index| pay(10_000, wallet.script(Branch::Receive, index).unwrap());
        let spent: Vec<_> = (0..130).map(ours).collect();
        let mut psbt = spending(&spent, vec![pay(1_250_000, elsewhere())]);
        psbt.inputs.iter_mut().for_each(|input| input.non_witness_utxo = None);
        spend_of(psbt, &wallet)
    }

    /// A client of this node asks for these signatures.
    pub(in crate::service) fn draft(spend: &Spend) -> RequestDraft {
        let subject = DraftSubject::Transaction(spend.document().bytes().to_vec());
        RequestDraft { subject, life: None }
    }

    /// All parts of a transaction of which one is stored.
    pub(in crate::service) async fn parts(node: &TestNode, one: &KeptRequest) -> Vec<KeptRequest> {
        let Subject::Transaction(_) = one.subject else { panic!("{one:?}") };
        let examined = node.group.examine(one).await.unwrap();
        let mut parts = Vec::new();
        for part in examined.parts() {
            parts.push(node.kept(part.session_id()).await);
        }
        parts
    }

    /// The other member proposes all parts of a transaction; none of them is decided here.
    pub(in crate::service) async fn proposed(node: &TestNode, spend: &Spend) -> Vec<KeptRequest> {
        let mut parts = Vec::new();
        for request in spend.requests([0; 32], now() + 600).unwrap() {
            parts.push(propose(node, spend, &request).await);
        }
        parts
    }

    /// The other member proposes this request of a transaction; it is not decided here.
    async fn propose(node: &TestNode, spend: &Spend, request: &SigningRequest) -> KeptRequest {
        let subject = Subject::Transaction(spend.document().bytes().to_vec());
        let (kept, session) = (request.clone(), request.session_id());
        let change = move |change: &mut Transaction<'_>| {
            change.add_request(&kept, &subject, Some(seat(1)), now())
        };
        node.shared.write(Durability::Synced, change).await.unwrap();
        node.kept(session).await
    }

    /// The operator's rejection has reached one part and no other yet.
    async fn reject_alone(node: &TestNode, part: &KeptRequest) {
        let (by, reason) = (Decider::Operator, RefusalReason::Operator);
        node.group.refuse(part, by, reason, "not this".to_owned()).await.unwrap();
    }

    fn is_running(node: &TestNode, part: &KeptRequest) -> bool {
        node.group.is_running(part.request.session_id())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_approval_of_one_part_undoes_no_later_rejection_of_another() {
        let node = node().await;
        let parts = proposed(&node, &spend(&node)).await;
        let after = node.shared.rejections.last();
        reject_alone(&node, &parts[1]).await;
        let approved =
            node.group.approve_as_operator(parts[0].clone(), DecidedAbout::default(), after).await;
        assert!(matches!(approved, Err(ServiceError::Conflict(_))), "{approved:?}");
        assert!(!parts.iter().any(|part| is_running(&node, part)));
        let state = node.kept(parts[1].request.session_id()).await.state;
        assert!(matches!(state, RequestState::Refused(_)), "{state:?}");
        // An approval that comes after it is about all parts.
        let after = node.shared.rejections.last();
        node.group
            .approve_as_operator(parts[0].clone(), DecidedAbout::default(), after)
            .await
            .unwrap();
        assert!(parts.iter().all(|part| is_running(&node, part)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_approval_of_a_part_that_is_signed_is_one_of_the_others() {
        let mut node = node().await;
        let parts = proposed(&node, &spend(&node)).await;
        let examined = node.group.examine(&parts[2]).await.unwrap();
        let shown = node.group.known_whole(parts[2].clone(), Lane::Operator, None).await;
        let seen = shown.details.unwrap().seen;
        let basis = ApprovalBasis::Operator { after: 0, seen: None };
        node.group.approve(&parts[2], &examined, basis).await.unwrap();
        let signed = node.signed_by_both(&parts[2].request).await;
        assert!(matches!(signed, RequestState::Signed(_)), "{signed:?}");
        let named = node.kept(parts[2].request.session_id()).await;
        assert!(node.group.has_unsigned_parts(&named).await.unwrap());
        // Seen before it was signed: it is another state now.
        let about = DecidedAbout { revision: None, seen: Some(seen) };
        let changed = node.group.approve_as_operator(named.clone(), about, 0).await;
        assert!(matches!(changed, Err(ServiceError::Changed)), "{changed:?}");
        assert!(!is_running(&node, &parts[0]) && !is_running(&node, &parts[1]));
        node.group.approve_as_operator(named, DecidedAbout::default(), 0).await.unwrap();
        assert!(is_running(&node, &parts[0]) && is_running(&node, &parts[1]));
        assert!(!is_running(&node, &parts[2]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_part_that_an_approval_stores_and_does_not_approve_waits_for_a_decision() {
        let node = node().await;
        let spend = spend(&node);
        let requests = spend.requests([0; 32], now() + 600).unwrap();
        let first = propose(&node, &spend, &requests[0]).await;
        // The last one was decided with another PSBT.
        let mut psbt = spend.document().decoded().clone();
        let key = raw::Key { type_value: 200, key: Vec::new() };
        psbt.unknown.insert(key, b"shown otherwise".to_vec());
        let other = Subject::Transaction(psbt.serialize());
        let request = requests[2].clone();
        let change = move |change: &mut Transaction<'_>| {
            change.add_request(&request, &other, Some(seat(1)), now())
        };
        node.shared.write(Durability::Synced, change).await.unwrap();
        reject_alone(&node, &node.kept(requests[2].session_id()).await).await;
        let mut events = node.shared.events.subscribe();
        let after = node.shared.rejections.last();
        let approved = node.group.approve_as_operator(first, DecidedAbout::default(), after).await;
        assert!(matches!(approved, Err(ServiceError::Conflict(_))), "{approved:?}");
        let between = requests[1].session_id().to_string();
        let evaluated = async {
            loop {
                let event = events.recv().await.unwrap();
                if event.session == between && event.kind == "pending" {
                    return;
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), evaluated).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_part_that_was_decided_with_another_psbt_is_not_approved_with_this_one() {
        let node = node().await;
        let spend = spend(&node);
        let parts = proposed(&node, &spend).await;
        let mut psbt = spend.document().decoded().clone();
        let key = raw::Key { type_value: 200, key: Vec::new() };
        psbt.unknown.insert(key, b"shown otherwise".to_vec());
        let other = Subject::Transaction(psbt.serialize());
        let (request, revision) = (parts[2].request.clone(), parts[2].revision);
        let shown = node.shared.write(Durability::Synced, move |change| {
            change.show_otherwise(&request, &other, seat(1), revision, now())
        });
        assert!(shown.await.unwrap());
        reject_alone(&node, &node.kept(parts[2].request.session_id()).await).await;
        let after = node.shared.rejections.last();
        let approved =
            node.group.approve_as_operator(parts[0].clone(), DecidedAbout::default(), after).await;
        assert!(matches!(approved, Err(ServiceError::Conflict(_))), "{approved:?}");
        assert!(!parts.iter().any(|part| is_running(&node, part)));
    }
}
