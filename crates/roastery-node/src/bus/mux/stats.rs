//! Counters of a mux.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ClockOffset, Topic};
use crate::bus::{BusStats, PeerId};

/// The greatest age of the copied counters of the bus below.
pub(super) const REFRESH: Duration = Duration::from_secs(1);

/// Counters of a mux and its channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MuxStats {
    /// The bus below the channels, as it was at most a second ago: messages of each peer that were
    /// lost before their channel was known, the connections, and refused connections.
    pub bus: BusStats,
    /// The counters of each channel that is open now.
    pub channels: BTreeMap<Topic, BusStats>,
    /// How the wall clocks of the peers that are connected differ from this node's.
    pub clocks: BTreeMap<PeerId, ClockOffset>,
    /// Messages that reached no channel, by sender: one entry for each peer that the bus has ever
    /// named.
    pub misdirected: BTreeMap<PeerId, Misdirected>,
}

/// A peer's messages that reached no channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misdirected {
    /// They named no topic, or one that is not open here: a group or key generation that only the
    /// sender has, or has opened sooner.
    pub no_such_topic: u64,
    /// They named a topic that is open here, and the sender is not a member of it.
    pub not_a_member: u64,
}
