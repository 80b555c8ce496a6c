use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::SecretShare;
use roastery_protocol::{
    CeremonyId, Seat, TranscriptHash,
    ceremony::{Invitation, RecoveryFile, Seed},
};

use super::{
    ContentError, Durability, Entry, Part, Store, StoreError, Transaction,
    groups::{self, GroupRecord},
    rows::{Record, Table},
    secret::Secret,
};

/// A ceremony under way: what it is opened with, for the first time or again.
#[derive(Debug)]
pub struct KeptCeremony {
    /// What the members agreed on.
    pub invitation: Invitation,
    /// All that this node draws in it comes from this.
    pub seed: Seed,
    /// The transcript that this node has signed.
    pub signed: Option<TranscriptHash>,
}

/// An ended ceremony stays known by its name, so that it is not begun again with another seed.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) enum CeremonyRecord {
    UnderWay { invitation: Vec<u8>, seed: Secret, signed: Option<TranscriptHash> },
    Ended { ceremony: CeremonyId },
}

impl Record for CeremonyRecord {
    const TABLE: Table = Table::Ceremonies;
}

impl CeremonyRecord {
    /// The ceremony's name.
    pub(super) fn id(self) -> Result<CeremonyId, StoreError> {
        if let Self::Ended { ceremony } = self {
            return Ok(ceremony);
        }
        let kept = self.read()?.expect("a ceremony that has not ended is under way");
        Ok(kept.invitation.id())
    }

    /// The ceremony, if it is under way.
    pub(super) fn read(self) -> Result<Option<KeptCeremony>, StoreError> {
        let Self::UnderWay { invitation, seed, signed } = self else { return Ok(None) };
        let damaged = |_| StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let invitation = Invitation::decode(&invitation).map_err(damaged)?;
        Ok(Some(KeptCeremony { invitation, seed: Seed::from_bytes(seed.0), signed }))
    }
}

impl Store {
    /// Keeps the seed of a ceremony, before it is opened.
    ///
    /// # Errors
    ///
    /// [`ContentError::AlreadyThere`] if it is under way: it is opened again with the seed that it
    /// has.
    /// [`ContentError::CeremonyEnded`] if it was; another of the same members has another number.
    pub fn begin_ceremony(&self, invitation: &Invitation, seed: &Seed) -> Result<(), StoreError> {
        let ceremony = invitation.id();
        let record = CeremonyRecord::UnderWay {
            invitation: invitation.encode(),
            seed: Secret(seed.expose_bytes()),
            signed: None,
        };
        self.write(Durability::Synced, |transaction| {
            match transaction.get(ceremony.as_bytes())? {
                None => transaction.put(ceremony.as_bytes(), &record),
                Some(CeremonyRecord::UnderWay { .. }) => {
                    Err(ContentError::AlreadyThere(Entry::Ceremony).into())
                }
                Some(CeremonyRecord::Ended { .. }) => {
                    Err(ContentError::CeremonyEnded { ceremony }.into())
                }
            }
        })
    }

    /// Keeps that this node has signed this transcript: when this returns, it is on the disk, and
    /// [`Ceremony::persisted`](roastery_protocol::ceremony::Ceremony::persisted) may be told.
    ///
    /// # Errors
    ///
    /// [`ContentError::OtherTranscript`] if another one was signed: a node signs one.
    /// [`ContentError::Missing`] if the ceremony is not under way.
    pub fn sign_transcript(
        &self,
        ceremony: CeremonyId,
        transcript: TranscriptHash,
    ) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            let mut record = under_way(transaction, ceremony)?;
            let CeremonyRecord::UnderWay { signed, .. } = &mut record else {
                return Err(ContentError::Missing(Entry::Ceremony).into());
            };
            if let Some(signed) = *signed
                && signed != transcript
            {
                return Err(ContentError::OtherTranscript { ceremony, signed }.into());
            }
            *signed = Some(transcript);
            transaction.put(ceremony.as_bytes(), &record)
        })
    }

    /// Ends a ceremony with its outcome: group, share and recovery file come into the store and the
    /// seed goes, in one step.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the ceremony of the recovery file is not under way; those of
    /// [`Store::keep_group`].
    pub fn finish_ceremony(
        &self,
        seat: Seat,
        share: &SecretShare,
        recovery: &RecoveryFile,
    ) -> Result<(), StoreError> {
        let ceremony = recovery.invitation().id();
        let group = recovery.group();
        let record = GroupRecord::new(group, seat, share, Some(recovery))?;
        self.write(Durability::Synced, |transaction| {
            under_way(transaction, ceremony)?;
            groups::put(transaction, group.id(), &record)?;
            transaction.put(ceremony.as_bytes(), &CeremonyRecord::Ended { ceremony })
        })
    }

    /// Ends a ceremony without an outcome; its seed goes. If this node's signature of a transcript
    /// has left, the others may still come to hold a certificate: then the host key and their
    /// recovery file bring the share back.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if it is not under way.
    pub fn abandon_ceremony(&self, ceremony: CeremonyId) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            under_way(transaction, ceremony)?;
            transaction.put(ceremony.as_bytes(), &CeremonyRecord::Ended { ceremony })
        })
    }

    /// The ceremony of this name, if it is under way.
    pub fn ceremony(&self, id: CeremonyId) -> Result<Option<KeptCeremony>, StoreError> {
        let record: Option<CeremonyRecord> = self.vault.snapshot()?.get(id.as_bytes())?;
        record.map_or(Ok(None), CeremonyRecord::read)
    }

    /// All ceremonies under way, in no order that means anything.
    pub fn ceremonies(&self) -> Result<Vec<KeptCeremony>, StoreError> {
        self.vault.snapshot()?.collect(CeremonyRecord::read)
    }
}

fn under_way(
    transaction: &Transaction<'_>,
    ceremony: CeremonyId,
) -> Result<CeremonyRecord, StoreError> {
    match transaction.get(ceremony.as_bytes())? {
        Some(record @ CeremonyRecord::UnderWay { .. }) => Ok(record),
        Some(CeremonyRecord::Ended { .. }) | None => {
            Err(ContentError::Missing(Entry::Ceremony).into())
        }
    }
}
