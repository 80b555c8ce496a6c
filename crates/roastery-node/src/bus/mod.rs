//! The mesh between the members: authenticated peers, send to one or to all, receive.
//!
//! [`Bus`] is all that a node knows of its network. [`Mesh`] implements it inside one process, for
//! demos and tests; the crate `roastery-libp2p` implements it over TCP and QUIC. A
//! [`Channel`](mux::Channel) is the bus of one group among several that share another bus.
//!
//! # What a bus promises
//!
//! * **Authenticated.** [`BusEvent::Message`] names the peer whose link the message came over. The
//!   link authenticates it; no message states it. A bus handle sends as its own peer only.
//! * **At least once, if the sender retransmits.** A message may be lost, and it may arrive more
//!   than once. One that is retransmitted until it is answered arrives while both ends can reach
//!   each other. An exact repeat may be suppressed only while the same bytes still wait for the
//!   reader, so that each repeat is followed by a delivery. Two messages that differ in one byte
//!   are two messages. Order is not promised.
//! * **A sender loses only its own messages.** Each reader keeps one bounded queue for each sender
//!   and serves them round-robin. When one is full, the newest messages of that sender are lost and
//!   counted ([`BusStats`]); those of other senders are not.
//! * **Sending does not block.** [`Bus::send`] waits for no reader and no network.
//! * **Connections are seen.** For one peer, [`BusEvent::Connected`] and [`BusEvent::Disconnected`]
//!   alternate, beginning with the first, and its messages come between the two. A full queue loses
//!   none of them.
//!
//! # Ownership of the bytes
//!
//! [`Bus::send`] borrows the message and copies it before it returns: what the caller does with its
//! buffer afterwards cannot matter. A reader gets [`Bytes`], which are immutable, so one copy
//! serves all readers of a message to [`Destination::Everyone`] and none of them can change what
//! another one sees. A `Vec<u8>` for each delivery would protect no better, and would cost a copy
//! of each message for each of up to 127 readers. What is delivered holds exactly the message and
//! keeps no larger buffer alive, so a reader that retains it retains what it counted.

mod mesh;
pub mod mux;
pub mod queue;
mod stats;

use std::{future::Future, time::Duration};

use bytes::Bytes;
use roastery_protocol::group::PeerId;

pub use mesh::{JoinError, Mesh, MeshBus, MeshLimits, MeshLimitsError};
pub use stats::{BusStats, LinkStats, QueueStats, Refusals};

/// One peer's handle to the mesh. The [module](self) says what every implementation promises.
pub trait Bus: Send {
    /// The peer that this handle sends and receives as.
    fn local_peer(&self) -> &PeerId;

    /// The longest message that [`send`](Bus::send) takes, in bytes.
    fn max_message_bytes(&self) -> usize;

    /// Hands a message over. Never blocks, and never waits for a reader.
    ///
    /// `Ok` means that the bus has taken the message, not that a peer has it: a full queue or a
    /// lost connection may still lose it. With [`Destination::Everyone`] it goes to all peers that
    /// are connected now; that there is none is no error.
    ///
    /// # Errors
    ///
    /// [`SendError`] if no peer gets the message. Repeating it unchanged does not help, except
    /// after [`SendError::NotConnected`].
    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError>;

    /// Waits for the next event. `None` when the bus is closed and all queued events have been
    /// taken; then always `None`.
    ///
    /// Cancellation safe: an event is taken out only by the poll that returns it, so a future that
    /// is dropped before it is ready loses nothing.
    ///
    /// Ready at once while an event is queued. A reader under a flood never has to wait, and so has
    /// to bound its turn itself.
    fn receive(&mut self) -> impl Future<Output = Option<BusEvent>> + Send;

    /// How long a message to this peer and its answer took when that was measured last. `None` for
    /// a bus that measures none, as one inside a process, and before the first measurement.
    fn round_trip(&self, peer: &PeerId) -> Option<Duration> {
        let _ = peer;
        None
    }

    /// The counters of the messages for this reader, by sender, and of the bus's connections, since
    /// this handle was opened.
    fn stats(&self) -> BusStats;
}

/// The receivers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// This peer, which must be another one than the sender.
    Peer(PeerId),
    /// All peers that are connected, without the sender.
    Everyone,
}

/// An event of the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A message came in.
    Message {
        /// The peer that sent it, as authenticated by the link. It need not be the message's
        /// author.
        from: PeerId,
        /// The message, exactly as it was sent.
        bytes: Bytes,
    },
    /// The peer can be reached. After a [`Disconnected`](BusEvent::Disconnected) it may have
    /// restarted with no memory.
    Connected(PeerId),
    /// The peer can no longer be reached. Nothing more comes from it until it is connected again.
    Disconnected(PeerId),
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The bus has been closed.
    #[error("the bus is closed: nothing can be sent any more")]
    Closed,
    /// The peer has never been a part of this mesh.
    #[error("peer {0} is unknown: a message goes to a peer of this mesh, or to everyone")]
    UnknownPeer(PeerId),
    /// The peer is a part of this mesh and is not connected now.
    #[error("peer {0} is not connected: a message to one peer needs it to be connected")]
    NotConnected(PeerId),
    /// The peer is the sender.
    #[error("peer {0} is the sender itself: a message goes to another peer, or to everyone else")]
    ToSelf(PeerId),
    /// The message is too long.
    #[error("the message has {bytes} bytes: at most {max} are allowed")]
    TooLarge {
        /// The length of the message, in bytes.
        bytes: usize,
        /// The longest message allowed, in bytes.
        max: usize,
    },
}
