//! The state of a mux: its channels with their queues, and which peers are connected.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::clock::ClockOffset;
use super::peer_clock::PeerClock;
use super::stats::Misdirected;
use super::topic::Topic;
use crate::bus::queue::Inbox;
use crate::bus::{BusStats, LinkStats, PeerId};

/// A channel's number, which no other channel of the mux ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChannelId(u64);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) closed: bool,
    pub(super) handles: usize,
    pub(super) opened: u64,
    pub(super) topics: BTreeMap<Topic, ChannelId>,
    /// Further topics of open channels: their messages go there while no channel of their own is
    /// open.
    pub(super) further: BTreeMap<Topic, ChannelId>,
    /// The open channels, and those that are closed and have unsent messages.
    pub(super) channels: BTreeMap<ChannelId, ChannelState>,
    /// The channels with unsent messages, each once, the next one first.
    pub(super) turns: VecDeque<ChannelId>,
    /// Every peer that the bus has named.
    pub(super) peers: BTreeMap<PeerId, Peer>,
    /// The last copy of the bus's counters.
    pub(super) bus: BusStats,
}

#[derive(Debug)]
pub(super) struct ChannelState {
    pub(super) topic: Topic,
    pub(super) members: BTreeSet<PeerId>,
    pub(super) opened: Instant,
    /// The queues to the channel's reader, one for each member.
    pub(super) inbox: Inbox,
    /// The queues to the bus, one for each member.
    pub(super) outbox: Inbox,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connected: bool,
    /// When it last connected or disconnected.
    pub(super) since: Instant,
    pub(super) misdirected: Misdirected,
    pub(super) clock: PeerClock,
}

impl State {
    /// The id of a new channel.
    pub(super) fn next_id(&mut self) -> ChannelId {
        self.opened += 1;
        ChannelId(self.opened)
    }

    pub(super) fn peer(&mut self, name: &PeerId) -> &mut Peer {
        match self.peers.entry(name.clone()) {
            Entry::Occupied(peer) => peer.into_mut(),
            Entry::Vacant(place) => place.insert(Peer {
                connected: false,
                since: Instant::now(),
                misdirected: Misdirected::default(),
                clock: PeerClock::default(),
            }),
        }
    }

    /// The channels that a peer is a member of.
    pub(super) fn channels_of(&mut self, peer: &PeerId) -> impl Iterator<Item = &mut ChannelState> {
        self.channels.values_mut().filter(move |channel| channel.members.contains(peer))
    }

    /// The channel of a message that may name these topics; if there is none, counts the message as
    /// misdirected.
    pub(super) fn channel_for(
        &mut self,
        from: &PeerId,
        mut topics: impl Iterator<Item = Topic>,
    ) -> Option<&mut ChannelState> {
        let of = |topic| self.topics.get(&topic).or_else(|| self.further.get(&topic));
        let Some(id) = topics.find_map(of) else {
            self.peer(from).misdirected.no_such_topic += 1;
            return None;
        };
        if !self.channels.get(id).is_some_and(|channel| channel.members.contains(from)) {
            self.peer(from).misdirected.not_a_member += 1;
            return None;
        }
        self.channels.get_mut(id)
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.connected)
    }

    pub(super) fn clocks(&self) -> BTreeMap<PeerId, ClockOffset> {
        let known = |(name, peer): (&PeerId, &Peer)| Some((name.clone(), peer.clock.offset()?));
        self.peers.iter().filter_map(known).collect()
    }

    pub(super) fn channel_stats(&self, channel: &ChannelState) -> BusStats {
        let of = |outbox: &Inbox| outbox.stats().collect::<BTreeMap<_, _>>();
        let mut outbound = of(&channel.outbox);
        let links = channel.members.iter().map(|member| {
            let awaited_since = match self.peers.get(member) {
                Some(peer) if peer.connected => None,
                Some(peer) => Some(peer.since),
                None => Some(channel.opened),
            };
            let below = self.bus.link(member).unwrap_or_default();
            let outbound = outbound.remove(member).unwrap_or_default();
            (member.clone(), LinkStats { awaited_since, outbound, ..below })
        });
        let inbound: BusStats = channel.inbox.stats().collect();
        inbound.with_links(links, self.bus.refusals())
    }
}
