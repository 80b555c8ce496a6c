//! The share of a later epoch comes back from its host key, which was kept offline.

use std::fs;

use serde_json::Value;

use crate::nodes::{
    changes::{adopted, decide, epoch, join, plan, signs},
    epochs::{current, epochs, erase, refresh, share},
    support::{Group, Said, free_ports, roastery},
};

/// The files of the host keys of a node's seats in its newest epoch, which it must be stopped for.
fn export(group: &Group, node: usize, folder: &str) -> Said {
    let into = group.path(folder);
    fs::create_dir_all(&into).unwrap();
    let words = group.path("key-words");
    fs::write(&words, "words of the host key\n").unwrap();
    let of = ["--group", "local", "--into", &into, "--key-passphrase-file", &words];
    offline(group, node, &[&["hostkey", "export"], &of[..]].concat())
}

/// A command of a stopped node that opens its store.
fn offline(group: &Group, node: usize, arguments: &[&str]) -> Said {
    let folder = group.node(node);
    let words = folder.join("passphrase");
    let words = [("ROASTERY_PASSPHRASE_FILE", words.to_str().unwrap())];
    roastery(&[arguments, &["--folder", folder.to_str().unwrap()]].concat(), &words)
}

/// The only file in a folder.
fn only_file(group: &Group, folder: &str) -> String {
    let mut files = fs::read_dir(group.path(folder)).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file.to_str().unwrap().to_owned()
}

fn recovery_file(group: &Group, node: usize, name: &str) -> String {
    let file = group.path(name);
    group.tell(node, &["group", "export", "local", "--recovery-file", &file]).well();
    file
}

fn remove_store(group: &Group, node: usize) {
    let folder = group.node(node);
    fs::remove_file(folder.join("node.store")).unwrap();
    fs::remove_dir_all(folder.join("node.store.epochs")).unwrap();
}

#[test]
fn the_share_of_a_later_epoch_comes_back_from_its_host_key_into_a_file_and_into_an_old_backup() {
    let group = Group::start("host-key-back", 3, 2);
    let backup = group.path("backup-of-epoch-0");
    group.tell(2, &["backup", &backup]).well();
    refresh(&group, &[0, 1, 2], 1);
    refresh(&group, &[0, 1, 2], 2);
    // It goes over no API.
    let refused = export(&group, 2, "offline");
    assert!(refused.err.contains("the node runs: stop it first"), "{refused:?}");
    group.stop(2);
    let lost = share(&group, 2, 2).unwrap();
    export(&group, 2, "offline").well();
    let key = only_file(&group, "offline");
    assert!(key.ends_with("-epoch-2-seat-2.toml"), "{key}");
    let lineage = recovery_file(&group, 0, "lineage");
    let words = group.path("key-words");
    let with_key = ["--host-key", &key, "--key-passphrase-file", &words];
    // Into a file, without any node.
    let written = group.path("share-from-host-key");
    let recover = [&["recover", &lineage], &with_key[..], &["--share", &written]].concat();
    let said = roastery(&recover, &[]).well();
    assert!(said.contains("Epoch         2"), "{said}");
    let digits: String = lost.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fs::read_to_string(&written).unwrap().trim(), digits);
    // A store from before the epoch says that its share is not in it, and then has it again.
    remove_store(&group, 2);
    let said = offline(&group, 2, &["restore", &backup, "--recovery-file", &lineage]).well();
    assert!(said.contains("local: 0 is the newest of which the backup has a share"), "{said}");
    assert!(said.contains("local: epoch 2 exists, and this node's share of it is not"), "{said}");
    let back = [&["group", "recover", &lineage], &with_key[..]].concat();
    offline(&group, 2, &back).well();
    group.restart(2, &[]);
    adopted(&group, 2, 2);
    assert_eq!(epochs(&group, 2)["holding"], "adopted");
    signs(&group, &[2, 0], "with the share that came back");
    group.stop(2);
    assert_eq!(share(&group, 2, 2), Some(lost.clone()));
    let again = offline(&group, 2, &back);
    assert!(again.err.contains("epoch 2 is in this store: nothing is to be"), "{again:?}");
    // In one step, of a backup.
    remove_store(&group, 2);
    let at_once = ["restore", &backup, "--recovery-file", &lineage];
    offline(&group, 2, &[&at_once[..], &with_key].concat()).well();
    group.restart(2, &[]);
    adopted(&group, 2, 2);
    signs(&group, &[1, 2], "with the share that came back at once");
    // The store knows of the file that was used, though it was made from another one.
    refresh(&group, &[0, 1, 2], 3);
    let made = epochs(&group, 2)["host_key_files"].clone();
    assert_eq!(made.as_array().unwrap().len(), 1, "{made}");
    assert_eq!((&made[0]["epoch"], &made[0]["seat"]), (&Value::from(2), &Value::from(2)));
}

