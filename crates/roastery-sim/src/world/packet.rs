use std::{sync::Arc, time::Duration};

use roastery_protocol::Seat;

/// A message in transit.
#[derive(Clone, Debug)]
pub struct Packet {
    /// The node on whose link it is sent, by its first seat.
    pub from: Seat,
    /// The receiving node, by its first seat.
    pub to: Seat,
    /// One whole message.
    pub bytes: Arc<[u8]>,
}

/// A message that a coalition sends, after a while.
#[derive(Clone, Debug)]
pub struct Delayed {
    /// The delay before it is sent, in virtual time.
    pub after: Duration,
    /// The message.
    pub packet: Packet,
}
