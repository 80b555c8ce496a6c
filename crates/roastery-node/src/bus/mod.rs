//! The mesh between the members: authenticated peers, send to one or to all, receive.
//!
//! [`Bus`] is all that a node knows of its network. [`Mesh`] implements it inside one process, for
//! demos and tests. With the feature `libp2p`, module `p2p` implements it over TCP and QUIC. A
//! [`Line`] is the bus of one group among several that share another bus: module [`exchange`].
//!
//! # What a bus promises
//!
//! * **Authenticated.** [`BusEvent::Message`] names the peer whose link the message came over. The
//!   link proved it; no message says it. A bus handle sends as its own peer, and nothing in
//!   [`Bus::send`] could say otherwise.
//! * **At least once, with the sender's help.** A message may be lost on the way, and it may arrive
//!   more than once. One that is sent again until it is answered arrives while both ends can reach
//!   each other. An exact repeat may be suppressed only while the same bytes still wait for the
//!   reader, so that each repeat is followed by a delivery. Two messages that differ in one byte
//!   are two messages. Order is not promised.
//! * **A sender loses only its own.** Each reader keeps one bounded queue for each sender and
//!   serves them in turn. When one is full, its sender's newest messages are lost and counted
//!   ([`BusStats`]), and nobody else's.
//! * **Nobody blocks.** [`Bus::send`] waits for no reader and no network.
//! * **Connections are seen.** For one peer, [`BusEvent::Connected`] and [`BusEvent::Disconnected`]
//!   alternate, beginning with the first, and its messages come between the two. A full queue loses
//!   none of them.
//!
//! # Who owns the bytes
//!
//! [`Bus::send`] borrows the message and copies it before it returns: what the caller does with its
//! buffer afterwards cannot matter. A reader gets [`Bytes`], which are immutable, so one copy
//! serves all readers of a message to [`Destination::Everyone`] and none of them can change what
//! another one sees. A `Vec<u8>` for each delivery would protect no better, and would cost a copy
//! of each message for each of up to 127 readers. What is delivered holds exactly the message and
//! keeps no larger buffer alive, so a reader that retains it retains what it counted.

pub mod exchange;
mod mesh;
#[cfg(feature = "libp2p")]
pub mod p2p;
mod queue;
mod stats;

use std::future::Future;

use bytes::Bytes;

pub use exchange::{Exchange, ExchangeHandle, ExchangeLimits, Line, Topic};
pub use mesh::{JoinError, Mesh, MeshBus, MeshLimits, MeshLimitsError};
pub use queue::{QueueLimits, QueueLimitsError};
pub use roastery_protocol::group::{PeerId, PeerIdError};
pub use stats::{BusStats, LinkStats, QueueStats, Refusals};

/// One peer's handle to the mesh. The [module](self) says what every implementation promises.
pub trait Bus: Send {
    /// The peer that this handle sends and receives as.
    fn local_peer(&self) -> &PeerId;

    /// The longest message that [`send`](Bus::send) takes, in bytes.
    fn max_message_bytes(&self) -> usize;

    /// Hands a message over. Never blocks, and never waits for a reader.
    ///
    /// `Ok` says that the bus has taken the message, not that anybody has it: a full queue or a
    /// lost connection may still lose it. With [`Destination::Everyone`] it goes to all who are
    /// connected now, and to be alone is no error.
    ///
    /// # Errors
    ///
    /// [`SendError`] says why nobody gets the message. It is no use to repeat it unchanged, except
    /// after [`SendError::NotConnected`].
    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError>;

    /// Waits for the next event. `None` when the bus is closed and all that waited has been taken;
    /// then always `None`.
    ///
    /// Cancellation safe: an event is taken out only by the poll that returns it, so a future that
    /// is dropped before it is ready loses nothing.
    ///
    /// Ready at once while anything waits. A reader under a flood never has to wait, and so has to
    /// bound its turn itself.
    fn receive(&mut self) -> impl Future<Output = Option<BusEvent>> + Send;

    /// What became of the messages for this reader, by sender, and of the connections that the bus
    /// has, since this handle was opened.
    fn stats(&self) -> BusStats;
}

/// Who is to get a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// This peer, which must be another one than the sender.
    Peer(PeerId),
    /// All peers that are connected, without the sender.
    Everyone,
}

/// What a bus has to say to its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A message came in.
    Message {
        /// The peer that handed it over, as the link has proved. It need not be the message's
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
