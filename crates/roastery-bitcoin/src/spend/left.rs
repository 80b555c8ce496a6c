//! What is missing, after this group has signed, before a transaction can be sent.

use std::{collections::BTreeSet, fmt};

use bitcoin::{Psbt, Transaction, XOnlyPublicKey};
use miniscript::{Miniscript, Tap, Terminal};

use super::Signing;

/// The most needs of one input that are named.
const MOST_NEEDS: usize = 8;

/// An input that is not complete, and why. The `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The input's index, from 0.
    pub input: usize,
    /// What is missing.
    pub missing: Missing,
}

/// What an input is missing.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The group's own signature: it asks for a signature hash type that this group does not sign
    /// for.
    SignatureHashType(u32),
    /// This group has signed, and its leaf asks for more: some of these, or all.
    Leaf(Vec<Need>),
    /// It is another's, and not finalised.
    Other,
}

/// What a leaf asks for, and is not there.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A signature by this key.
    Signature(XOnlyPublicKey),
    /// The preimage of this hash, in hexadecimal digits.
    Preimage(String),
    /// A sequence number of at least this one of the same kind, and a transaction of version 2
    /// (BIP-68, BIP-112).
    Older {
        /// What the leaf asks for.
        least: u32,
        /// The input's sequence number.
        sequence: u32,
    },
    /// A lock time of at least this one of the same kind, and a sequence number that is not final
    /// (BIP-65).
    After {
        /// What the leaf asks for.
        least: u32,
        /// The transaction's lock time.
        lock_time: u32,
    },
    /// As many more, which are not named one by one.
    More(usize),
    /// The leaf is of a form that is not known here, and another finaliser is to complete it.
    OtherFinaliser,
}

impl Left {
    /// Whether the group itself was to sign, and has not.
    pub fn is_ours(&self) -> bool {
        matches!(self.missing, Missing::SignatureHashType(_))
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = self.input;
        match &self.missing {
            Missing::SignatureHashType(kind) => write!(
                f,
                "input {input} is not signed: it asks for signature hash type {kind:#04x}, and this group signs all inputs and outputs or not at all"
            ),
            Missing::Leaf(needs) => {
                write!(f, "input {input} is signed by this group, and its leaf asks for more: ")?;
                for (number, need) in needs.iter().enumerate() {
                    if number > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{need}")?;
                }
                Ok(())
            }
            Missing::Other => write!(f, "input {input} is another's, and not finalised"),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Signature(key) => write!(f, "the signature by key {key}"),
            Need::Preimage(hash) => write!(f, "the preimage of {hash}"),
            Need::Older { least, sequence } => {
                write!(f, "a sequence number for older({least}), which {sequence} is not")
            }
            Need::After { least, lock_time } => {
                write!(f, "a lock time for after({least}), which {lock_time} is not")
            }
            Need::More(count) => write!(f, "{count} more"),
            Need::OtherFinaliser => f.write_str("a finaliser that knows its script"),
        }
    }
}

/// What the leaves that the group has signed in an input ask for, and is not there.
pub(super) fn needs(psbt: &Psbt, input: usize, signing: &Signing) -> Vec<Need> {
    let Signing::Leaves(leaves) = signing else { return Vec::new() };
    let signed: BTreeSet<_> = leaves.iter().map(|leaf| leaf.leaf_hash).collect();
    let mut needs = BTreeSet::new();
    for (script, _) in psbt.inputs[input].tap_scripts.values() {
        let leaf = script.tapscript_leaf_hash();
        if !signed.contains(&leaf) {
            continue;
        }
        let Ok(parsed) = Miniscript::<XOnlyPublicKey, Tap>::decode_consensus(script) else {
            needs.insert(Need::OtherFinaliser);
            continue;
        };
        let fields = &psbt.inputs[input];
        let unsigned = |key: &XOnlyPublicKey| {
            let signed = fields.tap_script_sigs.contains_key(&(*key, leaf));
            (!signed).then_some(Need::Signature(*key))
        };
        for part in parsed.iter() {
            match &part.node {
                Terminal::PkK(key) => needs.extend(unsigned(key)),
                Terminal::MultiA(threshold) => {
                    let keys = threshold.iter();
                    let signed = keys.clone().filter(|key| unsigned(key).is_none()).count();
                    if signed < threshold.k() {
                        needs.extend(keys.filter_map(unsigned));
                    }
                }
                Terminal::Older(least) => {
                    needs.extend(older(&psbt.unsigned_tx, input, least.to_consensus_u32()))
                }
                Terminal::After(least) => {
                    needs.extend(after(&psbt.unsigned_tx, input, least.to_consensus_u32()))
                }
                Terminal::Sha256(hash) if !fields.sha256_preimages.contains_key(hash) => {
                    needs.insert(Need::Preimage(hash.to_string()));
                }
                Terminal::Ripemd160(hash) if !fields.ripemd160_preimages.contains_key(hash) => {
                    needs.insert(Need::Preimage(hash.to_string()));
                }
                Terminal::Hash160(hash) if !fields.hash160_preimages.contains_key(hash) => {
                    needs.insert(Need::Preimage(hash.to_string()));
                }
                Terminal::Hash256(hash)
                    if !fields.hash256_preimages.keys().any(|known| {
                        // The same bytes, which one of the types shows in the other order.
                        bitcoin::hashes::Hash::as_byte_array(known)
                            == bitcoin::hashes::Hash::as_byte_array(&hash.to_raw_hash())
                    }) =>
                {
                    needs.insert(Need::Preimage(hash.to_string()));
                }
                _ => {}
            }
        }
    }
    if needs.is_empty() {
        needs.insert(Need::OtherFinaliser);
    }
    let more = needs.len().saturating_sub(MOST_NEEDS);
    let named = needs.into_iter().take(MOST_NEEDS);
    named.chain((more > 0).then_some(Need::More(more))).collect()
}

fn older(transaction: &Transaction, input: usize, least: u32) -> Option<Need> {
    let sequence = transaction.input[input].sequence;
    let asked = bitcoin::Sequence(least).to_relative_lock_time();
    let given = sequence.to_relative_lock_time();
    let met = asked
        .zip(given)
        .is_some_and(|(asked, given)| transaction.version.0 >= 2 && asked.is_implied_by(given));
    (!met).then_some(Need::Older { least, sequence: sequence.0 })
}

fn after(transaction: &Transaction, input: usize, least: u32) -> Option<Need> {
    let lock_time = transaction.lock_time;
    let asked = bitcoin::absolute::LockTime::from_consensus(least);
    let met = asked.is_implied_by(lock_time)
        && transaction.input[input].sequence.enables_absolute_lock_time();
    (!met).then_some(Need::After { least, lock_time: lock_time.to_consensus_u32() })
}
