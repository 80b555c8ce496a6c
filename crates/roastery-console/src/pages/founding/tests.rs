use serde_json::{Value, from_value, json};

use super::*;
use crate::pages::tests::{HOSTILE, friday, is_harmless, status};

const LINE: &str =
    "roast1q8qx0m0x6p0cadjv7h4s5ae93swt8e6lgks927459e43sv054qwa4u8zez0hnymmj3nnnr25z0";

fn member(name: &str, own: bool) -> Value {
    json!({
        "name": name, "own": own, "line": null, "used": null, "from": null, "entered": true,
        "declined": false, "reached": true, "revealed": true, "right": false, "compared": [],
    })
}

/// One of anna, bert and cleo at anna's node, which invites.
fn pairing(state: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut pairing = json!({
        "id": "0123456789abcdef", "invites": true, "state": state, "group": "treasury",
        "threshold": 2, "attempt": 1, "own": "anna",
        "members": [member("anna", true), member("bert", false), member("cleo", false)],
        "words": [], "ceremony": null, "ended": null, "note": "", "deadline": 1_777_730_000,
    });
    change(&mut pairing);
    pairing
}

fn page_of(pairing: Value, keygen: Option<Value>, kit: Option<Value>) -> String {
    let group = keygen.as_ref().filter(|keygen| !keygen["group"].is_null());
    let group = group.map(|_| from_value(status()["groups"][0].clone()).unwrap());
    let keygen = keygen.map(|keygen| from_value(keygen).unwrap());
    let kit = kit.map(|kit| from_value(kit).unwrap());
    Founding { pairing: from_value(pairing).unwrap(), keygen, group, kit }
        .page(&friday())
        .into_string()
}

fn shown(state: &str, change: impl FnOnce(&mut Value)) -> String {
    page_of(pairing(state, change), None, None)
}

#[test]
fn each_person_has_a_line_with_its_end_and_a_code_until_it_was_used() {
    let html = shown("waiting", |pairing| {
        pairing["members"][1]["line"] = LINE.into();
        pairing["members"][1]["entered"] = false.into();
        let cleo = &mut pairing["members"][2];
        (cleo["used"], cleo["from"]) = (1_777_644_000.into(), "192.0.2.44".into());
    });
    assert!(html.contains(&format!("<code>{LINE}</code>")), "{html}");
    assert!(html.contains("QR code of the line for bert") && html.contains("until"), "{html}");
    assert!(html.contains("waiting</span> line not used"), "{html}");
    assert!(html.contains("is here</span>, line used") && html.contains("192.0.2.44"), "{html}");
    assert!(!html.contains("the line for cleo"), "{html}");
    assert!(!html.contains("New line for"), "{html}");
}

#[test]
fn a_line_that_was_used_by_one_who_is_not_there_or_not_wanted_is_made_anew() {
    for (name, value) in [("declined", true), ("entered", false)] {
        let change = |pairing: &mut Value| {
            pairing["members"][2]["used"] = 1_777_644_000.into();
            pairing["members"][2][name] = value.into();
        };
        let html = shown("waiting", change);
        assert!(html.contains("data-ask=\"/pairings/0123456789abcdef/again\""), "{name}: {html}");
        assert!(html.contains("name=\"member\" value=\"cleo\""), "{name}: {html}");
        // Who was invited makes no lines.
        let html = shown("waiting", |pairing| {
            change(pairing);
            pairing["invites"] = false.into();
        });
        assert!(!html.contains("/again\""), "{name}: {html}");
    }
}

#[test]
fn the_own_word_is_shown_and_each_other_member_has_a_field_until_its_word_was_right() {
    let html = shown("comparing", |pairing| {
        pairing["words"] = json!(["canyon"]);
        pairing["members"][1]["right"] = true.into();
        pairing["members"][2]["compared"] = json!(["anna"]);
    });
    assert!(html.contains("class=\"own-word\"><span>canyon</span>"), "{html}");
    assert!(html.contains("<bdi>bert</bdi></strong> <span class=\"pill good\">right"), "{html}");
    assert!(html.contains("id=\"word-1-2\"") && !html.contains("id=\"word-1-1\""), "{html}");
    assert!(html.contains("has compared: <bdi>anna</bdi>"), "{html}");
    assert!(!html.contains("/confirm\""), "a word is missing: {html}");
    // Another attempt has fields of its own, so that no word is typed for the one before.
    let html = shown("comparing", |pairing| {
        (pairing["attempt"], pairing["words"]) = (2.into(), json!(["orbit"]));
    });
    assert!(html.contains("id=\"word-2-2\"") && html.contains("Attempt 2 of 5"), "{html}");
}

#[test]
fn the_key_is_made_by_the_answer_to_the_last_question_which_comes_when_all_words_were_right() {
    let html = shown("comparing", |pairing| {
        pairing["words"] = json!(["canyon"]);
        for member in 1..=2 {
            pairing["members"][member]["right"] = true.into();
        }
    });
    assert!(html.contains("that your word was right?"), "{html}");
    assert!(html.contains("data-ask=\"/pairings/0123456789abcdef/confirm\""), "{html}");
}

