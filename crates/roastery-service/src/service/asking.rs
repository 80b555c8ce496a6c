//! Who asks this node for something, and the record of it.

use roastery_store::{Act, Deed, Durability, MAX_TEXT, Principal};

use crate::service::{Service, ServiceError, now_ms};

/// Who asks for an approval, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Asking {
    /// Who.
    pub(in crate::service) by: Principal,
    /// The number of the last rejection when it was asked for: a later rejection stays.
    pub(in crate::service) after: u64,
}

/// Who rejects a request, and the hash of what was seen of it, if the rejection says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Rejecting {
    pub(in crate::service) by: Principal,
    pub(in crate::service) seen: Option<[u8; 32]>,
}

/// Something that is done now.
pub(in crate::service) fn act(by: Principal, deed: Deed) -> Act {
    Act { time_ms: now_ms(), by, deed }
}

/// An operation that is asked for now.
pub(in crate::service) fn asked(by: Principal, operation: &str, about: &str) -> Act {
    let fitting = |text: &str| text[..text.floor_char_boundary(MAX_TEXT)].to_owned();
    let (operation, about) = (fitting(operation), fitting(about));
    act(by, Deed::Asked { operation, about })
}

impl Service {
    /// Records that a client asks for an operation. It is on the disk when this returns: the
    /// operation has no effect before.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn record(&self, by: Principal, operation: &str) -> Result<(), ServiceError> {
        let act = asked(by, operation, "");
        self.shared.write(Durability::Synced, move |change| change.append_act(&act)).await
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::request::RefusalReason;
    use roastery_store::{Decider, KeptRequest};

    use super::*;
    use crate::service::{
        DecidedAbout,
        decisions::{
            approval::ApprovalBasis,
            parts::tests::{draft, node, proposed, spend},
        },
        fixture::{TestNode, asking},
        group::turns::Lane,
    };

    /// Who has asked for what at this node.
    async fn acts(node: &TestNode) -> Vec<(Principal, Deed)> {
        let acts = node.shared.store(|store| store.acts(0, 99)).await.unwrap();
        acts.into_iter().map(|(_, kept)| (kept.act.by, kept.act.deed)).collect()
    }

    fn approved(part: &KeptRequest, seen: Option<[u8; 32]>) -> (Principal, Deed) {
        let (group, session) = (part.request.group(), part.request.session_id());
        (Principal::User(1000), Deed::Approved { group, session, seen })
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_approval_is_recorded_with_who_has_asked_for_it_and_what_was_seen() {
        let node = node().await;
        let parts = proposed(&node, &spend(&node)).await;
        // One that is overtaken has no effect, and is not recorded.
        let examined = node.group.examine(&parts[0]).await.unwrap();
        let (by, reason) = (Decider::Rules, RefusalReason::Policy);
        node.group.refuse(&parts[0], by, reason, "a rule".to_owned(), None).await.unwrap();
        let after = node.shared.rejections.last();
        let basis = ApprovalBasis::by_operator(after);
        node.group.approve(&parts[0], &examined, basis).await.unwrap_err();
        assert_eq!(acts(&node).await, []);
        let kept = node.kept(parts[0].request.session_id()).await;
        let shown = node.group.known_whole(kept.clone(), Lane::Operator, None).await;
        let seen = shown.details.unwrap().seen;
        let about = DecidedAbout { revision: None, seen: Some(seen) };
        let done = node.group.approve_as_operator(kept, about, asking(after)).await;
        done.unwrap();
        let of_other_parts = parts[1..].iter().map(|part| approved(part, None));
        let expected = [approved(&parts[0], Some(seen.to_bytes()))].into_iter();
        assert_eq!(acts(&node).await, expected.chain(of_other_parts).collect::<Vec<_>>());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_asked_for_here_and_its_rejection_are_recorded_with_who_has_asked() {
        let node = node().await;
        let made = node.group.propose(draft(&spend(&node)), asking(0)).await.unwrap().kept;
        let recorded = acts(&node).await;
        let (group, session) = (made.request.group(), made.request.session_id());
        assert_eq!(recorded[0], (Principal::User(1000), Deed::Proposed { group, session }));
        assert_eq!(recorded[1], approved(&made, None));
        let by = Principal::Token("payout".to_owned());
        let rejecting = Rejecting { by: by.clone(), seen: Some([5; 32]) };
        let kept = node.kept(session).await;
        node.group.reject_as_operator(&kept, "not this", &rejecting).await.unwrap();
        let rejected: Vec<_> = acts(&node).await.split_off(recorded.len());
        assert_eq!(rejected.len(), recorded.len() - 1, "all parts");
        // The hash is that of the part that was named, and of no other.
        for (who, deed) in rejected {
            let Deed::Rejected { session: of, seen, text, .. } = deed else { panic!("{deed:?}") };
            assert_eq!((who, text.as_str()), (by.clone(), "not this"));
            assert_eq!(seen, (of == session).then_some([5; 32]), "{of}");
        }
        node.shared.store(|store| store.check_chain()).await.unwrap();
    }
}
