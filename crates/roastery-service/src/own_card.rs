//! The node's own card: renewed when its configuration differs from it.

use std::sync::Arc;

use roastery_libp2p::{MAX_SEQUENCE, TransportKey, WhereaboutsError};
use roastery_protocol::{
    group::{Member, PeerId},
    keys::{HostKey, IdentityKey},
};
use roastery_store::{Store, StoreError};
use thiserror::Error;

use crate::{
    config::Config,
    files::{
        Access, Folder, FolderError, MAX_CARD, MAX_CARD_SEATS, NodeCard, read_secrets, signing_keys,
    },
};

/// Why a node's card cannot be renewed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OwnCardError {
    /// The card in the folder cannot be read, the store has no group of this node, and without the
    /// host key its signature cannot be made again.
    #[error(
        "the card cannot be read ({reason}), and the host key, whose signature it needs, is not there \
         ({host_key}): put either back"
    )]
    NoCard {
        /// What is wrong with the card.
        reason: String,
        /// What is wrong with the host key.
        host_key: String,
    },
    /// The card in the folder belongs to other keys than those in the store.
    #[error("the card in this folder is that of another node: {0}")]
    OtherNode(String),
    /// There are too many addresses.
    #[error(transparent)]
    Whereabouts(#[from] WhereaboutsError),
    /// It cannot be written.
    #[error(transparent)]
    File(#[from] FolderError),
}

/// The state of a node's card.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnCard {
    /// It agrees with the configuration.
    Unchanged(NodeCard),
    /// It was renewed, and written into the folder.
    Renewed(NodeCard),
    /// It could not be read, and was rebuilt.
    Rebuilt {
        /// The new card.
        card: NodeCard,
        /// What was wrong with the old one.
        reason: String,
    },
}

/// The keys of a node, and its entries in the rosters of the store.
#[derive(Debug)]
pub struct OwnKeys<'a> {
    /// The identity keys, one for each seat.
    pub identities: &'a [Arc<IdentityKey>],
    /// The transport key.
    pub transport: &'a TransportKey,
    /// The node's entries in the rosters of its groups and key generations.
    pub known: Vec<Member>,
}

impl OwnCard {
    /// The card.
    pub fn card(&self) -> &NodeCard {
        let (Self::Unchanged(card) | Self::Renewed(card) | Self::Rebuilt { card, .. }) = self;
        card
    }
}

/// The card in the folder, if it can be read and agrees with the configuration.
pub fn current(folder: &Folder, config: &Config) -> Option<NodeCard> {
    read(folder).ok().filter(|card| says(card, config))
}

/// The roster entries of this node that are in the store: the host keys have signed them. Those of
/// pairings are left out: such a host key serves one group, and no card has it.
///
/// # Errors
///
/// An error of the store.
pub fn known_members(store: &Store, peer: &PeerId) -> Result<Vec<Member>, StoreError> {
    let groups = store.known_groups()?.into_iter().flat_map(|known| known.group.members().to_vec());
    let under_way = store.keygens()?;
    let under_way = under_way.iter().flat_map(|kept| kept.invitation.members().to_vec());
    let mut known = Vec::new();
    for member in groups.chain(under_way).filter(|member| member.peer == *peer) {
        if !store.is_pairing_host_key(&member.host_key)? {
            known.push(member);
        }
    }
    Ok(known)
}

/// The identity keys of a node, and after them those of the further seats that it may get in a
/// change, up to as many as a card has. They follow from the first one.
pub(crate) fn with_further(mut identities: Vec<Arc<IdentityKey>>) -> Vec<Arc<IdentityKey>> {
    let first = identities.first().cloned();
    let numbers = identities.len()..MAX_CARD_SEATS;
    let further = numbers.filter_map(|number| first.as_ref()?.further(u16::try_from(number).ok()?));
    identities.extend(further.map(Arc::new).collect::<Vec<_>>());
    identities
}

