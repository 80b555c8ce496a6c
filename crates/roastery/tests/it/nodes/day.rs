//! An operator's day on a terminal: what is to be done, what waits, and what has come of it.

use crate::nodes::{
    support::{Group, until},
    terminal::on_terminal,
};

#[test]
fn what_waits_is_reviewed_on_a_terminal_and_its_result_is_fetched_later() {
    let group = Group::start("day", 2, 2);
    let session = group.propose(0, "pay the rent");
    group.request_in(1, &session, "proposed");
    let id = &session[..8];

    let alone = until("both are here", || {
        let alone = group.tell(1, &[]).well();
        alone.contains("2 are here").then_some(alone)
    });
    let lines: Vec<&str> = alone.lines().collect();
    assert!(lines[0].starts_with("node-1     up ") && lines[0].ends_with(", healthy"), "{alone}");
    assert_eq!(lines[1], "local      2 of 2 must sign; 2 are here: NONE TO SPARE");
    assert!(lines[2].starts_with("  node-0   "), "{alone}");
    assert!(lines[3].starts_with("  waits    1 request for you"), "{alone}");
    assert!(lines[3].ends_with("  roastery review") && lines[3].len() == 80, "{alone}");
    assert_eq!(lines[4], "  signing  nothing");

    // Nothing waits for an answer that cannot come.
    let unasked = group.tell(1, &["review"]);
    assert_eq!(unasked.status, 2);
    assert!(
        unasked.err.contains("is no terminal") && unasked.err.contains("--seen"),
        "{unasked:?}"
    );
    let early = group.tell(0, &["fetch", id]);
    assert_eq!(early.status, 1);
    let told = format!("{id} is not signed. node-0 (you) approved today ");
    let words = early.out.replace('\n', " ");
    assert!(words.starts_with(&told), "{words}");
    assert!(words.contains("node-1: nothing yet. 1 of 2: it can still succeed."), "{words}");

    let left = on_terminal(&group.node(1), &["review"], &["d\n", "what?\n", "l\n"], true);
    assert_eq!(left.status, 0, "{left:?}");
    assert!(left.out.contains("TEXT from local, proposed by node-0 today "), "{left:?}");
    assert!(left.out.contains("  | pay the rent\r\n"), "{left:?}");
    assert!(left.out.contains("Message 0"), "d shows all: {left:?}");
    assert!(!left.out.contains('\u{1b}'), "{left:?}");
    assert_eq!(group.request(1, &session)["state"], "proposed");

    let approved = on_terminal(&group.node(1), &["review"], &["y\n"], false);
    let told = ["Approved", &format!("roastery fetch {id} ")];
    assert!(told.iter().all(|told| approved.out.contains(told)), "{approved:?}");
    let signed = group.request_in(0, &session, "signed");
    let out = group.path("signature");
    group.tell(0, &["fetch", id, "--out", &out]).well();
    let written = std::fs::read_to_string(&out).unwrap();
    assert_eq!(written.trim(), signed["text_signature"]["simple"]);
    // Without an id: the last that was asked for here.
    let last = group.tell(0, &["fetch"]);
    assert!(last.err.starts_with(id) && last.err.contains("pay the rent"), "{last:?}");
    assert_eq!(last.well(), written);
    let done = on_terminal(&group.node(1), &["review"], &[], false);
    assert!(done.out.contains("Nothing waits for you."), "{done:?}");
}

#[test]
fn what_was_rejected_in_a_review_is_known_to_the_one_who_asked_with_who_and_why() {
    let group = Group::start("rejected-day", 2, 2);
    let session = group.propose(0, "not this");
    group.request_in(1, &session, "proposed");
    let rejected = on_terminal(&group.node(1), &["review"], &["n\n", "wrong invoice\n"], false);
    assert!(rejected.out.contains("Rejected. "), "{rejected:?}");
    assert!(group.request(1, &session)["text"].as_str().unwrap().contains("wrong invoice"));
    group.request_in(0, &session, "failed");
    let fetched = group.tell(0, &["fetch", &session[..8]]);
    assert_eq!(fetched.status, 1);
    let told = fetched.out.replace('\n', " ");
    assert!(told.contains("node-1 refused today "), "{told}");
    assert!(told.contains("(its operator said no). 1 of 2: it cannot succeed."), "{told}");
}

#[test]
fn an_answer_that_was_typed_before_its_question_decides_nothing() {
    let group = Group::start("ahead-day", 2, 2);
    let sessions = [group.propose(0, "the first"), group.propose(0, "the second")];
    sessions.iter().for_each(|session| drop(group.request_in(1, session, "proposed")));
    let reviewed = on_terminal(&group.node(1), &["review"], &["y\ny\n", "q\n"], true);
    assert_eq!(reviewed.status, 0, "{reviewed:?}");
    let states = sessions.each_ref().map(|session| group.request(1, session)["state"].clone());
    assert_eq!(states.iter().filter(|state| **state == "proposed").count(), 1, "{states:?}");
    let second = sessions.iter().find(|session| group.request(1, session)["state"] == "proposed");
    let second = second.unwrap();
    // The end of the input in place of a reason is no rejection.
    let ended = on_terminal(&group.node(1), &["review", second], &["n\n", "\u{4}"], true);
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.out.contains("nothing was rejected"), "{ended:?}");
    assert_eq!(group.request(1, second)["state"], "proposed");
}
