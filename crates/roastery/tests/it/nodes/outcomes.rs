//! Every node learns the outcome of every request that it knows.

use serde_json::Value;

use crate::nodes::support::{Group, until};

fn pending(group: &Group, node: usize) -> Value {
    group.status(node)["groups"][0]["pending"].clone()
}

#[test]
fn a_member_that_does_not_sign_and_one_that_was_away_learn_that_the_others_have_signed() {
    let group = Group::start("learning", 3, 2);
    let first = group.propose(0, "without node 2");
    group.request_in(2, &first, "proposed");
    group.approve(1, &first);
    let learnt = group.request_in(2, &first, "signed");
    assert_eq!(learnt["signatures"], group.request_in(0, &first, "signed")["signatures"]);
    assert_eq!(pending(&group, 2), 0);
    assert_eq!(group.log(2, &first).len(), 0);

    // It was offline, and those that signed were restarted: the outcome is in their stores.
    let second = group.propose(0, "while node 2 is away");
    group.request_in(2, &second, "proposed");
    group.stop(2);
    group.approve(1, &second);
    group.request_in(0, &second, "signed");
    group.request_in(1, &second, "signed");
    group.stop(1);
    group.stop(0);
    group.restart(0, &[]);
    group.restart(2, &[]);
    group.request_in(2, &second, "signed");
    assert_eq!(pending(&group, 2), 0);
}

#[test]
fn a_member_that_has_refused_learns_that_the_others_have_signed() {
    let group = Group::start("outvoted", 3, 2);
    let session = group.propose(0, "against node 2");
    group.request(2, &session);
    group.tell(2, &["reject", &session]).well();
    group.approve(1, &session);
    group.request_in(2, &session, "signed");
    assert_eq!(group.log(2, &session).len(), 0);
}

#[test]
fn when_so_many_refuse_that_the_others_are_too_few_all_say_so_and_who_refuses() {
    let group = Group::start("failing", 4, 3);
    let session = group.propose(0, "hardly");
    group.request_in(3, &session, "proposed");
    group.request(1, &session);
    group.tell(1, &["reject", &session]).well();
    until("one refusal is heard", || {
        let heard = group.request(3, &session)["progress"]["refused"].as_array()?.len();
        (heard == 1).then_some(())
    });
    assert_eq!(group.request(3, &session)["state"], "proposed");
    group.request(2, &session);
    group.tell(2, &["reject", &session]).well();
    // One that has approved it, and one that has not decided.
    for node in [0, 3] {
        let failed = group.request_in(node, &session, "failed");
        let text = failed["text"].as_str().unwrap();
        assert!(text.starts_with("cannot succeed: 2 of 4 members do not take part"), "{text}");
        assert!(text.contains("node-1 (") && text.contains("node-2 ("), "{text}");
        assert_eq!(pending(&group, node), 0);
    }
    // After a restart it learns it again.
    group.stop(3);
    group.restart(3, &[]);
    group.request_in(3, &session, "failed");
}

#[test]
fn what_was_not_signed_in_time_is_expired_at_all_nodes() {
    let group = Group::start("expiring", 2, 2);
    let sign = ["sign", "--group", "local", "--text", "soon", "--wait", "0", "--json"];
    let asked = group.tell(0, &[&sign[..], &["--expires-in", "5"]].concat()).json();
    let session = asked["session"].as_str().unwrap();
    group.request(1, session);
    for node in [0, 1] {
        let expired = group.request_in(node, session, "expired");
        let was = ["was approved", "was proposed", "was stopped"];
        let text = expired["text"].as_str().unwrap();
        assert!(was.iter().any(|was| text.starts_with(was)), "{text}");
        assert_eq!(pending(&group, node), 0);
    }
}
