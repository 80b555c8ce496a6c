//! The operator's rejection of a request, with all parts of its transaction.

use roastery_bitcoin::spend::Part;
use roastery_protocol::{SessionId, request::RefusalReason};
use roastery_store::{Decider, KeptRequest, RequestState};

use crate::{
    policy::{Examined, Refusal},
    service::{
        RecordedIn, ServiceError,
        asking::Rejecting,
        group::{service::GroupService, turns::Lane},
    },
};

/// What has become of the rejections of all parts.
#[derive(Default)]
struct RejectedParts {
    /// Whether a part was rejected.
    any: bool,
    /// That a part is signed.
    signed: Option<ServiceError>,
    /// The first error; a later one takes its place if it says that less is on the disk.
    failed: Option<ServiceError>,
}

impl RejectedParts {
    fn failed(&mut self, error: ServiceError) {
        let nowhere = |error: &ServiceError| {
            matches!(error, ServiceError::Unrecorded { recorded: RecordedIn::Nothing, .. })
        };
        if self.failed.is_none() || nowhere(&error) {
            self.failed = Some(error);
        }
    }

    fn note(&mut self, refused: Result<(), ServiceError>) {
        match refused {
            Ok(()) => self.any = true,
            // Nothing but signatures stands against the operator.
            Err(error @ ServiceError::Conflict(_)) => self.signed = Some(error),
            Err(error) => self.failed(error),
        }
    }
}

impl GroupService {
    /// Rejects a request and the other parts of its transaction. No error about one part keeps the
    /// others from being rejected.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if all parts are signed; otherwise the first error.
    pub(in crate::service) async fn reject_as_operator(
        &self,
        kept: &KeptRequest,
        text: &str,
        rejecting: &Rejecting,
    ) -> Result<(), ServiceError> {
        let own = kept.request.session_id();
        let (by, reason) = (Decider::Operator, RefusalReason::Operator);
        // All at once and before all else: from here on no share of any part leaves, and no
        // approval of one begins.
        let _rejecting = self.openings.reject(&kept.request, reason);
        let mut open = self.withdraw_parts(&kept.request, reason);
        open.retain(|session| *session != own);
        let mut done = RejectedParts::default();
        // They are rejected also if the store fails, or the node stops before it is their turn.
        for session in &open {
            self.keep_part(*session, text, &mut done).await;
        }
        match kept.state {
            RequestState::Signed(_) => {
                done.signed = Some(ServiceError::Conflict("the request is signed".into()));
            }
            _ => {
                let text = text.to_owned();
                done.note(self.refuse(kept, by.clone(), reason, text, Some(rejecting)).await);
            }
        }
        let parts = match self.other_parts_of(kept, &open).await {
            Ok(Some(examined)) => self.parts_to_reject(kept, &examined, &open, text).await,
            Ok(None) => Ok(Vec::new()),
            Err(refusal) => Err(ServiceError::Refused(refusal)),
        };
        let mut parts = parts.unwrap_or_else(|error| {
            done.failed(error);
            Vec::new()
        });
        // Those that were open are known in any case.
        open.retain(|session| parts.iter().all(|part| part.request.session_id() != *session));
        match self.kept_parts(open).await {
            Ok(open) => parts.extend(open),
            Err(error) => done.failed(error),
        }
        // What was seen is a hash of the part that is named.
        let unseen = Rejecting { seen: None, ..rejecting.clone() };
        for part in parts {
            let text = text.to_owned();
            done.note(self.refuse(&part, by.clone(), reason, text, Some(&unseen)).await);
        }
        match done {
            RejectedParts { failed: Some(error), .. } => Err(error),
            RejectedParts { any: false, signed: Some(error), .. } => Err(error),
            _ => Ok(()),
        }
    }

    async fn keep_part(&self, session: SessionId, text: &str, done: &mut RejectedParts) {
        let text = self.shortened(text.to_owned());
        if let Err(error) = self.shared.keep_rejection(session, text).await {
            done.failed(error);
        }
    }

    /// Examines a request that may have other parts; `None` if it has none but the open ones.
    async fn other_parts_of(
        &self,
        kept: &KeptRequest,
        open: &[SessionId],
    ) -> Result<Option<Examined>, Refusal> {
        if open.is_empty() && !Part::may_be(&kept.request) {
            return Ok(None);
        }
        match self.examine_for(Lane::Operator, kept, None).await {
            Ok(examined) => Ok(Some(examined)),
            // Which parts there are is not known.
            Err(refusal @ Refusal::Unavailable) => Err(refusal),
            // What the rules refuse has no further parts that could be approved.
            Err(_) => Ok(None),
        }
    }

    /// The other parts of an examined transaction, as they are stored, each with its rejection on
    /// the disk unless it is signed.
    async fn parts_to_reject(
        &self,
        kept: &KeptRequest,
        examined: &Examined,
        open: &[SessionId],
        text: &str,
    ) -> Result<Vec<KeptRequest>, ServiceError> {
        let own = kept.request.session_id();
        // Others may have been opened meanwhile.
        self.withdraw_parts(&kept.request, RefusalReason::Operator);
        let parts = self.other_parts(kept, examined).await.map(|parts| parts.all);
        let signed: Vec<SessionId> = parts
            .iter()
            .flatten()
            .filter(|part| matches!(part.state, RequestState::Signed(_)))
            .map(|part| part.request.session_id())
            .collect();
        let mut recorded = RecordedIn::File;
        for part in examined.parts() {
            let session = part.session_id();
            if session == own || open.contains(&session) || signed.contains(&session) {
                continue;
            }
            self.note_rejected(part);
            let text = self.shortened(text.to_owned());
            recorded = recorded.max(self.shared.keep_rejection(session, text).await?);
        }
        parts.map_err(|error| match error {
            ServiceError::Store(error) => ServiceError::Unrecorded { recorded, error },
            error => error,
        })
    }

