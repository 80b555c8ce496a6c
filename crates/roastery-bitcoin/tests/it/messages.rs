//! Texts that are signed as an address, with BIP-322's published vectors and Bitcoin Core's
//! consensus code.

use bitcoin::{
    Address, Network, ScriptBuf,
    base64::{Engine as _, prelude::BASE64_STANDARD},
};
use roastery_bitcoin::{
    consensus::check_input,
    message::{
        Form, Outcome, Proven, TextError, VerifyError, message_hash, to_sign, to_spend, verify,
    },
    wallet::MAX_ACCOUNT,
};
use roastery_protocol::request::{Derivation, SigningRequest, Taproot};
use roastery_testkit::payments::TestGroup;
use serde_json::Value;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn basic() -> Value {
    vectors(include_str!("../vectors/bip322-basic.json"))
}

fn generated() -> Value {
    vectors(include_str!("../vectors/bip322-generated.json"))
}

fn script(address: &str) -> ScriptBuf {
    address.parse::<Address<_>>().unwrap().assume_checked().script_pubkey()
}

fn check(address: &str, text: &str, signature: &str) -> Result<Outcome, VerifyError> {
    verify(&script(address), text.as_bytes(), signature, check_input)
}

#[track_caller]
fn proven(address: &str, text: &str, signature: &str) -> Proven {
    match check(address, text, signature) {
        Ok(Outcome::Valid(proven)) => proven,
        other => panic!("{address} {signature}: {other:?}"),
    }
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

#[test]
fn the_transactions_of_a_text_are_those_of_the_vectors() {
    let vectors = basic();
    let hashes = vectors["tx_hashes"].as_array().unwrap();
    assert_eq!(hashes.len(), 3);
    for vector in hashes {
        let message = text(vector, "message");
        let hash =
            bitcoin::hex::DisplayHex::to_lower_hex_string(&message_hash(message.as_bytes())[..]);
        assert_eq!(hash, vector["message_hash"]);
        let spent = to_spend(script(text(vector, "address")), message.as_bytes());
        assert_eq!(spent.compute_txid().to_string(), vector["to_spend_tx_hash"]);
        assert_eq!(to_sign(&spent).compute_txid().to_string(), vector["to_sign_tx_hash"]);
    }
}

#[test]
fn the_published_signatures_are_valid_in_each_form_and_for_no_other_text() {
    let mut seen = 0;
    for (vectors, kind, form) in [
        (basic(), "simple", Form::Simple),
        (generated(), "simple", Form::Simple),
        (generated(), "full", Form::Full),
        (generated(), "proof_of_funds", Form::ProofOfFunds),
    ] {
        for vector in vectors[kind].as_array().unwrap() {
            let (address, message) = (text(vector, "address"), text(vector, "message"));
            for signature in vector["bip322_signatures"].as_array().unwrap() {
                let signature = signature.as_str().unwrap();
                let found = proven(address, message, signature);
                assert_eq!(found.form, form);
                if form == Form::Full {
                    assert_eq!(found.lock_time, vector["lock_time"].as_u64().unwrap() as u32);
                    assert_eq!(found.age, vector["sequence"].as_u64().unwrap() as u32);
                }
                assert_eq!(found.coins.is_empty(), form != Form::ProofOfFunds);
                let other = check(address, &format!("{message} "), signature);
                assert!(other.is_err(), "{other:?}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 20, "{seen}");
}

#[test]
fn what_the_vectors_call_wrong_is_not_valid() {
    let mut seen = 0;
    for vectors in [basic(), generated()] {
        for vector in vectors["error"].as_array().unwrap() {
            let (address, message) = (text(vector, "address"), text(vector, "message"));
            let found = check(address, message, text(vector, "signature"));
            assert!(!matches!(found, Ok(Outcome::Valid(_))), "{}", vector["description"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 36);
}

#[test]
fn a_group_signs_a_text_as_each_of_its_addresses_in_every_form() {
    let group = TestGroup::three_of_five();
    let message = "We, the treasury: \u{1f600}";
    for (wallet, paths) in [
        (group.wallet(), vec![vec![], vec![0, 0], vec![1, 7], vec![MAX_ACCOUNT, 0, 3]]),
        (group.wallet_with("pk(@0/<2;3>/*)"), vec![vec![], vec![0, 0], vec![4, 1, 2]]),
    ] {
        for path in paths {
            let asked = wallet.text_message(&path, message).unwrap();
            let signature = group.sign(&[asked])[0].to_bytes();
            let address = wallet.text_address(&path, Network::Bitcoin).unwrap();
            let forms = wallet.text_signature(&path, message, &signature).unwrap();
            let bare = forms.simple.strip_prefix("smp").unwrap();
            assert_eq!(forms.unprefixed, bare);
            let bare_full = forms.full.strip_prefix("ful").unwrap();
            for (form, signature) in [
                (Form::Simple, forms.simple.as_str()),
                (Form::Simple, bare),
                (Form::Full, forms.full.as_str()),
                (Form::Full, bare_full),
            ] {
                let expected = Proven { form, lock_time: 0, age: 0, coins: Vec::new() };
                assert_eq!(proven(&address.to_string(), message, signature), expected);
                assert!(check(&address.to_string(), "We", signature).is_err());
                let other = wallet.text_address(&[0, 1], Network::Bitcoin).unwrap();
                assert!(check(&other.to_string(), message, signature).is_err());
            }
        }
    }
}

#[test]
fn a_request_for_a_text_signs_this_text_by_the_key_of_an_address_or_it_is_refused() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let request = |messages| SigningRequest::new(group.group.id(), [1; 32], 9, messages).unwrap();
    let right = wallet.text_message(&[0, 4], "pay").unwrap();
    let asked = |derivation: Derivation| {
        let mut message = right.clone();
        message.derivation = derivation;
        wallet.check_text(&request(vec![message]), "pay")
    };
    assert_eq!(wallet.check_text(&request(vec![right.clone()]), "pay"), Ok(()));
    let other = wallet.check_text(&request(vec![right.clone()]), "pay ");
    assert_eq!(other, Err(TextError::OtherText));
    let twice = wallet.check_text(&request(vec![right.clone(); 2]), "pay");
    assert_eq!(twice, Err(TextError::MessageCount { count: 2 }));
    let at = |path: &[u32], taproot| Derivation { path: path.to_vec(), taproot };
    assert_eq!(asked(at(&[0, 5], Taproot::KeyPathOnly)), Err(TextError::OtherText));
    for derivation in [
        at(&[0, 4], Taproot::Untweaked),
        at(&[0, 4], Taproot::ScriptRoot([1; 32])),
        at(&[], Taproot::Untweaked),
        at(&[2, 4], Taproot::KeyPathOnly),
        at(&[7], Taproot::KeyPathOnly),
        at(&[MAX_ACCOUNT + 1, 0, 4], Taproot::KeyPathOnly),
        at(&[0, 1_000_000], Taproot::KeyPathOnly),
        at(&[1, 0, 0, 4], Taproot::KeyPathOnly),
    ] {
        assert_eq!(asked(derivation.clone()), Err(TextError::NotAnAddress), "{derivation:?}");
    }
}

#[test]
fn what_is_reserved_for_later_rules_is_inconclusive() {
    // An output of SegWit version 2, which anyone can spend today.
    let future = Address::from_script(
        &ScriptBuf::from_bytes([&[0x52, 0x20][..], &[7; 32]].concat()),
        Network::Bitcoin,
    );
    let empty = format!("smp{}", BASE64_STANDARD.encode([1, 1, 1]));
    let found = check(&future.unwrap().to_string(), "mine", &empty);
    assert!(matches!(found, Ok(Outcome::Inconclusive { .. })), "{found:?}");
}

#[test]
fn a_signature_that_does_not_commit_to_everything_is_refused_though_consensus_takes_it() {
    use bitcoin::{
        Amount, TapSighashType, TxOut, Witness, consensus,
        secp256k1::{Keypair, Message, Secp256k1},
        sighash::{Prevouts, SighashCache},
    };
    let secp = Secp256k1::new();
    let pair = Keypair::from_seckey_slice(&secp, &[5; 32]).unwrap();
    let script = ScriptBuf::from_bytes(
        [&[0x51, 0x20], &pair.x_only_public_key().0.serialize()[..]].concat(),
    );
    let spent = to_spend(script.clone(), b"mine");
    let mut transaction = to_sign(&spent);
    let signed = |kind: TapSighashType, transaction: &bitcoin::Transaction| {
        let hash = SighashCache::new(transaction)
            .taproot_key_spend_signature_hash(0, &Prevouts::All(&spent.output), kind)
            .unwrap();
        let message = Message::from_digest(bitcoin::hashes::Hash::to_byte_array(hash));
        let signature = secp.sign_schnorr_no_aux_rand(&message, &pair);
        Witness::p2tr_key_spend(&bitcoin::taproot::Signature { signature, sighash_type: kind })
    };
    let simple =
        |witness: &Witness| format!("smp{}", BASE64_STANDARD.encode(consensus::serialize(witness)));
    for kind in [TapSighashType::Default, TapSighashType::All] {
        let found = verify(&script, b"mine", &simple(&signed(kind, &transaction)), check_input);
        assert!(matches!(found, Ok(Outcome::Valid(_))), "{found:?}");
    }
    for kind in [TapSighashType::None, TapSighashType::Single, TapSighashType::AllPlusAnyoneCanPay]
    {
        let witness = signed(kind, &transaction);
        let mut full = transaction.clone();
        full.input[0].witness = witness.clone();
        assert!(check_input(&full, 0, &spent.output).is_ok());
        let found = verify(&script, b"mine", &simple(&witness), check_input);
        assert!(matches!(found, Err(VerifyError::Rule { input: 0, .. })), "{found:?}");
    }
    // A transaction that pays something is a payment.
    transaction.output[0] = TxOut { value: Amount::ZERO, script_pubkey: script.clone() };
    let witness = signed(TapSighashType::Default, &transaction);
    transaction.input[0].witness = witness;
    let full = format!("ful{}", BASE64_STANDARD.encode(consensus::serialize(&transaction)));
    let found = verify(&script, b"mine", &full, check_input);
    assert!(matches!(found, Err(VerifyError::Pays)), "{found:?}");
}

/// The outcome for an output of a script without keys, which this script alone spends.
fn by_script(bytes: &[u8]) -> Result<Outcome, VerifyError> {
    let inner = ScriptBuf::from_bytes(bytes.to_vec());
    let witness = bitcoin::Witness::from_slice(&[bytes]);
    let signature = BASE64_STANDARD.encode(bitcoin::consensus::serialize(&witness));
    verify(&inner.to_p2wsh(), b"mine", &format!("smp{signature}"), check_input)
}

#[test]
fn code_separators_are_refused_and_reserved_opcodes_are_inconclusive() {
    // OP_1 alone; after OP_NOP, OP_NOP4, OP_CODESEPARATOR.
    assert!(matches!(by_script(&[0x51]), Ok(Outcome::Valid(_))));
    assert!(matches!(by_script(&[0x61, 0x51]), Ok(Outcome::Valid(_))));
    assert!(matches!(by_script(&[0xb3, 0x51]), Ok(Outcome::Inconclusive { .. })));
    let refused = by_script(&[0xab, 0x51]);
    assert!(matches!(refused, Err(VerifyError::Rule { rule: "a code separator", .. })));
}

#[test]
fn a_signature_with_the_other_s_is_refused_though_consensus_takes_it() {
    use bitcoin::{Witness, consensus, secp256k1::ecdsa};
    let vectors = basic();
    let vector = &vectors["simple"][0];
    let signature = vector["bip322_signatures"][0].as_str().unwrap();
    let bytes = BASE64_STANDARD.decode(signature.strip_prefix("smp").unwrap()).unwrap();
    let witness: Witness = consensus::deserialize(&bytes).unwrap();
    let (der, key) = (&witness[0], &witness[1]);
    let mut compact =
        ecdsa::Signature::from_der(&der[..der.len() - 1]).unwrap().serialize_compact();
    // The group's order less s.
    let mut borrow = 0;
    for (order, byte) in
        bitcoin::secp256k1::constants::CURVE_ORDER.iter().zip(&mut compact[32..]).rev()
    {
        let left = i16::from(*order) - i16::from(*byte) - borrow;
        borrow = i16::from(left < 0);
        *byte = left.rem_euclid(256) as u8;
    }
    let high = ecdsa::Signature::from_compact(&compact).unwrap();
    let high = [&high.serialize_der()[..], &[0x01]].concat();
    let witness = Witness::from_slice(&[&high[..], key]);
    let (script, message) = (script(text(vector, "address")), text(vector, "message"));
    let spent = to_spend(script.clone(), message.as_bytes());
    let mut full = to_sign(&spent);
    full.input[0].witness = witness.clone();
    assert!(check_input(&full, 0, &spent.output).is_ok());
    let simple = format!("smp{}", BASE64_STANDARD.encode(consensus::serialize(&witness)));
    let refused = verify(&script, message.as_bytes(), &simple, check_input);
    assert!(matches!(refused, Err(VerifyError::Rule { .. })), "{refused:?}");
}
