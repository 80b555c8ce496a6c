//! Reading PSBTs: binary or base64, version 0 (BIP-174, with the fields of BIP-371) or version
//! 2 (BIP-370).
//!
//! Before anything is decoded the maps are walked once, and a PSBT that is truncated or has
//! duplicate, missing or oversized fields is refused with an error of one line. Version 2 is
//! converted into version 0, which is what [`read`] returns.

mod error;
mod raw;
mod v2;

use std::{borrow::Cow, collections::BTreeMap};

use bitcoin::{
    Psbt, TxIn, TxOut,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    consensus::Decodable as _,
};

pub use self::error::{Place, PsbtError};
use self::raw::{Map, Reader};

/// The longest PSBT, in bytes: 4 MB, what `bitcoin` allows for one map and more than a block's
/// transactions have.
pub const MAX_PSBT: usize = 4_000_000;

/// The longest file with a PSBT in it, in bytes: in base64, with some line ends.
pub const MAX_PSBT_FILE: usize = MAX_PSBT.div_ceil(3) * 4 + MAX_PSBT / 32;

/// The most inputs. Each costs some work, and a group signs 64 in one request.
pub const MAX_INPUTS: usize = 1_000;

/// The most outputs. Each costs some work.
pub const MAX_OUTPUTS: usize = 2_000;

const MAGIC: &[u8] = b"psbt\xff";

/// Reads a PSBT, binary or in base64 (white space around it and in it does not matter), of version
/// 0 or 2.
///
/// # Errors
///
/// [`PsbtError`], one line for each way to be malformed. Whether the content makes sense is not
/// checked here, except that no two inputs spend the same output.
pub fn read(bytes: &[u8]) -> Result<Psbt, PsbtError> {
    let binary = binary(bytes)?;
    if binary.len() > MAX_PSBT {
        return Err(PsbtError::TooLong { length: binary.len() });
    }
    let mut reader = Reader::new(binary.strip_prefix(MAGIC).ok_or(PsbtError::NotAPsbt)?);
    let global = reader.map(Place::Global)?;
    let version = version(&global)?;
    let (inputs, outputs) = match version {
        0 => counts(&global)?,
        2 => v2::counts(&global)?,
        _ => return Err(PsbtError::OtherVersion { version }),
    };
    let bounded = |count, most| usize::try_from(count).ok().filter(|count| *count <= most);
    let inputs = bounded(inputs, MAX_INPUTS).ok_or(PsbtError::TooManyInputs { count: inputs })?;
    let outputs =
        bounded(outputs, MAX_OUTPUTS).ok_or(PsbtError::TooManyOutputs { count: outputs })?;
    let inputs = reader.maps(inputs, Place::Input)?;
    let outputs = reader.maps(outputs, Place::Output)?;
    reader.end()?;
    let psbt = if version == 2 {
        Psbt::deserialize(&v2::to_v0(&global, &inputs, &outputs)?)?
    } else {
        refuse_fields_of_v2(&global, &inputs, &outputs)?;
        Psbt::deserialize(&binary)?
    };
    let mut spent = BTreeMap::new();
    for (second, input) in psbt.unsigned_tx.input.iter().enumerate() {
        if let Some(first) = spent.insert(input.previous_output, second) {
            return Err(PsbtError::SameOutput { first, second });
        }
    }
    Ok(psbt)
}

fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, PsbtError> {
    if bytes.starts_with(MAGIC) {
        return Ok(Cow::Borrowed(bytes));
    }
    if bytes.len() > MAX_PSBT_FILE {
        return Err(PsbtError::TooLong { length: bytes.len() });
    }
    let text: Vec<u8> = bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
    BASE64_STANDARD.decode(text).map(Cow::Owned).map_err(|_| PsbtError::NotAPsbt)
}

fn version(global: &Map<'_>) -> Result<u32, PsbtError> {
    let Some(value) = global.get(&[0xfb][..]) else { return Ok(0) };
    let (place, field, allowed) = (Place::Global, "version", "4 bytes");
    let bytes =
        <[u8; 4]>::try_from(*value).map_err(|_| PsbtError::Value { place, field, allowed })?;
    Ok(u32::from_le_bytes(bytes))
}

/// The number of inputs and outputs of the unsigned transaction of version 0.
fn counts(global: &Map<'_>) -> Result<(u64, u64), PsbtError> {
    let (place, field) = (Place::Global, "unsigned transaction");
    let mut bytes = *global.get(&[0x00][..]).ok_or(PsbtError::Missing { place, field })?;
    // As BIP-174 requires: without witnesses, so that a count of 0 inputs is no witness marker.
    let parts = i32::consensus_decode(&mut bytes)
        .and_then(|_| Vec::<TxIn>::consensus_decode(&mut bytes))
        .and_then(|inputs| Ok((inputs, Vec::<TxOut>::consensus_decode(&mut bytes)?)));
    let allowed = "a transaction without witnesses";
    let (inputs, outputs) = parts.map_err(|_| PsbtError::Value { place, field, allowed })?;
    Ok((inputs.len() as u64, outputs.len() as u64))
}

fn refuse_fields_of_v2(
    global: &Map<'_>,
    inputs: &[Map<'_>],
    outputs: &[Map<'_>],
) -> Result<(), PsbtError> {
    v2::refuse_in_v0(global, Place::Global)?;
    for (index, map) in inputs.iter().enumerate() {
        v2::refuse_in_v0(map, Place::Input(index))?;
    }
    for (index, map) in outputs.iter().enumerate() {
        v2::refuse_in_v0(map, Place::Output(index))?;
    }
    Ok(())
}
