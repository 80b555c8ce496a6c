//! Stores: locked, backed up, restored, opened with a wrong passphrase; and how a node ends.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::nodes::support::{Group, Said, fresh_folder, roastery, signal, until};

/// The path of a file with a passphrase.
fn passphrase(folder: &Path, file: &str) -> String {
    folder.join(file).to_str().unwrap().to_owned()
}

fn restore(backup: &str, folder: &Path, passphrase: &str) -> Said {
    let words = [("ROASTERY_PASSPHRASE_FILE", passphrase)];
    roastery(&["restore", backup, "--folder", folder.to_str().unwrap()], &words)
}

#[test]
fn a_backup_of_a_running_node_brings_its_groups_back_elsewhere() {
    let group = Group::start("backup", 2, 2);
    let file = group.path("backup");
    group.tell(1, &["backup", &file]).well();
    let again = group.tell(1, &["backup", &file]);
    assert_eq!(again.status, 2, "nothing is overwritten: {again:?}");
    group.stop(1);

    let (old, new) = (group.node(1), group.node(2));
    fs::create_dir_all(new.join("invitations")).unwrap();
    for name in ["roastery.toml", "passphrase"] {
        fs::copy(old.join(name), new.join(name)).unwrap();
    }
    let right = passphrase(&new, "passphrase");
    let wrong = passphrase(&new, "wrong");
    fs::write(new.join("wrong"), "something else").unwrap();
    let refused = restore(&file, &new, &wrong);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("passphrase"), "{refused:?}");
    assert!(!new.join("node.store").exists());

    let restored = restore(&file, &new, &right).well();
    assert!(restored.contains("restored, with 1 groups\n"), "{restored}");
    assert!(restored.contains("local: 0 is the newest of which the backup has a share"));
    let twice = restore(&file, &new, &right);
    assert_eq!(twice.status, 2, "a store that is there is left alone: {twice:?}");

    // The invitation has the addresses of the others; joined again, it starts no second key
    // generation.
    group.restart(2, &[]);
    let joined = group.tell(2, &["group", "join", &group.path("invitation.toml")]).well();
    assert!(joined.contains("State         done"), "{joined}");
    let session = group.propose(0, "from another folder");
    group.approve(2, &session);
    group.request_in(0, &session, "signed");
}

#[test]
fn the_store_of_a_running_node_is_locked_and_says_so() {
    let group = Group::start("locked", 2, 2);
    let at = group.node(0);
    let folder = at.to_str().unwrap();
    let right = passphrase(&at, "passphrase");
    let words = [("ROASTERY_PASSPHRASE_FILE", right.as_str())];
    for command in [&["node"][..], &["passphrase", "--new-passphrase-file", &group.path("new")]] {
        fs::write(group.path("new"), "other words again").unwrap();
        let said = roastery(&[command, &["--folder", folder]].concat(), &words);
        assert_eq!(said.status, 2, "{said:?}");
        assert!(said.err.contains("another process"), "{said:?}");
    }
    // It has done no harm.
    let session = group.propose(0, "all the same");
    group.approve(1, &session);
    group.request_in(0, &session, "signed");

    group.stop(0);
    roastery(
        &["passphrase", "--new-passphrase-file", &group.path("new"), "--folder", folder],
        &words,
    )
    .well();
    let old = roastery(&["node", "--folder", folder], &words);
    assert_eq!(old.status, 2, "{old:?}");
    assert!(old.err.contains("passphrase") && old.err.lines().count() == 1, "{old:?}");
    fs::write(group.node(0).join("passphrase"), "other words again").unwrap();
    group.restart(0, &[]);
    assert_eq!(group.status(0)["groups"][0]["name"], "local");
}

#[test]
fn a_node_ends_gracefully_when_it_is_told_to_and_says_nothing_more() {
    let folder = fresh_folder("stop");
    let at = folder.join("node");
    let at = at.to_str().unwrap();
    let words = [("ROASTERY_PASSPHRASE", "a few words more")];
    let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
    roastery(&[&["init", "--name", "one", "--folder", at], &listen[..]].concat(), &words).well();
    let no_node = roastery(&["status", "--folder", at], &[]);
    assert_eq!(no_node.status, 2);
    assert!(no_node.err.starts_with("error: no node runs here: "), "{no_node:?}");

    for how in ["stop", "TERM", "INT"] {
        let mut node = Command::new(env!("CARGO_BIN_EXE_roastery"))
            .args(["node", "--folder", at])
            .envs(words)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("it runs", || (roastery(&["status", "--folder", at], &[]).status == 0).then_some(()));
        match how {
            "stop" => drop(roastery(&["stop", "--folder", at], &[]).well()),
            name => signal(name, node.id()),
        }
        assert_eq!(node.wait().unwrap().code(), Some(0), "{how}");
        assert!(!folder.join("node/api.sock").exists(), "{how}");
    }
}
