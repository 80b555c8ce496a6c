//! Texts that are signed as an address: BIP-322, version 2.0.0.
//!
//! A text is signed as a transaction that cannot exist. Its first input spends an output of the
//! address, in a transaction (`to_spend`) that commits to the text and has no inputs that exist.
//! A group signs a text as one of its addresses, by the key path: [`Wallet::text_message`] makes
//! both transactions from the text and the path, and computes the signature hash. Every node does
//! it for itself and [checks](Wallet::check_text) a request against the result.
//!
//! [`verify`] checks the signature of any address.

mod rules;
mod verify;

use bitcoin::{
    Address, Amount, Network, OutPoint, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn,
    TxOut, Witness, absolute,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    consensus,
    hashes::{Hash as _, HashEngine as _, sha256},
    opcodes::all::OP_RETURN,
    script::Builder,
    sighash::{Prevouts, SighashCache},
    transaction::Version,
};
use roastery_protocol::request::{Derivation, DerivationError, MessageToSign, SigningRequest};
use thiserror::Error;

pub use self::verify::{Form, Outcome, Proven, VerifyError, verify};
use crate::wallet::{Branch, Wallet, hrp, tweaked};

const TAG: &[u8] = b"BIP0322-signed-message";

/// The prefixes of BIP-322's forms.
const SIMPLE: &str = "smp";
const FULL: &str = "ful";
const PROOF_OF_FUNDS: &str = "pof";

/// Why a request does not sign the text that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextError {
    /// A text for more messages than one.
    #[error("a text is signed as one message, and the request has {count}")]
    MessageCount {
        /// The number of messages in the request.
        count: usize,
    },
    /// The key is not that of one of the group's addresses.
    #[error(
        "a text is signed as an address of the group: allowed are its own (no path), and those of its wallet, like 0/7"
    )]
    NotAnAddress,
    /// The path leads to no key (probability below 2^-127).
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// The message is not the one that the text makes.
    #[error("the message is not that of the text that is shown (BIP-322)")]
    OtherText,
    /// The signature hash could not be computed, which does not happen.
    #[error("the text makes no message")]
    Hash,
}

/// A signature of a text by the group, in two forms of BIP-322.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSignature {
    /// The form `simple`, with its prefix `smp`.
    pub simple: String,
    /// The form `simple` without the prefix, as programs older than version 1.0.0 of BIP-322 take
    /// it.
    pub unprefixed: String,
    /// The form `full`, with its prefix `ful`.
    pub full: String,
}

/// BIP-322's hash of a message.
pub fn message_hash(text: &[u8]) -> [u8; 32] {
    let tag = sha256::Hash::hash(TAG);
    let mut engine = sha256::Hash::engine();
    for part in [tag.as_ref(), tag.as_ref(), text] {
        engine.input(part);
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// The transaction that commits to a text and has an output of this script.
pub fn to_spend(script: ScriptBuf, text: &[u8]) -> Transaction {
    committing(script, message_hash(text))
}

fn committing(script: ScriptBuf, hash: [u8; 32]) -> Transaction {
    let script_sig = Builder::new().push_int(0).push_slice(hash).into_script();
    Transaction {
        version: Version(0),
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::ZERO,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey: script }],
    }
}

/// Whether this is the transaction that commits to some text. No chain can have one: its input is
/// that of a coinbase, which since BIP-34 begins with its height, and what this one begins with is
/// the height 0. A witness, which its id does not cover, is left out of account.
pub(crate) fn is_to_spend(transaction: &Transaction) -> bool {
    let ([input], [output]) = (&transaction.input[..], &transaction.output[..]) else {
        return false;
    };
    let hash =
        input.script_sig.as_bytes().get(2..).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
    let committing = hash.map(|hash| committing(output.script_pubkey.clone(), hash));
    committing.is_some_and(|expected| transaction.compute_txid() == expected.compute_txid())
}

/// The transaction that spends it, without a signature.
pub fn to_sign(to_spend: &Transaction) -> Transaction {
    Transaction {
        version: Version(0),
        lock_time: absolute::LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: to_spend.compute_txid(), vout: 0 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ZERO,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey: nothing() }],
    }
}

