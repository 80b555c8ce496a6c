use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Signature;
use roastery_protocol::{
    Attempt, BodyHash, Seat, SessionId,
    request::{SigningRequest, Subject},
    session::{Origin, Outcome},
};

use super::{
    ContentError, Decider, Decision, Entry, MAX_TEXT, Part, Rejection, Store, StoreError,
    check_text,
    rows::{Record, Table, Writing},
};

/// A request that this node knows.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRequest {
    /// The request.
    pub request: SigningRequest,
    /// What was shown with it.
    pub subject: Subject,
    /// Who proposed it first; none if it was made here.
    pub proposer: Option<Seat>,
    /// When this node heard of it or made it, in seconds since 1970.
    pub since: u64,
    /// When its state became what it is, in seconds since 1970.
    pub changed: u64,
    /// When it was last approved here, whatever came after, in seconds since 1970.
    pub approved: Option<u64>,
    /// Grows with each change of the subject or the state; the first is 0.
    pub revision: u64,
    /// What has become of it here.
    pub state: RequestState,
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
        let (since, changed, approved, revision) = (now, now, None, 0);
        Self { request, subject, proposer, since, changed, approved, revision, state }
    }
}

/// What came of an attempt to change a request's state.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is what was asked for; this is the request now.
    Made(KeptRequest),
    /// The state that was found did not allow it; this is the request as it was and is.
    Left(KeptRequest),
}

/// What has become of a request at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestState {
    /// Somebody proposes it; nobody here has judged it.
    Proposed,
    /// This node takes part, by this decision. After a restart the rules are asked anew, and the decision must be about
    /// what is found then.
    Approved(Decision),
    /// This node does not take part.
    Refused(Rejection),
    /// The signatures are there. Final.
    Signed(Outcome),
    /// This node has stopped, for this reason, in words of at most [`MAX_TEXT`] bytes. Not final.
    Stopped(String),
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
    fn new(
        request: &SigningRequest,
        subject: &Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Result<Self, ContentError> {
        subject.check(request).map_err(ContentError::Subject)?;
        Self::of(&KeptRequest::proposed(request.clone(), subject.clone(), proposer, now))
    }

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
        })
    }

    /// Nobody here has ever agreed to it, and nobody can any more.
    fn is_dead(&self, now: u64) -> bool {
        self.approved.is_none()
            && matches!(self.state, StateRecord::Proposed | StateRecord::Refused(..))
            && SigningRequest::decode(&self.request).is_ok_and(|request| request.expiry() <= now)
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

/// Whether a request is approved by this decision now.
pub(super) fn is_approved_by(
    writing: &Writing<'_>,
    session: SessionId,
    decision: &Decision,
) -> Result<bool, StoreError> {
    let record: Option<RequestRecord> = writing.get(session.as_bytes())?;
    Ok(record.is_some_and(
        |record| matches!(&record.state, StateRecord::Approved(known) if known == decision),
    ))
}

pub(super) fn check_decision(decision: &Decision) -> Result<(), ContentError> {
    match &decision.by {
        Decider::Command { said } => check_text(said, MAX_TEXT),
        Decider::Operator | Decider::Rules => Ok(()),
    }
}

impl Store {
    /// Keeps a request that this node has heard of or makes itself `now` (seconds since 1970), as proposed. One that is known stays as it is. Whether it
    /// was new.
    ///
    /// Whoever lets others propose bounds how many are kept, and calls [`Store::forget_expired`] at times.
    ///
    /// # Errors
    ///
    /// [`ContentError::Subject`] if what was shown is not what the request signs.
    pub fn add_request(
        &self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Option<Seat>,
        now: u64,
    ) -> Result<bool, StoreError> {
        let session = request.session_id();
        let record = RequestRecord::new(request, subject, proposer, now)?;
        self.vault.write(|writing| {
            if writing.get::<RequestRecord>(session.as_bytes())?.is_some() {
                return Ok(false);
            }
            writing.put(session.as_bytes(), &record)?;
            Ok(true)
        })
    }

    /// Keeps what somebody else shows with a known request instead of what was shown first, as long as nobody here has ever
    /// agreed to it. Whether it was taken.
    ///
    /// # Errors
    ///
    /// [`ContentError::Subject`] if what is shown is not what the request signs.
    pub fn show_otherwise(
        &self,
        request: &SigningRequest,
        subject: &Subject,
        proposer: Seat,
        now: u64,
    ) -> Result<bool, StoreError> {
        let session = request.session_id();
        let mut new = RequestRecord::new(request, subject, Some(proposer), now)?;
        self.vault.write(|writing| {
            let known: Option<RequestRecord> = writing.get(session.as_bytes())?;
            match known {
                Some(known)
                    if known.approved.is_none()
                        && matches!(
                            known.state,
                            StateRecord::Proposed | StateRecord::Refused(..)
                        ) =>
                {
                    new.since = known.since;
                    new.revision = known.revision.saturating_add(1);
                    writing.put(session.as_bytes(), &new)?;
                    Ok(true)
                }
                _ => Ok(false),
            }
        })
    }

    /// Changes the state of a known request `now` (seconds since 1970) to what `decide` makes of the request as it is; with
    /// none it stays. `decide` sees the state that the change applies to: no other change comes between. Signatures stay
    /// whatever is decided: those of another run may have other bytes.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the request is not known; [`ContentError::TextTooLong`] and [`ContentError::Count`] if the
    /// state is none of this request.
    pub fn change_request(
        &self,
        session: SessionId,
        now: u64,
        decide: impl FnOnce(&KeptRequest) -> Option<RequestState>,
    ) -> Result<Change, StoreError> {
        self.vault.write(|writing| {
            let Some(record) = writing.get::<RequestRecord>(session.as_bytes())? else {
                return Err(ContentError::Missing(Entry::Request).into());
            };
            let known = record.read()?;
            let signed = matches!(known.state, RequestState::Signed(_));
            let Some(state) = (if signed { None } else { decide(&known) }) else {
                return Ok(Change::Left(known));
            };
            let approved = match state {
                RequestState::Approved(_) => Some(now),
                _ => known.approved,
            };
            let revision = known.revision.saturating_add(1);
            let changed = KeptRequest { state, changed: now, approved, revision, ..known };
            writing.put(session.as_bytes(), &RequestRecord::of(&changed)?)?;
            Ok(Change::Made(changed))
        })
    }

    /// Keeps what has become of a known request `now` (seconds since 1970), whatever it was before. Signatures stay if other
    /// ones are brought.
    ///
    /// # Errors
    ///
    /// Those of [`Store::change_request`], and [`ContentError::AlreadySigned`] if it has its signatures and is said not to
    /// have them.
    pub fn set_request(
        &self,
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

    /// The request of this session, if it is known.
    pub fn request(&self, session: SessionId) -> Result<Option<KeptRequest>, StoreError> {
        let record: Option<RequestRecord> = self.vault.snapshot()?.get(session.as_bytes())?;
        record.map(RequestRecord::read).transpose()
    }

    /// All requests, in no order that means anything.
    pub fn requests(&self) -> Result<Vec<KeptRequest>, StoreError> {
        self.vault.snapshot()?.collect(|record: RequestRecord| record.read().map(Some))
    }

    /// Forgets the requests that have expired by `now` (seconds since 1970) and that were proposed or refused and nothing
    /// else. Says how many.
    pub fn forget_expired(&self, now: u64) -> Result<usize, StoreError> {
        self.vault.write(|writing| writing.remove_if(|record: &RequestRecord| record.is_dead(now)))
    }
}
