//! Descriptors and addresses, beside published vectors and other implementations.

use bitcoin::{
    Address, Network, NetworkKind, ScriptBuf,
    bip32::{ChildNumber, Xpriv, Xpub},
    hex::FromHex as _,
    secp256k1::Secp256k1,
    taproot::{LeafVersion, TaprootBuilder},
};
use miniscript::{Descriptor, DescriptorPublicKey};
use proptest::prelude::*;
use roastery_bitcoin::wallet::{Branch, MAX_INDEX, MAX_SCRIPT_TREE, Wallet, WalletError};
use roastery_protocol::request::{Derivation, Taproot};
use roastery_testkit::payments::{TestGroup, public_group};
use serde_json::Value;

const NETWORKS: [Network; 5] =
    [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest];

/// A group that shares the key of account 0 of BIP-86's mnemonic.
fn bip86() -> TestGroup {
    let seed = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1\
                9a5ac40b389cd370d086206dec8aa6c43daea6690f20ad3d8d48b2d2ce9e38e4";
    let master = Xpriv::new_master(Network::Bitcoin, &Vec::from_hex(seed).unwrap()).unwrap();
    let secp = Secp256k1::new();
    let hard = |index| ChildNumber::Hardened { index };
    let account = master.derive_priv(&secp, &[hard(86), hard(0), hard(0)]).unwrap();
    let published = "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ";
    assert_eq!(Xpub::from_priv(&secp, &account).to_string(), published);
    TestGroup::of(account.private_key.secret_bytes(), account.chain_code.to_bytes(), 2, 3)
}

