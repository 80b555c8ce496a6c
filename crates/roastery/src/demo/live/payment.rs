//! A payment of the demo's group: of a coin that exists nowhere, so that nothing can be sent.

use bitcoin::{
    Amount, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute,
    hashes::Hash as _, transaction::Version,
};
use getrandom::SysRng;
use roastery_bitcoin::wallet::{Branch, Wallet};
use roastery_frost::SigningKey;

use crate::demo::spend::output;

/// What the coin has, what is paid, and the fee, in satoshi.
const COIN: u64 = 50_000_000;
const PAID: u64 = 12_000_000;
const FEE: u64 = 1_850;

/// A PSBT that pays 0.12 BTC to an address of no one, from a coin of the wallet; another coin for
/// each number.
pub(super) fn payment(wallet: &Wallet, number: u32) -> anyhow::Result<Psbt> {
    let pay = |sats, script_pubkey| TxOut { value: Amount::from_sat(sats), script_pubkey };
    let spend = |previous_output| TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    };
    let transaction = |input, output| Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: vec![input],
        output,
    };
    let elsewhere = OutPoint { txid: Txid::all_zeros(), vout: number };
    let coin = pay(COIN, wallet.script(Branch::Receive, 0)?);
    let funding = transaction(spend(elsewhere), vec![coin.clone()]);
    let to = SigningKey::generate(&mut SysRng)?.public_key();
    let paid = vec![
        pay(PAID, ScriptBuf::new_p2tr_tweaked(output(&to))),
        pay(COIN - PAID - FEE, wallet.script(Branch::Change, 0)?),
    ];
    let coin_at = OutPoint { txid: funding.compute_txid(), vout: 0 };
    let mut psbt = Psbt::from_unsigned_tx(transaction(spend(coin_at), paid))?;
    psbt.inputs[0].non_witness_utxo = Some(funding);
    psbt.inputs[0].witness_utxo = Some(coin);
    Ok(psbt)
}
