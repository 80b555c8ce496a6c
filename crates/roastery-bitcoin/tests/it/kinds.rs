//! The kind of each case of [`cases`](crate::cases): what else would be wrong in the same way.

use bitcoin::{
    Amount, NetworkKind, Psbt, ScriptBuf, XOnlyPublicKey,
    base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD},
    bip32::{ChildNumber, DerivationPath, Fingerprint},
    consensus::serialize,
    hashes::Hash as _,
    hex::DisplayHex as _,
};
use miniscript::{Descriptor, psbt::PsbtExt as _};
use roastery_bitcoin::{
    psbt::{Content, PsbtError, read},
    spend::{CannotSign, Completion, Signing, Spend, Warning, extract},
    wallet::{Branch, Wallet},
};
use roastery_protocol::request::{Derivation, Taproot};
use roastery_testkit::payments::{
    TestGroup, elsewhere, funding, judge_all, ordinary, pay, spend_of, spending,
};

/// BIP-341's key without a known secret key.
pub(crate) const NO_KEY: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
/// Another party's key.
pub(crate) const OTHER: &str = "d3e113c8e15fdb1f1b9fbb4374736ab08e22af8d465d6792a99067347981e2ab";

pub(crate) fn key(group: &TestGroup, path: &[u32], taproot: Taproot) -> XOnlyPublicKey {
    let derivation = Derivation { path: path.to_vec(), taproot };
    let key = derivation.tweaks(&group.group).unwrap().x_only_public_key();
    XOnlyPublicKey::from_slice(&key.to_bytes()).unwrap()
}

fn p2tr(key: XOnlyPublicKey) -> ScriptBuf {
    ScriptBuf::from_bytes([&[0x51, 0x20], &key.serialize()[..]].concat())
}

fn path(steps: &[u32]) -> DerivationPath {
    steps.iter().map(|step| ChildNumber::from(*step)).collect()
}

const HARD: u32 = 1 << 31;

/// A payment from an address that is beyond the search, with this derivation field and these
/// fields of others.
fn far(
    group: &TestGroup,
    index: u32,
    origin: (Fingerprint, &[u32]),
    others: impl IntoIterator<Item = (XOnlyPublicKey, Fingerprint)>,
) -> Spend {
    let wallet = group.wallet();
    let script = wallet.script(Branch::Receive, index).unwrap();
    let mut psbt = spending(&[pay(100_000, script)], vec![pay(99_000, elsewhere())]);
    let own = key(group, &[0, index], Taproot::Untweaked);
    let fields = &mut psbt.inputs[0].tap_key_origins;
    fields.insert(own, (vec![], (origin.0, path(origin.1))));
    fields.extend(others.into_iter().map(|(key, name)| (key, (vec![], (name, path(&[0, 1]))))));
    spend_of(psbt, &wallet)
}

#[test]
fn an_own_key_is_found_by_the_last_two_steps_whatever_names_it() {
    let group = TestGroup::three_of_five();
    let own = group.wallet().fingerprint();
    let account = [86 | HARD, 1 | HARD, HARD, 0, 7_000];
    for name in [own, Fingerprint::default(), Fingerprint::from([0xd3, 0x4d, 0xb3, 0x3f])] {
        for steps in [&account[..], &[0, 7_000], &[48, 1, 0, 2, 0, 0, 0, 7_000], &[9, 0, 7_000]] {
            let spend = far(&group, 7_000, (name, steps), []);
            assert_eq!(spend.messages().unwrap()[0].derivation.path, [0, 7_000], "{steps:?}");
        }
        // A path that leads elsewhere is none, and neither is one of which a last step is hardened.
        for steps in [&[0, 7_001][..], &[86 | HARD, 0, 7_001], &[0, 7_000 | HARD], &[7_000], &[]] {
            let spend = far(&group, 7_000, (name, steps), []);
            assert_eq!(spend.messages(), Err(CannotSign::NothingToSign), "{steps:?}");
        }
    }
}

