//! What a store keeps, from whom, and what it notices.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod content;
mod copies;
mod damage;
mod fixture;
mod killed;
mod passphrases;

use roastery_frost::SigningKey;
use roastery_node::store::{NodeKeys, Passphrase, PassphraseCost, Store, TransportSecret};
use zeroize::Zeroizing;

use crate::fixture::{Folder, IDENTITY, TRANSPORT};

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse".to_owned())
}

fn cheap() -> PassphraseCost {
    PassphraseCost::new(8, 1, 1).unwrap()
}

/// A store in the file `store` of the folder.
fn new_store(folder: &Folder) -> Store {
    Store::create(folder.file("store"), &passphrase(), cheap()).unwrap()
}

fn keys() -> NodeKeys {
    let identity = SigningKey::from_bytes(Zeroizing::new(IDENTITY)).unwrap();
    NodeKeys { identity, transport: TransportSecret::from_bytes(Zeroizing::new(TRANSPORT)) }
}
