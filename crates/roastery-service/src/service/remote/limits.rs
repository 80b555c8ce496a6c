//! What may be approved from elsewhere, and what of it the sum of a day counts.

use std::sync::Arc;

use bitcoin::Amount;
use roastery_bitcoin::spend::Level;
use roastery_protocol::SessionId;
use roastery_store::{Durability, KeptRequest, RemoteApproval, RequestState, Transaction};

use crate::{
    passkey::RemoteError,
    policy::Examined,
    service::{
        Seen, ServiceError,
        group::{service::GroupService, turns::Lane},
        now,
    },
};

/// An approval that is within the limits of a request.
pub(super) struct Within {
    /// What it takes of the limit of a day.
    pub(super) spent: RemoteApproval,
    /// The sessions of all parts of its transaction.
    pub(super) sessions: Vec<SessionId>,
}

impl GroupService {
    /// What an approval from elsewhere takes of the limit of a day, if it is within that of a
    /// request. It is judged by what was seen: if that has changed, nothing is approved.
    pub(super) async fn within_remote_limits(
        self: &Arc<Self>,
        kept: &KeptRequest,
        seen: Seen,
    ) -> Result<Within, ServiceError> {
        let examined = self.examine_for(Lane::Operator, kept, None).await;
        let examined = examined.map_err(ServiceError::Refused)?;
        let own = kept.request.session_id();
        let mut sessions: Vec<_> = examined.parts().iter().map(|part| part.session_id()).collect();
        if !sessions.contains(&own) {
            sessions.push(own);
        }
        self.check_waits(own, sessions.clone()).await?;
        let known = self.known_whole(kept.clone(), Lane::Operator, Some(&examined)).await;
        let details = known.details.ok_or(ServiceError::NoAnswer)?;
        if details.seen != seen {
            return Err(ServiceError::Changed);
        }
        let satoshi = self.check_remote(&examined)?;
        if let Some(stop) = details.warnings.iter().find(|one| one.level == Level::Stop) {
            return Err(RemoteError::Stops(stop.text.clone()).into());
        }
        let session = examined.counted_as();
        let spent = RemoteApproval { key: self.key(), session, at: now(), satoshi };
        Ok(Within { spent, sessions })
    }

    /// From elsewhere nothing is approved that was decided or has ended at this node.
    async fn check_waits(
        &self,
        own: SessionId,
        sessions: Vec<SessionId>,
    ) -> Result<(), ServiceError> {
        if sessions.iter().any(|session| self.shared.rejections.of(*session).is_some()) {
            return Err(RemoteError::Decided.into());
        }
        let read = move |change: &mut Transaction<'_>| {
            for session in sessions {
                let state = change.request(session)?.map(|kept| kept.state);
                let waits = match state {
                    Some(RequestState::Proposed) => true,
                    Some(RequestState::Refused(_) | RequestState::Stopped(_)) => false,
                    Some(RequestState::Approved(_) | RequestState::Signed(_)) | None => {
                        session != own
                    }
                };
                if !waits {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match self.shared.write(Durability::Deferred, read).await? {
            true => Ok(()),
            false => Err(RemoteError::Decided.into()),
        }
    }

    /// What leaves with a payment, if so much may be approved from elsewhere at once.
    fn check_remote(&self, examined: &Examined) -> Result<u64, RemoteError> {
        let pays = examined.spend().is_some_and(|spend| spend.proof().is_none());
        if !pays {
            return Err(RemoteError::NoPayment);
        }
        let (satoshi, most) = (examined.spending().amount, self.policy.config().remote_most);
        if most == 0 || satoshi > most {
            let (amount, most) = (Amount::from_sat(satoshi), Amount::from_sat(most));
            return Err(RemoteError::AboveRequest { amount, most });
        }
        Ok(satoshi)
    }

    /// An approval had no effect, so that the limit of a day does not count it. It counts if a
    /// part of the transaction was decided after all, or if the store fails: that is the safe
    /// error.
    pub(super) async fn forget_remote(&self, noted: RemoteApproval, sessions: Vec<SessionId>) {
        let is_open = sessions.iter().any(|session| self.is_running(*session));
        let write = move |change: &mut Transaction<'_>| {
            for session in sessions {
                match change.request(session)?.map(|kept| kept.state) {
                    None | Some(RequestState::Proposed) if !is_open => {}
                    _ => return Ok(()),
                }
            }
            let mut approvals = change.remote_approvals()?;
            approvals.retain(|one| *one != noted);
            change.keep_remote_approvals(approvals)
        };
        if let Err(error) = self.shared.write(Durability::Synced, write).await {
            tracing::warn!(group = self.name, %error, "what was not approved counts for a day");
        }
    }
}

/// Whether an approval of one request that ended so had no effect.
pub(super) fn had_no_effect(error: &ServiceError) -> bool {
    matches!(
        error,
        ServiceError::Changed
            | ServiceError::Conflict(_)
            | ServiceError::Expired
            | ServiceError::Refused(_)
            | ServiceError::NoRoom(_)
    )
}
