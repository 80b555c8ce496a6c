//! The one way to the secrets, and the public arithmetic beside it.
//!
//! An [`Engine`] holds the secret shares of this node's seats and the secret nonces of their stock
//! (section 4), and nothing else does. It is opened with the approved request and takes messages
//! and keys from it: no call has a message beside, so nothing above an engine can make it sign
//! anything else. It may be in this process, in another one, or a device; then it answers
//! [`Later`](Answer::Later).
//!
//! An [`Arithmetic`] computes with public values only: it sums nonces, checks shares, verifies
//! signatures. Any machine can do that, whatever its engine is.
//!
//! What an engine or an arithmetic cannot do is an error of this node, of a type of its own. It is
//! never a verdict about another member.

mod arithmetic;
mod error;
#[cfg(feature = "fake")]
mod fake;
mod frost;
mod order;
mod secrets;

use std::fmt;

use roastery_frost::{PartialSignature, PublicNonce};

#[cfg(feature = "fake")]
pub use self::fake::{
    ArithmeticCalls, ArithmeticProgramme, Call, FakeArithmetic, FakeEngine, FakePackage, Programme,
};
pub use self::{
    arithmetic::{Arithmetic, ArithmeticError, Verdict},
    error::EngineError,
    frost::{FrostArithmetic, FrostEngine, FrostPackage, NonceSource},
    order::{DrawContext, SignOrder, SlotName, SlotRange, Void},
};
use crate::{SessionId, clock::Moment, request::ApprovedRequest};

/// Holds the secret shares of this node's seats in one group, and the secret nonces of their stock.
///
/// Secret nonces are in memory only. Each belongs to one incarnation, own seat, coordinator and
/// index, is drawn once, and moves out when it is used, so it answers at most one package over all
/// sessions together. A nonce that is void is zeroized; so is all that an engine holds when it is
/// dropped, also in a panic.
///
/// An engine that answers later handles all calls in the order in which they were made. What it was
/// told last counts: an answer that comes after [`Engine::void`] or [`Engine::close`] of what it is
/// about is dropped by the caller.
pub trait Engine: Send {
    /// Draws one secret nonce for each index of these slots (BIP-445, *NonceGen* without message)
    /// and keeps it. Gives the public nonces, by index. All are drawn or none is; what failed may
    /// be drawn again.
    ///
    /// The first call with a greater incarnation than before zeroizes everything of the one before.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoSuchSeat`], [`EngineError::OtherIncarnation`] for a lesser incarnation,
    /// [`EngineError::AlreadyDrawn`], [`EngineError::TooManySlots`], [`EngineError::Randomness`].
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>>;

    /// Opens the session of a request that this node's policy approved. A session that is open
    /// already has this approval from now on.
    ///
    /// # Errors
    ///
    /// [`EngineError::OtherGroup`] if its keys are not this group's.
    fn open(&mut self, request: &ApprovedRequest) -> Answer<()>;

    /// Moves the secret nonces of all m slots out, computes all m partial signatures, checks each
    /// against its own nonce and public share (BIP-445, *Sign*), and gives all of them, in the
    /// order of the messages, or none.
    ///
    /// The slots that the order names are gone in any case.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotOpen`], [`EngineError::Expired`] by either clock,
    /// [`EngineError::OtherIncarnation`], [`EngineError::NoSuchSlot`] for a slot that was never
    /// drawn for this seat and coordinator, is used or void, [`EngineError::TooOld`] by either
    /// clock, [`EngineError::NoSuchSeat`], [`EngineError::NotAPackage`];
    /// [`EngineError::OwnShareInvalid`] if a share does not verify, and then all slots are void.
    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>>;

    /// Zeroizes secret nonces. Their indexes are not drawn again.
    fn void(&mut self, what: Void);

    /// Ends a session: nothing is signed for it until it is opened again. The stock is the group's
    /// and stays.
    fn close(&mut self, session: SessionId);

    /// How many secret nonces it holds.
    fn live_slots(&self) -> usize;
}

/// An engine that is chosen while the program runs.
impl<E: Engine + ?Sized> Engine for Box<E> {
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>> {
        (**self).draw(slots, context)
    }

    fn open(&mut self, request: &ApprovedRequest) -> Answer<()> {
        (**self).open(request)
    }

    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>> {
        (**self).sign(order, now)
    }

    fn void(&mut self, what: Void) {
        (**self).void(what);
    }

    fn close(&mut self, session: SessionId) {
        (**self).close(session);
    }

    fn live_slots(&self) -> usize {
        (**self).live_slots()
    }
}

/// What an engine answers to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// The result.
    Now(Result<T, EngineError>),
    /// The result comes later, under this number.
    Later(Job),
}

/// Names a call that an engine answers later: a number that the engine chose, different for each of
/// its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job(u64);

impl Job {
    /// The job of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The result of a call that was answered later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The slots were drawn; their public nonces by index.
    Drawn(Vec<PublicNonce>),
    /// The session is open.
    Opened,
    /// The partial signatures, in the order of the messages.
    Signed(Vec<PartialSignature>),
}
