//! Bounds of the bus that were reached: its counters, read periodically.

use std::collections::BTreeMap;

use bitcoin::hex::DisplayHex as _;
use roastery_node::bus::{BusStats, QueueStats, mux::MuxStats};
use roastery_protocol::group::PeerId;

use crate::limits::{Limit, Limits};

/// The counts at the last reading.
#[derive(Debug, Default)]
pub(in crate::service) struct BusWatch {
    of_peers: BTreeMap<PeerId, Counts>,
    no_room: u64,
    relay_refused: BTreeMap<PeerId, u64>,
}

/// Lost messages of one peer.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    inbound: u64,
    outbound: u64,
    too_large: u64,
}

impl BusWatch {
    /// Reports what was counted since the last time.
    pub(in crate::service) fn look(&mut self, stats: &MuxStats, limits: &Limits) {
        let mut now: BTreeMap<PeerId, Counts> = BTreeMap::new();
        let buses = stats.channels.values().chain([&stats.bus]);
        buses.for_each(|bus| add(&mut now, bus));
        for (peer, counts) in &now {
            let known = self.of_peers.get(peer).copied().unwrap_or_default();
            let who = peer.as_bytes().to_lower_hex_string();
            for (limit, now, known) in [
                (Limit::InboundQueue, counts.inbound, known.inbound),
                (Limit::OutboundQueue, counts.outbound, known.outbound),
                (Limit::MessageBytes, counts.too_large, known.too_large),
            ] {
                // A closed channel takes its counts with it.
                limits.hit_times(limit, &who, now.saturating_sub(known));
            }
        }
        self.of_peers = now;
        let no_room = stats.bus.refusals().no_room;
        limits.hit_times(Limit::PeerConnections, "strangers", no_room.saturating_sub(self.no_room));
        self.no_room = no_room;
        let refused = stats.bus.links().map(|(peer, link)| (peer.clone(), link.relay_refused));
        let refused: BTreeMap<PeerId, u64> = refused.collect();
        for (peer, now) in &refused {
            let known = self.relay_refused.get(peer).copied().unwrap_or(0);
            let who = peer.as_bytes().to_lower_hex_string();
            limits.hit_times(Limit::Relay, &who, now.saturating_sub(known));
        }
        self.relay_refused = refused;
    }
}

fn add(counts: &mut BTreeMap<PeerId, Counts>, bus: &BusStats) {
    let mut of = |peer: &PeerId, queue: QueueStats, outbound: bool| {
        let counts = counts.entry(peer.clone()).or_default();
        let full = if outbound { &mut counts.outbound } else { &mut counts.inbound };
        *full += queue.dropped_queue_full;
        counts.too_large += queue.dropped_too_large;
    };
    bus.iter().for_each(|(peer, queue)| of(peer, queue, false));
    bus.links().for_each(|(peer, link)| of(peer, link.outbound, true));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Metrics, metrics::Measured};

    #[test]
    fn what_the_bus_lost_is_reported_once() {
        let (metrics, peer) = (Metrics::default(), PeerId::new([7]).unwrap());
        let mut watch = BusWatch::default();
        let lost = |full, large| {
            let queue = QueueStats {
                dropped_queue_full: full,
                dropped_too_large: large,
                ..QueueStats::default()
            };
            MuxStats { bus: [(peer.clone(), queue)].into_iter().collect(), ..MuxStats::default() }
        };
        for (full, large) in [(2, 0), (2, 1), (5, 1), (5, 1)] {
            watch.look(&lost(full, large), metrics.limits());
        }
        let text = metrics.text(Measured {
            stats: MuxStats::default(),
            groups: Vec::new(),
            healthy: true,
            syncs: 0,
            acts: None,
            notices: None,
        });
        for line in [
            "roastery_limited_total{limit=\"inbound_queue\",who=\"07\"} 5\n",
            "roastery_limited_total{limit=\"message_bytes\",who=\"07\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
