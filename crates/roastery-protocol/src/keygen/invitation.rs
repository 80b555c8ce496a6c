use std::{fmt, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{Seat, XOnlyPublicKey, chilldkg::SessionParams};
use thiserror::Error;

use crate::{
    Fingerprint, KeygenId,
    group::{GroupError, Member, Name, NameError, NamedMember, PeerId, check_members},
    tags::{Tag, VERSION},
    wire,
};

/// What all members of a key generation must agree on before it begins: a value of this type is
/// well-formed.
///
/// Checked when it is made: the group and each member have a [`Name`]; seats of one peer have one
/// name, and those of two peers differ in name; 2 <= t <= n <= 128; no key is there twice; each
/// binding is signed by its host key. A peer may hold several seats: it is one member of that
/// weight. Whether these are the intended people is for the operators to find out: they compare the
/// [fingerprint](Invitation::fingerprint), which covers all of this, over a channel that only they
/// can write to. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    id: KeygenId,
    name: Name,
    number: u32,
    names: Vec<Name>,
    members: Vec<Member>,
    params: SessionParams,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct File {
    version: u8,
    name: String,
    number: u32,
    threshold: u16,
    members: Vec<Line>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Line {
    name: String,
    member: Member,
}

/// The longest invitation, in bytes: 128 members with the longest names.
pub const MAX_INVITATION: usize =
    1 + 4 + Name::MAX_LENGTH + 4 + 2 + 4 + 128 * (4 + Name::MAX_LENGTH + 202);

/// Why bytes or values do not make an invitation.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// It is longer than an invitation may be.
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
    /// The group's name is not a valid name.
    #[error("the group's name: {0}")]
    Name(#[source] NameError),
    /// A member's name is not a valid name.
    #[error("the name of member {member}: {source}")]
    MemberName {
        /// The member's position in the list, from 0.
        member: usize,
        /// What is wrong with it.
        source: NameError,
    },
    /// Two members have one name.
    #[error(
        "two members are called {name} (seats {first} and {second}): names must differ, and not in \
         case only; one of them sets another name in its configuration and makes its card anew"
    )]
    SameName {
        /// The name of the second.
        name: Name,
        /// The seat of the first of them.
        first: usize,
        /// The seat of the second of them.
        second: usize,
    },
    /// Two members have the same peer.
    #[error("{first} and {second} have the same peer: all seats of one node have its name")]
    SamePeer {
        /// The first of them.
        first: Name,
        /// The second of them.
        second: Name,
    },
    /// Two cards have the same key.
    #[error(
        "{first} and {second} have the same {key}: all host and identity keys must differ, and each \
         card is given once"
    )]
    SameKey {
        /// Which of the second one's keys it is.
        key: MemberKey,
        /// The first of them.
        first: Name,
        /// The second; the first itself, where its identity key is its host key.
        second: Name,
    },
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
    /// The cards do not make a roster.
    #[error("{0}")]
    Members(#[source] GroupError),
}

/// A key of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKey {
    /// The key that takes part in key generation and recovers the share.
    Host,
    /// The key that signs the member's messages.
    Identity,
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host key",
            Self::Identity => "identity key",
        })
    }
}

impl Invitation {
    /// An invitation of these members, in the order of their seats. `number` tells a key generation
    /// from an earlier one of the same members that did not finish.
    ///
    /// # Errors
    ///
    /// [`InvitationError`] names the rule that does not hold.
    pub fn new(
        name: &str,
        number: u32,
        threshold: usize,
        members: Vec<NamedMember>,
    ) -> Result<Self, InvitationError> {
        let name: Name = name.parse().map_err(InvitationError::Name)?;
        check_cards(threshold, &members)?;
        let size = InvitationError::Size { threshold, members: members.len() };
        let (names, members): (Vec<_>, Vec<_>) =
            members.into_iter().map(|named| (named.name, named.member)).unzip();
        let host_keys = members.iter().map(|member| member.host_key.serialize()).collect();
        let params = SessionParams::new(host_keys, threshold).map_err(|_| size)?;
        let id = KeygenId::from_bytes([0; 32]);
        let mut inner = Inner { id, name, number, names, members, params };
        inner.id = KeygenId::from_bytes(Tag::Keygen.hash(&[&inner.encode()]));
        Ok(Self(Arc::new(inner)))
    }

