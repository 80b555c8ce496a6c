//! Creates a new node: its keys, its folder, its card.

use std::path::PathBuf;

use getrandom::SysRng;
use roastery_frost::SigningKey;
use roastery_libp2p::{DialAddress, ListenAddress, TransportKey, WhereaboutsError};
use roastery_protocol::{
    group::Name,
    keys::{HostKey, IdentityKey},
};
use roastery_store::{NodeKeys, Passphrase, PassphraseCost, Store, StoreError, TransportSecret};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    config::{Config, ConfigError, HOST_KEY, default_file},
    files::{self, Access, Folder, FolderError, MAX_CARD_SEATS, NodeCard, Staging, write_secrets},
    own_card,
    service::now_ms,
};

/// The settings of a new node.
#[derive(Debug)]
pub struct NewNode {
    /// The node's name.
    pub name: Name,
    /// How many seats it holds in each group, 1 to [`MAX_CARD_SEATS`].
    pub seats: usize,
    /// The addresses at which it listens.
    pub listen: Vec<ListenAddress>,
    /// The addresses at which the others dial it.
    pub announce: Vec<DialAddress>,
    /// The passphrase of its store.
    pub passphrase: Passphrase,
    /// The cost of each trial of a passphrase.
    pub cost: PassphraseCost,
    /// Further lines, appended to its configuration.
    pub more_config: String,
}

/// Why no node was created.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is a node in the folder already.
    #[error("there is a node here already: {}; name another folder, or move this one away", .0.display())]
    Exists(PathBuf),
    /// The name or an address is not allowed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The number of seats is not allowed.
    #[error("{count} seats; a node holds 1 to {MAX_CARD_SEATS} in a group")]
    Seats {
        /// The number of seats.
        count: usize,
    },
    /// There are too many addresses.
    #[error(transparent)]
    Addresses(#[from] WhereaboutsError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FolderError),
    /// The store cannot be created.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness,
}

/// Moves the files of a new node to their places, if a crash came after all of them were made. Must
/// be called before a folder's configuration is read.
///
/// # Errors
///
/// [`FolderError::Io`].
pub fn finish(folder: &Folder) -> Result<(), FolderError> {
    let finished = files::finish(folder.path());
    let failed = |source| FolderError::Io { path: folder.path().to_owned(), source };
    finished.map(drop).map_err(failed)
}

/// Makes a node's keys and its folder: a host key and an identity key for each seat. The host keys
/// go into a file of their own, which can be moved offline once the node's groups are made. Returns
/// the card for the others.
///
/// # Errors
///
/// [`InitError`]. Then there is no file of the node, and no file that was there is overwritten.
pub fn init(folder: &Folder, new: NewNode) -> Result<NodeCard, InitError> {
    let mut config = default_file(&new.name, &new.listen, &new.announce);
    config.push_str(&new.more_config);
    Config::parse(&config, |_| None)?;
    finish(folder)?;
    for path in [folder.config(), folder.store(), folder.card(), folder.resolve(HOST_KEY)] {
        match Folder::check_new(&path) {
            Ok(()) => {}
            Err(FolderError::Exists { path }) => return Err(InitError::Exists(path)),
            Err(error) => return Err(error.into()),
        }
    }
    if !(1..=MAX_CARD_SEATS).contains(&new.seats) {
        return Err(InitError::Seats { count: new.seats });
    }
    let (hosts, identities) = (draw(new.seats)?, draw(new.seats)?);
    let mut transport = Zeroizing::new([0; 32]);
    getrandom::fill(transport.as_mut()).map_err(|_| InitError::Randomness)?;
    let transport = TransportSecret::from_bytes(transport);
    let transport_key = TransportKey::from_secret(&mut transport.expose_bytes());
    let peer = transport_key.peer();

    folder.create()?;
    let staged = |source| FolderError::Io { path: folder.path().to_owned(), source };
    let staging = Staging::begin(folder.path()).map_err(staged)?;
    let secrets: Vec<_> = hosts.iter().map(SigningKey::expose_bytes).collect();
    write_secrets(&staging.path(HOST_KEY), &secrets)?;
    let name = |path: PathBuf| staging.path(path.file_name().unwrap_or_default());
    let store = Store::create(name(folder.store()), &new.passphrase, new.cost)?;
    let keys = NodeKeys { identities, transport };
    store.keep_keys(&keys)?;
    // Closed before it is moved.
    drop(store);
    let whereabouts = transport_key.whereabouts(now_ms(), &new.announce)?;
    let identities: Vec<_> = keys.identities.into_iter().map(IdentityKey::new).collect();
    let seats = hosts.into_iter().zip(&identities).map(|(host, identity)| {
        (own_card::member(&HostKey::new(host), identity, peer.clone()), identity)
    });
    let card = NodeCard::sign(new.name, seats, whereabouts, &transport_key);
    Folder::write_new(&name(folder.card()), card.to_text().as_bytes(), Access::Everyone)?;
    Folder::write_new(&name(folder.config()), config.as_bytes(), Access::Everyone)?;
    staging.commit().map_err(staged)?;
    Ok(card)
}

fn draw(count: usize) -> Result<Vec<SigningKey>, InitError> {
    // A list that grows leaves copies of keys behind.
    let mut keys = Vec::with_capacity(count);
    for _ in 0..count {
        keys.push(SigningKey::generate(&mut SysRng).map_err(|_| InitError::Randomness)?);
    }
    Ok(keys)
}
