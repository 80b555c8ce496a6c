//! Changes of a group between processes: fresh shares, other members, and the same key.

use std::{fs, path::Path};

use serde_json::Value;

use crate::nodes::{
    epochs::erase,
    support::{Group, free_ports, roastery, until},
};

/// The plan file that these nodes make of fresh cards, and its fingerprint.
pub(crate) fn plan(group: &Group, of: &[&str], nodes: &[usize]) -> (String, String) {
    let nodes: Vec<(usize, Option<u16>)> = nodes.iter().map(|node| (*node, None)).collect();
    plan_of_seats(group, of, &nodes)
}

/// The same, of nodes with so many seats each.
pub(crate) fn plan_of_seats(
    group: &Group,
    of: &[&str],
    nodes: &[(usize, Option<u16>)],
) -> (String, String) {
    let name = format!("plan-{}", of.join("-"));
    let out = group.path(&name);
    let cards: Vec<String> = nodes
        .iter()
        .map(|(node, seats)| {
            let card = group.path(&format!("{name}-card-{node}"));
            let seats = seats.map(|seats| seats.to_string());
            let seats = seats.as_deref().map_or(Vec::new(), |seats| vec!["--seats", seats]);
            group.tell(*node, &[&["change", "card", "--out", &card], &seats[..]].concat()).well();
            card
        })
        .collect();
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    let words = [&["change"], of, &["--group", "local", "--out", &out], &cards[..]].concat();
    let said = group.tell(nodes[0].0, &words).well();
    let fingerprint = said.lines().find_map(|line| line.strip_prefix("Fingerprint   ")).unwrap();
    (out, fingerprint.to_owned())
}

fn change(group: &Group, node: usize) -> Value {
    group.tell(node, &["change", "status", "--json"]).json()[0].clone()
}

/// All of these take the plan up and decide: members of the group approve, members to come accept.
pub(crate) fn decide(
    group: &Group,
    (plan, fingerprint): &(String, String),
    old: &[usize],
    new: &[usize],
) {
    let all: std::collections::BTreeSet<usize> = old.iter().chain(new).copied().collect();
    for node in &all {
        group.tell(*node, &["change", "propose", plan]).well();
    }
    for (nodes, what) in [(old, "approve"), (new, "accept")] {
        for node in nodes {
            group.tell(*node, &["change", what, "--fingerprint", fingerprint]).well();
        }
    }
}

/// The newest epoch of the group at a node.
pub(crate) fn epoch(group: &Group, node: usize) -> Value {
    let groups = group.status(node)["groups"].as_array().unwrap().clone();
    groups.into_iter().max_by_key(|group| group["epoch"].as_u64()).unwrap()
}

pub(crate) fn adopted(group: &Group, node: usize, number: u64) -> Value {
    until("the new epoch runs", || {
        let groups = group.status(node)["groups"].as_array().unwrap().clone();
        groups.into_iter().find(|group| group["epoch"] == number)
    })
}

pub(crate) fn address(group: &Group, node: usize) -> String {
    let file = group.path(&format!("group-of-{node}"));
    let _ = fs::remove_file(&file);
    group.tell(node, &["group", "export", "local", "--group-file", &file]).well();
    group.tell(node, &["wallet", "--group", &file]).well()
}

/// A text that these nodes sign together.
pub(crate) fn signs(group: &Group, nodes: &[usize], text: &str) -> Value {
    let session = group.propose(nodes[0], text);
    for node in &nodes[1..] {
        group.approve(*node, &session);
    }
    group.request_in(nodes[0], &session, "signed")
}

