//! The passkeys of people elsewhere, the challenges that they sign, and the one that is added.

mod act;
mod enrolment;
mod tickets;

use std::{
    sync::{PoisonError, RwLock},
    time::Instant,
};

use roastery_frost::hash::tagged_hash;
use roastery_protocol::group::PeerId;
use roastery_store::KeptPasskey;

pub use self::act::RemoteAct;
pub(in crate::service) use self::{
    enrolment::Added,
    tickets::{Purpose, Ticket},
};
use self::{enrolment::Enrolment, tickets::Tickets};
use crate::passkey::RelyingParty;

const FINGERPRINT: &str = "roastery/service/1/passkey";

/// What a node has for people elsewhere.
#[derive(Debug)]
pub(in crate::service) struct Remote {
    pub(in crate::service) party: RelyingParty,
    pub(in crate::service) tickets: Tickets,
    /// The passkeys that count. The store may have one more, whose removal the disk did not take.
    passkeys: RwLock<Vec<KeptPasskey>>,
    /// Held while one is added or removed.
    pub(in crate::service) changing: tokio::sync::Mutex<()>,
    /// Held while one approval is judged, counted and takes effect.
    pub(in crate::service) approving: tokio::sync::Mutex<()>,
    pub(in crate::service) enrolment: Enrolment,
}

impl Remote {
    pub(in crate::service) fn new(
        party: RelyingParty,
        node: &PeerId,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self {
            party,
            tickets: Tickets::new(node.as_bytes().to_vec())?,
            passkeys: RwLock::default(),
            changing: tokio::sync::Mutex::default(),
            approving: tokio::sync::Mutex::default(),
            enrolment: Enrolment::default(),
        })
    }

    pub(in crate::service) fn party(&self) -> &RelyingParty {
        &self.party
    }

    pub(in crate::service) fn all(&self) -> Vec<KeptPasskey> {
        self.passkeys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(in crate::service) fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<KeptPasskey>) -> T,
    ) -> T {
        change(&mut self.passkeys.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(in crate::service) fn named(&self, name: &str) -> Option<KeptPasskey> {
        self.all().into_iter().find(|passkey| passkey.name == name)
    }

    pub(in crate::service) fn with_credential(&self, credential: &[u8]) -> Option<KeptPasskey> {
        self.all().into_iter().find(|passkey| passkey.credential == credential)
    }
}

/// By which two people compare a passkey: 16 digits of a hash of its credential and its key.
pub fn fingerprint(passkey: &KeptPasskey) -> String {
    let key = borsh_of(passkey);
    let hash = tagged_hash(FINGERPRINT, &[&passkey.credential, &key]);
    let digits: Vec<String> =
        hash[..8].chunks(2).map(|two| format!("{:02x}{:02x}", two[0], two[1])).collect();
    digits.join(" ")
}

/// The key with its kind in front.
fn borsh_of(passkey: &KeptPasskey) -> Vec<u8> {
    use roastery_store::PasskeyKey::{Ed25519, P256};
    match &passkey.key {
        P256(point) => [&[0], &point[..]].concat(),
        Ed25519(key) => [&[1], &key[..]].concat(),
    }
}

/// The time by which tickets and enrolments end.
pub(in crate::service) fn at() -> Instant {
    Instant::now()
}
