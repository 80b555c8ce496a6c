//! Which signatures of a PSBT are valid. One counts if it verifies for the transaction as it is: a
//! PSBT may have been edited after it was signed, and a field may be there without a signature.

use bitcoin::{
    Psbt, TapLeafHash, TapSighashType, TxOut, Witness, XOnlyPublicKey,
    script::Instruction,
    secp256k1::Message,
    sighash::{Annex, Prevouts, SighashCache},
    taproot::{ControlBlock, LeafVersion, Signature},
};

use crate::wallet::SECP;

/// How many pairs of a key and what may be its signature are tried of one final witness.
const MOST_PAIRS: usize = 64;

/// The signatures in the inputs of a PSBT.
pub(super) struct Signatures<'a> {
    psbt: &'a Psbt,
    /// What all inputs spend, which BIP-341 signs; without it nothing can be verified.
    previous: Option<&'a [&'a TxOut]>,
    cache: SighashCache<&'a bitcoin::Transaction>,
}

impl<'a> Signatures<'a> {
    pub(super) fn of(psbt: &'a Psbt, previous: Option<&'a [&'a TxOut]>) -> Self {
        Self { psbt, previous, cache: SighashCache::new(&psbt.unsigned_tx) }
    }

    /// Whether signatures can be verified.
    pub(super) fn are_known(&self) -> bool {
        self.previous.is_some()
    }

    /// Whether an input has a valid signature for its key path.
    pub(super) fn has_key_signature(&mut self, input: usize, output_key: &XOnlyPublicKey) -> bool {
        let signature = self.psbt.inputs[input].tap_key_sig;
        signature.is_some_and(|signature| self.verifies(input, output_key, None, None, &signature))
    }

    /// Whether an input has a valid signature by this key for this leaf.
    pub(super) fn has_leaf_signature(
        &mut self,
        input: usize,
        (key, leaf): (XOnlyPublicKey, TapLeafHash),
    ) -> bool {
        let signature = self.psbt.inputs[input].tap_script_sigs.get(&(key, leaf)).copied();
        signature.is_some_and(|signature| self.verifies(input, &key, Some(leaf), None, &signature))
    }

    /// Whether an input has a final witness for the output of this key, with a valid signature: for
    /// the key path, or by a key of the leaf that it shows.
    pub(super) fn is_final(&mut self, input: usize, output_key: &XOnlyPublicKey) -> bool {
        let Some(witness) = &self.psbt.inputs[input].final_script_witness else { return false };
        let Some(final_witness) = FinalWitness::of(witness) else { return false };
        let FinalWitness { stack, leaf, annex } = final_witness;
        let Some((script, control)) = leaf else {
            let signature = stack.first().and_then(|bytes| Signature::from_slice(bytes).ok());
            return signature.is_some_and(|signature| {
                self.verifies(input, output_key, None, annex, &signature)
            });
        };
        let script = bitcoin::Script::from_bytes(script);
        let Ok(control) = ControlBlock::decode(control) else { return false };
        if control.leaf_version != LeafVersion::TapScript
            || !control.verify_taproot_commitment(&SECP, *output_key, script)
        {
            return false;
        }
        let leaf = Some(script.tapscript_leaf_hash());
        let keys: Vec<XOnlyPublicKey> = script
            .instructions()
            .map_while(Result::ok)
            .filter_map(|instruction| match instruction {
                Instruction::PushBytes(bytes) => XOnlyPublicKey::from_slice(bytes.as_bytes()).ok(),
                Instruction::Op(_) => None,
            })
            .take(MOST_PAIRS)
            .collect();
        // The last signature is for the first key.
        let signatures = stack.iter().rev().filter_map(|bytes| Signature::from_slice(bytes).ok());
        signatures
            .flat_map(|signature| keys.iter().map(move |key| (signature, key)))
            .take(MOST_PAIRS)
            .any(|(signature, key)| self.verifies(input, key, leaf, annex, &signature))
    }

    fn verifies(
        &mut self,
        input: usize,
        key: &XOnlyPublicKey,
        leaf: Option<TapLeafHash>,
        annex: Option<&[u8]>,
        signature: &Signature,
    ) -> bool {
        let Some(previous) = self.previous else { return false };
        let own;
        let previous = match signature.sighash_type {
            TapSighashType::AllPlusAnyoneCanPay
            | TapSighashType::NonePlusAnyoneCanPay
            | TapSighashType::SinglePlusAnyoneCanPay => {
                own = previous[input];
                Prevouts::One(input, own)
            }
            _ => Prevouts::All(previous),
        };
        let annex = match annex.map(Annex::new).transpose() {
            Ok(annex) => annex,
            Err(_) => return false,
        };
        // 0xffffffff: no OP_CODESEPARATOR was executed.
        let leaf = leaf.map(|leaf| (leaf, u32::MAX));
        let kind = signature.sighash_type;
        let hash = self.cache.taproot_signature_hash(input, &previous, annex, leaf, kind);
        hash.is_ok_and(|hash| {
            SECP.verify_schnorr(&signature.signature, &Message::from(hash), key).is_ok()
        })
    }
}

/// The witness of a Taproot input, in its parts (BIP-341).
struct FinalWitness<'a> {
    stack: Vec<&'a [u8]>,
    /// The script and the control block; `None` for the key path.
    leaf: Option<(&'a [u8], &'a [u8])>,
    annex: Option<&'a [u8]>,
}

impl<'a> FinalWitness<'a> {
    /// `None` if there is nothing in it.
    fn of(witness: &'a Witness) -> Option<Self> {
        let mut stack: Vec<&[u8]> = witness.iter().collect();
        let annex = match stack[..] {
            [_, .., last] if last.first() == Some(&0x50) => stack.pop(),
            _ => None,
        };
        let leaf = match stack.len() {
            0 => return None,
            1 => None,
            _ => {
                let control = stack.pop()?;
                Some((stack.pop()?, control))
            }
        };
        Some(Self { stack, leaf, annex })
    }
}