#[test]
fn words_that_are_not_there_yet_have_no_fields() {
    let html = shown("comparing", |_| {});
    assert!(!html.contains("/words\"") && !html.contains("own-word"), "{html}");
}

#[test]
fn what_is_offered_is_taken_or_not_and_says_who_is_who() {
    let html = shown("offered", |pairing| {
        (pairing["invites"], pairing["own"]) = (false.into(), "bert".into());
        (pairing["members"][0]["own"], pairing["members"][1]["own"]) = (false.into(), true.into());
    });
    let offer = "<bdi>anna</bdi> invites you as <bdi>bert</bdi> to <bdi>treasury</bdi>: 2 of 3";
    assert!(html.contains(offer), "{html}");
    assert!(html.contains("/accept\"") && html.contains("/decline\""), "{html}");
}

fn keygen(state: &str, group: Option<&str>) -> Value {
    json!({
        "name": "treasury", "ceremony": "77".repeat(32), "fingerprint": "5c1e", "seats": [0],
        "threshold": 2, "members": ["anna", "bert", "cleo"], "state": state, "text": HOSTILE,
        "group": group, "awaited": [], "findings": [],
    })
}

fn kit(here: bool, confirmed: bool) -> Value {
    json!({
        "group": "treasury", "epoch": 0, "label": "k7qp", "host_key_here": here, "made": confirmed,
        "confirmed": confirmed, "needed": 2,
        "holders": [{ "name": "bert", "held": "2026-05-01T14:02:00Z", "kept_here": true }],
    })
}

#[test]
fn a_key_that_is_made_has_its_first_address_and_the_words_are_for_a_terminal() {
    let done = || Some(keygen("done", Some(&"ab".repeat(32))));
    let agreed = || pairing("agreed", |_| {});
    let html = page_of(agreed(), done(), Some(kit(true, false)));
    assert!(html.contains("<span>bc1p</span>") && html.contains("/groups/abab"), "{html}");
    assert!(html.contains("roastery kit words <bdi>treasury</bdi>"), "{html}");
    assert!(!html.contains("data-ask"), "nothing on this page makes words: {html}");
    let html = page_of(agreed(), done(), Some(kit(true, true)));
    assert!(html.contains("leaves when 2 of the others") && html.contains("keeps the sealed kit"));
    assert!(!html.contains("kit words"), "{html}");
    let html = page_of(agreed(), done(), Some(kit(false, true)));
    assert!(html.contains("The host key has left this machine"), "{html}");
    let html = page_of(agreed(), Some(keygen("failed", None)), None);
    assert!(html.contains("The key was not made") && html.contains("href=\"/new\""), "{html}");
    is_harmless(&html);
}

#[test]
fn what_has_ended_says_why_and_ends_no_more() {
    let html = shown("ended", |pairing| pairing["ended"] = "the words differ: cleo".into());
    assert!(html.contains("nothing was made") && html.contains("the words differ: cleo"), "{html}");
    assert!(!html.contains("data-ask"), "{html}");
    assert!(shown("waiting", |_| {}).contains("/cancel\""));
}

#[test]
fn no_text_of_others_is_markup_or_turns_what_stands_around_it() {
    for place in ["/group", "/own", "/note", "/members/1/name", "/members/1/from"] {
        for state in ["offered", "waiting", "reaching", "comparing"] {
            let html = shown(state, |pairing| {
                pairing["words"] = json!(["canyon"]);
                pairing["members"][1]["used"] = 1_777_644_000.into();
                pairing["members"][1]["from"] = "192.0.2.44".into();
                *pairing.pointer_mut(place).unwrap() = HOSTILE.into();
            });
            // What is not shown in a state is not there at all.
            if html.contains("img src") {
                is_harmless(&html.replace(&format!("value=\"{}\"", escaped()), ""));
            }
        }
    }
    is_harmless(&shown("ended", |pairing| pairing["ended"] = HOSTILE.into()));
    let hostile = pairing("waiting", |pairing| pairing["group"] = HOSTILE.into());
    is_harmless(&new(&[from_value(hostile).unwrap()]).into_string());
}

/// The hostile text in an attribute: what is sent back to the node is the name as it is.
fn escaped() -> String {
    let html = html! { i title=(HOSTILE) {} }.into_string();
    html.strip_prefix("<i title=\"").unwrap().strip_suffix("\"></i>").unwrap().to_owned()
}

#[test]
fn the_form_of_a_new_group_and_that_of_a_line_send_nothing_by_themselves() {
    let html = new(&[]).into_string();
    assert!(html.contains("data-ask=\"/pairings\"") && html.contains("\"/pairings/join\""));
    assert!(!html.contains("is being founded"), "{html}");
    let open = from_value(pairing("waiting", |_| {})).unwrap();
    let over = from_value(pairing("ended", |_| {})).unwrap();
    let html = new(&[open, over]).into_string();
    assert!(html.contains("A group is being founded") && html.contains("has ended"), "{html}");
}
