use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::SecretShare;
use roastery_protocol::{
    KeygenId, Seat, TranscriptHash,
    keygen::{Invitation, RecoveryFile, Seed},
};

use super::{
    ContentError, Durability, Entry, Part, Store, StoreError, Transaction,
    groups::{self, GroupRecord},
    secret::Secret,
    table::{Record, Table},
};

/// A key generation under way: what is needed to open it, for the first time or again.
#[derive(Debug)]
pub struct KeptKeygen {
    /// The invitation that the members agreed on.
    pub invitation: Invitation,
    /// The seed of all randomness that this node uses in it.
    pub seed: Seed,
    /// The transcript that this node has signed, if it has signed one.
    pub signed: Option<TranscriptHash>,
}

/// The id of an ended key generation is kept, so that it is not begun again with another seed.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) enum KeygenRecord {
    UnderWay { invitation: Vec<u8>, seed: Secret, signed: Option<TranscriptHash> },
    Ended { keygen: KeygenId },
}

impl Record for KeygenRecord {
    const TABLE: Table = Table::Keygens;
}

impl KeygenRecord {
    /// The key generation's id.
    pub(super) fn id(self) -> Result<KeygenId, StoreError> {
        if let Self::Ended { keygen } = self {
            return Ok(keygen);
        }
        let kept = self.read()?.expect("a ceremony that has not ended is under way");
        Ok(kept.invitation.id())
    }

    /// The key generation, if it is under way.
    pub(super) fn read(self) -> Result<Option<KeptKeygen>, StoreError> {
        let Self::UnderWay { invitation, seed, signed } = self else { return Ok(None) };
        let damaged = |_| StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let invitation = Invitation::decode(&invitation).map_err(damaged)?;
        Ok(Some(KeptKeygen { invitation, seed: Seed::from_bytes(seed.0), signed }))
    }
}

impl Store {
    /// Keeps the seed of a key generation, before it is opened.
    ///
    /// # Errors
    ///
    /// [`ContentError::AlreadyThere`] if it is under way: it is opened again with the seed that it
    /// has. [`ContentError::KeygenEnded`] if it has ended; another one of the same members needs
    /// another number.
    pub fn begin_keygen(&self, invitation: &Invitation, seed: &Seed) -> Result<(), StoreError> {
        let keygen = invitation.id();
        let record = KeygenRecord::UnderWay {
            invitation: invitation.encode(),
            seed: Secret(seed.expose_bytes()),
            signed: None,
        };
        self.write(Durability::Synced, |transaction| match transaction.get(keygen.as_bytes())? {
            None => transaction.put(keygen.as_bytes(), &record),
            Some(KeygenRecord::UnderWay { .. }) => {
                Err(ContentError::AlreadyThere(Entry::Keygen).into())
            }
            Some(KeygenRecord::Ended { .. }) => Err(ContentError::KeygenEnded { keygen }.into()),
        })
    }

    /// Records that this node signs this transcript: when this returns, it is on the disk, and
    /// [`Keygen::persisted`](roastery_protocol::machine::Machine::persisted) may be called.
    ///
    /// # Errors
    ///
    /// [`ContentError::OtherTranscript`] if another one was signed: a node signs only one.
    /// [`ContentError::Missing`] if the key generation is not under way.
    pub fn sign_transcript(
        &self,
        keygen: KeygenId,
        transcript: TranscriptHash,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            let mut record = under_way(transaction, keygen)?;
            let KeygenRecord::UnderWay { signed, .. } = &mut record else {
                return Err(ContentError::Missing(Entry::Keygen).into());
            };
            if let Some(signed) = *signed
                && signed != transcript
            {
                return Err(ContentError::OtherTranscript { keygen, signed }.into());
            }
            *signed = Some(transcript);
            transaction.put(keygen.as_bytes(), &record)
        })
    }

    /// Ends a key generation with its result: group, share and recovery file are stored and the
    /// seed is removed, in one step.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the key generation of the recovery file is not under way; those
    /// of [`Store::keep_group`].
    pub fn finish_keygen(
        &self,
        seat: Seat,
        share: &SecretShare,
        recovery: &RecoveryFile,
    ) -> Result<(), StoreError> {
        let keygen = recovery.invitation().id();
        let group = recovery.group();
        let record = GroupRecord::new(group, seat, share, Some(recovery))?;
        self.write(Durability::Synced, |transaction| {
            under_way(transaction, keygen)?;
            groups::put(transaction, group.id(), &record)?;
            transaction.put(keygen.as_bytes(), &KeygenRecord::Ended { keygen })
        })
    }

    /// Ends a key generation without a result; its seed is removed. If this node's signature of a
    /// transcript has left, the others may still get a certificate: then the host key and their
    /// recovery file restore the share.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if it is not under way.
    pub fn abandon_keygen(&self, keygen: KeygenId) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            under_way(transaction, keygen)?;
            transaction.put(keygen.as_bytes(), &KeygenRecord::Ended { keygen })
        })
    }

    /// The key generation with this id, if it is under way.
    pub fn keygen(&self, id: KeygenId) -> Result<Option<KeptKeygen>, StoreError> {
        let record: Option<KeygenRecord> = self.vault.snapshot()?.get(id.as_bytes())?;
        record.map_or(Ok(None), KeygenRecord::read)
    }

    /// All key generations under way, in no particular order.
    pub fn keygens(&self) -> Result<Vec<KeptKeygen>, StoreError> {
        self.vault.snapshot()?.collect(KeygenRecord::read)
    }
}

fn under_way(transaction: &Transaction<'_>, keygen: KeygenId) -> Result<KeygenRecord, StoreError> {
    match transaction.get(keygen.as_bytes())? {
        Some(record @ KeygenRecord::UnderWay { .. }) => Ok(record),
        Some(KeygenRecord::Ended { .. }) | None => Err(ContentError::Missing(Entry::Keygen).into()),
    }
}
