//! Decisions on a terminal: which answers approve, and where nothing is asked.

use serde_json::json;

use crate::nodes::pretended::{Pretended, payment, request};

/// A payment of 100 000 sat and a fee that may take the money elsewhere.
fn stopping(digit: char) -> serde_json::Value {
    let text = "spends a coin that request 99999999 spends";
    let warning = json!({ "code": "spent_twice", "level": "stop", "text": text });
    payment(digit, 1, &json!({ "warnings": [warning] }))
}

#[test]
fn approve_of_one_request_asks_for_the_amount_where_money_may_go_elsewhere() {
    let node = Pretended::start("amount", &[stopping('5')]);
    for wrong in ["y\n", "yes\n", "\n", "0.00100000\n"] {
        let left = node.asks(&["approve", "55555555"], &[wrong]);
        assert_eq!(left.status, 1, "{left:?}");
        assert!(left.out.contains("nothing was approved"), "{left:?}");
    }
    assert_eq!(node.decided(), [""; 0]);
    let approved = node.asks(&["approve", "55555555"], &["0.00101850\n"]);
    assert_eq!(approved.status, 0, "{approved:?}");
    assert_eq!(node.decided(), ["approve 55555555"]);
}

#[test]
fn a_payment_that_is_not_on_the_screen_is_approved_once_its_details_were() {
    let node = Pretended::start("hidden", &[payment('5', 13, &json!({}))]);
    let said = node.asks(&["review"], &["y\n", "q\n"]);
    assert!(said.out.contains("not all that it pays is on the screen"), "{said:?}");
    assert_eq!(node.decided(), [""; 0]);
    let said = node.asks(&["review"], &["d\n", "y\n"]);
    assert!(said.out.contains("Approved, and signed"), "{said:?}");
    assert_eq!(node.decided(), ["approve 55555555"]);
}

#[test]
fn nothing_is_asked_where_the_screen_is_no_terminal() {
    let node = Pretended::start("unseen", &[request('5', &json!({}))]);
    let decisions: [&[&str]; 3] = [&["review"], &["approve", "55555555"], &["reject", "55555555"]];
    for decision in decisions {
        for elsewhere in [["1>", "/dev/null"], ["2>", "errors"]] {
            let mut at = elsewhere.map(ToOwned::to_owned);
            if at[1] == "errors" {
                at[1] = node.path("errors");
            }
            let words = [decision, &[at[0].as_str(), &at[1]]].concat();
            let refused = node.asks(&words, &[]);
            assert_eq!(refused.status, 2, "{refused:?}");
            let said = match elsewhere[1] {
                "errors" => std::fs::read_to_string(&at[1]).unwrap(),
                _ => refused.out,
            };
            assert!(said.contains("is no terminal") && said.contains("--seen"), "{said}");
        }
    }
    assert_eq!(node.decided(), [""; 0]);
    // A script that says what it has seen needs none.
    node.tell(&["reject", "55555555", "--seen", &"5".repeat(64)]).well();
    assert_eq!(node.decided(), ["reject 55555555"]);
}

