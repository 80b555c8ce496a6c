use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use thiserror::Error;

use super::comparing::seats;
use crate::{group::Name, wire};

/// The most members of a group.
const MOST_MEMBERS: u32 = 128;

/// The longest name of a network or text of a release, in bytes.
pub(super) const MAX_TEXT: usize = 32;

/// What the inviting node offers to all: the group that is to be. The inviter has seat 0.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Terms {
    /// Names the pairing; drawn at random.
    pub pairing: [u8; 16],
    /// The group's name.
    pub group: Name,
    /// How many must sign.
    pub threshold: u16,
    /// The members' names, by seat.
    pub names: Vec<Name>,
    /// The Bitcoin network.
    pub network: String,
}

/// Why [`Terms`] are none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TermsError {
    /// The threshold or the number of members is out of range.
    #[error(
        "{threshold} of {members}: a group has 2 to 128 members and a threshold from 2 to that number"
    )]
    Size {
        /// The threshold.
        threshold: usize,
        /// The number of members.
        members: usize,
    },
    /// Two members have one name.
    #[error("two members are called {0}: names must differ, and not in case only")]
    SameName(Name),
    /// The network's name is too long or has other characters.
    #[error("the network's name has 1 to 32 printable characters")]
    Network,
}

impl Terms {
    /// Checks sizes and names.
    ///
    /// # Errors
    ///
    /// [`TermsError`] names the rule that does not hold.
    pub fn check(&self) -> Result<(), TermsError> {
        let (threshold, members) = (usize::from(self.threshold), self.names.len());
        if members > MOST_MEMBERS as usize || !(2..=members).contains(&threshold) {
            return Err(TermsError::Size { threshold, members });
        }
        for (at, name) in self.names.iter().enumerate() {
            if self.names[..at].iter().any(|earlier| earlier.is_like(name)) {
                return Err(TermsError::SameName(name.clone()));
            }
        }
        if !is_text(&self.network) || self.network.is_empty() {
            return Err(TermsError::Network);
        }
        Ok(())
    }

    /// All seats in order.
    pub fn seats(&self) -> impl Iterator<Item = Seat> {
        seats(self.names.len())
    }

    /// The name of the member of this seat.
    pub fn name(&self, seat: Seat) -> Option<&Name> {
        self.names.get(seat.index())
    }

    /// The number of the key generation, which tells it from others of the same members.
    pub(super) fn number(&self) -> u32 {
        let [a, b, c, d, ..] = self.pairing;
        u32::from_le_bytes([a, b, c, d])
    }
}

impl BorshDeserialize for Terms {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let terms = Self {
            pairing: <[u8; 16]>::deserialize_reader(reader)?,
            group: Name::deserialize_reader(reader)?,
            threshold: u16::deserialize_reader(reader)?,
            names: wire::take_at_most::<MOST_MEMBERS, _, R>(reader)?,
            network: wire::take_text::<MAX_TEXT, R>(reader)?,
        };
        let checked = terms.check();
        checked.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(terms)
    }
}

/// Whether it may be a network's name or a release: printable ASCII, not too long.
pub(super) fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT && text.bytes().all(|byte| byte.is_ascii_graphic())
}