    /// These requests, as they are stored.
    async fn kept_parts(&self, sessions: Vec<SessionId>) -> Result<Vec<KeptRequest>, ServiceError> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.shared.store(move |store| {
            sessions.into_iter().map(|session| store.request(session)).collect()
        });
        let kept: Vec<Option<KeptRequest>> = read.await?;
        Ok(kept.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc, time::Duration};

    use roastery_protocol::request::{Policy as _, Step};

    use super::*;
    use crate::{
        policy::Approval,
        service::{
            decisions::parts::tests::{draft, node, parts, spend},
            fixture::{TestNode, asking, rejecting},
        },
    };

    /// A transaction of three parts, all of which are approved here.
    async fn approved(node: &TestNode) -> Vec<KeptRequest> {
        let first = node.group.propose(draft(&spend(node)), asking(0)).await.unwrap().kept;
        let parts = parts(node, &first).await;
        assert_eq!(parts.len(), 3);
        for part in &parts {
            assert!(matches!(part.state, RequestState::Approved(_)), "{:?}", part.state);
            assert!(node.group.is_running(part.request.session_id()));
        }
        parts
    }

    async fn is_rejected(node: &TestNode, part: &KeptRequest) -> bool {
        let state = node.kept(part.request.session_id()).await.state;
        matches!(state, RequestState::Refused(rejection) if rejection.decision.by == Decider::Operator)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_share_of_any_part_leaves_after_a_rejection_and_each_rejection_is_on_the_disk_first()
    {
        let node = node().await;
        let parts = approved(&node).await;
        let session = |part: &KeptRequest| part.request.session_id();
        // The decision about the part that is named is not its turn yet.
        let turn = node.group.deciding(session(&parts[1])).lock().await;
        let (group, named) = (node.group.clone(), parts[1].clone());
        let rejection = tokio::spawn(async move {
            group.reject_as_operator(&named, "not this", &rejecting()).await
        });
        let others = [session(&parts[0]), session(&parts[2])];
        let all_recorded = async {
            while !others.iter().all(|other| node.shared.rejections.of(*other).is_some()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all_recorded).await.unwrap();
        assert!(!rejection.is_finished());
        for part in &parts {
            let open = node.group.open_session(session(part)).unwrap();
            let judged = open.approval.judge(&part.request, Step::Release);
            assert_eq!(judged, Err(RefusalReason::Operator));
        }
        // No part is approved meanwhile, as an approval that began before goes on to do.
        let approval = Arc::new(Approval::new(session(&parts[2])));
        assert!(node.group.openings.approve(&parts[2].request, &approval).is_none());
        drop(turn);
        rejection.await.unwrap().unwrap();
        for part in &parts {
            assert!(is_rejected(&node, part).await);
            assert_eq!(node.shared.rejections.of(session(part)), None);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rejection_of_a_part_that_is_signed_withdraws_the_others_before_it_is_examined() {
        let mut node = node().await;
        let parts = approved(&node).await;
        let signed = node.signed_by_both(&parts[1].request).await;
        assert!(matches!(signed, RequestState::Signed(_)), "{signed:?}");
        let named = node.kept(parts[1].request.session_id()).await;
        // The examination waits for its turn.
        let turn = node.group.examinations.take(Lane::Operator).await;
        let group = node.group.clone();
        let rejection = tokio::spawn(async move {
            group.reject_as_operator(&named, "not this", &rejecting()).await
        });
        let others = [&parts[0], &parts[2]];
        let all_recorded = async {
            let recorded =
                |part: &KeptRequest| node.shared.rejections.of(part.request.session_id());
            while !others.iter().all(|other| recorded(other).is_some()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all_recorded).await.unwrap();
        assert!(!rejection.is_finished());
        for part in others {
            let open = node.group.open_session(part.request.session_id()).unwrap();
            let judged = open.approval.judge(&part.request, Step::Release);
            assert_eq!(judged, Err(RefusalReason::Operator));
        }
        drop(turn);
        rejection.await.unwrap().unwrap();
        for part in others {
            assert!(is_rejected(&node, part).await);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_error_about_one_part_keeps_no_other_from_being_rejected() {
        let node = node().await;
        let parts = approved(&node).await;
        // The file of this part's rejection can be neither written nor removed.
        let name = parts[0].request.session_id().to_string();
        fs::create_dir_all(node.shared.folder.resolve("rejected").join(name)).unwrap();
        let done = node.group.reject_as_operator(&parts[0], "not this", &rejecting()).await;
        assert!(matches!(done, Err(ServiceError::Internal(_))), "{done:?}");
        for part in &parts {
            assert!(is_rejected(&node, part).await);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_part_that_is_signed_stays_and_the_others_are_rejected() {
        let mut node = node().await;
        let parts = approved(&node).await;
        let signed = node.signed_by_both(&parts[2].request).await;
        assert!(matches!(signed, RequestState::Signed(_)), "{signed:?}");
        let named = node.kept(parts[2].request.session_id()).await;
        node.group.reject_as_operator(&named, "not this", &rejecting()).await.unwrap();
        assert!(is_rejected(&node, &parts[0]).await);
        assert!(is_rejected(&node, &parts[1]).await);
        assert_eq!(node.kept(parts[2].request.session_id()).await.state, signed);
        assert!(node.shared.rejections.all().is_empty());
    }
}
