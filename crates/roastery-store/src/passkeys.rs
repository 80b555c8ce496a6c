//! The passkeys with which people decide from elsewhere, and what was approved with them.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::SessionId;

use super::{
    ContentError, Store, StoreError, Transaction,
    table::{Record, Table},
};

/// The most passkeys that are kept.
pub const MAX_PASSKEYS: usize = 16;

/// The longest id of a credential, in bytes (WebAuthn).
pub const MAX_CREDENTIAL: usize = 1023;

/// The most approvals from elsewhere that are kept at once.
pub const MAX_REMOTE_APPROVALS: usize = 1024;

/// The longest part of an assertion that is kept, in bytes.
pub const MAX_ASSERTION_PART: usize = 2048;

/// The table has one row.
const ROW: &[u8] = b"";

/// The public key of a passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PasskeyKey {
    /// ECDSA over P-256 with SHA-256 (ES256): the point, uncompressed.
    P256([u8; 65]),
    /// Ed25519.
    Ed25519([u8; 32]),
}

/// A passkey, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeptPasskey {
    /// Its name, which no other passkey has.
    pub name: String,
    /// The id of its credential, in at most [`MAX_CREDENTIAL`] bytes; no other passkey has it.
    pub credential: Vec<u8>,
    /// Its public key.
    pub key: PasskeyKey,
    /// Whether it may decide; otherwise it may only read.
    pub acts: bool,
    /// Its counter of signatures when it was used last; 0 if it counts none.
    pub count: u32,
    /// When it was added, in seconds since 1970.
    pub made: u64,
}

/// A request that was approved from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RemoteApproval {
    /// The x-only key of the group.
    pub key: [u8; 32],
    /// The session under which limits count it.
    pub session: SessionId,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The amount that leaves, in satoshi.
    pub satoshi: u64,
}

/// What a passkey has signed: with the key and the node's name it can be verified again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeptAssertion {
    /// The id of the credential.
    pub credential: Vec<u8>,
    /// The ticket, whose hash is the challenge.
    pub ticket: Vec<u8>,
    /// What the browser says it has asked for (clientDataJSON).
    pub client_data: Vec<u8>,
    /// What the authenticator says of itself (authenticatorData).
    pub authenticator_data: Vec<u8>,
    /// The signature of both.
    pub signature: Vec<u8>,
}

impl KeptAssertion {
    pub(super) fn parts(&self) -> [&[u8]; 5] {
        let Self { credential, ticket, client_data, authenticator_data, signature } = self;
        [credential, ticket, client_data, authenticator_data, signature]
    }
}

#[derive(Default, BorshSerialize, BorshDeserialize)]
pub(super) struct PasskeysRecord {
    passkeys: Vec<KeptPasskey>,
    approvals: Vec<RemoteApproval>,
}

impl Record for PasskeysRecord {
    const TABLE: Table = Table::Passkeys;
}

impl Store {
    /// The passkeys, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if they were altered.
    pub fn passkeys(&self) -> Result<Vec<KeptPasskey>, StoreError> {
        let kept: Option<PasskeysRecord> = self.vault.snapshot()?.get(ROW)?;
        Ok(kept.unwrap_or_default().passkeys)
    }
}

impl Transaction<'_> {
    /// Keeps a new passkey; `false` if there is one with its name or its credential. Must be
    /// synced.
    ///
    /// # Errors
    ///
    /// [`ContentError::Count`] if there are [`MAX_PASSKEYS`] already, [`ContentError::TextTooLong`]
    /// if the id of its credential is too long.
    pub fn keep_passkey(&mut self, passkey: &KeptPasskey) -> Result<bool, StoreError> {
        let mut record = self.passkeys_record()?;
        let is_like = |other: &KeptPasskey| {
            other.name == passkey.name || other.credential == passkey.credential
        };
        if record.passkeys.iter().any(is_like) {
            return Ok(false);
        }
        let length = passkey.credential.len();
        if length > MAX_CREDENTIAL {
            return Err(ContentError::TextTooLong { length, most: MAX_CREDENTIAL }.into());
        }
        record.passkeys.push(passkey.clone());
        if record.passkeys.len() > MAX_PASSKEYS {
            return Err(ContentError::Count { count: record.passkeys.len() }.into());
        }
        self.put(ROW, &record)?;
        Ok(true)
    }

    /// Removes the passkey of this name; `false` if there is none. Must be synced.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if they were altered.
    pub fn remove_passkey(&mut self, name: &str) -> Result<bool, StoreError> {
        let mut record = self.passkeys_record()?;
        let before = record.passkeys.len();
        record.passkeys.retain(|passkey| passkey.name != name);
        let removed = record.passkeys.len() < before;
        if removed {
            self.put(ROW, &record)?;
        }
        Ok(removed)
    }

    /// The passkey with this credential.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if they were altered.
    pub fn passkey(&mut self, credential: &[u8]) -> Result<Option<KeptPasskey>, StoreError> {
        let all = self.passkeys_record()?.passkeys;
        Ok(all.into_iter().find(|passkey| passkey.credential == credential))
    }

    /// Notes the counter of a passkey that was used.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if they were altered.
    pub fn count_passkey(&mut self, credential: &[u8], count: u32) -> Result<(), StoreError> {
        let mut record = self.passkeys_record()?;
        for passkey in &mut record.passkeys {
            if passkey.credential == credential {
                passkey.count = count;
            }
        }
        self.put(ROW, &record)
    }

    /// What was approved from elsewhere.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if they were altered.
    pub fn remote_approvals(&mut self) -> Result<Vec<RemoteApproval>, StoreError> {
        Ok(self.passkeys_record()?.approvals)
    }

    /// Keeps these approvals from elsewhere, instead of those that were kept.
    ///
    /// # Errors
    ///
    /// [`ContentError::Count`] if they are more than [`MAX_REMOTE_APPROVALS`].
    pub fn keep_remote_approvals(
        &mut self,
        approvals: Vec<RemoteApproval>,
    ) -> Result<(), StoreError> {
        if approvals.len() > MAX_REMOTE_APPROVALS {
            return Err(ContentError::Count { count: approvals.len() }.into());
        }
        let record = PasskeysRecord { approvals, ..self.passkeys_record()? };
        self.put(ROW, &record)
    }

    fn passkeys_record(&mut self) -> Result<PasskeysRecord, StoreError> {
        Ok(self.get(ROW)?.unwrap_or_default())
    }
}
