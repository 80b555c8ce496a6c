use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Signature;
use roastery_protocol::{
    Attempt, BodyHash, Seat, SessionId,
    request::{SigningRequest, Subject},
    session::{Origin, Outcome},
};

use super::{
    ContentError, Decider, Decision, Durability, Entry, MAX_TEXT, Part, Rejection, StateKind,
    Store, StoreError, Transaction, check_text,
    index::{ChangeRecord, request_row},
    rows::{Record, Table},
};

/// A request that this node knows.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRequest {
    /// The request.
    pub request: SigningRequest,
    /// The subject that was shown with it.
    pub subject: Subject,
    /// The member that proposed it first; `None` if it was made here.
    pub proposer: Option<Seat>,
    /// When this node received or made it, in seconds since 1970.
    pub since: u64,
    /// When its state last changed, in seconds since 1970.
    pub changed: u64,
    /// When it was last approved here, whatever came after, in seconds since 1970.
    pub approved: Option<u64>,
    /// Grows by each change of the subject or the state; the first is 0.
    pub revision: u64,
    /// Its state at this node.
    pub state: RequestState,
    /// The number of its last change among those of all requests: a greater one is later.
    pub position: u64,
}

impl KeptRequest {
    /// A request that is new here, as proposed.
    pub fn proposed(
        request: SigningRequest,
        subject: Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Self {
        let state = RequestState::Proposed;
        let (since, changed, approved, revision, position) = (now, now, None, 0, 0);
        Self { request, subject, proposer, since, changed, approved, revision, state, position }
    }
}

/// The result of an attempt to change a request's state.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The state is the one asked for; this is the request now.
    Made(KeptRequest),
    /// The current state does not allow the change; this is the unchanged request.
    Left(KeptRequest),
}

/// The state of a request at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestState {
    /// Another member or a client proposes it; it is not decided here.
    Proposed,
    /// This node takes part, by this decision. After a restart the rules are applied again, and the
    /// decision must be about what is found then.
    Approved(Decision),
    /// This node does not take part.
    Refused(Rejection),
    /// It has its signatures. Final.
    Signed(Outcome),
    /// This node has stopped; the reason, in at most [`MAX_TEXT`] bytes. Not final.
    Stopped(String),
}

impl RequestState {
    /// The state without its contents.
    pub fn kind(&self) -> StateKind {
        match self {
            RequestState::Proposed => StateKind::Proposed,
            RequestState::Approved(_) => StateKind::Approved,
            RequestState::Refused(_) => StateKind::Refused,
            RequestState::Signed(_) => StateKind::Signed,
            RequestState::Stopped(_) => StateKind::Stopped,
        }
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct RequestRecord {
    request: Vec<u8>,
    subject: Subject,
    proposer: Option<u16>,
    since: u64,
    changed: u64,
    approved: Option<u64>,
    revision: u64,
    /// Its position in the index.
    position: u64,
    state: StateRecord,
}

#[derive(BorshSerialize, BorshDeserialize)]
enum StateRecord {
    Proposed,
    Approved(Decision),
    Refused(Rejection),
    Signed { signatures: Vec<[u8; 64]>, package: BodyHash, origin: Option<OriginRecord> },
    Stopped(String),
}

#[derive(BorshSerialize, BorshDeserialize)]
struct OriginRecord {
    attempt: u32,
    coordinator: u16,
    signers: Vec<u16>,
}

impl Record for RequestRecord {
    const TABLE: Table = Table::Requests;
}

impl RequestRecord {
    fn of(kept: &KeptRequest) -> Result<Self, ContentError> {
        Ok(Self {
            request: kept.request.encode(),
            subject: kept.subject.clone(),
            proposer: kept.proposer.map(Seat::to_u16),
            since: kept.since,
            changed: kept.changed,
            approved: kept.approved,
            revision: kept.revision,
            state: StateRecord::new(&kept.request, &kept.state)?,
            position: kept.position,
        })
    }

    pub(super) fn read(self) -> Result<KeptRequest, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let request = SigningRequest::decode(&self.request).map_err(|_| damaged())?;
        self.subject.check(&request).map_err(|_| damaged())?;
        let seat = |number: u16| Seat::new(number.into()).map_err(|_| damaged());
        Ok(KeptRequest {
            request,
            subject: self.subject,
            proposer: self.proposer.map(seat).transpose()?,
            since: self.since,
            changed: self.changed,
            approved: self.approved,
            revision: self.revision,
            state: self.state.read()?,
            position: self.position,
        })
    }
}

impl KeptRequest {
    /// Whether it was never approved here, and not stopped: then no share of it can have left. A
    /// request that the operator has rejected is not open whatever is shown: only the operator can
    /// approve it.
    fn is_open(&self) -> bool {
        let open = match &self.state {
            RequestState::Proposed => true,
            RequestState::Refused(rejection) => rejection.decision.by != Decider::Operator,
            RequestState::Approved(_) | RequestState::Signed(_) | RequestState::Stopped(_) => false,
        };
        open && self.approved.is_none()
    }

