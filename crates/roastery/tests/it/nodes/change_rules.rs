//! `[policy.change]`: what a node decides about plans by itself, and what it refuses.

use std::{fs, os::unix::fs::PermissionsExt as _};

use bitcoin::hex::DisplayHex as _;
use roastery_protocol::{
    group::{self, Member},
    keys::HostKey,
};
use roastery_service::files::PlanFile;
use roastery_testkit::forge::SigningKeyOf;
use serde_json::Value;

use crate::nodes::{
    changes::{adopted, decide, join, plan},
    epochs::{epochs, erase},
    support::{Group, free_ports, until},
};

fn set(group: &Group, node: usize, lines: &str) {
    group.stop(node);
    group.edit(node, "[policy.change]\n", &format!("[policy.change]\n{lines}\n"));
    group.restart(node, &[]);
}

fn change(group: &Group, node: usize) -> Value {
    group.tell(node, &["change", "status", "--json"]).json()[0].clone()
}

fn acts(group: &Group, node: usize) -> String {
    group.tell(node, &["change", "log"]).well()
}

#[test]
fn a_node_that_stays_accepts_by_itself_once_enough_have_approved_and_that_erases_nothing() {
    let group = Group::start("accepts-by-itself", 3, 2);
    set(&group, 2, "accept = \"automatic\"");
    let plan = plan(&group, &["refresh"], &[0, 1, 2]);
    group.tell(2, &["change", "propose", &plan.0]).well();
    // One approval is not enough.
    decide(&group, &plan, &[0], &[0]);
    until("one approval is known there", || {
        (change(&group, 2)["old_members"][0]["approved"] == true).then_some(())
    });
    assert_eq!(change(&group, 2)["members"][2]["accepted"], false);
    decide(&group, &plan, &[1], &[1]);
    adopted(&group, 2, 1);
    let log = acts(&group, 2);
    assert!(log.contains("accepted_by_rule"), "{log}");
    assert!(!log.contains("approved"), "{log}");
    // Its person has said nothing: nothing is erased before that.
    let shown = epochs(&group, 2);
    assert_eq!(shown["decided"], Value::Null);
    let refused = erase(&group, 2, &["--single-copy", "--wait", "1"]);
    assert!(refused.out.contains("no person has approved"), "{refused:?}");
    // So it is after a restart.
    group.tell(2, &["change", "erase", "--group", "local", "--cancel"]).well();
    group.kill(2);
    group.restart(2, &[]);
    assert_eq!(epochs(&group, 2)["decided"], Value::Null);
    let words = shown["fingerprint"].as_str().unwrap();
    group.tell(2, &["group", "acknowledge", "1", words, "--group", "local"]).well();
    erase(&group, 2, &["--single-copy"]).well();
}

#[test]
fn what_a_rule_has_accepted_is_the_persons_word_once_the_person_has_accepted_as_well() {
    let group = Group::start("accepts-as-well", 3, 2);
    set(&group, 0, "accept = \"automatic\"");
    let plan = plan(&group, &["refresh"], &[0, 1, 2]);
    group.tell(0, &["change", "propose", &plan.0]).well();
    decide(&group, &plan, &[1, 2], &[1]);
    until("it has accepted by itself", || {
        (change(&group, 0)["members"][0]["accepted"] == true).then_some(())
    });
    assert!(acts(&group, 0).contains("accepted_by_rule"));
    group.tell(0, &["change", "accept", "--fingerprint", &plan.1]).well();
    group.tell(2, &["change", "accept", "--fingerprint", &plan.1]).well();
    adopted(&group, 0, 1);
    assert_eq!(epochs(&group, 0)["decided"], "accepted");
}

#[test]
fn a_node_accepts_nothing_by_itself_against_its_other_rules() {
    let group = Group::start("accepts-by-rules", 4, 2);
    set(&group, 0, "accept = \"automatic\"\nmost_leaving = 0");
    let of = ["remove", "--member", "node-3"];
    let plan = plan(&group, &of, &[0, 1, 2]);
    group.tell(0, &["change", "propose", &plan.0]).well();
    decide(&group, &plan, &[1, 2], &[1, 2]);
    until("enough have approved", || {
        let own = change(&group, 0);
        let approved =
            own["old_members"].as_array()?.iter().filter(|one| one["approved"] == true).count();
        (approved == 2).then_some(())
    });
    let refused = group.tell(0, &["change", "approve", "--fingerprint", &plan.1]);
    assert!(refused.err.contains("most_leaving"), "{refused:?}");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(change(&group, 0)["members"][0]["accepted"], false);
}

