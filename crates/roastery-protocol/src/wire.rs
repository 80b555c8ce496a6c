//! How the types of the signing scheme go into bytes. Everything else derives its encoding.
//!
//! The encoding is [borsh](https://borsh.io): integers little-endian, a list as its 32-bit length
//! and its elements, an option and an enum as one byte and the content. It is injective: [`decode`]
//! refuses trailing bytes, and no value has two encodings. Points are 33 bytes compressed, scalars
//! 32 bytes big-endian, as BIP-445 has them; a seat is 16 bits, so that a number out of range is
//! seen and not cut off.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{
    AggregateNonce, PartialSignature, Point, PublicNonce, Seat, Signature, XOnlyPublicKey,
    decode_point,
};

fn invalid(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// Decodes exactly one value that fills the bytes.
pub(crate) fn decode<T: BorshDeserialize>(bytes: &[u8]) -> io::Result<T> {
    borsh::from_slice(bytes)
}

/// Encodes a value.
pub(crate) fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    // Writing to a Vec cannot fail, and no list here is longer than 2^32.
    borsh::to_vec(value).expect("encoding into memory does not fail")
}

/// A type of the signing scheme with a fixed-length encoding of its own.
pub(crate) trait Wire: Sized {
    type Bytes: BorshDeserialize + BorshSerialize;
    fn to_wire(&self) -> Self::Bytes;
    fn from_wire(bytes: Self::Bytes) -> io::Result<Self>;
}

impl Wire for Seat {
    type Bytes = u16;
    fn to_wire(&self) -> u16 {
        self.to_u16()
    }
    fn from_wire(bytes: u16) -> io::Result<Self> {
        Seat::new(bytes.into()).map_err(invalid)
    }
}

impl Wire for PublicNonce {
    type Bytes = [u8; 66];
    fn to_wire(&self) -> [u8; 66] {
        self.to_bytes()
    }
    fn from_wire(bytes: [u8; 66]) -> io::Result<Self> {
        PublicNonce::from_bytes(&bytes).map_err(invalid)
    }
}

impl Wire for AggregateNonce {
    type Bytes = [u8; 66];
    fn to_wire(&self) -> [u8; 66] {
        self.to_bytes()
    }
    fn from_wire(bytes: [u8; 66]) -> io::Result<Self> {
        AggregateNonce::from_bytes(&bytes).map_err(invalid)
    }
}

impl Wire for PartialSignature {
    type Bytes = [u8; 32];
    fn to_wire(&self) -> [u8; 32] {
        self.to_bytes()
    }
    fn from_wire(bytes: [u8; 32]) -> io::Result<Self> {
        PartialSignature::from_bytes(&bytes).map_err(invalid)
    }
}

impl Wire for Signature {
    type Bytes = [u8; 64];
    fn to_wire(&self) -> [u8; 64] {
        self.to_bytes()
    }
    fn from_wire(bytes: [u8; 64]) -> io::Result<Self> {
        Ok(Signature::from_bytes(&bytes))
    }
}

impl Wire for Point {
    type Bytes = [u8; 33];
    fn to_wire(&self) -> [u8; 33] {
        self.serialize()
    }
    fn from_wire(bytes: [u8; 33]) -> io::Result<Self> {
        decode_point(&bytes).map_err(invalid)
    }
}

impl Wire for XOnlyPublicKey {
    type Bytes = [u8; 32];
    fn to_wire(&self) -> [u8; 32] {
        self.to_bytes()
    }
    fn from_wire(bytes: [u8; 32]) -> io::Result<Self> {
        XOnlyPublicKey::from_bytes(&bytes).map_err(invalid)
    }
}

/// Borsh field functions for one such value: `#[borsh(serialize_with = "wire::put",
/// deserialize_with = "wire::take")]`.
pub(crate) fn put<T: Wire, W: io::Write>(value: &T, writer: &mut W) -> io::Result<()> {
    value.to_wire().serialize(writer)
}

/// The counterpart of [`put`].
pub(crate) fn take<T: Wire, R: io::Read>(reader: &mut R) -> io::Result<T> {
    T::from_wire(T::Bytes::deserialize_reader(reader)?)
}

/// Borsh field functions for a list of such values.
pub(crate) fn put_list<T: Wire, W: io::Write>(values: &[T], writer: &mut W) -> io::Result<()> {
    let length = u32::try_from(values.len()).map_err(invalid)?;
    length.serialize(writer)?;
    values.iter().try_for_each(|value| put(value, writer))
}

/// The counterpart of [`put_list`]. A list whose stated length is greater than anything here can
/// be is refused before memory is allocated for it.
pub(crate) fn take_list<T: Wire, R: io::Read>(reader: &mut R) -> io::Result<Vec<T>> {
    let length = take_length::<128, R>(reader)?;
    (0..length).map(|_| take(reader)).collect()
}

/// Borsh field function for a list of at most `MOST` values. A longer one is refused before memory
/// is allocated for it.
pub(crate) fn take_at_most<const MOST: u32, T: BorshDeserialize, R: io::Read>(
    reader: &mut R,
) -> io::Result<Vec<T>> {
    let length = take_length::<MOST, R>(reader)?;
    (0..length).map(|_| T::deserialize_reader(reader)).collect()
}

/// Borsh field function for at most `MOST` bytes. More are refused before memory is allocated for
/// them.
pub(crate) fn take_bytes<const MOST: usize, R: io::Read>(reader: &mut R) -> io::Result<Vec<u8>> {
    let length = u32::deserialize_reader(reader)? as usize;
    if length > MOST {
        return Err(invalid(format!("{length} bytes; at most {MOST} are allowed")));
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Borsh field function for a text of at most `MOST` bytes of printable ASCII.
pub(crate) fn take_text<const MOST: usize, R: io::Read>(reader: &mut R) -> io::Result<String> {
    let bytes = take_bytes::<MOST, R>(reader)?;
    let text = String::from_utf8(bytes).map_err(invalid)?;
    match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text),
        false => Err(invalid("a text with other characters than printable ASCII")),
    }
}

fn take_length<const MOST: u32, R: io::Read>(reader: &mut R) -> io::Result<u32> {
    let length = u32::deserialize_reader(reader)?;
    if length > MOST {
        return Err(invalid(format!("a list of {length} elements; at most {MOST} are allowed")));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_up_to_their_bound_and_the_length_is_looked_at_first() {
        let read = |bytes: &[u8]| take_bytes::<4, _>(&mut &*bytes);
        assert_eq!(read(&[4, 0, 0, 0, 1, 2, 3, 4]).unwrap(), [1, 2, 3, 4]);
        assert_eq!(read(&[0, 0, 0, 0]).unwrap(), []);
        assert_eq!(
            read(&[5, 0, 0, 0, 1, 2, 3, 4, 5]).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(read(&[0xff; 4]).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(read(&[4, 0, 0, 0, 1]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
