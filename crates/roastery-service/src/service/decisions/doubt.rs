//! At the start: rejections that the store lacks are written into it, and where one may have been
//! lost the open requests are refused.

use std::io;

use roastery_protocol::request::RefusalReason;
use roastery_store::{
    Change, Decider, Decision, Deed, Durability, Examination, KeptRequest, Principal, Rejection,
    RequestState, StoreError,
};

use crate::service::{
    Service, ServiceError, asking::act, group::state::open_requests, now, shared::Shared,
};

/// The reason for a request that was open when a rejection may have been lost.
const DOUBT: &str = "a rejection may have been lost before the start, or the store is a restored one: approve it again if it is to be signed";

impl Service {
    /// Writes rejections into the store that were made while it could not be written. If one may
    /// have been lost, refuses all open requests: the operator must approve again what is to be
    /// signed.
    pub(in crate::service) async fn take_over_rejections(&self) -> Result<(), ServiceError> {
        let at = now();
        self.shared.write_rejections(at).await?;
        if self.shared.rejections.are_incomplete() {
            self.refuse_in_doubt(at).await?;
        }
        self.load_rejected().await
    }

    /// Refuses the open requests: a rejection of one may be missing.
    async fn refuse_in_doubt(&self, at: u64) -> Result<(), ServiceError> {
        let shared = &self.shared;
        let open = shared.store(|store| {
            let mut open = Vec::new();
            for known in store.known_groups()? {
                open.extend(open_requests(store, known.group.id())?);
            }
            Ok(open)
        });
        for kept in open.await? {
            if kept.request.expiry() <= at {
                continue;
            }
            let session = kept.request.session_id();
            tracing::warn!(%session, "not taken up again: {DOUBT}");
            let decide = move |known: &KeptRequest| Some(doubted(known, at));
            shared.store(move |store| store.change_request(session, at, decide)).await?;
        }
        let rejections = shared.rejections.clone();
        let complete = shared.blocking(move || rejections.are_complete()).await;
        let complete = complete.unwrap_or_else(|error| Err(io::Error::other(error)));
        complete.map_err(|error| {
            ServiceError::NotReady(
                format!("{}: {error}", shared.rejections.complete.display()).into(),
            )
        })
    }
}

