//! PSBTs that real use has found, made with BDK, embit, btclib, Bitcoin Core and by hand for a
//! group of 2 of 3 (`tests/cases`): what is right for each.

use std::{fs, path::Path};

use bitcoin::{Amount, Network, Psbt, hex::FromHex};
use roastery_bitcoin::{
    consensus::check_input,
    policy::{Refusal, Review, Rules},
    psbt::{Document, Place, PsbtError, read},
    spend::{
        CannotSign, Completed, Completion, Left, Missing, Need, Payee, Spend, State, Warning,
        extract,
    },
    wallet::Wallet,
};
use roastery_testkit::payments::{TestGroup, group_of_key, judge_all};
use serde_json::Value;

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)).unwrap()
}

/// The key and the chain code of a group.
fn named(group: &str) -> ([u8; 33], [u8; 32]) {
    let groups: Value = serde_json::from_slice(&file("groups.json")).unwrap();
    let text = |field: &str| groups[group][field].as_str().unwrap().to_owned();
    (FromHex::from_hex(&text("key")).unwrap(), FromHex::from_hex(&text("chain_code")).unwrap())
}

/// The group of the cases, which signs.
fn group() -> TestGroup {
    let keys =
        [0, 1, 2].map(|seat| String::from_utf8(file(&format!("host-key-of-seat-{seat}"))).unwrap());
    let (key, chain_code) = named("group");
    let keys = keys.each_ref().map(String::as_str);
    let group = TestGroup::recovered(&file("recovery-data"), chain_code, &keys);
    assert_eq!(group.group.keys().threshold_public_key().serialize(), key);
    group
}

/// A group's wallet.
pub(crate) fn wallet(group: &str) -> Wallet {
    let (key, chain_code) = named(group);
    Wallet::new(group_of_key(&key, chain_code)).unwrap()
}

/// A case, signed by the group.
struct Signed {
    spend: Spend,
    done: Completed,
}

fn signed(name: &str) -> Signed {
    let group = group();
    let spend = Spend::of(read(&file(name)).unwrap(), &group.wallet());
    let signatures = group.sign(&spend.messages().unwrap());
    let done = spend.complete(&signatures, Completion::Finalised).unwrap();
    Signed { spend, done }
}

/// A case of which everything is signed: consensus code accepts the transaction.
fn accepted(name: &str) -> Spend {
    let Signed { spend, done } = signed(name);
    assert_eq!(done.left(), [], "{name}");
    let spent: Vec<_> =
        spend.inputs().iter().map(|input| input.previous.clone().unwrap()).collect();
    judge_all(&extract(done.document()).unwrap(), &spent);
    spend
}

fn warnings(name: &str) -> Vec<Warning> {
    Spend::of(read(&file(name)).unwrap(), &wallet("group")).warnings().to_vec()
}

/// The fields of a document that `bitcoin` reads.
fn everything(document: &Document) -> Psbt {
    Psbt::deserialize(document.bytes()).unwrap()
}

#[test]
fn an_own_output_far_down_is_signed_whatever_account_its_path_names() {
    let spend = accepted("09-index1500-sparrow-origin.psbt");
    assert_eq!(spend.messages().unwrap()[0].derivation.path, [0, 1500]);
    let spend = accepted("200-bdk-origin-index1500.psbt");
    assert_eq!(spend.messages().unwrap()[0].derivation.path, [0, 1500]);
    assert!(matches!(&spend.outputs()[1].payee, Payee::Wallet(change) if change.path == [1, 0]));
}

#[test]
fn a_leafs_key_below_the_path_of_an_account_is_signed_for() {
    let spend = accepted("175-leaf-own-fp-86h-prefix.psbt");
    assert_eq!(spend.messages().unwrap()[0].derivation.path, [0, 3]);
}

#[test]
fn the_groups_key_is_found_behind_co_signers_without_a_fingerprint() {
    let spend = accepted("121-multi_a-1-of-5-fp0-cosigners.psbt");
    assert_eq!(spend.messages().unwrap()[0].derivation.path, [0, 3]);
}

