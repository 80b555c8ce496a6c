//! Host keys that were drawn for a pairing: each serves one key generation.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Point, SigningKey};
use roastery_protocol::KeygenId;

use super::{
    ContentError, Durability, Entry, Store, StoreError, Transaction,
    host_keys::HostKeyRecord,
    table::{Record, Table},
};

/// For which pairing a host key was drawn, and which key generation it belongs to.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct PairingHostKey {
    /// The public key, compressed.
    host: [u8; 33],
    /// The pairing's id at this node.
    pairing: [u8; 8],
    /// No other one, ever.
    keygen: Option<KeygenId>,
}

impl Record for PairingHostKey {
    const TABLE: Table = Table::PairingHostKeys;
}

impl Store {
    /// Keeps a host key that was drawn for a pairing, sealed under a key of its own, which can be
    /// erased. It is on the disk when this returns: a card with it may leave.
    ///
    /// # Errors
    ///
    /// [`ContentError::AlreadyThere`] if the key is there, or the pairing has one.
    pub fn keep_pairing_host_key(
        &self,
        key: &SigningKey,
        pairing: [u8; 8],
    ) -> Result<(), StoreError> {
        if self.pairing_host_key(pairing)?.is_some() {
            return Err(ContentError::AlreadyThere(Entry::HostKey).into());
        }
        let host = key.plain_public_key().serialize();
        self.write_host_key(key, |transaction| {
            transaction.put(&host, &PairingHostKey { host, pairing, keygen: None })
        })
    }

    /// The public host key that was drawn for a pairing.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if a record was altered.
    pub fn pairing_host_key(&self, pairing: [u8; 8]) -> Result<Option<Point>, StoreError> {
        let of = |record: PairingHostKey| {
            Ok((record.pairing == pairing).then(|| Point::from_slice(&record.host).ok()).flatten())
        };
        Ok(self.vault.snapshot()?.collect(of)?.pop())
    }

    /// Whether this host key was drawn for a pairing: no card but the pairing's may have it.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if its record was altered.
    pub fn is_pairing_host_key(&self, host: &Point) -> Result<bool, StoreError> {
        let record: Option<PairingHostKey> = self.vault.snapshot()?.get(&host.serialize())?;
        Ok(record.is_some())
    }

    /// Binds a host key that was drawn for a pairing to the key generation that the pairing has
    /// come to. Nothing happens if it was not drawn for one.
    ///
    /// # Errors
    ///
    /// [`ContentError::HostKeyOfOther`] if it belongs to another key generation.
    pub fn bind_pairing_host_key(&self, host: &Point, keygen: KeygenId) -> Result<(), StoreError> {
        let host = host.serialize();
        self.write(Durability::Synced, |transaction| {
            match transaction.get::<PairingHostKey>(&host)? {
                Some(PairingHostKey { keygen: Some(other), .. }) if other != keygen => {
                    Err(ContentError::HostKeyOfOther { keygen: other }.into())
                }
                Some(record) => {
                    transaction.put(&host, &PairingHostKey { keygen: Some(keygen), ..record })
                }
                None => Ok(()),
            }
        })
    }

    /// The host key of a seat of this key generation, if it was drawn for the pairing that has come
    /// to it, and is not erased.
    ///
    /// # Errors
    ///
    /// [`ContentError::HostKeyOfOther`] if it belongs to another key generation; those of
    /// [`Store::host_key`].
    pub fn host_key_of_keygen(
        &self,
        host: &Point,
        keygen: KeygenId,
    ) -> Result<Option<SigningKey>, StoreError> {
        let record: Option<PairingHostKey> = self.vault.snapshot()?.get(&host.serialize())?;
        match record.and_then(|record| record.keygen) {
            Some(own) if own == keygen => self.host_key(host),
            Some(other) => Err(ContentError::HostKeyOfOther { keygen: other }.into()),
            None => Ok(None),
        }
    }

    /// Erases the host key that was drawn for a pairing which has made nothing. One that belongs to
    /// a key generation stays: it gives a share.
    ///
    /// # Errors
    ///
    /// An error of the disk; then it may be called again.
    pub fn forget_pairing_host_key(&self, pairing: [u8; 8]) -> Result<(), StoreError> {
        let unused = |record: PairingHostKey| {
            Ok((record.pairing == pairing && record.keygen.is_none()).then_some(record.host))
        };
        let unused = self.vault.snapshot()?.collect(unused)?;
        if unused.is_empty() {
            return Ok(());
        }
        self.write(Durability::Synced, |transaction| {
            for host in &unused {
                let record: Option<PairingHostKey> = transaction.get(host)?;
                // It may have been bound meanwhile.
                if record.is_none_or(|record| record.keygen.is_some()) {
                    continue;
                }
                let row = transaction.cipher().row(Table::PairingHostKeys, host);
                transaction.remove_row(Table::PairingHostKeys, row.to_vec());
                if let Some(key) = transaction.get::<HostKeyRecord>(host)? {
                    transaction.erase_host_key(&key)?;
                }
            }
            Ok(())
        })?;
        self.finish_erasing()
    }
}

impl Transaction<'_> {
    /// Keeps that a host key belongs to a key generation, of a pairing that this store has not
    /// seen: no card has it.
    pub(super) fn keep_pairing_of(
        &mut self,
        host: &Point,
        keygen: KeygenId,
    ) -> Result<(), StoreError> {
        let (host, pairing) = (host.serialize(), [0; 8]);
        self.put(&host, &PairingHostKey { host, pairing, keygen: Some(keygen) })
    }
}
