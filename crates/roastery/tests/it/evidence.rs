//! `roastery evidence`, on proofs that `roastery demo --byzantine` has written.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn roastery(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roastery")).args(arguments).output().unwrap()
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Two of five spoil their shares: returns the group file and the proofs. The fastest members are
/// picked, and a busy machine may make the spoilers slow: the demo is repeated until one of them
/// was picked.
fn proofs(folder: &Path) -> (PathBuf, Vec<PathBuf>) {
    for play in 0..20 {
        let folder = folder.join(play.to_string());
        std::fs::create_dir(&folder).unwrap();
        let there = folder.to_str().unwrap();
        let output = roastery(&["demo", "--byzantine", "2", "--evidence", there]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let mut proofs: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("proof-"))
            .collect();
        if !proofs.is_empty() {
            proofs.sort();
            return (folder.join("group.roastery"), proofs);
        }
    }
    panic!("in twenty demos no member that spoils was picked");
}

fn verify(group: &Path, proof: &Path) -> (i32, String) {
    let (group, proof) = (group.to_str().unwrap(), proof.to_str().unwrap());
    let output = roastery(&["evidence", "verify", "--group", group, proof]);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn members_that_spoil_shares_leave_proofs_that_a_third_party_confirms() {
    let folder = folder("confirms");
    let (group, proofs) = proofs(&folder);
    for proof in &proofs {
        let (status, text) = verify(&group, proof);
        assert_eq!(status, 0, "{text}");
        let name = proof.file_stem().unwrap().to_str().unwrap();
        let seat = name.strip_prefix("proof-against-seat-").unwrap();
        assert!(text.starts_with(&format!("proven: invalid share by seat {seat} ")), "{text}");
        let shown = roastery(&["evidence", "show", proof.to_str().unwrap()]);
        assert_eq!(shown.status.code(), Some(0));
        let text = String::from_utf8(shown.stdout).unwrap();
        assert!(text.contains(&format!("invalid share by seat {seat}")), "{text}");
    }
}

#[test]
fn a_proof_with_any_byte_changed_proves_nothing() {
    let folder = folder("changed");
    let (group, proofs) = proofs(&folder);
    let right = std::fs::read(&proofs[0]).unwrap();
    let changed = folder.join("changed");
    let places = (0..right.len()).step_by(37).chain([right.len() - 1]);
    for place in places {
        let mut bytes = right.clone();
        bytes[place] ^= 1;
        std::fs::write(&changed, bytes).unwrap();
        let (status, text) = verify(&group, &changed);
        assert!(matches!(status, 1 | 2), "byte {place}: {text}");
        assert_eq!(text.lines().count(), 1, "byte {place}: {text}");
    }
}

#[test]
fn a_proof_is_not_proven_by_another_groups_file() {
    let (here, there) = (folder("here"), folder("there"));
    let ((_, proofs_here), (group_there, _)) = (proofs(&here), proofs(&there));
    let (status, text) = verify(&group_there, &proofs_here[0]);
    assert_eq!(status, 1);
    assert!(text.contains("this is group"), "{text}");
}

#[test]
fn a_file_that_cannot_be_read_gets_one_line_and_exit_status_2() {
    let folder = folder("unreadable");
    let (group, proofs) = proofs(&folder);
    let right = std::fs::read(&proofs[0]).unwrap();
    let bad = folder.join("bad");
    let longer = [&right[..], &[0]].concat();
    for bytes in [&right[..right.len() - 1], &right[..1], &[], &[2], &longer, &vec![1; 700_000]] {
        std::fs::write(&bad, bytes).unwrap();
        let (status, text) = verify(&group, &bad);
        assert_eq!((status, text.lines().count()), (2, 1), "{text}");
    }
    assert_eq!(verify(&group, &folder.join("absent")).0, 2);
    assert_eq!(verify(&proofs[0], &proofs[0]).0, 2);
    assert_eq!(verify(&folder, &proofs[0]).0, 2);
}