/// This plan file with another roster: seat 2 has the identity key of the last new member, with the
/// peer of before. The plan is the same.
fn with_a_roster_of_which_who_joins_is(plan: &str) -> String {
    let text = fs::read_to_string(plan).unwrap();
    let file = PlanFile::parse(&text).unwrap();
    let (parent, joins) = (file.parent(), file.plan().members().last().unwrap());
    let (host, mut members) = (HostKey::new(SigningKeyOf(110).at(0)), parent.members().to_vec());
    let (identity_key, peer) = (joins.identity_key, members[2].peer.clone());
    let (host_key, binding) = (host.public_key(), host.bind(&identity_key, &peer, 0));
    members[2] = Member { host_key, identity_key, peer, sequence: 0, binding };
    let (keys, chain_code) = (parent.keys().as_ref().clone(), *parent.chain_code());
    let other = group::Group::in_epoch(*parent.epoch(), keys, chain_code, members).unwrap();
    let digits = |group: &group::Group| group.encode().to_lower_hex_string();
    text.replace(&digits(parent), &digits(&other))
}

#[test]
fn a_node_that_joins_accepts_nothing_by_itself_whatever_roster_a_plan_file_has() {
    let group = Group::start("joins-by-hand", 3, 2);
    join(&group, 3, free_ports(1));
    set(&group, 3, "accept = \"automatic\"");
    let plan = plan(&group, &["add"], &[0, 1, 2, 3]);
    let other = group.path("other-roster");
    fs::write(&other, with_a_roster_of_which_who_joins_is(&plan.0)).unwrap();
    group.tell(3, &["change", "propose", &other]).well();
    assert_eq!(change(&group, 3)["members"][3]["stays"], true);
    decide(&group, &plan, &[0, 1], &[0, 1, 2]);
    until("enough have approved", || {
        let own = change(&group, 3);
        let approved = |one: &&Value| one["approved"] == true;
        (own["old_members"].as_array()?.iter().filter(approved).count() == 2).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(change(&group, 3)["members"][3]["accepted"], false);
}

#[test]
fn what_a_person_has_withdrawn_no_rule_accepts() {
    let group = Group::start("withdrawn-no-rule", 3, 2);
    set(&group, 2, "accept = \"automatic\"");
    let plan = plan(&group, &["refresh"], &[0, 1, 2]);
    group.tell(2, &["change", "propose", &plan.0]).well();
    group.tell(2, &["change", "withdraw"]).well();
    decide(&group, &plan, &[0, 1], &[0, 1]);
    until("enough have approved", || {
        let own = change(&group, 2);
        let approved = |one: &&Value| one["approved"] == true;
        (own["old_members"].as_array()?.iter().filter(approved).count() == 2).then_some(())
    });
    group.tell(2, &["change", "accept", "--fingerprint", &plan.1]).well();
    adopted(&group, 2, 1);
    let log = acts(&group, 2);
    assert!(log.contains("accepted") && !log.contains("accepted_by_rule"), "{log}");
}

/// A program at a node that says this of a plan.
fn program(group: &Group, node: usize, script: &str) {
    let path = group.node(node).join("approve-plan");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_command_approves_a_plan_and_a_refusal_leaves_it_to_the_person() {
    let group = Group::start("approves-by-command", 2, 2);
    // It looks at who leaves, and notes what it was asked about.
    program(&group, 1, "cat > asked.json; grep -q '\"stays\":false' asked.json && exit 1; exit 0");
    set(&group, 1, "approval = \"command\"\ncommand = [\"./approve-plan\"]");
    let refresh = plan(&group, &["refresh"], &[0, 1]);
    (0..2).for_each(|node| drop(group.tell(node, &["change", "propose", &refresh.0]).well()));
    until("the command has approved", || {
        (change(&group, 0)["old_members"][1]["approved"] == true).then_some(())
    });
    let asked = fs::read_to_string(group.node(1).join("asked.json")).unwrap();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["fingerprint"], refresh.1.as_str());
    assert!(acts(&group, 1).contains("approved_by_command"));
    assert_eq!(change(&group, 1)["members"][1]["accepted"], false);
    for node in 0..2 {
        group.tell(node, &["change", "accept", "--fingerprint", &refresh.1]).well();
    }
    group.tell(0, &["change", "approve", "--fingerprint", &refresh.1]).well();
    adopted(&group, 1, 1);
    assert_eq!(epochs(&group, 1)["decided"], "accepted");
    // One that it refuses waits for the person.
    let threshold = plan(&group, &["threshold", "--threshold", "2"], &[0, 1]);
    program(&group, 1, "touch refused; echo not today; exit 1");
    (0..2).for_each(|node| drop(group.tell(node, &["change", "propose", &threshold.0]).well()));
    let all = group.tell(1, &["change", "status", "--json"]).json();
    let waits = all.as_array().unwrap().iter().find(|one| one["epoch"] == 2).unwrap().clone();
    until("the command has refused", || group.node(1).join("refused").exists().then_some(()));
    let all = group.tell(0, &["change", "status", "--json"]).json();
    let own = all.as_array().unwrap().iter().find(|one| one["epoch"] == 2).unwrap().clone();
    assert_eq!(own["old_members"][1]["approved"], false);
    let id = waits["plan"].as_str().unwrap();
    group.tell(1, &["change", "approve", id, "--fingerprint", &threshold.1]).well();
}

#[test]
fn each_rule_of_a_node_refuses_a_plan_by_its_own_name() {
    let group = Group::start("each-rule", 3, 2);
    let of = ["remove", "--member", "node-2"];
    let removal = plan(&group, &of, &[0, 1]);
    group.tell(0, &["change", "propose", &removal.0]).well();
    for (rule, lines) in [
        ("least_members", "least_members = 3"),
        ("least_margin", "least_margin = 1"),
        ("most_leaving", "most_leaving = 0"),
    ] {
        set(&group, 0, lines);
        for what in ["approve", "accept"] {
            let refused = group.tell(0, &["change", what, "--fingerprint", &removal.1]);
            assert!(refused.err.contains(rule), "{rule} {refused:?}");
        }
        group.stop(0);
        group.edit(0, &format!("{lines}\n"), "");
        group.restart(0, &[]);
    }
}

#[test]
fn a_node_deals_only_once_as_many_have_approved_as_its_rules_say() {
    let group = Group::start("more-approvals", 3, 2);
    set(&group, 0, "least_approvals = 3");
    set(&group, 1, "least_approvals = 3");
    let refresh = plan(&group, &["refresh"], &[0, 1, 2]);
    decide(&group, &refresh, &[0, 1], &[0, 1, 2]);
    until("two have approved", || {
        let own = change(&group, 0);
        let approved =
            own["old_members"].as_array()?.iter().filter(|one| one["approved"] == true).count();
        (own["approvals"] == 3 && approved == 2).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!acts(&group, 0).contains("dealt"), "{}", acts(&group, 0));
    group.tell(2, &["change", "approve", "--fingerprint", &refresh.1]).well();
    adopted(&group, 0, 1);
    assert!(acts(&group, 0).contains("dealt"));
}

#[test]
fn a_lower_threshold_is_refused_unless_the_node_says_otherwise() {
    let group = Group::start("lower-threshold", 3, 3);
    let lower = plan(&group, &["threshold", "--threshold", "2"], &[0, 1, 2]);
    group.tell(0, &["change", "propose", &lower.0]).well();
    let refused = group.tell(0, &["change", "approve", "--fingerprint", &lower.1]);
    assert!(refused.err.contains("allow_lower_threshold"), "{refused:?}");
    set(&group, 0, "allow_lower_threshold = true");
    group.tell(0, &["change", "approve", "--fingerprint", &lower.1]).well();
}
