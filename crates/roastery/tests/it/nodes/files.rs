//! Files are there whole or not at all, and only their user can read those with secrets.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::nodes::support::{
    Group, Process, free_ports, fresh_folder, node_command, roastery, until,
};

const WORDS: (&str, &str) = ("ROASTERY_PASSPHRASE", "a few words more");

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_init_that_finds_no_room_leaves_nothing_and_the_next_one_succeeds() {
    let folder = fresh_folder("no-room");
    let at = folder.join("node");
    let init = ["init", "--name", "one", "--folder", at.to_str().unwrap()];
    let mut command = Command::new("sh");
    // No file may have more than some kilobytes: the store finds no room.
    command.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_roastery")).args(init).env(WORDS.0, WORDS.1);
    let said = command.output().unwrap();
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert_eq!(names(&at), Vec::<String>::new());
    // What a full disk has left of an older program's attempt.
    fs::write(at.join("host-key"), "").unwrap();
    roastery(&init, &[WORDS]).well();
    assert_eq!(names(&at).len(), 4);
    assert_eq!(at.join("host-key").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = roastery(&init, &[WORDS]);
    assert_eq!(again.status, 2);
    assert!(again.err.contains("there is a node here already"), "{again:?}");
}

#[test]
fn a_short_passphrase_is_refused_with_what_is_allowed() {
    let folder = fresh_folder("short");
    let at = folder.join("node");
    let init = ["init", "--name", "one", "--folder", at.to_str().unwrap()];
    let said = roastery(&init, &[(WORDS.0, "abc")]);
    assert_eq!(said.status, 2);
    assert!(said.err.contains("3 characters; at least 12 are needed"), "{said:?}");
    assert!(!said.err.contains("abc") && !at.exists(), "{said:?}");
}

#[test]
fn a_start_removes_what_a_crash_left_and_warns_of_secrets_that_others_can_read() {
    let folder = fresh_folder("left");
    let at = folder.join("node");
    let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
    let init = ["init", "--name", "one", "--folder", at.to_str().unwrap()];
    roastery(&[&init, &listen[..]].concat(), &[WORDS]).well();
    let left = at.join(".backup-1.0123456789abcdef.new");
    fs::write(&left, "half a backup").unwrap();
    fs::set_permissions(at.join("host-key"), Permissions::from_mode(0o644)).unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();
    let _process =
        Process(node_command(&[], &at, WORDS.1).stderr(Stdio::from(log)).spawn().unwrap());
    let health = ["health", "--folder", at.to_str().unwrap()];
    until("it runs", || (roastery(&health, &[]).status == 0).then_some(()));
    assert!(!left.exists());
    let warning = format!("run chmod 0600 {}", at.join("host-key").display());
    until("it warns", || {
        fs::read_to_string(folder.join("log")).unwrap().contains(&warning).then_some(())
    });
    let socket = at.join("api.sock").metadata().unwrap();
    assert_eq!(socket.permissions().mode() & 0o077, 0);
}

#[test]
fn a_group_that_was_made_in_half_is_finished_by_the_same_command() {
    let folder = fresh_folder("half");
    let node = folder.join("node-0");
    fs::create_dir_all(&node).unwrap();
    let port = free_ports(2).to_string();
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    let passphrase = "passphrase of node 0";
    fs::write(node.join("passphrase"), passphrase).unwrap();
    let init = ["init", "--name", "node-0", "--listen", &listen, "--announce", &listen];
    let at = ["--folder", node.to_str().unwrap()];
    roastery(&[&init[..], &at[..]].concat(), &[(WORDS.0, passphrase)]).well();
    // The last thing that was written.
    fs::write(folder.join("invitation.toml"), "").unwrap();
    let group = Group::at(folder);
    group.local(&["--signers", "2", "--threshold", "2", "--port", &port], &[]).well();
    assert_eq!(group.status(1)["groups"][0]["name"], "local");
}

/// Cuts each TOML file of a folder off after a part of it.
fn cut_off(folder: &Path, kept: impl Fn(usize) -> usize) {
    for name in names(folder).iter().filter(|name| name.ends_with(".toml")) {
        let path = folder.join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(path, &whole[..kept(whole.len())]).unwrap();
    }
}

#[test]
fn damaged_invitations_cards_and_addresses_are_made_good_from_the_store_and_from_each_other() {
    let group = Group::start("damaged", 2, 2);
    let node = group.node(1);
    let log = || fs::read_to_string(node.join("log")).unwrap();
    group.stop(1);
    // The host key is offline, as it should be.
    let (host_key, offline) = (node.join("host-key"), group.path("host-key"));
    fs::rename(&host_key, &offline).unwrap();
    cut_off(&node.join("invitations"), |_| 0);
    let card = fs::read(node.join("card.toml")).unwrap();
    fs::write(node.join("card.toml"), &card[..card.len() / 2]).unwrap();
    group.restart(1, &[]);
    assert_eq!(log().matches("a damaged invitation: the store has it as well").count(), 1);
    assert_eq!(log().matches("the card could not be read, and is made anew").count(), 1);
    let again = fs::read_to_string(node.join("card.toml")).unwrap();
    let line = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("host_") || line.contains("peer"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(line(&again), line(std::str::from_utf8(&card).unwrap()));
    let session = group.propose(1, "all the same");
    group.approve(0, &session);
    group.request_in(1, &session, "signed");

    // A key generation goes on without the file of its invitation, and joining again writes it.
    fs::rename(&offline, &host_key).unwrap();
    let cards = [0, 1].map(|k| group.node(k).join("card.toml").to_str().unwrap().to_owned());
    let invitation = group.path("second.toml");
    let new = ["group", "new", "--name", "second", "--threshold", "2", "--out", &invitation];
    roastery(&[&new[..], &[&cards[0], &cards[1]]].concat(), &[]).well();
    let joined = [0, 1].map(|k| group.tell(k, &["group", "join", &invitation]).well());
    let fingerprint = joined[1].lines().find_map(|line| line.strip_prefix("Fingerprint   "));
    let keygen = ["keygen", "second", "--fingerprint", fingerprint.unwrap()];
    group.tell(1, &[&keygen[..], &["--no-wait"]].concat()).well();
    group.stop(1);
    cut_off(&node.join("invitations"), |length| length / 2);
    cut_off(&node.join("peers"), |length| length / 2);
    group.restart(1, &[]);
    assert_eq!(group.status(1)["ceremonies"][0]["state"], "running");
    assert!(log().contains("a damaged file of a member's addresses"), "{}", log());
    group.tell(1, &["group", "join", &invitation]).well();
    let made = group.tell(0, &keygen).well();
    assert!(made.contains("State         done"), "{made}");
    group.stop(1);
    fs::write(node.join("log"), "").unwrap();
    cut_off(&node.join("peers"), |_| 0);
    group.restart(1, &[]);
    // The invitation of the second group is whole again, and has the addresses.
    let peers = names(&node.join("peers"));
    assert!(peers.iter().all(|name| node.join("peers").join(name).metadata().unwrap().len() > 0));
    assert_eq!(group.status(1)["groups"].as_array().unwrap().len(), 2);
}

#[test]
fn a_damaged_invitation_that_the_store_does_not_have_is_named_with_what_to_do() {
    let group = Group::start("unknown", 2, 2);
    let cards = [0, 1].map(|k| group.node(k).join("card.toml").to_str().unwrap().to_owned());
    let invitation = group.path("third.toml");
    let new = ["group", "new", "--name", "third", "--threshold", "2", "--out", &invitation];
    roastery(&[&new[..], &[&cards[0], &cards[1]]].concat(), &[]).well();
    // Its fingerprint is not confirmed, so nothing of it is in the store.
    group.tell(1, &["group", "join", &invitation]).well();
    group.stop(1);
    cut_off(&group.node(1).join("invitations"), |_| 0);
    group.restart(1, &[]);
    let log = fs::read_to_string(group.node(1).join("log")).unwrap();
    let line = log.lines().find(|line| line.contains("which the store does not have")).unwrap();
    assert!(line.contains("invitations/") && line.contains("roastery group join"), "{line}");
    group.tell(1, &["group", "join", &invitation]).well();
    let whole = names(&group.node(1).join("invitations"));
    let lengths = whole
        .iter()
        .map(|name| group.node(1).join("invitations").join(name).metadata().unwrap().len());
    assert_eq!(lengths.filter(|length| *length > 0).count(), 1);
}

#[test]
fn a_path_in_a_variable_is_relative_to_the_current_folder() {
    let folder = fresh_folder("relative");
    fs::write(folder.join("words"), WORDS.1).unwrap();
    let tell = |arguments: &[&str], variable: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
        command.args(arguments).envs(variable.iter().copied()).current_dir(&folder);
        command.output().unwrap()
    };
    let init = ["init", "--name", "one", "--folder", "node", "--passphrase-file", "words"];
    let said = tell(&init, &[]);
    assert!(said.status.success(), "{said:?}");
    // The same file by the same name.
    let variable = [("ROASTERY_PASSPHRASE_FILE", "words")];
    let said = tell(&["backup", "--folder", "node", "copy"], &variable);
    assert!(said.status.success(), "{said:?}");
}
