use std::fmt;

use thiserror::Error;

use super::{MAX_INPUTS, MAX_OUTPUTS, MAX_PSBT};

/// Which map of a PSBT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one of the whole transaction.
    Global,
    /// The one of an input, from 0.
    Input(usize),
    /// The one of an output, from 0.
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

/// Why something is no PSBT that this crate works with: one line each.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PsbtError {
    /// More bytes than any PSBT may have here.
    #[error("a PSBT of {length} bytes; at most {MAX_PSBT} are allowed")]
    TooLong {
        /// Its length in bytes; that of the text where it is one.
        length: usize,
    },
    /// Neither form.
    #[error("not a PSBT: neither binary, beginning with \"psbt\" and the byte ff, nor in base64")]
    NotAPsbt,
    /// It ends too early.
    #[error("the PSBT is cut off in {place}: {missing} more bytes are announced than there are")]
    Truncated {
        /// Where.
        place: Place,
        /// How many bytes are missing at least.
        missing: u64,
    },
    /// It goes on after its end.
    #[error("{count} bytes follow after the end of the PSBT")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A length is written with more bytes than it takes.
    #[error("a length in {place} is not written in its shortest form")]
    Length {
        /// Where.
        place: Place,
    },
    /// One key stands twice in one map.
    #[error("{place} has the key {key:#04x} twice")]
    DuplicateKey {
        /// Where.
        place: Place,
        /// The key's type.
        key: u8,
    },
    /// A version that is not defined, or is newer than this crate.
    #[error("a PSBT of version {version}; versions 0 (BIP-174) and 2 (BIP-370) are read")]
    OtherVersion {
        /// The version.
        version: u32,
    },
    /// A field that must be there is not.
    #[error("{place} has no {field}")]
    Missing {
        /// Where.
        place: Place,
        /// The field.
        field: &'static str,
    },
    /// A field that may not be there in this version is.
    #[error("{place} has the {field}, which a PSBT of version {version} may not have")]
    NotInThisVersion {
        /// Where.
        place: Place,
        /// The field.
        field: &'static str,
        /// The version.
        version: u32,
    },
    /// A field's value is not one that it can have.
    #[error("{place}: the {field} has a value that is not allowed ({allowed})")]
    Value {
        /// Where.
        place: Place,
        /// The field.
        field: &'static str,
        /// What is.
        allowed: &'static str,
    },
    /// Too many inputs.
    #[error("{count} inputs; at most {MAX_INPUTS} are allowed")]
    TooManyInputs {
        /// How many.
        count: u64,
    },
    /// Too many outputs.
    #[error("{count} outputs; at most {MAX_OUTPUTS} are allowed")]
    TooManyOutputs {
        /// How many.
        count: u64,
    },
    /// The inputs ask for lock times that exclude each other (BIP-370).
    #[error("some inputs ask for a lock time as a height and others for one as a time")]
    LockTimes,
    /// Two inputs spend the same output, which no transaction may.
    #[error("inputs {first} and {second} spend the same output")]
    SameOutput {
        /// The earlier one.
        first: usize,
        /// The later one.
        second: usize,
    },
    /// A field does not decode.
    #[error("the PSBT does not decode: {reason}")]
    Field {
        /// What `bitcoin` says of it, cut off where it is long: it may quote what it read.
        reason: String,
    },
}

impl From<bitcoin::psbt::Error> for PsbtError {
    fn from(error: bitcoin::psbt::Error) -> Self {
        PsbtError::Field { reason: error.to_string().chars().take(200).collect() }
    }
}
