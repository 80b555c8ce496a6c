//! What a member puts into the roster of a pairing, and the roster that all must have alike.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use thiserror::Error;

use super::{Card, CardKey, Terms, TransportKeys, Whereabouts, terms::MAX_TEXT};
use crate::{
    group::Name,
    keygen::{Invitation, InvitationError},
    tags::Tag,
    wire,
};

/// What a member enters a pairing with.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Entry {
    /// Its card, under the name that it was offered.
    pub card: Card,
    /// Where it is dialled.
    pub whereabouts: Whereabouts,
    /// Its release, for people.
    pub version: String,
    /// Its commitment to what it reveals once the roster is fixed.
    pub commitment: [u8; 32],
}

impl BorshDeserialize for Entry {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        Ok(Self {
            card: Card::deserialize_reader(reader)?,
            whereabouts: Whereabouts::deserialize_reader(reader)?,
            version: wire::take_text::<MAX_TEXT, R>(reader)?,
            commitment: <[u8; 32]>::deserialize_reader(reader)?,
        })
    }
}

impl Entry {
    /// Checks what one entry alone shows: the offered name, all three keys' signatures, and the
    /// addresses' signature.
    pub(super) fn check(&self, name: &Name, keys: &dyn TransportKeys) -> Result<(), EntryError> {
        if self.card.named.name != *name {
            return Err(EntryError::Name);
        }
        self.card.check(keys)?;
        match self.whereabouts.are_signed_by(self.card.peer(), keys) {
            true => Ok(()),
            false => Err(EntryError::Whereabouts),
        }
    }
}

/// What is wrong with an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Its card has another name than was offered.
    #[error("its card has another name than was offered")]
    Name,
    /// A key has not signed its card.
    #[error("its card: {0}")]
    Card(#[from] CardKey),
    /// Its node's key has not signed its addresses.
    #[error("its node has not signed its addresses")]
    Whereabouts,
}

/// Why a roster is not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RosterError {
    /// It has not one entry for each offered name.
    #[error("{entries} members, and {offered} were offered")]
    Count {
        /// Its entries.
        entries: usize,
        /// The offered names.
        offered: usize,
    },
    /// An entry does not hold.
    #[error("the member of seat {seat}: {reason}")]
    Entry {
        /// Its seat.
        seat: Seat,
        /// What is wrong.
        reason: EntryError,
    },
    /// The members do not make an invitation: two have one key, for example.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
}

/// A roster that was checked: all entries under the offered names, signed by all keys, which
/// differ. A value of this type makes a valid invitation.
#[derive(Clone, Debug)]
pub struct Roster {
    entries: Vec<Entry>,
    hash: [u8; 32],
    invitation: Invitation,
}

impl Roster {
    /// Checks a roster against what was offered.
    ///
    /// # Errors
    ///
    /// [`RosterError`] names the rule that does not hold.
    pub fn check(
        terms: &Terms,
        attempt: u8,
        entries: Vec<Entry>,
        keys: &dyn TransportKeys,
    ) -> Result<Self, RosterError> {
        let offered = terms.names.len();
        if entries.len() != offered {
            return Err(RosterError::Count { entries: entries.len(), offered });
        }
        for ((seat, name), entry) in terms.seats().zip(&terms.names).zip(&entries) {
            entry.check(name, keys).map_err(|reason| RosterError::Entry { seat, reason })?;
        }
        let members = entries.iter().map(|entry| entry.card.named.clone()).collect();
        let threshold = usize::from(terms.threshold);
        let invitation = Invitation::new(terms.group.as_str(), terms.number(), threshold, members)?;
        let hash =
            Tag::PairRoster.hash(&[&wire::encode(terms), &[attempt], &wire::encode(&entries)]);
        Ok(Self { entries, hash, invitation })
    }

    /// The entries, by seat.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this seat.
    pub fn entry(&self, seat: Seat) -> Option<&Entry> {
        self.entries.get(seat.index())
    }

    /// The hash of terms, attempt and entries (tag `roastery/2/pair/roster`).
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The invitation that these members make.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }
}

/// What a member commits itself to (tag `roastery/2/pair/commit`): pairing (16) || attempt (1) ||
/// seat (2, little-endian) || card || 32 random bytes.
pub fn commitment(
    pairing: &[u8; 16],
    attempt: u8,
    seat: Seat,
    card: &Card,
    random: &[u8; 32],
) -> [u8; 32] {
    Tag::PairCommitment.hash(&[
        pairing,
        &[attempt],
        &seat.to_u16().to_le_bytes(),
        &wire::encode(card),
        random,
    ])
}
