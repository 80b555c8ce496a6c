//! Bitcoin Core's consensus code.

use bitcoin::{Transaction, TxOut, consensus};
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT};

/// Asks Bitcoin Core's consensus code whether this input of a transaction may spend its output.
/// `spent` has the output of each input.
///
/// # Panics
///
/// If `spent` has no output for the input.
pub(crate) fn verify(
    transaction: &Transaction,
    input: usize,
    spent: &[TxOut],
) -> Result<(), bitcoinconsensus::Error> {
    let utxos: Vec<Utxo> = spent
        .iter()
        .map(|output| Utxo {
            script_pubkey: output.script_pubkey.as_bytes().as_ptr(),
            script_pubkey_len: output.script_pubkey.len() as u32,
            value: output.value.to_sat() as i64,
        })
        .collect();
    bitcoinconsensus::verify_with_flags(
        spent[input].script_pubkey.as_bytes(),
        spent[input].value.to_sat(),
        &consensus::serialize(transaction),
        Some(&utxos),
        input,
        VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT,
    )
}