#[test]
fn a_host_key_of_another_epoch_node_or_passphrase_brings_nothing_back_and_is_told_why() {
    let group = Group::start("host-key-refused", 3, 2);
    let (of_generation, backup) = (group.path("of-generation"), group.path("backup-of-epoch-0"));
    group.tell(0, &["group", "export", "local", "--recovery-file", &of_generation]).well();
    group.tell(2, &["backup", &backup]).well();
    refresh(&group, &[0, 1, 2], 1);
    let older = recovery_file(&group, 0, "lineage-of-1");
    group.stop(2);
    export(&group, 2, "of-1").well();
    group.restart(2, &[]);
    refresh(&group, &[0, 1, 2], 2);
    let lineage = recovery_file(&group, 0, "lineage-of-2");
    for node in [1, 2] {
        group.stop(node);
        export(&group, node, &format!("of-2-at-{node}")).well();
    }
    let (first, own) = (only_file(&group, "of-1"), only_file(&group, "of-2-at-2"));
    let others = only_file(&group, "of-2-at-1");
    let (words, wrong) = (group.path("key-words"), group.path("wrong-words"));
    fs::write(&wrong, "not the right words\n").unwrap();
    group.restart(1, &[]);
    remove_store(&group, 2);
    offline(&group, 2, &["restore", &backup]).well();
    let tried = |file: &str, key: &str, words: &str| {
        let of = ["--host-key", key, "--key-passphrase-file", words];
        let said = offline(&group, 2, &[&["group", "recover", file], &of[..]].concat());
        assert_eq!(said.status, 2, "{said:?}");
        said.err
    };
    let superseded = tried(&lineage, &first, &words);
    assert!(superseded.contains("epoch 1, which is superseded: take the"), "{superseded}");
    let of_another = tried(&lineage, &others, &words);
    assert!(of_another.contains("seat 1 of epoch 2 belongs to another node"), "{of_another}");
    assert!(tried(&lineage, &own, &wrong).contains("or the file was changed"));
    let too_old = tried(&older, &own, &words);
    assert!(too_old.contains("take the recovery file from a member now"), "{too_old}");
    assert!(tried(&of_generation, &own, &words).contains("the recovery file of a key generation"));
    let damaged = group.path("damaged");
    let mut bytes = fs::read(&lineage).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    tried(&damaged, &own, &words);
    // Nothing of it is in the store.
    let right = ["group", "recover", &lineage, "--host-key", &own, "--key-passphrase-file", &words];
    offline(&group, 2, &right).well();
    group.restart(2, &[]);
    adopted(&group, 2, 2);
    // A file of its own as the second copy: opened, and of the epoch that is current.
    let copy = |key: &str, words: &str| {
        erase(&group, 2, &["--host-key", key, "--key-passphrase-file", words])
    };
    let acknowledge = epochs(&group, 2)["fingerprint"].as_str().unwrap().to_owned();
    group.tell(2, &["group", "acknowledge", "2", &acknowledge, "--group", "local"]).well();
    assert!(copy(&own, &wrong).err.contains("or the file was changed"));
    let not_it = copy(&first, &words);
    assert!(not_it.err.contains("not that of a seat of this node in epoch 2"), "{not_it:?}");
    assert_eq!(epochs(&group, 2)["held"], serde_json::json!([0]));
    copy(&own, &words).well();
    assert_eq!(epochs(&group, 2)["held"], serde_json::json!([]));
}

