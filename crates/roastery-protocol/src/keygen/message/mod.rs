//! The messages between the members of a key generation, byte for byte. `docs/protocol.md`
//! specifies all of it.

mod body;
mod envelope;
mod header;

pub use self::{
    body::{Body, Investigated, Malformation, RefusalReason, TranscriptSignature, Want},
    envelope::{EnvelopeError, MAX_ENVELOPE},
    header::{Envelope, Header, Kind},
};
