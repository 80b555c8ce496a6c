//! The content of a store, its encryption, and the detection of damage.

mod content;
mod copies;
mod damage;
mod fixture;
mod killed;
mod listing;
mod passphrases;
mod scale;
mod support;

use roastery_node::store::Store;

use crate::store::{
    fixture::Folder,
    support::{cheap, passphrase},
};

/// A store in the file `store` of the folder.
fn new_store(folder: &Folder) -> Store {
    Store::create(folder.file("store"), &passphrase(), cheap()).unwrap()
}
