//! The frames between members (sections 2 and 3): control frames and signed statements.
//!
//! A frame is `form | ...`. A control frame is for the member to which it is addressed, counts on
//! the link of its sender's own peer only, and is never evidence. A statement is signed by its
//! sender's identity key, may come over any member's link, and is kept and passed on as it is.

mod beginning;
mod content;
mod control;
mod error;
pub(super) mod evidence;
mod header;
mod malformation;
mod reading;
mod sealing;
mod shape;
mod statement;

pub use self::{
    content::{
        Cannot, FinalSignature, MAX_BATCH, MAX_READY, NamedSlots, Nonces, Ready, ReadySession,
        Refusal, SignatureShare, SignerSlots, SigningPackage, Slots, Want, slot_hash,
    },
    control::{Control, ControlContent, NO_SESSION},
    error::FrameError,
    header::{
        ControlKind, Form, Header, Kind, MAX_EVIDENCE_FRAME, MAX_FRAME, MAX_PROPOSAL_FRAME,
        StatementKind,
    },
    malformation::Malformation,
    reading::Frame,
    sealing::Content,
    shape::{Shape, read_evidence, read_proposal},
    statement::Statement,
};
