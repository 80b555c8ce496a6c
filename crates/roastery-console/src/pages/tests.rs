//! The pages, from values of the API.

use roastery_service::view::{Health, RequestCounts, Status};
use serde_json::{Value, from_value, json};

use super::*;

mod crowded;
mod isolated;

const TO: &str = "bc1pp2zd3m67pu0w9t7jdfm7rku5lqu6439q4x3em3g7quvj5fl4vehs6mqusv";

/// Markup, and characters that turn, hide or stretch the text around them.
pub(super) const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&\u{202e}exe\u{200b}\u{1b}[2J";

pub(super) fn friday() -> Clock {
    let now: Time = from_value(json!("2026-05-01T14:14:00Z")).unwrap();
    Clock::utc(now)
}

pub(super) fn payment() -> Value {
    serde_json::from_str(roastery_testkit::PAYMENT_REQUEST).unwrap()
}

fn shown(request: Value) -> String {
    request::page(&from_value(request).unwrap(), &[], &friday(), false).into_string()
}

fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut request = payment();
    change(&mut request);
    shown(request)
}

pub(super) fn status() -> Value {
    json!({
        "name": "anna", "peer": "own", "version": "0.1.0", "pid": 7,
        "now": "2026-05-01T14:14:00Z", "uptime_seconds": 520_000,
        "peers": [{
            "peer": "his", "name": "bert", "connected": false, "awaited_seconds": 180,
            "round_trip_ms": null, "addresses": [], "dropped": 0, "clock_offset_ms": -1_300,
            "clock_differs": false,
        }],
        "groups": [{
            "name": "treasury", "id": "ab".repeat(32), "key_id": "cd".repeat(32), "epoch": 0,
            "seats": [0], "threshold": 2, "key": "02aa",
            "members": [
                { "seat": 0, "name": "anna", "peer": "own", "reachable": true },
                { "seat": 1, "name": "bert", "peer": "his", "reachable": false },
                { "seat": 2, "name": "bert", "peer": "his", "reachable": false },
            ],
            "reachable": 1, "address": TO, "sessions": [], "pending": 1,
            "policy": { "section": "[policy]", "approval": "manual", "kinds": ["text"] },
        }],
        "ceremonies": [], "warnings": [],
    })
}

pub(super) fn frame(status: Value) -> frame::Frame {
    let status: Status = from_value(status).unwrap();
    let health = Health { ok: true, problems: Vec::new() };
    let counts = RequestCounts { waiting: 1, signing: 0 };
    frame::Frame { status, health, counts, is_remote: false }
}

fn overview(status: Value) -> String {
    let page = overview::Overview {
        waiting: Vec::new(),
        signing: Vec::new(),
        signed: None,
        pairings: Vec::new(),
    };
    page.page(&frame(status), &friday()).into_string()
}

/// Nothing of a hostile text is markup, and nothing of it is invisible or turns what is around it.
#[track_caller]
pub(super) fn is_harmless(html: &str) {
    assert!(!html.contains("<img"), "{html}");
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;"), "{html}");
    for bad in ['\u{202e}', '\u{200b}', '\u{1b}'] {
        assert!(!html.contains(bad), "{bad:?} in {html}");
    }
    assert!(html.contains("\\u{202e}"), "{html}");
}

