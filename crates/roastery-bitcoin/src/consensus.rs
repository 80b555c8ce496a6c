//! Bitcoin Core's consensus code, with the feature `consensus`; it takes a C++ compiler.

use bitcoin::{Transaction, TxOut, consensus};
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT};

pub use bitcoinconsensus::Error;

/// Whether this input of a transaction may spend its output, by all rules including Taproot's.
/// `spent` has the output that each input spends, in their order.
///
/// # Errors
///
/// [`Error::ERR_TX_INDEX`] if there is no such input, or no output for it, and the consensus code's
/// own otherwise.
pub fn check_input(transaction: &Transaction, input: usize, spent: &[TxOut]) -> Result<(), Error> {
    let coin = spent.get(input).ok_or(Error::ERR_TX_INDEX)?;
    let utxo = |output: &TxOut| Utxo {
        script_pubkey: output.script_pubkey.as_bytes().as_ptr(),
        script_pubkey_len: output.script_pubkey.len() as u32,
        value: output.value.to_sat() as i64,
    };
    let utxos: Vec<Utxo> = spent.iter().map(utxo).collect();
    bitcoinconsensus::verify_with_flags(
        coin.script_pubkey.as_bytes(),
        coin.value.to_sat(),
        &consensus::serialize(transaction),
        Some(&utxos),
        input,
        VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT,
    )
}
