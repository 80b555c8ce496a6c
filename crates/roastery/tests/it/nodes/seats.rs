//! Nodes that hold several seats of a group.

use std::fs;

use serde_json::{Value, json};

use super::{
    changes::{address, adopted, decide, plan, plan_of_seats, signs},
    epochs::{current, epochs, erase, refresh},
    support::*,
};

#[test]
fn a_node_of_three_seats_and_two_others_make_a_key_and_its_host_keys_bring_each_share_back() {
    let group = Group::of_seats("seats", &[3, 1, 1], 3);
    for (node, seats) in [(0, json!([0, 1, 2])), (1, json!([3])), (2, json!([4]))] {
        let own = &group.status(node)["groups"][0];
        assert_eq!((&own["seats"], &own["threshold"]), (&seats, &json!(3)), "{own}");
        let names: Vec<_> =
            own["members"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["node-0", "node-0", "node-0", "node-1", "node-2"]);
    }
    let shown = group.tell(0, &["status"]).well();
    assert!(shown.contains("3 of 5 must sign; this node has 3 of 5 seats (0, 1, 2)"), "{shown}");
    assert!(shown.contains("Members     node-0 (3 seats), node-1, node-2"), "{shown}");

    let (recovery, share) = (group.path("recovery"), group.path("share"));
    group.tell(1, &["group", "export", "local", "--recovery-file", &recovery]).well();
    let host_key = group.node(0).join("host-key");
    let host_key = host_key.to_str().unwrap();
    let recover = ["recover", &recovery, "--host-key", host_key, "--share", &share];
    let recovered = roastery(&recover, &[]).well();
    assert!(recovered.contains("Seat          0, 1, 2"), "{recovered}");
    assert_eq!(fs::read_to_string(&share).unwrap().lines().count(), 3);
    let keys = fs::read_to_string(host_key).unwrap();
    assert_eq!(keys.lines().count(), 3);

    // In the order in which they are there.
    let reversed: Vec<&str> = keys.lines().rev().collect();
    fs::write(host_key, reversed.join("\n")).unwrap();
    let other = group.path("other");
    let recover = ["recover", &recovery, "--host-key", host_key, "--share", &other];
    assert!(roastery(&recover, &[]).well().contains("Seat          2, 1, 0"));
}

#[test]
fn a_node_with_as_many_seats_as_must_sign_signs_alone_and_the_others_do_not() {
    let group = Group::of_seats("weights", &[3, 1, 1], 3);
    let session = group.propose(1, "with node-0");
    group.approve(0, &session);
    group.request_in(1, &session, "signed");
    let session = group.propose(1, "without node-0");
    group.approve(2, &session);
    until("two seats have approved", || {
        let waits = group.request_in(1, &session, "approved");
        (waits["progress"]["approved_seats"] == json!(2)).then_some(())
    });
    group.stop(1);
    group.stop(2);
    let session = group.propose(0, "alone");
    let signed = group.request_in(0, &session, "signed");
    assert_eq!(signed["signers"], json!([0, 1, 2]), "{signed}");
    assert_eq!(group.log(0, &session).len(), 3);
}