#[test]
fn three_nodes_refresh_their_shares_and_sign_under_the_same_key_also_after_a_restart() {
    let group = Group::start("refresh", 3, 2);
    let (before, addresses) = (epoch(&group, 0), address(&group, 0));
    let old = group.path("group-before");
    group.tell(0, &["group", "export", "local", "--group-file", &old]).well();
    let plan = plan(&group, &["refresh"], &[0, 1, 2]);
    group.tell(0, &["change", "propose", &plan.0]).well();
    // Another fingerprint is not the one of the plan, and nothing is decided by it.
    let wrong = ["change", "approve", "--fingerprint", "0000 0000 0000 0000 0000 0000 0000 0000"];
    assert_eq!(group.tell(0, &wrong).status, 2);
    assert_eq!(change(&group, 0)["old_members"][0]["approved"], false);
    decide(&group, &plan, &[0, 1], &[0, 1]);
    assert_eq!(change(&group, 1)["state"], "waiting");
    // What was decided before a crash is decided after it.
    group.kill(1);
    group.restart(1, &[]);
    decide(&group, &plan, &[], &[2]);
    for node in 0..3 {
        let after = adopted(&group, node, 1);
        assert_eq!(after["key"], before["key"]);
        assert_eq!(after["key_id"], before["key_id"]);
        assert_ne!(after["id"], before["id"]);
        assert_eq!(after["name"], "local");
        assert_eq!(change(&group, node)["state"], "done");
    }
    assert_eq!(address(&group, 2), addresses);
    // The group file from before the change verifies what the new shares sign.
    let text = "in the new epoch";
    let signed = signs(&group, &[0, 1], text);
    let session = signed["session"].as_str().unwrap();
    assert_eq!(group.log(1, session)[0]["group"], adopted(&group, 1, 1)["id"]);
    let signature = signed["signatures"][0].as_str().unwrap();
    roastery(&["verify", "--group", &old, "--text", text, "--signature", signature], &[]).well();
    for node in 0..3 {
        group.kill(node);
        group.restart(node, &[]);
    }
    signs(&group, &[2, 1], "in the new epoch, after a restart");
    assert_eq!(change(&group, 1)["state"], "done");
}

/// A node of a member that joins: it has a folder among those of the group, and runs.
pub(crate) fn join(group: &Group, node: usize, port: u16) {
    let (folder, name) = (group.node(node), format!("node-{node}"));
    fs::create_dir_all(&folder).unwrap();
    let words = folder.join("passphrase");
    fs::write(&words, "passphrase of a joiner").unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let at = ["--listen", &address, "--announce", &address];
    let words = ["--passphrase-file", words.to_str().unwrap()];
    group.tell(node, &[&["init", "--name", &name], &at[..], &words[..]].concat()).well();
    group.restart(node, &[]);
}

#[test]
fn a_member_is_removed_without_its_help_and_two_join_with_a_higher_threshold() {
    let group = Group::start("removal", 3, 2);
    let (before, addresses) = (epoch(&group, 0), address(&group, 0));
    let port = free_ports(2);
    join(&group, 3, port);
    join(&group, 4, port + 1);
    let of = ["remove", "--member", "node-2", "--threshold", "3"];
    let plan = plan(&group, &of, &[0, 1, 3, 4]);
    decide(&group, &plan, &[0, 1], &[0, 1, 3, 4]);
    for node in [0, 1, 3, 4] {
        let after = adopted(&group, node, 1);
        // Who joins names the group: the name in a plan file is under no fingerprint.
        let name = if node < 3 { &before["name"] } else { &after["id"] };
        assert_eq!((&after["key"], &after["name"]), (&before["key"], name));
        assert_eq!(after["members"].as_array().unwrap().len(), 4);
    }
    let id = epoch(&group, 4)["id"].as_str().unwrap().to_owned();
    group.tell(4, &["group", "rename", &id, "local"]).well();
    group.stop(4);
    group.restart(4, &[]);
    assert_eq!(address(&group, 4), addresses);
    signs(&group, &[4, 3, 0], "with those that joined");
    // It has its old group, and no other.
    assert_eq!(epoch(&group, 2)["epoch"], 0);
    let shown = group.tell(0, &["change", "show"]).well();
    assert!(shown.contains("Leaving       node-2 (does not deal)"), "{shown}");
    assert!(shown.contains("Threshold     2 of 3 now, 3 of 4 after it"), "{shown}");
    // A plan of the epoch before is none of this one.
    let refused = group.tell(0, &["change", "approve", "--fingerprint", &plan.1]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("this node is in epoch 1"), "{refused:?}");
}