#[test]
fn the_file_of_a_host_key_is_to_be_kept_until_its_epoch_is_erased_and_is_named_then() {
    let group = Group::start("host-key-check", 2, 2);
    refresh(&group, &[0, 1], 1);
    group.stop(0);
    export(&group, 0, "offline").well();
    // What is there already is not counted as made.
    assert!(export(&group, 0, "offline").err.contains("there is a file already"));
    group.restart(0, &[]);
    let (key, words) = (only_file(&group, "offline"), group.path("key-words"));
    let check = |options: &[&str]| group.tell(0, &[&["hostkey", "check", &key], options].concat());
    let keep = check(&[]);
    assert!(keep.status == 1 && keep.out.contains("KEEP"), "{keep:?}");
    assert!(keep.out.contains("epoch 1, seat 0"), "{keep:?}");
    refresh(&group, &[0, 1], 2);
    assert!(check(&[]).out.contains("KEEP"));
    current(&group, 0, 2);
    let said = erase(&group, 0, &["--single-copy"]).well();
    assert!(said.contains("1 host key files of seat 0 of epoch 1, the last made"), "{said}");
    // What is destroyed for it must be what it says: it is opened.
    let unopened = check(&[]);
    assert!(unopened.err.contains("no passphrase of the host key file"), "{unopened:?}");
    assert!(!unopened.out.contains("DESTROYED"), "{unopened:?}");
    let said = check(&["--key-passphrase-file", &words]).well();
    assert!(said.contains("MAY BE DESTROYED"), "{said}");
    // Another node does not know what else it gives.
    let other = group.tell(1, &["hostkey", "check", &key, "--key-passphrase-file", &words]);
    assert!(other.status == 1 && other.out.contains("KEEP"), "{other:?}");
    assert!(other.out.contains("it is the host key of another node"), "{other:?}");
    // What is erased is not exported any more.
    group.stop(0);
    let gone = offline(
        &group,
        0,
        &[
            "hostkey",
            "export",
            "--group",
            "local",
            "--epoch",
            "1",
            "--into",
            &group.path("offline"),
            "--key-passphrase-file",
            &words,
        ],
    );
    assert!(gone.err.contains("the host key of epoch 1 is not in this store"), "{gone:?}");
}

#[test]
fn the_share_of_a_member_that_joined_comes_back_into_a_store_that_knows_nothing_of_the_key() {
    let group = Group::start("host-key-joined", 2, 2);
    join(&group, 2, free_ports(1));
    let backup = group.path("backup-before");
    group.tell(2, &["backup", &backup]).well();
    let plan = plan(&group, &["add"], &[0, 1, 2]);
    decide(&group, &plan, &[0, 1], &[0, 1, 2]);
    let id = adopted(&group, 2, 1)["id"].as_str().unwrap().to_owned();
    group.tell(2, &["group", "rename", &id, "local"]).well();
    group.stop(2);
    export(&group, 2, "offline").well();
    let (key, words) = (only_file(&group, "offline"), group.path("key-words"));
    let lineage = recovery_file(&group, 1, "lineage");
    remove_store(&group, 2);
    let of = ["--recovery-file", &lineage, "--host-key", &key, "--key-passphrase-file", &words];
    offline(&group, 2, &[&["restore", &backup], &of[..]].concat()).well();
    group.restart(2, &[]);
    adopted(&group, 2, 1);
    assert_eq!(epoch(&group, 2)["id"], id.as_str());
    group.tell(2, &["group", "rename", &id, "local"]).well();
    group.stop(2);
    group.restart(2, &[]);
    signs(&group, &[2, 0], "with a member that lost its store");
}
