use std::{fmt, io, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

/// What the transport authenticates: the name of a node, 1 to 64 bytes that mean something to the
/// transport only.
///
/// A peer may hold several seats of a group; a seat has one peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<[u8]>);

/// A peer's name of a length that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a peer's name of {length} bytes; 1 to {most} are allowed", most = PeerId::MAX_LENGTH)]
pub struct PeerIdError {
    /// The length of the name, in bytes.
    pub length: usize,
}

impl PeerId {
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// A peer of this name.
    ///
    /// # Errors
    ///
    /// [`PeerIdError`] if the name is empty or longer than [`PeerId::MAX_LENGTH`].
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self, PeerIdError> {
        let name = name.as_ref();
        match name.len() {
            1..=Self::MAX_LENGTH => Ok(Self(name.into())),
            length => Err(PeerIdError { length }),
        }
    }

    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// In hexadecimal; of a long name the first and the last four bytes, for the names of some networks
/// begin alike.
impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0..=8 => hexadecimal(&self.0, f),
            length => {
                hexadecimal(&self.0[..4], f)?;
                f.write_str("..")?;
                hexadecimal(&self.0[length - 4..], f)
            }
        }
    }
}

/// All bytes in hexadecimal.
impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerId(")?;
        hexadecimal(&self.0, f)?;
        f.write_str(")")
    }
}

impl BorshSerialize for PeerId {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        // The constructor bounds the length by 64.
        writer.write_all(&[self.0.len() as u8])?;
        writer.write_all(&self.0)
    }
}

impl BorshDeserialize for PeerId {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let length = usize::from(u8::deserialize_reader(reader)?);
        if length > Self::MAX_LENGTH {
            return Err(io::Error::new(io::ErrorKind::InvalidData, PeerIdError { length }));
        }
        let mut name = vec![0; length];
        reader.read_exact(&mut name)?;
        Self::new(name).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_name_has_one_to_sixty_four_bytes() {
        assert_eq!(PeerId::new([]), Err(PeerIdError { length: 0 }));
        assert!(PeerId::new([1]).is_ok());
        assert!(PeerId::new([1; 64]).is_ok());
        assert_eq!(PeerId::new([1; 65]), Err(PeerIdError { length: 65 }));
        for length in [0u8, 65] {
            let mut bytes = vec![length];
            bytes.resize(1 + usize::from(length), 7);
            assert!(crate::wire::decode::<PeerId>(&bytes).is_err());
        }
    }
}