#[test]
fn a_plan_against_a_nodes_rules_is_not_decided_for_there_and_an_approval_can_be_taken_back() {
    let group = Group::start("rules", 2, 2);
    group.stop(1);
    group.edit(1, "[policy.change]\n", "[policy.change]\nleast_margin = 1\n");
    group.restart(1, &[]);
    let plan = plan(&group, &["refresh"], &[0, 1]);
    decide(&group, &plan, &[0], &[0]);
    group.tell(1, &["change", "propose", &plan.0]).well();
    for what in ["approve", "accept"] {
        let refused = group.tell(1, &["change", what, "--fingerprint", &plan.1]);
        assert_eq!(refused.status, 2);
        assert!(refused.err.contains("least_margin"), "{refused:?}");
    }
    assert_eq!(change(&group, 0)["old_members"][0]["approved"], true);
    group.tell(0, &["change", "withdraw"]).well();
    assert_eq!(change(&group, 0)["old_members"][0]["approved"], false);
    // For good, also after a restart.
    group.kill(0);
    group.restart(0, &[]);
    let again = group.tell(0, &["change", "approve", "--fingerprint", &plan.1]);
    assert!(again.status == 2 && again.err.contains("taken back here"), "{again:?}");
    let of_others = ["change", "refresh", "--group", "local", "--out", &group.path("other")];
    let card = group.path("plan-refresh-card-0");
    let refused = group.tell(0, &[&of_others[..], &[&card]].concat());
    assert!(refused.err.contains("there is no card of node-1"), "{refused:?}");
}

/// Moves the key files of a node's store out of its reach, or back.
fn move_epoch_keys(group: &Group, node: usize, away: bool) {
    let there = group.node(node).join("node.store.epochs");
    let elsewhere = group.node(node).join("moved.epochs");
    let (from, to) = if away { (there, elsewhere) } else { (elsewhere, there) };
    fs::rename(from, to).unwrap();
}

#[test]
fn a_new_epoch_that_could_not_be_stored_is_adopted_and_runs_from_the_next_start_on() {
    let group = Group::start("adopted-late", 2, 2);
    let plan = plan(&group, &["refresh"], &[0, 1]);
    decide(&group, &plan, &[1], &[1]);
    move_epoch_keys(&group, 1, true);
    decide(&group, &plan, &[0], &[0]);
    adopted(&group, 0, 1);
    until("the failure is shown", || (change(&group, 1)["state"] == "failed").then_some(()));
    move_epoch_keys(&group, 1, false);
    group.kill_if_it_runs(1);
    group.restart(1, &[]);
    assert_eq!(epoch(&group, 1)["epoch"], 1);
    signs(&group, &[0, 1], "after the late adoption");
}

#[test]
fn a_plan_that_a_start_could_not_open_is_taken_up_again_with_all_that_was_decided() {
    let group = Group::start("taken-up-again", 2, 2);
    join(&group, 2, free_ports(1));
    let plan = plan(&group, &["add"], &[0, 1, 2]);
    decide(&group, &plan, &[], &[2]);
    group.kill(2);
    move_epoch_keys(&group, 2, true);
    group.restart(2, &[]);
    assert_eq!(change(&group, 2), Value::Null);
    move_epoch_keys(&group, 2, false);
    group.tell(2, &["change", "propose", &plan.0]).well();
    assert_eq!(change(&group, 2)["members"][2]["accepted"], true);
}