impl Shared {
    /// Writes the rejections that are beside the store into it, each with the record of it if it
    /// has an effect.
    async fn write_rejections(&self, at: u64) -> Result<(), ServiceError> {
        let number = self.rejections.last();
        for (session, text) in self.rejections.all() {
            let taken = self.write(Durability::Synced, move |change| {
                let of_act = text.clone();
                let taken = change.change_request(session, at, move |known| {
                    let by = Decider::Operator;
                    (!is_rejected(known, &text))
                        .then(|| rejected(known, by, RefusalReason::Operator, text, at))
                })?;
                let Change::Made(known) = taken else { return Ok(()) };
                // Who has rejected it was in the process that has ended.
                let group = known.request.group();
                let deed = Deed::Rejected { group, session, seen: None, text: of_act };
                match change.append_act(&act(Principal::Node, deed)) {
                    // The rejection counts for more than the record of it.
                    Err(StoreError::Damaged(part)) => {
                        tracing::warn!(%session, "a rejection is not recorded: damaged is {part}");
                        Ok(())
                    }
                    done => done,
                }
            });
            match taken.await {
                Ok(()) => self.forget_rejection(session, number).await?,
                // It may be proposed again.
                Err(ServiceError::Store(StoreError::Content(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the store has this rejection: its file was not removed before the process ended.
fn is_rejected(known: &KeptRequest, text: &str) -> bool {
    let RequestState::Refused(rejection) = &known.state else { return false };
    let by_operator = rejection.decision.by == Decider::Operator;
    by_operator && rejection.reason == RefusalReason::Operator && rejection.text == text
}

/// The state as if the operator had rejected the request: only the operator can approve it again.
fn doubted(known: &KeptRequest, at: u64) -> RequestState {
    rejected(known, Decider::Operator, RefusalReason::Fault, DOUBT.to_owned(), at)
}

fn rejected(
    known: &KeptRequest,
    by: Decider,
    reason: RefusalReason,
    text: String,
    at: u64,
) -> RequestState {
    let about = Examination::new(&known.request, &known.subject, b"");
    let decision = Decision { by, about, revision: known.revision, at };
    RequestState::Refused(Rejection { decision, reason, text })
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
    use roastery_protocol::{
        GroupId,
        request::{Derivation, MessageToSign, SigningRequest, Subject},
    };
    use roastery_store::{Passphrase, PassphraseCost, Store, StoreWriter};

    use super::*;
    use crate::{
        files::Folder,
        service::{
            decisions::parts::tests::{draft, node, spend},
            fixture::{TestNode, asking},
            outbox::Hooks,
        },
    };

    fn request() -> SigningRequest {
        let derivation = Derivation::key_path_only();
        let message = MessageToSign { message: [1; 32], derivation };
        SigningRequest::new(GroupId::from_bytes([2; 32]), [3; 32], 9, vec![message]).unwrap()
    }

    async fn acts(shared: &Shared) -> usize {
        shared.store(|store| store.acts(0, 99)).await.unwrap().len()
    }

    /// Rejects a request beside the store, and starts again.
    async fn taken_over(shared: &Shared, kept: &KeptRequest, text: &str) -> RequestState {
        let session = kept.request.session_id();
        shared.keep_rejection(session, text.to_owned()).await.unwrap();
        shared.write_rejections(now()).await.unwrap();
        assert_eq!(shared.rejections.all(), []);
        shared.store(move |store| store.request(session)).await.unwrap().unwrap().state
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rejection_beside_the_store_is_recorded_once_and_where_it_has_an_effect() {
        let waiting = TestNode::start(0).await;
        let kept = waiting.proposed().await;
        // The file of the second one was not removed before the process ended.
        for (text, recorded) in [("not this", 1), ("not this", 1), ("nor now", 2)] {
            let state = taken_over(&waiting.shared, &kept, text).await;
            let RequestState::Refused(rejection) = state else { panic!("{state:?}") };
            assert_eq!((rejection.decision.by, rejection.text.as_str()), (Decider::Operator, text));
            assert_eq!(acts(&waiting.shared).await, recorded);
        }
        // What is signed stays signed.
        let mut node = node().await;
        let made = node.group.propose(draft(&spend(&node)), asking(0)).await.unwrap().kept;
        let signed = node.signed_by_both(&made.request).await;
        let before = acts(&node.shared).await;
        assert_eq!(taken_over(&node.shared, &made, "too late").await, signed);
        assert_eq!(acts(&node.shared).await, before);
    }

    /// Overwrites the end of the chain of acts without the store.
    fn damage(store: &Path) {
        let rows: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("acts-head");
        let database = Database::open(store).unwrap();
        let reading = database.begin_read().unwrap().open_table(rows).unwrap();
        let row = reading.first().unwrap().unwrap().0.value().to_vec();
        drop(reading);
        let writing = database.begin_write().unwrap();
        writing.open_table(rows).unwrap().insert(row.as_slice(), &[7; 60][..]).unwrap();
        writing.commit().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_rejection_is_written_though_the_record_of_acts_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let (path, words) = (folder.path().join("store"), Passphrase::new("words".to_owned()));
        let cost = PassphraseCost::new(8, 1, 1).unwrap();
        let store = Store::create(&path, &words, cost).unwrap();
        store.add_request(&request(), &Subject::Hash, None, 7).unwrap();
        let deed = Deed::Asked { operation: "bar".to_owned(), about: "cleo".to_owned() };
        store.append_act(&act(Principal::Node, deed)).unwrap();
        drop(store);
        damage(&path);
        let store = Arc::new(Store::open(&path, &words).unwrap());
        assert!(matches!(store.chain_head(), Err(StoreError::Damaged(_))));
        let kept = store.request(request().session_id()).unwrap().unwrap();
        let (writer, writing) = StoreWriter::new(store.clone());
        std::thread::spawn(move || writing.run());
        let (at, runtime) = (Folder::new(folder.path()), tokio::runtime::Handle::current());
        let shared = Shared::new(at, store, writer, Arc::default(), Hooks::default(), runtime);
        let state = taken_over(&shared, &kept, "not this").await;
        let RequestState::Refused(rejection) = state else { panic!("{state:?}") };
        assert_eq!(rejection.text, "not this");
        assert_eq!(acts(&shared).await, 1);
    }

    #[test]
    fn what_is_refused_in_doubt_is_the_operators_to_take_up_again() {
        let kept = KeptRequest::proposed(request(), Subject::Hash, None, 7);
        let RequestState::Refused(rejection) = doubted(&kept, 8) else { panic!("it is refused") };
        assert_eq!(rejection.decision.by, Decider::Operator);
        assert_eq!(rejection.reason, RefusalReason::Fault);
    }
}
