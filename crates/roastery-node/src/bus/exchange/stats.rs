//! What became of the messages over an exchange.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ClockOffset, Topic};
use crate::bus::{BusStats, PeerId};

/// How old what is said of the bus below may be.
pub(super) const REFRESH: Duration = Duration::from_secs(1);

/// What became of everything on an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeStats {
    /// The bus below the lines, as it was at most a second ago: what of each peer was lost before
    /// it was known which line it was for, the connections, and who was turned away.
    pub bus: BusStats,
    /// Each line that is open now.
    pub lines: BTreeMap<Topic, BusStats>,
    /// How the wall clocks of the peers that are connected differ from this node's.
    pub clocks: BTreeMap<PeerId, ClockOffset>,
    /// Messages that reached no line, by sender: one entry for each peer that the bus has ever
    /// named.
    pub misdirected: BTreeMap<PeerId, Misdirected>,
}

/// A peer's messages that reached no line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Misdirected {
    /// They named no topic, or one that is not open here: a group or key generation that only the
    /// sender has, or has opened sooner.
    pub no_such_topic: u64,
    /// They named a topic that is open here, and the sender is not a member of it.
    pub not_a_member: u64,
}
