//! The protocol through its public interface, with honest peers and with attackers.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod change;
mod encoding;
mod engines;
mod frames;
mod keygen;
mod keys_and_requests;
mod kit;
mod pairing;
mod returning;
mod switch;
