//! What the state machines of this crate have in common: their interface, and the pacing of what
//! they send.
//!
//! A machine has no clock, no socket, no task and no store. It is given what happened and the time,
//! and returns what its caller must do, in order:
//!
//! ```text
//! handle_message(from, bytes, now)  ─┐                        ┌─> poll_output(): send, persist, event
//! handle_timeout(now)               ─┼─> authenticate, retain,┤
//! handle_link(peer, link, now)      ─┤   then act             └─> next_timeout(): when to be woken
//! persisted(record, kept, now)      ─┘
//! ```

mod backoff;
mod reply_limiter;
mod schedule;

use std::{sync::Arc, time::Duration};

use roastery_frost::Seat;

pub(crate) use self::{backoff::Backoff, reply_limiter::ReplyLimiter, schedule::Schedule};
use crate::{clock::Moment, group::PeerId};

/// What the caller must do for a machine, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<E, R, A = Seat> {
    /// Send these bytes now. The order of outputs is the order of sending.
    Send {
        /// The receivers.
        to: Destination<A>,
        /// One whole message.
        bytes: Arc<[u8]>,
    },
    /// Store this record durably, and then call [`Machine::persisted`] with it. What depends on the
    /// record leaves only then; everything else goes on meanwhile.
    Persist(R),
    /// Something has happened that the caller may want to know.
    Event(E),
}

/// The receivers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<A = Seat> {
    /// The node that holds this seat; never the machine's own seat.
    Seat(A),
    /// All other seats.
    Everyone,
}

/// A peer's connection, as the transport sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The peer can be reached. What it may have missed is sent again.
    Up,
    /// The time that a message to the peer and its answer take, as the transport has measured it.
    /// The link is up.
    RoundTrip(Duration),
    /// The peer cannot be reached.
    Down,
}

/// A state machine of the protocol.
///
/// Outputs are taken with [`poll_output`](Machine::poll_output) after each call, until there is
/// none.
pub trait Machine {
    /// What has happened, for the caller.
    type Event;
    /// How the machine names a receiver: by seat, and in a change by seat and side.
    type Address;
    /// What must be durable before something that depends on it leaves.
    type Record;
    /// Why a message had no effect, or not the one that its sender wanted.
    type Rejected;

    /// A message arrived from a peer that the transport has authenticated. Nothing that a peer
    /// sends is an error of the machine.
    ///
    /// # Errors
    ///
    /// [`Machine::Rejected`] states why the message had no effect.
    fn handle_message(
        &mut self,
        from: &PeerId,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(), Self::Rejected>;

    /// Handles the timeout that [`next_timeout`](Machine::next_timeout) has named. Calling it early
    /// or late does no harm.
    fn handle_timeout(&mut self, now: Moment);

    /// A peer's link has come, has gone, or was measured.
    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment);

    /// The answer to [`Output::Persist`]: whether the record is durable. If it is not, what depends
    /// on it never leaves.
    fn persisted(&mut self, record: Self::Record, kept: bool, now: Moment);

    /// The next output, in order. Call it until it returns `None`.
    fn poll_output(&mut self) -> Option<Output<Self::Event, Self::Record, Self::Address>>;

    /// When [`handle_timeout`](Machine::handle_timeout) must be called next, on the monotonic
    /// clock.
    fn next_timeout(&self) -> Option<Duration>;
}
