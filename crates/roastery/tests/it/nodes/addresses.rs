//! Names and addresses: on cards, in invitations, and when a member moves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::support::{Group, Said, free_ports, fresh_folder, roastery, until};

const WORDS: [(&str, &str); 1] = [("ROASTERY_PASSPHRASE", "a few more words")];

fn init(folder: &Path, options: &[&str]) -> Said {
    let folder = folder.to_str().unwrap();
    roastery(&[&["init", "--folder", folder], options].concat(), &WORDS)
}

fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("roastery.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// Whether a node of a group is connected to the one with this name.
fn is_connected(group: &Group, node: usize, name: &str) -> bool {
    let status = group.status(node);
    let mut peers = status["peers"].as_array().unwrap().iter();
    peers.any(|peer| peer["name"] == name && peer["connected"] == true)
}

#[test]
fn a_member_that_moves_is_called_where_its_newer_card_says_and_still_after_a_restart() {
    let group = Group::start("moved", 2, 2);
    let (old_port, new_port) = (group.port(1), free_ports(1));
    let old_card = fs::read_to_string(group.node(1).join("card.toml")).unwrap();
    group.stop(0);
    group.stop(1);
    // Node 1 listens elsewhere, and dials node 0 at a port without a listener: only node 0 can
    // connect them.
    let (old, new) = (format!("/tcp/{old_port}"), format!("/tcp/{new_port}"));
    edit(&group.node(1), &old, &new);
    edit(
        &group.node(1),
        &format!("announce = [\"/ip4/127.0.0.1{new}\"]"),
        &format!("announce = [\"/dns4/localhost{new}\"]"),
    );
    let peer = group.peer(0);
    edit(
        &group.node(1),
        "# [transport.peers]",
        &format!("[transport.peers]\n{peer} = [\"/ip4/127.0.0.1/tcp/1\"]"),
    );
    group.restart(1, &[]);
    group.restart(0, &[]);
    // Its card was renewed when it started.
    let card = group.node(1).join("card.toml");
    let text = fs::read_to_string(&card).unwrap();
    assert!(text.contains(&format!("/dns4/localhost{new}")), "{text}");
    assert_eq!(group.tell(1, &["card"]).well().trim(), text.trim());
    assert!(!is_connected(&group, 0, "node-1"));

    let added = group.tell(0, &["peers", "add", card.to_str().unwrap()]).well();
    assert_eq!(added, format!("node-1: is called at /dns4/localhost{new}\n"));
    until("node 0 finds node 1", || is_connected(&group, 0, "node-1").then_some(()));
    // The older card changes nothing any more.
    let older = group.node(1).join("older.toml");
    fs::write(&older, &old_card).unwrap();
    let added = group.tell(0, &["peers", "add", older.to_str().unwrap()]).well();
    assert!(added.contains("nothing is taken up"), "{added}");
    // Neither does an invitation with the older card, which is what the node reads when it starts.
    group.stop(0);
    group.restart(0, &[]);
    until("node 0 finds node 1 again", || is_connected(&group, 0, "node-1").then_some(()));

    let own = group.node(0).join("card.toml");
    let refused = group.tell(0, &["peers", "add", own.to_str().unwrap()]);
    assert!(refused.err.contains("this is the card of this node itself"), "{refused:?}");
}

#[test]
fn a_card_of_a_node_that_is_in_no_group_here_is_not_taken_up() {
    let group = Group::start("stranger", 2, 2);
    let stranger = PathBuf::from(group.path("stranger"));
    init(&stranger, &["--name", "carl", "--announce", "/dns/carl.example/tcp/7400"]).well();
    let card = stranger.join("card.toml");
    let refused = group.tell(0, &["peers", "add", card.to_str().unwrap()]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("the node of carl is in no group"), "{refused:?}");
    until("node 0 knows its one peer", || {
        (group.status(0)["peers"].as_array().unwrap().len() == 1).then_some(())
    });
}

#[test]
fn a_card_is_made_anew_when_the_configuration_changes_and_needs_no_host_key() {
    let folder = fresh_folder("card");
    let node = folder.join("node");
    let at = node.to_str().unwrap();
    let port = free_ports(1);
    let listen = format!("/ip4/127.0.0.1/tcp/{port}");
    init(&node, &["--name", "anna", "--listen", &listen, "--announce", "/dns/a.example/tcp/1"])
        .well();
    let first = roastery(&["card", "--folder", at], &[]).well();
    assert!(first.contains("name = \"anna\"") && first.contains("/dns/a.example/tcp/1"), "{first}");
    fs::rename(node.join("host-key"), folder.join("host-key")).unwrap();
    edit(&node, "name = \"anna\"", "name = \"anna-2\"");
    edit(&node, "/dns/a.example/tcp/1", "/dns/b.example/tcp/2");

    let second = roastery(&["card", "--folder", at], &WORDS).well();
    assert!(second.contains("name = \"anna-2\""), "{second}");
    assert!(second.contains("/dns/b.example/tcp/2"), "{second}");
    let line = |text: &str, start: &str| {
        text.lines().find(|line| line.starts_with(start)).unwrap().to_owned()
    };
    for unchanged in ["host_key", "host_signature", "peer"] {
        assert_eq!(line(&first, unchanged), line(&second, unchanged));
    }
    // An unchanged card is not renewed, and no passphrase is asked for.
    assert_eq!(roastery(&["card", "--folder", at], &[]).well(), second);

    // A node that runs has the configuration that it started with.
    let mut process = Command::new(env!("CARGO_BIN_EXE_roastery"))
        .args(["node", "--folder", at])
        .envs(WORDS)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it runs", || (roastery(&["status", "--folder", at], &[]).status == 0).then_some(()));
    edit(&node, "/dns/b.example/tcp/2", "/dns/c.example/tcp/3");
    let refused = roastery(&["card", "--folder", at], &WORDS);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("start it again"), "{refused:?}");
    roastery(&["stop", "--folder", at], &[]).well();
    assert_eq!(process.wait().unwrap().code(), Some(0));
    let third = roastery(&["card", "--folder", at], &WORDS).well();
    assert!(third.contains("/dns/c.example/tcp/3"), "{third}");

    // Without the card its host key is needed, and with it the card is what it was.
    edit(&node, "/dns/c.example/tcp/3", "/dns/a.example/tcp/1");
    edit(&node, "name = \"anna-2\"", "name = \"anna\"");
    fs::remove_file(node.join("card.toml")).unwrap();
    let refused = roastery(&["card", "--folder", at], &WORDS);
    assert!(refused.err.contains("the host key, whose signature it needs"), "{refused:?}");
    fs::rename(folder.join("host-key"), node.join("host-key")).unwrap();
    let again = roastery(&["card", "--folder", at], &WORDS).well();
    for unchanged in ["host_key", "host_signature", "identity_signature", "transport_signature"] {
        assert_eq!(line(&first, unchanged), line(&again, unchanged));
    }
}

