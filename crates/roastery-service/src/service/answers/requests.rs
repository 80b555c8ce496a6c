//! Queries for requests, one or many, and the completion of signed transactions.

use std::{sync::Arc, time::Duration};

use bitcoin::{Transaction, hex::FromHex as _};
use roastery_bitcoin::spend::{Completed, Completion, extract};
use roastery_frost::Signature;
use roastery_protocol::{
    SessionId,
    request::{SigningRequest, Subject},
};
use roastery_store::{KeptRequest, Listing, RequestState, StateKind, Store};

use crate::{
    policy::PolicyEngine,
    service::{
        Role, Service, ServiceError,
        answers::{
            known::KnownRequest,
            paging::{Page, page},
            summary::Listed,
        },
        exactly_one,
        group::{
            service::GroupService,
            state::{State, kinds_of},
            turns::Lane,
        },
        now,
    },
};

/// The most requests that are listed at once.
pub(crate) const MOST_LISTED: usize = 200;

/// The default number of requests in a page.
const USUALLY_LISTED: usize = 50;

/// A query for requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    /// Only requests of this group.
    pub group: Option<String>,
    /// Only requests in this state.
    pub state: Option<State>,
    /// Only requests that changed before this position, which is that of the last request of the
    /// page before.
    pub before: Option<u64>,
    /// The most requests: 1 to 200, 50 if absent.
    pub limit: Option<usize>,
}

/// The version of a PSBT that is answered.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputVersion {
    /// The one that was asked with.
    AsRead,
    /// Version 0, for programs that read no other.
    Zero,
}

/// The form in which a signed transaction is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedForm {
    /// How far the group's inputs are completed.
    pub completion: Completion,
    /// The version of the PSBT.
    pub version: OutputVersion,
}

/// How many requests are open, those that have expired not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Those that wait for approval here.
    pub waiting: usize,
    /// Those that are approved here, and not signed yet.
    pub signing: usize,
}

/// Requests, the latest changes first.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestPage {
    /// The requests, without their transactions.
    pub requests: Vec<KnownRequest>,
    /// The position before which the next page begins; `None` if this is the last one.
    pub next: Option<u64>,
}

impl Lane {
    /// The lane of examinations for a client with this role.
    fn of(role: Role) -> Self {
        match role {
            Role::Operator | Role::Approver => Self::Operator,
            Role::Proposer | Role::Reader | Role::Relay => Self::Reader,
        }
    }
}

