use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Signature;
use roastery_protocol::{
    Attempt, BodyHash, Seat, SessionId,
    message::RefusalReason,
    request::{SigningRequest, Subject},
    session::{Origin, Outcome},
};

use super::{
    ContentError, Entry, MAX_TEXT, Part, Store, StoreError, check_text,
    rows::{Record, Table},
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
    /// What has become of it here.
    pub state: RequestState,
}

/// What has become of a request at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestState {
    /// Somebody proposes it; nobody here has judged it.
    Proposed,
    /// This node's policy approved it, and said this, in at most [`MAX_TEXT`] bytes. That is not approval to sign it again
    /// after a restart: the policy is asked anew.
    Approved(String),
    /// This node does not take part, for this reason, which its policy put into these words of at most [`MAX_TEXT`] bytes.
    Refused(RefusalReason, String),
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
    state: StateRecord,
}

#[derive(BorshSerialize, BorshDeserialize)]
enum StateRecord {
    Proposed,
    Approved(String),
    Refused(RefusalReason, String),
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
        Ok(Self {
            request: request.encode(),
            subject: subject.clone(),
            proposer: proposer.map(Seat::to_u16),
            since: now,
            changed: now,
            approved: None,
            state: StateRecord::Proposed,
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
            RequestState::Approved(said) => {
                check_text(said, MAX_TEXT)?;
                StateRecord::Approved(said.clone())
            }
            RequestState::Refused(reason, said) => {
                check_text(said, MAX_TEXT)?;
                StateRecord::Refused(*reason, said.clone())
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
            StateRecord::Approved(said) => RequestState::Approved(said),
            StateRecord::Refused(reason, said) => RequestState::Refused(reason, said),
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
                    writing.put(session.as_bytes(), &new)?;
                    Ok(true)
                }
                _ => Ok(false),
            }
        })
    }

    /// Keeps what has become of a known request `now` (seconds since 1970). Signatures stay if other ones are brought: those of another run may have
    /// other bytes.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the request is not known; [`ContentError::AlreadySigned`] if it has its signatures and is
    /// said not to have them; [`ContentError::TextTooLong`] and [`ContentError::Count`] if the state is none of this request.
    pub fn set_request(
        &self,
        request: &SigningRequest,
        state: &RequestState,
        now: u64,
    ) -> Result<(), StoreError> {
        let session = request.session_id();
        let new = StateRecord::new(request, state)?;
        self.vault.write(|writing| {
            let Some(mut record) = writing.get::<RequestRecord>(session.as_bytes())? else {
                return Err(ContentError::Missing(Entry::Request).into());
            };
            match (&record.state, &new) {
                (StateRecord::Signed { .. }, StateRecord::Signed { .. }) => Ok(()),
                (StateRecord::Signed { .. }, _) => {
                    Err(ContentError::AlreadySigned { session }.into())
                }
                _ => {
                    if matches!(new, StateRecord::Approved(_)) {
                        record.approved = Some(now);
                    }
                    record.state = new;
                    record.changed = now;
                    writing.put(session.as_bytes(), &record)
                }
            }
        })
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
