//! What an engine is asked for.

use std::{fmt, ops::Range};

use roastery_frost::{AggregateNonce, Seat};

use crate::{GroupId, SessionId, clock::Moment, member::Incarnation};

/// Slots of consecutive indexes that one seat of this node has promised, or is to promise, to one
/// coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRange {
    /// The seat of this node whose slots they are.
    pub seat: Seat,
    /// The coordinator's seat.
    pub coordinator: Seat,
    /// The indexes. The last index that a slot can have is 2^32 - 2.
    pub indexes: Range<u32>,
}

/// The name of one slot within an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotName {
    /// The seat whose slot it is.
    pub seat: Seat,
    /// The coordinator's seat.
    pub coordinator: Seat,
    /// The index.
    pub index: u32,
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} of seat {} for seat {}", self.index, self.seat, self.coordinator)
    }
}

/// What goes into nonces beside randomness, seat, coordinator and index (BIP-445, *NonceGen*,
/// `extra_in`): should the system's randomness repeat, these do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawContext {
    /// The group that the slots are for.
    pub group: GroupId,
    /// This node's incarnation, within which the indexes count.
    pub incarnation: Incarnation,
    /// The time of drawing, from which the slots age.
    pub now: Moment,
}

/// The order to answer one package with m slots, for a request of m messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignOrder {
    /// The session, whose request the engine was opened with.
    pub session: SessionId,
    /// The seat of this node that signs.
    pub seat: Seat,
    /// The coordinator that the slots were promised to.
    pub coordinator: Seat,
    /// The incarnation in which the slots were drawn.
    pub incarnation: Incarnation,
    /// The index of the first of the m slots.
    pub first: u32,
    /// The package's signers, t of them, ascending.
    pub signers: Vec<Seat>,
    /// The package's aggregate nonces, one for each message.
    pub aggregates: Vec<AggregateNonce>,
}

/// Which secret nonces are to be zeroized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Void {
    /// These. Those of them that are used or void already make no difference.
    Slots(SlotRange),
    /// All for this coordinator, of all seats of this node.
    Coordinator(Seat),
    /// All.
    All,
}
