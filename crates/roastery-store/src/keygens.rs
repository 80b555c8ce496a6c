use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::SecretShare;
use roastery_protocol::{
    KeygenId, Seat, TranscriptHash,
    keygen::{Invitation, RecoveryFile, Seed, SignedTranscript},
};

use super::{
    ContentError, Durability, Entry, Part, Store, StoreError, Transaction,
    secret::Secret,
    table::{Record, Table},
};

/// A key generation under way: what is needed to open it, for the first time or again.
#[derive(Debug)]
pub struct KeptKeygen {
    /// The invitation that the members agreed on.
    pub invitation: Invitation,
    /// This node's seats, in ascending order; at least one.
    pub seats: Vec<KeptSeat>,
}

/// A seat of this node in a key generation under way.
#[derive(Debug)]
pub struct KeptSeat {
    /// The seat.
    pub seat: Seat,
    /// The seed of all randomness that the seat uses in it.
    pub seed: Seed,
    /// The transcript that the seat has signed, if it has signed one.
    pub signed: Option<TranscriptHash>,
}

/// The id of an ended key generation is kept, so that it is not begun again with another seed.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) enum KeygenRecord {
    UnderWay { invitation: Vec<u8>, seats: Vec<SeatRecord> },
    Ended { keygen: KeygenId },
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct SeatRecord {
    seat: u16,
    seed: Secret,
    signed: Option<TranscriptHash>,
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
        let Self::UnderWay { invitation, seats } = self else { return Ok(None) };
        let damaged = || StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let invitation = Invitation::decode(&invitation).map_err(|_| damaged())?;
        let read = |SeatRecord { seat, seed, signed }| {
            let seat = Seat::new(seat.into()).map_err(|_| damaged())?;
            Ok::<_, StoreError>(KeptSeat { seat, seed: Seed::from_bytes(seed.0), signed })
        };
        let seats = seats.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Some(KeptKeygen { invitation, seats }))
    }
}

impl Store {
    /// Keeps the seeds of a key generation, one for each seat of this node, before it is opened.
    ///
    /// # Errors
    ///
    /// [`ContentError::NoSeat`] without a seat. [`ContentError::AlreadyThere`] if it is under way:
    /// it is opened again with the seeds that it has. [`ContentError::KeygenEnded`] if it has
    /// ended; another one of the same members needs another number.
    pub fn begin_keygen(
        &self,
        invitation: &Invitation,
        seeds: &BTreeMap<Seat, Seed>,
    ) -> Result<(), StoreError> {
        if seeds.is_empty() {
            return Err(ContentError::NoSeat.into());
        }
        let keygen = invitation.id();
        let seats = seeds.iter().map(|(seat, seed)| SeatRecord {
            seat: seat.to_u16(),
            seed: Secret(seed.expose_bytes()),
            signed: None,
        });
        let record =
            KeygenRecord::UnderWay { invitation: invitation.encode(), seats: seats.collect() };
        self.write(Durability::Synced, |transaction| match transaction.get(keygen.as_bytes())? {
            None => transaction.put(keygen.as_bytes(), &record),
            Some(KeygenRecord::UnderWay { .. }) => {
                Err(ContentError::AlreadyThere(Entry::Keygen).into())
            }
            Some(KeygenRecord::Ended { .. }) => Err(ContentError::KeygenEnded { keygen }.into()),
        })
    }

    /// Records that a seat of this node signs this transcript: when this returns, it is on the
    /// disk, and [`Machine::persisted`](roastery_protocol::machine::Machine::persisted) may be
    /// called.
    ///
    /// # Errors
    ///
    /// [`ContentError::OtherTranscript`] if the seat has signed another one: it signs only one.
    /// [`ContentError::Missing`] if the key generation is not under way for this seat.
    pub fn sign_transcript(
        &self,
        keygen: KeygenId,
        record: SignedTranscript,
    ) -> Result<(), StoreError> {
        let SignedTranscript { seat, transcript } = record;
        self.write(Durability::Synced, |transaction| {
            let missing = || ContentError::Missing(Entry::Keygen);
            let mut record = under_way(transaction, keygen)?;
            let KeygenRecord::UnderWay { seats, .. } = &mut record else {
                return Err(missing().into());
            };
            let own = seats.iter_mut().find(|own| own.seat == seat.to_u16());
            let own = own.ok_or_else(missing)?;
            if let Some(signed) = own.signed
                && signed != transcript
            {
                return Err(ContentError::OtherTranscript { keygen, signed }.into());
            }
            own.signed = Some(transcript);
            transaction.put(keygen.as_bytes(), &record)
        })
    }

    /// Ends a key generation with its result: group, shares and recovery file are stored and the
    /// seeds are removed, in one step.
    ///
    /// # Errors
    ///
    /// [`ContentError::Missing`] if the key generation of the recovery file is not under way; those
    /// of [`Store::keep_group`].
    pub fn finish_keygen(
        &self,
        seats: &[(Seat, SecretShare)],
        recovery: &RecoveryFile,
    ) -> Result<(), StoreError> {
        let keygen = recovery.invitation().id();
        self.write_group(recovery.group(), seats, Some(recovery), |transaction, group| {
            under_way(transaction, keygen)?;
            group.put(transaction)?;
            transaction.put(keygen.as_bytes(), &KeygenRecord::Ended { keygen })
        })
    }

    /// Ends a key generation without a result; its seeds are removed. If a signature of this node
    /// has left, the others may still get a certificate: then the host keys and their recovery file
    /// restore the shares.
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

impl Transaction<'_> {
    /// Keeps that a key generation has ended: it is not begun here again.
    pub(super) fn end_keygen(&mut self, keygen: KeygenId) -> Result<(), StoreError> {
        self.put(keygen.as_bytes(), &KeygenRecord::Ended { keygen })
    }
}

fn under_way(transaction: &Transaction<'_>, keygen: KeygenId) -> Result<KeygenRecord, StoreError> {
    match transaction.get(keygen.as_bytes())? {
        Some(record @ KeygenRecord::UnderWay { .. }) => Ok(record),
        Some(KeygenRecord::Ended { .. }) | None => Err(ContentError::Missing(Entry::Keygen).into()),
    }
}
