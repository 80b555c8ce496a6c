//! The switch to new epochs between processes: old shares are erased, and who was away is told.

use std::{
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};

use roastery_store::{Passphrase, Store};
use serde_json::Value;

use crate::nodes::{
    api::post,
    changes::{address, adopted, decide, epoch, plan, signs},
    support::{Group, Said, roastery, until},
};

/// The epochs of the group's key, as a node shows them.
pub(crate) fn epochs(group: &Group, node: usize) -> Value {
    group.tell(node, &["change", "epochs", "--json"]).json()[0].clone()
}

/// Waits until a node knows an epoch as the current one.
pub(crate) fn current(group: &Group, node: usize, number: u64) -> Value {
    until("the epoch is current", || {
        let epochs = epochs(group, node);
        (epochs["epoch"] == number).then_some(epochs)
    })
}

/// Erases without asking, with these options beside.
pub(crate) fn erase(group: &Group, node: usize, options: &[&str]) -> Said {
    group.tell(node, &[&["change", "erase", "--group", "local", "--yes"], options].concat())
}

/// The fresh shares of all these nodes, which is the next epoch.
pub(crate) fn refresh(group: &Group, nodes: &[usize], number: u64) {
    let plan = plan(group, &["refresh"], nodes);
    take_effect(group, &plan, nodes, number);
}

/// All of these decide about a plan, which makes this epoch.
fn take_effect(group: &Group, plan: &(String, String), nodes: &[usize], number: u64) {
    decide(group, plan, nodes, nodes);
    for node in nodes {
        adopted(group, *node, number);
    }
    for file in fs::read_dir(Path::new(&plan.0).parent().unwrap()).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("plan-") {
            fs::remove_file(file.path()).unwrap();
        }
    }
}

/// A share of a stopped node, from its store.
pub(crate) fn share(group: &Group, node: usize, number: u32) -> Option<Vec<u8>> {
    let words = fs::read_to_string(group.node(node).join("passphrase")).unwrap();
    let words = Passphrase::new(words.trim().to_owned());
    let store = Store::open(group.node(node).join("node.store"), &words).unwrap();
    let groups = store.groups().unwrap();
    let of = groups.iter().find(|kept| kept.group.epoch().number() == number)?;
    Some(of.seats[0].1.expose_bytes().to_vec())
}

/// Each form in which a share may lie about: as its bytes, in the other order, as digits.
fn forms(share: &[u8]) -> Vec<Vec<u8>> {
    let reversed: Vec<u8> = share.iter().rev().copied().collect();
    let digits: String = share.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![share.to_vec(), reversed, digits.clone().into_bytes(), digits.to_uppercase().into_bytes()]
}

fn has(bytes: &[u8], share: &[u8]) -> bool {
    forms(share).iter().any(|form| bytes.windows(form.len()).any(|window| window == &form[..]))
}

/// Whether a share lies anywhere in the files of a node.
pub(crate) fn is_in_files(folder: &Path, share: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in_files(&path, share);
        }
        fs::read(&path).is_ok_and(|bytes| has(&bytes, share))
    })
}

/// Whether a share lies anywhere in the memory of a node's process, as in a dump of it; none where
/// the system does not let it be read.
pub(crate) fn is_in_memory(group: &Group, node: usize, share: &[u8]) -> Option<bool> {
    let pid = group.status(node)["pid"].as_u64().unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut found = false;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (begin, end) = line.split_once(' ')?.0.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        let (begin, end) = (address(begin)?, address(end)?);
        let mut bytes = vec![0; usize::try_from(end - begin).ok()?];
        memory.seek(SeekFrom::Start(begin)).ok()?;
        // A guard page cannot be read.
        if memory.read_exact(&mut bytes).is_ok() {
            found |= has(&bytes, share);
        }
    }
    Some(found)
}

