//! A rejection is final for its node, whatever happens to the disk.

use serde_json::{Value, json};

use crate::nodes::support::{Group, until};

/// Three nodes, all of which must sign, and of which the third one is down, so that no share leaves
/// yet; the second one has approved, and a write beyond the limit returns an error to it.
fn approved(name: &str) -> (Group, String) {
    let group = Group::start(name, 3, 3);
    group.stop(2);
    group.stop(1);
    group.restart_ignoring_file_limits(1);
    let session = group.propose(0, "Doubtful");
    group.approve(1, &session);
    group.request_in(1, &session, "approved");
    (group, session)
}

/// The node is started again on a disk that works, and the others approve.
fn nothing_leaves(group: &Group, session: &str) {
    group.kill_if_it_runs(1);
    group.restart(1, &[]);
    assert_eq!(group.request(1, session)["state"], "refused");
    group.restart(2, &[]);
    group.request(2, session);
    // They may have received the refusals already.
    let late = group.tell(2, &["approve", session, "--yes", "--wait", "0"]);
    assert!(late.status <= 2, "{late:?}");
    let waited = group.tell(0, &["approve", session, "--yes", "--wait", "3"]);
    assert_ne!(waited.status, 0, "{waited:?}");
    assert_eq!(group.request(1, session)["state"], "refused");
    assert_eq!(group.log(1, session).len(), 0);
}

#[test]
fn a_rejection_that_the_store_cannot_take_is_in_a_file_and_stands_after_a_restart() {
    let (group, session) = approved("beside");
    group.limit_files(1, "4096");
    let said = group.tell(1, &["reject", &session, "--note", "not this one"]);
    assert_ne!(said.status, 0, "{said:?}");
    until("the rejection is in a file", || {
        group.node(1).join("rejected").join(&session).exists().then_some(())
    });
    // What cannot be recorded is not begun.
    let broadcast = format!("/v1/requests/{session}/broadcast");
    let message = |answer: Value| answer["message"].as_str().unwrap().to_owned();
    let unrecorded = message(group.post(1, &broadcast));
    assert!(unrecorded.starts_with("the store: "), "{unrecorded}");
    nothing_leaves(&group, &session);
    let begun = message(group.post(1, &broadcast));
    assert!(!begun.starts_with("the store: "), "{begun}");
    let text = group.request(1, &session)["text"].clone();
    assert_eq!(text, "rejected by this node's operator: not this one");
    assert!(!group.node(1).join("rejected").join(&session).exists());
    // Who has rejected it is not known to the node that makes it good.
    let acts = group.tell(1, &["audit", "--json"]).well();
    let mut acts = acts.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rejected = acts.rfind(|act| act["act"] == "rejected").unwrap();
    assert_eq!((&rejected["by"]["kind"], &rejected["text"]), (&json!("node"), &text));
}

#[test]
fn after_a_rejection_that_is_recorded_nowhere_nothing_that_was_open_is_signed_without_the_operator()
{
    let (group, session) = approved("nowhere");
    group.limit_files(1, "0");
    let said = group.tell(1, &["reject", &session]);
    assert_ne!(said.status, 0, "{said:?}");
    until("the store is not relied upon", || {
        (!group.node(1).join("rejections-complete").exists()).then_some(())
    });
    nothing_leaves(&group, &session);
}
