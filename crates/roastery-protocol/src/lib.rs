//! roastery-protocol

pub mod clock;
pub mod election;
pub mod engine;
pub mod group;
mod ids;
pub mod keys;
pub mod message;
pub mod proof;
pub mod request;
pub mod session;
pub mod tags;
mod wire;

pub use ids::{Attempt, BodyHash, GroupId, ProofId, Run, SessionId, SlotHash};
pub use roastery_frost::Seat;
