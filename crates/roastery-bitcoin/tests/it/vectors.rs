//! Published vectors: PSBTs of BIP-174, BIP-370 and BIP-371, and BIP-341's wallet.

use bitcoin::{
    Amount, Psbt, ScriptBuf, TapNodeHash, TapSighashType, Transaction, TxOut, Witness,
    XOnlyPublicKey,
    absolute::LockTime,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    bip32::DerivationPath,
    consensus,
    hashes::Hash as _,
    hex::FromHex as _,
    sighash::{Prevouts, SighashCache},
    taproot,
};
use roastery_bitcoin::{
    consensus::check_input,
    psbt::read,
    spend::{CannotSign, Completion, Signing, Spend, State},
};
use roastery_protocol::request::{Derivation, MessageToSign, Taproot};
use roastery_testkit::payments::{TestGroup, spend_of};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    bip: u16,
    case: String,
    valid: bool,
    psbt: String,
    lock_time: Option<u32>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../vectors/psbt.json")).unwrap()
}

#[test]
fn valid_psbts_are_read_and_shown_and_nothing_of_them_is_signed() {
    let wallet = TestGroup::three_of_five().wallet();
    let mut counts = [0; 3];
    for case in cases().iter().filter(|case| case.valid) {
        let bytes = Vec::from_hex(&case.psbt).unwrap();
        let name = &case.case;
        let document = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let psbt = document.decoded();
        if let Some(time) = case.lock_time {
            assert_eq!(psbt.unsigned_tx.lock_time, LockTime::from_consensus(time), "{name}");
        }
        // In base64 it is the same, and every byte of it stays.
        assert_eq!(document.bytes(), bytes, "{name}");
        let text = BASE64_STANDARD.encode(document.bytes());
        assert_eq!(read(text.as_bytes()).unwrap(), document, "{name}");
        let spend = Spend::of(document, &wallet);
        assert!(spend.inputs().iter().all(|input| input.signing == Signing::NotOurs), "{name}");
        let nothing = matches!(
            spend.messages(),
            Err(CannotSign::NothingToSign | CannotSign::UnknownOutput { .. })
        );
        assert!(nothing, "{name}");
        counts[match case.bip {
            174 => 0,
            370 => 1,
            _ => 2,
        }] += 1;
    }
    assert_eq!(counts, [16, 22, 8]);
}

#[test]
fn invalid_psbts_are_refused_with_one_line() {
    let invalid: Vec<Case> = cases().into_iter().filter(|case| !case.valid).collect();
    assert_eq!(invalid.len(), 51);
    for case in invalid {
        let error = read(&Vec::from_hex(&case.psbt).unwrap()).expect_err(&case.case).to_string();
        assert!(!error.is_empty() && !error.contains('\n'), "{}: {error}", case.case);
    }
}

#[test]
fn a_sequence_number_that_is_absent_is_the_final_one() {
    let case =
        cases().into_iter().find(|case| case.case.ends_with("required fields only")).unwrap();
    let document = read(&Vec::from_hex(&case.psbt).unwrap()).unwrap();
    let psbt = document.decoded();
    assert_eq!(psbt.unsigned_tx.input[0].sequence, bitcoin::Sequence::MAX);
    assert_eq!(psbt.unsigned_tx.output[1].value, Amount::from_sat(199_998_859));
}

fn wallet_vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/bip341.json")).unwrap()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    <[u8; N]>::from_hex(value.as_str().unwrap()).unwrap()
}

fn taproot_of(root: &Value) -> Taproot {
    if root.is_null() { Taproot::KeyPathOnly } else { Taproot::ScriptRoot(bytes(root)) }
}

/// The spending of the vectors: the transaction, what it spends, and its inputs by key path.
fn spending() -> (Transaction, Vec<TxOut>, Vec<Value>, Transaction) {
    let vectors = wallet_vectors();
    let spending = &vectors["keyPathSpending"][0];
    let decode = |value: &Value| -> Transaction {
        consensus::deserialize(&Vec::from_hex(value.as_str().unwrap()).unwrap()).unwrap()
    };
    let spent = spending["given"]["utxosSpent"].as_array().unwrap().iter().map(|output| TxOut {
        value: Amount::from_sat(output["amountSats"].as_u64().unwrap()),
        script_pubkey: ScriptBuf::from_hex(output["scriptPubKey"].as_str().unwrap()).unwrap(),
    });
    (
        decode(&spending["given"]["rawUnsignedTx"]),
        spent.collect(),
        spending["inputSpending"].as_array().unwrap().clone(),
        decode(&spending["auxiliary"]["fullySignedTx"]),
    )
}

