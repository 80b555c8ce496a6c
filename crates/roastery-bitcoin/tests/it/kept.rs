//! What is written: every field of others stays byte for byte and in its place, in both versions.

use std::sync::LazyLock;

use bitcoin::{Psbt, XOnlyPublicKey, bip32::DerivationPath};
use proptest::prelude::*;
use roastery_bitcoin::{
    psbt::{Document, PsbtError, Version, read},
    spend::{Completion, Spend, extract},
    wallet::{Branch, Wallet},
};
use roastery_testkit::{
    maps::{Field, Maps, version_2},
    payments::{TestGroup, elsewhere, judge_all, pay, spending},
};

static GROUP: LazyLock<TestGroup> = LazyLock::new(TestGroup::three_of_five);
static WALLET: LazyLock<Wallet> = LazyLock::new(|| GROUP.wallet());

/// Two inputs of the group and one of another, an output of another and change.
fn payment() -> Psbt {
    let ours = |branch, index| WALLET.script(branch, index).unwrap();
    spending(
        &[
            pay(50_000, ours(Branch::Receive, 0)),
            pay(40_000, elsewhere()),
            pay(30_000, ours(Branch::Receive, 1)),
        ],
        vec![pay(60_000, elsewhere()), pay(59_000, ours(Branch::Change, 0))],
    )
}

fn sign(document: Document, completion: Completion) -> Document {
    let spend = Spend::of(document, &WALLET);
    let signatures = GROUP.sign(&spend.messages().unwrap());
    spend.complete(&signatures, completion).unwrap().into_document()
}

/// The fields that signing adds to an input of the group's, by their type.
fn is_added(key: &[u8]) -> bool {
    matches!(key, [0x08 | 0x13 | 0x17])
}

/// The fields that BIP-174 takes from a finalised input.
fn goes(key: &[u8]) -> bool {
    matches!(key[0], 0x02..=0x0d | 0x13..=0x18)
}

/// Checks the fields of a signed PSBT against those of the one before, in their order.
fn check(before: &Maps, after: &Maps, completion: Completion) {
    assert_eq!(before.0.len(), after.0.len());
    for (index, (before, after)) in before.0.iter().zip(&after.0).enumerate() {
        let ours = matches!(index, 1 | 3);
        let expected = before.iter().filter(|(key, _)| {
            !(ours && (is_added(key) || completion == Completion::Finalised && goes(key)))
        });
        // The flags of what may be modified are cleared.
        let fixed = |(key, value): &Field| match (index, &key[..]) {
            (0, [0x06]) => (key.clone(), vec![value[0] & !0b11]),
            _ => (key.clone(), value.clone()),
        };
        let expected: Vec<Field> = expected.map(fixed).collect();
        let there: Vec<Field> =
            after.iter().filter(|(key, _)| !(ours && is_added(key))).cloned().collect();
        assert_eq!(there, expected, "map {index}");
    }
}

/// Fields of others: of types that no BIP defines, of another's protocol, and of BIPs that the
/// group does not use.
fn others(place: usize) -> Vec<Field> {
    let x_only = [0xff; 32];
    let generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let point: bitcoin::PublicKey = generator.parse().unwrap();
    let uncompressed = bitcoin::PublicKey::new_uncompressed(point.inner).to_bytes();
    let mut hybrid = uncompressed.clone();
    hybrid[0] = 0x06 | (uncompressed[64] & 1);
    let source = vec![1, 2, 3, 4, 7, 0, 0, 0];
    let field = |kind: u8, data: &[u8], value: &[u8]| ([&[kind], data].concat(), value.to_vec());
    let mut fields = vec![
        field(0xfc, b"\x04test\x00data", b"proprietary"),
        field(0xfc, b"\xff\xff", b"of no form"),
        field(0xf0, b"", b"unknown"),
        field(0xf0, b"with data", b""),
    ];
    match place {
        0 => {
            // SLIP-132's zpub, with a path.
            let extended = [&[0x04, 0xb2, 0x47, 0x46, 3, 1, 2, 3, 4, 0, 0, 0, 9][..], &[5; 32]];
            let extended = [&extended.concat()[..], &point.to_bytes()].concat();
            fields.push(field(0x01, &extended, &source));
        }
        1..=3 => fields.extend([
            field(0x06, &uncompressed, &source),
            field(0x06, &hybrid, &source),
            field(0x06, &point.to_bytes(), &source),
            field(0x16, &x_only, &[&[0][..], &source].concat()),
            // A signature of a type that is not defined, and one of no DER form.
            field(0x14, &[7; 64], &[9; 65]),
            field(0x02, &point.to_bytes(), &[0x30, 0, 0x77]),
            // A preimage that is none, a MuSig2 field and a leaf of another version.
            field(0x0b, &[8; 32], b"no preimage"),
            field(0x1a, &[2; 33], &[3; 66]),
            field(0x15, &[&[0x51][..], &[0xff; 32]].concat(), &[0x51, 0x50]),
            field(0x09, b"", b"proof of reserves"),
        ]),
        _ => fields.extend([
            field(0x02, &uncompressed, &source),
            field(0x02, &point.to_bytes(), &source),
            field(0x07, &x_only, &[&[0][..], &source].concat()),
            // Two leaves, one of which looks like an annex.
            field(0x06, b"", &[1, 0xc0, 1, 0x51, 1, 0x50, 1, 0x52]),
            field(0x08, &[2; 33], &[3; 66]),
        ]),
    }
    fields
}

