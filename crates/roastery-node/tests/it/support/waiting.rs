//! Waiting for what a bus brings.

use std::time::Duration;

use roastery_node::bus::{Bus, BusEvent, PeerId};

/// Longer than anything takes, so that a test that waits in vain ends.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn next(bus: &mut impl Bus) -> BusEvent {
    let event = tokio::time::timeout(PATIENCE, bus.receive()).await;
    event.expect("something comes").expect("the bus is open")
}

/// The next message, whatever connects and disconnects meanwhile, and whatever an exchange asks
/// about clocks.
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

/// Waits until something holds, which nobody tells.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it holds at some time");
}
