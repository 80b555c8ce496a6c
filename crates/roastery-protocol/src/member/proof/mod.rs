//! Proofs of misbehaviour in signing (section 10): self-contained, checked with the group file
//! alone.
//!
//! A proof carries the request and the signed statements, so that a third party that took no part
//! and trusts no member can check it. The rule above all others: **no proof against an honest
//! member can be made** out of everything ever sent, over all its incarnations and runs. Where
//! there is doubt the verdict is [`Verdict::Indeterminate`] and no member is blamed.

mod judge;

pub use super::frame::evidence::{Fault, Proof, ProofError};
pub use crate::verdict::{FaultKind, Indeterminate, ProvenFault, Verdict};
