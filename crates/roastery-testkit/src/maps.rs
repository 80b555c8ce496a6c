//! The maps of a PSBT as raw fields, for tests that change or compare them.

use bitcoin::{Psbt, VarInt, consensus::serialize};

/// A key with its type, and a value.
pub type Field = (Vec<u8>, Vec<u8>);

/// The global map, then those of the inputs, then those of the outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maps(pub Vec<Vec<Field>>);

impl Maps {
    /// Reads a valid binary PSBT, whatever its version.
    pub fn of(bytes: &[u8]) -> Self {
        let mut rest = bytes.strip_prefix(b"psbt\xff").unwrap();
        let mut maps = vec![Vec::new()];
        while !rest.is_empty() {
            let key = take(&mut rest);
            if key.is_empty() {
                maps.push(Vec::new());
            } else {
                let value = take(&mut rest);
                maps.last_mut().unwrap().push((key, value));
            }
        }
        // After the last separator.
        maps.pop();
        Self(maps)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"psbt\xff".to_vec();
        for map in &self.0 {
            for part in map.iter().flat_map(|(key, value)| [key, value]) {
                bytes.extend(serialize(&VarInt::from(part.len())));
                bytes.extend(part);
            }
            bytes.push(0);
        }
        bytes
    }
}

fn take(rest: &mut &[u8]) -> Vec<u8> {
    let (length, size) = match rest[0] {
        0xfd => (usize::from(u16::from_le_bytes(rest[1..3].try_into().unwrap())), 3),
        0xfe => (u32::from_le_bytes(rest[1..5].try_into().unwrap()) as usize, 5),
        short => (short.into(), 1),
    };
    let (taken, after) = rest[size..].split_at(length);
    *rest = after;
    taken.to_vec()
}

/// The same PSBT in version 2, with flags that all may be modified.
pub fn version_2(psbt: &Psbt) -> Maps {
    let mut maps = Maps::of(&psbt.serialize());
    let transaction = &psbt.unsigned_tx;
    let global = &mut maps.0[0];
    global.retain(|(key, _)| *key != [0x00]);
    let count = |count: usize| serialize(&VarInt::from(count));
    global.extend([
        (vec![0x02], transaction.version.0.to_le_bytes().to_vec()),
        (vec![0x03], transaction.lock_time.to_consensus_u32().to_le_bytes().to_vec()),
        (vec![0x04], count(transaction.input.len())),
        (vec![0x05], count(transaction.output.len())),
        (vec![0x06], vec![0b11]),
        (vec![0xfb], vec![2, 0, 0, 0]),
    ]);
    let (inputs, outputs) = maps.0[1..].split_at_mut(transaction.input.len());
    for (map, input) in inputs.iter_mut().zip(&transaction.input) {
        map.extend([
            (vec![0x0e], serialize(&input.previous_output.txid)),
            (vec![0x0f], input.previous_output.vout.to_le_bytes().to_vec()),
            (vec![0x10], input.sequence.0.to_le_bytes().to_vec()),
        ]);
    }
    for (map, output) in outputs.iter_mut().zip(&transaction.output) {
        map.extend([
            (vec![0x03], output.value.to_sat().to_le_bytes().to_vec()),
            (vec![0x04], output.script_pubkey.to_bytes()),
        ]);
    }
    maps
}
