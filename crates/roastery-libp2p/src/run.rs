//! The task that runs libp2p for a bus.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId as NetworkPeer, Swarm, identify, ping, relay};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::key::name;
use super::links::Links;
use super::relaying::{self, Charges};
use super::roster::Roster;
use super::swarm::{Behaviour, BehaviourEvent};

pub(super) struct Run {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) links: Arc<Links>,
    pub(super) roster: Roster,
    pub(super) charges: Charges,
    pub(super) drain_timeout: Duration,
}

impl Run {
    /// Runs until the bus is dropped, then until what it has sent is out.
    pub(super) async fn until(mut self, dropped: oneshot::Receiver<()>) {
        tokio::pin!(dropped);
        loop {
            tokio::select! {
                // The channel carries no message: it reports that the bus is dropped.
                _ = &mut dropped => break,
                event = self.swarm.select_next_some() => self.handle_event(event),
                () = self.roster.changed() => {
                    self.swarm.behaviour_mut().follow(self.roster.listed());
                }
            }
        }
        self.links.close();
        self.swarm.behaviour_mut().members.end();
        // Each connection ends when it has nothing to write any more.
        let _ = timeout(self.drain_timeout, self.empty()).await;
        let peers: Vec<NetworkPeer> = self.swarm.connected_peers().copied().collect();
        if !peers.is_empty() {
            for peer in peers {
                // It may have disconnected meanwhile.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            let _ = timeout(self.drain_timeout, self.empty()).await;
        }
    }

    async fn empty(&mut self) {
        while self.swarm.connected_peers().next().is_some() {
            let event = self.swarm.select_next_some().await;
            self.handle_event(event);
        }
    }

    fn handle_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let SwarmEvent::Behaviour(event) = event else { return };
        match event {
            BehaviourEvent::Ping(ping::Event { peer, result: Ok(time), .. }) => {
                self.links.measured(&name(&peer), time);
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(_) }) => {
                let members = &mut self.swarm.behaviour_mut().members;
                members.give_up(peer, connection, |stats| stats.unanswered_pings += 1);
            }
            BehaviourEvent::Identify(identify::Event::Received { connection_id, info, .. }) => {
                let relays = info.protocols.contains(&relay::HOP_PROTOCOL_NAME);
                self.swarm.behaviour_mut().members.offers_to_relay(connection_id, relays);
            }
            BehaviourEvent::Relay(event) => relaying::count(&event, &self.charges, &self.links),
            _ => {}
        }
    }
}

/// If the runtime ends, or the task panics, the reader must not wait for ever.
impl Drop for Run {
    fn drop(&mut self) {
        self.links.close();
    }
}