#[test]
fn many_fields_of_co_signers_do_not_hide_a_key_however_they_are_named() {
    let group = TestGroup::three_of_five();
    let own = group.wallet().fingerprint();
    let others = |name: Fingerprint| {
        let all = (0..200_u8).filter_map(move |number| {
            Some((XOnlyPublicKey::from_slice(&[number; 32]).ok()?, name))
        });
        all.collect::<Vec<_>>()
    };
    assert!(others(own).len() > 50);
    let foreign = Fingerprint::from([9; 4]);
    for name in [own, Fingerprint::default(), foreign] {
        for around in [own, Fingerprint::default(), foreign] {
            let spend = far(&group, 3_000, (name, &[0, 3_000]), others(around));
            assert_eq!(spend.messages().unwrap().len(), 1, "{name} among {around}");
        }
    }
}

#[test]
fn a_whole_path_is_tried_of_fields_that_name_the_group_before_those_that_name_no_one() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    // Its key comes after all others in the map.
    let last = |step: &u32| key(&group, &[7, 8, *step], Taproot::Untweaked).serialize()[0] > 200;
    let steps = [7, 8, (0..).find(last).unwrap()];
    let script = p2tr(key(&group, &steps, Taproot::KeyPathOnly));
    let mut psbt = spending(&[pay(100_000, script)], vec![pay(99_000, elsewhere())]);
    let fields = &mut psbt.inputs[0].tap_key_origins;
    let others = (0..200_u8).filter_map(|number| XOnlyPublicKey::from_slice(&[number; 32]).ok());
    let none = (vec![], (Fingerprint::default(), path(&[1, 2, 3])));
    fields.extend(others.map(|key| (key, none.clone())));
    assert!(fields.len() > 50);
    let source = (wallet.fingerprint(), path(&steps));
    fields.insert(key(&group, &steps, Taproot::Untweaked), (vec![], source));
    let spend = spend_of(psbt, &wallet);
    assert_eq!(spend.messages().unwrap()[0].derivation.path, steps);
}

#[test]
fn the_key_of_the_group_itself_is_found_below_the_path_of_an_account() {
    let group = TestGroup::three_of_five();
    // Scripts that nothing else tells of, so that the address is not found by search.
    let wallet = group.wallet_with("pk(@0/<2;3>/*)");
    let own = key(&group, &[], Taproot::Untweaked);
    let script = p2tr(key(&group, &[], Taproot::KeyPathOnly));
    let mut psbt = spending(&[pay(100_000, script)], vec![pay(99_000, elsewhere())]);
    let source = (Fingerprint::from([1; 4]), path(&[86 | HARD, 1 | HARD, HARD]));
    psbt.inputs[0].tap_key_origins.insert(own, (vec![], source));
    let spend = spend_of(psbt, &wallet);
    assert!(spend.messages().unwrap()[0].derivation.path.is_empty());
}

#[test]
fn the_search_goes_as_far_as_it_is_set() {
    let group = TestGroup::three_of_five();
    let psbt = |index| {
        let script = group.wallet().script(Branch::Change, index).unwrap();
        spending(&[pay(100_000, script)], vec![pay(99_000, elsewhere())])
    };
    let found = |wallet: &Wallet, index| spend_of(psbt(index), wallet).messages().is_ok();
    let usual = group.wallet();
    assert_eq!((found(&usual, 999), found(&usual, 1_000)), (true, false));
    let farther = group.wallet().searching(1_501).unwrap();
    assert_eq!((found(&farther, 1_500), found(&farther, 1_501)), (true, false));
    for depth in [0, 100_001] {
        let error = group.wallet().searching(depth).unwrap_err();
        assert!(error.to_string().contains("1 to 100000"), "{error}");
    }
}

#[test]
fn a_psbt_in_any_text_is_the_same_psbt() {
    let psbt = ordinary(&TestGroup::three_of_five().wallet());
    let (binary, base64) = (psbt.serialize(), psbt.to_string());
    let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let units = ['\u{feff}'].into_iter().chain(text.chars());
        units.flat_map(|char| order(char as u16)).collect()
    };
    let hexadecimal = binary.to_lower_hex_string();
    for form in [
        base64.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned().into_bytes(),
        BASE64_STANDARD_NO_PAD.encode(&binary).into_bytes(),
        format!("\u{feff}{base64}\r\n").into_bytes(),
        utf16(&base64, u16::to_le_bytes),
        utf16(&format!("{base64}\r\n"), u16::to_be_bytes),
        hexadecimal.to_uppercase().into_bytes(),
        format!(" {}\n{}", &hexadecimal[..60], &hexadecimal[60..]).into_bytes(),
        utf16(&hexadecimal, u16::to_le_bytes),
    ] {
        assert_eq!(read(&form).unwrap().bytes(), binary);
    }
}

