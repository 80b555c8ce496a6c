//! The group: its members, its key, and its threshold.

mod epoch;
mod member;
mod name;
mod peer;

use std::sync::{Arc, OnceLock};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{GroupKeys, GroupKeysError, Point, Seat, TweakContext, decode_point};
use thiserror::Error;

pub use self::{
    epoch::{Epoch, EpochError},
    member::{Member, NamedMember, binding_digest},
    name::{Name, NameError},
    peer::{PeerId, PeerIdError},
};
use crate::{
    GroupId, KeyId,
    tags::{Tag, VERSION},
    wire,
};

/// The largest group file, in bytes: 128 members with the longest names.
pub const MAX_GROUP_FILE: usize = 112 + 128 * 235;

/// A group whose every part was checked: a value of this type is the proof.
///
/// Checked when it is made: 2 <= t <= n <= 128; the public shares and the threshold public key lie
/// on one polynomial of degree below t (so that any t members sign under the one key); no two seats
/// share an identity key or a host key, and no key serves as both, all compared as x-only keys;
/// each seat's host key has signed its identity key and transport peer.
#[derive(Debug)]
pub struct Group {
    id: GroupId,
    key_id: KeyId,
    epoch: Epoch,
    keys: Arc<GroupKeys>,
    chain_code: [u8; 32],
    members: Vec<Member>,
    /// The key that most requests ask for:
    /// [`Derivation::key_path_only`](crate::request::Derivation::key_path_only).
    own_key: OnceLock<TweakContext>,
}

/// Why bytes or values do not make a group.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The file is longer than a group file may be.
    #[error("a group file of {length} bytes; at most {most} are allowed", most = MAX_GROUP_FILE)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The file is of another version.
    #[error("a group file of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte, or nothing if the file is empty.
        version: u8,
    },
    /// The file does not decode.
    #[error("the group file does not decode: {0}")]
    Encoding(#[source] std::io::Error),
    /// The threshold or the number of members is out of range.
    #[error(
        "{threshold} of {members}: a group has 2 to 128 members and a threshold from 2 to that number"
    )]
    Size {
        /// The threshold, t: how many members must sign.
        threshold: usize,
        /// The number of members, n.
        members: usize,
    },
    /// The number of members and the number of public shares differ.
    #[error("{members} members and {shares} public shares")]
    Count {
        /// The number of members in the roster.
        members: usize,
        /// The number of public shares.
        shares: usize,
    },
    /// The public key material does not fit together.
    #[error("the group's keys do not fit together: {0}")]
    Keys(#[source] GroupKeysError),
    /// The same key is used twice.
    #[error(
        "a key of seat {seat} is also a key of seat {other}; all identity and host keys must differ"
    )]
    SharedKey {
        /// The later seat.
        seat: Seat,
        /// The earlier seat (the same one where its identity key is its host key).
        other: Seat,
    },
    /// The host key did not sign the identity key and the transport peer.
    #[error(
        "seat {seat}: the host key's signature over identity key and transport peer does not verify"
    )]
    Binding {
        /// The seat.
        seat: Seat,
    },
}

/// Why a member's new binding does not replace its old one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RebindError {
    /// No member has this host key.
    #[error("no member of the group has this host key")]
    UnknownHostKey,
    /// The binding's sequence number is not higher.
    #[error("seat {seat}: a binding of sequence number {offered} does not replace that of {known}")]
    NotNewer {
        /// The seat.
        seat: Seat,
        /// The sequence number of the group's binding.
        known: u64,
        /// The sequence number of the one that was to replace it.
        offered: u64,
    },
    /// The binding is not signed, or a key is another member's.
    #[error("{0}")]
    Group(#[from] GroupError),
}

/// Why a node's own keys are not those of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SeatKeysError {
    /// There is no such seat.
    #[error("seat {seat} is not in the group of {members} seats")]
    NoSuchSeat {
        /// The seat.
        seat: Seat,
        /// The number of seats.
        members: usize,
    },
    /// The identity key is not the roster's.
    #[error("seat {seat}: the identity key is not the one in the roster")]
    Identity {
        /// The seat.
        seat: Seat,
    },
    /// The secret share does not match the public share.
    #[error("seat {seat}: the secret share does not match the public share")]
    Share {
        /// The seat.
        seat: Seat,
    },
}

#[derive(BorshSerialize, BorshDeserialize)]
struct GroupFile {
    version: u8,
    threshold: u16,
    threshold_public_key: [u8; 33],
    chain_code: [u8; 32],
    public_shares: Vec<[u8; 33]>,
    members: Vec<Member>,
    epoch: Epoch,
}

impl Group {
    /// The group of a key generation, of these keys and members; member i holds seat i and public
    /// share i. The chain code (32 bytes) is what BIP-32 derivation starts from.
    pub fn new(
        keys: GroupKeys,
        chain_code: [u8; 32],
        members: Vec<Member>,
    ) -> Result<Self, GroupError> {
        Self::in_epoch(Epoch::GENERATED, keys, chain_code, members)
    }

    /// The same for the group that a key has in this epoch.
    pub fn in_epoch(
        epoch: Epoch,
        keys: GroupKeys,
        chain_code: [u8; 32],
        members: Vec<Member>,
    ) -> Result<Self, GroupError> {
        let (threshold, n) = (keys.threshold(), keys.public_shares().len());
        if members.len() != n {
            return Err(GroupError::Count { members: members.len(), shares: n });
        }
        if !(2..=n).contains(&threshold) {
            return Err(GroupError::Size { threshold, members: n });
        }
        let file = GroupFile {
            version: VERSION,
            threshold: threshold as u16,
            threshold_public_key: keys.threshold_public_key().serialize(),
            chain_code,
            public_shares: keys.public_shares().iter().map(Point::serialize).collect(),
            members,
            epoch,
        };
        let id = GroupId::from_bytes(Tag::Group.hash(&[&wire::encode(&file)]));
        let key_id = Tag::Key.hash(&[&file.threshold_public_key, &chain_code]);
        let key_id = KeyId::from_bytes(key_id);
        check_members(&file.members)?;
        let (keys, members) = (Arc::new(keys), file.members);
        Ok(Self { id, key_id, epoch, keys, chain_code, members, own_key: OnceLock::new() })
    }