#[test]
fn a_plan_that_a_node_refuses_uses_up_no_card_there() {
    let group = Group::start("refused-plan", 2, 2);
    let (folder, before) = (group.node(1), group.path("store-before"));
    let store = |from: &Path, to: &Path| {
        fs::create_dir_all(to.join("node.store.epochs")).unwrap();
        fs::copy(from.join("node.store"), to.join("node.store")).unwrap();
        for file in fs::read_dir(from.join("node.store.epochs")).unwrap() {
            let file = file.unwrap();
            let into = to.join("node.store.epochs").join(file.file_name());
            fs::copy(file.path(), into).unwrap();
        }
    };
    group.stop(1);
    store(&folder, before.as_ref());
    group.restart(1, &[]);
    let first = plan(&group, &["refresh"], &[0, 1]);
    group.stop(1);
    store(before.as_ref(), &folder);
    group.restart(1, &[]);
    let refused = group.tell(1, &["change", "propose", &first.0]);
    assert!(refused.err.contains("was not made here"), "{refused:?}");
    let card = group.path("fresh-card");
    group.tell(1, &["change", "card", "--out", &card]).well();
    let (kept, second) = (group.path("plan-refresh-card-0"), group.path("second-plan"));
    let refresh = ["change", "refresh", "--group", "local", "--out", &second, &kept, &card];
    group.tell(0, &refresh).well();
    group.tell(1, &["change", "propose", &second]).well();
}

#[test]
fn the_name_in_a_plan_file_chooses_no_policy_and_a_group_that_was_joined_waits_for_the_operator() {
    let group = Group::start("joined-by-plan", 2, 2);
    join(&group, 2, free_ports(1));
    group.stop(2);
    let automatic = "[group.treasury.policy]\napproval = \"automatic\"\nmost_per_hour = 5\n";
    group.edit(
        2,
        "[policy]\n",
        &format!("{automatic}[policy]\napproval = \"automatic\"\nmost_per_hour = 5\n"),
    );
    group.restart(2, &[]);
    let plan = plan(&group, &["add"], &[0, 1, 2]);
    let text = fs::read_to_string(&plan.0).unwrap();
    let named = |name: &str| {
        let file = group.path("plan-with-another-name");
        fs::write(&file, text.replacen("\"local\"", &format!("{name:?}"), 1)).unwrap();
        group.tell(2, &["change", "propose", &file])
    };
    let refused = named(&"ab".repeat(32));
    assert!(refused.status == 2 && refused.err.contains("64 hexadecimal digits"), "{refused:?}");
    // It is told what it must do: the name is another group's, or none here.
    assert!(named("treasury").well().contains("roastery group rename ID NAME"));
    decide(&group, &plan, &[0, 1], &[0, 1]);
    group.tell(2, &["change", "accept", "--fingerprint", &plan.1]).well();
    let joined = adopted(&group, 2, 1);
    assert_eq!(joined["name"], joined["id"]);
    assert_eq!(joined["policy"]["approval"], "manual");
    assert_eq!(adopted(&group, 0, 1)["name"], "local");
    // Named by its operator it has that section.
    group.tell(2, &["group", "rename", joined["id"].as_str().unwrap(), "treasury"]).well();
    group.stop(2);
    group.restart(2, &[]);
    assert_eq!(epoch(&group, 2)["policy"]["section"], "[group.treasury.policy]");
}

#[test]
fn a_plan_that_calls_a_member_otherwise_or_like_another_one_is_refused_and_changes_no_name() {
    let group = Group::start("plan-names", 3, 2);
    join(&group, 3, free_ports(1));
    let rename = |node: usize, name: &str| {
        group.stop(node);
        let name = format!("name = {name:?}");
        group.edit(node, &format!("name = \"node-{node}\""), &name);
        group.restart(node, &[]);
    };
    rename(3, "node-2");
    let leaver = plan(&group, &["remove", "--member", "node-2"], &[0, 1, 3]);
    let refused = group.tell(0, &["change", "propose", &leaver.0]);
    assert!(refused.err.contains("another member of the group is called so"), "{refused:?}");
    rename(1, "node-9");
    let renamed = plan(&group, &["refresh"], &[0, 1, 2]);
    let refused = group.tell(0, &["change", "propose", &renamed.0]);
    assert!(refused.err.contains("is called \"node-1\" here"), "{refused:?}");
    assert_eq!(epoch(&group, 0)["members"][1]["name"], "node-1");
}

