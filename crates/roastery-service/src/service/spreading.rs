//! Members tell each other where they are dialled, and pass on what they know of others: a changed
//! address is followed without a card.

mod pace;

use std::{sync::Arc, time::Duration};

use roastery_libp2p::{Whereabouts, WhereaboutsError};
use roastery_node::bus::{Bus as _, BusEvent, Destination, mux::Channel};
use roastery_protocol::{group::PeerId, pairing::Told};

use self::pace::Pace;
use crate::{
    limits::Limit,
    own_card,
    service::{Service, lifecycle::running::stopped_signal, whereabouts::Learned},
};

/// How often all are told where this node is dialled, beside each time that one connects.
const AGAIN: Duration = Duration::from_secs(3600);

impl Service {
    /// Tells members, and learns from them, until the node stops.
    pub(in crate::service) async fn spread(self: Arc<Self>, mut channel: Channel) {
        let card = own_card::current(&self.shared.folder, &self.config);
        let own = card.map(|card| card.whereabouts().clone());
        let mut stopped = self.stop.subscribe();
        let mut again = tokio::time::interval(AGAIN);
        let mut pace = Pace::default();
        loop {
            tokio::select! {
                event = channel.receive() => match event {
                    Some(BusEvent::Connected(peer)) => {
                        own.iter().for_each(|own| tell(&mut channel, &peer, own));
                        self.tell_of_others(&mut channel, &peer);
                    }
                    Some(BusEvent::Message { from, bytes }) => {
                        let learned = self.hear_of(&mut pace, &from, &bytes, own.as_ref()).await;
                        if let Some(said) = learned {
                            self.pass_on(&mut channel, &from, &said);
                        }
                    }
                    Some(BusEvent::Disconnected(_)) => {}
                    None => return stopped_signal(&mut stopped).await,
                },
                _ = again.tick() => {
                    if let Some(own) = &own {
                        // What is lost is told again.
                        let _ = channel.send(Destination::Everyone, &own.told().encode());
                    }
                }
                () = stopped_signal(&mut stopped) => return,
            }
        }
    }

    /// What is new and right of a message: the addresses of a member that are kept now.
    async fn hear_of(
        self: &Arc<Self>,
        pace: &mut Pace,
        from: &PeerId,
        bytes: &[u8],
        own: Option<&Whereabouts>,
    ) -> Option<Whereabouts> {
        if !pace.sender(from) {
            self.shared.limits.hit(Limit::Whereabouts, &self.shared.name_of(from));
            return None;
        }
        let Some(Told { peer, whereabouts }) = Told::decode(bytes) else {
            self.shared.limits.hit(Limit::Whereabouts, &self.shared.name_of(from));
            return None;
        };
        if peer == self.peer {
            let sequence = whereabouts.sequence;
            let is_later = own.is_some_and(|own| own.sequence() < sequence);
            // What it has not signed says nothing; what it has is said once.
            if is_later && checked(peer, whereabouts).is_ok() && pace.is_later(sequence) {
                tracing::warn!(
                    from = self.shared.name_of(from),
                    "a member has later addresses of this node than its card: is another node running with \
                     this node's keys, or was its clock ahead? Others follow the later ones"
                );
            }
            return None;
        }
        let known = self.addresses.of(&peer);
        let is_newer = known.is_none_or(|known| known.sequence() < whereabouts.sequence);
        if !is_newer || !self.roster.peers().iter().any(|(one, _)| *one == peer) {
            return None;
        }
        let Ok(said) = checked(peer.clone(), whereabouts) else {
            self.shared.limits.hit(Limit::Whereabouts, &self.shared.name_of(from));
            return None;
        };
        if !pace.subject(&peer) {
            self.shared.limits.hit(Limit::Whereabouts, &self.shared.name_of(&peer));
            return None;
        }
        let (this, kept) = (self.clone(), said.clone());
        match self.shared.blocking(move || this.learn(&kept)).await {
            Ok(Ok(Learned::Newer)) => {}
            Ok(Ok(Learned::Known)) | Err(_) => return None,
            Ok(Err(error)) => {
                tracing::error!(%error, "the addresses of a member could not be kept");
            }
        }
        self.reach(peer);
        Some(said)
    }

    fn tell_of_others(&self, channel: &mut Channel, to: &PeerId) {
        for (peer, _) in self.roster.peers() {
            if peer != *to
                && self.share_a_group(&peer, to)
                && let Some(said) = self.addresses.of(&peer)
            {
                tell(channel, to, &said);
            }
        }
    }

    fn pass_on(&self, channel: &mut Channel, from: &PeerId, said: &Whereabouts) {
        for (peer, _) in self.roster.peers() {
            if peer != *from && peer != *said.peer() && self.share_a_group(&peer, said.peer()) {
                tell(channel, &peer, said);
            }
        }
    }

    /// Whether the two are members of one group with this node: others learn no addresses.
    fn share_a_group(&self, one: &PeerId, other: &PeerId) -> bool {
        self.groups().iter().any(|group| {
            let is_member =
                |peer: &PeerId| group.group.members().iter().any(|member| member.peer == *peer);
            is_member(one) && is_member(other)
        })
    }
}

/// The addresses, if the peer has signed them.
fn checked(
    peer: PeerId,
    said: roastery_protocol::pairing::Whereabouts,
) -> Result<Whereabouts, WhereaboutsError> {
    Whereabouts::check(peer, said.sequence, said.addresses, said.signature)
}

/// One that is not connected is told when it connects.
fn tell(channel: &mut Channel, to: &PeerId, said: &Whereabouts) {
    let _ = channel.send(Destination::Peer(to.clone()), &said.told().encode());
}
