//! Why an engine does not do what it is asked.

use roastery_frost::Seat;
use thiserror::Error;

use super::SlotName;
use crate::SessionId;

/// Why an engine did not do what it was asked: an error of this node, never a verdict about another
/// member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine holds no share of this seat.
    #[error("the engine holds no share of seat {0}")]
    NoSuchSeat(Seat),
    /// The request's keys do not derive from the key whose shares the engine holds.
    #[error("the request's keys are another group's")]
    OtherGroup,
    /// The session was not opened, or it was closed.
    #[error("session {0:#} is not open in the engine")]
    NotOpen(SessionId),
    /// The request has expired by one of the clocks.
    #[error("the request of session {0:#} has expired")]
    Expired(SessionId),
    /// The call names another incarnation than the present one.
    #[error("the slots are those of another incarnation of this node")]
    OtherIncarnation,
    /// The index was drawn before in this incarnation.
    #[error("{slot} was drawn before; the next index is {next}")]
    AlreadyDrawn {
        /// The first slot that was asked for.
        slot: SlotName,
        /// The least index that can be drawn.
        next: u32,
    },
    /// The engine would hold more secret nonces than it may.
    #[error(
        "the engine holds {live} secret nonces and was asked for {asked} more; at most {most} are allowed"
    )]
    TooManySlots {
        /// How many it holds.
        live: usize,
        /// How many more it was asked for.
        asked: usize,
        /// How many it may hold.
        most: usize,
    },
    /// The slot was never drawn, or it is used or void.
    #[error("{0} was never drawn, or it is used or void")]
    NoSuchSlot(SlotName),
    /// The slot is older than 10 minutes by one of the clocks, or its ages by the two clocks differ
    /// by more than 10 seconds.
    #[error("{0} is too old by one of the clocks, or the clocks disagree")]
    TooOld(SlotName),
    /// The random generator failed.
    #[error("the system gave no randomness")]
    Randomness,
    /// Signers or aggregate nonces that make no package for this request and seat.
    #[error("these signers and aggregate nonces make no package of this request")]
    NotAPackage,
    /// The engine's own share does not verify: this machine computes wrongly. Nothing was released,
    /// and all slots are void.
    #[error("this machine computed a share that does not verify; nothing was released")]
    OwnShareInvalid,
    /// The device or process that holds the secrets does not answer, or has failed.
    #[error("the engine does not answer")]
    Unavailable,
}
