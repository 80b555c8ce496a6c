//! Version 2 (BIP-370): the transaction is in fields of the maps.

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, TxIn, TxOut, Txid, Witness, consensus::Encodable as _,
    hashes::Hash as _,
};

use super::{
    Place, PsbtError,
    raw::{Map, RawField, Reader},
};

/// The lowest lock time that is a time; those below are heights.
const LOWEST_TIME: u32 = 500_000_000;

/// A field of BIP-370: its key, its name and the length of its value, where that is fixed.
type Field = (u8, &'static str, Option<usize>);

const TX_VERSION: Field = (0x02, "transaction version", Some(4));
const FALLBACK_LOCK_TIME: Field = (0x03, "fallback lock time", Some(4));
const INPUT_COUNT: Field = (0x04, "input count", None);
const OUTPUT_COUNT: Field = (0x05, "output count", None);
const MODIFIABLE: Field = (0x06, "list of what may be modified", Some(1));
const PREVIOUS_TXID: Field = (0x0e, "previous transaction id", Some(32));
const OUTPUT_INDEX: Field = (0x0f, "index of the spent output", Some(4));
const SEQUENCE: Field = (0x10, "sequence number", Some(4));
const REQUIRED_TIME: Field = (0x11, "required lock time as a time", Some(4));
const REQUIRED_HEIGHT: Field = (0x12, "required lock time as a height", Some(4));
const AMOUNT: Field = (0x03, "amount", Some(8));
const SCRIPT: Field = (0x04, "script", None);

const GLOBAL: [Field; 5] = [TX_VERSION, FALLBACK_LOCK_TIME, INPUT_COUNT, OUTPUT_COUNT, MODIFIABLE];
const INPUT: [Field; 5] = [PREVIOUS_TXID, OUTPUT_INDEX, SEQUENCE, REQUIRED_TIME, REQUIRED_HEIGHT];
const OUTPUT: [Field; 2] = [AMOUNT, SCRIPT];

fn fields(place: Place) -> &'static [Field] {
    match place {
        Place::Global => &GLOBAL,
        Place::Input(_) => &INPUT,
        Place::Output(_) => &OUTPUT,
    }
}

/// The number of inputs and outputs.
pub(super) fn counts(global: &Map<'_>) -> Result<(u64, u64), PsbtError> {
    let count = |field: Field| {
        let value = required(global, field, Place::Global)?;
        let mut reader = Reader::new(value);
        let count = reader.size(Place::Global)?;
        reader
            .end()
            .map(|()| count)
            .map_err(|_| not_allowed(Place::Global, field, "a compact size"))
    };
    Ok((count(INPUT_COUNT)?, count(OUTPUT_COUNT)?))
}

/// The field of BIP-370 that has this key, whatever follows the key's type.
fn field(place: Place, key: &[u8]) -> Option<Field> {
    fields(place).iter().copied().find(|(kind, ..)| key.first() == Some(kind))
}

/// Checks that a map of version 0 has none of the fields of version 2. A longer key is none of
/// them: programs that know no version 2 may use it for themselves.
pub(super) fn refuse_in_v0(map: &Map<'_>, place: Place) -> Result<(), PsbtError> {
    let mut own = map.fields().filter(|(key, _)| key.len() == 1);
    match own.find_map(|(key, _)| field(place, key)) {
        Some((_, field, _)) => Err(PsbtError::NotInThisVersion { place, field, version: 0 }),
        None => Ok(()),
    }
}

/// Checks that a map of version 2 has no unsigned transaction, and each of its own fields in its
/// form.
pub(super) fn check(map: &Map<'_>, place: Place) -> Result<(), PsbtError> {
    if place == Place::Global && map.fields().any(|(key, _)| key[0] == 0x00) {
        let field = "unsigned transaction";
        return Err(PsbtError::NotInThisVersion { place, field, version: 2 });
    }
    for (key, value) in map.fields() {
        let Some(field) = field(place, key) else { continue };
        if key.len() != 1 {
            let allowed = "nothing after its type";
            return Err(PsbtError::Key { place, field: field.1, allowed });
        }
        if field.2.is_some_and(|length| value.len() != length) {
            return Err(not_allowed(place, field, lengths(field.2)));
        }
    }
    Ok(())
}

/// Whether this is the key of the flags of what may be modified.
pub(super) fn is_modifiable(key: &[u8]) -> bool {
    key == [MODIFIABLE.0]
}

/// The flags of what may be modified after a signature over all inputs and outputs: neither inputs
/// nor outputs; `None` where the PSBT has no flags.
pub(super) fn fixed(global: &Map<'_>) -> Option<Vec<u8>> {
    let flags = global.get(MODIFIABLE.0)?;
    Some(flags.iter().map(|flags| flags & !0b11).collect())
}

