//! The one way to the secrets.
//!
//! The protocol holds no secret share and no secret nonce. It reaches them through this narrow
//! trait, which is defined here, at its consumer: open, commit, sign, check a share, aggregate,
//! abort. An engine is opened with the approved request and holds the messages and their keys
//! itself, so that no fault above it can make it sign anything else: there is no second message
//! parameter anywhere.

#[cfg(feature = "fake")]
mod fake;
mod frost;

use roastery_frost::{AggregateNonce, PartialSignature, PublicNonce, Seat, Signature};
use thiserror::Error;

#[cfg(feature = "fake")]
pub use self::fake::{Calls, FakeEngine, FakePackage, FakeSession, Programme};
pub use self::frost::{FrostEngine, FrostPackage, FrostSession};
use crate::{Attempt, Incarnation, SessionId, clock::Moment, request::ApprovedRequest};

/// Holds one seat's secret share and opens sessions with it.
pub trait Engine {
    /// The engine's part of one signing session.
    type Session: EngineSession;

    /// The seat whose share it holds.
    fn seat(&self) -> Seat;

    /// Opens a session for a request that this node's policy approved.
    fn open(&self, request: &ApprovedRequest) -> Result<Self::Session, EngineError>;
}

/// One session's secrets: the share's use for this request, and the secret nonces of its slots.
///
/// Secret nonces are in memory only, moved out when they are used, and zeroized when the session is
/// aborted or dropped, also in a panic.
pub trait EngineSession: Send {
    /// A package prepared for use: what is the same for all its signers, computed once.
    type Package: Send;

    /// Draws a fresh slot: one secret nonce for each message, kept under this name. Gives the
    /// public nonces.
    fn commit(
        &mut self,
        slot: SlotId,
        context: &SlotContext,
    ) -> Result<Vec<PublicNonce>, EngineError>;

    /// Sums the nonces of slots: `slots[i]` holds the nonces of one signer; gives one aggregate a
    /// message (BIP-445, NonceAgg).
    fn aggregate_nonces(&self, slots: &[&[PublicNonce]]) -> Vec<AggregateNonce>;

    /// Prepares a package: its signers ascending, one aggregate nonce a message (BIP-445,
    /// GetSessionValues).
    fn prepare(
        &self,
        signers: &[Seat],
        aggregates: &[AggregateNonce],
    ) -> Result<Self::Package, EngineError>;

    /// Moves all the nonces of the slot out in one step, computes all partial signatures, checks
    /// each against its own nonces and public share, and gives all or none. The slot is gone in any
    /// case (BIP-445, Sign).
    fn sign(
        &mut self,
        slot: SlotId,
        package: &Self::Package,
    ) -> Result<Vec<PartialSignature>, EngineError>;

    /// Checks another's share (BIP-445, PartialSigVerify). The error is the position of the first
    /// message whose equation fails.
    fn check_share(
        &self,
        package: &Self::Package,
        signer: Seat,
        nonces: &[PublicNonce],
        share: &[PartialSignature],
    ) -> Result<(), usize>;

    /// Sums t shares, in the order of the package's signers, and verifies the signatures (BIP-445,
    /// PartialSigAgg). `None` if any of them does not verify.
    fn aggregate(
        &self,
        package: &Self::Package,
        shares: &[&[PartialSignature]],
    ) -> Option<Vec<Signature>>;

    /// Whether these are the signatures that the request asks for (BIP-340).
    fn verify(&self, signatures: &[Signature]) -> bool;

    /// Zeroizes the nonces of one slot.
    fn discard(&mut self, slot: SlotId);

    /// Zeroizes everything secret. Afterwards `commit` and `sign` fail with
    /// [`EngineError::Aborted`].
    fn abort(&mut self);

    /// How many slots have live secret nonces.
    fn live_slots(&self) -> usize;
}

/// A slot's name inside a node. A slot belongs to one attempt: two coordinators can never name the
/// same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId {
    /// The attempt that the slot is for.
    pub attempt: Attempt,
    /// How many slots were made before in this run and attempt.
    pub index: u32,
}

/// What goes into the nonces beside randomness (BIP-445, NonceGen, `extra_in`): should the system's
/// randomness repeat, these do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotContext {
    /// The session that the slot is for.
    pub session: SessionId,
    /// The signer's incarnation.
    pub incarnation: Incarnation,
    /// The time of drawing.
    pub now: Moment,
}

/// Why an engine did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The session was aborted: its secrets are zeroized.
    #[error("the session's secrets are gone")]
    Aborted,
    /// There is no such slot, or it was used.
    #[error("slot {} of attempt {} is not there or was used", .0.index, .0.attempt)]
    NoSuchSlot(SlotId),
    /// A slot of this name exists already.
    #[error("slot {} of attempt {} exists already", .0.index, .0.attempt)]
    SlotExists(SlotId),
    /// The operating system's random generator failed.
    #[error("the system gave no randomness")]
    Randomness,
    /// Signers or aggregates that make no package. Not the fault of this machine; nothing was used
    /// up.
    #[error("these signers and aggregate nonces make no package")]
    NotAPackage,
    /// The engine's own share does not verify: this machine computes wrongly. Nothing was released.
    #[error("this machine computed a share that does not verify; nothing was released")]
    OwnShareInvalid,
}
