//! What a machine sends, over a bus.

use roastery_protocol::{Seat, group::PeerId, machine::Destination};

use crate::bus::{self, Bus};

/// Sends a message of a machine whose seats these peers hold. A peer that is not connected gets a
/// retransmission, so an error is none.
pub(super) fn send<B: Bus>(
    bus: &mut B,
    to: Destination,
    peer: impl FnOnce(Seat) -> Option<PeerId>,
    bytes: &[u8],
) {
    let to = match to {
        Destination::Everyone => bus::Destination::Everyone,
        Destination::Seat(seat) => match peer(seat) {
            Some(peer) => bus::Destination::Peer(peer),
            None => return,
        },
    };
    let _ = bus.send(to, bytes);
}
