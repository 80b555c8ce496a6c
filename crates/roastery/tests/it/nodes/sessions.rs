//! Signing, with nodes that are killed, stopped and started in between.

use std::collections::BTreeSet;

use serde_json::json;

use crate::nodes::support::{Group, until};

#[test]
fn a_node_that_is_killed_in_mid_session_is_not_needed_and_signs_the_next_request_when_it_is_back() {
    let group = Group::start("killed", 5, 3);
    let session = group.propose(0, "in mid session");
    group.approve(1, &session);
    group.kill(1);
    group.approve(2, &session);
    // Its share may have left before: then the request is signed without this approval.
    group.request(3, &session);
    group.tell(3, &["approve", &session, "--yes", "--wait", "0"]);
    for node in [0, 2, 3] {
        group.request_in(node, &session, "signed");
    }

    // It was killed after its approval: it resumes the session, and gets the outcome from the
    // others.
    group.restart(1, &[]);
    let late = group.request_in(1, &session, "signed");
    assert_eq!(late["signatures"], group.request(0, &session)["signatures"]);

    // Now every remaining node is needed.
    group.stop(3);
    group.stop(4);
    let next = group.propose(0, "the next one");
    group.approve(1, &next);
    group.approve(2, &next);
    let signed = group.request_in(0, &next, "signed");
    assert_eq!(signed["signers"], json!([0, 1, 2]));
}

#[test]
fn a_request_that_was_acknowledged_is_there_after_a_kill_right_behind_the_answer() {
    let group = Group::start("acknowledged", 3, 3);
    for turn in 0..3 {
        let session = group.propose(0, &format!("turn {turn}"));
        group.kill_if_it_runs(0);
        group.restart(0, &[]);
        let known = group.tell(0, &["requests", &session, "--json"]).json();
        assert_eq!(known[0]["state"], "approved", "{known}");
    }
}

#[test]
fn each_share_that_leaves_a_node_has_one_entry_in_its_log() {
    let group = Group::start("log", 3, 2);
    let first = group.propose(0, "with node 1");
    group.approve(1, &first);
    let signed = group.request_in(0, &first, "signed");
    for node in [0, 1] {
        let entries = group.log(node, &first);
        // Where a member is slow a coordinator may make another package: it draws another share.
        let packages: BTreeSet<_> = entries.iter().map(|entry| entry["package"].as_str()).collect();
        assert!(!entries.is_empty() && packages.len() == entries.len(), "{entries:?}");
        for entry in &entries {
            assert_eq!(entry["messages"], json!([signed["messages"][0]["message"]]));
            assert_eq!(entry["policy"], "approved by this node's operator");
        }
    }
    assert_eq!(group.log(2, &first).len(), 0);
    let second = group.propose(0, "once more");
    group.approve(1, &second);
    group.request_in(0, &second, "signed");
    let (of_first, of_second) = (group.log(0, &first).len(), group.log(0, &second).len());
    let lines = group.tell(0, &["log"]).well();
    assert_eq!(lines.lines().count(), of_first + of_second, "{lines}");
    assert!(lines.lines().all(|line| line.ends_with("approved by this node's operator")));
    let from = group.tell(0, &["log", "--from", &of_first.to_string()]).well();
    assert!(from.contains(&second[..8]) && !from.contains(&first[..8]), "{from}");
    assert!(from.contains("text \"once more\""), "{from}");
}

#[test]
fn an_approval_survives_a_restart_and_what_was_not_approved_still_waits() {
    let group = Group::start("approval", 3, 3);
    let session = group.propose(0, "for later");
    group.approve(1, &session);
    group.request(2, &session);
    for node in [1, 2] {
        group.stop(node);
        group.restart(node, &[]);
    }
    assert_eq!(group.request(1, &session)["state"], "approved");
    assert_eq!(group.request(2, &session)["state"], "proposed");
    group.approve(2, &session);
    group.request_in(0, &session, "signed");
    assert_eq!(group.log(1, &session)[0]["policy"], "approved by this node's operator");
}