#[test]
fn a_group_that_shares_bip_86s_key_has_its_addresses() {
    let wallet = bip86().wallet();
    let address = |branch, index| wallet.address(branch, index, Network::Bitcoin).unwrap();
    for (branch, index, published) in [
        (Branch::Receive, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
        (Branch::Receive, 1, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"),
        (Branch::Change, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"),
    ] {
        assert_eq!(address(branch, index).to_string(), published);
    }
}

#[test]
fn the_extended_key_has_no_parent_and_the_groups_chain_code() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet();
    for (kind, prefix) in [(NetworkKind::Main, "xpub"), (NetworkKind::Test, "tpub")] {
        let xpub = wallet.xpub(kind);
        assert_eq!((xpub.depth, xpub.parent_fingerprint.to_bytes()), (0, [0; 4]));
        assert_eq!(xpub.child_number, ChildNumber::Normal { index: 0 });
        assert_eq!(xpub.chain_code.to_bytes(), *group.group.chain_code());
        let key = group.group.keys().threshold_public_key().serialize();
        assert_eq!(xpub.public_key.serialize(), key);
        assert!(xpub.to_string().starts_with(prefix));
        assert_eq!(xpub.to_string().parse::<Xpub>().unwrap(), xpub);
        assert_eq!(xpub.fingerprint(), wallet.fingerprint());
    }
}

/// The addresses of a descriptor's text, as another wallet makes them.
fn imported(descriptor: &str, index: u32, network: Network) -> Address {
    let descriptor: Descriptor<DescriptorPublicKey> = descriptor.parse().unwrap();
    let definite = descriptor.at_derivation_index(index).unwrap();
    definite.derived_descriptor(&Secp256k1::new()).address(network).unwrap()
}

#[test]
fn the_descriptors_lead_another_wallet_to_the_same_addresses_on_every_network() {
    let group = TestGroup::three_of_five();
    for wallet in [group.wallet(), group.wallet_with("{pk(@0/<2;3>/*),pk(@0/<4;5>/*)}")] {
        for network in NETWORKS {
            let kind = NetworkKind::from(network);
            for branch in Branch::ALL {
                let descriptor = wallet.descriptor(branch, kind).unwrap();
                let checksum = descriptor.rsplit_once('#').unwrap().1;
                assert_eq!(checksum.len(), 8, "{descriptor}");
                for index in [0, 1, 77, MAX_INDEX] {
                    let ours = wallet.address(branch, index, network).unwrap();
                    assert_eq!(imported(&descriptor, index, network), ours);
                    assert_eq!(ours.script_pubkey(), wallet.script(branch, index).unwrap());
                }
            }
            let both: Descriptor<DescriptorPublicKey> =
                wallet.multipath_descriptor(kind).unwrap().parse().unwrap();
            let single = both.into_single_descriptors().unwrap();
            for branch in Branch::ALL {
                let one = single[branch.step() as usize].to_string();
                assert_eq!(one, wallet.descriptor(branch, kind).unwrap());
            }
        }
    }
}

#[test]
fn each_network_has_its_prefix() {
    let wallet = TestGroup::three_of_five().wallet();
    for (network, prefix) in NETWORKS.into_iter().zip(["bc1p", "tb1p", "tb1p", "tb1p", "bcrt1p"]) {
        let address = wallet.address(Branch::Receive, 0, network).unwrap().to_string();
        assert!(address.starts_with(prefix), "{address}");
        assert!(wallet.own_address(network).unwrap().to_string().starts_with(prefix));
    }
}

#[test]
fn the_own_address_is_the_key_path_output_of_the_untouched_key() {
    let group = TestGroup::three_of_five();
    let key = Derivation::key_path_only().tweaks(&group.group).unwrap().x_only_public_key();
    let script = group.wallet().own_address(Network::Bitcoin).unwrap().script_pubkey();
    assert_eq!(script.as_bytes()[2..], key.to_bytes());
}

#[test]
fn a_tree_of_scripts_makes_the_root_that_bitcoins_builder_makes() {
    let group = TestGroup::three_of_five();
    let wallet = group.wallet_with("{pk(@0/<2;3>/*),and_v(v:pk(@0/**),older(144))}");
    let key = |path: &[u32]| {
        let derivation = Derivation { path: path.to_vec(), taproot: Taproot::Untweaked };
        derivation.tweaks(&group.group).unwrap().x_only_public_key().to_bytes()
    };
    // <key> OP_CHECKSIG, and <key> OP_CHECKSIGVERIFY <144> OP_CSV.
    let first = [&[0x20], &key(&[3, 5])[..], &[0xac]].concat();
    let second = [&[0x20], &key(&[1, 5])[..], &[0xad, 0x02, 0x90, 0x00, 0xb2]].concat();
    let leaf = |builder: TaprootBuilder, script: Vec<u8>| {
        builder.add_leaf_with_ver(1, ScriptBuf::from(script), LeafVersion::TapScript).unwrap()
    };
    let tree = leaf(leaf(TaprootBuilder::new(), first), second).try_into_taptree().unwrap();
    let derivation = wallet.derivation(Branch::Change, 5).unwrap();
    let root = bitcoin::hashes::Hash::to_byte_array(tree.root_hash());
    assert_eq!(derivation.taproot, Taproot::ScriptRoot(root));
}

#[test]
fn a_tree_that_is_none_or_is_unsafe_makes_no_wallet() {
    let group = TestGroup::three_of_five();
    let refused = |tree: &str| {
        let error = Wallet::with_scripts(group.group.clone(), tree).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        error
    };
    for tree in ["", "pk()", "pk(@0/<2;3>/*),", "{pk(@0/<2;3>/*)", "older(1)", "pk(@1/**)"] {
        assert!(matches!(refused(tree), WalletError::Tree(_)), "{tree}");
    }
    // A branch that takes no signature, and one key twice in a leaf.
    let twice = "and_v(v:pk(@0/<2;3>/*),pk(@0/<2;3>/*))";
    for tree in ["or_i(pk(@0/<2;3>/*),older(144))", twice] {
        assert!(matches!(refused(tree), WalletError::Tree(_)), "{tree}");
    }
    // Without a wildcard each address would repeat the key; without branches change would.
    assert!(matches!(refused("pk(@0/<2;3>)"), WalletError::Branches));
    refused("pk(@0/<2;3;4>/*)");
    refused("pk(@0/<2;3>/*h)");
    let long = "{".repeat(MAX_SCRIPT_TREE + 1);
    assert!(matches!(refused(&long), WalletError::TreeTooLong { .. }));
    refused(&long[..MAX_SCRIPT_TREE]);
}

#[test]
fn no_address_is_beyond_the_last_index() {
    let wallet = TestGroup::three_of_five().wallet();
    let beyond = MAX_INDEX + 1;
    for result in [
        wallet.address(Branch::Receive, beyond, Network::Bitcoin).map(drop),
        wallet.script(Branch::Change, beyond).map(drop),
        wallet.derivation(Branch::Receive, u32::MAX).map(drop),
    ] {
        assert!(matches!(result, Err(WalletError::Index { .. })), "{result:?}");
    }
}

#[test]
fn the_outputs_of_bip_341s_keys_and_trees_are_those_of_the_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/bip341.json")).unwrap();
    let bytes = |value: &Value| <[u8; 32]>::from_hex(value.as_str().unwrap()).unwrap();
    let all = vectors["scriptPubKey"].as_array().unwrap();
    assert_eq!(all.len(), 7);
    for vector in all {
        let group = public_group(&bytes(&vector["given"]["internalPubkey"]));
        let root = &vector["intermediary"]["merkleRoot"];
        let taproot =
            if root.is_null() { Taproot::KeyPathOnly } else { Taproot::ScriptRoot(bytes(root)) };
        let derivation = Derivation { path: vec![], taproot };
        let key = derivation.tweaks(&group).unwrap().x_only_public_key().to_bytes();
        assert_eq!(key, bytes(&vector["intermediary"]["tweakedPubkey"]));
        let script = ScriptBuf::from_bytes([&[0x51, 0x20], &key[..]].concat());
        assert_eq!(script.to_hex_string(), vector["expected"]["scriptPubKey"]);
        let address = Address::from_script(&script, Network::Bitcoin).unwrap().to_string();
        assert_eq!(address, vector["expected"]["bip350Address"]);
        if derivation == Derivation::key_path_only() {
            let own = Wallet::new(group).unwrap().own_address(Network::Bitcoin).unwrap();
            assert_eq!(own.to_string(), address);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_signed_for_is_what_the_descriptor_pays_to(
        secret in prop::array::uniform32(1u8..255),
        chain_code in prop::array::uniform32(any::<u8>()),
        index in 0..=MAX_INDEX,
        change in any::<bool>(),
        scripts in any::<bool>(),
    ) {
        let group = TestGroup::of(secret, chain_code, 2, 2);
        let wallet =
            if scripts { group.wallet_with("pk(@0/<2;3>/*)") } else { group.wallet() };
        let branch = if change { Branch::Change } else { Branch::Receive };
        let derivation = wallet.derivation(branch, index).unwrap();
        let key = derivation.tweaks(&group.group).unwrap().x_only_public_key().to_bytes();
        let script = wallet.script(branch, index).unwrap();
        prop_assert_eq!(&script.as_bytes()[2..], &key[..]);
    }
}