#[test]
fn after_the_erasure_no_byte_of_the_old_share_is_in_files_or_memory_and_the_group_signs() {
    let group = Group::start("erasure", 3, 2);
    let addresses = address(&group, 0);
    group.stop(0);
    let old = share(&group, 0, 0).unwrap();
    group.restart(0, &[]);
    signs(&group, &[0, 1], "before the change");
    let before = is_in_memory(&group, 0, &old);
    assert_ne!(before, Some(false), "what is to be erased is in use, and the search finds it");
    let kept = group.path("backup-before");
    group.tell(0, &["backup", &kept]).well();
    refresh(&group, &[0, 1, 2], 1);
    // It is asked for a second copy, and one from before is none.
    let refused = erase(&group, 0, &["--wait", "1"]);
    assert!(refused.status == 1 && refused.out.contains("exists once only"), "{refused:?}");
    let refused = erase(&group, 0, &["--backup", &kept]);
    assert!(refused.err.contains("this file is none of the latest 16 backups"), "{refused:?}");
    assert_eq!(epochs(&group, 0)["held"], serde_json::json!([0]));
    let host_key = group.node(0).join("host-key");
    let check = ["hostkey", "check", host_key.to_str().unwrap()];
    assert!(group.tell(0, &check).out.contains("KEEP"));
    let after = group.path("backup-after");
    group.tell(0, &["backup", &after]).well();
    // Made, and lost or cut off where it is to be kept.
    let bytes = fs::read(&after).unwrap();
    fs::remove_file(&after).unwrap();
    let refused = erase(&group, 0, &["--backup", &after]);
    assert!(refused.status != 0 && refused.err.contains("backup-after"), "{refused:?}");
    fs::write(&after, &bytes[..bytes.len() - 1]).unwrap();
    let refused = erase(&group, 0, &["--backup", &after]);
    assert!(refused.err.contains("this file is none of the latest 16 backups"), "{refused:?}");
    assert_eq!(epochs(&group, 0)["held"], serde_json::json!([0]));
    fs::write(&after, &bytes).unwrap();
    let said = erase(&group, 0, &["--backup", &after]).well();
    assert!(said.contains("1 backups with old shares"), "{said}");
    assert!(group.tell(0, &check).well().contains("MAY BE DESTROYED"));
    assert_eq!(epochs(&group, 0)["held"], serde_json::json!([]));
    if before.is_some() {
        assert_eq!(is_in_memory(&group, 0, &old), Some(false));
    }
    assert!(!is_in_files(&group.node(0), &old));
    until("the others are told", || {
        (epochs(&group, 1)["members"][0]["holding"] == "erased").then_some(())
    });
    let again = erase(&group, 0, &["--backup", &after]);
    assert!(again.err.contains("nothing is to be erased"), "{again:?}");
    let log = group.tell(0, &["change", "log"]).well();
    for act in ["approved", "accepted", "adopted  local  epoch 1", "erased  local  epoch 0"] {
        assert!(log.contains(act), "{log}");
    }
    // The others have read their shares for it, and have adopted the epoch once.
    let log = group.tell(1, &["change", "log"]).well();
    assert_eq!(log.matches("adopted").count(), 1, "{log}");
    assert_eq!(address(&group, 0), addresses);
    signs(&group, &[0, 2], "after the erasure");
    group.kill(0);
    group.restart(0, &[]);
    assert_eq!(epoch(&group, 0)["epoch"], 1);
    assert_eq!(group.status(0)["groups"].as_array().unwrap().len(), 1);
    signs(&group, &[1, 0], "after the erasure and a restart");
    group.stop(0);
    assert_eq!(share(&group, 0, 0), None);
    // The backup from before still has it.
    assert_ne!(share(&group, 0, 1), Some(old));
}

