//! BBQr: a file as a series of QR codes, and the texts of such codes as a file.
//!
//! Each code is a frame: `B$`, one letter for the encoding, one for the type of the file, the
//! number of frames and the index of this one (two digits of base 36 each), and a part of the data.

use std::collections::BTreeMap;

use ::bbqr::{
    consts::HEADER_LENGTH,
    decode::DecodeError,
    encode::Encoding,
    file_type::FileType,
    header::Header,
    join::{JoinError, Joined},
    qr,
    split::{Split, SplitOptions},
};
use qrcode::{EcLevel, QrCode, Version, bits::Bits, types::QrResult};
use thiserror::Error;

use crate::place::Coded;

/// The most codes of a series: at four a second a reader has seen all of them after ten seconds.
pub(crate) const MOST_CODES: usize = 40;

/// The largest code. BBQr advises against the very dense ones, which cameras read worse.
const LARGEST: qr::Version = qr::Version::V20;

/// The most missing parts that are named.
const MOST_NAMED: usize = 8;

/// A file as a series of codes of one size. `None` if it needs more than [`MOST_CODES`].
pub(crate) fn codes(file: &[u8], of: Coded) -> Option<Vec<QrCode>> {
    let frames = frames(file, of)?;
    // The first frame is the longest.
    let first = frames.first()?;
    let version = (1..=LARGEST as i16 + 1).find(|version| code(first, *version).is_ok())?;
    frames.iter().map(|frame| code(frame, version).ok()).collect()
}

fn frames(file: &[u8], of: Coded) -> Option<Vec<String>> {
    let kind = match of {
        Coded::Psbt => FileType::Psbt,
        Coded::Transaction => FileType::Transaction,
    };
    let options = SplitOptions {
        encoding: Encoding::Zlib,
        min_split_number: 1,
        max_split_number: MOST_CODES,
        min_version: qr::Version::V01,
        max_version: LARGEST,
    };
    Split::try_from_data(file, kind, options).ok().map(|split| split.parts)
}

/// The code of a frame, in the mode that BBQr asks for.
fn code(frame: &str, version: i16) -> QrResult<QrCode> {
    let mut bits = Bits::new(Version::Normal(version));
    bits.push_alphanumeric_data(frame.as_bytes())?;
    bits.push_terminator(EcLevel::L)?;
    QrCode::with_bits(bits, EcLevel::L)
}

/// Why the texts of frames make no PSBT. Texts are counted from 1, as they were pasted.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum Unjoined {
    /// It has no header.
    #[error(
        "Text {at} is not a BBQr frame: a frame begins with B$, an encoding (H, 2 or Z), the type \
         of the file, the number of parts and the number of this one. Paste the frames apart by \
         spaces or lines, and nothing else."
    )]
    NoFrame {
        /// Which text.
        at: usize,
    },
    /// Its header is not that of the first.
    #[error(
        "Text {at} is of another set than text 1: it begins with {begins}, and text 1 with \
         {first}. Paste the frames of one set."
    )]
    OtherSet {
        /// Which text.
        at: usize,
        /// How it begins.
        begins: String,
        /// How the first begins.
        first: String,
    },
    /// Its number is not below the number of parts.
    #[error(
        "Text {at} says that it is part {part} of {of}, which cannot be. Scan this frame again."
    )]
    NoSuchPart {
        /// Which text.
        at: usize,
        /// The number of the part, from 1.
        part: usize,
        /// The number of parts.
        of: usize,
    },
    /// A part has two contents.
    #[error(
        "Part {part} of {of} stands there twice with different content, in the texts {first} and \
         {second}. Scan this frame again."
    )]
    TwoContents {
        /// The number of the part, from 1.
        part: usize,
        /// The number of parts.
        of: usize,
        /// The text that has it first.
        first: usize,
        /// The text that has something else.
        second: usize,
    },
    /// Parts are not there.
    #[error("Of {of} parts these are missing: {missing}. Scan them too.")]
    Missing {
        /// The numbers of the missing parts.
        missing: String,
        /// The number of parts.
        of: usize,
    },
    /// It is something else.
    #[error(
        "The frames are of a file of the type {kind}; allowed is P, a PSBT. Export the PSBT in the \
         other wallet."
    )]
    OtherFile {
        /// The letter of its type.
        kind: char,
    },
    /// All parts but the last have one length.
    #[error(
        "Part {part} of {of} has {length} characters, and part 1 has {usual}: all parts but the \
         last have the same length, and the last is not longer. Scan both frames again."
    )]
    Length {
        /// The number of the part, from 1.
        part: usize,
        /// The number of parts.
        of: usize,
        /// Its length.
        length: usize,
        /// The length of the first.
        usual: usize,
    },
    /// It has no data, or what its encoding does not have.
    #[error(
        "Part {part} of {of} was changed: it is empty, or is not whole bytes of its encoding. Scan \
         this frame again."
    )]
    Unread {
        /// The number of the part, from 1.
        part: usize,
        /// The number of parts.
        of: usize,
    },
    /// The parts together are no compressed file.
    #[error("A part was changed: the data cannot be decompressed. Scan all frames again.")]
    Compressed,
    /// It is more than a node takes.
    #[error("The PSBT of these frames is too long: at most {most} bytes are allowed.")]
    TooLong {
        /// The most bytes.
        most: usize,
    },
}

