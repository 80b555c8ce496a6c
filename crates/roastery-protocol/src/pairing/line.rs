//! The line by which a member is invited, as people pass it on: bech32m of a few bytes.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr},
};

use bech32::{Bech32m, Hrp, primitives::decode::CheckedHrpstring};
use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::secret::Secret;
use crate::wire;

/// The first characters of a line, before its separator.
const PREFIX: Hrp = Hrp::parse_unchecked("roast");

/// The first byte of an invitation to join: version 1 in its low half, 0 in its high half.
const JOIN: u8 = 0x01;

/// The first byte of a line to return: the same version, 1 in its high half.
const RETURN: u8 = 0x11;

/// The bytes before the addresses: form 1, key 32, secret 16, expiry 4, count 1.
const HEAD: usize = 1 + 32 + 16 + 4 + 1;

/// The most addresses of a line.
pub const MOST_LINE_ADDRESSES: usize = 4;

/// The longest line, in characters: four DNS names of 255 bytes.
pub const MAX_LINE: usize = 6 + ((HEAD + MOST_LINE_ADDRESSES * 259) * 8).div_ceil(5) + 6;

/// For what a line can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To join a group that is to be made.
    Join,
    /// To return to a seat whose machine is lost.
    Return,
}

/// An invitation for one member: which node invites, the secret that proves that the line was
/// received, until when it can be used, and where the inviting node is dialled.
///
/// Its text is `roast1` and bech32m of: form (1 byte; 0x01 to join, 0x11 to return) || the
/// inviter's Ed25519 key (32) || secret (16) || expiry in seconds since 1970 (4, big-endian) ||
/// number of addresses (1) || addresses.
/// The secret admits who has it first; it authenticates no member.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// For what it can be used.
    pub purpose: Purpose,
    /// The Ed25519 key of the node that invites.
    pub inviter: [u8; 32],
    /// The secret of this line.
    pub secret: Secret<16>,
    /// When it ends, in seconds since 1970.
    pub expiry: u32,
    /// Where the inviting node is dialled: at most [`MOST_LINE_ADDRESSES`].
    pub addresses: Vec<LineAddress>,
}

/// An address in a line: one byte (transports in the high half, kind of host in the low half), the
/// host, and the port (2 bytes, big-endian).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineAddress {
    /// Over what the node listens there.
    pub transports: Transports,
    /// The host.
    pub host: LineHost,
    /// The port, which is the same for all transports.
    pub port: u16,
}

/// Over what a node listens at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// TCP (1).
    Tcp,
    /// QUIC (2).
    Quic,
    /// Both (3).
    Both,
}

/// The host of an address in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineHost {
    /// Kind 0: 4 bytes.
    V4(Ipv4Addr),
    /// Kind 1: 16 bytes.
    V6(Ipv6Addr),
    /// Kind 2: length (1 byte) and 1 to 255 bytes of printable ASCII.
    Dns(String),
}

/// Why a text is not a line. The message says what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LineError {
    /// Characters are missing, or other ones.
    #[error("this is not a whole line: copy it again, from roast1 to its end")]
    NotWhole,
    /// It is of another version or kind.
    #[error(
        "this line has another form ({form}) than this program knows ({JOIN} and {RETURN}): the node \
         that invites and this one need the same release"
    )]
    OtherForm {
        /// Its first byte.
        form: u8,
    },
    /// Its content does not decode.
    #[error("this line was not made by a node: ask for another one")]
    Content,
}

impl Line {
    /// Reads a line. Spaces and line ends within it are ignored, and so is its case, as long as it
    /// has one only.
    ///
    /// # Errors
    ///
    /// [`LineError`].
    pub fn parse(text: &str) -> Result<Self, LineError> {
        // A chat may have broken it into pieces, of which each character may stand alone.
        if text.len() > 4 * MAX_LINE {
            return Err(LineError::NotWhole);
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if text.len() > MAX_LINE {
            return Err(LineError::NotWhole);
        }
        let checked = CheckedHrpstring::new::<LongBech32m>(&text);
        let checked = checked.map_err(|_| LineError::NotWhole)?;
        if checked.hrp() != PREFIX {
            return Err(LineError::NotWhole);
        }
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let line = Self::from_bytes(&bytes)?;
        // Bits after the last byte, and other encodings of the same, are not this line.
        if line.to_string() != text.to_ascii_lowercase() {
            return Err(LineError::Content);
        }
        Ok(line)
    }

    /// What is behind the text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let form = match self.purpose {
            Purpose::Join => JOIN,
            Purpose::Return => RETURN,
        };
        let mut bytes = vec![form];
        bytes.extend(self.inviter);
        bytes.extend(self.secret.expose());
        bytes.extend(self.expiry.to_be_bytes());
        // More are refused when it is read, and none is made with more.
        bytes.push(self.addresses.len() as u8);
        self.addresses.iter().for_each(|address| address.put(&mut bytes));
        bytes
    }

    /// The counterpart of [`Line::to_bytes`].
    ///
    /// # Errors
    ///
    /// [`LineError::OtherForm`] and [`LineError::Content`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LineError> {
        let purpose = match bytes.first() {
            Some(&JOIN) => Purpose::Join,
            Some(&RETURN) => Purpose::Return,
            Some(&form) => return Err(LineError::OtherForm { form }),
            None => return Err(LineError::NotWhole),
        };
        Self::read(purpose, &bytes[1..]).ok_or(LineError::Content)
    }

    fn read(purpose: Purpose, mut rest: &[u8]) -> Option<Self> {
        let inviter = *rest.split_off(..32)?.first_chunk()?;
        let secret = Secret::new(*rest.split_off(..16)?.first_chunk()?);
        let expiry = u32::from_be_bytes(*rest.split_off(..4)?.first_chunk()?);
        let count = usize::from(*rest.split_off_first()?);
        if count > MOST_LINE_ADDRESSES {
            return None;
        }
        let addresses = (0..count).map(|_| LineAddress::take(&mut rest)).collect::<Option<_>>()?;
        rest.is_empty().then_some(Self { purpose, inviter, secret, expiry, addresses })
    }
}

