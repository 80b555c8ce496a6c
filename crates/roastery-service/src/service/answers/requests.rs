//! Requests: made here, approved, rejected, queried, completed.

use std::{sync::Arc, time::Duration};

use bitcoin::hex::FromHex as _;
use roastery_bitcoin::{policy, spend::Completion};
use roastery_protocol::{
    SessionId,
    message::RefusalReason,
    request::{Derivation, MAX_LIFETIME_SECONDS, MessageToSign, SigningRequest, Subject, Taproot},
};
use roastery_store::{Decider, Durability, KeptRequest, Listing, RequestState, StateKind};

use crate::{
    api::Role,
    config::ApprovalMode,
    service::{
        Service, ServiceError,
        answers::{
            paging::{Page, page},
            summary::Listed,
            views::kinds_of,
        },
        decisions::{
            approval::ApprovalBasis, decision::overtaken, rejections::REJECTED, turns::Lane,
        },
        exactly_one,
        groups::{group::GroupService, holdings::is_unshown},
        now,
    },
    view,
};

/// The life of a request, in seconds, if none is given.
const USUAL_LIFE: u64 = 3600;

/// The longest note with a rejection, in bytes.
const MAX_NOTE: usize = 512;

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
    pub state: Option<view::State>,
    /// Only requests that changed before this position, which is that of the last request of the
    /// page before.
    pub before: Option<u64>,
    /// The most requests: 1 to 200, 50 if absent.
    pub limit: Option<usize>,
}

/// Requests, the latest changes first.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestPage {
    /// The requests, without their transactions.
    pub requests: Vec<view::Request>,
    /// The position before which the next page begins; `None` if this is the last one.
    pub next: Option<u64>,
}

impl Lane {
    /// The lane of examinations for a client with this role.
    fn of(role: Role) -> Self {
        match role {
            Role::Operator => Self::Operator,
            Role::Reader => Self::Reader,
        }
    }
}

impl Service {
    /// Makes a request, approves it here, and proposes it to the others. If there is a request for
    /// the same transaction already, signed or open, none is made: that one is approved here.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the input is invalid; [`ServiceError::Refused`] if this node's
    /// own rules do not allow it.
    pub async fn propose(
        self: &Arc<Self>,
        group: &str,
        what: view::Propose,
    ) -> Result<view::Request, ServiceError> {
        // A rejection after this stays.
        let after = self.shared.rejections.last();
        let group = self.find_group(group)?;
        let mut id = [0; 32];
        getrandom::fill(&mut id)
            .map_err(|_| ServiceError::Internal("the system gave no randomness".to_owned()))?;
        let life = what.expires_in.unwrap_or(USUAL_LIFE);
        if !(1..=MAX_LIFETIME_SECONDS).contains(&life) {
            let reason = format!("expires_in is {life}; 1 to {MAX_LIFETIME_SECONDS} are allowed");
            return Err(ServiceError::Invalid(reason));
        }
        let at = now();
        let (subject, messages) = group.read_proposal(what).await?;
        if let Subject::Transaction(_) = &subject
            && let Some(known) = group.request_for(&messages).await?
        {
            // This approves the request that another member has proposed.
            if known.state == RequestState::Proposed
                && group.approval_mode() != ApprovalMode::Command
            {
                group.approve(&known, ApprovalBasis::Operator { after }).await?;
            }
            return self.acknowledge(&known).await;
        }
        let request = SigningRequest::new(group.group.id(), id, at + life, messages)?;
        let kept = KeptRequest::proposed(request.clone(), subject.clone(), None, at);
        // A request that the rules forbid is not stored.
        group.check(&kept).await.map_err(ServiceError::Refused)?;
        self.shared
            .write(Durability::Deferred, move |change| {
                change.add_request(&request, &subject, None, at)
            })
            .await?;
        if group.approval_mode() == ApprovalMode::Command {
            group.evaluate(kept.clone());
        } else {
            let begun = group.approve(&kept, ApprovalBasis::Operator { after }).await;
            if let Err(error) = begun {
                group.give_up(&kept, &error).await;
                return Err(error);
            }
        }
        self.acknowledge(&kept).await
    }

