//! The operator's decisions about requests.

use std::sync::Arc;

use roastery_bitcoin::spend::Part;
use roastery_store::{KeptRequest, Principal, RequestState, Transaction};

use crate::{
    config::ApprovalMode,
    policy::Examined,
    service::{
        Service, ServiceError,
        answers::known::KnownRequest,
        asking::{Asking, Rejecting},
        decisions::decision::overtaken,
        exactly_one,
        group::{holdings::is_unshown, service::GroupService, shown::Seen, turns::Lane},
        now,
        rejections::files::REJECTED,
    },
};

/// What a decision of the operator is about, where it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecidedAbout {
    /// The revision that was seen.
    pub revision: Option<u64>,
    /// What was seen.
    pub seen: Option<Seen>,
}

/// The longest note with a rejection, in bytes.
const MAX_NOTE: usize = 512;

impl Service {
    /// Approves a waiting request, and opens its session: the request as it is now, or as the
    /// operator has seen it. A decision or a change of its subject before the
    /// approval takes effect cancels it. It is one of all parts of its transaction. Of a request
    /// that is signed nothing is approved but its other parts: others can have signed it a moment
    /// before, which is what an approval is for.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Changed`] if it does not show what was seen; [`ServiceError::Conflict`] if
    /// it has another revision, or is not for this operator to approve;
    /// [`ServiceError::Refused`] if the rules do not allow it.
    pub async fn approve(
        self: &Arc<Self>,
        session: &str,
        about: DecidedAbout,
        by: Principal,
    ) -> Result<KnownRequest, ServiceError> {
        check_decisive(session)?;
        let asking = Asking { by, after: self.shared.rejections.last() };
        let (group, kept) = self.find_request(session).await?;
        match group.approve_as_operator(kept, about, asking).await {
            Ok(approved) => Ok(approved),
            Err(error) => {
                let (group, kept) = self.find_request(session).await?;
                match kept.state {
                    RequestState::Signed(_) if !group.has_unsigned_parts(&kept).await? => {
                        group.known_decided(&kept, None).await
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// Rejects a request, with all parts of its transaction, and sends the refusal to all. Shares
    /// that have left cannot be taken back: a part that is signed stays, and the others are
    /// rejected. What was seen is compared as far as the subject goes: no decision in between and
    /// no examination keeps a rejection waiting.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Changed`] if it is shown with another subject than was seen;
    /// [`ServiceError::Conflict`] if it is signed, with all parts of its transaction;
    /// [`ServiceError::Unrecorded`] if the store fails: the rejection is in force all the same.
    pub async fn reject(
        &self,
        session: &str,
        note: String,
        seen: Option<Seen>,
        by: Principal,
    ) -> Result<KnownRequest, ServiceError> {
        if note.len() > MAX_NOTE || note.chars().any(char::is_control) {
            let reason = format!("a note has at most {MAX_NOTE} bytes and no control characters");
            return Err(ServiceError::Invalid(reason.into()));
        }
        check_decisive(session)?;
        let (group, kept) = self.find_request(session).await?;
        if seen.is_some_and(|seen| !seen.is_of_subject(&kept.request, &kept.subject)) {
            return Err(ServiceError::Changed);
        }
        let text = match note.as_str() {
            "" => REJECTED.to_owned(),
            note => format!("{REJECTED}: {note}"),
        };
        group
            .reject_as_operator(&kept, &text, &Rejecting { by, seen: seen.map(Seen::to_bytes) })
            .await?;
        // The rejection is on the disk: in the store, or else beside it.
        group.known_decided(&kept, None).await
    }
}

impl GroupService {
    /// Approves a request as it is now, or as the operator has seen it. A rejection after it was
    /// asked for stays.
    pub(in crate::service) async fn approve_as_operator(
        self: &Arc<Self>,
        kept: KeptRequest,
        about: DecidedAbout,
        asking: Asking,
    ) -> Result<KnownRequest, ServiceError> {
        let DecidedAbout { revision, seen } = about;
        if seen.is_some_and(|seen| !seen.is_of_subject(&kept.request, &kept.subject)) {
            return Err(ServiceError::Changed);
        }
        if revision.is_some_and(|revision| revision != kept.revision) {
            return Err(overtaken(&kept));
        }
        if kept.request.expiry() <= now() {
            return Err(ServiceError::Expired);
        }
        if is_unshown(&kept) {
            let reason = "what was shown with it was refused and is not kept: propose it anew";
            return Err(ServiceError::Conflict(reason.into()));
        }
        let signed = || ServiceError::Conflict("the request is signed".into());
        let is_signed = matches!(kept.state, RequestState::Signed(_));
        if is_signed && !Part::may_be(&kept.request) {
            return Err(signed());
        }
        let examined = self.examine_for(Lane::Operator, &kept, None).await;
        let examined = examined.map_err(ServiceError::Refused)?;
        // The other parts of its transaction may wait all the same.
        if is_signed && examined.parts().is_empty() {
            return Err(signed());
        }
        if self.approval_mode() == ApprovalMode::Command {
            let conflicts = self.conflicts_now(&kept, examined.spend()).await;
            if self.left_now(&kept, &examined, &conflicts).is_none() {
                let reason = "requests of this group are approved by a command";
                return Err(ServiceError::Conflict(reason.into()));
            }
        }
        self.approve_parts(&kept, &examined, asking, seen).await?;
        self.acknowledge(&kept, Some(&examined)).await
    }

    /// The answer to an operator after a decision: it is on the disk then, and so are deferred
    /// changes before it. The transaction is not parsed again if it is the one that was examined.
    pub(in crate::service) async fn acknowledge(
        self: &Arc<Self>,
        seen: &KeptRequest,
        examined: Option<&Examined>,
    ) -> Result<KnownRequest, ServiceError> {
        let session = seen.request.session_id();
        let read = move |change: &mut Transaction<'_>| change.request(session);
        let known = self.shared.write_among_others(self.journal.wait(), read);
        if known.await?.is_none() {
            let reason = "the request is not in the store any more: ask for it again";
            return Err(ServiceError::Internal(reason.into()));
        }
        self.known_decided(seen, examined).await
    }

    pub(in crate::service) async fn known_decided(
        self: &Arc<Self>,
        seen: &KeptRequest,
        examined: Option<&Examined>,
    ) -> Result<KnownRequest, ServiceError> {
        let session = seen.request.session_id();
        let name = session.to_string();
        let found = self.shared.store(move |store| store.request(session)).await?;
        let kept = exactly_one("request", &name, found.into_iter())?;
        let examined = examined.filter(|_| kept.subject == seen.subject);
        Ok(self.known_whole(kept, Lane::Operator, examined).await)
    }
}

/// A decision must name the whole session id: a member can produce another one with the same 8
/// digits.
fn check_decisive(session: &str) -> Result<(), ServiceError> {
    if session.len() == 64 {
        return Ok(());
    }
    let reason = "the whole session is needed here, 64 digits";
    Err(ServiceError::Invalid(reason.into()))
}