#[test]
fn a_rejection_is_heard_by_all_and_stands_in_their_status() {
    let group = Group::start("rejected", 3, 3);
    let session = group.propose(0, "doubtful");
    group.approve(2, &session);
    group.request(1, &session);
    group.tell(1, &["reject", &session, "--note", "not today"]).well();
    let rejected = group.request(1, &session);
    assert_eq!(rejected["state"], "refused");
    assert_eq!(rejected["text"], "rejected by this node's operator: not today");
    for node in [0, 2] {
        until("the rejection is heard", || {
            let said = group.status(node)["groups"][0]["sessions"][0]["refusals"][0].clone();
            (said["seat"] == 1 && said["name"] == "node-1").then_some(())
        });
        let shown = group.tell(node, &["status"]).well();
        assert!(shown.contains("refused   node-1: "), "{shown}");
    }
    assert_eq!(group.log(1, &session).len(), 0);
}

#[test]
fn the_status_says_who_is_missing_and_who_is_awaited_for_what() {
    let group = Group::start("missing", 3, 3);
    group.stop(2);
    let session = group.propose(0, "not without node 2");
    group.approve(1, &session);
    until("node 2 is missed", || {
        let shown = group.tell(0, &["status"]).well();
        (shown.contains("Peer          node-2: awaited for ")
            && shown.contains("missing   node-2")
            && shown.contains("awaited   node-2: "))
        .then_some(())
    });
    let waited = group.tell(0, &["approve", &session, "--yes", "--wait", "1"]);
    assert_eq!(waited.status, 1);
    assert!(waited.err.contains("waiting for approvals and shares: "), "{waited:?}");
    let last = waited.err.lines().last().unwrap();
    assert!(last.starts_with("not signed yet: ") && last.contains("roastery status"), "{last}");
    group.restart(2, &[]);
    group.approve(2, &session);
    group.request_in(0, &session, "signed");
}

#[test]
fn a_request_is_decided_on_by_8_digits_and_a_script_says_that_it_need_not_be_asked() {
    let group = Group::start("whole", 2, 2);
    let session = group.propose(0, "which one?");
    group.request_in(1, &session, "proposed");
    let line = group.tell(1, &["requests"]).well();
    assert_eq!(line.lines().count(), 1, "{line}");
    let (begin, told) = (format!("{} today ", &session[..8]), "  node-0  text \"which one?\" ");
    assert!(line.starts_with(&begin) && line.contains(told), "{line}");
    assert!(line.trim_end().ends_with(" waits for you") && line.trim_end().len() == 80, "{line}");
    // Without a terminal nothing is asked, and nothing is approved.
    let unasked = group.tell(1, &["approve", &session[..8]]);
    assert_eq!(unasked.status, 2);
    assert!(unasked.err.contains("--yes") && unasked.err.lines().count() == 1, "{unasked:?}");
    for decision in ["approve", "reject"] {
        let said = group.tell(1, &[decision, &session[..7]]);
        assert_eq!(said.status, 2);
        assert!(said.err.contains("8 to 64 hexadecimal digits"), "{said:?}");
    }
    assert_eq!(group.request(1, &session)["state"], "proposed");
    group.tell(1, &["approve", &session[..8], "--yes", "--wait", "0"]).well();
    group.request_in(1, &session, "signed");
}

#[test]
fn who_waits_is_told_that_it_cannot_succeed_any_more_and_waits_no_longer() {
    let group = Group::start("cannot", 3, 2);
    let session = group.propose(0, "not agreed");
    for node in [1, 2] {
        group.request_in(node, &session, "proposed");
        group.tell(node, &["reject", &session[..8], "--note", "no"]).well();
    }
    let waited = until("both refusals are heard", || {
        let waited = group.tell(0, &["approve", &session, "--yes", "--wait", "600"]);
        waited.err.contains("cannot succeed").then_some(waited)
    });
    assert_eq!(waited.status, 1);
    let last = waited.err.lines().last().unwrap();
    assert!(last.contains("1 of 2 approved: node-0; refused: node-1, node-2"), "{last}");
}