impl Service {
    /// A request by its session, or by a prefix of it (8 digits at least). Waits at most this long
    /// until it is signed, refused or stopped.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn request(
        &self,
        session: &str,
        wait: Duration,
        role: Role,
    ) -> Result<KnownRequest, ServiceError> {
        let until = tokio::time::Instant::now() + wait;
        let id = self.find_session(session).await?;
        let mut changes = self.shared.waiters.wait_for(id);
        loop {
            let (group, kept) = self.known_request(id, session).await?;
            let open = group.current_state(&kept).is_open();
            let over = tokio::time::Instant::now() >= until;
            if !open || over || kept.request.expiry() <= now() {
                return Ok(group.known_whole(kept, Lane::of(role), None).await);
            }
            // It may expire meanwhile.
            let left = Duration::from_secs(kept.request.expiry().saturating_sub(now()));
            let until = until.min(tokio::time::Instant::now() + left);
            let _ = tokio::time::timeout_at(until, changes.changed()).await;
        }
    }

    /// A signed transaction, as a PSBT, and what it lacks before it can be sent.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if the request is not a transaction, or it or another part of its
    /// transaction is not signed.
    pub async fn completed(
        &self,
        session: &str,
        form: SignedForm,
        role: Role,
    ) -> Result<Completed, ServiceError> {
        self.complete(session, None, form, role).await
    }

    /// The same in this PSBT of the transaction, which need not be the one that the request was
    /// made with: who asked for the same transaction before may have had other fields in it, or
    /// another version.
    ///
    /// # Errors
    ///
    /// Those of [`completed`](Self::completed), and [`ServiceError::Invalid`] if it is no PSBT, or
    /// one that asks for other signatures.
    pub async fn completed_in(
        &self,
        session: &str,
        psbt: Vec<u8>,
        form: SignedForm,
        role: Role,
    ) -> Result<Completed, ServiceError> {
        self.complete(session, Some(psbt), form, role).await
    }

    /// Puts the signatures of a request into the PSBT that it was made with, or into this one.
    async fn complete(
        &self,
        session: &str,
        own: Option<Vec<u8>>,
        form: SignedForm,
        role: Role,
    ) -> Result<Completed, ServiceError> {
        let conflict = |reason: &str| ServiceError::Conflict(reason.into());
        let (group, kept) = self.find_request(session).await?;
        let Subject::Transaction(psbt) = kept.subject else {
            return Err(conflict("the request is no transaction"));
        };
        let RequestState::Signed(_) = kept.state else {
            return Err(conflict("the request is not signed"));
        };
        let request = kept.request;
        let read = move |policy: &PolicyEngine| {
            let spend = policy.read(&psbt)?;
            let parts = policy.parts_of(&spend, &request)?;
            let Some(own) = own else { return Ok(Ok((spend, parts))) };
            let own = match policy.read(&own) {
                Ok(own) => own,
                Err(refusal) => return Ok(Err(ServiceError::Invalid(refusal.into()))),
            };
            if policy.parts_of(&own, &request).is_ok_and(|of_own| of_own == parts) {
                return Ok(Ok((own, parts)));
            }
            let reason = "the PSBT asks for other signatures than the request has: ask for it anew";
            Ok(Err(ServiceError::Invalid(reason.into())))
        };
        let (spend, parts) =
            group.with_policy(Lane::of(role), read).await.map_err(ServiceError::Refused)??;
        let signatures = self.signatures_of(&parts).await?;
        let completed = group
            .with_policy(Lane::of(role), move |_| {
                let completed = spend.complete(&signatures, form.completion);
                Ok(match form.version {
                    OutputVersion::AsRead => completed,
                    OutputVersion::Zero => completed.and_then(|done| Ok(done.to_version_0()?)),
                })
            })
            .await
            .map_err(ServiceError::Refused)?;
        completed.map_err(|error| ServiceError::Conflict(error.into()))
    }

    /// A signed transaction, ready to be sent, or the first input, from 0, that asks for more than
    /// this group's signature.
    pub(in crate::service) async fn signed_transaction(
        &self,
        session: &str,
    ) -> Result<Result<Transaction, usize>, ServiceError> {
        let form = SignedForm { completion: Completion::Finalised, version: OutputVersion::Zero };
        let completed = self.completed(session, form, Role::Operator).await?;
        Ok(extract(completed.document()))
    }

    /// The signatures of all parts of a transaction, in their order.
    async fn signatures_of(
        &self,
        parts: &[SigningRequest],
    ) -> Result<Vec<Signature>, ServiceError> {
        let sessions: Vec<SessionId> = parts.iter().map(SigningRequest::session_id).collect();
        let read = move |store: &Store| {
            sessions.into_iter().map(|session| store.request(session)).collect::<Result<_, _>>()
        };
        let kept: Vec<Option<KeptRequest>> = self.shared.store(read).await?;
        let signed = kept.into_iter().filter_map(|kept| match kept?.state {
            RequestState::Signed(outcome) => Some(outcome.signatures),
            _ => None,
        });
        let signed: Vec<_> = signed.collect();
        if signed.len() < parts.len() {
            let (signed, all) = (signed.len(), parts.len());
            let reason = format!("{signed} of the {all} parts of the transaction are signed");
            return Err(ServiceError::Conflict(reason.into()));
        }
        Ok(signed.concat())
    }

    /// A page of the requests of a group, or of all, the latest changes first.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such group, [`ServiceError::Invalid`] if the page
    /// is not allowed.
    pub async fn requests(
        &self,
        which: RequestFilter,
        role: Role,
    ) -> Result<RequestPage, ServiceError> {
        let RequestFilter { group, state, before, limit } = which;
        let groups = match group {
            Some(name) => vec![self.find_group(&name)?],
            None => self.groups(),
        };
        let states = match state {
            Some(state) => kinds_of(state),
            None => StateKind::ALL.to_vec(),
        };
        let limit = limit.unwrap_or(USUALLY_LISTED);
        if !(1..=MOST_LISTED).contains(&limit) {
            let reason = format!("limit is {limit}; 1 to {MOST_LISTED} are allowed");
            return Err(ServiceError::Invalid(reason.into()));
        }
        let mut which = Listing {
            groups: groups.iter().map(|group| group.group.id()).collect(),
            states,
            before: u64::MAX,
            limit,
        };
        // Keys are derived for the answer, which takes time.
        let Page { entries, next } = self
            .shared
            .store(move |store| {
                let list = |before| {
                    which.before = before;
                    store.list(&which)
                };
                // The state of some differs from the stored one: they have expired, or too many
                // members refuse.
                page(before.unwrap_or(u64::MAX), limit, list, |kept| {
                    let id = kept.request.group();
                    let group = groups.iter().find(|group| group.group.id() == id)?;
                    let is_so = |state| group.current_state(&kept).state == state;
                    state.is_none_or(is_so).then(|| Listed::new(group, kept))
                })
            })
            .await?;
        Ok(RequestPage { requests: self.summarise(entries, Lane::of(role)).await, next })
    }

    /// How many requests of a group, or of all, are open.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such group.
    pub async fn request_counts(
        &self,
        group: Option<String>,
    ) -> Result<RequestCounts, ServiceError> {
        let groups = match group {
            Some(name) => vec![self.find_group(&name)?],
            None => self.groups(),
        };
        let groups: Vec<_> = groups.iter().map(|group| group.group.id()).collect();
        self.shared
            .store(move |store| {
                let mut counts = RequestCounts::default();
                for group in groups {
                    counts.waiting += store.count(group, StateKind::Proposed, now())?;
                    counts.signing += store.count(group, StateKind::Approved, now())?;
                }
                Ok(counts)
            })
            .await
    }

    pub(in crate::service) fn groups(&self) -> Vec<Arc<GroupService>> {
        self.lock_groups().values().cloned().collect()
    }

    pub(in crate::service) fn find_group(
        &self,
        name: &str,
    ) -> Result<Arc<GroupService>, ServiceError> {
        let groups = self.groups();
        let with_id = groups.iter().find(|group| group.group.id().to_string() == name);
        if let Some(group) = with_id {
            return Ok(group.clone());
        }
        // The epochs of one key have one name: what is new is asked of the newest.
        let named: Vec<_> = groups.into_iter().filter(|group| group.name == name).collect();
        let is_newest = |group: &&Arc<GroupService>| {
            let (key, epoch) = (group.group.key_id(), group.group.epoch().number());
            let newer = |other: &Arc<GroupService>| {
                other.group.key_id() == key && other.group.epoch().number() > epoch
            };
            !named.iter().any(newer)
        };
        let newest: Vec<_> = named.iter().filter(is_newest).cloned().collect();
        if let [_, _, ..] = newest[..]
            && let Ok(bound) = name.parse()
            && let Some(id) = self.shared.store.group_named(&bound)?
        {
            // Two certified plans of one parent: the name is bound to the greater epoch.
            let bound = newest.iter().filter(|group| group.group.id() == id);
            return exactly_one("group", name, bound.cloned());
        }
        exactly_one("group", name, newest.into_iter())
    }

    fn group_of(&self, kept: &KeptRequest) -> Option<Arc<GroupService>> {
        self.lock_groups().get(&kept.request.group()).cloned()
    }

    pub(in crate::service) async fn find_request(
        &self,
        session: &str,
    ) -> Result<(Arc<GroupService>, KeptRequest), ServiceError> {
        let id = self.find_session(session).await?;
        self.known_request(id, session).await
    }

    /// A session by its digits, or by the first 8 of them or more.
    pub(super) async fn find_session(&self, session: &str) -> Result<SessionId, ServiceError> {
        let name = session.to_ascii_lowercase();
        if let Ok(id) = <[u8; 32]>::from_hex(&name) {
            return Ok(SessionId::from_bytes(id));
        }
        let first = name.get(..8).and_then(|first| <[u8; 4]>::from_hex(first).ok());
        let found = match first {
            Some(first) => self.shared.store(move |store| store.sessions_named(first)).await?,
            None => Vec::new(),
        };
        let named = found.into_iter().filter(|id| has_prefix(&id.to_string(), &name));
        exactly_one("request", session, named)
    }

    pub(super) async fn known_request(
        &self,
        id: SessionId,
        name: &str,
    ) -> Result<(Arc<GroupService>, KeptRequest), ServiceError> {
        let found = self.shared.store(move |store| store.request(id)).await?;
        let kept = exactly_one("request", name, found.into_iter())?;
        let group = self.group_of(&kept);
        Ok((exactly_one("request", name, group.into_iter())?, kept))
    }
}

/// Whether a name of 64 digits has this prefix, of 8 digits at least.
pub(in crate::service) fn has_prefix(name: &str, with: &str) -> bool {
    with.len() >= 8 && name.starts_with(with)
}
