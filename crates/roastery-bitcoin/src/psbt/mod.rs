//! Reading and writing PSBTs: version 0 (BIP-174, with the fields of BIP-371) and version 2
//! (BIP-370), binary or as text.
//!
//! Before anything is decoded the maps are walked once, and a PSBT that is truncated or has
//! duplicate, missing or oversized fields is refused with an error of one line. What was read is a
//! [`Document`]: all fields as they stand, and beside them those that this crate uses, decoded.
//! What is written has the same version, and the same fields in the same order, byte for byte, but
//! for those that signing changes.

mod error;
mod field;
mod raw;
mod text;
mod tree;
mod v2;
mod write;

use std::collections::BTreeMap;

use bitcoin::{Psbt, TapNodeHash, TxIn, TxOut, consensus::Decodable as _};

use self::raw::{Map, Reader};
pub(crate) use self::write::{Edit, Kept, leaf_signature, p2tr_fields};
pub use self::{
    error::{Content, Place, PsbtError},
    text::binary,
};

/// The longest PSBT, in bytes: 4 MB, what `bitcoin` allows for one map and more than a block's
/// transactions have.
pub const MAX_PSBT: usize = 4_000_000;

/// The longest file with a PSBT in it, in bytes: in hexadecimal digits, with some line ends.
pub const MAX_PSBT_FILE: usize = MAX_PSBT * 2 + MAX_PSBT / 32;

/// The most inputs. Each costs some work.
pub const MAX_INPUTS: usize = 1_000;

/// The most outputs. Each costs some work.
pub const MAX_OUTPUTS: usize = 2_000;

const MAGIC: &[u8] = b"psbt\xff";

/// The version of a PSBT.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// BIP-174: the transaction is one field.
    V0,
    /// BIP-370: the transaction is in fields of the maps.
    V2,
}

/// A PSBT as it was read: all of its fields, byte for byte and in their order, and beside them
/// those that this crate uses, decoded. Every one of its maps is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    bytes: Vec<u8>,
    version: Version,
    decoded: Psbt,
    trees: Vec<Option<TapNodeHash>>,
    signed_message: Option<Vec<u8>>,
}

impl Document {
    /// The PSBT in binary form: what was read, or what was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The fields that this crate uses, in version 0. Fields of others are not in it, and of the
    /// fields in use neither those that `bitcoin` has no form for.
    pub fn decoded(&self) -> &Psbt {
        &self.decoded
    }

    /// The text that a proof of funds signs, as its field has it (BIP-322).
    pub(crate) fn signed_message(&self) -> Option<&[u8]> {
        self.signed_message.as_deref()
    }

    /// The Merkle root of an output's script tree, as its field has it (BIP-371).
    pub(crate) fn tree(&self, output: usize) -> Option<TapNodeHash> {
        self.trees.get(output).copied().flatten()
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, PsbtError> {
        let Maps { version, global, inputs, outputs } = Maps::of(&bytes)?;
        if version == Version::V0 {
            v2::refuse_in_v0(&global, Place::Global)?;
        } else {
            v2::check(&global, Place::Global)?;
        }
        for (map, place) in each(&inputs, Place::Input).chain(each(&outputs, Place::Output)) {
            match version {
                Version::V0 => v2::refuse_in_v0(map, place)?,
                Version::V2 => v2::check(map, place)?,
            }
        }
        let all = [(&global, Place::Global)].into_iter();
        let all = all.chain(each(&inputs, Place::Input)).chain(each(&outputs, Place::Output));
        for (map, place) in all {
            map.fields().try_for_each(|entry| field::check(place, entry))?;
        }
        let transaction = match version {
            Version::V0 => required_transaction(&global)?.to_vec(),
            Version::V2 => v2::transaction(&global, &inputs, &outputs)?,
        };
        let mut known = MAGIC.to_vec();
        raw::write([(&[0x00][..], &transaction[..])], &mut known);
        for (map, place) in each(&inputs, Place::Input).chain(each(&outputs, Place::Output)) {
            let fields = field::decoded(map, place);
            raw::write(fields.iter().map(|(key, value)| (&key[..], *value)), &mut known);
        }
        let decoded = Psbt::deserialize(&known)?;
        let trees = outputs.iter().map(|map| map.get(0x06).and_then(tree::root)).collect();
        let signed_message = global.get(field::SIGNED_MESSAGE).map(<[u8]>::to_vec);
        let mut spent = BTreeMap::new();
        for (second, input) in decoded.unsigned_tx.input.iter().enumerate() {
            if let Some(first) = spent.insert(input.previous_output, second) {
                return Err(PsbtError::SameOutput { first, second });
            }
        }
        Ok(Self { bytes, version, decoded, trees, signed_message })
    }
}

/// Reads a PSBT of version 0 or 2: binary, in base64 or in hexadecimal digits. White space around
/// it and in it does not matter, nor does a byte-order mark.
///
/// # Errors
///
/// [`PsbtError`], one line for each way to be malformed. Whether the content makes sense is not
/// checked here, except that no two inputs spend the same output.
pub fn read(bytes: &[u8]) -> Result<Document, PsbtError> {
    let binary = binary(bytes)?;
    if binary.len() > MAX_PSBT {
        return Err(PsbtError::TooLong { length: binary.len() });
    }
    Document::parse(binary.into_owned())
}

/// The maps of a PSBT in binary form.
struct Maps<'a> {
    version: Version,
    global: Map<'a>,
    inputs: Vec<Map<'a>>,
    outputs: Vec<Map<'a>>,
}

