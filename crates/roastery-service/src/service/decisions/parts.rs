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
        asking::Asking,
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
    /// too that no member has proposed here yet. A rejection after it was asked for stays.
    pub(in crate::service) async fn approve_parts(
        self: &Arc<Self>,
        kept: &KeptRequest,
        examined: &Examined,
        asking: Asking,
        seen: Option<Seen>,
    ) -> Result<(), ServiceError> {
        self.check_parts(examined, asking.after)?;
        self.check_seen(kept, examined, seen).await?;
        let OtherParts { all, new } = self.other_parts(kept, examined).await?;
        let approved = self.approve_with(kept, examined, all, asking, seen).await;
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
        asking: Asking,
        seen: Option<Seen>,
    ) -> Result<(), ServiceError> {
        // All are stored and examined before the first takes effect.
        let others = self.parts_to_approve(kept, examined, parts).await?;
        self.check_parts(examined, asking.after)?;
        // Of a part that is signed there is nothing to approve.
        if matches!(kept.state, RequestState::Signed(_)) {
            self.check_seen(kept, examined, seen).await?;
        } else {
            let asking = asking.clone();
            self.approve(kept, examined, ApprovalBasis::Operator { asking, seen }).await?;
        }
        // What was seen is one part; the others have its subject.
        for (part, of_part) in others {
            self.check_parts(examined, asking.after)?;
            let basis = ApprovalBasis::Operator { asking: asking.clone(), seen: None };
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
pub(in crate::service) mod tests;
