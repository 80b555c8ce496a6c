//! The fields of BIP-174 and BIP-371: which form each has, and which ones are decoded.
//!
//! A field that this crate does not use is checked for its form and otherwise left alone: `bitcoin`
//! refuses some that other programs write, as extended keys with other version bytes or leaves of
//! another version, and such a field is no reason to refuse what the group signs.

use std::{borrow::Cow, collections::BTreeSet};

use bitcoin::{
    XOnlyPublicKey,
    hashes::{Hash as _, hash160, ripemd160, sha256, sha256d},
    secp256k1::PublicKey,
    taproot::{ControlBlock, LeafVersion, Signature},
};

use super::{
    Place, PsbtError,
    raw::{Map, RawField, Reader},
    tree,
};

/// The global field with the text that a proof of funds signs (BIP-322).
pub(super) const SIGNED_MESSAGE: u8 = 0x09;

/// What may follow a field's type in its key.
#[derive(Clone, Copy)]
enum Key {
    Nothing,
    Bytes(usize, &'static str),
    Public,
    Extended,
    ControlBlock,
}

/// What a field's value may be.
#[derive(Clone, Copy)]
enum Value {
    Any,
    NotEmpty,
    Bytes(usize, &'static str),
    Signature,
    KeySource,
    LeavesAndKeySource,
    Tree,
}

/// Whether a field is decoded: used, or only kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Decoded,
    Kept,
}

struct Rule {
    name: &'static str,
    key: Key,
    value: Value,
    used: Use,
}

/// The rule for a field of this type, if BIP-174 or BIP-371 has one. The fields of BIP-370 are in
/// [`v2`](super::v2).
fn rule(place: Place, kind: u8) -> Option<Rule> {
    use Use::{Decoded, Kept};
    let x_only = Key::Bytes(32, "an x-only key");
    let (name, key, value, used) = match (place, kind) {
        (Place::Global, 0x00) => ("unsigned transaction", Key::Nothing, Value::Any, Decoded),
        (Place::Global, 0x01) => ("extended key", Key::Extended, Value::KeySource, Kept),
        (Place::Global, SIGNED_MESSAGE) => ("signed message", Key::Nothing, Value::Any, Kept),
        (Place::Global, 0xfb) => ("version", Key::Nothing, Value::Bytes(4, "4 bytes"), Kept),
        (Place::Input(_), 0x00) => ("previous transaction", Key::Nothing, Value::Any, Decoded),
        (Place::Input(_), 0x01) => ("output that is spent", Key::Nothing, Value::Any, Decoded),
        (Place::Input(_), 0x02) => ("signature", Key::Public, Value::NotEmpty, Kept),
        (Place::Input(_), 0x03) => {
            ("signature hash type", Key::Nothing, Value::Bytes(4, "4 bytes"), Decoded)
        }
        (Place::Input(_), 0x04) => ("redeem script", Key::Nothing, Value::Any, Kept),
        (Place::Input(_), 0x05) => ("witness script", Key::Nothing, Value::Any, Kept),
        (Place::Input(_), 0x06) => ("derivation", Key::Public, Value::KeySource, Decoded),
        (Place::Input(_), 0x07) => ("final script", Key::Nothing, Value::Any, Decoded),
        (Place::Input(_), 0x08) => ("final witness", Key::Nothing, Value::Any, Decoded),
        (Place::Input(_), 0x09) => ("proof of reserves", Key::Nothing, Value::Any, Kept),
        (Place::Input(_), 0x0a | 0x0c) => {
            ("preimage", Key::Bytes(20, "a hash of 20 bytes"), Value::Any, Decoded)
        }
        (Place::Input(_), 0x0b | 0x0d) => {
            ("preimage", Key::Bytes(32, "a hash of 32 bytes"), Value::Any, Decoded)
        }
        (Place::Input(_), 0x13) => ("signature", Key::Nothing, Value::Signature, Decoded),
        (Place::Input(_), 0x14) => (
            "signature for a leaf",
            Key::Bytes(64, "an x-only key and a leaf's hash"),
            Value::Signature,
            Decoded,
        ),
        (Place::Input(_), 0x15) => ("leaf", Key::ControlBlock, Value::NotEmpty, Decoded),
        (Place::Input(_), 0x16) | (Place::Output(_), 0x07) => {
            ("Taproot derivation", x_only, Value::LeavesAndKeySource, Decoded)
        }
        (Place::Input(_), 0x17) | (Place::Output(_), 0x05) => {
            ("internal key", Key::Nothing, Value::Bytes(32, "32 bytes"), Decoded)
        }
        (Place::Input(_), 0x18) => {
            ("Merkle root", Key::Nothing, Value::Bytes(32, "32 bytes"), Decoded)
        }
        (Place::Output(_), 0x00) => ("redeem script", Key::Nothing, Value::Any, Kept),
        (Place::Output(_), 0x01) => ("witness script", Key::Nothing, Value::Any, Kept),
        (Place::Output(_), 0x02) => ("derivation", Key::Public, Value::KeySource, Decoded),
        (Place::Output(_), 0x06) => ("script tree", Key::Nothing, Value::Tree, Kept),
        _ => return None,
    };
    Some(Rule { name, key, value, used })
}

/// Checks the form of a field that BIP-174 or BIP-371 defines. Others have none.
pub(super) fn check(place: Place, (key, value): RawField<'_>) -> Result<(), PsbtError> {
    let Some((&kind, data)) = key.split_first() else { return Ok(()) };
    let Some(rule) = rule(place, kind) else { return Ok(()) };
    let field = rule.name;
    if let Some(allowed) = wrong_key(rule.key, data) {
        return Err(PsbtError::Key { place, field, allowed });
    }
    match wrong_value(rule.value, value, place) {
        Some(allowed) => Err(PsbtError::Value { place, field, allowed }),
        None => Ok(()),
    }
}

/// What is allowed, if this is something else.
fn wrong_key(rule: Key, data: &[u8]) -> Option<&'static str> {
    let public_key = |bytes: &[u8]| PublicKey::from_slice(bytes).is_ok();
    let (right, allowed) = match rule {
        Key::Nothing => (data.is_empty(), "nothing after its type"),
        Key::Bytes(length, allowed) => (data.len() == length, allowed),
        Key::Public => (public_key(data), "a public key"),
        // Version, depth, parent, number and chain code have no form of their own.
        Key::Extended => {
            (data.len() == 78 && public_key(&data[45..]), "an extended public key of 78 bytes")
        }
        Key::ControlBlock => {
            (data.len() >= 33 && (data.len() - 33).is_multiple_of(32), "a control block")
        }
    };
    (!right).then_some(allowed)
}

