//! What other members propose: new requests, and better descriptions of known ones.

use std::sync::Arc;

use roastery_protocol::{
    Seat,
    request::{Proposal, RefusalReason},
    request::{SigningRequest, Subject},
};
use roastery_store::{Decider, Durability, KeptRequest, RequestState};

use crate::{
    limits::Limit,
    policy::Examined,
    service::{
        ServiceError,
        group::{
            holdings::{Room, is_unshown},
            service::GroupService,
            timeline::StepKind,
            turns::Lane,
        },
        now,
    },
};

impl GroupService {
    /// Handles a member's proposal, if it is new, or has a better subject than before.
    pub(in crate::service) async fn receive_proposal(
        self: &Arc<Self>,
        by: Seat,
        proposal: Proposal,
    ) -> Result<(), ServiceError> {
        let Proposal { request, subject } = proposal;
        let session = request.session_id();
        // The request is not refused for that: another member may propose it with the right
        // subject.
        if let Err(error) = subject.check(&request) {
            tracing::warn!(%session, seat = %by, %error, "a proposal that is not what it says");
            return Ok(());
        }
        let at = now();
        let Some((mut kept, new)) = self.hold(by, &request, &subject, at).await? else {
            return Ok(());
        };
        // A member proposes only what it has approved.
        self.progress.proposed(session, by);
        match new {
            true => self.timelines.begin(session, StepKind::Proposed, by),
            false => self.timelines.add(session, StepKind::Proposed, Some(by)),
        }
        let mut examined = None;
        if !new {
            match self.shown_better(&kept, request, subject, by).await? {
                Some((better, of_better)) => (kept, examined) = (better, Some(of_better)),
                None => {
                    // A waiting request goes on waiting, and counts towards the quota of the member
                    // that proposed it.
                    if !matches!(kept.state, RequestState::Proposed) {
                        self.handle.decided(session).await;
                    }
                    return Ok(());
                }
            }
        }
        if let Some(text) = self.shared.rejections.of(session) {
            let by = Decider::Operator;
            return self.refuse(&kept, by, RefusalReason::Operator, text, None).await;
        }
        self.watch(&kept).await;
        self.shared.metrics.proposed(&self.name);
        let text = format!("{} proposes a {}", self.shown_as(by), kept.subject.kind());
        self.tell(session, "proposed", text);
        self.evaluate(kept, examined);
        Ok(())
    }

    /// The first subject of a request may be wrong, or bare hashes, which cannot be examined: then
    /// the subject from the next member is examined. A decision about the former subject then has
    /// no effect.
    async fn shown_better(
        self: &Arc<Self>,
        kept: &KeptRequest,
        request: SigningRequest,
        subject: Subject,
        by: Seat,
    ) -> Result<Option<(KeptRequest, Examined)>, ServiceError> {
        let open = match &kept.state {
            RequestState::Proposed => true,
            RequestState::Refused(rejection) => rejection.decision.by != Decider::Operator,
            RequestState::Approved(_) | RequestState::Signed(_) | RequestState::Stopped(_) => false,
        };
        let unshown = is_unshown(kept);
        if !open || (kept.subject == subject && !unshown) {
            return Ok(None);
        }
        if !unshown && !says_more(&subject, &kept.subject) {
            let shown = self.examine_for(Lane::Member(by), kept, None).await;
            if !shown.is_err_and(|refusal| refusal.is_about_what_is_shown()) {
                return Ok(None);
            }
        }
        let better = KeptRequest { subject: subject.clone(), ..kept.clone() };
        let Ok(examined) = self.examine_for(Lane::Member(by), &better, None).await else {
            return Ok(None);
        };
        // A decision that was made since the examination stays.
        let (seen, at) = (kept.revision, now());
        let shown = self
            .shared
            .write(Durability::Deferred, move |change| {
                let taken = change.show_otherwise(&request, &subject, by, seen, at)?;
                if taken { change.request(request.session_id()) } else { Ok(None) }
            })
            .await?;
        shown.iter().for_each(|shown| self.holdings.note(shown));
        Ok(shown.map(|shown| (shown, examined)))
    }

