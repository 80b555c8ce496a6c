//! The official vectors of ChillDKG, and those of the directory that `CHILLDKG_VECTORS` names.

mod coordinator;
mod failure;
mod format;
mod participant;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

use crate::chilldkg::failure::Failure;
use crate::chilldkg::format::{Case, File, Group};

/// What a case of one file gives: what is to be compared, already compared, or why it failed.
type Run = fn(&Group, &Case) -> Result<(), Failure>;

const FILES: [(&str, usize, Run); 10] = [
    ("hostpubkey_gen", 4, session::hostpubkey_gen),
    ("params_hash", 6, session::params_hash),
    ("participant_step1", 39, participant::step1),
    ("participant_step2", 55, participant::step2),
    ("participant_finalize", 12, participant::finalize),
    ("participant_investigate", 12, participant::investigate),
    ("coordinator_step1", 33, coordinator::step1),
    ("coordinator_finalize", 15, coordinator::finalize),
    ("coordinator_investigate", 3, coordinator::investigate),
    ("recover", 13, session::recover),
];

#[test]
fn the_official_vectors_hold() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/chilldkg");
    for (name, cases, run) in FILES {
        assert_eq!(run_file(&path(&directory, name), run), cases, "cases of {name}");
    }
    let files = fs::read_dir(&directory).unwrap().count();
    assert_eq!(files, FILES.len(), "a file is left over");
}

#[test]
fn the_vectors_that_the_environment_names_hold() {
    let Some(directory) = std::env::var_os("CHILLDKG_VECTORS").map(PathBuf::from) else {
        return;
    };
    let files = FILES.iter().map(|(name, _, run)| (path(&directory, name), run));
    let cases: usize =
        files.filter(|(path, _)| path.exists()).map(|(path, run)| run_file(&path, *run)).sum();
    assert!(cases > 0, "{} holds no vectors", directory.display());
    println!("{cases} cases of {}", directory.display());
}

fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}_vectors.json"))
}

/// Runs all cases of a file and returns their number.
fn run_file(path: &Path, run: Run) -> usize {
    let fail = |error: &dyn std::fmt::Display| -> ! { panic!("{}: {error}", path.display()) };
    let text = fs::read_to_string(path).unwrap_or_else(|error| fail(&error));
    let file: File = serde_json::from_str(&text).unwrap_or_else(|error| fail(&error));
    let (total, groups) = (file.total_tests, file.into_groups());
    let mut cases = 0;
    for group in &groups {
        for case in &group.valid_test_cases {
            assert!(case.expected_error.is_none(), "{} is in the wrong list", case.name(path));
            if let Err(failure) = run(group, case) {
                panic!("{} failed with {failure:?}", case.name(path));
            }
        }
        for case in &group.error_test_cases {
            let name = case.name(path);
            let expected = case.expected_error.as_ref().expect(&name);
            let failure = run(group, case).expect_err(&name);
            failure.assert_is(expected, &name);
        }
        cases += group.valid_test_cases.len() + group.error_test_cases.len();
    }
    assert!(total.is_none_or(|total| total == cases), "{}: not all cases ran", path.display());
    cases
}
