//! The node's own card: made anew when its configuration says something else than the card.

use roastery_frost::SigningKey;
use roastery_node::bus::p2p::{TransportKey, WhereaboutsError};
use roastery_protocol::{
    group::{Member, NamedMember},
    keys::{HostKey, IdentityKey},
};
use thiserror::Error;

use crate::{
    config::Config,
    files::{Access, Folder, FolderError, MAX_CARD, NodeCard, read_secret},
};

/// The greatest number that TOML has.
const MAX_SEQUENCE: u64 = i64::MAX as u64;

/// Why a node's card cannot be made anew.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OwnCardError {
    /// The card that is there cannot be read, and without the host key its signature cannot be made
    /// again.
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
    /// The card that is there belongs to other keys than those in the store.
    #[error("the card in this folder is that of another node: {0}")]
    OtherNode(String),
    /// There are too many addresses.
    #[error(transparent)]
    Whereabouts(#[from] WhereaboutsError),
    /// It cannot be written.
    #[error(transparent)]
    File(#[from] FolderError),
}

/// What became of a node's card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnCard {
    /// It says what the configuration says.
    Unchanged(NodeCard),
    /// It was made anew, and written into the folder.
    Renewed(NodeCard),
}

impl OwnCard {
    /// The card.
    pub fn card(&self) -> &NodeCard {
        let (Self::Unchanged(card) | Self::Renewed(card)) = self;
        card
    }
}

/// The card in the folder, if it can be read and says what the configuration says.
pub fn current(folder: &Folder, config: &Config) -> Option<NodeCard> {
    read(folder).ok().filter(|card| says(card, config))
}

/// Makes the card anew from the configuration and the node's keys, if it says something else.
/// `now_ms` is the time in milliseconds since 1970.
///
/// # Errors
///
/// [`OwnCardError`]. The card that was there is there still.
pub fn renew(
    folder: &Folder,
    config: &Config,
    identity: &IdentityKey,
    transport: &TransportKey,
    now_ms: u64,
) -> Result<OwnCard, OwnCardError> {
    let (member, known) = match read(folder) {
        Ok(card) => (card.member().clone(), Some(card)),
        Err(reason) => (bind(folder, config, identity, transport, reason)?, None),
    };
    if member.peer != transport.peer() || member.identity_key != identity.public_key() {
        return Err(OwnCardError::OtherNode(folder.card().display().to_string()));
    }
    if let Some(card) = known.as_ref().filter(|card| says(card, config)) {
        return Ok(OwnCard::Unchanged(card.clone()));
    }
    let after = known.map_or(0, |card| card.whereabouts().sequence().saturating_add(1));
    let whereabouts =
        transport.whereabouts(now_ms.max(after).min(MAX_SEQUENCE), &config.transport.announce)?;
    let card = NamedMember { name: config.name.clone(), member };
    let card = NodeCard::sign(card, whereabouts, identity, transport);
    Folder::replace(&folder.card(), card.to_text().as_bytes(), Access::Everyone)?;
    Ok(OwnCard::Renewed(card))
}

fn read(folder: &Folder) -> Result<NodeCard, String> {
    let text = Folder::read_text(&folder.card(), MAX_CARD).map_err(|error| error.to_string())?;
    NodeCard::parse(&text).map_err(|error| error.to_string())
}

fn says(card: &NodeCard, config: &Config) -> bool {
    let announced = config.transport.announce.iter().map(ToString::to_string);
    *card.name() == config.name && announced.eq(card.whereabouts().addresses().iter().cloned())
}

/// The line of the roster, signed again. The host key signs the same line with the same bytes each
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
