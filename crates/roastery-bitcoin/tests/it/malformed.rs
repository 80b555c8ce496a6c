//! Malformed, damaged and oversized PSBTs: an error of one line, quickly, and never a panic.

use std::sync::LazyLock;

use bitcoin::{consensus::serialize, hex::FromHex as _};
use proptest::prelude::*;
use roastery_bitcoin::{
    policy::{Review, Rules},
    psbt::{MAX_INPUTS, MAX_OUTPUTS, MAX_PSBT, MAX_PSBT_FILE, Place, PsbtError, read},
    spend::Spend,
    wallet::Wallet,
};
use roastery_testkit::payments::{TestGroup, ordinary};

static WALLET: LazyLock<Wallet> = LazyLock::new(|| TestGroup::three_of_five().wallet());

fn refused(bytes: &[u8]) -> PsbtError {
    let error = read(bytes).unwrap_err();
    let line = error.to_string();
    assert!(!line.contains('\n') && line.len() < 300, "{line}");
    error
}

/// A map of these keys and values, with its separator.
fn map(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in pairs {
        for part in [key, value] {
            bytes.extend(serialize(&bitcoin::VarInt::from(part.len())));
            bytes.extend_from_slice(part);
        }
    }
    bytes.push(0);
    bytes
}

/// A PSBT of version 2 with these counts and maps.
fn v2(inputs: &[u8], outputs: &[u8], maps: &[Vec<u8>]) -> Vec<u8> {
    let global = map(&[
        (&[0x02], &[2, 0, 0, 0]),
        (&[0x04], inputs),
        (&[0x05], outputs),
        (&[0xfb], &[2, 0, 0, 0]),
    ]);
    [b"psbt\xff".to_vec(), global, maps.concat()].concat()
}

#[test]
fn base64_binary_and_white_space_make_no_difference() {
    let psbt = ordinary(&WALLET);
    let text = psbt.to_string();
    let wrapped: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for form in
        [psbt.serialize(), text.clone().into_bytes(), format!(" {}\r\n", wrapped.join("\n")).into()]
    {
        assert_eq!(*read(&form).unwrap().decoded(), psbt);
    }
}

