//! Row 65: the keys that requests name, beside other implementations and the vectors of BIP-32 and
//! BIP-341.

use std::{path::Path, str::FromStr};

use bitcoin::{
    Address, KnownHrp, NetworkKind, TapNodeHash,
    bip32::{ChainCode, ChildNumber, Fingerprint, Xpub},
    hashes::Hash as _,
    key::{TapTweak as _, UntweakedPublicKey},
    secp256k1::{self, Secp256k1},
};
use roastery_frost::{GroupKeys, Point};
use roastery_protocol::{
    group::Group,
    request::{Derivation, Taproot},
};
use serde_json::Value;

use super::*;

/// A group of two with this key and chain code. Its shares lie on the line through the key and the
/// generator.
fn group_with(key: Point, chain_code: [u8; 32]) -> Group {
    let first = multiple(1);
    let second = (multiple(2) - key).into_option().unwrap();
    let keys = GroupKeys::new(2, key, vec![first, second]).unwrap();
    let fixture = Fixture::new(2, 2);
    let members = (0..2).map(|at| member(at, &fixture.identities[at])).collect();
    Group::new(keys, chain_code, members).unwrap()
}

fn extended(key: Point, chain_code: [u8; 32]) -> Xpub {
    Xpub {
        network: NetworkKind::Main,
        depth: 0,
        parent_fingerprint: Fingerprint::default(),
        child_number: ChildNumber::Normal { index: 0 },
        public_key: secp256k1::PublicKey::from_slice(&key.serialize()).unwrap(),
        chain_code: ChainCode::from(chain_code),
    }
}

fn derived(group: &Group, path: &[u32], taproot: Taproot) -> (Point, [u8; 32]) {
    let tweaks = Derivation { path: path.to_vec(), taproot }.tweaks(group).unwrap();
    (tweaks.plain_public_key(), tweaks.x_only_public_key().to_bytes())
}

#[test]
fn derived_keys_are_those_of_an_extended_public_key_with_the_groups_key_and_chain_code() {
    let secp = Secp256k1::verification_only();
    let paths: [&[u32]; 7] = [
        &[],
        &[0],
        &[1],
        &[(1 << 31) - 1],
        &[86, 0, 5],
        &[7; 8],
        &[0, (1 << 31) - 1, 2, 3, 5, 8, 13, 1 << 30],
    ];
    // Keys with both parities of y, so that every negation is met.
    for k in 1..=8 {
        let (key, chain_code) = (multiple(1000 + k), [k as u8; 32]);
        let group = group_with(key, chain_code);
        for path in paths {
            let steps: Vec<ChildNumber> =
                path.iter().map(|index| ChildNumber::Normal { index: *index }).collect();
            let child = extended(key, chain_code).derive_pub(&secp, &steps).unwrap();
            let (plain, _) = derived(&group, path, Taproot::Untweaked);
            assert_eq!(plain.serialize(), child.public_key.serialize(), "{path:?}");

            let internal = child.to_x_only_pub();
            for (taproot, root) in [
                (Taproot::KeyPathOnly, None),
                (
                    Taproot::ScriptRoot([k as u8; 32]),
                    Some(TapNodeHash::from_byte_array([k as u8; 32])),
                ),
            ] {
                let (_, output) = derived(&group, path, taproot);
                let (expected, _) = internal.tap_tweak(&secp, root);
                assert_eq!(output, expected.to_x_only_public_key().serialize(), "{path:?}");
                let address = Address::p2tr(&secp, internal, root, KnownHrp::Mainnet);
                let program = address.script_pubkey().as_bytes()[2..].to_vec();
                assert_eq!(output[..], program[..]);
            }
        }
    }
}

#[test]
fn public_derivations_of_the_vectors_of_bip_32_hold() {
    // Test vector 1, chain m/0h to m/0h/1 and m/0h/1/2h to m/0h/1/2h/2/1000000000; test vector 2,
    // chain m to m/0.
    let vectors: [(&str, &[u32], &str); 3] = [
        (
            "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9\
             xv5ski8PX9rL2dZXvgGDnw",
            &[1],
            "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527H\
             qck2AxYysAA7xmALppuCkwQ",
        ),
        (
            "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7ep\
             u4trkrX7x7DogT5Uv6fcLW5",
            &[2, 1_000_000_000],
            "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGas\
             TvXEYBVPamhGW6cFJodrTHy",
        ),
        (
            "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8B\
             DzTJY47LJhkJ8UB7WEGuduB",
            &[0],
            "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpb\
             Zb7ap6r1D3tgFxHmwMkQTPH",
        ),
    ];
    for (parent, path, child) in vectors {
        let (parent, child) = (Xpub::from_str(parent).unwrap(), Xpub::from_str(child).unwrap());
        let key = Point::try_from(parent.public_key.serialize()).unwrap();
        let group = group_with(key, parent.chain_code.to_bytes());
        let (derived, _) = derived(&group, path, Taproot::Untweaked);
        assert_eq!(derived.serialize(), child.public_key.serialize());
    }
}

#[test]
fn output_keys_of_the_wallet_vectors_of_bip_341_hold() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bip341/wallet-test-vectors.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = vectors["scriptPubKey"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let internal = hex32(&case["given"]["internalPubkey"]).unwrap();
        let taproot = match hex32(&case["intermediary"]["merkleRoot"]) {
            Some(root) => Taproot::ScriptRoot(root),
            None => Taproot::KeyPathOnly,
        };
        let expected = hex32(&case["intermediary"]["tweakedPubkey"]).unwrap();
        let script = case["expected"]["scriptPubKey"].as_str().unwrap();
        assert_eq!(UntweakedPublicKey::from_slice(&internal).unwrap().serialize(), internal);
        // The vectors know x coordinates only: the threshold public key may be either point.
        for parity in [2, 3] {
            let key: [u8; 33] = [&[parity], &internal[..]].concat().try_into().unwrap();
            let group = group_with(Point::try_from(key).unwrap(), [0; 32]);
            let (_, output) = derived(&group, &[], taproot.clone());
            assert_eq!(output, expected);
            let hex: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(format!("5120{hex}"), script);
        }
    }
}

/// 32 bytes in hexadecimal, unless it is null.
fn hex32(value: &Value) -> Option<[u8; 32]> {
    let text = value.as_str()?;
    let bytes: Vec<u8> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect();
    Some(bytes.try_into().unwrap())
}