/// What is signed by the key path for the text that a transaction commits to.
pub(crate) fn key_path_hash(to_spend: &Transaction) -> Option<[u8; 32]> {
    let previous = Prevouts::All(&to_spend.output);
    let hash = SighashCache::new(to_sign(to_spend)).taproot_key_spend_signature_hash(
        0,
        &previous,
        TapSighashType::Default,
    );
    hash.ok().map(|hash| hash.to_byte_array())
}

/// The only output's script: `OP_RETURN` and nothing else.
pub(crate) fn nothing() -> ScriptBuf {
    Builder::new().push_opcode(OP_RETURN).into_script()
}

impl Wallet {
    /// What the group signs when it signs a text as the address of this path: its own without any
    /// path, or one of the wallet.
    ///
    /// # Errors
    ///
    /// [`TextError::NotAnAddress`] if the path leads to no address.
    pub fn text_message(&self, path: &[u32], text: &str) -> Result<MessageToSign, TextError> {
        let derivation = self.address_derivation(path).ok_or(TextError::NotAnAddress)?;
        let spent = to_spend(self.script_of(&derivation)?, text.as_bytes());
        let message = key_path_hash(&spent).ok_or(TextError::Hash)?;
        Ok(MessageToSign { message, derivation })
    }

    /// Checks that a request signs this text as one of the group's addresses. The message is made
    /// again here.
    ///
    /// # Errors
    ///
    /// [`TextError`].
    pub fn check_text(&self, request: &SigningRequest, text: &str) -> Result<(), TextError> {
        let [asked] = request.messages() else {
            return Err(TextError::MessageCount { count: request.messages().len() });
        };
        let made = self.text_message(&asked.derivation.path, text)?;
        if made.derivation != asked.derivation {
            return Err(TextError::NotAnAddress);
        }
        if made.message != asked.message {
            return Err(TextError::OtherText);
        }
        Ok(())
    }

    /// The script of the address that signs texts with this path.
    ///
    /// # Errors
    ///
    /// [`TextError::NotAnAddress`] if the path leads to no address.
    pub fn text_script(&self, path: &[u32]) -> Result<ScriptBuf, TextError> {
        self.script_of(&self.address_derivation(path).ok_or(TextError::NotAnAddress)?)
    }

    /// The address that signs texts with this path.
    ///
    /// # Errors
    ///
    /// [`TextError::NotAnAddress`] if the path leads to no address.
    pub fn text_address(&self, path: &[u32], network: Network) -> Result<Address, TextError> {
        let derivation = self.address_derivation(path).ok_or(TextError::NotAnAddress)?;
        let key = derivation.tweaks(self.group())?.x_only_public_key();
        Ok(Address::p2tr_tweaked(tweaked(&key.to_bytes()), hrp(network)))
    }

    /// The signature of a text in BIP-322's forms.
    ///
    /// # Errors
    ///
    /// [`TextError::NotAnAddress`] if the path leads to no address.
    pub fn text_signature(
        &self,
        path: &[u32],
        text: &str,
        signature: &[u8; 64],
    ) -> Result<TextSignature, TextError> {
        let mut transaction = to_sign(&to_spend(self.text_script(path)?, text.as_bytes()));
        let witness = Witness::from_slice(&[signature]);
        let unprefixed = BASE64_STANDARD.encode(consensus::serialize(&witness));
        transaction.input[0].witness = witness;
        let full = BASE64_STANDARD.encode(consensus::serialize(&transaction));
        let (simple, full) = (SIMPLE.to_owned() + &unprefixed, FULL.to_owned() + &full);
        Ok(TextSignature { simple, unprefixed, full })
    }

    /// How the key of an address derives: the group's own, or one of the wallet's.
    fn address_derivation(&self, path: &[u32]) -> Option<Derivation> {
        let (account, step, index) = match *path {
            [] => return Some(Derivation::key_path_only()),
            [step, index] => (None, step, index),
            [account, step, index] => (Some(account), step, index),
            _ => return None,
        };
        let branch = Branch::ALL.into_iter().find(|branch| branch.step() == step)?;
        self.account(account).ok()?.derivation(branch, index).ok()
    }

    fn script_of(&self, derivation: &Derivation) -> Result<ScriptBuf, TextError> {
        let key = derivation.tweaks(self.group())?.x_only_public_key();
        Ok(ScriptBuf::new_p2tr_tweaked(tweaked(&key.to_bytes())))
    }
}