#[test]
fn what_a_node_shows_without_saying_what_was_seen_is_not_decided() {
    let node = Pretended::start("unsaid", &[request('5', &json!({ "seen": null }))]);
    for (command, status) in [("approve", 2), ("reject", 2), ("review", 1)] {
        let answers = ["y\n", "n\n", "a reason\n"];
        let answers = if command == "review" { &answers[1..] } else { &answers[..1] };
        let refused = node.asks(&[command, "55555555"], answers);
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(refused.out.contains("nothing is decided"), "{refused:?}");
    }
    let refused = node.asks(&["review"], &["y\n"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    assert_eq!(node.decided(), [""; 0]);
}

#[test]
fn review_goes_on_after_an_error_and_says_so_at_the_end() {
    let requests = ['5', '6'].map(|digit| request(digit, &json!({ "proposer": digit as u16 })));
    let node = Pretended::start("not-done", &requests);
    node.refuse('5');
    let said = node.asks(&["review"], &["y\n", "y\n"]);
    assert!(said.out.contains("not done: most_per_hour is used up"), "{said:?}");
    assert_eq!(said.status, 1, "{said:?}");
    assert_eq!(node.decided(), ["approve 55555555", "approve 66666666"]);
}

#[test]
fn review_says_that_a_request_is_gone_and_shows_the_next_one() {
    let requests = ['5', '6'].map(|digit| request(digit, &json!({ "proposer": digit as u16 })));
    let node = Pretended::start("gone", &requests);
    node.lose('5');
    let said = node.asks(&["review"], &["y\n"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(
        said.out.contains("55555555 is gone: this node does not have it any more."),
        "{said:?}"
    );
    assert_eq!(node.decided(), ["approve 66666666"]);
}

#[test]
fn a_rejection_with_the_whole_session_looks_at_nothing_before() {
    let node = Pretended::start("whole", &[request('a', &json!({}))]);
    node.tell(&["reject", &"A".repeat(64)]).well();
    assert_eq!(node.decided(), ["reject aaaaaaaa"]);
    assert_eq!(node.looked(), [""; 0]);
}

#[test]
fn a_request_is_rejected_though_the_node_lists_none() {
    let node = Pretended::start("no-list", &[request('5', &json!({}))]);
    node.list_nothing();
    let said = node.tell(&["reject", "55555555"]);
    assert!(said.err.contains("the node does not list its requests: no list today"), "{said:?}");
    said.well();
    let path = "/v1/requests/55555555".to_owned();
    assert!(node.looked().contains(&path));
    assert_eq!(node.decided(), ["reject 55555555"]);
}

#[test]
fn review_shows_one_request_of_each_member_in_turn_and_leaves_all_of_one() {
    let of = |digit, proposer: u16, name: &str| {
        request(digit, &json!({ "proposer": proposer, "proposer_name": name }))
    };
    let requests = [of('5', 1, "bert"), of('6', 1, "bert"), of('7', 1, "bert"), of('8', 2, "cleo")];
    let node = Pretended::start("turns", &requests);
    let said = node.asks(&["review"], &["l\n", "y\n", "m\n"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("in turn: 3 of bert, 1 of cleo."), "{said:?}");
    assert!(said.out.contains("m leaves this one and 1 more of bert for later"), "{said:?}");
    assert_eq!(node.decided(), ["approve 88888888"]);
}

#[test]
fn fetch_of_a_transaction_with_an_unsigned_part_says_who_said_what_of_it() {
    let parts = ["5".repeat(64), "6".repeat(64)];
    let signed = payment('5', 1, &json!({ "parts": parts, "state": "signed" }));
    let mut waits = payment('6', 1, &json!({ "parts": parts, "state": "approved" }));
    waits["progress"]["said"] = json!([
        { "name": "bert", "here": false, "said": "approved", "why": "" },
        { "name": "cleo", "here": false, "said": "refused", "why": "its operator said no" },
    ]);
    let node = Pretended::start("unsigned", &[signed, waits]);
    let out = node.path("signed.psbt");
    let said = node.tell(&["fetch", "55555555", "--out", &out]);
    assert_eq!(said.status, 1, "{said:?}");
    let words = said.out.replace('\n', " ");
    assert!(words.starts_with("66666666 is not signed. bert approved"), "{words}");
    assert!(words.contains("cleo refused (its operator said no)"), "{words}");
    assert!(!std::path::Path::new(&out).exists());
}

#[test]
fn fetch_without_an_id_takes_what_was_asked_for_last_here() {
    let signature = |text: &str| json!({ "simple": text, "unprefixed": "", "full": "" });
    let made = |digit, at: &str, proposer: &serde_json::Value, text: &str| {
        let signature = signature(text);
        let made = json!({
            "since": format!("2026-05-01T14:0{at}:00Z"), "proposer": proposer, "state": "signed",
            "text_signature": signature,
        });
        request(digit, &made)
    };
    // In the order of their last change.
    let (own, other) = (json!(null), json!(1));
    let requests = [
        made('5', "1", &own, "early"),
        made('6', "9", &other, "of another"),
        made('7', "2", &own, "last"),
    ];
    let node = Pretended::start("last", &requests);
    let said = node.tell(&["fetch"]);
    assert!(said.err.starts_with("77777777"), "{said:?}");
    assert_eq!(said.well(), "last\n");
}
