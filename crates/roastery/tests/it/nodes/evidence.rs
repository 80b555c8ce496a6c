//! Proofs that a node holds.

use std::{fs, path::Path};

use bitcoin::hex::FromHex as _;
use roastery_frost::SigningKey;
use roastery_protocol::{
    keygen::{RecoveryFile, recover_group},
    keys::HostKey,
    member::proof::Proof,
};
use roastery_store::{Passphrase, Store};
use zeroize::Zeroizing;

use crate::nodes::support::{fresh_folder, processes, roastery, signal, until};

/// A demo with a proven fault: its group's files, a host key, and the proof.
fn convicted(folder: &Path) -> (Vec<u8>, HostKey, Proof) {
    // The fastest members are picked: it is repeated until one that spoils was.
    for play in 0..20 {
        let at = folder.join(play.to_string());
        fs::create_dir_all(&at).unwrap();
        let there = at.to_str().unwrap();
        let options = ["demo", "--byzantine", "2", "--evidence", there, "--recovery", there];
        roastery(&options, &[]).well();
        let proof = fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
            path.file_name().unwrap().to_str().unwrap().starts_with("proof-against-seat-")
        });
        let Some(proof) = proof else { continue };
        let key = fs::read_to_string(at.join("host-key-of-seat-0")).unwrap();
        let key = Zeroizing::new(<[u8; 32]>::from_hex(key.trim()).unwrap());
        return (
            fs::read(at.join("recovery.roastery")).unwrap(),
            HostKey::new(SigningKey::from_bytes(key).unwrap()),
            Proof::decode(&fs::read(proof).unwrap()).unwrap(),
        );
    }
    panic!("in twenty demos no member that spoils was picked");
}

#[test]
fn proofs_are_listed_and_written_as_files_that_a_third_party_verifies() {
    let folder = fresh_folder("evidence");
    let (file, host, proof) = convicted(&folder);
    let at = folder.join("node");
    let node = at.to_str().unwrap();
    let words = [("ROASTERY_PASSPHRASE", "a few words more")];
    let init = ["init", "--name", "one", "--listen", "/ip4/127.0.0.1/tcp/0", "--folder", node];
    roastery(&init, &words).well();

    // The node has seen what the demo's member has seen.
    let recovered = recover_group(host, &file, None).unwrap();
    let (group, seat, share) = (recovered.group, recovered.seat, recovered.share);
    let recovery = RecoveryFile::decode(&file).unwrap();
    let store = Store::open(at.join("node.store"), &Passphrase::new("a few words more".to_owned()))
        .unwrap();
    store.keep_group(&group, &[(seat, share)], Some(&recovery)).unwrap();
    let finding = store.keep_proof(&group, &proof).unwrap();
    drop(store);

    let mut running = std::process::Command::new(env!("CARGO_BIN_EXE_roastery"))
        .args(["node", "--folder", node])
        .envs(words)
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    until("it runs", || (roastery(&["status", "--folder", node], &[]).status == 0).then_some(()));
    let out = folder.join("proofs");
    fs::create_dir(&out).unwrap();
    let list = ["evidence", "list", "--folder", node, "--out", out.to_str().unwrap()];
    let listed = roastery(&list, &[]).well();
    let groups = roastery(&["status", "--json", "--folder", node], &[]).json();
    let name = groups["groups"][0]["name"].as_str().unwrap().to_owned();
    let group_file = folder.join("group").to_str().unwrap().to_owned();
    let export = ["group", "export", &name, "--group-file", &group_file, "--folder", node];
    roastery(&export, &[]).well();
    roastery(&["stop", "--folder", node], &[]).well();
    assert!(running.wait().unwrap().success());

    assert!(listed.starts_with(&format!("{}  {} by ", proof.id(), finding.fault)), "{listed}");
    assert!(listed.contains(&format!("(seat {})", finding.accused)), "{listed}");
    let written = out.join(proof.id().to_string());
    let verify = ["evidence", "verify", "--group", &group_file, written.to_str().unwrap()];
    let verdict = roastery(&verify, &[]).well();
    assert!(verdict.starts_with("proven: "), "{verdict}");
    for pid in processes(&folder) {
        signal("KILL", pid);
    }
    fs::remove_dir_all(folder).unwrap();
}