#[test]
fn what_another_group_calls_a_member_refuses_no_plan_and_allows_none() {
    let group = Group::start("names-elsewhere", 3, 2);
    let rename = |from: &str, to: &str| {
        group.stop(1);
        group.edit(1, &format!("name = {from:?}"), &format!("name = {to:?}"));
        group.restart(1, &[]);
    };
    // Node 1 takes the name of node 2 in an invitation to another group, which node 0 joins.
    let take_name = |another: &str| {
        rename("node-1", "node-2");
        let cards = [0, 1].map(|node| {
            let card = group.path(&format!("card-for-{another}-{node}"));
            fs::write(&card, group.tell(node, &["card"]).well()).unwrap();
            card
        });
        let invitation = group.path(another);
        let new = ["group", "new", "--name", another, "--threshold", "2", "--out", &invitation];
        roastery(&[&new[..], &[&cards[0], &cards[1]]].concat(), &[]).well();
        group.tell(0, &["group", "join", &invitation]).well();
    };
    take_name("another");
    rename("node-2", "node-9");
    let renamed = plan(&group, &["threshold", "--threshold", "3"], &[0, 1, 2]);
    let refused = group.tell(0, &["change", "propose", &renamed.0]);
    assert!(refused.err.contains("is called \"node-1\" here"), "{refused:?}");
    rename("node-9", "node-1");
    let good = plan(&group, &["refresh"], &[0, 1, 2]);
    group.tell(0, &["change", "propose", &good.0]).well();
    for (seat, name) in [(0, "node-0"), (1, "node-1"), (2, "node-2")] {
        assert_eq!(change(&group, 0)["old_members"][seat]["name"], name);
    }
    // Nor does it say which member is not waited for when shares are erased.
    decide(&group, &good, &[0, 1, 2], &[0, 1, 2]);
    for node in 0..3 {
        adopted(&group, node, 1);
    }
    take_name("one-more");
    rename("node-2", "node-1");
    group.stop(2);
    erase(&group, 0, &["--single-copy", "--without", "node-2"]).well();
}

#[test]
fn a_bar_holds_in_all_epochs_of_a_key_also_in_those_that_come_after_it() {
    let group = Group::start("barred-epochs", 3, 2);
    let bar = |member| group.tell(0, &["group", "bar", member, "--group", "local", "--yes"]).well();
    let barred = |number: u64| -> Vec<Value> {
        let all = adopted(&group, 0, number)["members"].as_array().unwrap().clone();
        let barred = all.into_iter().filter(|member| !member["barred_since"].is_null());
        barred.map(|member| member["name"].clone()).collect()
    };
    bar("node-2");
    let plan = plan(&group, &["refresh"], &[0, 1, 2]);
    decide(&group, &plan, &[0, 1], &[0, 1, 2]);
    assert_eq!(barred(1), ["node-2"]);
    // The newest epoch is meant by the name, and the one before it goes on.
    bar("node-1");
    for _ in 0..2 {
        assert_eq!((barred(0), barred(1)), (barred(1), vec!["node-1".into(), "node-2".into()]));
        group.stop(0);
        group.restart(0, &[]);
    }
}

/// The state of the plan with this number at a node.
fn state(group: &Group, node: usize, number: u64) -> Value {
    let changes = group.tell(node, &["change", "status", "--json"]).json();
    let all = changes.as_array().unwrap();
    all.iter()
        .find(|one| one["number"] == number)
        .map(|one| one["state"].clone())
        .unwrap_or_default()
}

