//! PSBTs that name more keys and leaves than are looked into.

use std::time::{Duration, Instant};

use bitcoin::{
    Psbt, TapNodeHash, XOnlyPublicKey,
    bip32::{ChildNumber, DerivationPath, Fingerprint},
    hashes::Hash as _,
    key::Parity,
    psbt::Input,
    taproot::{ControlBlock, LeafVersion, TaprootMerkleBranch},
};
use roastery_bitcoin::{
    spend::{CannotSign, Spend},
    wallet::{MOST_CONTROL_BLOCKS, MOST_KEYS},
};
use roastery_protocol::request::Taproot;
use roastery_testkit::payments::{TestGroup, elsewhere, ordinary, pay, spend_of, spending};

use crate::kinds::{NO_KEY, key};

/// Long enough for unoptimised code on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn path(index: u32) -> DerivationPath {
    [0, index].map(|index| ChildNumber::Normal { index }).into_iter().collect()
}

/// Keys of others, which lie about where they are in the wallet.
fn add_foreign_keys(fields: &mut Input, count: usize) {
    let keys = (1_u32..).filter_map(|number| {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        XOnlyPublicKey::from_slice(&bytes).ok()
    });
    for (index, key) in (0..).zip(keys.take(count)) {
        fields.tap_key_origins.insert(key, (Vec::new(), (Fingerprint::default(), path(index))));
    }
}

/// An input with a leaf of these keys of the group, and so many control blocks that do not lead to
/// its output.
fn leaf_of(group: &TestGroup, keys: u32, control_blocks: usize) -> Psbt {
    let mut psbt = spending(&[pay(100_000, elsewhere_taproot())], vec![pay(99_000, elsewhere())]);
    let fields = &mut psbt.inputs[0];
    let own: Vec<_> = (0..keys).map(|at| key(group, &[0, at], Taproot::Untweaked)).collect();
    let mut script = bitcoin::script::Builder::new();
    for own in &own {
        script = script.push_x_only_key(own);
    }
    let script = script.into_script();
    let leaf = script.tapscript_leaf_hash();
    for (at, own) in (0..).zip(&own) {
        fields.tap_key_origins.insert(*own, (vec![leaf], (Fingerprint::default(), path(at))));
    }
    let internal_key: XOnlyPublicKey = NO_KEY.parse().unwrap();
    for number in 0..u32::try_from(control_blocks).unwrap() {
        let mut node = [1; 32];
        node[..4].copy_from_slice(&number.to_le_bytes());
        let branch = TaprootMerkleBranch::from([TapNodeHash::from_byte_array(node)]);
        let control = ControlBlock {
            leaf_version: LeafVersion::TapScript,
            output_key_parity: Parity::Even,
            internal_key,
            merkle_branch: branch,
        };
        fields.tap_scripts.insert(control, (script.clone(), LeafVersion::TapScript));
    }
    psbt
}

fn elsewhere_taproot() -> bitcoin::ScriptBuf {
    let key: XOnlyPublicKey = NO_KEY.parse().unwrap();
    bitcoin::ScriptBuf::new_p2tr_tweaked(bitcoin::key::TweakedPublicKey::dangerous_assume_tweaked(
        key,
    ))
}

#[track_caller]
fn looked_into(group: &TestGroup, psbt: Psbt) -> Spend {
    let begin = Instant::now();
    let spend = spend_of(psbt, &group.wallet());
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    spend
}

#[test]
fn more_derivation_fields_than_are_tried_keep_everything_from_being_signed() {
    let group = TestGroup::three_of_five();
    for (more, expected) in [(0, None), (1, Some(CannotSign::TooMuchWork))] {
        let mut psbt = ordinary(&group.wallet());
        add_foreign_keys(&mut psbt.inputs[0], MOST_KEYS + more);
        assert_eq!(looked_into(&group, psbt).messages().err(), expected);
    }
}

#[test]
fn more_control_blocks_than_are_checked_keep_everything_from_being_signed() {
    let group = TestGroup::three_of_five();
    let within = looked_into(&group, leaf_of(&group, 1, MOST_CONTROL_BLOCKS));
    assert_eq!(within.messages(), Err(CannotSign::NothingToSign));
    let beyond = looked_into(&group, leaf_of(&group, 1, MOST_CONTROL_BLOCKS + 1));
    assert_eq!(beyond.messages(), Err(CannotSign::TooMuchWork));
}

#[test]
fn a_leaf_with_many_keys_under_many_control_blocks_is_looked_into_once() {
    let group = TestGroup::three_of_five();
    let spend = looked_into(&group, leaf_of(&group, 200, 500));
    assert_eq!(spend.messages(), Err(CannotSign::NothingToSign));
}
