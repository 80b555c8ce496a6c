//! The messages of a change, as bytes and as values.

mod body;
mod envelope;
mod header;

pub(crate) use self::header::approval_digest;
pub use self::{
    body::{
        Body, DealingName, Malformation, PlanBytes, PlanMessage, PlanMessageError, RollApproval,
        RollList, TranscriptSignature, Want,
    },
    envelope::{Envelope, EnvelopeError, MAX_ENVELOPE},
    header::{Header, Kind},
};
