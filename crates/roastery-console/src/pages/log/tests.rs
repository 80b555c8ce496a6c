use serde_json::{Value, from_value, json};

use super::*;
use crate::pages::tests::{HOSTILE, friday, is_harmless};

fn act(number: u64, shares: u64) -> RecordedAct {
    from_value(json!({
        "number": number, "time": "2026-05-01T14:02:00Z", "act": "approved",
        "by": { "kind": "user", "name": "4294967294" }, "group": "treasury", "text": "",
        "session": "57".repeat(32), "seen": "9c".repeat(32), "shares": shares,
        "before": "0".repeat(64),
    }))
    .unwrap()
}

fn left(number: u64) -> LogEntry {
    from_value(json!({
        "number": number, "time": "2026-05-01T14:03:00Z", "group": "ab".repeat(32),
        "group_name": "treasury", "session": "57".repeat(32), "seat": 0, "coordinator": 1,
        "package": "", "messages": ["00"], "policy": "the operator approved it",
        "summary": {
            "pays": [{ "amount": 12_000_000, "to": "bc1qto" }], "more": 0, "warnings": [],
            "warning_count": 0,
        },
    }))
    .unwrap()
}

fn log(entries: Vec<Entry>) -> Log {
    let users = Users::default();
    Log { entries, next: None, cut: 0, hash: Some("77".repeat(32)), users }
}

fn order(entries: &[Entry]) -> Vec<String> {
    let name = |entry: &Entry| match entry {
        Entry::Act(act) => format!("a{}", act.number),
        Entry::Share(share) => format!("s{}", share.number),
    };
    entries.iter().map(name).collect()
}

#[test]
fn acts_and_shares_stand_in_the_order_in_which_they_came_the_latest_first() {
    let acts = vec![act(7, 2), act(8, 2), act(9, 4)];
    let shares = (1..5).map(left).collect();
    let (entries, next) = merged(acts, shares, Before { acts: 10, shares: 5 });
    assert_eq!(order(&entries), ["s4", "a9", "s3", "s2", "a8", "a7", "s1"]);
    assert_eq!(next, Before { acts: 7, shares: 1 });
}

#[test]
fn a_page_is_bounded_and_the_next_one_begins_where_it_ends() {
    let all = (1..=PAGE).map(left).collect();
    let acts = (0..PAGE).map(|number| act(number, number)).collect();
    let top = Before { acts: PAGE, shares: PAGE + 1 };
    let (entries, next) = merged(acts, all, top);
    assert_eq!(entries.len() as u64, PAGE);
    let acts_shown = entries.iter().filter(|one| matches!(one, Entry::Act(_))).count() as u64;
    let expected = Before { acts: PAGE - acts_shown, shares: PAGE + 1 - (PAGE - acts_shown) };
    assert_eq!(next, expected);
    let page = Log { next: Some(next), ..log(entries) };
    let html = page.page(&friday()).into_string();
    let link = format!("/log?acts={}&amp;shares={}", next.acts, next.shares);
    assert!(html.contains(&link), "{html}");
}

#[test]
fn an_entry_says_who_what_and_as_what_it_was_seen_and_links_to_the_request() {
    let html = log(vec![Entry::Share(left(0)), Entry::Act(act(41, 0))]);
    let html = html.page(&friday()).into_string();
    let link = format!("<a href=\"/requests/{}\">57575757</a>", "57".repeat(32));
    assert_eq!(html.matches(&link).count(), 2, "{html}");
    for shown in [
        "act 41",
        "share 0",
        "today 14:02",
        "user <bdi>4294967294</bdi>",
        " in <bdi>treasury</bdi>, as seen: <bdi>9c9c9c9c</bdi>",
        "pays 0.12000000 to <bdi>bc1qto</bdi>; <bdi>the operator approved it</bdi>",
        "Hash of all",
        "Check the chain",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
}

#[test]
fn hostile_texts_in_the_log_are_shown_and_do_nothing() {
    let with = |place: &str, text: &str| {
        let mut value: Value = serde_json::to_value(act(0, 0)).unwrap();
        *value.pointer_mut(place).unwrap() = text.into();
        value["act"] = if place == "/text" { "rejected" } else { "approved" }.into();
        log(vec![Entry::Act(from_value(value).unwrap())]).page(&friday()).into_string()
    };
    for place in ["/by/name", "/group", "/text"] {
        is_harmless(&with(place, HOSTILE));
    }
    for place in ["/group_name", "/policy", "/summary/pays/0/to"] {
        let mut value = serde_json::to_value(left(0)).unwrap();
        *value.pointer_mut(place).unwrap() = "<img>\u{202e}".into();
        let page = log(vec![Entry::Share(from_value(value).unwrap())]);
        let html = page.page(&friday()).into_string();
        assert!(!html.contains("<img") && !html.contains('\u{202e}'), "{html}");
    }
    // Much of one text pushes nothing out of sight.
    assert!(with("/text", &"long ".repeat(10_000)).len() < 6_000);
}

#[test]
fn an_empty_log_says_so_and_shares_that_were_cut_are_named() {
    let html = log(Vec::new()).page(&friday()).into_string();
    assert!(html.contains("Nothing was asked of this node yet"), "{html}");
    let cut = Log { cut: 7, ..log(vec![Entry::Share(left(7))]) };
    let html = cut.page(&friday()).into_string();
    assert!(html.contains("The shares 0 to 6 were exported and cut"), "{html}");
}
