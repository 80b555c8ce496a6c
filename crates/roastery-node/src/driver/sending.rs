//! What a machine sends, over a bus.

use std::sync::Arc;

use roastery_protocol::{group::PeerId, machine::Destination};

use crate::bus::{self, Bus};

/// Sends a message of a machine whose seats these peers hold. A peer that is not connected gets a
/// retransmission, so an error is none.
pub(super) fn send<B: Bus, A>(
    bus: &mut B,
    to: Destination<A>,
    peer: impl FnOnce(A) -> Option<PeerId>,
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

/// The messages of one turn: what goes to several seats of one peer is sent to it once.
#[derive(Debug, Default)]
pub(super) struct Sent {
    bytes: Option<Arc<[u8]>>,
    to: Vec<PeerId>,
}

impl Sent {
    /// Whether these bytes are still to be sent to this peer. Those for several seats come one
    /// after the other.
    pub(super) fn is_new(&mut self, peer: &PeerId, bytes: &Arc<[u8]>) -> bool {
        if !self.bytes.as_ref().is_some_and(|last| Arc::ptr_eq(last, bytes)) {
            self.bytes = Some(bytes.clone());
            self.to.clear();
        }
        let is_new = !self.to.contains(peer);
        if is_new {
            self.to.push(peer.clone());
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_to_two_seats_of_one_peer_is_sent_to_it_once_and_the_next_message_again() {
        let (one, other) = (PeerId::new([1]).unwrap(), PeerId::new([2]).unwrap());
        let (first, next): (Arc<[u8]>, Arc<[u8]>) = (Arc::from([1]), Arc::from([1]));
        let mut sent = Sent::default();
        assert!(sent.is_new(&one, &first));
        assert!(sent.is_new(&other, &first));
        assert!(!sent.is_new(&one, &first));
        assert!(sent.is_new(&one, &next));
    }
}
