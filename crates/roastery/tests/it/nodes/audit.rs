//! The audit log: exported, cut with a record of it, and checked.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use roastery_protocol::{
    BodyHash, GroupId, Seat, SessionId,
    request::{Derivation, MessageToSign, SigningRequest, Subject},
};
use roastery_store::{AuditEntry, Decider, Decision, Examination, Passphrase, Spending, Store};
use serde_json::Value;

use crate::nodes::support::Group;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A share that left at this time.
fn entry(time_ms: u64) -> AuditEntry {
    let group = GroupId::from_bytes([2; 32]);
    let derivation = Derivation::key_path_only();
    let messages = vec![MessageToSign { message: [1; 32], derivation }];
    let request = SigningRequest::new(group, [1; 32], 9, messages).unwrap();
    let about = Examination::new(&request, &Subject::Hash, b"");
    AuditEntry {
        time_ms,
        group,
        session: SessionId::from_bytes([5; 32]),
        seat: Seat::new(0).unwrap(),
        coordinator: Seat::new(1).unwrap(),
        package: BodyHash::from_bytes([4; 32]),
        messages: vec![[9; 32]],
        key: [3; 32],
        decision: Decision { by: Decider::Operator, about, revision: 1, at: 8 },
        spending: Spending::default(),
    }
}

/// Puts entries into the store of a node that does not run: two of 30 days ago, three of 20.
fn age(folder: &Path) {
    let words = fs::read_to_string(folder.join("passphrase")).unwrap();
    let words = Passphrase::new(words.lines().next().unwrap().to_owned());
    let store = Store::open(folder.join("node.store"), &words).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let ages = [30, 30, 20, 20, 20];
    store.append_audit(&ages.map(|days| entry(now - days * DAY_MS))).unwrap();
}

/// A day so many days ago.
fn day(ago: i32) -> String {
    let said = Command::new("date").args(["-d", &format!("{ago} days ago"), "+%F"]).output();
    String::from_utf8(said.unwrap().stdout).unwrap().trim().to_owned()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().filter_map(|line| line["number"].as_u64()).collect()
}

#[test]
fn the_audit_log_is_exported_and_cut_and_the_file_is_checked_against_the_record() {
    let group = Group::start("audit", 2, 2);
    group.stop(0);
    age(&group.node(0));
    group.restart(0, &[]);
    let session = group.propose(0, "of today");
    group.approve(1, &session);
    group.request_in(0, &session, "signed");

    let [whole, oldest, further] = ["whole", "oldest", "further"].map(|name| group.path(name));
    let log = |arguments: &[&str]| group.tell(0, &[&["log"], arguments].concat());
    log(&["--export", &whole]).well();
    let all = lines(&fs::read_to_string(&whole).unwrap());
    assert_eq!(numbers(&all), [0, 1, 2, 3, 4, 5]);
    assert_eq!(all[5]["session"], session);
    assert_eq!(log(&["--export", &whole]).status, 2, "nothing is overwritten");

    // Entries that the limits need stay, and a refused cut writes no file.
    let cut = |before: &str| log(&["--cut-before", before, "--export", &oldest, "--yes"]);
    for (before, reason) in [
        ("6", "cut before entry 5 at most"),
        ("7", "allowed are 1 to 6"),
        (&day(-1), "cut before entry 5 at most"),
        (&day(90), "is not from before"),
    ] {
        let said = cut(before);
        assert_eq!(said.status, 2, "{said:?}");
        assert!(said.err.contains(reason), "{said:?}");
        assert!(!Path::new(&oldest).exists());
    }
    let said = cut(&day(25)).well();
    assert!(said.contains("entries 0 to 1 (2)"), "{said}");
    assert_eq!(numbers(&lines(&fs::read_to_string(&oldest).unwrap())), [0, 1]);
    let sum = Command::new("sha256sum").arg(&oldest).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap()[..64].to_owned();
    assert!(said.contains(&sum), "{said}");
    log(&["--cut-before", "4", "--export", &further, "--yes"]).well();

    // The same holds after a restart, and the record says what was cut.
    group.kill(0);
    group.restart(0, &[]);
    let left = lines(&log(&["--json"]).well());
    assert_eq!(numbers(&left), [4, 5]);
    assert_eq!((&left[0]["cut"]["last"], &left[1]["cut"]["first"]), (&1.into(), &2.into()));
    assert_eq!(left[0]["cut"]["sha256"], sum);
    assert_eq!(group.log(0, &session).len(), 1);

    let same = log(&["--check", &oldest]).well();
    assert!(same.contains("Same          entries 0 to 1"), "{same}");
    let both = log(&["--check", &whole]).well();
    assert_eq!(both.matches("Same").count(), 2, "{both}");
    let altered = fs::read_to_string(&whole).unwrap().replacen("\"satoshi\":0", "\"satoshi\":1", 1);
    fs::write(&oldest, altered).unwrap();
    let other = log(&["--check", &oldest]);
    assert_eq!(other.status, 1, "{other:?}");
    assert!(other.out.contains("Different     entries 0 to 1"), "{other:?}");
    assert!(other.out.contains("Same          entries 2 to 3"), "{other:?}");

    // Its node goes on.
    let session = group.propose(0, "afterwards");
    group.approve(1, &session);
    group.request_in(0, &session, "signed");
    assert_eq!(group.log(0, &session)[0]["number"], 6);
}
