//! What this node brings to its pairings.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use roastery_libp2p::{PeerKeys, TransportKey};
use roastery_protocol::{
    clock::Moment,
    group::{Name, NamedMember},
    pairing::{Card, Own, Whereabouts},
};

use crate::{
    own_card,
    service::{Service, ServiceError, now_ms},
};

/// Both clocks, as the machines of pairings see them.
pub(super) fn moment() -> Moment {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    Moment { monotonic: BEGIN.elapsed(), wall: Duration::from_millis(now_ms()) }
}

impl Service {
    /// The node's keys and addresses, for one pairing.
    pub(super) fn own(&self) -> Result<Own, ServiceError> {
        let identity = self.identities.first().filter(|_| self.seats == 1);
        let Some(identity) = identity else {
            let reason = "this node holds several seats in a group: it joins groups by invitation files (roastery group new)";
            return Err(ServiceError::NotReady(reason.into()));
        };
        let card = own_card::current(&self.shared.folder, &self.config).ok_or_else(|| {
            let reason = "the node's card cannot be read, or differs from its configuration: start the node again";
            ServiceError::NotReady(reason.into())
        })?;
        let member = card
            .members()
            .next()
            .cloned()
            .ok_or_else(|| ServiceError::NotReady("the node's card has no seat".into()))?;
        let (identity, transport) = (identity.clone(), self.pairings.key.clone());
        let said = card.whereabouts();
        let (sequence, addresses) = (said.sequence(), said.addresses().to_vec());
        let whereabouts = Whereabouts { sequence, addresses, signature: *said.signature() };
        Ok(Own {
            peer: self.peer.clone(),
            card: Box::new(move |name| sign(&transport, &identity, name, &member)),
            whereabouts,
            network: self.config.bitcoin.network.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            keys: Arc::new(PeerKeys),
            entropy: Box::new(|| {
                let mut random = [0; 32];
                getrandom::fill(&mut random).ok()?;
                Some(random)
            }),
        })
    }
}

fn sign(
    transport: &TransportKey,
    identity: &roastery_protocol::keys::IdentityKey,
    name: &Name,
    member: &roastery_protocol::group::Member,
) -> Card {
    let named = NamedMember { name: name.clone(), member: member.clone() };
    let identity_signature = identity.sign_card(&named);
    let transport_signature = transport.sign_card(&named);
    Card { named, identity_signature, transport_signature }
}
