use bitcoin::{Psbt, Transaction, Witness, XOnlyPublicKey, psbt, secp256k1::schnorr, taproot};
use miniscript::psbt::PsbtExt as _;
use roastery_frost::Signature;
use roastery_protocol::request::{Derivation, Taproot};

use super::{CompleteError, Spend, request::Task};
use crate::wallet::SECP;

/// How far the group's inputs are completed with its signatures.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Signatures in their fields (BIP-371): others add theirs, and a finaliser puts all together.
    Partial,
    /// Final witnesses (BIP-174), for each input that the group has signed. An input by a leaf can
    /// be finalised only where the leaf asks for nothing but signatures that are there.
    Finalised,
}

impl Spend {
    /// Puts the signatures of [`messages`](Spend::messages), in the same order, into the PSBT. Each
    /// is verified first.
    ///
    /// # Errors
    ///
    /// [`CompleteError`] names the signature that is wrong or the input that cannot be finalised;
    /// then nothing is completed.
    pub fn complete(
        &self,
        signatures: &[Signature],
        completion: Completion,
    ) -> Result<Psbt, CompleteError> {
        let tasks = self.tasks()?;
        if signatures.len() != tasks.len() {
            let (signatures, messages) = (signatures.len(), tasks.len());
            return Err(CompleteError::Count { signatures, messages });
        }
        let mut psbt = self.psbt.clone();
        // A finaliser reads the outputs from here.
        for (fields, input) in psbt.inputs.iter_mut().zip(&self.inputs) {
            fields.witness_utxo.clone_from(&input.previous);
        }
        for (message, (task, signature)) in tasks.iter().zip(signatures).enumerate() {
            let signature = self.verified(message, task, signature)?;
            let fields = &mut psbt.inputs[task.input];
            match task.leaf {
                None => {
                    fields.tap_key_sig = Some(signature);
                    // Finalisers look for the signature where they know the internal key.
                    fields.tap_internal_key = Some(self.internal_key(message, task)?);
                }
                Some(leaf) => {
                    fields.tap_script_sigs.insert(leaf, signature);
                }
            }
        }
        if completion == Completion::Finalised {
            for task in tasks {
                finalise(&mut psbt, task)?;
            }
        }
        for (fields, original) in psbt.inputs.iter_mut().zip(&self.psbt.inputs) {
            fields.witness_utxo.clone_from(&original.witness_utxo);
        }
        Ok(psbt)
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

/// Finalises the input of a task, once.
fn finalise(psbt: &mut Psbt, task: &Task) -> Result<(), CompleteError> {
    let input = task.input;
    if task.leaf.is_some() {
        let kept = psbt.inputs[input].clone();
        psbt.finalize_inp_mut(&SECP, input)
            .map_err(|error| CompleteError::Unfinished { input, source: Box::new(error) })?;
        let fields = &mut psbt.inputs[input];
        (fields.unknown, fields.proprietary) = (kept.unknown, kept.proprietary);
    } else {
        let fields = std::mem::take(&mut psbt.inputs[input]);
        let witness = fields.tap_key_sig.map(|signature| Witness::p2tr_key_spend(&signature));
        psbt.inputs[input] = psbt::Input {
            non_witness_utxo: fields.non_witness_utxo,
            witness_utxo: fields.witness_utxo,
            final_script_witness: witness,
            unknown: fields.unknown,
            proprietary: fields.proprietary,
            ..psbt::Input::default()
        };
    }
    Ok(())
}

/// The transaction, ready to be sent. Its signatures are not verified again.
///
/// # Errors
///
/// The first input, from 0, that is not finalised.
pub fn extract(psbt: &Psbt) -> Result<Transaction, usize> {
    let missing = |input: &psbt::Input| {
        input.final_script_witness.is_none() && input.final_script_sig.is_none()
    };
    match psbt.inputs.iter().position(missing) {
        Some(input) => Err(input),
        None => Ok(psbt.clone().extract_tx_unchecked_fee_rate()),
    }
}