#[test]
fn groups_that_share_the_vectors_keys_have_their_tweaked_keys_and_sign_their_hashes() {
    let (unsigned, spent, inputs, signed) = spending();
    assert_eq!(inputs.len(), 7);
    for vector in inputs {
        let given = &vector["given"];
        let index = given["txinIndex"].as_u64().unwrap() as usize;
        let group = TestGroup::of(bytes(&given["internalPrivkey"]), [0; 32], 2, 3);
        let derivation = Derivation { path: vec![], taproot: taproot_of(&given["merkleRoot"]) };
        let key = derivation.tweaks(&group.group).unwrap().x_only_public_key();
        assert_eq!(spent[index].script_pubkey.as_bytes()[2..], key.to_bytes(), "input {index}");

        let kind = given["hashType"].as_u64().unwrap() as u8;
        let kind = TapSighashType::from_consensus_u8(kind).unwrap();
        let hash = SighashCache::new(&unsigned)
            .taproot_key_spend_signature_hash(index, &Prevouts::All(&spent), kind)
            .unwrap()
            .to_byte_array();
        assert_eq!(hash, bytes::<32>(&vector["intermediary"]["sigHash"]), "input {index}");

        let signatures = group.sign(&[MessageToSign { message: hash, derivation }]);
        let signature =
            taproot::Signature::from_slice(&signatures[0].to_bytes()).unwrap().signature;
        let mut transaction = signed.clone();
        check_input(&transaction, index, &spent).unwrap();
        let signature = taproot::Signature { signature, sighash_type: kind };
        transaction.input[index].witness = Witness::p2tr_key_spend(&signature);
        check_input(&transaction, index, &spent).unwrap();
    }
}

#[test]
fn the_vectors_spending_as_a_psbt_is_signed_where_all_of_it_is_committed_to() {
    let (unsigned, spent, inputs, signed) = spending();
    for vector in inputs {
        let given = &vector["given"];
        let index = given["txinIndex"].as_u64().unwrap() as usize;
        let group = TestGroup::of(bytes(&given["internalPrivkey"]), [0; 32], 2, 3);
        let wallet = group.wallet();
        let mut psbt = Psbt::from_unsigned_tx(unsigned.clone()).unwrap();
        for (fields, output) in psbt.inputs.iter_mut().zip(&spent) {
            fields.witness_utxo = Some(output.clone());
        }
        let kind =
            TapSighashType::from_consensus_u8(given["hashType"].as_u64().unwrap() as u8).unwrap();
        let internal =
            XOnlyPublicKey::from_slice(&bytes::<32>(&vector["intermediary"]["internalPubkey"]))
                .unwrap();
        let fields = &mut psbt.inputs[index];
        fields.sighash_type = Some(kind.into());
        fields.tap_internal_key = Some(internal);
        if !given["merkleRoot"].is_null() {
            let root = TapNodeHash::from_byte_array(bytes(&given["merkleRoot"]));
            fields.tap_merkle_root = Some(root);
        }
        let source = (wallet.fingerprint(), DerivationPath::default());
        fields.tap_key_origins.insert(internal, (vec![], source));
        let spend = spend_of(psbt, &wallet);
        let look = &spend.inputs()[index];
        assert!(matches!(look.signing, Signing::KeyPath(_)), "input {index}");
        if !matches!(kind, TapSighashType::Default | TapSighashType::All) {
            assert_eq!(look.state, State::OtherSighash(kind as u32), "input {index}");
            continue;
        }
        let messages = spend.messages().unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].message, bytes::<32>(&vector["intermediary"]["sigHash"]));
        let done =
            spend.complete(&group.sign(&messages), Completion::Finalised).unwrap().into_document();
        let mut transaction = signed.clone();
        transaction.input[index].witness =
            done.decoded().inputs[index].final_script_witness.clone().unwrap();
        check_input(&transaction, index, &spent).unwrap();
    }
}