fn wrong_value(rule: Value, value: &[u8], place: Place) -> Option<&'static str> {
    let source = |bytes: &[u8]| bytes.len() >= 4 && bytes.len().is_multiple_of(4);
    let (right, allowed) = match rule {
        Value::Any => (true, "anything"),
        Value::NotEmpty => (!value.is_empty(), "at least one byte"),
        Value::Bytes(length, allowed) => (value.len() == length, allowed),
        Value::Signature => (matches!(value.len(), 64 | 65), "64 or 65 bytes"),
        Value::KeySource => (source(value), "a fingerprint and steps of 4 bytes each"),
        Value::LeavesAndKeySource => (
            after_leaves(value, place).is_some_and(source),
            "leaf hashes of 32 bytes, a fingerprint and steps of 4 bytes each",
        ),
        Value::Tree => (tree::root(value).is_some(), "a complete tree of scripts"),
    };
    (!right).then_some(allowed)
}

/// What follows the leaf hashes of a Taproot derivation.
fn after_leaves(value: &[u8], place: Place) -> Option<&[u8]> {
    let mut reader = Reader::new(value);
    let count = reader.size(place).ok()?;
    reader.take(count.checked_mul(32)?, place).ok()?;
    Some(reader.rest())
}

/// The fields of a map that are decoded, in the form in which `bitcoin` holds them.
pub(super) fn decoded<'a>(map: &Map<'a>, place: Place) -> Vec<(Cow<'a, [u8]>, &'a [u8])> {
    let mut keys = BTreeSet::new();
    let used = map.fields().filter(|(key, value)| is_decoded(place, key, value));
    used.map(|(key, value)| (compressed(place, key), value))
        .filter(|(key, _)| !is_derivation(place, key[0]) || keys.insert(key.clone()))
        .collect()
}

/// Whether a field is used, and `bitcoin` can hold it. One that it cannot hold is of no use here:
/// no leaf of another version, no key off the curve and no signature of an undefined type counts.
fn is_decoded(place: Place, key: &[u8], value: &[u8]) -> bool {
    let Some((&kind, data)) = key.split_first() else { return false };
    let used = rule(place, kind).is_some_and(|rule| rule.used == Use::Decoded);
    let x_only = |bytes: &[u8]| XOnlyPublicKey::from_slice(bytes).is_ok();
    used && match (place, kind) {
        (Place::Input(_), 0x0a) => ripemd160::Hash::hash(value).as_byte_array() == data,
        (Place::Input(_), 0x0b) => sha256::Hash::hash(value).as_byte_array() == data,
        (Place::Input(_), 0x0c) => hash160::Hash::hash(value).as_byte_array() == data,
        (Place::Input(_), 0x0d) => sha256d::Hash::hash(value).as_byte_array() == data,
        (Place::Input(_), 0x13) => Signature::from_slice(value).is_ok(),
        (Place::Input(_), 0x14) => x_only(&data[..32]) && Signature::from_slice(value).is_ok(),
        (Place::Input(_), 0x15) => {
            let version = value.last().copied().unwrap_or_default();
            ControlBlock::decode(data).is_ok() && LeafVersion::from_consensus(version).is_ok()
        }
        (Place::Input(_), 0x16) | (Place::Output(_), 0x07) => x_only(data),
        (Place::Input(_), 0x17) | (Place::Output(_), 0x05) => x_only(value),
        _ => true,
    }
}

fn is_derivation(place: Place, kind: u8) -> bool {
    matches!((place, kind), (Place::Input(_), 0x06) | (Place::Output(_), 0x02))
}

/// The key of a derivation field with its public key compressed, as `bitcoin` holds it.
fn compressed(place: Place, key: &[u8]) -> Cow<'_, [u8]> {
    match key.split_first() {
        Some((&kind, data)) if is_derivation(place, kind) && data.len() != 33 => {
            match PublicKey::from_slice(data) {
                Ok(public) => Cow::Owned([&[kind][..], &public.serialize()].concat()),
                Err(_) => Cow::Borrowed(key),
            }
        }
        _ => Cow::Borrowed(key),
    }
}
