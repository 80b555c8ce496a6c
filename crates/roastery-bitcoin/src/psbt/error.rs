use std::fmt;

use thiserror::Error;

use super::{MAX_INPUTS, MAX_OUTPUTS, MAX_PSBT};

/// One of the key-value maps of a PSBT.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The map of the whole transaction.
    Global,
    /// The map of the input with this index, from 0.
    Input(usize),
    /// The map of the output with this index, from 0.
    Output(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Global => f.write_str("the global map"),
            Place::Input(index) => write!(f, "input {index}"),
            Place::Output(index) => write!(f, "output {index}"),
        }
    }
}

/// What a file is that is no PSBT.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing at all, or white space only.
    Nothing,
    /// A transaction, as bytes or as text.
    Transaction,
    /// JSON text.
    Json,
    /// Hexadecimal digits of something else.
    Hexadecimal,
    /// Base64 of something else.
    Base64,
    /// Something else.
    Other,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Nothing => "it is empty",
            Content::Transaction => {
                "it is a transaction, which does not say what its inputs spend; ask for the PSBT"
            }
            Content::Json => "it is JSON; give the PSBT that stands in it as a file of its own",
            Content::Hexadecimal => "it is hexadecimal digits of something else",
            Content::Base64 => "it is base64 of something else",
            Content::Other => {
                "it is neither binary, beginning with \"psbt\" and the byte ff, nor base64, nor hexadecimal"
            }
        })
    }
}

/// Why bytes are no PSBT that this crate reads. The `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PsbtError {
    /// More bytes than this crate reads.
    #[error("a PSBT of {length} bytes; at most {MAX_PSBT} are allowed")]
    TooLong {
        /// Its length in bytes; that of the text where it is one.
        length: usize,
    },
    /// The bytes are no PSBT in any form.
    #[error("not a PSBT: {content}")]
    NotAPsbt {
        /// What they are instead.
        content: Content,
    },
    /// The PSBT ends before its content does.
    #[error("the PSBT is cut off in {place}: {missing} more bytes are announced than there are")]
    Truncated {
        /// The map in which it is.
        place: Place,
        /// How many bytes are missing at least.
        missing: u64,
    },
    /// Bytes follow after the end of the PSBT.
    #[error("{count} bytes follow after the end of the PSBT")]
    TrailingBytes {
        /// The number of bytes after the end.
        count: usize,
    },
    /// A length is written with more bytes than it takes.
    #[error("a length in {place} is not written in its shortest form")]
    Length {
        /// The map in which it is.
        place: Place,
    },
    /// One map has one key twice.
    #[error("{place} has the key {key:#04x} twice")]
    DuplicateKey {
        /// The map in which it is.
        place: Place,
        /// The key's type.
        key: u8,
    },
    /// A version that is not defined, or is newer than this crate.
    #[error("a PSBT of version {version}; versions 0 (BIP-174) and 2 (BIP-370) are read")]
    OtherVersion {
        /// The version of the PSBT.
        version: u32,
    },
    /// A field that is required is missing.
    #[error("{place} has no {field}")]
    Missing {
        /// The map in which it is.
        place: Place,
        /// The field's name, for people.
        field: &'static str,
    },
    /// A field that is not allowed in this version is there.
    #[error("{place} has the {field}, which a PSBT of version {version} may not have")]
    NotInThisVersion {
        /// The map in which it is.
        place: Place,
        /// The field's name, for people.
        field: &'static str,
        /// The version of the PSBT.
        version: u32,
    },
    /// More or less follows the type in a field's key than is allowed.
    #[error("{place}: the key of the {field} is not allowed ({allowed})")]
    Key {
        /// The map in which it is.
        place: Place,
        /// The field's name, for people.
        field: &'static str,
        /// What may follow the type, in words.
        allowed: &'static str,
    },
    /// A field has a value that is not allowed.
    #[error("{place}: the {field} has a value that is not allowed ({allowed})")]
    Value {
        /// The map in which it is.
        place: Place,
        /// The field's name, for people.
        field: &'static str,
        /// The values that are allowed, in words.
        allowed: &'static str,
    },
    /// More inputs than this crate reads.
    #[error("{count} inputs; at most {MAX_INPUTS} are allowed")]
    TooManyInputs {
        /// The number that the PSBT states.
        count: u64,
    },
    /// More outputs than this crate reads.
    #[error("{count} outputs; at most {MAX_OUTPUTS} are allowed")]
    TooManyOutputs {
        /// The number that the PSBT states.
        count: u64,
    },
    /// The inputs ask for lock times that exclude each other (BIP-370).
    #[error("some inputs ask for a lock time as a height and others for one as a time")]
    LockTimes,
    /// Two inputs spend the same output, which no transaction may.
    #[error("inputs {first} and {second} spend the same output")]
    SameOutput {
        /// The index of the earlier input, from 0.
        first: usize,
        /// The index of the later input, from 0.
        second: usize,
    },
    /// A field does not decode.
    #[error("the PSBT does not decode: {reason}")]
    Field {
        /// The error of the `bitcoin` crate, cut at 200 characters: it may quote its input.
        reason: String,
    },
}

impl From<bitcoin::psbt::Error> for PsbtError {
    fn from(error: bitcoin::psbt::Error) -> Self {
        PsbtError::Field { reason: error.to_string().chars().take(200).collect() }
    }
}