impl<'a> Maps<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, PsbtError> {
        let content = Content::Other;
        let mut reader =
            Reader::new(bytes.strip_prefix(MAGIC).ok_or(PsbtError::NotAPsbt { content })?);
        let global = reader.map(Place::Global)?;
        let version = version(&global)?;
        let (inputs, outputs) = match version {
            Version::V0 => counts(&global)?,
            Version::V2 => v2::counts(&global)?,
        };
        let bounded = |count, most| usize::try_from(count).ok().filter(|count| *count <= most);
        let inputs =
            bounded(inputs, MAX_INPUTS).ok_or(PsbtError::TooManyInputs { count: inputs })?;
        let outputs =
            bounded(outputs, MAX_OUTPUTS).ok_or(PsbtError::TooManyOutputs { count: outputs })?;
        let inputs = reader.maps(inputs, Place::Input)?;
        let outputs = reader.maps(outputs, Place::Output)?;
        reader.end()?;
        Ok(Self { version, global, inputs, outputs })
    }
}

/// Each map with its place.
fn each<'m, 'a>(
    maps: &'m [Map<'a>],
    place: fn(usize) -> Place,
) -> impl Iterator<Item = (&'m Map<'a>, Place)> {
    maps.iter().enumerate().map(move |(index, map)| (map, place(index)))
}

fn version(global: &Map<'_>) -> Result<Version, PsbtError> {
    let Some(value) = global.get(0xfb) else { return Ok(Version::V0) };
    let (place, field, allowed) = (Place::Global, "version", "4 bytes");
    let bytes =
        <[u8; 4]>::try_from(value).map_err(|_| PsbtError::Value { place, field, allowed })?;
    match u32::from_le_bytes(bytes) {
        0 => Ok(Version::V0),
        2 => Ok(Version::V2),
        version => Err(PsbtError::OtherVersion { version }),
    }
}

fn required_transaction<'a>(global: &Map<'a>) -> Result<&'a [u8], PsbtError> {
    let (place, field) = (Place::Global, "unsigned transaction");
    global.get(0x00).ok_or(PsbtError::Missing { place, field })
}

/// The number of inputs and outputs of the unsigned transaction of version 0.
fn counts(global: &Map<'_>) -> Result<(u64, u64), PsbtError> {
    let mut bytes = required_transaction(global)?;
    // As BIP-174 requires: without witnesses, so that a count of 0 inputs is no witness marker.
    let parts = i32::consensus_decode(&mut bytes)
        .and_then(|_| Vec::<TxIn>::consensus_decode(&mut bytes))
        .and_then(|inputs| Ok((inputs, Vec::<TxOut>::consensus_decode(&mut bytes)?)));
    let (place, field) = (Place::Global, "unsigned transaction");
    let allowed = "a transaction without witnesses";
    let (inputs, outputs) = parts.map_err(|_| PsbtError::Value { place, field, allowed })?;
    Ok((inputs.len() as u64, outputs.len() as u64))
}
