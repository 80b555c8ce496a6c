//! Waiting for events of a bus.

use std::time::Duration;

use roastery_node::bus::{Bus, BusEvent};
use roastery_protocol::group::PeerId;

/// A timeout longer than anything takes, so that a test that waits in vain ends.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn next(bus: &mut impl Bus) -> BusEvent {
    let event = tokio::time::timeout(PATIENCE, bus.receive()).await;
    event.expect("something comes").expect("the bus is open")
}

/// The next message, whatever connects and disconnects meanwhile; clock questions of a mux
/// are skipped.
pub async fn next_message(bus: &mut impl Bus) -> (PeerId, Vec<u8>) {
    loop {
        if let BusEvent::Message { from, bytes } = next(bus).await
            && !bytes.starts_with(b"rstclock")
        {
            return (from, bytes.to_vec());
        }
    }
}

/// Waits until this peer is connected.
pub async fn connected(bus: &mut impl Bus, peer: &PeerId) {
    while next(bus).await != BusEvent::Connected(peer.clone()) {}
}

/// Polls until a condition holds for which there is no event.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it holds at some time");
}
