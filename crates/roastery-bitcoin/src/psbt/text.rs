//! The forms in which a PSBT comes as text: base64 (with `+/` or `-_`, padded or not) and
//! hexadecimal digits, with a byte-order mark or without, as UTF-8 or UTF-16.

use std::borrow::Cow;

use bitcoin::{
    Transaction,
    base64::{
        Engine as _, alphabet,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    },
    consensus,
    hex::FromHex as _,
};

use super::{
    MAGIC, MAX_PSBT_FILE,
    error::{Content, PsbtError},
};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The binary form of a PSBT, without any check of what follows its first five bytes.
///
/// # Errors
///
/// [`PsbtError::NotAPsbt`] says what it is instead, [`PsbtError::TooLong`] if it is a text longer
/// than [`MAX_PSBT_FILE`].
pub fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, PsbtError> {
    if bytes.starts_with(MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    if bytes.len() > MAX_PSBT_FILE {
        return Err(PsbtError::TooLong { length: bytes.len() });
    }
    let other = |content| Err(PsbtError::NotAPsbt { content });
    let text = text(bytes);
    if let Ok(binary) = Vec::from_hex(&text)
        && !text.is_empty()
    {
        return match binary {
            binary if binary.starts_with(MAGIC) => Ok(Cow::Owned(binary)),
            binary if is_transaction(&binary) => other(Content::Transaction),
            _ => other(Content::Hexadecimal),
        };
    }
    match BASE64.decode(text.replace('-', "+").replace('_', "/")) {
        Ok(binary) if binary.starts_with(MAGIC) => Ok(Cow::Owned(binary)),
        _ if text.is_empty() => other(Content::Nothing),
        _ if is_transaction(bytes) => other(Content::Transaction),
        _ if text.starts_with(['{', '[']) => other(Content::Json),
        Ok(binary) if is_transaction(&binary) => other(Content::Transaction),
        Ok(_) => other(Content::Base64),
        Err(_) => other(Content::Other),
    }
}

/// The text in these bytes, without white space. What is no text gives a text that decodes as
/// nothing.
fn text(bytes: &[u8]) -> String {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks();
        let text = String::from_utf16(&units.iter().map(|unit| read(*unit)).collect::<Vec<_>>());
        text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => str::from_utf8(rest).ok().map(Cow::Borrowed),
        _ => str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    let text = text.unwrap_or(Cow::Borrowed("\u{fffd}"));
    text.chars().filter(|char| !char.is_whitespace()).collect()
}

fn is_transaction(bytes: &[u8]) -> bool {
    consensus::deserialize::<Transaction>(bytes).is_ok()
}
