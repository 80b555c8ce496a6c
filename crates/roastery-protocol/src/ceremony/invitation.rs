use std::{fmt, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Seat, chilldkg::SessionParams};
use thiserror::Error;

use crate::{
    CeremonyId,
    group::{GroupError, Member, PeerId, check_members},
    tags::{Tag, VERSION},
    wire,
};

/// What all members of a key generation must agree on before it begins: a value of this type is well-formed.
///
/// Checked when it is made: a name of 1 to 64 bytes without control characters; 2 <= t <= n <= 128; no two keys of the
/// members' cards are one; each binding is signed by its host key. Whether these are the intended people is for their
/// owners to find out: they compare the [fingerprint](Invitation::fingerprint) over a channel that nobody else can write
/// to. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    id: CeremonyId,
    file: File,
    params: SessionParams,
}

#[derive(Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct File {
    version: u8,
    name: String,
    number: u32,
    threshold: u16,
    members: Vec<Member>,
}

/// The longest name of a group, in bytes.
pub const MAX_NAME: usize = 64;

/// The longest invitation, in bytes: a name of 64 bytes and 128 members with the longest names.
pub const MAX_INVITATION: usize = 1 + 4 + MAX_NAME + 4 + 2 + 4 + 128 * 202;

/// Why something is no invitation.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// It is longer than any invitation.
    #[error("an invitation of {length} bytes; at most {MAX_INVITATION} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is of another version.
    #[error("an invitation of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte, or 0 if there is none.
        version: u8,
    },
    /// It does not decode.
    #[error("the invitation does not decode: {0}")]
    Encoding(#[source] std::io::Error),
    /// The name is empty, too long or not for the eye.
    #[error("a name of {length} bytes; 1 to {MAX_NAME} without control characters are allowed")]
    Name {
        /// Its length in bytes.
        length: usize,
    },
    /// The threshold or the number of members is out of range.
    #[error(
        "{threshold} of {members}: a group has 2 to 128 members and a threshold from 2 to that number"
    )]
    Size {
        /// t.
        threshold: usize,
        /// n.
        members: usize,
    },
    /// The cards do not make a roster.
    #[error("{0}")]
    Members(#[source] GroupError),
}

impl Invitation {
    /// An invitation of these members, in the order of their seats. `number` tells a ceremony from an earlier one of the
    /// same members that did not finish.
    ///
    /// # Errors
    ///
    /// [`InvitationError`] says which rule does not hold.
    pub fn new(
        name: &str,
        number: u32,
        threshold: usize,
        members: Vec<Member>,
    ) -> Result<Self, InvitationError> {
        let length = name.len();
        if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
            return Err(InvitationError::Name { length });
        }
        let n = members.len();
        let size = InvitationError::Size { threshold, members: n };
        if n > 128 || !(2..=n).contains(&threshold) {
            return Err(size);
        }
        check_members(&members).map_err(InvitationError::Members)?;
        let host_keys = members.iter().map(|member| member.host_key.serialize()).collect();
        let params = SessionParams::new(host_keys, threshold).map_err(|_| size)?;
        let file = File {
            version: VERSION,
            name: name.to_owned(),
            number,
            threshold: threshold as u16,
            members,
        };
        let id = CeremonyId::from_bytes(Tag::Ceremony.hash(&[&wire::encode(&file)]));
        Ok(Self(Arc::new(Inner { id, file, params })))
    }

    /// Reads an invitation and checks all of it.
    ///
    /// # Errors
    ///
    /// [`InvitationError`] says what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvitationError> {
        if bytes.len() > MAX_INVITATION {
            return Err(InvitationError::TooLong { length: bytes.len() });
        }
        match bytes.first() {
            Some(&VERSION) => {}
            other => {
                let version = other.copied().unwrap_or(0);
                return Err(InvitationError::OtherVersion { version });
            }
        }
        let file: File = wire::decode(bytes).map_err(InvitationError::Encoding)?;
        Self::new(&file.name, file.number, file.threshold.into(), file.members)
    }

    /// The invitation's bytes; [`Invitation::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(&self.0.file)
    }

    /// The ceremony's name.
    pub fn id(&self) -> CeremonyId {
        self.0.id
    }

    /// What the members compare by eye or ear.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.0.id)
    }

    /// What the group is to be called, 1 to 64 bytes. It is for people.
    pub fn name(&self) -> &str {
        &self.0.file.name
    }

    /// Which of several ceremonies of these members it is.
    pub fn number(&self) -> u32 {
        self.0.file.number
    }

    /// t: how many will have to sign, 2 to n.
    pub fn threshold(&self) -> usize {
        self.0.params.t()
    }

    /// n: the number of members, 2 to 128.
    pub fn size(&self) -> usize {
        self.0.file.members.len()
    }

    /// The members' cards, by seat.
    pub fn members(&self) -> &[Member] {
        &self.0.file.members
    }

    /// The member of this seat, if there is one.
    pub fn member(&self, seat: Seat) -> Option<&Member> {
        self.members().get(seat.index())
    }

    /// All seats in order.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = Seat> + use<> {
        self.0.params.participants()
    }

    /// The parameters of the ChillDKG session.
    pub fn params(&self) -> &SessionParams {
        &self.0.params
    }

    pub(super) fn holds(&self, peer: &PeerId, seat: Seat) -> bool {
        self.member(seat).is_some_and(|member| member.peer == *peer)
    }

    pub(super) fn is_member(&self, peer: &PeerId) -> bool {
        self.members().iter().any(|member| member.peer == *peer)
    }
}

/// The first 16 bytes of a ceremony's id, in eight groups of four hexadecimal digits.
///
/// Who sends two different invitations to two members can try many of each; to make two of one fingerprint takes 2^64
/// trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(CeremonyId);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.0.as_bytes()[..16].chunks(2).enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{:02x}{:02x}", pair[0], pair[1])?;
        }
        Ok(())
    }
}