#[test]
fn init_refuses_what_no_later_stage_would_take_and_says_what_it_means_to_announce_nothing() {
    let folder = fresh_folder("refused");
    let node = folder.join("node");
    let nine: Vec<String> = (1..=9)
        .flat_map(|port| ["--announce".to_owned(), format!("/ip4/203.0.113.7/tcp/{port}")])
        .collect();
    let nine: Vec<&str> =
        [&["--name", "anna"][..], &nine.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    for (options, said) in [
        (&["--name", "anna", "--announce", "/ip4/203.0.113.7"][..], "it has no port"),
        (&["--name", "anna", "--announce", "/ip4/0.0.0.0/tcp/7400"], "cannot be called"),
        (
            &["--name", "anna", "--announce", "/dns4/a.example/tcp/443/wss"],
            "/wss is not spoken here",
        ),
        (&["--name", "anna", "--announce", "a.example:7400"], "it is no multiaddress"),
        (
            &["--name", "anna", "--listen", "/dns4/localhost/tcp/7400"],
            "a name cannot be listened at",
        ),
        (&nine, "9 addresses: at most 8 are allowed"),
        (&["--name", "anna\u{202e}"], "U+202E"),
        (&["--name", "anna; true"], "U+003B"),
        (&["--name", ""], "it has 0 bytes"),
    ] {
        let refused = init(&node, options);
        assert_eq!(refused.status, 2, "{options:?}: {refused:?}");
        assert!(refused.err.contains(said), "{options:?}: {refused:?}");
        assert_eq!(refused.err.lines().count(), 1, "{options:?}: {refused:?}");
        assert!(!node.exists(), "{options:?}");
    }
    let quiet = ["--name", "anna", "--announce", "/dns/a.example/tcp/7400"];
    let said = init(&folder.join("quiet"), &quiet);
    assert!(said.status == 0 && !said.err.contains("note:"), "{said:?}");
    let said = init(&folder.join("silent"), &["--name", "anna"]);
    assert!(said.err.contains("note: no address is announced"), "{said:?}");
    let six = ["--name", "anna", "--announce", "/ip6/2001:db8::7/tcp/7400"];
    let said = init(&folder.join("six"), &six);
    assert!(said.err.contains("does not listen for such calls"), "{said:?}");
}

#[test]
fn an_invitation_names_each_member_once_and_its_fingerprint_is_typed_and_not_pasted() {
    let folder = fresh_folder("named");
    let card = |name: &str, member: &str| {
        let node = folder.join(member);
        init(&node, &["--name", name, "--listen", "/ip4/127.0.0.1/tcp/0"]).well();
        node.join("card.toml").to_str().unwrap().to_owned()
    };
    let (anna, bert, second) = (card("anna", "0"), card("bert", "1"), card("Anna", "2"));
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let new = |group: &str, out: &str, cards: &[&str]| {
        let out = file(out);
        let options = ["group", "new", "--name", group, "--threshold", "2", "--out", &out];
        roastery(&[&options, cards].concat(), &[])
    };
    for (refused, said) in [
        (new("treasury", "a", &[&anna, &bert, &second]), "two members are called Anna"),
        (new("treasury", "a", &[&anna, &bert, &anna]), "anna and anna have the same host key"),
        (new("x; true", "a", &[&anna, &bert]), "U+003B"),
    ] {
        assert_eq!(refused.status, 2, "{refused:?}");
        assert!(refused.err.contains(said), "{refused:?}");
        assert!(!folder.join("a").exists());
    }
    let made = new("cold storage", "b", &[&anna, &bert]);
    assert!(made.err.contains("note: anna, bert announce no address"), "{made:?}");
    let out = made.well();
    let fingerprint = out.lines().find_map(|line| line.strip_prefix("Fingerprint   ")).unwrap();
    // A card is no invitation, and the other way round.
    let refused = new("treasury", "a", &[&anna, &file("b")]);
    assert!(refused.err.contains("this is an invitation, not a card"), "{refused:?}");

    let at = folder.join("0");
    let at = at.to_str().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_roastery"))
        .args(["node", "--folder", at])
        .envs(WORDS)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("it runs", || (roastery(&["status", "--folder", at], &[]).status == 0).then_some(()));
    let refused = roastery(&["group", "join", &anna, "--folder", at], &[]);
    assert!(refused.err.contains("it is a card of one node"), "{refused:?}");
    let joined = roastery(&["group", "join", &file("b"), "--folder", at], &[]).well();
    assert!(joined.contains(&format!("Fingerprint   {fingerprint}")), "{joined}");
    let paste = "roastery keygen 'cold storage' --fingerprint \"FINGERPRINT\"";
    assert!(joined.contains(paste), "{joined}");
    let wrong = ["keygen", "cold storage", "--fingerprint", "0123 4567", "--folder", at];
    let refused = roastery(&wrong, &[]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("compare it with all members again"), "{refused:?}");
    assert!(!refused.err.contains(fingerprint), "{refused:?}");
    roastery(&["stop", "--folder", at], &[]).well();
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