#[test]
fn what_is_no_psbt_is_named() {
    let transaction = serialize(&funding(0, vec![pay(1, elsewhere())]));
    let psbt = ordinary(&TestGroup::three_of_five().wallet()).to_string();
    let json = format!("{{\"psbt\": \"{psbt}\", \"complete\": false}}");
    for (bytes, content) in [
        (b"".to_vec(), Content::Nothing),
        (b" \r\n".to_vec(), Content::Nothing),
        (transaction.clone(), Content::Transaction),
        (transaction.to_lower_hex_string().into_bytes(), Content::Transaction),
        (BASE64_STANDARD_NO_PAD.encode(&transaction).into_bytes(), Content::Transaction),
        (json.into_bytes(), Content::Json),
        (b"0123456789abcdef".to_vec(), Content::Hexadecimal),
        (b"AAECAwQFBgc=".to_vec(), Content::Base64),
        (b"not a psbt!".to_vec(), Content::Other),
        (vec![0xff, 0xfe, 0x00], Content::Other),
        (vec![0x80; 40], Content::Other),
    ] {
        let error = read(&bytes).unwrap_err();
        assert_eq!(error, PsbtError::NotAPsbt { content }, "{bytes:02x?}");
    }
}

/// An output with a leaf of the group's at this path, and the PSBT that spends it.
pub(crate) fn leaf_psbt(wallet: &Wallet, internal: &str, leaf: &str) -> Psbt {
    let xpub = format!("[{}]{}", wallet.fingerprint(), wallet.xpub(NetworkKind::Main));
    let text = format!("tr({internal},{leaf})").replace("@0", &xpub);
    let descriptor: Descriptor<miniscript::DefiniteDescriptorKey> = text.parse().unwrap();
    let script = descriptor.script_pubkey();
    let mut psbt = spending(&[pay(100_000, script)], vec![pay(99_000, elsewhere())]);
    psbt.update_input_with_descriptor(0, &descriptor).unwrap();
    psbt
}

#[test]
fn a_key_without_a_tweak_and_the_hash_of_one_in_a_leaf_stay_foreign_and_are_named() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    // By search, by a derivation field, and the group's key itself.
    for steps in [&[0, 5][..], &[0, 5_000], &[]] {
        let raw = key(&group, steps, Taproot::Untweaked);
        let paid = vec![pay(60_000, elsewhere()), pay(39_000, p2tr(raw))];
        let mut psbt = spending(&[pay(100_000, p2tr(raw))], paid);
        let source = (vec![], (wallet.fingerprint(), path(steps)));
        psbt.inputs[0].tap_key_origins.insert(raw, source.clone());
        psbt.outputs[1].tap_key_origins.insert(raw, source);
        let spend = spend_of(psbt, &wallet);
        let said = [Warning::RawKey { input: 0 }, Warning::RawKeyOutput { output: 1 }];
        assert_eq!(spend.warnings(), said, "{steps:?}");
        assert!(said.iter().all(|warning| warning.to_string().contains("rawtr")));
        assert_eq!(spend.messages(), Err(CannotSign::NothingToSign));
        assert!(spend.inputs()[0].may_be_ours() && !spend.outputs()[1].is_ours());
    }
    let spend = spend_of(leaf_psbt(&wallet, NO_KEY, "pkh(@0/0/7)"), &wallet);
    assert!(spend.warnings().contains(&Warning::KeyHash { input: 0 }));
    assert!(Warning::KeyHash { input: 0 }.to_string().contains("pk_h"));
    assert_eq!(spend.messages(), Err(CannotSign::NothingToSign));
    // One leaf with the key is signed all the same.
    let both = leaf_psbt(&wallet, NO_KEY, "{pk(@0/0/7),pkh(@0/0/7)}");
    let spend = spend_of(both, &wallet);
    assert!(spend.warnings().contains(&Warning::KeyHash { input: 0 }));
    assert_eq!(spend.messages().unwrap().len(), 1);
}

