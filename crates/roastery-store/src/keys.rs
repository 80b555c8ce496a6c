use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::SigningKey;
use zeroize::Zeroizing;

use super::{
    ContentError, Durability, Entry, Part, Store, StoreError, Transaction,
    secret::Secret,
    table::{Record, Table},
};

/// The keys that a node runs with. The host keys are not among them: after key generation they are
/// kept offline.
#[derive(Debug)]
pub struct NodeKeys {
    /// The identity keys, which sign messages: one for each seat that the node can hold in a group,
    /// at least one.
    pub identities: Vec<SigningKey>,
    /// The secret of the transport key.
    pub transport: TransportSecret,
}

/// The 32 secret bytes of a transport key (Ed25519). Overwritten on drop; its `Debug` shows
/// nothing.
pub struct TransportSecret(Zeroizing<[u8; 32]>);

impl TransportSecret {
    /// Takes the bytes as they are.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the transport and for nothing else.
    pub fn expose_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }
}

impl std::fmt::Debug for TransportSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TransportSecret(..)")
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct KeysRecord {
    identities: Vec<Secret>,
    transport: Secret,
}

impl Record for KeysRecord {
    const TABLE: Table = Table::Keys;
}

/// The table has one row.
const ROW: &[u8] = b"";

impl KeysRecord {
    pub(super) fn read(self) -> Result<NodeKeys, StoreError> {
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let mut identities = Vec::with_capacity(self.identities.len());
        for identity in self.identities {
            identities.push(SigningKey::from_bytes(identity.0).map_err(|_| damaged())?);
        }
        if identities.is_empty() {
            return Err(damaged());
        }
        Ok(NodeKeys { identities, transport: TransportSecret(self.transport.0) })
    }
}

impl Store {
    /// Keeps the node's keys, once.
    ///
    /// # Errors
    ///
    /// [`ContentError::NoSeat`] without an identity key; [`ContentError::AlreadyThere`] if there
    /// are keys: keys that other members know are never overwritten.
    pub fn keep_keys(&self, keys: &NodeKeys) -> Result<(), StoreError> {
        if keys.identities.is_empty() {
            return Err(ContentError::NoSeat.into());
        }
        let identities = keys.identities.iter().map(|key| Secret(key.expose_bytes()));
        let record = KeysRecord {
            identities: identities.collect(),
            transport: Secret(keys.transport.expose_bytes()),
        };
        self.write(Durability::Synced, |transaction| {
            if transaction.get::<KeysRecord>(ROW)?.is_some() {
                return Err(ContentError::AlreadyThere(Entry::Keys).into());
            }
            transaction.put(ROW, &record)
        })
    }

    /// The node's keys, if it has any.
    pub fn keys(&self) -> Result<Option<NodeKeys>, StoreError> {
        self.vault.snapshot()?.get(ROW)?.map(KeysRecord::read).transpose()
    }
}

impl Transaction<'_> {
    /// Puts keys in place of those of a node that no other one knows.
    pub(super) fn replace_keys(
        &mut self,
        identity: &SigningKey,
        transport: &TransportSecret,
    ) -> Result<(), StoreError> {
        let identities = vec![Secret(identity.expose_bytes())];
        self.put(ROW, &KeysRecord { identities, transport: Secret(transport.expose_bytes()) })
    }
}
