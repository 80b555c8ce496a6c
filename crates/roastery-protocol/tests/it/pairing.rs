//! Pairing: who holds a line is admitted, and the words show whether all have one roster.

mod attacks;
mod bytes;
mod cheat;
mod ends;
mod honest;
mod inviter;
mod joiner;
pub(crate) mod world;