#[test]
fn whatever_others_put_into_a_psbt_stays_where_it_is() {
    let psbt = payment();
    for mut maps in [Maps::of(&psbt.serialize()), version_2(&psbt)] {
        for (place, map) in maps.0.iter_mut().enumerate() {
            map.extend(others(place));
        }
        let document = read(&maps.bytes()).unwrap();
        assert_eq!(document.bytes(), maps.bytes());
        for completion in [Completion::Partial, Completion::Finalised] {
            let done = sign(document.clone(), completion);
            check(&maps, &Maps::of(done.bytes()), completion);
            assert_eq!(done.version(), document.version());
        }
    }
}

#[test]
fn version_2_comes_back_as_version_2_and_on_request_as_version_0() {
    let ours = pay(50_000, WALLET.script(Branch::Receive, 0).unwrap());
    let psbt = spending(std::slice::from_ref(&ours), vec![pay(49_000, elsewhere())]);
    let before = read(&version_2(&psbt).bytes()).unwrap();
    let signed = |document| sign(document, Completion::Finalised);
    let done = signed(before.clone());
    assert_eq!((before.version(), done.version()), (Version::V2, Version::V2));
    let transaction = extract(&done).unwrap();
    judge_all(&transaction, &[ours]);
    // What the group has signed may not be modified any more.
    let flags = |document: &Document| {
        let maps = Maps::of(document.bytes());
        maps.0[0].iter().find(|(key, _)| *key == [0x06]).unwrap().1.clone()
    };
    assert_eq!((flags(&before), flags(&done)), (vec![0b11], vec![0]));
    let older = done.to_version_0().unwrap();
    assert_eq!((older.version(), extract(&older)), (Version::V0, Ok(transaction)));
    // Other programs read it.
    assert_eq!(Psbt::deserialize(older.bytes()).unwrap().unsigned_tx, psbt.unsigned_tx);
    let plain = signed(read(&psbt.serialize()).unwrap());
    assert_eq!(plain.to_version_0().unwrap(), plain);
}

#[test]
fn each_field_of_version_2_has_its_length_and_no_data_in_its_key() {
    let right = version_2(&payment());
    read(&right.bytes()).unwrap();
    let fields = [(0, 0x02), (0, 0x03), (0, 0x06), (0, 0xfb)].into_iter();
    let fields = fields.chain([(1, 0x0e), (1, 0x0f), (1, 0x10), (1, 0x11), (1, 0x12)]);
    for (place, kind) in fields.chain([(4, 0x03)]) {
        let mut longer = right.clone();
        let map = &mut longer.0[place];
        match map.iter_mut().find(|(key, _)| *key == [kind]) {
            Some((_, value)) => value.push(0),
            None => map.push((vec![kind], vec![1; 5])),
        }
        let error = read(&longer.bytes()).unwrap_err();
        assert!(matches!(error, PsbtError::Value { .. }), "{kind:#04x}: {error}");
        let mut named = right.clone();
        named.0[place].push((vec![kind, 1], vec![0; 4]));
        let error = read(&named.bytes()).unwrap_err();
        assert!(matches!(error, PsbtError::Key { .. }), "{kind:#04x}: {error}");
    }
    // A lock time that no input asks for is checked as well.
    let mut asked = right;
    asked.0[1].push((vec![0x12], 7_u32.to_le_bytes().to_vec()));
    asked.0[0].iter_mut().find(|(key, _)| *key == [0x03]).unwrap().1.push(0);
    assert!(matches!(read(&asked.bytes()), Err(PsbtError::Value { .. })));
}

#[test]
fn a_stale_final_witness_does_not_stay_beside_the_new_signature() {
    let mut psbt = payment();
    let stale = bitcoin::Witness::from_slice(&[[7; 64]]);
    psbt.inputs[0].final_script_witness = Some(stale);
    psbt.inputs[0].final_script_sig = Some(elsewhere());
    let done = sign(read(&psbt.serialize()).unwrap(), Completion::Partial);
    let fields = &done.decoded().inputs[0];
    assert_eq!((&fields.final_script_witness, &fields.final_script_sig), (&None, &None));
    assert!(fields.tap_key_sig.is_some());
}

#[test]
fn the_groups_derivation_field_stays_in_a_partly_signed_input() {
    let mut psbt = payment();
    let key = XOnlyPublicKey::from_slice(&[2; 32]).unwrap();
    let source = (WALLET.fingerprint(), DerivationPath::default());
    psbt.inputs[0].tap_key_origins.insert(key, (vec![], source));
    let before = Maps::of(&psbt.serialize());
    let done = sign(read(&before.bytes()).unwrap(), Completion::Partial);
    check(&before, &Maps::of(done.bytes()), Completion::Partial);
}

/// Fields of any unknown type, with their map and their position in it.
fn any_field() -> impl Strategy<Value = (usize, prop::sample::Index, Field)> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let kind = prop_oneof![Just(0xfc), 0x30..0xfb_u8, Just(0xfd), Just(0xff)];
    (0..6_usize, any::<prop::sample::Index>(), kind, bytes(40), bytes(300))
        .prop_map(|(map, at, kind, data, value)| (map, at, ([&[kind][..], &data].concat(), value)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn unknown_fields_stay_in_any_order(
        fields in prop::collection::vec(any_field(), 0..12),
        second in any::<bool>(),
        finalised in any::<bool>(),
    ) {
            let psbt = payment();
        let mut maps = if second { version_2(&psbt) } else { Maps::of(&psbt.serialize()) };
        for (map, at, field) in fields {
            let map = &mut maps.0[map];
            if map.iter().all(|(key, _)| *key != field.0) {
                map.insert(at.index(map.len() + 1), field);
            }
        }
        let completion = if finalised { Completion::Finalised } else { Completion::Partial };
        let done = sign(read(&maps.bytes()).unwrap(), completion);
        check(&maps, &Maps::of(done.bytes()), completion);
    }
}
