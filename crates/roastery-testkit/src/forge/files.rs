//! Group files and requests with every part chosen.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Point;
use roastery_protocol::{
    group::{Group, Member, PeerId, binding_digest},
    keys::HostKey,
};

use super::SigningKeyOf;

/// Bytes with their length in one byte before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short(pub Vec<u8>);

impl BorshSerialize for Short {
    fn serialize<W: std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
        (self.0.len() as u8).serialize(writer)?;
        writer.write_all(&self.0)
    }
}

impl BorshDeserialize for Short {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        let mut bytes = vec![0; usize::from(u8::deserialize_reader(reader)?)];
        reader.read_exact(&mut bytes)?;
        Ok(Short(bytes))
    }
}

/// A group file.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawGroup {
    pub version: u8,
    pub threshold: u16,
    pub key: [u8; 33],
    pub chain_code: [u8; 32],
    pub shares: Vec<[u8; 33]>,
    pub members: Vec<RawMember>,
    pub epoch: u32,
    pub plan: [u8; 32],
}

/// A line of the roster.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawMember {
    pub host_key: [u8; 33],
    pub identity_key: [u8; 32],
    pub peer: Short,
    pub sequence: u64,
    pub binding: [u8; 64],
}

impl RawGroup {
    pub fn of(group: &Group) -> Self {
        borsh::from_slice(&group.encode()).unwrap()
    }

    pub fn bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap()
    }

    /// A group of so many seats with fixed keys: the shares are those of the polynomial 11 + 7x, so
    /// that any two can sign.
    pub fn fixed(n: usize, name_length: usize) -> Self {
        RawGroup {
            version: 1,
            threshold: 2,
            key: point(11).serialize(),
            chain_code: [0xcc; 32],
            shares: (1..=n as u128).map(|x| point(11 + 7 * x).serialize()).collect(),
            members: (0..n).map(|at| RawMember::fixed(at, name_length)).collect(),
            epoch: 0,
            plan: [0; 32],
        }
    }
}

fn point(k: u128) -> Point {
    super::multiple(k)
}

impl RawMember {
    /// A member with fixed keys and a name of this length.
    pub fn fixed(at: usize, name_length: usize) -> Self {
        let mut name = vec![0xaa; name_length];
        name[0] = at as u8;
        let host = HostKey::new(SigningKeyOf(100).at(at));
        let (identity_key, peer) =
            (SigningKeyOf(1).at(at).public_key(), PeerId::new(&name).unwrap());
        let binding = host.bind(&identity_key, &peer, 3);
        RawMember::of(&Member {
            host_key: host.public_key(),
            identity_key,
            peer,
            sequence: 3,
            binding,
        })
    }

    pub fn of(member: &Member) -> Self {
        RawMember {
            host_key: member.host_key.serialize(),
            identity_key: member.identity_key.to_bytes(),
            peer: Short(member.peer.as_bytes().to_vec()),
            sequence: member.sequence,
            binding: member.binding.to_bytes(),
        }
    }

    /// Signs the line as it stands with this host key, whatever host key it names.
    pub fn bind(&mut self, host: &roastery_frost::SigningKey) {
        let digest = binding_digest(
            &Point::try_from(self.host_key).unwrap(),
            &roastery_frost::XOnlyPublicKey::from_bytes(&self.identity_key).unwrap(),
            &PeerId::new(&self.peer.0).unwrap(),
            self.sequence,
        );
        self.binding = host.sign(&digest, &[0; 32]).to_bytes();
    }
}

/// A signing request.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawRequest {
    pub version: u8,
    pub group: [u8; 32],
    pub id: [u8; 32],
    pub expiry: u64,
    pub messages: Vec<RawMessage>,
}

/// A message of a request and its derivation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RawMessage {
    pub message: [u8; 32],
    pub path: Vec<u32>,
    pub taproot: RawTaproot,
}

/// What an output commits to.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum RawTaproot {
    Untweaked,
    KeyPathOnly,
    ScriptRoot([u8; 32]),
}

impl RawRequest {
    pub fn bytes(&self) -> Vec<u8> {
        borsh::to_vec(self).unwrap()
    }

    /// A request of so many messages, each as long as can be.
    pub fn longest(group: [u8; 32], messages: usize) -> Self {
        let message = RawMessage {
            message: [1; 32],
            path: vec![(1 << 31) - 1; 8],
            taproot: RawTaproot::ScriptRoot([2; 32]),
        };
        RawRequest { version: 1, group, id: [3; 32], expiry: 4, messages: vec![message; messages] }
    }
}
