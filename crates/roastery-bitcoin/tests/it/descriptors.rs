//! Descriptors with the origin of their key, accounts, sorted keys, and what other wallets import.

use bitcoin::{
    Network, NetworkKind, ScriptBuf,
    bip32::{ChildNumber, Xpub},
    secp256k1::Secp256k1,
    taproot::{LeafVersion, TaprootBuilder},
};
use miniscript::{Descriptor, DescriptorPublicKey, descriptor::WalletPolicy};
use proptest::prelude::*;
use roastery_bitcoin::{
    spend::{Payee, Warning},
    wallet::{Account, Branch, MAX_ACCOUNT, MAX_INDEX, Wallet, WalletError},
};
use roastery_protocol::request::{Derivation, Taproot};
use roastery_testkit::payments::{TestGroup, elsewhere, pay, spend_of, spending};
use serde_json::json;

const MAIN: NetworkKind = NetworkKind::Main;

/// Keys of others, of the main network and of a test network.
const XPUB: &str = "[d34db33f/86'/0'/0']xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL";

fn tpub() -> String {
    let bare = XPUB.rsplit(']').next().unwrap();
    let key = bare.parse::<Xpub>().unwrap();
    Xpub { network: NetworkKind::Test, ..key }.to_string()
}

fn parsed(descriptor: &str) -> Descriptor<DescriptorPublicKey> {
    descriptor.parse().unwrap()
}

fn key_of(group: &TestGroup, path: &[u32]) -> [u8; 32] {
    let derivation = Derivation { path: path.to_vec(), taproot: Taproot::Untweaked };
    derivation.tweaks(&group.group).unwrap().x_only_public_key().to_bytes()
}

#[test]
fn every_descriptor_names_the_origin_of_the_groups_key() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let (fingerprint, xpub) = (wallet.fingerprint(), wallet.xpub(MAIN));
    let starts = |text: String, with: String| assert!(text.starts_with(&with), "{text}");
    let origin = format!("[{fingerprint}]{xpub}");
    starts(wallet.multipath_descriptor(MAIN).unwrap(), format!("tr({origin}/<0;1>/*)#"));
    starts(wallet.descriptor(Branch::Receive, MAIN).unwrap(), format!("tr({origin}/0/*)#"));
    starts(wallet.descriptor(Branch::Change, MAIN).unwrap(), format!("tr({origin}/1/*)#"));
    let scripts = group.wallet_with("pk(@0/<2;3>/*)").multipath_descriptor(MAIN).unwrap();
    starts(scripts, format!("tr({origin}/<0;1>/*,pk({origin}/<2;3>/*))#"));
}

#[test]
fn an_account_is_one_unhardened_step_further_and_says_so() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    let account = wallet.account(Some(7)).unwrap();
    let xpub = account.xpub(MAIN);
    assert_eq!((xpub.depth, xpub.parent_fingerprint), (1, wallet.fingerprint()));
    assert_eq!(xpub.child_number, ChildNumber::Normal { index: 7 });
    assert_eq!(xpub.to_x_only_pub().serialize(), key_of(&group, &[7]));
    let text = account.multipath_descriptor(MAIN).unwrap();
    let start = format!("tr([{}/7]{xpub}/<0;1>/*)#", wallet.fingerprint());
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(account.derivation(Branch::Change, 3).unwrap().path, [7, 1, 3]);
    let main = wallet.account(None).unwrap();
    assert_eq!(main.derivation(Branch::Change, 3).unwrap().path, [1, 3]);

    assert!(wallet.account(Some(MAX_ACCOUNT)).is_ok());
    let beyond = wallet.account(Some(MAX_ACCOUNT + 1));
    assert!(matches!(beyond, Err(WalletError::Account { account }) if account == MAX_ACCOUNT + 1));
}

#[test]
fn what_returns_to_an_account_returns_to_the_wallet_and_no_further_step_does() {
    let group = TestGroup::three_of_five();
    for wallet in [group.wallet(), group.wallet_with("pk(@0/<2;3>/*)")] {
        let account = wallet.account(Some(MAX_ACCOUNT)).unwrap();
        let coin = pay(100_000, account.script(Branch::Receive, 0).unwrap());
        let change = account.derivation(Branch::Change, 5).unwrap();
        let mut psbt = spending(
            &[coin],
            vec![pay(50_000, elsewhere()), pay(49_000, account.script(Branch::Change, 5).unwrap())],
        );
        let origin = |path: &[u32]| {
            let steps = path.iter().map(|index| ChildNumber::Normal { index: *index });
            (vec![], (wallet.fingerprint(), steps.collect()))
        };
        let internal =
            |path: &[u32]| bitcoin::XOnlyPublicKey::from_slice(&key_of(&group, path)).unwrap();
        let paid = [MAX_ACCOUNT, 1, 5];
        psbt.inputs[0]
            .tap_key_origins
            .insert(internal(&[MAX_ACCOUNT, 0, 0]), origin(&[MAX_ACCOUNT, 0, 0]));
        psbt.outputs[1].tap_key_origins.insert(internal(&paid), origin(&paid));
        let spend = spend_of(psbt.clone(), &wallet);
        assert_eq!(spend.outputs()[1].payee, Payee::Wallet(change));
        assert_eq!(spend.leaves_the_group().to_sat(), 51_000);
        let signatures = group.sign(&spend.messages().unwrap());
        assert_eq!(signatures.len(), 1);

        // One account further, and nothing would look there.
        let path = [MAX_ACCOUNT + 1, 1, 5];
        let derivation = Derivation { path: path.to_vec(), taproot: Taproot::KeyPathOnly };
        let key = derivation.tweaks(&group.group).unwrap().x_only_public_key().to_bytes();
        psbt.unsigned_tx.output[1].script_pubkey =
            ScriptBuf::from_bytes([&[0x51, 0x20], &key[..]].concat());
        psbt.outputs[1].tap_key_origins = [(internal(&path), origin(&path))].into();
        let spend = spend_of(psbt, &wallet);
        assert_eq!(spend.outputs()[1].payee, Payee::Key(derivation));
        assert!(spend.warnings().iter().any(|one| matches!(one, Warning::ChangePath { .. })));
    }
}

