//! Peers whose wall clocks differ from this node's.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::{Duration, Instant},
};

use roastery_node::bus::mux::ClockOffset;
use roastery_protocol::group::PeerId;

use crate::{service::shared::Shared, text::Visible};

/// The minimum time between two warnings about one peer's clock.
const PAUSE: Duration = Duration::from_secs(3600);

/// Warns once an hour about each peer whose clock differs from this node's.
#[derive(Debug, Default)]
pub(in crate::service) struct ClockWatch {
    warned: BTreeMap<PeerId, Instant>,
}

impl ClockWatch {
    pub(in crate::service) fn look(
        &mut self,
        clocks: &BTreeMap<PeerId, ClockOffset>,
        shared: &Shared,
    ) {
        // By age alone: a peer whose clock alternates causes no more warnings.
        self.warned.retain(|_, at| at.elapsed() < PAUSE);
        for (peer, offset) in clocks.iter().filter(|(_, offset)| offset.is_notable()) {
            if let Entry::Vacant(place) = self.warned.entry(peer.clone()) {
                let name = shared.name_of(peer);
                tracing::warn!(
                    peer = %Visible(&name),
                    "its clock differs from this node's by {} s: requests may seem to have \
                     expired; set both clocks by NTP",
                    offset.ahead_ms / 1000
                );
                place.insert(Instant::now());
            }
        }
    }
}
