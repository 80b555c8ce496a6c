//! Writing a PSBT again: with signatures, and in version 0.

use std::collections::BTreeMap;

use bitcoin::{TapLeafHash, XOnlyPublicKey, hashes::Hash as _, taproot::Signature};

use super::{
    Document, MAGIC, Maps, Place, PsbtError, Version,
    raw::{self, Map, RawField},
    v2,
};

const FINAL_SCRIPT: u8 = 0x07;
const FINAL_WITNESS: u8 = 0x08;
const TAP_KEY_SIGNATURE: u8 = 0x13;
const TAP_LEAF_SIGNATURE: u8 = 0x14;
const TAP_INTERNAL_KEY: u8 = 0x17;

/// Which fields of an input stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All but a final script or witness, which was not valid.
    Unfinished,
    /// Those of BIP-174 for a finalised input: what it spends, and what no BIP or one that this
    /// crate does not know defines; with version 2 also the fields of the transaction.
    Finalised,
}

/// The changes of one input.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) kept: Kept,
    /// Fields, key and value, that replace the one of the same key or are added at the end.
    pub(crate) set: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Edit {
    /// A finalised input with this witness.
    pub(crate) fn finalised(witness: &bitcoin::Witness) -> Self {
        let witness = bitcoin::consensus::serialize(witness);
        Self { kept: Kept::Finalised, set: vec![(vec![FINAL_WITNESS], witness)] }
    }

    fn keeps(&self, key: &[u8]) -> bool {
        let kind = key[0];
        match self.kept {
            Kept::Unfinished => !matches!(kind, FINAL_SCRIPT | FINAL_WITNESS),
            // 00 and 01 are what is spent, 0e to 12 the fields of version 2.
            Kept::Finalised => !matches!(kind, 0x02..=0x0d | 0x13..=0x18),
        }
    }

    fn write(&self, map: &Map<'_>, to: &mut Vec<u8>) {
        let mut set: Vec<RawField<'_>> =
            self.set.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        for (key, value) in map.fields() {
            if let Some(at) = set.iter().position(|(changed, _)| *changed == key) {
                let (key, value) = set.remove(at);
                raw::write_field(key, value, to);
            } else if self.keeps(key) {
                raw::write_field(key, value, to);
            }
        }
        raw::write(set, to);
    }
}

/// The fields of a signature for the key path: the signature, and the internal key, where
/// finalisers look for it.
pub(crate) fn p2tr_fields(
    signature: &Signature,
    internal_key: &XOnlyPublicKey,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![
        (vec![TAP_KEY_SIGNATURE], signature.to_vec()),
        (vec![TAP_INTERNAL_KEY], internal_key.serialize().to_vec()),
    ]
}

/// The field of a signature for a leaf.
pub(crate) fn leaf_signature(
    (key, leaf): (XOnlyPublicKey, TapLeafHash),
    signature: &Signature,
) -> (Vec<u8>, Vec<u8>) {
    let mut named = vec![TAP_LEAF_SIGNATURE];
    named.extend(key.serialize());
    named.extend(leaf.as_byte_array());
    (named, signature.to_vec())
}

impl Document {
    /// The same PSBT with changes of these inputs. Every other field stays as it is, but for the
    /// flags of what may be modified (BIP-370), which say that nothing may: the group's signatures
    /// are over all inputs and outputs.
    pub(crate) fn edited(&self, edits: &BTreeMap<usize, Edit>) -> Result<Self, PsbtError> {
        let Maps { version, global, inputs, outputs } = Maps::of(&self.bytes)?;
        let mut bytes = MAGIC.to_vec();
        let fixed = v2::fixed(&global);
        let global = global.fields().map(|(key, value)| match &fixed {
            Some(fixed) if version == Version::V2 && v2::is_modifiable(key) => (key, &fixed[..]),
            _ => (key, value),
        });
        raw::write(global, &mut bytes);
        for (index, map) in inputs.iter().enumerate() {
            match edits.get(&index) {
                Some(edit) => edit.write(map, &mut bytes),
                None => raw::write(map.fields(), &mut bytes),
            }
        }
        outputs.iter().for_each(|map| raw::write(map.fields(), &mut bytes));
        Self::parse(bytes)
    }

    /// The same PSBT in version 0, for programs that read no other. The fields of BIP-370 become
    /// the unsigned transaction; all others stay as they are.
    ///
    /// # Errors
    ///
    /// None in practice: what was read can be written.
    pub fn to_version_0(&self) -> Result<Self, PsbtError> {
        let Maps { version, global, inputs, outputs } = Maps::of(&self.bytes)?;
        if version == Version::V0 {
            return Ok(self.clone());
        }
        let transaction = v2::transaction(&global, &inputs, &outputs)?;
        let mut bytes = MAGIC.to_vec();
        let unsigned = [(&[0x00][..], &transaction[..])].into_iter();
        let others = v2::others(&global, Place::Global).filter(|(key, _)| *key != [0xfb]);
        raw::write(unsigned.chain(others), &mut bytes);
        let maps = super::each(&inputs, Place::Input).chain(super::each(&outputs, Place::Output));
        maps.for_each(|(map, place)| raw::write(v2::others(map, place), &mut bytes));
        Self::parse(bytes)
    }
}