    /// Approves a waiting request, and opens its session: the request as it is now, or in the
    /// revision that the operator has seen. A decision or a change of its subject before the
    /// approval takes effect cancels it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if it is signed, has changed, or is not for this operator to
    /// approve; [`ServiceError::Refused`] if the rules do not allow it.
    pub async fn approve(
        self: &Arc<Self>,
        session: &str,
        revision: Option<u64>,
    ) -> Result<view::Request, ServiceError> {
        check_decisive(session)?;
        // A rejection after this stays.
        let after = self.shared.rejections.last();
        let (group, kept) = self.find_request(session).await?;
        if revision.is_some_and(|revision| revision != kept.revision) {
            return Err(overtaken(&kept));
        }
        if kept.request.expiry() <= now() {
            return Err(ServiceError::Expired);
        }
        if is_unshown(&kept) {
            let reason = "what was shown with it was refused and is not kept: propose it anew";
            return Err(ServiceError::Conflict(reason.to_owned()));
        }
        match (&kept.state, group.approval_mode()) {
            (RequestState::Signed(_), _) => {
                return Err(ServiceError::Conflict("the request is signed".to_owned()));
            }
            (_, ApprovalMode::Command) if group.left_to_operator(&kept.request).is_none() => {
                let reason = "requests of this group are approved by a command";
                return Err(ServiceError::Conflict(reason.to_owned()));
            }
            _ => group.approve(&kept, ApprovalBasis::Operator { after }).await?,
        }
        self.acknowledge(&kept).await
    }

    /// Rejects a request, and sends the refusal to all. Shares that have left cannot be taken back.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if it is signed.
    pub async fn reject(&self, session: &str, note: String) -> Result<view::Request, ServiceError> {
        if note.len() > MAX_NOTE || note.chars().any(char::is_control) {
            let reason = format!("a note has at most {MAX_NOTE} bytes and no control characters");
            return Err(ServiceError::Invalid(reason));
        }
        check_decisive(session)?;
        let (group, kept) = self.find_request(session).await?;
        if let RequestState::Signed(_) = kept.state {
            return Err(ServiceError::Conflict("the request is signed".to_owned()));
        }
        let text = match note.as_str() {
            "" => REJECTED.to_owned(),
            note => format!("{REJECTED}: {note}"),
        };
        group.refuse(&kept, Decider::Operator, RefusalReason::Operator, text).await?;
        // The rejection is on the disk: in the store, or else beside it.
        self.request_as_operator(kept.request.session_id()).await
    }

    /// The answer to an operator after a decision: it is on the disk then, and so are deferred
    /// changes before it.
    async fn acknowledge(&self, kept: &KeptRequest) -> Result<view::Request, ServiceError> {
        let session = kept.request.session_id();
        let known = self.shared.write(Durability::Synced, move |change| change.request(session));
        if known.await?.is_none() {
            let reason = "the request is not in the store any more: ask for it again";
            return Err(ServiceError::Internal(reason.to_owned()));
        }
        self.request_as_operator(session).await
    }

