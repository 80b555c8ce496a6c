//! The messages between the nodes: signed envelopes.
//!
//! An envelope is `signature (64 bytes) || body`. The body begins with a [`Header`] in clear and
//! goes on with the content of its kind. It is encoded once, signed over the tag of its kind, kept
//! as it is and re-sent verbatim.

mod body;
mod envelope;
mod header;
mod proposal;
mod shape;

pub use self::{
    body::{
        Body, Commitments, FinalSignature, NextSlot, RefusalReason, SignatureShare, SignerSlot,
        SigningPackage, Slot, SlotNonces, Want,
    },
    envelope::{
        Envelope, EnvelopeError, MAX_ENVELOPE, MAX_EVIDENCE_ENVELOPE, MAX_PROPOSAL_ENVELOPE,
    },
    header::{Header, Kind},
    proposal::{Proposal, ProposalError},
    shape::{Malformation, Shape},
};
