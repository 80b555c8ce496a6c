//! What this node brings to its pairings.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use getrandom::SysRng;
use roastery_frost::SigningKey;
use roastery_libp2p::{PeerKeys, TransportKey};
use roastery_protocol::{
    clock::Moment,
    group::{Member, Name, NamedMember},
    keys::{HostKey, IdentityKey},
    pairing::{Card, Own, Whereabouts},
};

use roastery_store::{Store, StoreError};

use crate::{
    own_card,
    service::{Service, ServiceError, now_ms},
};

/// The host key of a pairing; or of a pairing whose group is made and whose host key has left the
/// store, the entry that it has signed.
enum Found {
    Key(SigningKey),
    Member(Member),
}

/// Both clocks, as the machines of pairings see them.
pub(in crate::service) fn moment() -> Moment {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    Moment { monotonic: BEGIN.elapsed(), wall: Duration::from_millis(now_ms()) }
}

impl Service {
    /// The node's keys and addresses, for one pairing, whose host key is in the store when this
    /// returns: drawn for it, or drawn before a restart.
    pub(super) async fn own(&self, pairing: [u8; 8]) -> Result<Own, ServiceError> {
        let identity = self.identities.first().filter(|_| self.seats == 1);
        let Some(identity) = identity else {
            let reason = "this node holds several seats in a group: it joins groups by invitation files (roastery group new)";
            return Err(ServiceError::NotReady(reason.into()));
        };
        let card = own_card::current(&self.shared.folder, &self.config).ok_or_else(|| {
            let reason = "the node's card cannot be read, or differs from its configuration: start the node again";
            ServiceError::NotReady(reason.into())
        })?;
        let member = self.member_for(pairing, identity).await?;
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

    /// The roster entry of this node in a pairing, signed by the pairing's own host key.
    async fn member_for(
        &self,
        pairing: [u8; 8],
        identity: &IdentityKey,
    ) -> Result<Member, ServiceError> {
        let draw = move |store: &Store| {
            if store.pairing_host_key(pairing)?.is_none() {
                let Ok(key) = SigningKey::generate(&mut SysRng) else {
                    return Err(StoreError::Randomness);
                };
                store.keep_pairing_host_key(&key, pairing)?;
            }
            let Some(host) = store.pairing_host_key(pairing)? else { return Ok(None) };
            // As the store has it: what was written can be read.
            if let Some(key) = store.host_key(&host)? {
                return Ok(Some(Found::Key(key)));
            }
            let groups = store.known_groups()?;
            let mut members = groups.iter().flat_map(|known| known.group.members());
            Ok(members.find(|member| member.host_key == host).cloned().map(Found::Member))
        };
        match self.shared.store(draw).await? {
            Some(Found::Key(key)) => {
                Ok(own_card::member(&HostKey::new(key), identity, self.peer.clone()))
            }
            Some(Found::Member(member)) => Ok(member),
            None => Err(ServiceError::Internal(
                "the host key of the pairing is not in the store".into(),
            )),
        }
    }

    /// Erases the host key of a pairing that has made nothing.
    pub(super) async fn forget_host_key_of(&self, pairing: [u8; 8]) {
        let forgotten =
            self.shared.store(move |store| store.forget_pairing_host_key(pairing)).await;
        if let Err(error) = forgotten {
            tracing::error!(%error, "the host key of a pairing that has ended is not erased yet");
        }
    }
}

fn sign(transport: &TransportKey, identity: &IdentityKey, name: &Name, member: &Member) -> Card {
    let named = NamedMember { name: name.clone(), member: member.clone() };
    let identity_signature = identity.sign_card(&named);
    let transport_signature = transport.sign_card(&named);
    Card { named, identity_signature, transport_signature }
}
