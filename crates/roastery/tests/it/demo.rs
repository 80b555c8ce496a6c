//! `roastery demo`, as a user at a terminal runs it.

use std::process::{Command, Output};

use bitcoin::{hex::FromHex as _, secp256k1};
use serde_json::Value;

fn roastery(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roastery")).args(arguments).output().unwrap()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    <[u8; N]>::from_hex(value.as_str().unwrap()).unwrap()
}

/// Runs the demo with `--json` and verifies all signatures by BIP-340 with libsecp256k1.
fn signed(arguments: &[&str]) -> Value {
    let output = roastery(&[&["demo", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let key = secp256k1::XOnlyPublicKey::from_slice(&bytes::<32>(&object["threshold_public_key"]))
        .unwrap();
    let messages = object["messages"].as_array().unwrap();
    let signatures = object["signatures"].as_array().unwrap();
    assert_eq!(messages.len(), signatures.len());
    assert!(!messages.is_empty());
    for (message, signature) in messages.iter().zip(signatures) {
        let message = secp256k1::Message::from_digest(bytes(message));
        let signature = secp256k1::schnorr::Signature::from_slice(&bytes::<64>(signature)).unwrap();
        secp256k1::Secp256k1::verification_only()
            .verify_schnorr(&signature, &message, &key)
            .unwrap();
    }
    object
}

fn refused(arguments: &[&str]) -> String {
    let output = roastery(&[&["demo"], arguments].concat());
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: nothing starts");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    text
}

#[test]
fn groups_of_all_sizes_sign_and_the_signatures_verify_independently() {
    for (n, t) in [(5, 3), (2, 2), (15, 11), (100, 67), (128, 2)] {
        let (n, t) = (n.to_string(), t.to_string());
        let object = signed(&["--signers", &n, "--threshold", &t]);
        assert_eq!(object["signers"].as_array().unwrap().len().to_string(), t);
        assert!(object["coordinator"].as_u64().unwrap() < n.parse().unwrap());
        assert!(object["elapsed_ms"].as_f64().unwrap() > 0.0);
        assert!(object["coordinators"].as_u64().unwrap() >= 1);
    }
}

#[test]
fn the_group_signs_while_all_who_may_be_silent_are_silent() {
    let object = signed(&["--signers", "5", "--threshold", "3", "--offline", "2"]);
    assert_eq!(object["signers"].as_array().unwrap().len(), 3);
}

#[test]
fn the_messages_that_were_given_are_signed_in_their_order_under_the_key_that_was_asked_for() {
    let messages: Vec<String> = (1..=3).map(|byte| format!("{byte:064x}")).collect();
    let root = "22".repeat(32);
    let arguments =
        ["--message", &messages[0], "--message", &messages[1], "--message", &messages[2]];
    for taproot in [&[][..], &["--merkle-root", &root][..], &["--untweaked"][..]] {
        let object = signed(&[&arguments, taproot].concat());
        assert_eq!(object["messages"], serde_json::json!(messages));
    }
}

#[test]
fn sixty_four_messages_are_signed_in_one_session_and_sixty_five_are_refused() {
    let messages: Vec<String> = (1..=65).map(|byte| format!("--message={byte:064x}")).collect();
    let all: Vec<&str> = messages.iter().map(String::as_str).collect();
    assert_eq!(signed(&all[..64])["signatures"].as_array().unwrap().len(), 64);
    assert!(refused(&all).contains("1 to 64 are allowed"));
}

#[test]
fn a_person_sees_who_did_what_and_the_result() {
    let output = roastery(&["demo"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "Fingerprint",
        "made by all 5 together",
        "signed by all after",
        "Address       bc1p",
        "coordinates",
        "issues package 0",
        "gives its share",
        "has the signature",
        "Signed by     seats",
        "Verified      by libsecp256k1",
        "accepted by Bitcoin Core's consensus code",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn a_dealer_makes_the_key_only_when_asked_to_and_says_what_it_is() {
    let output = roastery(&["demo", "--dealer"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("trusted dealer"), "{text}");
    assert_eq!(signed(&["--dealer"])["keygen_ms"], Value::Null);
    assert!(signed(&[])["keygen_ms"].as_f64().unwrap() > 0.0);
    refused(&["--dealer", "--recovery", "nowhere"]);
}

#[test]
fn bad_input_gets_one_line_that_says_what_is_allowed() {
    assert!(refused(&["--threshold", "1"]).contains("2 to 128"));
    assert!(
        refused(&["--threshold", "6", "--signers", "5"]).contains("2 to the number of signers")
    );
    assert!(refused(&["--signers", "129", "--threshold", "2"]).contains("2 to 128"));
    assert!(refused(&["--signers", "1"]).contains("2 to 128"));
    assert!(refused(&["--signers", "x"]).contains("2 to 128"));
    for message in ["", "00", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64)] {
        assert!(refused(&["--message", message]).contains("64 hexadecimal digits"), "{message}");
    }
    assert!(refused(&["--merkle-root", "00"]).contains("64 hexadecimal digits"));
    assert!(refused(&["--offline", "3"]).contains("at most 2 may be offline"));
    assert!(refused(&["--offline", "99"]).contains("at most 2 may be offline"));
    assert!(refused(&["--offline", "1", "--byzantine", "2"]).contains("at most 2 together"));
    assert!(refused(&["--deadline", "0"]).contains("above 0"));
    assert!(refused(&["--deadline", "NaN"]).contains("above 0"));
    refused(&["--untweaked", "--merkle-root", &"00".repeat(32)]);
    refused(&["--no-such-option"]);
    refused(&["--signers"]);
}

#[test]
fn when_the_deadline_passes_it_says_who_was_awaited_for_what_and_since_when() {
    // All hundred would have to answer before the first of them gives up.
    let group = ["demo", "--signers", "100", "--threshold", "100"];
    let output = roastery(&[&group[..], &["--deadline", "0.000001"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no signature: the deadline has passed"), "{text}");
    assert!(text.contains("is awaited for"), "{text}");
    assert!(text.contains("since"), "{text}");
}