    /// Reads an invitation and checks all of it.
    ///
    /// # Errors
    ///
    /// [`InvitationError`] names what is wrong.
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
        let read = |(member, Line { name, member: line })| {
            let name = name.parse();
            let name = name.map_err(|source| InvitationError::MemberName { member, source })?;
            Ok(NamedMember { name, member: line })
        };
        let members = file.members.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Self::new(&file.name, file.number, file.threshold.into(), members)
    }

    /// The invitation's bytes; [`Invitation::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// The id of the key generation: the hash of this invitation.
    pub fn id(&self) -> KeygenId {
        self.0.id
    }

    /// The fingerprint that the members compare, on screen or by voice, before key generation
    /// begins.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.id.as_bytes())
    }

    /// The name of the group.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// The names of the members, by seat.
    pub fn names(&self) -> &[Name] {
        &self.0.names
    }

    /// The number that distinguishes this key generation from others of the same members.
    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// t: how many will have to sign, 2 to n.
    pub fn threshold(&self) -> usize {
        self.0.params.t()
    }

    /// n: the number of members, 2 to 128.
    pub fn size(&self) -> usize {
        self.0.members.len()
    }

    /// The members' cards, by seat.
    pub fn members(&self) -> &[Member] {
        &self.0.members
    }

    /// The members with their names, by seat.
    pub fn named_members(&self) -> Vec<NamedMember> {
        let pairs = self.0.names.iter().cloned().zip(self.0.members.iter().cloned());
        pairs.map(|(name, member)| NamedMember { name, member }).collect()
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

    /// The seats that this peer holds, in ascending order.
    pub fn seats_of(&self, peer: &PeerId) -> impl Iterator<Item = Seat> {
        self.seats().filter(move |seat| self.holds(peer, *seat))
    }

    pub(super) fn holds(&self, peer: &PeerId, seat: Seat) -> bool {
        self.member(seat).is_some_and(|member| member.peer == *peer)
    }

    pub(super) fn is_member(&self, peer: &PeerId) -> bool {
        self.members().iter().any(|member| member.peer == *peer)
    }
}

impl Inner {
    fn encode(&self) -> Vec<u8> {
        let named = |(name, member): (&Name, &Member)| Line {
            name: name.as_str().to_owned(),
            member: member.clone(),
        };
        wire::encode(&File {
            version: VERSION,
            name: self.name.as_str().to_owned(),
            number: self.number,
            threshold: self.params.t() as u16,
            members: self.names.iter().zip(&self.members).map(named).collect(),
        })
    }
}

/// Whether these can be the members of a group with this threshold: the sizes, the names, the keys
/// and the bindings.
pub(crate) fn check_cards(
    threshold: usize,
    members: &[NamedMember],
) -> Result<(), InvitationError> {
    let n = members.len();
    if n > 128 || !(2..=n).contains(&threshold) {
        return Err(InvitationError::Size { threshold, members: n });
    }
    check_differ(members)?;
    let members: Vec<Member> = members.iter().map(|named| named.member.clone()).collect();
    check_members(&members).map_err(InvitationError::Members)
}

/// Whether the seats of different peers differ in name, those of one peer do not, and all keys
/// differ.
fn check_differ(members: &[NamedMember]) -> Result<(), InvitationError> {
    for (second, later) in members.iter().enumerate() {
        for (first, earlier) in members[..second].iter().enumerate() {
            let one_peer = earlier.member.peer == later.member.peer;
            if !one_peer && earlier.name.is_like(&later.name) {
                let name = later.name.clone();
                return Err(InvitationError::SameName { name, first, second });
            }
            let (first, second) = (earlier.name.clone(), later.name.clone());
            if one_peer && earlier.name != later.name {
                return Err(InvitationError::SamePeer { first, second });
            }
            if let Some(key) = shared_key(&earlier.member, &later.member) {
                return Err(InvitationError::SameKey { key, first, second });
            }
        }
        let XOnly { host, identity } = XOnly::of(&later.member);
        if host == identity {
            let (first, second) = (later.name.clone(), later.name.clone());
            return Err(InvitationError::SameKey { key: MemberKey::Identity, first, second });
        }
    }
    Ok(())
}

/// The key of the later one that is also a key of the earlier one. All are compared as x-only keys.
fn shared_key(earlier: &Member, later: &Member) -> Option<MemberKey> {
    let (earlier, later) = (XOnly::of(earlier), XOnly::of(later));
    let is_known = |key| key == earlier.host || key == earlier.identity;
    if is_known(later.host) {
        Some(MemberKey::Host)
    } else {
        is_known(later.identity).then_some(MemberKey::Identity)
    }
}

struct XOnly {
    host: [u8; 32],
    identity: [u8; 32],
}

impl XOnly {
    fn of(member: &Member) -> Self {
        let host = XOnlyPublicKey::from(member.host_key).to_bytes();
        Self { host, identity: member.identity_key.to_bytes() }
    }
}
