//! Signatures of texts, by any address.

use std::collections::BTreeMap;

use bitcoin::{
    Amount, OutPoint, Psbt, ScriptBuf, Transaction, TxOut, Witness,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    consensus,
};
use thiserror::Error;

use super::{FULL, PROOF_OF_FUNDS, SIMPLE, nothing, rules, to_sign, to_spend};
use crate::psbt::{self, MAX_PSBT_FILE, PsbtError};

/// BIP-322's forms of a signature.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The witness of the first input (`smp`).
    Simple,
    /// The whole transaction (`ful`).
    Full,
    /// A finalised PSBT, which may spend other outputs too (`pof`).
    ProofOfFunds,
}

/// What a signature proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The form of the signature.
    pub form: Form,
    /// The lock time that the signature needs (BIP-322's time T); 0 is none.
    pub lock_time: u32,
    /// The sequence number of the first input, a relative lock time (BIP-322's age S); 0 is none.
    pub age: u32,
    /// The further outputs that the signer can spend, if they exist with this script and amount and
    /// are unspent: only a chain can tell. What the PSBT says of them is not proven.
    pub coins: Vec<(OutPoint, TxOut)>,
}

/// The result of a check.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The address has signed the text.
    Valid(Proven),
    /// The signature uses what is reserved for later rules, so that nothing can be said.
    Inconclusive {
        /// What it uses.
        what: &'static str,
    },
}

/// Why a signature is not valid.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature is too long.
    #[error("a signature of {length} bytes; at most {most} are allowed", most = MAX_PSBT_FILE)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is not base64, apart from its prefix.
    #[error("the signature is not base64 with one of the prefixes smp, ful and pof, or none")]
    Base64,
    /// What its prefix promises is not there.
    #[error("the signature does not decode as a {what}")]
    Content {
        /// What was expected.
        what: &'static str,
    },
    /// The proof of funds is no PSBT.
    #[error("the proof of funds: {0}")]
    Psbt(#[from] PsbtError),
    /// The form `simple` is for native SegWit addresses.
    #[error("this address cannot sign in the form simple (smp): only native SegWit addresses can")]
    NotSimple,
    /// The first input is not the one that the text and the address make.
    #[error("it signs another text, or as another address")]
    OtherText,
    /// The outputs are not the one that BIP-322 has.
    #[error("its transaction pays something")]
    Pays,
    /// The spent output of an input is not stated.
    #[error("what input {input} spends is missing")]
    UnknownOutput {
        /// The input's index, from 0.
        input: usize,
    },
    /// The amounts are more than there can be.
    #[error("its amounts are more than there can be")]
    Amounts,
    /// A rule that BIP-322 requires.
    #[error("input {input}: {rule}")]
    Rule {
        /// The input's index, from 0.
        input: usize,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// The scripts are not satisfied.
    #[error("input {input} is not signed by the key of its address, or for another text")]
    Script {
        /// The input's index, from 0.
        input: usize,
    },
}

/// Checks that the address of this script has signed a text. `judge` is a script interpreter: it
/// says whether an input of a transaction, by its index, may spend its output, of all those that
/// are spent.
///
/// The rules of BIP-322 that consensus has not are checked here: signature hash types, low S values
/// and code separators, and what is reserved for upgrades. Minimal pushes in scripts before Taproot
/// are not.
///
/// # Errors
///
/// [`VerifyError`] if the signature is not valid.
pub fn verify<E>(
    script: &ScriptBuf,
    text: &[u8],
    signature: &str,
    judge: impl Fn(&Transaction, usize, &[TxOut]) -> Result<(), E>,
) -> Result<Outcome, VerifyError> {
    let spent = to_spend(script.clone(), text);
    let (form, transaction, coins) = read(&spent, signature)?;
    let expected = OutPoint { txid: spent.compute_txid(), vout: 0 };
    if transaction.input.first().map(|input| input.previous_output) != Some(expected) {
        return Err(VerifyError::OtherText);
    }
    match transaction.output.as_slice() {
        [only] if only.value == Amount::ZERO && only.script_pubkey == nothing() => {}
        _ => return Err(VerifyError::Pays),
    }
    let all: Vec<TxOut> = spent.output.into_iter().chain(coins).collect();
    if all.len() < transaction.input.len() {
        return Err(VerifyError::UnknownOutput { input: all.len() });
    }
    let total = all.iter().try_fold(Amount::ZERO, |sum, output| sum.checked_add(output.value));
    total.filter(|total| *total <= Amount::MAX_MONEY).ok_or(VerifyError::Amounts)?;
    let mut reserved = None;
    for (input, output) in all.iter().enumerate() {
        let fields = &transaction.input[input];
        let found = rules::check(&output.script_pubkey, fields)
            .map_err(|rule| VerifyError::Rule { input, rule })?;
        judge(&transaction, input, &all).map_err(|_| VerifyError::Script { input })?;
        reserved = reserved.or(found);
    }
    if !matches!(transaction.version.0, 0 | 2) {
        reserved = reserved.or(Some("a transaction of a version other than 0 and 2"));
    }
    if let Some(what) = reserved {
        return Ok(Outcome::Inconclusive { what });
    }
    let further = transaction.input.iter().map(|input| input.previous_output).zip(all).skip(1);
    Ok(Outcome::Valid(Proven {
        form,
        lock_time: transaction.lock_time.to_consensus_u32(),
        age: transaction.input[0].sequence.to_consensus_u32(),
        coins: further.collect(),
    }))
}

/// The form of a signature, its transaction, and the outputs that its further inputs spend.
fn read(
    spent: &Transaction,
    signature: &str,
) -> Result<(Form, Transaction, Vec<TxOut>), VerifyError> {
    if signature.len() > MAX_PSBT_FILE {
        return Err(VerifyError::TooLong { length: signature.len() });
    }
    let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| VerifyError::Base64);
    if let Some(text) = signature.strip_prefix(SIMPLE) {
        return Ok((Form::Simple, simple(spent, &decode(text)?)?, Vec::new()));
    }
    if let Some(text) = signature.strip_prefix(FULL) {
        return Ok((Form::Full, full(&decode(text)?)?, Vec::new()));
    }
    if let Some(text) = signature.strip_prefix(PROOF_OF_FUNDS) {
        let (transaction, coins) = proof_of_funds(psbt::read(text.as_bytes())?.decoded().clone())?;
        return Ok((Form::ProofOfFunds, transaction, coins));
    }
    // Before version 1.0.0 no form had a prefix.
    let bytes = decode(signature)?;
    match full(&bytes) {
        Ok(transaction) => Ok((Form::Full, transaction, Vec::new())),
        Err(_) => Ok((Form::Simple, simple(spent, &bytes)?, Vec::new())),
    }
}

