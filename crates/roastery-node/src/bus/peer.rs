//! The name of a peer.

use std::fmt;
use std::sync::Arc;

/// The name of a peer on the transport: 1 to 64 bytes that mean nothing here. Only equality and
/// order are used.
///
/// A clone shares the bytes. [`Debug`](fmt::Debug) shows all of them in hex,
/// [`Display`](fmt::Display) at most the first and last four, because the names of some transports
/// all begin alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<[u8]>);

impl PeerId {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Takes 1 to [`MAX_BYTES`](Self::MAX_BYTES) bytes as a name.
    ///
    /// # Errors
    ///
    /// [`PeerIdError`] when there are none, or more.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, PeerIdError> {
        let bytes = bytes.as_ref();
        match bytes.len() {
            0 => Err(PeerIdError::Empty),
            1..=Self::MAX_BYTES => Ok(Self(bytes.into())),
            len => Err(PeerIdError::TooLong { bytes: len }),
        }
    }

    /// The bytes of the name: 1 to [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for PeerId {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PeerId(")?;
        write_hex(f, &self.0)?;
        f.write_str(")")
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0..=8 => write_hex(f, &self.0),
            len => {
                write_hex(f, &self.0[..4])?;
                f.write_str("..")?;
                write_hex(f, &self.0[len - 4..])
            }
        }
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Why some bytes are no [`PeerId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerIdError {
    /// There are none.
    #[error("the peer id is empty: it must have 1 to {} bytes", PeerId::MAX_BYTES)]
    Empty,
    /// There are too many.
    #[error("the peer id has {bytes} bytes: it must have 1 to {}", PeerId::MAX_BYTES)]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_has_1_to_64_bytes() {
        assert_eq!(PeerId::new([]), Err(PeerIdError::Empty));
        assert_eq!(PeerId::new([7]).unwrap().as_bytes(), [7]);
        assert_eq!(PeerId::new([7; 63]).unwrap().as_bytes(), [7; 63]);
        assert_eq!(PeerId::new([7; 64]).unwrap().as_bytes(), [7; 64]);
        assert_eq!(PeerId::new([7; 65]), Err(PeerIdError::TooLong { bytes: 65 }));
    }

    #[test]
    fn debug_shows_all_bytes_and_display_at_most_eight() {
        let short = PeerId::new([0x0a, 0xff]).unwrap();
        assert_eq!(format!("{short} {short:?}"), "0aff PeerId(0aff)");

        let eight = PeerId::new([1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(eight.to_string(), "0102030405060708");

        let nine = PeerId::new([1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        assert_eq!(nine.to_string(), "01020304..06070809");
        assert_eq!(format!("{nine:?}"), "PeerId(010203040506070809)");
    }

    #[test]
    fn peers_are_told_apart_by_their_bytes_alone() {
        let peer = PeerId::new("alice").unwrap();
        assert_eq!(peer, PeerId::new(b"alice").unwrap());
        assert!(peer < PeerId::new("bob").unwrap());
        assert_ne!(peer, PeerId::new("alice\0").unwrap());
    }
}
