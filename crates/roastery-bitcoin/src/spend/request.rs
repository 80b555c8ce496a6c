use bitcoin::{
    TapLeafHash, TapSighashType, XOnlyPublicKey,
    hashes::Hash as _,
    sighash::{Prevouts, SighashCache},
};
use roastery_protocol::request::{Derivation, MAX_MESSAGES, MessageToSign, SigningRequest};

use super::{CannotSign, Mismatch, Signing, Spend, input::sighash_type};

/// One signature to make.
pub(super) struct Task {
    pub(super) input: usize,
    pub(super) leaf: Option<(XOnlyPublicKey, TapLeafHash)>,
    pub(super) sighash_type: TapSighashType,
    pub(super) message: MessageToSign,
}

impl Spend {
    /// What this group signs, in the order of the inputs and within one by leaf: at most
    /// [`MAX_MESSAGES`] BIP-341 signature hashes, each with its key.
    ///
    /// # Errors
    ///
    /// [`CannotSign`] says why nothing is signed.
    pub fn messages(&self) -> Result<Vec<MessageToSign>, CannotSign> {
        Ok(self.tasks()?.into_iter().map(|task| task.message).collect())
    }

    /// The request to sign all of it, named by `id`, until `expiry` (seconds since 1970).
    ///
    /// # Errors
    ///
    /// [`CannotSign`] names the reason why nothing is signed.
    pub fn request(&self, id: [u8; 32], expiry: u64) -> Result<SigningRequest, CannotSign> {
        SigningRequest::new(self.group.id(), id, expiry, self.messages()?)
            .map_err(|error| CannotSign::Request(error.to_string()))
    }

    /// Checks that a proposed request asks for exactly what this PSBT takes: the same messages with
    /// the same keys in the same order, nothing more and nothing less. Every hash is computed here,
    /// so a request with a wrong amount, script, path or hash has another message than the one that
    /// an honest node computes.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] names the first message that differs, and in what.
    pub fn check(&self, request: &SigningRequest) -> Result<(), Mismatch> {
        if request.group() != self.group.id() {
            let (requested, group) = (request.group(), self.group.id());
            return Err(Mismatch::Group { requested, group });
        }
        let tasks = self.tasks()?;
        let (requested, computed) = (request.messages().len(), tasks.len());
        if requested != computed {
            return Err(Mismatch::Count { requested, computed });
        }
        for (message, (proposed, task)) in request.messages().iter().zip(&tasks).enumerate() {
            let input = task.input;
            if proposed.message != task.message.message {
                return Err(Mismatch::Hash { message, input });
            }
            if proposed.derivation != task.message.derivation {
                return Err(Mismatch::Key { message, input });
            }
        }
        Ok(())
    }

    pub(super) fn tasks(&self) -> Result<Vec<Task>, CannotSign> {
        let mut previous = Vec::with_capacity(self.inputs.len());
        for (input, look) in self.inputs.iter().enumerate() {
            previous.push(look.previous.as_ref().ok_or(CannotSign::UnknownOutput { input })?);
        }
        if self.psbt.unsigned_tx.output.is_empty() {
            return Err(CannotSign::NoOutputs);
        }
        self.fee().ok_or(CannotSign::Overspent)?;
        let count =
            self.inputs.iter().filter(|input| input.to_sign()).map(|input| match &input.signing {
                Signing::KeyPath(_) => 1,
                Signing::Leaves(leaves) => leaves.len(),
                Signing::NotOurs => 0,
            });
        match count.sum() {
            0 => return Err(CannotSign::NothingToSign),
            count if count > MAX_MESSAGES => return Err(CannotSign::TooMany { count }),
            _ => {}
        }
        let previous = Prevouts::All(&previous);
        let mut cache = SighashCache::new(&self.psbt.unsigned_tx);
        let mut tasks = Vec::new();
        for (input, look) in self.inputs.iter().enumerate().filter(|(_, look)| look.to_sign()) {
            let Ok(sighash_type) = sighash_type(&self.psbt, input) else { continue };
            let mut task = |leaf: Option<(XOnlyPublicKey, TapLeafHash)>,
                            derivation: &Derivation| {
                let hash = match leaf {
                    None => cache.taproot_key_spend_signature_hash(input, &previous, sighash_type),
                    Some((_, leaf)) => cache.taproot_script_spend_signature_hash(
                        input,
                        &previous,
                        leaf,
                        sighash_type,
                    ),
                };
                let hash =
                    hash.map_err(|error| CannotSign::Hash { input, reason: error.to_string() })?;
                let message =
                    MessageToSign { message: hash.to_byte_array(), derivation: derivation.clone() };
                tasks.push(Task { input, leaf, sighash_type, message });
                Ok::<_, CannotSign>(())
            };
            match &look.signing {
                Signing::KeyPath(derivation) => task(None, derivation)?,
                Signing::Leaves(leaves) => {
                    for leaf in leaves {
                        task(Some((leaf.key, leaf.leaf_hash)), &leaf.derivation)?;
                    }
                }
                Signing::NotOurs => {}
            }
        }
        Ok(tasks)
    }
}