#[test]
fn a_store_from_before_the_key_gets_the_shares_of_all_its_seats_back_from_the_host_keys() {
    let folder = fresh_folder("recovered");
    let port = free_ports(3).to_string();
    let node = folder.join("node-0");
    fs::create_dir_all(&node).unwrap();
    fs::write(node.join("passphrase"), "passphrase of node 0").unwrap();
    let words = node.join("passphrase");
    let words = [("ROASTERY_PASSPHRASE_FILE", words.to_str().unwrap())];
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let at = ["--folder", node.to_str().unwrap()];
    let init = ["init", "--name", "node-0", "--seats", "3", "--passphrase-file", words[0].1];
    let listen = ["--listen", &address, "--announce", &address];
    roastery(&[&init[..], &listen, &at].concat(), &[]).well();
    let backup = folder.join("backup");
    let backup = backup.to_str().unwrap();
    roastery(&[&["backup", backup], &at[..]].concat(), &words).well();

    let group = Group::at(folder);
    group.local(&["--seats", "3,1,1", "--threshold", "3", "--port", &port], &[]).well();
    let recovery = group.path("recovery");
    group.tell(1, &["group", "export", "local", "--recovery-file", &recovery]).well();
    group.stop(0);
    fs::remove_file(node.join("node.store")).unwrap();
    roastery(&[&["restore", backup], &at[..]].concat(), &words).well();
    let host_key = node.join("host-key");
    let keys = fs::read_to_string(&host_key).unwrap();
    // One key too few, and then all of them.
    fs::write(&host_key, keys.lines().take(2).collect::<Vec<_>>().join("\n")).unwrap();
    group.restart(0, &[]);
    let refused = group.tell(0, &["group", "recover", &recovery]);
    assert_eq!(refused.status, 2);
    assert!(
        refused.err.contains("host keys here are not those of this node's seats"),
        "{refused:?}"
    );
    fs::write(&host_key, keys).unwrap();
    group.tell(0, &["group", "recover", &recovery]).well();
    assert_eq!(group.status(0)["groups"][0]["seats"], json!([0, 1, 2]));

    // The roster in the store makes the card again, without the host keys.
    let card = fs::read_to_string(node.join("card.toml")).unwrap();
    fs::write(node.join("card.toml"), "nothing").unwrap();
    fs::remove_file(&host_key).unwrap();
    group.stop(0);
    group.restart(0, &[]);
    let again = fs::read_to_string(node.join("card.toml")).unwrap();
    let keys = |card: &str| card.matches("host_key = ").count();
    assert_eq!((keys(&card), keys(&again)), (3, 3));
}

#[test]
fn a_member_that_signs_without_the_others_is_named_when_the_invitation_is_written() {
    let folder = fresh_folder("alone");
    let card = |name: &str, seats: &str| {
        let node = folder.join(name);
        let at = node.to_str().unwrap();
        let init = ["init", "--name", name, "--seats", seats, "--folder", at];
        let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
        let words = [("ROASTERY_PASSPHRASE", "a few words more")];
        roastery(&[&init[..], &listen].concat(), &words).well();
        node.join("card.toml").to_str().unwrap().to_owned()
    };
    let (anna, bert) = (card("anna", "3"), card("bert", "2"));
    assert_eq!(fs::read_to_string(&anna).unwrap().matches("[[seat]]").count(), 3);
    let new = |threshold: &str| {
        let out = folder.join(threshold);
        let out = out.to_str().unwrap();
        let new = ["group", "new", "--name", "treasury", "--threshold", threshold, "--out", out];
        roastery(&[&new[..], &[&anna, &bert]].concat(), &[])
    };
    let note = "anna holds 3 of 5 seats and 3 must sign: it signs without the others";
    assert!(new("3").err.contains(note));
    assert!(!new("4").err.contains("without the others"));
    assert_eq!(new("6").status, 2);
    for wrong in ["0", "33", "x"] {
        let init = ["init", "--name", "cleo", "--seats", wrong, "--folder", "cleo"];
        let refused = roastery(&init, &[]);
        assert_eq!(refused.status, 2);
        assert!(refused.err.contains("allowed are whole numbers from 1 to 32"), "{refused:?}");
    }
}

/// Makes a fresh plan that changes seats, and shows it at the first of these nodes.
fn seat_plan(group: &Group, nodes: &[(usize, Option<u16>)]) -> ((String, String), String) {
    let plan = plan_of_seats(group, &["seats"], nodes);
    (plan.clone(), group.tell(nodes[0].0, &["change", "propose", &plan.0]).well())
}

/// The change to this epoch as a node shows it.
fn shown_change(group: &Group, node: usize, number: u64) -> String {
    let changes = group.tell(node, &["change", "status", "--json"]).json();
    let mut all = changes.as_array().unwrap().iter();
    let plan = all.find(|one| one["epoch"] == number).unwrap()["plan"].as_str().unwrap();
    group.tell(node, &["change", "show", plan]).well()
}