#[test]
fn sorted_keys_are_sorted_in_the_script_of_each_address() {
    let group = TestGroup::three_of_five();
    let wallet =
        group.wallet_with("{pk(@0/<8;9>/*),sortedmulti_a(2,@0/<2;3>/*,@0/<4;5>/*,@0/<6;7>/*)}");
    let mut orders = Vec::new();
    for index in 0..8 {
        let mut keys: Vec<_> = [2, 4, 6].map(|step| key_of(&group, &[step, index])).into();
        orders.push(keys.is_sorted());
        keys.sort_unstable();
        // <key> CHECKSIG, two of <key> CHECKSIGADD, 2 NUMEQUAL.
        let [first, second, third] = [&keys[0][..], &keys[1], &keys[2]];
        let multi =
            [&[0x20], first, &[0xac, 0x20], second, &[0xba, 0x20], third, &[0xba, 0x52, 0x9c]];
        let single = [&[0x20], &key_of(&group, &[8, index])[..], &[0xac]].concat();
        let leaf = |builder: TaprootBuilder, script: Vec<u8>| {
            builder.add_leaf_with_ver(1, ScriptBuf::from(script), LeafVersion::TapScript).unwrap()
        };
        let tree = leaf(leaf(TaprootBuilder::new(), single), multi.concat());
        let root =
            bitcoin::hashes::Hash::to_byte_array(tree.try_into_taptree().unwrap().root_hash());
        let derivation = wallet.derivation(Branch::Receive, index).unwrap();
        assert_eq!(derivation.taproot, Taproot::ScriptRoot(root));
        let key = derivation.tweaks(&group.group).unwrap().x_only_public_key().to_bytes();
        assert_eq!(wallet.script(Branch::Receive, index).unwrap().as_bytes()[2..], key);
    }
    assert!(orders.contains(&false), "no index needed sorting");
    let plain = group.wallet_with("{pk(@0/<8;9>/*),multi_a(2,@0/<2;3>/*,@0/<4;5>/*,@0/<6;7>/*)}");
    let first = orders.iter().position(|sorted| !sorted).unwrap() as u32;
    let script = |wallet: &Wallet| wallet.script(Branch::Receive, first).unwrap();
    assert_ne!(script(&plain), script(&wallet));
}

#[test]
fn a_sorted_leaf_keeps_its_name_in_descriptors_and_policies_and_its_checksum_is_right() {
    let group = TestGroup::three_of_five();
    let tree =
        format!("{{multi_a(1,@0/<2;3>/*,{XPUB}/<2;3>/*),sortedmulti_a(2,@0/<4;5>/*,{XPUB}/**)}}");
    let account = group.wallet_with(&tree).account(None).unwrap();
    for text in [
        account.multipath_descriptor(MAIN).unwrap(),
        account.descriptor(Branch::Change, MAIN).unwrap(),
    ] {
        assert!(text.contains("{multi_a(1,") && text.contains(",sortedmulti_a(2,"), "{text}");
        let verified = miniscript::descriptor::checksum::verify_checksum(&text).unwrap();
        assert_eq!(verified.len() + 9, text.len());
    }
    let policy = account.policy(MAIN).unwrap();
    let template = "tr(@0/**,{multi_a(1,@0/<2;3>/*,@1/<2;3>/*),sortedmulti_a(2,@0/<4;5>/*,@1/**)})";
    assert_eq!(policy.descriptor_template, template);
}

#[test]
fn what_is_sorted_is_a_leaf_of_its_own() {
    let group = TestGroup::three_of_five();
    for tree in [
        "and_v(v:pk(@0/<6;7>/*),sortedmulti_a(1,@0/<2;3>/*,@0/<4;5>/*))",
        "and_v(v:sortedmulti_a(1,@0/<2;3>/*,@0/<4;5>/*),older(9))",
    ] {
        let refused = Wallet::with_scripts(group.group.clone(), tree);
        assert!(matches!(refused, Err(WalletError::Sorted)), "{refused:?}");
        assert!(Wallet::with_scripts(group.group.clone(), &tree.replace("sorted", "")).is_ok());
    }
}