/// The signature of the group is in its field, and this is said to be missing.
fn partly_signed(name: &str, input: usize, needs: &[Need]) -> Signed {
    let signed = signed(name);
    let [Left { input: at, missing: Missing::Leaf(said), .. }] = signed.done.left() else {
        panic!("{:?}", signed.done.left());
    };
    assert_eq!((*at, &said[..]), (input, needs), "{name}");
    let fields = &signed.done.document().decoded().inputs[input];
    assert_eq!((fields.tap_script_sigs.len(), &fields.final_script_witness), (1, &None), "{name}");
    // Everything that was there is there.
    let before = read(&file(name)).unwrap();
    let (mut before, mut after) = (everything(&before), everything(signed.done.document()));
    before.inputs[input].tap_script_sigs.clear();
    after.inputs[input].tap_script_sigs.clear();
    assert_eq!(before.inputs[input], after.inputs[input]);
    signed
}

fn another() -> Need {
    let key = "d3e113c8e15fdb1f1b9fbb4374736ab08e22af8d465d6792a99067347981e2ab";
    Need::Signature(key.parse().unwrap())
}

#[test]
fn a_leaf_that_needs_another_is_signed_in_part_and_what_is_missing_is_named() {
    let signed = partly_signed("116-leaf-and-with-other.psbt", 0, &[another()]);
    let said = signed.done.left()[0].to_string();
    assert!(said.contains("input 0 is signed by this group"), "{said}");
    assert!(said.contains("d3e113c8e15fdb1f"), "{said}");
}

#[test]
fn a_leaf_that_needs_time_is_signed_in_part_and_what_is_missing_is_named() {
    let needs = [Need::Older { least: 144, sequence: 10 }];
    let signed = partly_signed("103-leaf-older-144-seq-too-low.psbt", 0, &needs);
    let said = signed.done.left()[0].to_string();
    assert!(said.contains("older(144), which 10 is not"), "{said}");
}

#[test]
fn what_a_leaf_lacks_takes_no_signature_from_another_input() {
    let signed = partly_signed("176-keypath-plus-unfinalisable-leaf.psbt", 1, &[another()]);
    let spent: Vec<_> =
        signed.spend.inputs().iter().map(|input| input.previous.clone().unwrap()).collect();
    let mut transaction = signed.spend.transaction().clone();
    transaction.input[0].witness =
        signed.done.document().decoded().inputs[0].final_script_witness.clone().unwrap();
    check_input(&transaction, 0, &spent).unwrap();
}

#[test]
fn an_input_that_is_not_signed_for_its_signature_hash_type_is_said() {
    let Signed { spend, done } = signed("31-mixed-sighash.psbt");
    assert!(spend.warnings().contains(&Warning::Sighash { input: 1, kind: 3 }));
    let left = done.left();
    assert!(matches!(left, [Left { input: 1, missing: Missing::SignatureHashType(3), .. }]));
    assert!(left[0].is_ours());
    // The other one is signed.
    assert!(done.document().decoded().inputs[0].final_script_witness.is_some());
    assert_eq!(extract(done.document()), Err(1));
}

#[test]
fn a_signature_counts_if_it_verifies() {
    let spend = accepted("146-stale-signature-after-edit.psbt");
    assert!(spend.warnings().contains(&Warning::StaleSignature { input: 0 }));
    let spend = accepted("194-empty-final-witness.psbt");
    assert!(!spend.warnings().iter().any(|warning| {
        matches!(warning, Warning::StaleSignature { .. } | Warning::AlreadySigned { .. })
    }));
}