/// The unsigned transaction, as bytes.
pub(super) fn transaction(
    global: &Map<'_>,
    inputs: &[Map<'_>],
    outputs: &[Map<'_>],
) -> Result<Vec<u8>, PsbtError> {
    let version = bytes(required(global, TX_VERSION, Place::Global)?, TX_VERSION, Place::Global)?;
    let mut transaction = i32::from_le_bytes(version).to_le_bytes().to_vec();
    let spends = numbered(inputs).map(|(at, map)| spend(map, Place::Input(at)));
    let pays = numbered(outputs).map(|(at, map)| pay(map, Place::Output(at)));
    let (spends, pays) =
        (spends.collect::<Result<Vec<_>, _>>()?, pays.collect::<Result<Vec<_>, _>>()?);
    let in_memory = "a vector takes whatever is written";
    spends.consensus_encode(&mut transaction).expect(in_memory);
    pays.consensus_encode(&mut transaction).expect(in_memory);
    transaction.extend(lock_time(global, inputs)?.to_le_bytes());
    Ok(transaction)
}

fn numbered<'m, 'a>(maps: &'m [Map<'a>]) -> impl Iterator<Item = (usize, &'m Map<'a>)> {
    maps.iter().enumerate()
}

/// All but the fields of version 2.
pub(super) fn others<'a>(map: &Map<'a>, place: Place) -> impl Iterator<Item = RawField<'a>> {
    map.fields().filter(move |(key, _)| field(place, key).is_none())
}

fn spend(map: &Map<'_>, place: Place) -> Result<TxIn, PsbtError> {
    let txid = bytes(required(map, PREVIOUS_TXID, place)?, PREVIOUS_TXID, place)?;
    let vout = bytes(required(map, OUTPUT_INDEX, place)?, OUTPUT_INDEX, place)?;
    Ok(TxIn {
        previous_output: OutPoint {
            txid: Txid::from_byte_array(txid),
            vout: u32::from_le_bytes(vout),
        },
        script_sig: ScriptBuf::new(),
        sequence: number(map, SEQUENCE, place)?.map_or(Sequence::MAX, Sequence),
        witness: Witness::new(),
    })
}

fn pay(map: &Map<'_>, place: Place) -> Result<TxOut, PsbtError> {
    let value = u64::from_le_bytes(bytes(required(map, AMOUNT, place)?, AMOUNT, place)?);
    let script = required(map, SCRIPT, place)?;
    Ok(TxOut { value: Amount::from_sat(value), script_pubkey: ScriptBuf::from(script.to_vec()) })
}

/// BIP-370, "Determining Lock Time": the highest of the kind that all inputs which ask for one
/// accept, as a height where both kinds would do.
fn lock_time(global: &Map<'_>, inputs: &[Map<'_>]) -> Result<u32, PsbtError> {
    let mut asked = false;
    let (mut by_height, mut by_time) = (Some(0), Some(0));
    for (at, map) in numbered(inputs) {
        let place = Place::Input(at);
        let (time, height) =
            (number(map, REQUIRED_TIME, place)?, number(map, REQUIRED_HEIGHT, place)?);
        if time.is_some_and(|time| time < LOWEST_TIME) {
            return Err(not_allowed(place, REQUIRED_TIME, "500000000 and above"));
        }
        if height.is_some_and(|height| !(1..LOWEST_TIME).contains(&height)) {
            return Err(not_allowed(place, REQUIRED_HEIGHT, "1 to 499999999"));
        }
        if time.is_none() && height.is_none() {
            continue;
        }
        asked = true;
        by_height = by_height.zip(height).map(|(most, height)| height.max(most));
        by_time = by_time.zip(time).map(|(most, time)| time.max(most));
    }
    if !asked {
        return Ok(number(global, FALLBACK_LOCK_TIME, Place::Global)?.unwrap_or(0));
    }
    by_height.or(by_time).ok_or(PsbtError::LockTimes)
}

fn required<'a>(map: &Map<'a>, field: Field, place: Place) -> Result<&'a [u8], PsbtError> {
    map.get(field.0).ok_or(PsbtError::Missing { place, field: field.1 })
}

fn number(map: &Map<'_>, field: Field, place: Place) -> Result<Option<u32>, PsbtError> {
    let value = map.get(field.0).map(|value| bytes(value, field, place)).transpose()?;
    Ok(value.map(u32::from_le_bytes))
}

fn bytes<const N: usize>(value: &[u8], field: Field, place: Place) -> Result<[u8; N], PsbtError> {
    value.try_into().map_err(|_| not_allowed(place, field, lengths(Some(N))))
}

/// A length in words.
fn lengths(length: Option<usize>) -> &'static str {
    match length {
        Some(1) => "1 byte",
        Some(4) => "4 bytes",
        Some(8) => "8 bytes",
        _ => "32 bytes",
    }
}

fn not_allowed(place: Place, field: Field, allowed: &'static str) -> PsbtError {
    PsbtError::Value { place, field: field.1, allowed }
}
