//! The node's own card: renewed when its configuration differs from it.

use roastery_frost::SigningKey;
use roastery_libp2p::{TransportKey, WhereaboutsError};
use roastery_protocol::{
    group::{Member, NamedMember, PeerId},
    keys::{HostKey, IdentityKey},
};
use roastery_store::{Store, StoreError};
use thiserror::Error;

use crate::{
    config::Config,
    files::{Access, Folder, FolderError, MAX_CARD, NodeCard, read_secret},
};

/// The greatest integer in TOML.
const MAX_SEQUENCE: u64 = i64::MAX as u64;

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

/// The keys of a node, and its member entry in the store.
#[derive(Debug)]
pub struct OwnKeys<'a> {
    /// The identity key.
    pub identity: &'a IdentityKey,
    /// The transport key.
    pub transport: &'a TransportKey,
    /// The node's entry in the roster, if it is a member of a group or of a key generation.
    pub known: Option<Member>,
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

/// The roster entry of this node that is in the store: the host key has signed it.
///
/// # Errors
///
/// An error of the store.
pub fn known_member(store: &Store, peer: &PeerId) -> Result<Option<Member>, StoreError> {
    let groups = store.groups()?.into_iter().flat_map(|kept| kept.group.members().to_vec());
    let under_way = store.keygens()?;
    let under_way = under_way.iter().flat_map(|kept| kept.invitation.members().to_vec());
    Ok(groups.chain(under_way).find(|member| member.peer == *peer))
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
    let OwnKeys { identity, transport, known: stored } = own;
    let read = read(folder);
    let member = match (&read, stored) {
        (Ok(card), _) => card.member().clone(),
        (Err(_), Some(member)) => member.clone(),
        (Err(reason), None) => bind(folder, config, identity, transport, reason.clone())?,
    };
    if member.peer != transport.peer() || member.identity_key != identity.public_key() {
        return Err(OwnCardError::OtherNode(folder.card().display().to_string()));
    }
    if let Some(card) = read.as_ref().ok().filter(|card| says(card, config)) {
        return Ok(OwnCard::Unchanged(card.clone()));
    }
    let after = read.as_ref().map_or(0, |card| card.whereabouts().sequence().saturating_add(1));
    let whereabouts =
        transport.whereabouts(now_ms.max(after).min(MAX_SEQUENCE), &config.transport.announce)?;
    let card = NamedMember { name: config.name.clone(), member };
    let card = NodeCard::sign(card, whereabouts, identity, transport);
    Folder::replace(&folder.card(), card.to_text().as_bytes(), Access::Everyone)?;
    Ok(match read {
        Ok(_) => OwnCard::Renewed(card),
        Err(reason) => OwnCard::Rebuilt { card, reason },
    })
}

fn read(folder: &Folder) -> Result<NodeCard, String> {
    let text = Folder::read_text(&folder.card(), MAX_CARD).map_err(|error| error.to_string())?;
    NodeCard::parse(&text).map_err(|error| error.to_string())
}

fn says(card: &NodeCard, config: &Config) -> bool {
    let announced = config.transport.announce.iter().map(ToString::to_string);
    *card.name() == config.name && announced.eq(card.whereabouts().addresses().iter().cloned())
}

/// The roster entry, signed again. The host key's signature of the same entry is the same each
/// time.
fn bind(
    folder: &Folder,
    config: &Config,
    identity: &IdentityKey,
    transport: &TransportKey,
    reason: String,
) -> Result<Member, OwnCardError> {
    let host = read_secret(&folder.resolve(&config.host_key))
        .map_err(|error| error.to_string())
        .and_then(|bytes| SigningKey::from_bytes(bytes).map_err(|error| error.to_string()));
    let host = host.map_err(|host_key| OwnCardError::NoCard { reason, host_key })?;
    let (host, sequence) = (HostKey::new(host), 0);
    let (identity_key, peer) = (identity.public_key(), transport.peer());
    let binding = host.bind(&identity_key, &peer, sequence);
    Ok(Member { host_key: host.public_key(), identity_key, peer, sequence, binding })
}