/// Renews the card from the configuration and the node's keys, if it differs from them or cannot be
/// read. `now_ms` is the time in milliseconds since 1970.
///
/// # Errors
///
/// [`OwnCardError`]. Then the card in the folder has not changed.
pub fn renew(
    folder: &Folder,
    config: &Config,
    own: &OwnKeys<'_>,
    now_ms: u64,
) -> Result<OwnCard, OwnCardError> {
    let OwnKeys { identities, transport, known: stored } = own;
    let read = read(folder);
    let members = match (&read, known(identities, stored)) {
        (Ok(card), _) => card.members().cloned().collect(),
        (Err(_), Some(members)) => members,
        (Err(reason), None) => bind(folder, config, identities, transport, reason.clone())?,
    };
    let other_node = || OwnCardError::OtherNode(folder.card().display().to_string());
    let mut seats = Vec::with_capacity(members.len());
    for member in members {
        let identity = identities.iter().find(|key| key.public_key() == member.identity_key);
        let identity =
            identity.filter(|_| member.peer == transport.peer()).ok_or_else(other_node)?;
        seats.push((member, &**identity));
    }
    if seats.len() != identities.len() {
        return Err(other_node());
    }
    if let Some(card) = read.as_ref().ok().filter(|card| says(card, config)) {
        return Ok(OwnCard::Unchanged(card.clone()));
    }
    let after = read.as_ref().map_or(0, |card| card.whereabouts().sequence().saturating_add(1));
    let whereabouts =
        transport.whereabouts(now_ms.max(after).min(MAX_SEQUENCE), &config.transport.announce)?;
    let card = NodeCard::sign(config.name.clone(), seats, whereabouts, transport);
    Folder::replace(&folder.card(), card.to_text().as_bytes(), Access::Everyone)?;
    Ok(match read {
        Ok(_) => OwnCard::Renewed(card),
        Err(reason) => OwnCard::Rebuilt { card, reason },
    })
}

fn read(folder: &Folder) -> Result<NodeCard, String> {
    let text =
        Folder::read_own_text(&folder.card(), MAX_CARD).map_err(|error| error.to_string())?;
    NodeCard::parse(&text).map_err(|error| error.to_string())
}

fn says(card: &NodeCard, config: &Config) -> bool {
    let announced = config.transport.announce.iter().map(ToString::to_string);
    *card.name() == config.name && announced.eq(card.whereabouts().addresses().iter().cloned())
}

/// The stored roster entry of each identity key, if all have one.
fn known(identities: &[Arc<IdentityKey>], stored: &[Member]) -> Option<Vec<Member>> {
    let of = |identity: &Arc<IdentityKey>| {
        stored.iter().find(|member| member.identity_key == identity.public_key()).cloned()
    };
    identities.iter().map(of).collect()
}

/// The roster entries, signed again. A host key's signature of the same entry is the same each
/// time.
fn bind(
    folder: &Folder,
    config: &Config,
    identities: &[Arc<IdentityKey>],
    transport: &TransportKey,
    reason: String,
) -> Result<Vec<Member>, OwnCardError> {
    let hosts = read_secrets(&folder.resolve(&config.host_key))
        .map_err(|error| error.to_string())
        .and_then(|keys| signing_keys(keys).map_err(|error| error.to_string()))
        .and_then(|keys| match keys.len() == identities.len() {
            true => Ok(keys),
            false => Err(format!("{} host keys for {} seats", keys.len(), identities.len())),
        });
    let hosts = hosts.map_err(|host_key| OwnCardError::NoCard { reason, host_key })?;
    let members = hosts
        .into_iter()
        .zip(identities)
        .map(|(host, identity)| member(&HostKey::new(host), identity, transport.peer()));
    Ok(members.collect())
}

/// The first roster entry of a seat's keys, signed by its host key.
pub(crate) fn member(host: &HostKey, identity: &IdentityKey, peer: PeerId) -> Member {
    let (identity_key, sequence) = (identity.public_key(), 0);
    let binding = host.bind(&identity_key, &peer, sequence);
    Member { host_key: host.public_key(), identity_key, peer, sequence, binding }
}