    /// Its approximate length in bytes.
    pub fn size(&self) -> usize {
        let shown = match &self.subject {
            Subject::Hash => 0,
            Subject::Text(text) => text.len(),
            Subject::Transaction(psbt) => psbt.len(),
        };
        shown + 128 * self.request.messages().len()
    }

    /// Its entry in the index.
    pub(super) fn change(&self) -> ChangeRecord {
        ChangeRecord {
            session: self.request.session_id(),
            changed: self.changed,
            expiry: self.request.expiry(),
            approved: self.approved,
        }
    }
}

impl StateRecord {
    fn new(request: &SigningRequest, state: &RequestState) -> Result<Self, ContentError> {
        Ok(match state {
            RequestState::Proposed => StateRecord::Proposed,
            RequestState::Approved(decision) => {
                check_decision(decision)?;
                StateRecord::Approved(decision.clone())
            }
            RequestState::Refused(rejection) => {
                check_decision(&rejection.decision)?;
                check_text(&rejection.text, MAX_TEXT)?;
                StateRecord::Refused(rejection.clone())
            }
            RequestState::Stopped(reason) => {
                check_text(reason, MAX_TEXT)?;
                StateRecord::Stopped(reason.clone())
            }
            RequestState::Signed(Outcome { signatures, package, origin }) => {
                if signatures.len() != request.messages().len() {
                    return Err(ContentError::Count { count: signatures.len() });
                }
                StateRecord::Signed {
                    signatures: signatures.iter().map(Signature::to_bytes).collect(),
                    package: *package,
                    origin: origin.as_ref().map(OriginRecord::new),
                }
            }
        })
    }

    fn read(self) -> Result<RequestState, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: RequestRecord::TABLE.name() });
        Ok(match self {
            StateRecord::Proposed => RequestState::Proposed,
            StateRecord::Approved(decision) => RequestState::Approved(decision),
            StateRecord::Refused(rejection) => RequestState::Refused(rejection),
            StateRecord::Stopped(reason) => RequestState::Stopped(reason),
            StateRecord::Signed { signatures, package, origin } => RequestState::Signed(Outcome {
                signatures: signatures.iter().map(Signature::from_bytes).collect(),
                package,
                origin: match origin {
                    Some(origin) => Some(origin.read().ok_or_else(damaged)?),
                    None => None,
                },
            }),
        })
    }
}

impl OriginRecord {
    fn new(origin: &Origin) -> Self {
        Self {
            attempt: origin.attempt.number(),
            coordinator: origin.coordinator.to_u16(),
            signers: origin.signers.iter().map(|seat| seat.to_u16()).collect(),
        }
    }

    fn read(self) -> Option<Origin> {
        let seat = |number: u16| Seat::new(number.into()).ok();
        Some(Origin {
            attempt: Attempt::new(self.attempt)?,
            coordinator: seat(self.coordinator)?,
            signers: self.signers.into_iter().map(seat).collect::<Option<_>>()?,
        })
    }
}

