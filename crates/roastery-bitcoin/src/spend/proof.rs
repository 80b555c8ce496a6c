//! Proofs of funds (BIP-322): a text that is signed as an address, with coins that the signer can
//! spend. Such a PSBT looks like a transaction that gives everything away as fee, and its first
//! input says that it is none: it spends an output that cannot exist.

use bitcoin::{Amount, OutPoint, ScriptBuf};
use roastery_protocol::request::MAX_TEXT;
use thiserror::Error;

use super::{Signing, Spend, Warning};
use crate::{
    message::{is_to_spend, nothing, to_spend},
    psbt::Document,
};

/// What a proof of funds is about. Nothing can be paid with it: its first input spends an output of
/// a transaction that no chain can have, and a signature commits to all inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The text that is signed.
    pub text: String,
    /// The script of the address as which it is signed, which may be another's.
    pub script: ScriptBuf,
}

/// Why the group signs no PSBT whose first input is that of a signed text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The text is not in it, so it cannot be judged.
    #[error(
        "its text is missing; it must be in the field PSBT_GLOBAL_GENERIC_SIGNED_MESSAGE (type 0x09)"
    )]
    NoText,
    /// The text is too long.
    #[error("its text has {length} bytes; at most {most} are allowed", most = MAX_TEXT)]
    TextLength {
        /// The length in bytes.
        length: usize,
    },
    /// The text is not UTF-8.
    #[error("its text is not UTF-8")]
    Encoding,
    /// The text is not the one that the first input commits to.
    #[error("its text is not the one that its first input commits to")]
    OtherText,
    /// Its outputs are others than those of BIP-322.
    #[error("its only output must be OP_RETURN, with nothing after it and the amount 0")]
    Outputs,
    /// Its version is reserved.
    #[error("its transaction has version {version}; 0 and 2 are allowed")]
    Version {
        /// The version.
        version: i32,
    },
}

/// What is recognised by the first input: a proof of funds, or one that is not as it must be.
/// `None` is a transaction that pays.
///
/// A signature of a text is one of a transaction whose only output is that of BIP-322, so one with
/// this output is taken for a payment only if it shows the transaction that its first input spends
/// and that is none of a text.
pub(super) fn recognise(document: &Document) -> Option<Result<Proof, ProofError>> {
    let psbt = document.decoded();
    let spent = psbt.unsigned_tx.input.first()?.previous_output;
    let fields = psbt.inputs.first()?;
    let text = document.signed_message();
    let whole = fields.non_witness_utxo.as_ref();
    if let Some(whole) = whole.filter(|whole| whole.compute_txid() == spent.txid) {
        return is_to_spend(whole).then(|| check(document, spent, &whole.output[0].script_pubkey));
    }
    // Without that transaction it is made of what is stated.
    if let (Some(stated), Some(text)) = (&fields.witness_utxo, text)
        && to_spend(stated.script_pubkey.clone(), text).compute_txid() == spent.txid
    {
        return Some(check(document, spent, &stated.script_pubkey));
    }
    let unknown = if text.is_none() { ProofError::NoText } else { ProofError::OtherText };
    has_its_output(document).then_some(Err(unknown))
}

/// Whether the only output is that of BIP-322.
fn has_its_output(document: &Document) -> bool {
    match document.decoded().unsigned_tx.output.as_slice() {
        [only] => only.value == Amount::ZERO && only.script_pubkey == nothing(),
        _ => false,
    }
}

fn check(document: &Document, spent: OutPoint, script: &ScriptBuf) -> Result<Proof, ProofError> {
    let text = document.signed_message().ok_or(ProofError::NoText)?;
    if text.len() > MAX_TEXT {
        return Err(ProofError::TextLength { length: text.len() });
    }
    let text = std::str::from_utf8(text).map_err(|_| ProofError::Encoding)?;
    let made = to_spend(script.clone(), text.as_bytes());
    if spent != (OutPoint { txid: made.compute_txid(), vout: 0 }) {
        return Err(ProofError::OtherText);
    }
    if !has_its_output(document) {
        return Err(ProofError::Outputs);
    }
    match document.decoded().unsigned_tx.version.0 {
        0 | 2 => Ok(Proof { text: text.to_owned(), script: script.clone() }),
        version => Err(ProofError::Version { version }),
    }
}

impl Spend {
    /// The proof of funds that this is in place of a payment, if its first input says so and it is
    /// as it must be.
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_ref()?.as_ref().ok()
    }

    /// The number of outputs that a proof of funds shows the group can spend, and their amount. Of
    /// a payment it is nothing.
    pub fn proves(&self) -> (usize, Amount) {
        let ours = self.inputs.iter().skip(1).filter(|input| input.signing != Signing::NotOurs);
        match self.proof() {
            Some(_) => (ours.count(), self.spent_by_the_group()),
            None => (0, Amount::ZERO),
        }
    }

    /// Nothing leaves with a proof, so that an input of others is no danger.
    pub(super) fn soften_warnings(&mut self) {
        if self.proof().is_none() {
            return;
        }
        for warning in &mut self.warnings {
            if let Warning::UnrecognisedInput { input } = *warning {
                *warning = Warning::UnknownInput { input };
            }
        }
    }
}