#[test]
fn a_psbt_that_is_cut_off_anywhere_is_refused() {
    let whole = ordinary(&WALLET).serialize();
    for length in 0..whole.len() {
        let error = refused(&whole[..length]);
        let expected = matches!(error, PsbtError::NotAPsbt { .. } | PsbtError::Truncated { .. });
        assert!(expected, "{length} bytes: {error}");
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let longer = [&ordinary(&WALLET).serialize()[..], &[0, 0]].concat();
    assert!(matches!(refused(&longer), PsbtError::TrailingBytes { count: 2 }));
}

#[test]
fn a_key_that_stands_twice_is_named() {
    let twice = map(&[(&[0x07, 1], &[]), (&[0x08], &[]), (&[0x07, 1], &[1])]);
    let error = refused(&v2(&[1], &[0], &[twice]));
    let place = Place::Input(0);
    assert!(matches!(error, PsbtError::DuplicateKey { place: at, key: 7 } if at == place));
    assert_eq!(error.to_string(), "input 0 has the key 0x07 twice");
}

#[test]
fn absurd_lengths_and_counts_cost_nothing() {
    // A key, a value, and a number of inputs that there are not.
    for length in [&[0xfe, 0xff, 0xff, 0xff, 0xff][..], &[0xff; 9]] {
        let key = [b"psbt\xff", length].concat();
        assert!(matches!(refused(&key), PsbtError::Truncated { place: Place::Global, .. }));
        let value = [b"psbt\xff", &[1, 0][..], length].concat();
        assert!(matches!(refused(&value), PsbtError::Truncated { place: Place::Global, .. }));
        assert!(matches!(refused(&v2(length, &[0], &[])), PsbtError::TooManyInputs { .. }));
        assert!(matches!(refused(&v2(&[0], length, &[])), PsbtError::TooManyOutputs { .. }));
        // A transaction of version 0 that announces as many.
        let unsigned = [&[2, 0, 0, 0], length].concat();
        let v0 = [&b"psbt\xff"[..], &map(&[(&[0], &unsigned)])].concat();
        assert!(matches!(refused(&v0), PsbtError::Value { field: "unsigned transaction", .. }));
    }
}

#[test]
fn the_bounds_on_inputs_and_outputs_hold() {
    let input = |index: usize| {
        let index = (index as u32).to_le_bytes();
        map(&[(&[0x0e], &[1; 32]), (&[0x0f], &index)])
    };
    let output = |_| map(&[(&[0x03], &[1, 0, 0, 0, 0, 0, 0, 0]), (&[0x04], &[0x51])]);
    let count = |count: usize| serialize(&bitcoin::VarInt::from(count));
    let with = |inputs: usize, outputs: usize| {
        let maps: Vec<_> = (0..inputs).map(input).chain((0..outputs).map(output)).collect();
        v2(&count(inputs), &count(outputs), &maps)
    };
    let most = read(&with(MAX_INPUTS, MAX_OUTPUTS)).unwrap();
    assert_eq!(
        (most.decoded().inputs.len(), most.decoded().outputs.len()),
        (MAX_INPUTS, MAX_OUTPUTS)
    );
    assert!(matches!(refused(&with(MAX_INPUTS + 1, 1)), PsbtError::TooManyInputs { .. }));
    assert!(matches!(refused(&with(1, MAX_OUTPUTS + 1)), PsbtError::TooManyOutputs { .. }));
}

#[test]
fn the_bound_on_the_length_holds() {
    let value = |length: usize| {
        let global = map(&[(&[0xf0], &vec![0; length])]);
        [&b"psbt\xff"[..], &global].concat()
    };
    // Five bytes before, one and one of the key, five of the length, one after.
    let least = 5 + 2 + 5 + 1;
    let long = value(MAX_PSBT - least);
    assert_eq!(long.len(), MAX_PSBT);
    assert!(matches!(refused(&long), PsbtError::Missing { .. }));
    assert!(matches!(refused(&value(MAX_PSBT - least + 1)), PsbtError::TooLong { .. }));
    assert!(matches!(refused(&vec![b'A'; MAX_PSBT_FILE + 1]), PsbtError::TooLong { .. }));
    assert!(matches!(
        refused(&vec![b'A'; MAX_PSBT_FILE]),
        PsbtError::TooLong { .. } | PsbtError::NotAPsbt { .. }
    ));
}

#[test]
fn a_length_that_is_written_too_long_is_refused() {
    let long = [&b"psbt\xff"[..], &[0xfd, 1, 0]].concat();
    assert!(matches!(refused(&long), PsbtError::Length { place: Place::Global }));
}

#[test]
fn other_versions_are_refused_by_number() {
    for version in [1, 3, u32::MAX] {
        let global = map(&[(&[0xfb], &version.to_le_bytes())]);
        let error = refused(&[&b"psbt\xff"[..], &global].concat());
        assert!(matches!(error, PsbtError::OtherVersion { version: said } if said == version));
    }
}

#[test]
fn two_inputs_that_spend_the_same_output_are_refused() {
    let input = || map(&[(&[0x0e], &[1; 32]), (&[0x0f], &[0; 4])]);
    let error = refused(&v2(&[2], &[0], &[input(), input()]));
    assert!(matches!(error, PsbtError::SameOutput { first: 0, second: 1 }));
}

#[test]
fn an_output_of_nothing_is_read() {
    let output = map(&[(&[0x03], &[0; 8]), (&[0x04], &[0x6a])]);
    assert_eq!(
        read(&v2(&[0], &[1], &[output])).unwrap().decoded().unsigned_tx.output[0].value.to_sat(),
        0
    );
}

#[test]
fn what_an_error_quotes_is_bounded() {
    let key = [&[0x03][..], &[7; 5_000]].concat();
    refused(&v2(&[1], &[0], &[map(&[(&[0x0e], &[1; 32]), (&[0x0f], &[0; 4]), (&key, &[])])]));
}

/// Everything that is done with a PSBT before it is signed.
fn walk(bytes: &[u8]) {
    let Ok(psbt) = read(bytes) else { return };
    let spend = Spend::of(psbt.clone(), &WALLET);
    let _ = (spend.fee(), spend.fee_rate(), spend.leaves_the_group());
    for warning in spend.warnings() {
        assert!(!warning.to_string().contains('\n'));
    }
    for request in spend.requests([0; 32], 1).unwrap_or_default() {
        spend.check(&request).unwrap();
    }
    for rules in [Rules { most_fee: Some(1), ..Rules::default() }, Rules::default()] {
        let policy = rules.check(bitcoin::Network::Bitcoin, Review::RulesAlone).unwrap();
        let _ = policy.evaluate(&spend, bitcoin::Amount::ZERO);
    }
    // What was read can be written and read again.
    assert_eq!(read(psbt.bytes()).unwrap(), psbt);
    assert_eq!(read(psbt.to_version_0().unwrap().bytes()).unwrap().decoded(), psbt.decoded());
}

/// PSBTs that others published, and one of this wallet's.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/psbt.json")).unwrap();
    let published = cases.as_array().unwrap().iter();
    published
        .map(|case| Vec::from_hex(case["psbt"].as_str().unwrap()).unwrap())
        .chain([ordinary(&WALLET).serialize()])
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000), magic in any::<bool>()) {
        let bytes = if magic { [&b"psbt\xff"[..], &bytes].concat() } else { bytes };
        walk(&bytes);
    }

    #[test]
    fn no_change_of_a_psbt_makes_it_panic(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let mut bytes = seed.get(&SEEDS).clone();
        for (place, byte, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        walk(&bytes);
    }
}
