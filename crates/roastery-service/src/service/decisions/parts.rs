//! Transactions with more signatures than one session makes: each part of them is a request of its
//! own, and all follow from each. A decision of the operator about one is about all.

use std::sync::Arc;

use roastery_bitcoin::spend::MAX_PARTS;
use roastery_protocol::request::{MAX_MESSAGES, SigningRequest};
use roastery_store::{Durability, KeptRequest, RequestState};

use crate::{
    policy::Examined,
    service::{
        ServiceError,
        decisions::approval::ApprovalBasis,
        group::{service::GroupService, turns::Lane},
        now,
    },
};

/// Whether a request can be a part. Most are none, and need not be read to know that.
pub(in crate::service) fn may_be_a_part(request: &SigningRequest) -> bool {
    let number = usize::from(request.id()[31]);
    number < MAX_PARTS && (number > 0 || request.messages().len() == MAX_MESSAGES)
}

impl GroupService {
    /// Approves a request as the operator, and with it the other parts of its transaction, those
    /// too that no member has proposed here yet. A rejection after the one of number `after` stays.
    pub(in crate::service) async fn approve_parts(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
        after: u64,
    ) -> Result<(), ServiceError> {
        let basis = ApprovalBasis::Operator { after };
        self.approve(kept, examined, basis.clone()).await?;
        for part in self.other_parts(kept, examined).await? {
            if let RequestState::Signed(_) = part.state {
                continue;
            }
            let spend = examined.spend().filter(|_| part.subject == kept.subject).cloned();
            let of_part = self.examine_for(Lane::Operator, &part, spend).await;
            self.approve(&part, &of_part.map_err(ServiceError::Refused)?, basis.clone()).await?;
        }
        Ok(())
    }

    /// Has the command asked about a request that was made here, and about the other parts of its
    /// transaction.
    pub(in crate::service) async fn evaluate_parts(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
    ) -> Result<(), ServiceError> {
        self.evaluate(kept.clone(), Some(examined.clone()));
        let others = self.other_parts(kept, examined).await?;
        others.into_iter().for_each(|part| self.evaluate(part, None));
        Ok(())
    }

    /// The other requests of an examined transaction, with what this one shows. Those that are not
    /// known here are stored.
    pub(in crate::service) async fn other_parts(
        &self,
        kept: &KeptRequest,
        examined: &Examined,
    ) -> Result<Vec<KeptRequest>, ServiceError> {
        let own = kept.request.session_id();
        let parts = examined.parts().iter().filter(|part| part.session_id() != own);
        let parts: Vec<SigningRequest> = parts.cloned().collect();
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let (subject, proposer, at) = (kept.subject.clone(), kept.proposer, now());
        let holdings = self.holdings.clone();
        self.shared
            .write(Durability::Deferred, move |change| {
                let mut others = Vec::new();
                for request in &parts {
                    let session = request.session_id();
                    match change.request(session)? {
                        None => drop(change.add_request(request, &subject, proposer, at)?),
                        Some(known) if known.subject != subject => {
                            if let Some(by) = known.proposer {
                                change.show_otherwise(request, &subject, by, known.revision, at)?;
                            }
                        }
                        Some(_) => {}
                    }
                    others.extend(change.request(session)?);
                }
                others.iter().for_each(|part| holdings.note(part));
                Ok(others)
            })
            .await
    }
}

#[cfg(test)]
pub(in crate::service) mod tests {
    use roastery_bitcoin::{
        spend::Spend,
        wallet::{Branch, Wallet},
    };
    use roastery_protocol::request::Subject;
    use roastery_testkit::payments::{elsewhere, pay, spend_of, spending};

    use super::*;
    use crate::{
        config::{ApprovalMode, PolicyConfig, SubjectKind},
        service::{DraftSubject, RequestDraft, fixture::TestNode},
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
}