#[test]
fn keys_of_two_networks_make_no_descriptor() {
    let group = TestGroup::three_of_five();
    let open = |tree: &str| Wallet::with_scripts(group.group.clone(), tree);
    let (main, test) = (format!("pk({XPUB}/**)"), format!("pk({}/**)", tpub()));
    let mixed = format!("{{{main},{test}}}");
    assert!(matches!(open(&mixed), Err(WalletError::MixedNetworks)));
    for (tree, own, other) in [(main, MAIN, NetworkKind::Test), (test, NetworkKind::Test, MAIN)] {
        let wallet = open(&tree).unwrap();
        wallet.check_network(own).unwrap();
        parsed(&wallet.multipath_descriptor(own).unwrap());
        let refused = |result: Result<(), WalletError>| {
            assert!(
                matches!(&result, Err(WalletError::OtherNetwork { tree, network })
                if (*tree, *network) == (own, other)),
                "{result:?}"
            );
        };
        refused(wallet.check_network(other));
        refused(wallet.multipath_descriptor(other).map(drop));
        refused(wallet.descriptor(Branch::Receive, other).map(drop));
        let account = wallet.account(Some(0)).unwrap();
        refused(account.policy(other).map(drop));
        refused(account.core_imports(other).map(drop));
    }
    let neither = open("pk(@0/<2;3>/*)").unwrap();
    neither.check_network(MAIN).and(neither.check_network(NetworkKind::Test)).unwrap();
}

#[test]
fn bitcoin_core_gets_both_branches_and_which_of_them_is_for_change() {
    let wallet = TestGroup::three_of_five().wallet();
    let account = wallet.account(Some(2)).unwrap();
    let imports = serde_json::to_value(account.core_imports(NetworkKind::Test).unwrap()).unwrap();
    let one = |branch, internal| {
        let desc = account.descriptor(branch, NetworkKind::Test).unwrap();
        json!({"desc": desc, "active": true, "internal": internal, "range": [0, 999], "timestamp": 0})
    };
    assert_eq!(imports, json!([one(Branch::Receive, false), one(Branch::Change, true)]));
}

#[test]
fn a_descriptor_record_has_its_four_lines_and_the_first_address() {
    let wallet = TestGroup::three_of_five().wallet();
    let account = wallet.account(None).unwrap();
    let record = account.bsms_record(Network::Signet).unwrap();
    let lines: Vec<&str> = record.lines().collect();
    let first = wallet.address(Branch::Receive, 0, Network::Signet).unwrap().to_string();
    let descriptor = wallet.multipath_descriptor(NetworkKind::Test).unwrap();
    assert_eq!(lines, ["BSMS 1.0", &descriptor, "No path restrictions", &first]);
}

#[test]
fn a_policy_leads_back_to_the_descriptor() {
    let group = TestGroup::three_of_five();
    let tree = format!("and_v(v:pk({XPUB}/**),older(144))");
    for wallet in [group.wallet(), group.wallet_with(&tree)] {
        for number in [None, Some(3)] {
            let account = wallet.account(number).unwrap();
            let policy = account.policy(MAIN).unwrap();
            assert!(policy.descriptor_template.starts_with("tr(@0/**"));
            let mut read: WalletPolicy = policy.descriptor_template.parse().unwrap();
            let keys = policy.keys_info.iter().map(|key| key.parse().unwrap()).collect();
            read.set_key_info(keys).unwrap();
            let descriptor = read.into_descriptor().unwrap().to_string();
            assert_eq!(descriptor, account.multipath_descriptor(MAIN).unwrap());
        }
    }
    let single = format!("pk({})", "22".repeat(32));
    let refused = Wallet::with_scripts(group.group.clone(), &single);
    assert!(matches!(refused, Err(WalletError::Branches)), "{refused:?}");
}

fn imported(account: &Account, branch: Branch, index: u32) -> ScriptBuf {
    let text = account.descriptor(branch, MAIN).unwrap();
    let definite = parsed(&text).at_derivation_index(index).unwrap();
    definite.derived_descriptor(&Secp256k1::new()).script_pubkey()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_signed_for_in_an_account_is_what_its_descriptor_pays_to(
        number in 0..=MAX_ACCOUNT,
        index in 0..=MAX_INDEX,
        change in any::<bool>(),
        scripts in any::<bool>(),
    ) {
        let group = TestGroup::three_of_five();
        let wallet =
            if scripts { group.wallet_with("pk(@0/<2;3>/*)") } else { group.wallet() };
        let account = wallet.account(Some(number)).unwrap();
        let branch = if change { Branch::Change } else { Branch::Receive };
        let script = imported(&account, branch, index);
        prop_assert_eq!(&script, &account.script(branch, index).unwrap());
        let address = account.address(branch, index, Network::Bitcoin).unwrap();
        prop_assert_eq!(script, address.script_pubkey());
    }
}
