use std::collections::BTreeMap;

use bitcoin::{
    Psbt, Transaction, TxOut, Witness, XOnlyPublicKey, psbt, secp256k1::schnorr, taproot,
};
use miniscript::psbt::PsbtExt as _;
use roastery_frost::Signature;
use roastery_protocol::request::{Derivation, Taproot};

use super::{
    CompleteError, Left, Signing, Spend, State,
    input::output_key,
    left::{Missing, needs},
    request::Task,
    signed::Signatures,
};
use crate::{
    psbt::{Document, Edit, Kept, PsbtError, leaf_signature, p2tr_fields},
    wallet::SECP,
};

/// How far the group's inputs are completed with its signatures.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Signatures in their fields (BIP-371): others add theirs, and a finaliser puts all together.
    Partial,
    /// Final witnesses (BIP-174), for each input that the group has signed. An input by a leaf can
    /// be finalised only where the leaf asks for nothing but signatures that are there; otherwise
    /// its signatures stay in their fields.
    Finalised,
}

/// A PSBT with the signatures of this group in it.
#[derive(Clone, Debug)]
pub struct Completed {
    document: Document,
    left: Vec<Left>,
}

impl Completed {
    /// The PSBT, of the version that was read.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What is still missing before the transaction can be sent, in the order of the inputs.
    pub fn left(&self) -> &[Left] {
        &self.left
    }

    /// The same in version 0, for programs that read no other.
    ///
    /// # Errors
    ///
    /// None in practice; see [`Document::to_version_0`].
    pub fn to_version_0(self) -> Result<Self, PsbtError> {
        Ok(Self { document: self.document.to_version_0()?, ..self })
    }

    /// The PSBT alone.
    pub fn into_document(self) -> Document {
        self.document
    }
}

impl Spend {
    /// Puts the signatures of [`messages`](Spend::messages), in the same order, into the PSBT. Each
    /// is verified first. Every other field stays as it is, byte for byte; where an input is
    /// finalised BIP-174 says which ones go.
    ///
    /// # Errors
    ///
    /// [`CompleteError`] names the signature that is wrong; then nothing is completed.
    pub fn complete(
        &self,
        signatures: &[Signature],
        completion: Completion,
    ) -> Result<Completed, CompleteError> {
        let tasks = self.tasks()?;
        if signatures.len() != tasks.len() {
            let (signatures, messages) = (signatures.len(), tasks.len());
            return Err(CompleteError::Count { signatures, messages });
        }
        // A finaliser reads what is spent, and what is signed, from here.
        let mut psbt = self.document.decoded().clone();
        for (fields, input) in psbt.inputs.iter_mut().zip(&self.inputs) {
            fields.witness_utxo.clone_from(&input.previous);
        }
        let previous: Option<Vec<&TxOut>> =
            self.inputs.iter().map(|input| input.previous.as_ref()).collect();
        let mut there = Signatures::of(self.document.decoded(), previous.as_deref());
        let before = self.signed_before(&mut there);
        for &input in &before {
            psbt.inputs[input].final_script_witness = None;
            psbt.inputs[input].final_script_sig = None;
        }
        let mut edits: BTreeMap<usize, Edit> = BTreeMap::new();
        for (message, (task, signature)) in tasks.iter().zip(signatures).enumerate() {
            let signature = self.verified(message, task, signature)?;
            let fields = &mut psbt.inputs[task.input];
            fields.final_script_witness = None;
            fields.final_script_sig = None;
            let edit =
                edits.entry(task.input).or_insert(Edit { kept: Kept::Unfinished, set: Vec::new() });
            match task.leaf {
                None => {
                    edit.set.extend(p2tr_fields(&signature, &self.internal_key(message, task)?));
                    fields.tap_key_sig = Some(signature);
                }
                Some(leaf) => {
                    edit.set.push(leaf_signature(leaf, &signature));
                    fields.tap_script_sigs.insert(leaf, signature);
                }
            }
        }
        // Signatures that were there before are finalised with the new ones.
        for input in before {
            edits.entry(input).or_insert(Edit { kept: Kept::Unfinished, set: Vec::new() });
        }
        let mut left = BTreeMap::new();
        for (&input, edit) in &mut edits {
            let fields = &mut psbt.inputs[input];
            let finalised = match (&self.inputs[input].signing, fields.tap_key_sig) {
                (Signing::KeyPath(_), Some(signature)) => Some(Witness::p2tr_key_spend(&signature)),
                _ => {
                    // Of others' signatures too only those count that verify.
                    fields.tap_key_sig = None;
                    let made = |at| tasks.iter().any(|task| task.input == input && task.leaf == at);
                    fields
                        .tap_script_sigs
                        .retain(|at, _| made(Some(*at)) || there.has_leaf_signature(input, *at));
                    by_leaf(&mut psbt, input)
                }
            };
            match finalised {
                Some(witness) if completion == Completion::Finalised => {
                    *edit = Edit::finalised(&witness);
                }
                Some(_) => {}
                None => {
                    let missing = Missing::Leaf(needs(&psbt, input, &self.inputs[input].signing));
                    left.insert(input, Left { input, missing });
                }
            }
        }
        for (input, look) in self.inputs.iter().enumerate() {
            let fields = &self.document.decoded().inputs[input];
            let finalised =
                fields.final_script_witness.is_some() || fields.final_script_sig.is_some();
            let missing = match (&look.signing, look.state) {
                (Signing::NotOurs, _) if !finalised => Missing::Other,
                (Signing::KeyPath(_) | Signing::Leaves(_), State::OtherSighash(kind)) => {
                    Missing::SignatureHashType(kind)
                }
                _ => continue,
            };
            left.insert(input, Left { input, missing });
        }
        let document = self.document.edited(&edits)?;
        Ok(Completed { document, left: left.into_values().collect() })
    }

