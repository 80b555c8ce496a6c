//! The official vectors of BIP-340, and those that `BIP340_VECTORS` names (a file or its
//! directory).

use std::path::{Path, PathBuf};

use roastery_frost::{Signature, SigningKey, XOnlyPublicKey};
use zeroize::Zeroizing;

#[test]
fn the_official_vectors_hold() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bip340/test-vectors.csv");
    assert_eq!(run(&file), 19);
}

#[test]
fn the_vectors_that_the_environment_names_hold() {
    let Some(path) = std::env::var_os("BIP340_VECTORS").map(PathBuf::from) else {
        return;
    };
    let file = if path.is_dir() { path.join("test-vectors.csv") } else { path };
    let cases = run(&file);
    println!("{cases} cases of {}", file.display());
}

fn run(file: &Path) -> usize {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let header = lines.next().expect("a header");
    assert!(header.starts_with("index,secret key,public key,aux_rand,message,signature,"));
    let cases = lines.map(run_case).count();
    assert!(cases > 0, "{file:?} holds no cases");
    cases
}

fn run_case(line: &str) {
    let fields: Vec<&str> = line.splitn(8, ',').collect();
    let [index, secret, public, aux_rand, message, signature, result, _comment] = fields[..] else {
        panic!("not eight fields: {line}");
    };
    let message = bytes(message);
    if !secret.is_empty() {
        let key = SigningKey::from_bytes(Zeroizing::new(array(secret))).expect(index);
        assert_eq!(key.public_key().to_bytes(), array(public), "vector {index}");
        let ours = key.sign(&message, &array(aux_rand));
        assert_eq!(ours.to_bytes(), array(signature), "vector {index}");
    }
    let signature = Signature::from_bytes(&array(signature));
    let valid = XOnlyPublicKey::from_bytes(&array(public))
        .is_ok_and(|key| signature.verify(&key, &message));
    match result {
        "TRUE" => assert!(valid, "vector {index}"),
        "FALSE" => assert!(!valid, "vector {index}"),
        other => panic!("vector {index}: neither TRUE nor FALSE: {other}"),
    }
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap_or_else(|_| panic!("not {N} bytes: {hex}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "not hexadecimal: {hex}");
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal"))
        .collect()
}