/// A line may be longer than the 90 characters for which bech32's sums were chosen: it is passed on
/// whole or cut, and what was altered on purpose is the words' to show.
enum LongBech32m {}

impl bech32::Checksum for LongBech32m {
    type MidstateRepr = u32;
    const CODE_LENGTH: usize = MAX_LINE;
    const CHECKSUM_LENGTH: usize = Bech32m::CHECKSUM_LENGTH;
    const GENERATOR_SH: [u32; 5] = Bech32m::GENERATOR_SH;
    const TARGET_RESIDUE: u32 = Bech32m::TARGET_RESIDUE;
}

/// The line as it is passed on, in lower case.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<LongBech32m, _>(f, PREFIX, &self.to_bytes())
            .map_err(|_| fmt::Error)
    }
}

/// The secret is not shown.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purpose, expiry, addresses, .. } = self;
        f.debug_struct("Line")
            .field("purpose", purpose)
            .field("expiry", expiry)
            .field("addresses", addresses)
            .finish_non_exhaustive()
    }
}

impl LineAddress {
    fn put(&self, bytes: &mut Vec<u8>) {
        let transports: u8 = match self.transports {
            Transports::Tcp => 1,
            Transports::Quic => 2,
            Transports::Both => 3,
        };
        let kind: u8 = match &self.host {
            LineHost::V4(_) => 0,
            LineHost::V6(_) => 1,
            LineHost::Dns(_) => 2,
        };
        bytes.push(transports << 4 | kind);
        match &self.host {
            LineHost::V4(ip) => bytes.extend(ip.octets()),
            LineHost::V6(ip) => bytes.extend(ip.octets()),
            LineHost::Dns(name) => {
                bytes.push(name.len() as u8);
                bytes.extend(name.as_bytes());
            }
        }
        bytes.extend(self.port.to_be_bytes());
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let form = *rest.split_off_first()?;
        let transports = match form >> 4 {
            1 => Transports::Tcp,
            2 => Transports::Quic,
            3 => Transports::Both,
            _ => return None,
        };
        let host = match form & 15 {
            0 => LineHost::V4(Ipv4Addr::from(*rest.split_off(..4)?.first_chunk::<4>()?)),
            1 => LineHost::V6(Ipv6Addr::from(*rest.split_off(..16)?.first_chunk::<16>()?)),
            2 => {
                let length = usize::from(*rest.split_off_first()?);
                let name = std::str::from_utf8(rest.split_off(..length)?).ok()?;
                let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
                if name.is_empty() || !printable {
                    return None;
                }
                LineHost::Dns(name.to_owned())
            }
            _ => return None,
        };
        let port = u16::from_be_bytes(*rest.split_off(..2)?.first_chunk()?);
        Some(Self { transports, host, port })
    }
}

/// Length (4 bytes) and [`Line::to_bytes`], as it is stored.
impl BorshSerialize for Line {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        let bytes = Zeroizing::new(self.to_bytes());
        bytes.as_slice().serialize(writer)
    }
}

impl BorshDeserialize for Line {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let bytes = Zeroizing::new(wire::take_bytes::<MAX_LINE, R>(reader)?);
        Self::from_bytes(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};

    use super::*;

    /// These bytes with right sums, under a prefix and with bits after the last byte.
    fn text(prefix: &str, bytes: &[u8], bits: u8) -> String {
        let mut fields: Vec<_> = bytes.iter().copied().bytes_to_fes().collect();
        let last = fields.pop().unwrap();
        fields.push(bech32::Fe32::try_from(last.to_u8() | bits).unwrap());
        let prefix = Hrp::parse(prefix).unwrap();
        fields.into_iter().with_checksum::<LongBech32m>(&prefix).chars().collect()
    }

    #[test]
    fn a_line_with_another_prefix_or_bits_after_its_end_is_none_though_its_sums_are_right() {
        let secret = Secret::new([2; 16]);
        let (purpose, addresses) = (Purpose::Join, Vec::new());
        let line = Line { purpose, inviter: [1; 32], secret, expiry: 3, addresses };
        let bytes = line.to_bytes();
        // Of the last character three bits are after the last byte.
        assert_eq!(bytes.len() * 8 % 5, 2);
        assert_eq!(text("roast", &bytes, 0), line.to_string());
        assert_eq!(Line::parse(&text("roast", &bytes, 0)), Ok(line));
        for bits in 1..8 {
            assert_eq!(Line::parse(&text("roast", &bytes, bits)), Err(LineError::Content));
        }
        assert_eq!(Line::parse(&text("toast", &bytes, 0)), Err(LineError::NotWhole));
    }
}