    /// Stores a member's proposal, if it is new, in place of the oldest of that member's refused
    /// ones if its quota is used up. Returns the stored request, and whether it is new. Without
    /// room the member gets a refusal for now.
    async fn hold(
        &self,
        by: Seat,
        request: &SigningRequest,
        subject: &Subject,
        at: u64,
    ) -> Result<Option<(KeptRequest, bool)>, ServiceError> {
        let session = request.session_id();
        let new = KeptRequest::proposed(request.clone(), subject.clone(), Some(by), at);
        let room = self.holdings.room_for(by, new.size());
        let (adding, holdings) = (new.request, self.holdings.clone());
        let (showing, has_room) = (new.subject, room != Room::None);
        let kept = self
            .shared
            .write(Durability::Deferred, move |change| {
                if let Some(known) = change.request(session)? {
                    return Ok(Some((known, false, 0)));
                }
                let Room::Without(forgotten) = room else { return Ok(None) };
                for session in &forgotten {
                    change.forget_unapproved(*session)?;
                }
                change.add_request(&adding, &showing, Some(by), at)?;
                // The writer makes changes one after the other: they are counted in that order.
                holdings.forgotten(&forgotten);
                let kept = change.request(session)?;
                kept.iter().for_each(|kept| holdings.note(kept));
                Ok(kept.map(|kept| (kept, true, forgotten.len())))
            })
            .await?;
        if !has_room || matches!(kept, Some((_, _, 1..))) {
            self.shared.limits.hit(Limit::RequestsHeld, &format!("{}, seat {by}", self.name));
        }
        if kept.is_none() {
            self.handle.refuse(request, RefusalReason::TooMany).await;
            self.handle.not_taken(session).await;
        }
        Ok(kept.map(|(kept, new, _)| (kept, new)))
    }
}

/// Whether the new subject can be examined, and the former one could not.
fn says_more(new: &Subject, old: &Subject) -> bool {
    match old {
        Subject::Hash => matches!(new, Subject::Text(_) | Subject::Transaction(_)),
        Subject::Text(_) | Subject::Transaction(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::request::{Derivation, MessageToSign};
    use roastery_testkit::seat;

    use super::*;
    use crate::service::fixture::TestNode;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proposal_of_a_known_request_begins_no_timeline_and_one_of_a_new_request_does() {
        let node = TestNode::start(0).await;
        let known = node.proposed().await.request;
        let messages =
            vec![MessageToSign { message: [2; 32], derivation: Derivation::key_path_only() }];
        let new = SigningRequest::new(known.group(), [2; 32], now() + 600, messages).unwrap();
        let sessions = [known.session_id(), new.session_id()];
        for request in [known, new] {
            // Another one is the same again.
            for _ in 0..2 {
                let proposal = Proposal { request: request.clone(), subject: Subject::Hash };
                node.group.receive_proposal(seat(1), proposal).await.unwrap();
            }
        }
        let steps = sessions.map(|session| node.group.timelines.of(session));
        assert!(steps[0].is_empty(), "{steps:?}");
        assert_eq!(steps[1].len(), 1, "{steps:?}");
        assert_eq!((&steps[1][0].what, steps[1][0].seat), (&StepKind::Proposed, Some(seat(1))));
    }

    #[test]
    fn bare_hashes_hide_neither_a_text_nor_a_transaction_that_is_shown_later() {
        let (text, transaction) = (Subject::Text("pay".to_owned()), Subject::Transaction(vec![1]));
        for new in [&text, &transaction] {
            assert!(says_more(new, &Subject::Hash));
            assert!(!says_more(&Subject::Hash, new));
            assert!(!says_more(new, &text) && !says_more(new, &transaction));
        }
        assert!(!says_more(&Subject::Hash, &Subject::Hash));
    }
}
