//! The official vectors of BIP-445, and those of the directory that `BIP445_VECTORS` names. Those
//! of *NonceGen* are of version 0.12.1, the others of 0.10.0: there the two agree.

mod failure;
pub(crate) mod format;
mod run;

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// What is done when a directory does not hold one of the files.
#[derive(Clone, Copy)]
enum Missing {
    Fails,
    IsSkipped,
}

#[test]
fn the_official_vectors_hold() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/bip445");
    assert_eq!(run_directory(&directory, Missing::Fails), 90);
}

#[test]
fn the_vectors_that_the_environment_names_hold() {
    let Some(directory) = std::env::var_os("BIP445_VECTORS").map(PathBuf::from) else {
        return;
    };
    let cases = run_directory(&directory, Missing::IsSkipped);
    assert!(cases > 0, "{} holds no vectors", directory.display());
    println!("{cases} cases of {}", directory.display());
}

fn run_directory(directory: &Path, missing: Missing) -> usize {
    run_file(directory, "nonce_gen_vectors.json", missing, run::nonce_gen)
        + run_file(directory, "nonce_agg_vectors.json", missing, run::nonce_agg)
        + run_file(directory, "sign_verify_vectors.json", missing, run::sign_verify)
        + run_file(directory, "tweak_vectors.json", missing, run::tweak)
        + run_file(directory, "sig_agg_vectors.json", missing, run::sig_agg)
}

fn run_file<T: DeserializeOwned>(
    directory: &Path,
    name: &str,
    missing: Missing,
    run: impl Fn(&T) -> usize,
) -> usize {
    let path = directory.join(name);
    let text = match (fs::read_to_string(&path), missing) {
        (Ok(text), _) => text,
        (Err(_), Missing::IsSkipped) if !path.exists() => return 0,
        (Err(error), _) => panic!("{}: {error}", path.display()),
    };
    let vectors =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases = run(&vectors);
    assert!(cases > 0, "{} holds no cases", path.display());
    cases
}