#[test]
fn a_payment_is_shown_with_all_that_a_person_decides_about() {
    let html = with(|_| {});
    for shown in [
        "0.12001850",
        "0.50338150",
        "0.00001850",
        "8 sat/vB, 212 vB",
        "of 0.62340000 in 2 coins",
        "comes back: this wallet, <bdi>1/0</bdi>",
        "No warnings.",
        "allowed. Needs a person: you",
        "1 of 2: it can still succeed",
        "today 15:02",
        "(in 48 min)",
        "<svg class=\"flow\"",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    let seen = "9c".repeat(32);
    assert_eq!(html.matches(&format!("data-seen=\"{seen}\"")).count(), 3, "{html}");
    // In fours for the eye, and whole where it is copied.
    assert!(html.contains("<span>bc1p</span><span>p2zd</span>"), "{html}");
}

#[test]
fn hostile_texts_of_members_are_shown_and_do_nothing() {
    is_harmless(&with(|request| {
        request["payment"] = Value::Null;
        request["subject"] = json!({ "kind": "text", "text": HOSTILE });
    }));
    for place in
        ["/group", "/proposer_name", "/text", "/progress/said/0/name", "/progress/said/0/why"]
    {
        is_harmless(&with(|request| *request.pointer_mut(place).unwrap() = HOSTILE.into()));
    }
    is_harmless(&with(|request| {
        request["warnings"] = json!([{ "code": "new", "level": "look", "text": HOSTILE }]);
    }));
    for place in ["/groups/0/name", "/groups/0/members/0/name"] {
        let mut status = status();
        *status.pointer_mut(place).unwrap() = HOSTILE.into();
        is_harmless(&overview(status.clone()));
        let group: group::Group =
            group::Group { group: from_value(status["groups"][0].clone()).unwrap() };
        is_harmless(&group.page(&from_value(status).unwrap(), &friday()).into_string());
    }
    let mut named = status();
    named["name"] = HOSTILE.into();
    let place = Place::Overview;
    is_harmless(&frame(named).around(&place, None, &html! {}).into_string());
}

#[test]
fn a_text_in_the_picture_and_an_address_cannot_be_markup_either() {
    let html = with(|request| request["payment"]["outputs"][0]["to"] = "<img>\u{202e}".into());
    assert!(!html.contains("<img") && !html.contains('\u{202e}'), "{html}");
}

#[test]
fn warnings_stand_before_the_payment_and_a_stop_asks_for_the_amount() {
    let html = with(|request| {
        request["warnings"] = json!([
            { "code": "coin_twice", "level": "look", "text": "one" },
            { "code": "change_of_others", "level": "stop", "text": "two" },
        ]);
    });
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
    assert!(at("CHANGE OF OTHERS") < at("COIN TWICE") && at("COIN TWICE") < at("What it pays"));
    assert!(html.contains("name=\"typed\"") && html.contains("required"), "{html}");
    assert!(!with(|_| {}).contains("name=\"typed\""));
}

#[test]
fn there_is_a_form_only_where_there_is_something_to_decide() {
    let forms = |state: &str| {
        let html = with(|request| request["state"] = state.into());
        (html.contains("/approve\""), html.contains("/reject\""))
    };
    assert_eq!(forms("proposed"), (true, true));
    assert_eq!(forms("approved"), (false, true));
    for state in ["refused", "signed", "stopped", "expired", "failed"] {
        assert_eq!(forms(state), (false, false), "{state}");
    }
    let over = with(|request| request["expiry"] = "2026-05-01T14:00:00Z".into());
    assert!(!over.contains("<form"), "{over}");
    // A node that does not say what it shows takes no decision from here.
    assert!(!with(|request| request["seen"] = Value::Null).contains("<form"));
}

#[test]
fn no_enter_key_in_the_reason_of_a_rejection_approves() {
    let html = with(|_| {});
    let approve = html.split("<form").find(|form| form.contains("/approve\"")).unwrap();
    assert!(!approve.contains("name=\"reason\""), "{html}");
}

#[test]
fn the_overview_says_what_is_missing_and_what_to_do() {
    let html = overview(status());
    for shown in [
        "1 too few",
        "2 of 3 must sign; 1 is here.",
        "missing for 3 min",
        "−1.3 s",
        "<bdi>treasury</bdi> cannot sign: 1 too few are here",
        "roastery status",
        "Nothing waits for you",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    let mut alone = status();
    alone["groups"] = json!([]);
    assert!(overview(alone).contains("No group yet"));
}

#[test]
fn a_band_is_as_thick_as_its_amount_and_the_picture_has_a_text() {
    let html = with(|_| {});
    assert!(html.contains("Of 0.62340000: 0.12000000 to bc1pp2z..mqusv"), "{html}");
    let many: Vec<Value> = (1..=1_000).map(|n| json!({ "amount": n, "to": TO })).collect();
    let html = with(|request| request["payment"]["outputs"] = many.into());
    assert_eq!(html.matches("class=\"band").count(), 6, "bands are bounded");
    assert!(html.contains("996 more payments"), "{html}");
    let huge = with(|request| request["payment"]["outputs"][0]["amount"] = u64::MAX.into());
    assert!(huge.contains("184467440737.09551615"), "{huge}");
}

#[test]
fn a_session_has_a_lane_for_each_member_and_its_steps_in_words() {
    let step = |ms: u64, what: &str, who: Option<&str>, asked: &[&str]| json!({ "at": "2026-05-01T14:02:00Z", "ms": ms, "what": what, "who": who, "asked": asked });
    let steps = json!([
        step(0, "proposed", Some("bert"), &[]),
        step(12, "package", Some("anna"), &["anna", "bert"]),
        step(13, "newer", Some(HOSTILE), &[]),
        step(70_000, "signed", None, &[]),
    ]);
    let (request, steps): (_, Vec<_>) =
        (from_value(payment()).unwrap(), from_value(steps).unwrap());
    let html = request::page(&request, &steps, &friday(), false).into_string();
    is_harmless(&html);
    assert_eq!(html.matches("class=\"lane\"").count(), 4, "{html}");
    for shown in ["<bdi>bert</bdi> proposes it", "12 ms", "70 s", "<bdi>newer</bdi>: "] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert_eq!(html.matches("class=\"asked\"").count(), 2, "{html}");
    let many: Vec<_> = (0..1_000).map(|_| steps[0].clone()).collect();
    let html = request::page(&request, &many, &friday(), false).into_string();
    assert!(html.matches("class=\"step begin\"").count() <= 48, "the picture is bounded");
}

#[test]
fn an_address_has_a_code_and_what_is_too_long_for_one_has_none() {
    assert!(qr::qr(TO).into_string().contains("<svg class=\"qr\""));
    assert_eq!(qr::qr(&"a".repeat(8_000)).into_string(), "");
}

#[test]
fn a_page_says_why_there_is_no_answer_and_what_to_do_next() {
    let socket = "/nowhere/api.sock".into();
    let source = std::io::ErrorKind::NotFound.into();
    let error = ClientError::NoNode { socket, source };
    assert_eq!(problem::status(&error), StatusCode::SERVICE_UNAVAILABLE);
    let html = frame::without_node(&error, None).into_string();
    assert!(html.contains("No node runs here") && html.contains("roastery node"), "{html}");
}