/// A plan of fresh shares with this number, of fresh cards, and its id.
fn numbered(group: &Group, nodes: &[usize], number: u32) -> (String, String, String) {
    let name = format!("numbered-{number}");
    let (out, number) = (group.path(&name), number.to_string());
    let cards = nodes.iter().map(|node| {
        let card = group.path(&format!("{name}-card-{node}"));
        group.tell(*node, &["change", "card", "--out", &card]).well();
        card
    });
    let cards: Vec<String> = cards.collect();
    let words = ["change", "refresh", "--number", &number, "--group", "local", "--out", &out];
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    let said = group.tell(nodes[0], &[&words[..], &cards].concat()).well();
    let fingerprint = said.lines().find_map(|line| line.strip_prefix("Fingerprint   ")).unwrap();
    let id = group.tell(nodes[0], &["change", "propose", &out]).well();
    let id = id.split("plan ").nth(1).unwrap()[..8].to_owned();
    (out, fingerprint.to_owned(), id)
}

#[test]
fn numbers_count_when_a_plan_is_taken_up_and_an_expired_one_is_not_taken_up_again() {
    let group = Group::start("numbers", 2, 2);
    let (_, fingerprint, id) = numbered(&group, &[0, 1], 5);
    group.tell(0, &["change", "approve", &id, "--fingerprint", &fingerprint]).well();
    let (lower, ..) = numbered(&group, &[1, 0], 3);
    let refused = group.tell(0, &["change", "propose", &lower]);
    assert!(refused.err.contains("number 5 was approved here"), "{refused:?}");
    // A clock that was set back makes a plan no younger that has expired.
    let (late, _, late_id) = numbered(&group, &[1, 0], 7);
    group.stop(1);
    let words = fs::read_to_string(group.node(1).join("passphrase")).unwrap();
    let words = roastery_store::Passphrase::new(words.trim().to_owned());
    let store = roastery_store::Store::open(group.node(1).join("node.store"), &words).unwrap();
    let plans = store.plans().unwrap();
    let plan = &plans.iter().find(|kept| kept.plan.number() == 7).unwrap().plan;
    let expired = roastery_protocol::change::machine::Record::Expired;
    store.keep_plan_record(plan, &expired, None, 0).unwrap();
    drop(store);
    group.restart(1, &[]);
    assert_eq!(state(&group, 1, 7), "expired", "{late_id}");
    let refused = group.tell(1, &["change", "propose", &late]);
    assert!(refused.err.contains("has expired here"), "{refused:?}");
}

#[test]
fn what_was_dealt_cannot_be_taken_back_and_a_restart_shows_no_earlier_state() {
    let group = Group::start("dealt", 3, 2);
    let plan = plan(&group, &["refresh"], &[0, 1, 2]);
    decide(&group, &plan, &[], &[0, 1, 2]);
    until("all acceptances are known", || {
        let change = change(&group, 0);
        let members = change["members"].as_array().unwrap().clone();
        members.iter().all(|one| one["accepted"] == true).then_some(())
    });
    // Without it there is no certificate.
    group.kill(2);
    for node in [0, 1] {
        group.tell(node, &["change", "approve", "--fingerprint", &plan.1]).well();
    }
    until("it has signed", || (change(&group, 0)["state"] == "signed").then_some(()));
    let refused = group.tell(0, &["change", "withdraw"]);
    assert!(refused.err.contains("comes too late: this node has dealt"), "{refused:?}");
    group.kill(0);
    group.restart(0, &[]);
    for _ in 0..10 {
        assert_eq!(change(&group, 0)["state"], "signed");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    group.restart(2, &[]);
    adopted(&group, 0, 1);
    let refused = group.tell(0, &["change", "withdraw"]);
    assert!(refused.err.contains("the change is over"), "{refused:?}");
    // The next plan comes too soon for a node that says so.
    group.stop(1);
    group.edit(1, "[policy.change]\n", "[policy.change]\nleast_days_between = 1\n");
    group.restart(1, &[]);
    let (_, fingerprint, id) = numbered(&group, &[1, 0, 2], 0);
    let refused = group.tell(1, &["change", "approve", &id, "--fingerprint", &fingerprint]);
    assert!(refused.err.contains("least_days_between"), "{refused:?}");
}