pub(super) fn check_decision(decision: &Decision) -> Result<(), ContentError> {
    match &decision.by {
        Decider::Command { said } => check_text(said, MAX_TEXT),
        Decider::Operator | Decider::Rules => Ok(()),
    }
}

impl Store {
    /// Keeps a request that this node receives or makes at `now` (seconds since 1970), as proposed.
    /// One that is known is not changed. Returns whether it was new.
    ///
    /// A caller that accepts proposals of others must bound how many are kept, and call
    /// [`Store::forget_expired`] from time to time.
    ///
    /// # Errors
    ///
    /// [`ContentError::Subject`] if the subject is not what the request signs.
    pub fn add_request(
        &self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Result<bool, StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.add_request(request, subject, proposer, now)
        })
    }

    /// Replaces the subject of a known request by the one that another member shows, if the request
    /// was never approved here, the operator has not rejected it, and its revision is still the one
    /// that was examined. Returns whether it was replaced.
    ///
    /// # Errors
    ///
    /// [`ContentError::Subject`] if the subject is not what the request signs.
    pub fn show_otherwise(
        &self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Seat,
        revision: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.show_otherwise(request, subject, proposer, revision, now)
        })
    }

    /// Changes the state of a known request at `now` (seconds since 1970) to what `decide` returns
    /// for the request as it is; with `None` it stays. `decide` sees the state that the change
    /// applies to: no other change comes between. Signatures are kept whatever is decided: those of
    /// another run may have other bytes.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the request is not known; [`ContentError::TextTooLong`] and
    /// [`ContentError::Count`] if the state is not possible for this request.
    pub fn change_request(
        &self,
        session: SessionId,
        now: u64,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState>,
    ) -> Result<Change, StoreError> {
        self.write(Durability::Synced, |transaction| {
            transaction.change_request(session, now, decide)
        })
    }

    /// Sets the state of a known request at `now` (seconds since 1970), whatever it was before.
    /// Signatures are kept if other ones are given.
    ///
    /// # Errors
    ///
    /// Those of [`Store::change_request`], and [`ContentError::AlreadySigned`] if it has its
    /// signatures and the new state has none.
    pub fn set_request(
        &self,
        request: &SigningRequest,
        state: &RequestState,
        now: u64,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| transaction.set_request(request, state, now))
    }

    /// The request of this session, if it is known.
    pub fn request(&self, session: SessionId) -> Result<Option<KeptRequest>, StoreError> {
        self.vault.snapshot()?.request(session)
    }
}

