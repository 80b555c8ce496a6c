//! The protocol through its public interface, with honest peers and with attackers.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod blame;
mod bounds;
mod broadcast;
mod encoding;
mod engines;
mod equivocation;
mod escalation;
mod frames;
mod intake;
mod investigations;
mod keygen;
mod keys_and_requests;
mod late_shares;
mod liveness;
mod paper;
mod proofs;
mod secrets;
mod signing;
mod slots;
mod soundness;
mod watching;
