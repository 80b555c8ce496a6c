//! The messages of a change, as bytes and as values.

mod body;
mod envelope;
mod header;
mod lineage;

pub(crate) use self::header::approval_digest;
pub use self::{
    body::{
        Body, DealingName, Malformation, PlanBytes, PlanMessage, PlanMessageError, RollApproval,
        RollList, TranscriptSignature, Want,
    },
    envelope::{Envelope, EnvelopeError, MAX_ENVELOPE},
    header::{Header, Kind},
    lineage::{LineageContent, LineageMessage, LineageMessageError, MAX_LINEAGE_MESSAGE},
};