impl Transaction<'_> {
    /// See [`Store::request`].
    pub fn request(&self, session: SessionId) -> Result<Option<KeptRequest>, StoreError> {
        self.record(session)?.map(RequestRecord::read).transpose()
    }

    /// See [`Store::add_request`].
    pub fn add_request(
        &mut self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Result<bool, StoreError> {
        subject.check(request).map_err(ContentError::Subject)?;
        if self.record(request.session_id())?.is_some() {
            return Ok(false);
        }
        self.enter_messages(request)?;
        let (request, subject) = (request.clone(), subject.clone());
        self.put_request(KeptRequest::proposed(request, subject, proposer, now))?;
        Ok(true)
    }

    /// See [`Store::show_otherwise`].
    pub fn show_otherwise(
        &mut self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Seat,
        revision: u64,
        now: u64,
    ) -> Result<bool, StoreError> {
        subject.check(request).map_err(ContentError::Subject)?;
        match self.request(request.session_id())? {
            Some(known) if known.is_open() && known.revision == revision => {
                self.leave(request.group(), known.state.kind(), known.position);
                let (request, subject) = (request.clone(), subject.clone());
                self.put_request(KeptRequest {
                    since: known.since,
                    revision: known.revision.saturating_add(1),
                    ..KeptRequest::proposed(request, subject, Some(proposer), now)
                })?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Forgets a request that was never approved here, nor signed, nor rejected by the operator.
    pub fn forget_unapproved(&mut self, session: SessionId) -> Result<(), StoreError> {
        let Some(known) = self.request(session)? else { return Ok(()) };
        let goes = match &known.state {
            RequestState::Proposed | RequestState::Stopped(_) => true,
            RequestState::Refused(rejection) => rejection.decision.by != Decider::Operator,
            RequestState::Approved(_) | RequestState::Signed(_) => false,
        };
        if known.approved.is_none() && goes {
            self.remove_request(&known);
        }
        Ok(())
    }

    /// Replaces the subject of a request that is refused and was never approved here by bare
    /// hashes, if the subject is still this one. Returns the request as it is then, if it has
    /// changed.
    pub fn hide_subject(
        &mut self,
        session: SessionId,
        shown: &Subject,
    ) -> Result<Option<KeptRequest>, StoreError> {
        let refused = |known: &KeptRequest| {
            let refused = matches!(known.state, RequestState::Refused(_));
            refused && known.approved.is_none() && known.subject == *shown
        };
        let Some(known) = self.request(session)?.filter(refused) else { return Ok(None) };
        self.leave(known.request.group(), known.state.kind(), known.position);
        let revision = known.revision.saturating_add(1);
        let hidden = KeptRequest { subject: Subject::Hash, revision, ..known };
        Ok(Some(self.put_request(hidden)?))
    }

    /// See [`Store::change_request`].
    pub fn change_request(
        &mut self,
        session: SessionId,
        now: u64,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState>,
    ) -> Result<Change, StoreError> {
        let known = self.request(session)?.ok_or(ContentError::Missing(Entry::Request))?;
        let signed = matches!(known.state, RequestState::Signed(_));
        let Some(state) = (if signed { None } else { decide(&known) }) else {
            return Ok(Change::Left(known));
        };
        let approved = match state {
            RequestState::Approved(_) => Some(now),
            _ => known.approved,
        };
        self.leave(known.request.group(), known.state.kind(), known.position);
        let revision = known.revision.saturating_add(1);
        let changed = KeptRequest { state, changed: now, approved, revision, ..known };
        Ok(Change::Made(self.put_request(changed)?))
    }

    /// See [`Store::set_request`].
    pub fn set_request(
        &mut self,
        request: &SigningRequest,
        state: &RequestState,
        now: u64,
    ) -> Result<(), StoreError> {
        let session = request.session_id();
        match self.change_request(session, now, |_| Some(state.clone()))? {
            Change::Left(_) if !matches!(state, RequestState::Signed(_)) => {
                Err(ContentError::AlreadySigned { session }.into())
            }
            Change::Made(_) | Change::Left(_) => Ok(()),
        }
    }

    /// Whether a request is approved by this decision now.
    pub(super) fn is_approved_by(
        &self,
        session: SessionId,
        decision: &Decision,
    ) -> Result<bool, StoreError> {
        let record = self.record(session)?;
        Ok(record.is_some_and(
            |record| matches!(&record.state, StateRecord::Approved(known) if known == decision),
        ))
    }

    /// Removes a request from the store.
    pub(super) fn remove_request(&mut self, kept: &KeptRequest) {
        let session = kept.request.session_id();
        self.leave(kept.request.group(), kept.state.kind(), kept.position);
        let row = request_row(self.cipher(), session);
        self.remove_row(Table::Requests, row);
        self.leave_messages(&kept.request);
    }

    fn record(&self, session: SessionId) -> Result<Option<RequestRecord>, StoreError> {
        self.get_row(&request_row(self.cipher(), session))
    }

    /// Writes a request that is not in the index into its row and into the index.
    fn put_request(&mut self, mut kept: KeptRequest) -> Result<KeptRequest, StoreError> {
        kept.position = self.enter(kept.request.group(), kept.state.kind(), &kept.change())?;
        let row = request_row(self.cipher(), kept.request.session_id());
        self.put_row(row, &RequestRecord::of(&kept)?)?;
        Ok(kept)
    }
}