    /// The inputs of the group's that have its signatures already, in their fields and not in a
    /// final witness that is valid.
    fn signed_before(&self, there: &mut Signatures<'_>) -> Vec<usize> {
        let signed =
            self.inputs.iter().enumerate().filter(|(_, input)| {
                input.signing != Signing::NotOurs && input.state == State::Signed
            });
        let signed = signed.filter_map(|(index, input)| {
            let key = input.previous.as_ref().and_then(output_key)?;
            (!there.is_final(index, &key)).then_some(index)
        });
        signed.collect()
    }

    fn verified(
        &self,
        message: usize,
        task: &Task,
        signature: &Signature,
    ) -> Result<taproot::Signature, CompleteError> {
        let tweaks = task
            .message
            .derivation
            .tweaks(&self.group)
            .map_err(|source| CompleteError::Derivation { message, source })?;
        let invalid = CompleteError::Invalid { message, input: task.input };
        if !signature.verify(&tweaks.x_only_public_key(), &task.message.message) {
            return Err(invalid);
        }
        let signature =
            schnorr::Signature::from_slice(&signature.to_bytes()).map_err(|_| invalid)?;
        Ok(taproot::Signature { signature, sighash_type: task.sighash_type })
    }

    /// The key that a task's output key is made of.
    fn internal_key(&self, message: usize, task: &Task) -> Result<XOnlyPublicKey, CompleteError> {
        let path = task.message.derivation.path.clone();
        let tweaks = Derivation { path, taproot: Taproot::Untweaked }
            .tweaks(&self.group)
            .map_err(|source| CompleteError::Derivation { message, source })?;
        Ok(XOnlyPublicKey::from_slice(&tweaks.x_only_public_key().to_bytes())
            .expect("a valid x-only public key of one library is one of the other"))
    }
}

/// The final witness of an input that is spent by a leaf, if its leaf asks for nothing more than
/// there is.
fn by_leaf(psbt: &mut Psbt, input: usize) -> Option<Witness> {
    // An input that cannot be finalised stays as it is.
    psbt.finalize_inp_mut(&SECP, input).ok()?;
    psbt.inputs[input].final_script_witness.take()
}

/// The transaction, ready to be sent. Its signatures are not verified again.
///
/// # Errors
///
/// The first input, from 0, that is not finalised.
pub fn extract(document: &Document) -> Result<Transaction, usize> {
    let psbt = document.decoded();
    let missing = |input: &psbt::Input| {
        input.final_script_witness.is_none() && input.final_script_sig.is_none()
    };
    match psbt.inputs.iter().position(missing) {
        Some(input) => Err(input),
        None => Ok(psbt.clone().extract_tx_unchecked_fee_rate()),
    }
}
