//! How a request is kept: its row and its record.

use std::ops::Bound;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Signature;
use roastery_protocol::{
    BodyHash, Seat, SessionId,
    member::machine::{Origin, Outcome},
    request::{SigningRequest, Subject},
};

use super::{
    ContentError, Decider, Decision, MAX_TEXT, Part, Rejection, StoreError, check_text,
    cipher::Cipher,
    index::first_half,
    request::{KeptRequest, RequestState},
    snapshot::{Records, Snapshot},
    table::{Record, Table},
};

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
    coordinator: u16,
    signers: Vec<u16>,
}

impl Record for RequestRecord {
    const TABLE: Table = Table::Requests;
}

impl RequestRecord {
    pub(super) fn of(kept: &KeptRequest) -> Result<Self, ContentError> {
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
        let session = request.session_id();
        Ok(KeptRequest {
            request,
            subject: self.subject,
            proposer: self.proposer.map(seat).transpose()?,
            since: self.since,
            changed: self.changed,
            approved: self.approved,
            revision: self.revision,
            state: self.state.read(session)?,
            position: self.position,
        })
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
            RequestState::Signed(Outcome { session: _, signatures, package, origin }) => {
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

    fn read(self, session: SessionId) -> Result<RequestState, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: RequestRecord::TABLE.name() });
        Ok(match self {
            StateRecord::Proposed => RequestState::Proposed,
            StateRecord::Approved(decision) => RequestState::Approved(decision),
            StateRecord::Refused(rejection) => RequestState::Refused(rejection),
            StateRecord::Stopped(reason) => RequestState::Stopped(reason),
            StateRecord::Signed { signatures, package, origin } => RequestState::Signed(Outcome {
                session,
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
            coordinator: origin.coordinator.to_u16(),
            signers: origin.signers.iter().map(|seat| seat.to_u16()).collect(),
        }
    }

    fn read(self) -> Option<Origin> {
        let seat = |number: u16| Seat::new(number.into()).ok();
        Some(Origin {
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

impl RequestRecord {
    /// Whether its state is an approval by this decision.
    pub(super) fn is_approved_by(&self, decision: &Decision) -> bool {
        matches!(&self.state, StateRecord::Approved(known) if known == decision)
    }
}

/// The row of a request: sessions that begin with the same 4 bytes are adjacent, so that one is
/// found by its first digits.
pub(super) fn request_row(cipher: &Cipher, session: SessionId) -> Vec<u8> {
    let [a, b, c, d, ..] = *session.as_bytes();
    let mut row = first_half(cipher.row(Table::Requests, &[a, b, c, d])).to_vec();
    row.extend(first_half(cipher.row(Table::Requests, session.as_bytes())));
    row
}

impl Snapshot<'_> {
    /// The request of this session.
    pub(super) fn request(&self, session: SessionId) -> Result<Option<KeptRequest>, StoreError> {
        let row = request_row(self.cipher(), session);
        self.get_row::<RequestRecord>(&row)?.map(RequestRecord::read).transpose()
    }

    /// The requests whose sessions begin with these 4 bytes.
    pub(super) fn requests_named(
        &self,
        first: [u8; 4],
    ) -> Result<Records<RequestRecord>, StoreError> {
        let prefix = first_half(self.cipher().row(Table::Requests, &first));
        let (mut from, mut to) = ([0; 32], [u8::MAX; 32]);
        from[..16].copy_from_slice(&prefix);
        to[..16].copy_from_slice(&prefix);
        self.range((Bound::Included(&from[..]), Bound::Included(&to[..])))
    }
}