/// A field stands in the bytes of a document as in a case.
fn stays(name: &str, field: &[u8]) {
    let stands = |bytes: &[u8]| bytes.windows(field.len()).any(|window| window == field);
    assert!(stands(&file(name)), "{name}");
    let document = read(&file(name)).unwrap();
    assert_eq!(document.bytes(), file(name));
    if let Ok(messages) = Spend::of(document, &wallet("group")).messages() {
        assert!(!messages.is_empty());
        assert!(stands(signed(name).done.document().bytes()), "{name}");
    }
}

#[test]
fn fields_of_others_that_this_group_does_not_use_stay_byte_for_byte() {
    // An extended key of another version.
    stays("149-xpub-vpub-version.psbt", &[0x4f, 0x01, 0x04, 0x5f, 0x1c, 0xf6]);
    // A leaf of a version that looks like an annex: nothing is signed by it.
    let name = "113-leaf-version-50-annex-like.psbt";
    stays(name, &[0x22, 0x15, 0x51, 0x50, 0x92, 0x9b]);
    let spend = Spend::of(read(&file(name)).unwrap(), &wallet("group"));
    assert_eq!(spend.messages(), Err(CannotSign::NothingToSign));
    // An uncompressed key.
    let name = "151-foreign-uncompressed-derivation.psbt";
    stays(name, &[0x42, 0x06, 0x04, 0xd3, 0xe1, 0x13]);
    let Signed { done, .. } = signed(name);
    assert!(matches!(done.left(), [Left { input: 1, missing: Missing::Other, .. }]));
}

#[test]
fn an_output_that_no_one_can_spend_is_burnt_and_one_that_anyone_can_is_named() {
    let amount = Amount::from_sat(999_999_000);
    let said = warnings("168-output-p2tr-invalid-x.psbt");
    assert!(said.contains(&Warning::Burnt { output: 0, amount }), "{said:?}");
    let said = warnings("168-output-p2a.psbt");
    assert!(said.contains(&Warning::AnyoneCanSpend { output: 0, amount }), "{said:?}");
    // Both count as lost, which the usual rules refuse.
    for name in ["168-output-p2tr-invalid-x.psbt", "168-output-p2a.psbt"] {
        let spend = Spend::of(read(&file(name)).unwrap(), &wallet("group"));
        let policy = Rules::default().check(Network::Regtest, Review::Shown).unwrap();
        let refused = policy.evaluate(&spend, Amount::ZERO);
        assert!(matches!(refused, Err(Refusal::FeeShare { .. })), "{name}: {refused:?}");
    }
}

#[test]
fn a_transaction_without_outputs_is_refused() {
    let spend = Spend::of(read(&file("47-no-outputs.psbt")).unwrap(), &wallet("group"));
    assert_eq!(spend.messages(), Err(CannotSign::NoOutputs));
}

#[test]
fn text_with_a_mark_url_safe_base64_and_hexadecimal_digits_are_read() {
    for name in ["53-b64-utf8-bom.txt", "55-b64-urlsafe.txt", "57-hex.txt"] {
        accepted(name);
    }
}

#[test]
fn modifiable_flags_of_two_bytes_are_refused() {
    let place = Place::Global;
    let field = "list of what may be modified";
    let error = read(&file("73-v2-modifiable-2-bytes.psbt")).unwrap_err();
    assert_eq!(error, PsbtError::Value { place, field, allowed: "1 byte" });
}

#[test]
fn the_root_of_an_own_key_with_a_leaf_follows_from_the_control_block() {
    let spend = accepted("124-internal-ours-with-leaf-no-root.psbt");
    assert_eq!(spend.messages().unwrap()[0].derivation.path, [0, 3]);
    assert_eq!(spend.inputs()[0].state, State::Unsigned);
}

#[test]
fn the_psbt_of_another_group_is_that_groups() {
    let psbt = || read(&file("201-manual-policy.psbt")).unwrap();
    let spend = Spend::of(psbt(), &wallet("of_201"));
    assert_eq!(spend.messages().unwrap().len(), 1);
    let spend = Spend::of(psbt(), &wallet("group"));
    assert_eq!(spend.messages(), Err(CannotSign::NothingToSign));
}
