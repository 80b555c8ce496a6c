//! Buses over real connections on this machine.

#![allow(dead_code, reason = "no example needs all of it")]

use std::time::{Duration, Instant};

use roastery_libp2p::{DialAddress, Endpoint, ListenAddress, P2pBus, P2pSettings, TransportKey};
use roastery_node::bus::{Bus, BusEvent};
use roastery_protocol::group::PeerId;
use roastery_testkit::demo::Result;

type Roster = Vec<(PeerId, Vec<DialAddress>)>;

/// Endpoints and a roster with all their addresses.
pub async fn bound(count: usize, listen: &ListenAddress) -> Result<(Vec<Endpoint>, Roster)> {
    let (mut endpoints, mut roster) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let key = TransportKey::from_secret(&mut secret);
        let endpoint =
            Endpoint::bind(key, std::slice::from_ref(listen), P2pSettings::default()).await?;
        let called = endpoint.addresses().map(|address| address.to_string().parse());
        roster.push((endpoint.peer().clone(), called.collect::<std::result::Result<_, _>>()?));
        endpoints.push(endpoint);
    }
    Ok((endpoints, roster))
}

/// Buses of nodes that listen at this address, each connected to all others, and how long that
/// took.
pub async fn connected(count: usize, listen: &ListenAddress) -> Result<(Vec<P2pBus>, Duration)> {
    let (endpoints, roster) = bound(count, listen).await?;
    let start = Instant::now();
    let mut connecting = Vec::new();
    for endpoint in endpoints {
        let mut bus = endpoint.join(roster.clone())?;
        connecting.push(tokio::spawn(async move {
            let mut connected = 1;
            while connected < count {
                match bus.receive().await {
                    Some(BusEvent::Connected(_)) => connected += 1,
                    Some(BusEvent::Disconnected(_)) => connected -= 1,
                    Some(BusEvent::Message { .. }) | None => {}
                }
            }
            bus
        }));
    }
    let mut buses = Vec::new();
    for bus in connecting {
        buses.push(bus.await?);
    }
    Ok((buses, start.elapsed()))
}