    /// The group with a member's newer binding: another identity key, another transport peer, or
    /// both, and no new key generation. It is the group of another id, for its file is another one.
    ///
    /// # Errors
    ///
    /// [`RebindError`] if no member of this group has the host key, the sequence number is not
    /// higher, or the result is no group.
    pub fn rebind(&self, member: Member) -> Result<Group, RebindError> {
        let same_host = |(_, known): &(Seat, &Member)| known.host_key == member.host_key;
        let (seat, known) =
            self.seats().zip(&self.members).find(same_host).ok_or(RebindError::UnknownHostKey)?;
        if member.sequence <= known.sequence {
            let (known, offered) = (known.sequence, member.sequence);
            return Err(RebindError::NotNewer { seat, known, offered });
        }
        let mut members = self.members.clone();
        members[seat.index()] = member;
        Ok(Self::in_epoch(self.epoch, (*self.keys).clone(), self.chain_code, members)?)
    }

    /// Reads a group file and checks all of it.
    ///
    /// # Errors
    ///
    /// [`GroupError`] names the rule that the file breaks.
    pub fn decode(bytes: &[u8]) -> Result<Self, GroupError> {
        if bytes.len() > MAX_GROUP_FILE {
            return Err(GroupError::TooLong { length: bytes.len() });
        }
        match bytes.first() {
            Some(&VERSION) => {}
            other => {
                return Err(GroupError::OtherVersion { version: other.copied().unwrap_or(0) });
            }
        }
        let file: GroupFile = wire::decode(bytes).map_err(GroupError::Encoding)?;
        let point = |bytes: &[u8; 33]| {
            decode_point(bytes).map_err(|error| {
                GroupError::Encoding(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
            })
        };
        let shares = file.public_shares.iter().map(point).collect::<Result<Vec<_>, _>>()?;
        let keys =
            GroupKeys::new(file.threshold.into(), point(&file.threshold_public_key)?, shares)
                .map_err(GroupError::Keys)?;
        Self::in_epoch(file.epoch, keys, file.chain_code, file.members)
    }

    /// The group file's bytes; [`Group::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&GroupFile {
            version: VERSION,
            threshold: self.threshold() as u16,
            threshold_public_key: self.keys.threshold_public_key().serialize(),
            chain_code: self.chain_code,
            public_shares: self.keys.public_shares().iter().map(Point::serialize).collect(),
            members: self.members.clone(),
            epoch: self.epoch,
        })
    }

    /// The group id: the hash of the group file.
    pub fn id(&self) -> GroupId {
        self.id
    }

    /// The key's id, which stays in every epoch: the hash of threshold public key and chain code.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Which epoch of its key this group is.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// n: the number of seats, 2 to 128.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// t: how many must sign, 2 to n.
    pub fn threshold(&self) -> usize {
        self.keys.threshold()
    }

    /// n - t + 1: the most packages that one run of a coordinator issues, and the most shares that
    /// one signer gives in one attempt (ROAST, eprint 2022/550, section 4).
    pub fn most_packages(&self) -> usize {
        self.size() - self.threshold() + 1
    }

    /// The group's public key and the members' public shares.
    pub fn keys(&self) -> &Arc<GroupKeys> {
        &self.keys
    }

    /// The chain code, 32 bytes.
    pub fn chain_code(&self) -> &[u8; 32] {
        &self.chain_code
    }

    /// The group's own key as an output that only its key can spend, once it was derived.
    pub(crate) fn own_key(&self) -> &OnceLock<TweakContext> {
        &self.own_key
    }

    /// All seats in order.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = Seat> + Clone + use<> {
        // A group has at most 128 members, each of which is a valid seat.
        (0..self.members.len() as u32).map(|id| Seat::new(id).expect("seats below n are seats"))
    }

    /// All members, by seat.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member that holds this seat, if the group has it.
    pub fn member(&self, seat: Seat) -> Option<&Member> {
        self.members.get(seat.index())
    }

    /// Whether this peer holds this seat.
    pub fn holds(&self, peer: &PeerId, seat: Seat) -> bool {
        self.member(seat).is_some_and(|member| member.peer == *peer)
    }

    /// Whether this peer holds any seat.
    pub fn is_member(&self, peer: &PeerId) -> bool {
        self.members.iter().any(|member| member.peer == *peer)
    }
}

/// Whether these can be the members of a group: all keys differ, and each host key has signed its
/// line.
pub(crate) fn check_members(members: &[Member]) -> Result<(), GroupError> {
    let mut seen = std::collections::BTreeMap::new();
    for (id, member) in (0..).zip(members) {
        let size = || GroupError::Size { threshold: 2, members: members.len() };
        let seat = Seat::new(id).map_err(|_| size())?;
        for key in [member.identity_key, member.host_key.into()] {
            if let Some(other) = seen.insert(key.to_bytes(), seat) {
                return Err(GroupError::SharedKey { seat, other });
            }
        }
        if !member.is_bound() {
            return Err(GroupError::Binding { seat });
        }
    }
    Ok(())
}