#[test]
fn the_root_follows_from_any_leaf_where_it_is_not_stated_or_is_stated_wrongly() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let scripts = format!("{{pk({OTHER}),{{and_v(v:pk({OTHER}),older(9)),pk(@0/0/9)}}}}");
    let psbt = leaf_psbt(&wallet, "@0/0/7", &scripts);
    for root in [None, Some([3; 32])] {
        let mut psbt = psbt.clone();
        psbt.inputs[0].tap_merkle_root = root.map(bitcoin::TapNodeHash::from_byte_array);
        let spend = spend_of(psbt.clone(), &wallet);
        assert!(matches!(&spend.inputs()[0].signing, Signing::KeyPath(key) if key.path == [0, 7]));
        let signatures = group.sign(&spend.messages().unwrap());
        let done = spend.complete(&signatures, Completion::Finalised).unwrap();
        let spent = [psbt.inputs[0].witness_utxo.clone().unwrap()];
        judge_all(&extract(done.document()).unwrap(), &spent);
        // Without a leaf nothing leads there.
        psbt.inputs[0].tap_scripts.clear();
        assert_eq!(spend_of(psbt, &wallet).messages(), Err(CannotSign::NothingToSign));
    }
}

#[test]
fn every_output_that_no_one_or_anyone_can_spend_is_named() {
    let wallet = TestGroup::three_of_five().wallet();
    let said = |script: &[u8]| {
        let script = ScriptBuf::from_bytes(script.to_vec());
        let ours = |branch| wallet.script(branch, 0).unwrap();
        let paid = vec![pay(20_000, script), pay(79_000, ours(Branch::Change))];
        let spend = spend_of(spending(&[pay(100_000, ours(Branch::Receive))], paid), &wallet);
        let about = spend.warnings().iter().find_map(|warning| match warning {
            Warning::Burnt { output: 0, .. } => Some("burnt"),
            Warning::AnyoneCanSpend { output: 0, .. } => Some("anyone"),
            _ => None,
        });
        // It is lost either way.
        let lost = spend.lost_by_the_group().unwrap() == Amount::from_sat(21_000);
        assert_eq!(lost, about.is_some());
        about
    };
    let program = |version: u8, bytes: &[u8]| [&[version, bytes.len() as u8], bytes].concat();
    let off_the_curve = [0xff; 32];
    let x = key(&TestGroup::three_of_five(), &[], Taproot::Untweaked).serialize();
    let p2pk = |x: [u8; 32]| [&[0x21, 0x02][..], &x, &[0xac]].concat();
    for script in [
        vec![0x6a],
        vec![0x6a, 0x01, 0x00],
        program(0x51, &off_the_curve),
        program(0x00, &[1; 19]),
        program(0x00, &[1; 33]),
        p2pk(off_the_curve),
        vec![0x51; 10_001],
    ] {
        assert_eq!(said(&script), Some("burnt"), "{:02x?}", &script[..script.len().min(40)]);
    }
    for script in [
        vec![],
        vec![0x51],
        vec![0x60],
        program(0x51, &[0x4e, 0x73]),
        program(0x51, &[1; 31]),
        program(0x52, &x),
        program(0x60, &[1; 40]),
    ] {
        assert_eq!(said(&script), Some("anyone"), "{script:02x?}");
    }
    for script in [
        program(0x51, &x),
        program(0x00, &[1; 20]),
        program(0x00, &[1; 32]),
        p2pk(x),
        [&[0x76, 0xa9, 0x14][..], &[1; 20], &[0x88, 0xac]].concat(),
        [&[0xa9, 0x14][..], &[1; 20], &[0x87]].concat(),
    ] {
        assert_eq!(said(&script), None, "{script:02x?}");
    }
}

#[test]
fn an_output_of_no_value_that_anyone_can_spend_costs_nothing() {
    let wallet = TestGroup::three_of_five().wallet();
    let mut psbt = ordinary(&wallet);
    psbt.unsigned_tx.output.push(pay(0, ScriptBuf::from_bytes(vec![0x51, 2, 0x4e, 0x73])));
    psbt.outputs.push(Default::default());
    let said = spend_of(psbt, &wallet).warnings().to_vec();
    assert!(!said.iter().any(|warning| matches!(warning, Warning::AnyoneCanSpend { .. })));
}