fn seats_in(group: &Group, node: usize, number: u64) -> Value {
    adopted(group, node, number)["seats"].clone()
}

#[test]
fn nodes_of_several_seats_refresh_get_more_or_fewer_of_them_and_none_under_one_address() {
    let group = Group::of_seats("seat-changes", &[3, 1, 1], 2);
    let (addresses, all) = (address(&group, 0), [0, 1, 2]);
    signs(&group, &[0], "before");
    refresh(&group, &all, 1);
    assert_eq!(seats_in(&group, 0, 1), json!([0, 1, 2]));
    signs(&group, &[0], "with fresh shares of three seats");

    // A card with another number of seats is in no refresh.
    let card = group.path("card-of-one");
    let made = group.tell(0, &["change", "card", "--seats", "1", "--out", &card]).well();
    assert!(made.contains("it is for one plan"), "{made}");
    let of_two = group.path("card-of-two");
    let made = group.tell(1, &["change", "card", "--seats", "2", "--out", &of_two]).well();
    assert!(made.contains("it has 2 seats"), "{made}");
    let other = group.path("card-of-other");
    group.tell(2, &["change", "card", "--out", &other]).well();
    let (out, cards) = (group.path("no-plan"), [&*card, &*of_two, &*other]);
    let words = [&["change", "refresh", "--group", "local", "--out", &out], &cards[..]].concat();
    let refused = group.tell(0, &words);
    assert!(refused.err.contains("node-0 holds 3 seats, and its card has 1"), "{refused:?}");

    // From 3 seats to 1, and from 1 to 3.
    let ((file, fingerprint), shown) = seat_plan(&group, &[(0, Some(1)), (1, Some(3)), (2, None)]);
    assert!(shown.contains("node-0 (3 seats now, 1 after it, stays, has not accepted)"), "{shown}");
    assert!(shown.contains("node-1 (1 seat now, 3 after it, stays, has not accepted)"), "{shown}");
    assert!(shown.contains("any 2 of the new seats can sign"), "{shown}");
    assert!(
        shown.contains("Alone         node-1 signs without the others: it has 3 seats"),
        "{shown}"
    );
    decide(&group, &(file, fingerprint), &all, &all);
    for (node, seats) in [(0, json!([0])), (1, json!([1, 2, 3])), (2, json!([4]))] {
        assert_eq!(seats_in(&group, node, 2), seats);
    }
    let shown = shown_change(&group, 2, 2);
    assert!(shown.contains("node-0 (3 seats now, 1 after it, stays, has accepted)"), "{shown}");
    // The identity keys of the further seats are there after a restart as well.
    group.stop(1);
    group.restart(1, &[]);
    signs(&group, &[1], "with three seats that were one");
    for node in all {
        erase(&group, node, &["--single-copy"]).well();
        assert_eq!(epochs(&group, node)["held"], json!([]));
    }
    // What a node of three seats has erased is counted for each of them.
    let counted = until("all have said so", || {
        let shown = epochs(&group, 2);
        let erased = shown["lower"].as_array().unwrap().iter().all(|one| one["erased"] == 5);
        erased.then_some(shown)
    });
    assert_eq!(counted["lower"].as_array().unwrap().len(), 2, "{counted}");

    // From 3 seats to none: they neither approve nor deal.
    let removal = plan(&group, &["remove", "--member", "node-1"], &[0, 2]);
    decide(&group, &removal, &[0, 2], &[0, 2]);
    for (node, seats) in [(0, json!([0])), (2, json!([1]))] {
        assert_eq!(seats_in(&group, node, 3), seats);
    }
    let shown = shown_change(&group, 0, 3);
    assert!(shown.contains("Leaving       node-1 (3 seats) (does not deal)"), "{shown}");
    signs(&group, &[0, 2], "without the one that had three seats");
    assert_eq!(current(&group, 1, 3)["holding"], Value::Null);
    for node in [0, 2] {
        assert_eq!(address(&group, node), addresses);
    }
}