/// Whether a text is meant as frames.
pub(crate) fn is_frames(text: &str) -> bool {
    text.trim_start().starts_with("B$")
}

/// The PSBT of frames, whose texts stand in any order apart by white space, each once or more. It
/// has at most so many bytes.
pub(crate) fn join(text: &str, most: usize) -> Result<Vec<u8>, Unjoined> {
    let mut parts: BTreeMap<usize, (usize, &str)> = BTreeMap::new();
    let mut set: Option<(&str, usize)> = None;
    for (at, frame) in (1..).zip(text.split_whitespace()) {
        let (begins, of, index, data) = frame_of(frame).ok_or(Unjoined::NoFrame { at })?;
        let (first, _) = *set.get_or_insert((begins, of));
        if begins != first {
            let (begins, first) = (begins.to_owned(), first.to_owned());
            return Err(Unjoined::OtherSet { at, begins, first });
        }
        let part = index + 1;
        if index >= of {
            return Err(Unjoined::NoSuchPart { at, part, of });
        }
        let (known_at, known) = *parts.entry(index).or_insert((at, data));
        if known != data {
            return Err(Unjoined::TwoContents { part, of, first: known_at, second: at });
        }
    }
    let (begins, of) = set.ok_or(Unjoined::NoFrame { at: 1 })?;
    let missing: Vec<usize> = (0..of).filter(|index| !parts.contains_key(index)).collect();
    if !missing.is_empty() {
        return Err(Unjoined::Missing { missing: named(&missing), of });
    }
    if let Some(kind) = begins.chars().nth(3).filter(|kind| *kind != 'P') {
        return Err(Unjoined::OtherFile { kind });
    }
    let usual = parts.get(&0).map_or(0, |(_, data)| data.len());
    for (index, (_, data)) in &parts {
        let (part, length, is_last) = (index + 1, data.len(), index + 1 == of);
        if length > usual || (length < usual && !is_last) {
            return Err(Unjoined::Length { part, of, length, usual });
        }
    }
    let frames = text.split_whitespace().map(str::to_owned).collect();
    let joined = Joined::try_from_parts(frames).map_err(|error| match error {
        JoinError::PartWithNoData(index)
        | JoinError::DecodeError(
            DecodeError::UnableToDecodeHex(index, _) | DecodeError::UnableToDecodeBase32(index, _),
        ) => Unjoined::Unread { part: index + 1, of },
        JoinError::DecodeError(DecodeError::DecompressedTooLarge { .. }) => {
            Unjoined::TooLong { most }
        }
        _ => Unjoined::Compressed,
    })?;
    match joined.data.len() > most {
        true => Err(Unjoined::TooLong { most }),
        false => Ok(joined.data),
    }
}

/// What all frames of a set begin with, the number of parts, the index of this one, and its data.
fn frame_of(text: &str) -> Option<(&str, usize, usize, &str)> {
    let (begins, rest) = text.split_at_checked(HEADER_LENGTH - 2)?;
    let (index, data) = rest.split_at_checked(2)?;
    if !begins.bytes().chain(index.bytes()).all(|byte| byte == b'$' || byte.is_ascii_alphanumeric())
    {
        return None;
    }
    let header = Header::try_from_str(text).ok()?;
    let index = usize::from_str_radix(index, 36).ok()?;
    Some((begins, header.num_parts, index, data))
}

/// The numbers of parts, which are counted from 1.
fn named(indices: &[usize]) -> String {
    let numbers = indices.iter().take(MOST_NAMED).map(|index| (index + 1).to_string());
    let named = numbers.collect::<Vec<_>>().join(", ");
    match indices.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
