//! A real transaction that spends the group's Taproot output, verified by Bitcoin Core's consensus
//! code.

use bitcoin::{
    Address, Amount, KnownHrp, OutPoint, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn,
    TxOut, Txid, Witness, absolute,
    hashes::Hash as _,
    key::{TweakedPublicKey, UntweakedPublicKey},
    sighash::{Prevouts, SighashCache, TaprootError},
    taproot, transaction,
};
use roastery_bitcoin::consensus;
use roastery_frost::{Signature, XOnlyPublicKey};

/// Two transactions: one pays to the group, one spends that by the key path.
pub(super) struct Spend {
    funding: Transaction,
    spending: Transaction,
}

/// The Taproot output of this key, which is tweaked already.
pub(super) fn output(key: &XOnlyPublicKey) -> TweakedPublicKey {
    // An x-only public key is a point for either library.
    let key = UntweakedPublicKey::from_slice(&key.to_bytes())
        .expect("a valid x-only public key of one library is one of the other");
    TweakedPublicKey::dangerous_assume_tweaked(key)
}

/// The address of that output on the main network.
pub(super) fn address(key: &XOnlyPublicKey) -> Address {
    Address::p2tr_tweaked(output(key), KnownHrp::Mainnet)
}

impl Spend {
    /// Pays 0.001 BTC to the key and spends it again.
    pub(super) fn of(key: &XOnlyPublicKey) -> Self {
        let script = ScriptBuf::new_p2tr_tweaked(output(key));
        let pay = |value, script_pubkey| TxOut { value: Amount::from_sat(value), script_pubkey };
        let spend = |previous_output| TxIn {
            previous_output,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        };
        let transaction = |input, output| Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![input],
            output: vec![output],
        };
        let elsewhere = OutPoint { txid: Txid::all_zeros(), vout: 0 };
        let funding = transaction(spend(elsewhere), pay(100_000, script.clone()));
        let there = OutPoint { txid: funding.compute_txid(), vout: 0 };
        let spending = transaction(spend(there), pay(99_000, script));
        Self { funding, spending }
    }

    /// The message to sign: BIP-341's signature hash for the key path, `SIGHASH_DEFAULT`.
    pub(super) fn signature_hash(&self) -> Result<[u8; 32], TaprootError> {
        let spent = [&self.funding.output[0]];
        SighashCache::new(&self.spending)
            .taproot_key_spend_signature_hash(0, &Prevouts::All(&spent), TapSighashType::Default)
            .map(|hash| hash.to_byte_array())
    }

    /// The spending transaction with this signature.
    pub(super) fn signed(
        &self,
        signature: &Signature,
    ) -> Result<Transaction, bitcoin::secp256k1::Error> {
        let signature = taproot::Signature {
            signature: bitcoin::secp256k1::schnorr::Signature::from_slice(&signature.to_bytes())?,
            sighash_type: TapSighashType::Default,
        };
        let mut transaction = self.spending.clone();
        transaction.input[0].witness = Witness::p2tr_key_spend(&signature);
        Ok(transaction)
    }

    /// Asks Bitcoin Core's consensus code whether the transaction may spend the group's output.
    pub(super) fn verify(&self, transaction: &Transaction) -> Result<(), consensus::Error> {
        consensus::check_input(transaction, 0, &self.funding.output[..1])
    }
}

#[cfg(test)]
mod tests {
    use roastery_frost::SigningKey;

    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_bytes([byte; 32].into()).unwrap()
    }

    #[test]
    fn consensus_code_accepts_the_right_signature_and_no_other() {
        let spend = Spend::of(&key(1).public_key());
        let hash = spend.signature_hash().unwrap();
        let right = key(1).sign(&hash, &[0; 32]);
        spend.verify(&spend.signed(&right).unwrap()).unwrap();
        let of_another = key(2).sign(&hash, &[0; 32]);
        assert!(spend.verify(&spend.signed(&of_another).unwrap()).is_err());
        let mut altered = spend.signed(&right).unwrap();
        altered.output[0].value = Amount::from_sat(1);
        assert!(spend.verify(&altered).is_err());
    }
}