    async fn request_as_operator(&self, session: SessionId) -> Result<view::Request, ServiceError> {
        self.request(&session.to_string(), Duration::ZERO, Role::Operator).await
    }

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
    ) -> Result<view::Request, ServiceError> {
        let until = tokio::time::Instant::now() + wait;
        let id = self.find_session(session).await?;
        let mut changes = self.shared.waiters.wait_for(id);
        loop {
            let (group, kept) = self.known_request(id, session).await?;
            let open = group.current_state(&kept).is_open();
            let over = tokio::time::Instant::now() >= until;
            if !open || over || kept.request.expiry() <= now() {
                return Ok(group.view_whole(&kept, Lane::of(role)).await);
            }
            // It may expire meanwhile.
            let left = Duration::from_secs(kept.request.expiry().saturating_sub(now()));
            let until = until.min(tokio::time::Instant::now() + left);
            let _ = tokio::time::timeout_at(until, changes.changed()).await;
        }
    }

    /// A signed transaction, as a PSBT: finalised, or with the signatures only.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if the request is not a transaction or is not signed, or an input
    /// cannot be finalised.
    pub async fn completed(
        &self,
        session: &str,
        completion: Completion,
        role: Role,
    ) -> Result<Vec<u8>, ServiceError> {
        let conflict = |reason: &str| ServiceError::Conflict(reason.to_owned());
        let (group, kept) = self.find_request(session).await?;
        let Subject::Transaction(psbt) = kept.subject else {
            return Err(conflict("the request is no transaction"));
        };
        let RequestState::Signed(outcome) = kept.state else {
            return Err(conflict("the request is not signed"));
        };
        let completed = group
            .with_policy(Lane::of(role), move |policy| {
                Ok(policy.read(&psbt)?.complete(&outcome.signatures, completion))
            })
            .await
            .map_err(ServiceError::Refused)?;
        completed.map(|psbt| psbt.serialize()).map_err(|error| conflict(&error.to_string()))
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
            return Err(ServiceError::Invalid(reason));
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

    pub(in crate::service) fn groups(&self) -> Vec<Arc<GroupService>> {
        self.lock_groups().values().cloned().collect()
    }

    pub(in crate::service) fn find_group(
        &self,
        name: &str,
    ) -> Result<Arc<GroupService>, ServiceError> {
        let groups = self.groups();
        let named = groups
            .into_iter()
            .filter(|group| group.name == name || group.group.id().to_string() == name);
        exactly_one("group", name, named)
    }

    fn group_of(&self, kept: &KeptRequest) -> Option<Arc<GroupService>> {
        self.lock_groups().get(&kept.request.group()).cloned()
    }

    async fn find_request(
        &self,
        session: &str,
    ) -> Result<(Arc<GroupService>, KeptRequest), ServiceError> {
        let id = self.find_session(session).await?;
        self.known_request(id, session).await
    }

    /// A session by its digits, or by the first 8 of them or more.
    async fn find_session(&self, session: &str) -> Result<SessionId, ServiceError> {
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

    async fn known_request(
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

/// A decision must name the whole session id: a member can produce another one with the same 8
/// digits.
fn check_decisive(session: &str) -> Result<(), ServiceError> {
    if session.len() == 64 {
        return Ok(());
    }
    let reason = "the whole session is needed here, 64 digits";
    Err(ServiceError::Invalid(reason.to_owned()))
}

/// Whether a name of 64 digits has this prefix, of 8 digits at least.
pub(in crate::service) fn has_prefix(name: &str, with: &str) -> bool {
    with.len() >= 8 && name.starts_with(with)
}

impl GroupService {
    /// The subject and the messages of the input.
    async fn read_proposal(
        &self,
        what: view::Propose,
    ) -> Result<(Subject, Vec<MessageToSign>), ServiceError> {
        let invalid = |reason: &str| ServiceError::Invalid(reason.to_owned());
        let view::Propose { text, psbt, hashes, path, untweaked, expires_in: _ } = what;
        let derivation = Derivation {
            path: read_path(&path)?,
            taproot: if untweaked { Taproot::Untweaked } else { Taproot::KeyPathOnly },
        };
        let messages = |messages: Vec<[u8; 32]>| {
            let entry = |message| MessageToSign { message, derivation: derivation.clone() };
            messages.into_iter().map(entry).collect()
        };
        match (text, psbt, hashes) {
            (Some(text), None, None) => {
                let message = Subject::text_message(&text);
                Ok((Subject::Text(text), messages(vec![message])))
            }
            (None, None, Some(hashes)) => {
                let read = |hash: String| {
                    <[u8; 32]>::from_hex(&hash)
                        .map_err(|_| invalid("a hash has 64 hexadecimal digits"))
                };
                let hashes = hashes.into_iter().map(read).collect::<Result<_, _>>()?;
                Ok((Subject::Hash, messages(hashes)))
            }
            (None, Some(psbt), None) => {
                let read = self
                    .with_policy(Lane::Operator, move |policy| {
                        let spend = policy.read(psbt.as_bytes())?;
                        let messages = spend.messages().map_err(policy::Refusal::from)?;
                        Ok((spend.psbt().serialize(), messages))
                    })
                    .await;
                let (psbt, messages) = read.map_err(|refusal| invalid(&refusal.to_string()))?;
                Ok((Subject::Transaction(psbt), messages))
            }
            _ => Err(invalid("exactly one of text, psbt and hashes is to be given")),
        }
    }
}

/// Reads "m/0/7", "0/7" or nothing.
fn read_path(path: &str) -> Result<Vec<u32>, ServiceError> {
    let steps = path.strip_prefix("m").unwrap_or(path);
    let steps = steps.strip_prefix('/').unwrap_or(steps);
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let read = |step: &str| {
        step.parse::<u32>().ok().filter(|index| *index < 1 << 31).ok_or_else(|| {
            let allowed = "unhardened steps below 2147483648, like 0/7";
            ServiceError::Invalid(format!("step {step:?} of the path: allowed are {allowed}"))
        })
    };
    steps.split('/').map(read).collect()
}
