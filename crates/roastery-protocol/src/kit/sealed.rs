//! A sealed kit, as the members keep it.

use std::fmt;

use roastery_frost::{Point, Seat};
use thiserror::Error;

use crate::{GroupId, tags::Tag};

/// The version of a kit. It stands for the cost of Argon2id as well.
const VERSION: u8 = 1;

/// The length of what is sealed: host key, identity key, transport key and id of the key
/// generation, 32 each, and a tag of 16.
pub const SEALED_LENGTH: usize = 4 * 32 + 16;

const BESIDE: usize = 1 + 32 + 4 + 2 + 33;
const NONCE: usize = 24;

/// The length of a kit.
pub const KIT_LENGTH: usize = BESIDE + NONCE + SEALED_LENGTH;

/// The characters of a label: those of bech32, of which none looks like another one.
const CHARACTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// A kit: what it is of, and what is sealed under the words. It is no secret, and brings nothing
/// back without its words.
#[derive(Clone, PartialEq, Eq)]
pub struct Kit([u8; KIT_LENGTH]);

/// The hash of a kit, by which members name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KitId([u8; 32]);

/// Four characters on paper that say of which kit the words are: 20 bits of the hash of its host
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KitLabel([u8; 4]);

/// Why bytes are no kit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KitError {
    /// They are more or fewer.
    #[error("{length} bytes; a kit has {KIT_LENGTH}")]
    Length {
        /// How many there are.
        length: usize,
    },
    /// It has another version.
    #[error("a kit of version {version}; this program reads version {VERSION}")]
    Version {
        /// The version.
        version: u8,
    },
    /// What stands in place of the host key is no point.
    #[error("what stands in place of its host key is none")]
    Host,
    /// The seat's number is too great.
    #[error("seat {seat}: there is none with this number")]
    Seat {
        /// The number.
        seat: u16,
    },
}

impl Kit {
    /// Puts a kit together.
    pub fn new(
        (group, epoch, seat): (GroupId, u32, Seat),
        host: &Point,
        nonce: &[u8; NONCE],
        sealed: &[u8; SEALED_LENGTH],
    ) -> Self {
        let mut bytes = [0; KIT_LENGTH];
        let (beside, rest) = bytes.split_at_mut(BESIDE);
        beside.copy_from_slice(&beside_of((group, epoch, seat), host));
        rest[..NONCE].copy_from_slice(nonce);
        rest[NONCE..].copy_from_slice(sealed);
        Self(bytes)
    }

    /// What a kit begins with, which is sealed with it.
    pub fn beside((group, epoch, seat): (GroupId, u32, Seat), host: &Point) -> Vec<u8> {
        beside_of((group, epoch, seat), host).to_vec()
    }

    /// Reads a kit. Nothing that it says is proven before it is opened.
    ///
    /// # Errors
    ///
    /// [`KitError`] says what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, KitError> {
        let length = bytes.len();
        let kit = Self(bytes.try_into().map_err(|_| KitError::Length { length })?);
        if kit.0[0] != VERSION {
            return Err(KitError::Version { version: kit.0[0] });
        }
        Point::from_slice(kit.host_bytes()).map_err(|_| KitError::Host)?;
        let seat = u16::from_le_bytes(kit.part(37));
        Seat::new(seat.into()).map_err(|_| KitError::Seat { seat })?;
        Ok(kit)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; KIT_LENGTH] {
        &self.0
    }

    /// What is before the nonce: the associated data.
    pub fn head(&self) -> &[u8] {
        &self.0[..BESIDE]
    }

    /// The nonce.
    pub fn nonce(&self) -> [u8; NONCE] {
        self.part(BESIDE)
    }

    /// What is sealed, with its tag.
    pub fn sealed(&self) -> [u8; SEALED_LENGTH] {
        self.part(BESIDE + NONCE)
    }

    /// The group of its epoch.
    pub fn group(&self) -> GroupId {
        GroupId::from_bytes(self.part(1))
    }

    /// The number of its epoch.
    pub fn epoch(&self) -> u32 {
        u32::from_le_bytes(self.part(33))
    }

    /// Its seat.
    pub fn seat(&self) -> Seat {
        let seat = u16::from_le_bytes(self.part(37));
        Seat::new(seat.into()).expect("it was checked when it was read")
    }

    /// The public host key.
    pub fn host(&self) -> Point {
        Point::from_slice(self.host_bytes()).expect("it was checked when it was read")
    }

    fn host_bytes(&self) -> &[u8] {
        &self.0[39..BESIDE]
    }

    /// Its hash.
    pub fn id(&self) -> KitId {
        KitId(Tag::Kit.hash(&[&self.0]))
    }

    /// What only a node that has all of the kit can say, for a nonce that it did not know before.
    pub fn held(&self, nonce: &[u8; 32]) -> [u8; 32] {
        Tag::KitHeld.hash(&[nonce, &self.0])
    }

    /// The label of its paper.
    pub fn label(&self) -> KitLabel {
        KitLabel::of(&self.host())
    }

    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().expect("all parts lie within")
    }
}

fn beside_of((group, epoch, seat): (GroupId, u32, Seat), host: &Point) -> [u8; BESIDE] {
    let mut bytes = [0; BESIDE];
    bytes[0] = VERSION;
    bytes[1..33].copy_from_slice(group.as_bytes());
    bytes[33..37].copy_from_slice(&epoch.to_le_bytes());
    bytes[37..39].copy_from_slice(&seat.to_u16().to_le_bytes());
    bytes[39..].copy_from_slice(&host.serialize());
    bytes
}

/// Only of what it is.
impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, epoch) = (self.group(), self.epoch());
        f.debug_struct("Kit").field("group", &group).field("epoch", &epoch).finish_non_exhaustive()
    }
}

impl KitId {
    /// Takes its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl KitLabel {
    /// The label of the kits of this host key.
    pub fn of(host: &Point) -> Self {
        let hash = Tag::KitLabel.hash(&[&host.serialize()]);
        let bits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 12;
        Self([15, 10, 5, 0].map(|shift| CHARACTERS[(bits >> shift & 31) as usize]))
    }
}

impl fmt::Display for KitLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|character| write!(f, "{}", char::from(*character)))
    }
}
