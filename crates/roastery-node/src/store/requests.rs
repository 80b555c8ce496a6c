use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Signature;
use roastery_protocol::{
    Attempt, BodyHash, Seat, SessionId,
    message::RefusalReason,
    request::SigningRequest,
    session::{Origin, Outcome},
};

use super::{
    ContentError, MAX_TEXT, Part, Store, StoreError, check_text,
    rows::{Record, Table},
};

/// A request that this node knows.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRequest {
    /// The request.
    pub request: SigningRequest,
    /// What has become of it here.
    pub state: RequestState,
}

/// What has become of a request at this node.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestState {
    /// Somebody proposes it; nobody here has judged it.
    Proposed,
    /// This node's policy approved it. That is not approval to sign it again after a restart: the policy is asked anew.
    Approved,
    /// This node does not take part.
    Refused(RefusalReason),
    /// The signatures are there. Final.
    Signed(Outcome),
    /// This node has stopped, for this reason, in words of at most [`MAX_TEXT`] bytes. Not final.
    Stopped(String),
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct RequestRecord {
    request: Vec<u8>,
    state: StateRecord,
}

#[derive(BorshSerialize, BorshDeserialize)]
enum StateRecord {
    Proposed,
    Approved,
    Refused(RefusalReason),
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
    fn new(request: &SigningRequest, state: &RequestState) -> Result<Self, ContentError> {
        let state = match state {
            RequestState::Proposed => StateRecord::Proposed,
            RequestState::Approved => StateRecord::Approved,
            RequestState::Refused(reason) => StateRecord::Refused(*reason),
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
        };
        Ok(Self { request: request.encode(), state })
    }

    pub(super) fn read(self) -> Result<KeptRequest, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let request = SigningRequest::decode(&self.request).map_err(|_| damaged())?;
        let state = match self.state {
            StateRecord::Proposed => RequestState::Proposed,
            StateRecord::Approved => RequestState::Approved,
            StateRecord::Refused(reason) => RequestState::Refused(reason),
            StateRecord::Stopped(reason) => RequestState::Stopped(reason),
            StateRecord::Signed { signatures, package, origin } => RequestState::Signed(Outcome {
                signatures: signatures.iter().map(Signature::from_bytes).collect(),
                package,
                origin: match origin {
                    Some(origin) => Some(origin.read().ok_or_else(damaged)?),
                    None => None,
                },
            }),
        };
        Ok(KeptRequest { request, state })
    }

    /// Nobody here has ever agreed to it, and nobody can any more.
    fn is_dead(&self, now: u64) -> bool {
        matches!(self.state, StateRecord::Proposed | StateRecord::Refused(_))
            && SigningRequest::decode(&self.request).is_ok_and(|request| request.expiry() <= now)
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
    /// Keeps a request with what has become of it. A known request that is proposed again stays as it is, and so do
    /// signatures of which other ones are brought: those of another run may have other bytes.
    ///
    /// Whoever lets others propose bounds how many are kept, and calls [`Store::forget_expired`] at times.
    ///
    /// # Errors
    ///
    /// [`ContentError::AlreadySigned`] if it has its signatures and is said not to have them;
    /// [`ContentError::TextTooLong`] and [`ContentError::Count`] if the state is none of this request.
    pub fn keep_request(
        &self,
        request: &SigningRequest,
        state: &RequestState,
    ) -> Result<(), StoreError> {
        let session = request.session_id();
        let record = RequestRecord::new(request, state)?;
        self.vault.write(|writing| {
            let known: Option<RequestRecord> = writing.get(session.as_bytes())?;
            match (known.map(|known| known.state), state) {
                (Some(_), RequestState::Proposed)
                | (Some(StateRecord::Signed { .. }), RequestState::Signed(_)) => Ok(()),
                (Some(StateRecord::Signed { .. }), _) => {
                    Err(ContentError::AlreadySigned { session }.into())
                }
                _ => writing.put(session.as_bytes(), &record),
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