#[test]
fn a_member_that_slept_while_it_was_removed_is_told_and_has_no_effect_any_more() {
    let group = Group::start("slept", 3, 2);
    let (superseded, _) = plan(&group, &["refresh"], &[0, 1, 2]);
    group.stop(2);
    let plan = plan(&group, &["remove", "--member", "node-2"], &[0, 1]);
    decide(&group, &plan, &[0, 1], &[0, 1]);
    for node in [0, 1] {
        adopted(&group, node, 1);
    }
    for node in [0, 1] {
        erase(&group, node, &["--single-copy"]).well();
    }
    group.restart(2, &[]);
    let shown = current(&group, 2, 1);
    // A plan of the epoch before has no effect any more, and says so before it is decided about.
    let refused = group.tell(2, &["change", "propose", &superseded]);
    assert!(refused.err.contains("the plan is superseded"), "{refused:?}");
    assert_eq!((&shown["decided"], &shown["holding"]), (&Value::Null, &Value::Null));
    let warnings = group.status(2)["warnings"].to_string();
    assert!(warnings.contains("epoch 1 is the current one"), "{warnings}");
    // Its old share signs with no other one.
    let session = group.propose(2, "by the one that was removed");
    std::thread::sleep(std::time::Duration::from_secs(2));
    for node in [0, 1] {
        let known = group.tell(node, &["requests", &session]);
        assert_ne!(known.status, 0, "{known:?}");
    }
    assert_ne!(group.request(2, &session)["state"], "signed");
    signs(&group, &[0, 1], "by those that stay");
    // It erases for an epoch that its person has looked at, and for no other.
    let refused = erase(&group, 2, &["--wait", "1"]);
    assert!(refused.out.contains("no person has approved"), "{refused:?}");
    // The wish is taken back, and another one stands.
    assert_eq!(epochs(&group, 2)["erasing"], true);
    let cancel = ["change", "erase", "--group", "local", "--cancel"];
    group.tell(2, &cancel).well();
    assert_eq!(epochs(&group, 2)["erasing"], false);
    assert!(group.tell(2, &cancel).err.contains("no wish to erase waits"));
    erase(&group, 2, &["--wait", "1"]);
    let wrong = ["group", "acknowledge", "1", "0000 0000", "--group", "local"];
    assert!(group.tell(2, &wrong).err.contains("this is not the fingerprint"));
    let words = epochs(&group, 0)["fingerprint"].as_str().unwrap().to_owned();
    let words: Vec<&str> = words.split(' ').collect();
    let acknowledge = [&["group", "acknowledge", "1"], &words[..], &["--group", "local"]].concat();
    assert!(group.tell(2, &acknowledge).well().contains("it was acknowledged here"));
    // The wish of before still waits, and nothing else was missing.
    until("it is erased", || (epochs(&group, 2)["held"] == serde_json::json!([])).then_some(()));
    group.stop(2);
    assert_eq!(share(&group, 2, 0), None);
}

#[test]
fn how_many_must_erase_is_counted_for_each_epoch_before_in_its_own_group() {
    let group = Group::start("each-epoch", 4, 2);
    let higher = plan(&group, &["threshold", "--threshold", "3"], &[0, 1, 2, 3]);
    take_effect(&group, &higher, &[0, 1, 2, 3], 1);
    let of = ["remove", "--member", "node-3", "--threshold", "3"];
    let without = plan(&group, &of, &[0, 1, 2]);
    decide(&group, &without, &[0, 1, 2], &[0, 1, 2]);
    for node in [0, 1, 2] {
        adopted(&group, node, 2);
    }
    let lower = |erased: usize| {
        let one = |epoch: u32, needed: usize| serde_json::json!({ "epoch": epoch, "needed": needed, "erased": erased });
        until("so many have erased", || {
            (epochs(&group, 1)["lower"] == serde_json::json!([one(0, 3), one(1, 2)])).then_some(())
        });
    };
    lower(0);
    for (erased, node) in [0, 1, 2].into_iter().enumerate() {
        erase(&group, node, &["--single-copy"]).well();
        lower(erased + 1);
    }
    let shown = group.tell(1, &["change", "epochs"]).well();
    assert!(shown.contains("epoch 0: 3 seats of it must have erased, 3 say"), "{shown}");
    assert!(shown.contains("epoch 1: 2 seats of it must have erased, 3 say"), "{shown}");
}

