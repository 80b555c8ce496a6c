//! The content of a store, its encryption, the detection of damage, and machines that stop, on
//! simulated disks.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod acts;
mod audit;
mod content;
mod copies;
mod damage;
mod deferred;
mod disk;
mod epochs;
mod fixture;
mod killed;
mod kits;
mod lineages;
mod listing;
mod outbox;
mod pairing_host_keys;
mod passphrases;
mod plans;
mod requests;
mod scale;
mod stopping;
mod support;

use roastery_store::Store;

use crate::{
    fixture::Folder,
    support::{cheap, passphrase},
};

/// A store in the file `store` of the folder.
fn new_store(folder: &Folder) -> Store {
    Store::create(folder.file("store"), &passphrase(), cheap()).unwrap()
}
