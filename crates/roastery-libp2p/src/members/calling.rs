//! When members are dialled, and how: directly, or through a relay where that fails.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::stream::Stream;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, ListenOpts, ToSwarm};
use libp2p::{Multiaddr, PeerId as NetworkPeer};

use super::Members;

/// The addresses at which a peer is to be dialled now.
pub(super) struct Resolved {
    pub(super) peer: NetworkPeer,
    /// The number of the peer's entry in the roster.
    since: u64,
    addresses: Vec<Multiaddr>,
}

/// A dial of a member.
#[derive(Clone, Copy)]
pub(super) struct Call {
    id: ConnectionId,
    relayed: bool,
}

impl Members {
    /// The next dial that is due and whose addresses are resolved.
    pub(super) fn poll_call(&mut self, context: &mut Context<'_>) -> Poll<DialOpts> {
        loop {
            while self.poll_due(context).is_ready() {}
            let Poll::Ready(Some(resolved)) = Pin::new(&mut self.lookups).poll_next(context) else {
                return Poll::Pending;
            };
            // If no address was found the peer is due again later, and that time is waited for.
            if let Some(call) = self.place_call(resolved) {
                return Poll::Ready(call);
            }
        }
    }

    /// Dials a peer at its resolved addresses, unless it is connected or removed by now.
    fn place_call(&mut self, resolved: Resolved) -> Option<DialOpts> {
        let Resolved { peer, since, addresses } = resolved;
        let member = self.members.get(&peer)?;
        if member.listed.since != since || !member.redial.is_calling() {
            return None;
        }
        match addresses.is_empty() {
            true => self.call_through_relays(peer),
            false => self.call(peer, addresses, false),
        }
    }

    fn call(
        &mut self,
        peer: NetworkPeer,
        addresses: Vec<Multiaddr>,
        relayed: bool,
    ) -> Option<DialOpts> {
        let member = self.members.get_mut(&peer)?;
        let condition = match member.connections.is_empty() {
            true => PeerCondition::DisconnectedAndNotDialing,
            // It is connected through a relay.
            false => PeerCondition::NotDialing,
        };
        let opts = DialOpts::peer_id(peer).addresses(addresses).condition(condition).build();
        member.call = Some(Call { id: opts.connection_id(), relayed });
        Some(opts)
    }

    /// Dials a peer that cannot be reached directly through the members that relay. Without any the
    /// dial has failed.
    fn call_through_relays(&mut self, peer: NetworkPeer) -> Option<DialOpts> {
        let member = self.members.get_mut(&peer)?;
        let ways = match member.connections.is_empty() {
            true => self.relays.ways(peer, member.relayed_calls),
            false => Vec::new(),
        };
        if ways.is_empty() {
            self.not_reached(peer);
            return None;
        }
        member.relayed_calls = member.relayed_calls.wrapping_add(1);
        self.call(peer, ways, true)
    }

    /// This dial has failed. Dials of others than these are not counted.
    pub(super) fn call_failed(&mut self, peer: NetworkPeer, id: ConnectionId) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        match member.call.take_if(|call| call.id == id) {
            None => {}
            Some(Call { relayed: true, .. }) => self.not_reached(peer),
            Some(Call { relayed: false, .. }) if member.redial.is_calling() => {
                let next = self.call_through_relays(peer);
                self.todo.extend(next.map(|opts| ToSwarm::Dial { opts }));
            }
            Some(Call { relayed: false, .. }) => self.not_reached(peer),
        }
    }

    fn not_reached(&mut self, peer: NetworkPeer) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        self.links.count(&member.name, |stats| stats.failed_dials += 1);
        member.redial.failed(Instant::now(), random());
    }

    /// Begins the next dial that is due.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let has_relays = self.relays.has_any();
        let callable = self.members.iter_mut().filter(|(_, member)| {
            !member.listed.addresses.is_empty() || has_relays && member.connections.is_empty()
        });
        let due = callable.filter_map(|(peer, member)| Some((member.redial.next()?, peer, member)));
        let due = due.min_by_key(|(time, ..)| *time);
        let first = due.as_ref().map(|(time, ..)| *time);
        if first.is_none_or(|time| time > now) {
            let next = first.into_iter().chain(self.relays.next(now)).min();
            let Some(next) = next else { return Poll::Pending };
            self.alarm.as_mut().reset(next.into());
            if self.alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        let Some((_, peer, member)) = due.filter(|(time, ..)| *time <= Instant::now()) else {
            // A reservation is due.
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        member.redial.calls();
        let (peer, since) = (*peer, member.listed.since);
        let resolver = self.resolver.clone();
        let found = resolver.resolve(member.name.clone(), member.listed.addresses.clone());
        self.lookups
            .push(Box::pin(async move { Resolved { peer, since, addresses: found.await } }));
        Poll::Ready(())
    }

    /// The next reservation to ask for: as long as there is a member that is not connected
    /// directly.
    pub(super) fn reserve(&mut self) -> Option<ListenOpts> {
        let all_direct = self.members.values().all(super::Member::is_direct);
        if all_direct { None } else { self.relays.reserve(Instant::now()) }
    }
}

/// For the jitter of the back-off only, so that a failure is no harm.
pub(super) fn random() -> u32 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}