#[test]
fn a_key_file_that_cannot_be_read_is_no_failure_of_the_store_and_the_node_goes_on() {
    let group = Group::start("unreadable-key-file", 2, 2);
    let file = fs::read_dir(group.node(1).join("node.store.epochs")).unwrap().next().unwrap();
    let file = file.unwrap().path();
    let kept = fs::read(&file).unwrap();
    // Reading a folder is an error of the system.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let backup = group.path("backup");
    let failed = group.tell(1, &["backup", &backup]);
    assert_ne!(failed.status, 0, "{failed:?}");
    assert!(failed.err.contains(file.to_str().unwrap()), "{failed:?}");
    assert!(failed.err.contains("cannot be read or erased"), "{failed:?}");
    // The first attempt to open a store that has failed again is after half a second.
    for _ in 0..5 {
        group.tell(1, &["health"]).well();
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    signs(&group, &[0, 1], "with the share that is in memory");
    fs::remove_dir(&file).unwrap();
    fs::write(&file, kept).unwrap();
    group.tell(1, &["backup", &backup]).well();
}

#[test]
fn a_restored_old_backup_is_led_to_the_greatest_epoch_and_holds_the_erasing_back() {
    let group = Group::start("restored", 3, 2);
    let (before, between) = (group.path("backup-0"), group.path("backup-1"));
    // The card has left, and its host key is in the backup; the plan is not.
    let first = plan(&group, &["refresh"], &[0, 1, 2]);
    group.tell(2, &["backup", &before]).well();
    take_effect(&group, &first, &[0, 1, 2], 1);
    group.tell(2, &["backup", &between]).well();
    let first = epochs(&group, 0);
    refresh(&group, &[0, 1, 2], 2);
    // What was shown for the first epoch is not done for the second one.
    let wish = |shown: &Value| serde_json::json!({ "epoch": shown["epoch"], "fingerprint": shown["fingerprint"], "second_copy": "single_copy" });
    let (status, problem) = post(&group, 0, "/v1/keys/local/erase", &wish(&first));
    assert!(status == 409 && problem.to_string().contains("that is epoch 2"), "{problem}");
    let unknown = serde_json::json!({ "epoch": 2, "fingerprint": first["fingerprint"] });
    let (status, problem) = post(&group, 0, "/v1/keys/local/erase", &unknown);
    assert!(status == 409 && problem.to_string().contains("no epoch 2 with this"), "{problem}");
    assert_eq!(epochs(&group, 0)["erasing"], false);
    let restore = |file: &str| {
        group.stop(2);
        let folder = group.node(2);
        fs::remove_file(folder.join("node.store")).unwrap();
        fs::remove_dir_all(folder.join("node.store.epochs")).unwrap();
        let words = folder.join("passphrase");
        let words = [("ROASTERY_PASSPHRASE_FILE", words.to_str().unwrap())];
        roastery(&["restore", file, "--folder", folder.to_str().unwrap()], &words).well();
        group.restart(2, &[]);
    };
    for file in [&between, &before] {
        restore(file);
        let shown = current(&group, 2, 2);
        assert_eq!(shown["holding"], "lacking");
        let warnings = group.status(2)["warnings"].to_string();
        assert!(warnings.contains("neither the share nor the host key"), "{warnings}");
        // The share of the first group, and the share or the host key of the epoch after it.
        assert_eq!(shown["held"], serde_json::json!([0, 1]));
        // The backup itself has old shares.
        let count = |one: &Value| one["count"].as_u64().unwrap();
        let listed: u64 = shown["backups"].as_array().unwrap().iter().map(count).sum();
        assert_eq!(listed, if file == &before { 1 } else { 2 }, "{shown}");
    }
    let names = |shown: &Value| -> Vec<Value> {
        shown["members"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect()
    };
    for node in 0..3 {
        assert_eq!(names(&epochs(&group, node)), ["node-0", "node-1", "node-2"]);
    }
    // Who lacks its share is waited for, unless a person leaves it out.
    let refused = erase(&group, 0, &["--single-copy", "--wait", "2"]);
    assert!(refused.status == 1 && refused.out.contains("node-2"), "{refused:?}");
    assert_eq!(epochs(&group, 0)["held"], serde_json::json!([0, 1]));
    erase(&group, 0, &["--single-copy", "--without", "node-2"]).well();
    // Enrolled again by the next change.
    refresh(&group, &[0, 1, 2], 3);
    for node in [1, 2] {
        erase(&group, node, &["--single-copy"]).well();
    }
    // Of the share and the host key that gives it. No other key is left.
    let keys = fs::read_dir(group.node(2).join("node.store.epochs")).unwrap();
    assert_eq!(keys.count(), 2);
    signs(&group, &[1, 2], "with the share that was lost");
}

#[test]
fn a_new_share_that_cannot_be_read_any_more_keeps_the_old_one_from_being_erased() {
    let group = Group::start("unreadable", 2, 2);
    let files = || -> Vec<_> {
        let all = fs::read_dir(group.node(1).join("node.store.epochs")).unwrap();
        all.map(|file| file.unwrap().path()).collect()
    };
    let old = files();
    refresh(&group, &[0, 1], 1);
    // Damaged while the node runs, which has adopted the epoch and has said so.
    let new: Vec<_> = files().into_iter().filter(|file| !old.contains(file)).collect();
    let kept: Vec<_> = new.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!new.is_empty());
    new.iter().for_each(|file| fs::write(file, [0; 72]).unwrap());
    let refused = erase(&group, 1, &["--single-copy", "--wait", "2"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    let shown = epochs(&group, 1);
    assert_eq!(shown["held"], serde_json::json!([0]));
    let problem = shown["problem"].as_str().unwrap();
    assert!(problem.contains("share of epoch 1 cannot be read from its store"), "{problem}");
    assert!(refused.out.contains("cannot be read from its store"), "{refused:?}");
    assert!(old.iter().all(|file| file.exists()));
    // It has told the other one that it has its share. When that asks, it reads it, and is silent.
    let refused = erase(&group, 0, &["--single-copy", "--wait", "3"]);
    assert!(refused.status == 1 && refused.out.contains("node-1"), "{refused:?}");
    assert_eq!(epochs(&group, 0)["held"], serde_json::json!([0]));
    let shown = epochs(&group, 1);
    assert_eq!(shown["holding"], Value::Null);
    assert!(shown["problem"].as_str().unwrap().contains("damaged"), "{shown}");
    for (file, bytes) in new.iter().zip(&kept) {
        fs::write(file, bytes).unwrap();
    }
    // The wish of the other one still stands.
    until("it is erased", || (epochs(&group, 0)["held"] == serde_json::json!([])).then_some(()));
    erase(&group, 1, &["--single-copy"]).well();
    signs(&group, &[0, 1], "with the share that was read back");
}

#[test]
fn a_lost_key_file_of_an_epoch_before_keeps_no_node_from_signing_in_the_newest() {
    let group = Group::start("lost-key-file", 2, 2);
    let files = || -> Vec<_> {
        let all = fs::read_dir(group.node(1).join("node.store.epochs")).unwrap();
        all.map(|file| file.unwrap().path()).collect()
    };
    let old = files();
    refresh(&group, &[0, 1], 1);
    group.stop(1);
    old.iter().for_each(|file| fs::remove_file(file).unwrap());
    group.restart(1, &[]);
    signs(&group, &[0, 1], "without the share of the epoch before");
    group.stop(1);
    files().iter().for_each(|file| fs::remove_file(file).unwrap());
    let failed = group.run(1, &[]);
    assert_ne!(failed.status, 0, "{failed:?}");
}

/// Numbers that look random and are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// Kills a node by chance, at some time within half a second, and starts it again.
fn may_kill(group: &Group, chance: &mut Chance) {
    if chance.below(2) == 0 {
        let node = usize::try_from(chance.below(5)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(chance.below(500)));
        group.kill(node);
        group.restart(node, &[]);
    }
}

#[test]
#[ignore = "takes minutes of real time: just epochs"]
fn five_epochs_pass_and_old_shares_are_erased_whichever_nodes_are_killed() {
    let seed = std::env::var("ROASTERY_EPOCHS_SEED").ok().map(|text| text.parse().unwrap());
    let mut chance = Chance(seed.unwrap_or(1));
    let group = Group::start("five-epochs", 5, 3);
    let (addresses, all) = (address(&group, 0), [0, 1, 2, 3, 4]);
    for number in 1..=5 {
        let plan = plan(&group, &["refresh"], &all);
        for node in all {
            group.tell(node, &["change", "propose", &plan.0]).well();
            may_kill(&group, &mut chance);
        }
        let decide = |node: usize, what: &str| {
            until("it is decided", || {
                let words = ["change", what, "--fingerprint", &plan.1];
                let said = group.tell(node, &words);
                // It may have taken effect before the node was killed.
                (said.status == 0 || said.err.contains("epoch")).then_some(())
            });
        };
        for node in all {
            decide(node, "accept");
            may_kill(&group, &mut chance);
        }
        for node in [0, 2, 4] {
            decide(node, "approve");
            may_kill(&group, &mut chance);
        }
        for node in all {
            adopted(&group, node, number);
        }
        signs(&group, &[0, 1, 3], &format!("epoch {number}"));
        for node in all {
            // Broken off at any time, it is there or erased.
            erase(&group, node, &["--single-copy", "--wait", "0"]);
            may_kill(&group, &mut chance);
            until("it is erased", || {
                erase(&group, node, &["--single-copy", "--wait", "2"]);
                (epochs(&group, node)["held"] == serde_json::json!([])).then_some(())
            });
        }
        signs(&group, &[4, 2, 1], &format!("after the erasure of epoch {}", number - 1));
        assert_eq!(address(&group, 3), addresses);
        for file in fs::read_dir(Path::new(&plan.0).parent().unwrap()).unwrap() {
            let file = file.unwrap();
            if file.file_name().to_string_lossy().starts_with("plan-") {
                fs::remove_file(file.path()).unwrap();
            }
        }
    }
}