fn simple(spent: &Transaction, bytes: &[u8]) -> Result<Transaction, VerifyError> {
    let what = "witness (form simple)";
    let witness: Witness =
        consensus::deserialize(bytes).map_err(|_| VerifyError::Content { what })?;
    if !spent.output[0].script_pubkey.is_witness_program() {
        return Err(VerifyError::NotSimple);
    }
    let mut transaction = to_sign(spent);
    transaction.input[0].witness = witness;
    Ok(transaction)
}

fn full(bytes: &[u8]) -> Result<Transaction, VerifyError> {
    let what = "transaction (form full)";
    consensus::deserialize(bytes).map_err(|_| VerifyError::Content { what })
}

/// The signed transaction of a finalised PSBT, and what its inputs but the first spend.
fn proof_of_funds(psbt: Psbt) -> Result<(Transaction, Vec<TxOut>), VerifyError> {
    let mut transaction = psbt.unsigned_tx;
    // One previous transaction may stand for all inputs after it.
    let mut whole = BTreeMap::new();
    let mut coins = Vec::new();
    for (input, (spends, fields)) in transaction.input.iter_mut().zip(psbt.inputs).enumerate() {
        spends.script_sig = fields.final_script_sig.unwrap_or_default();
        spends.witness = fields.final_script_witness.unwrap_or_default();
        let OutPoint { txid, vout } = spends.previous_output;
        if let Some(previous) = fields.non_witness_utxo
            && previous.compute_txid() == txid
        {
            whole.insert(txid, previous);
        }
        if input == 0 {
            continue;
        }
        let proven = whole
            .get(&txid)
            .and_then(|previous| previous.output.get(usize::try_from(vout).ok()?).cloned());
        coins.push(proven.or(fields.witness_utxo).ok_or(VerifyError::UnknownOutput { input })?);
    }
    Ok((transaction, coins))
}
