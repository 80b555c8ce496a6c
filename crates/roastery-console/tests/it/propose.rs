//! Transactions that are examined, and proposed as they were shown.

use serde_json::{Value, json};

use crate::{
    http::Answer,
    node::{ADDRESS, OTHER_PSBT, PSBT, SESSION, World, seen},
};

fn group() -> String {
    "ab".repeat(32)
}

async fn post(world: &World, token: &str, path: &str, body: &Value) -> Answer {
    world.call("POST", path).token(token).json(body).send().await
}

async fn pay(world: &World, token: &str, body: &Value) -> Answer {
    post(world, token, &format!("/wallets/{}/pay", group()), body).await
}

/// The address of a draft of a payment.
async fn draft(world: &World, token: &str) -> String {
    let made = pay(world, token, &json!({ "address": "bc1qto", "amount": "0.12" })).await;
    assert_eq!(made.status, 200, "{made:?}");
    made.header("x-roastery-place").unwrap().to_owned()
}

async fn propose(world: &World, token: &str, draft: &str, decision: &Value) -> Answer {
    post(world, token, &format!("{draft}/propose"), decision).await
}

/// What the node was asked to do, in order.
fn asked(world: &World) -> Vec<String> {
    world.played.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
}

#[tokio::test]
async fn a_payment_is_made_and_shown_and_proposed_by_a_second_act_as_it_was_shown() {
    let world = World::new().await;
    let token = world.token().await;
    let draft = draft(&world, &token).await;
    assert_eq!(asked(&world), ["make"], "no member is asked for anything yet");
    let page = world.call("GET", &format!("/fragment{draft}")).token(&token).send().await;
    assert!(page.body.contains("0.12001850"), "{page:?}");
    assert!(page.body.contains(&format!("data-seen=\"{}\"", seen(1))), "{page:?}");
    assert_eq!(asked(&world), ["make"], "a look makes nothing anew");
    let done = propose(&world, &token, &draft, &json!({ "seen": seen(1) })).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(done.body.contains("The node sends it when it is signed."), "{done:?}");
    let place = format!("/requests/{SESSION}");
    assert_eq!(done.header("x-roastery-place"), Some(place.as_str()));
    assert_eq!(asked(&world), ["make", "propose"]);
    let what = world.played.asked.lock().unwrap()[1].1.clone();
    assert_eq!((&what["psbt"], &what["once"]), (&PSBT.into(), &true.into()), "{what}");
    assert_eq!((&what["seen"], &what["send"]), (&seen(1).into(), &true.into()), "{what}");

    // The same form once more, as from another window.
    let again = propose(&world, &token, &draft, &json!({ "seen": seen(1) })).await;
    assert!(again.body.contains("It was proposed before"), "{again:?}");
    assert_eq!(asked(&world).len(), 2, "nothing is asked for twice");
    let page = world.call("GET", &format!("/fragment{draft}")).token(&token).send().await;
    assert!(page.body.contains("This draft was proposed"), "{page:?}");
    assert!(!page.body.contains("<form"), "{page:?}");
}

#[tokio::test]
async fn what_has_changed_since_a_draft_was_shown_is_shown_anew_and_not_proposed() {
    let world = World::new().await;
    let token = world.token().await;
    let draft = draft(&world, &token).await;
    world.played.examined.lock().unwrap()["seen"] = seen(2).into();
    for stale in [seen(1), String::new(), "g".repeat(64)] {
        let answer = propose(&world, &token, &draft, &json!({ "seen": stale })).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        assert!(answer.body.contains("It has changed since it was shown"), "{answer:?}");
        assert!(answer.body.contains(&format!("data-seen=\"{}\"", seen(2))), "{answer:?}");
    }
    // What the node itself finds changed when it takes the proposal.
    *world.played.problem.lock().unwrap() = Some("changed");
    let answer = propose(&world, &token, &draft, &json!({ "seen": seen(2) })).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(asked(&world), ["make", "propose"]);
    // Another draft has another address, and one that is not kept proposes nothing.
    let gone = format!("/drafts/{}", "0".repeat(64));
    let answer = propose(&world, &token, &gone, &json!({ "seen": seen(2) })).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.body.contains("not kept any more"), "{answer:?}");
    assert_eq!(asked(&world).len(), 2);
}

#[tokio::test]
async fn a_draft_at_which_something_stops_is_proposed_with_the_amount_that_leaves_only() {
    let world = World::new().await;
    let token = world.token().await;
    let draft = draft(&world, &token).await;
    world.played.examined.lock().unwrap()["warnings"] =
        json!([{ "code": "spent_twice", "level": "stop", "text": "a coin" }]);
    for typed in ["", "0.12", "0.12001851", "12001850"] {
        let decision = json!({ "seen": seen(1), "typed": typed });
        let answer = propose(&world, &token, &draft, &decision).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.body.contains("Nothing was proposed"), "{answer:?}");
    }
    assert_eq!(asked(&world), ["make"]);
    let decision = json!({ "seen": seen(1), "typed": "0.12001850 " });
    assert_eq!(propose(&world, &token, &draft, &decision).await.status, 200);
}

#[tokio::test]
async fn a_payment_that_is_made_already_is_refused_with_a_link_to_the_other_request() {
    let world = World::new().await;
    let token = world.token().await;
    let first = draft(&world, &token).await;
    let link = format!("href=\"/requests/{SESSION}\"");
    *world.played.problem.lock().unwrap() = Some("conflict");
    let refused = pay(&world, &token, &json!({ "address": "bc1qto", "amount": "0.12" })).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("pays the same") && refused.body.contains(&link), "{refused:?}");
    // Another one has made it since this one was shown.
    let refused = propose(&world, &token, &first, &json!({ "seen": seen(1) })).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("pays the same") && refused.body.contains(&link), "{refused:?}");
    *world.played.problem.lock().unwrap() = None;
    let more =
        json!({ "address": "bc1qto", "amount": "0.12", "again": true, "coins": "aa:0\nbb:1" });
    let made = pay(&world, &token, &more).await;
    let place = made.header("x-roastery-place").unwrap().to_owned();
    propose(&world, &token, &place, &json!({ "seen": seen(1) })).await;
    let all = world.played.asked.lock().unwrap().clone();
    let [.., (_, make), (_, propose)] = &all[..] else { panic!("{all:?}") };
    assert_eq!((&make["again"], &make["inputs"]), (&true.into(), &json!(["aa:0", "bb:1"])));
    assert_eq!(propose["once"], false);
}

#[tokio::test]
async fn each_draft_proposes_its_own_transaction_and_is_what_was_shown_of_it() {
    let world = World::new().await;
    let token = world.token().await;
    let first = draft(&world, &token).await;
    let made = pay(&world, &token, &json!({ "address": "bc1qto", "amount": "0.5" })).await;
    let second = made.header("x-roastery-place").unwrap().to_owned();
    // What was seen of one draft says nothing of the other.
    let refused = propose(&world, &token, &first, &json!({ "seen": seen(9) })).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(asked(&world), ["make", "make"]);
    for (draft, seen, psbt) in [(&first, seen(1), PSBT), (&second, seen(9), OTHER_PSBT)] {
        let done = propose(&world, &token, draft, &json!({ "seen": seen })).await;
        assert_eq!(done.status, 200, "{done:?}");
        let (path, what) = world.played.asked.lock().unwrap().last().unwrap().clone();
        assert_eq!((&*path, &what["psbt"], &what["seen"]), ("propose", &psbt.into(), &seen.into()));
    }
}

#[tokio::test]
async fn an_address_without_an_amount_is_no_payment_of_everything() {
    let world = World::new().await;
    let token = world.token().await;
    for body in [
        json!({ "address": "bc1qto" }),
        json!({ "address": "bc1qto", "amount": " \n" }),
        json!({ "amount": "0.12" }),
        json!({}),
    ] {
        let refused = pay(&world, &token, &body).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.body.contains("an address and an amount"), "{refused:?}");
    }
    for bad in [json!({ "address": 1 }), json!({ "to": "bc1q" })] {
        assert_eq!(pay(&world, &token, &bad).await.status, 400, "{bad}");
    }
    assert_eq!(asked(&world), Vec::<String>::new());
}

#[tokio::test]
async fn a_psbt_is_read_and_proposed_and_is_not_sent_and_what_is_none_is_refused() {
    let world = World::new().await;
    let token = world.token().await;
    let path = format!("/wallets/{}/psbt", group());
    let read = async |psbt: &str| post(&world, &token, &path, &json!({ "psbt": psbt })).await;
    let refused = read("garbage").await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("&lt;i&gt;it is no PSBT"), "{refused:?}");
    assert_eq!(read(" ").await.status, 422);
    // What the node takes with all that stands beside it is taken, and no more.
    let most = 1023 * 1024 - json!({ "psbt": "" }).to_string().len();
    assert_eq!(read(&"A".repeat(most)).await.status, 422);
    let long = read(&"A".repeat(most + 1)).await;
    assert_eq!(long.status, 413, "{long:?}");
    assert!(long.body.contains("at most 1023 KiB"), "{long:?}");
    let taken = read(&format!("\n{PSBT}\n")).await;
    let draft = taken.header("x-roastery-place").unwrap().to_owned();
    let done = propose(&world, &token, &draft, &json!({ "seen": seen(1) })).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(asked(&world), ["propose"]);
    assert_eq!(world.played.asked.lock().unwrap()[0].1["send"], false);
    let saved = world.call("GET", &format!("/requests/{SESSION}/psbt")).token(&token).send().await;
    assert_eq!((saved.status, saved.body.as_str()), (200, PSBT));
}

#[tokio::test]
async fn a_proposal_without_an_answer_is_not_said_to_be_undone() {
    let world = World::new().await;
    let token = world.token().await;
    let draft = draft(&world, &token).await;
    for code in ["no_answer", "internal", "unrecorded", "a_newer_word"] {
        *world.played.problem.lock().unwrap() = Some(code);
        let answer = propose(&world, &token, &draft, &json!({ "seen": seen(1) })).await;
        assert!(answer.body.contains("data-done=\"unknown\""), "{code}: {answer:?}");
        assert!(!answer.body.contains("Not done"), "{code}: {answer:?}");
    }
}

#[tokio::test]
async fn without_a_token_or_from_another_page_nothing_is_made_and_nothing_is_proposed() {
    let world = World::new().await;
    let token = world.token().await;
    let draft = draft(&world, &token).await;
    let group = group();
    for (method, path) in [
        ("POST", format!("/wallets/{group}/pay")),
        ("POST", format!("/wallets/{group}/psbt")),
        ("POST", format!("/wallets/{group}/bump")),
        ("POST", format!("/groups/{group}/text")),
        ("POST", format!("{draft}/propose")),
        ("GET", format!("/fragment{draft}")),
        ("GET", format!("/requests/{SESSION}/psbt")),
    ] {
        let body = json!({ "seen": seen(1) });
        let bare = world.call(method, &path).json(&body).send().await;
        assert_eq!(bare.status, 401, "{path}: {bare:?}");
        let other = world.call(method, &path).token(&token).with("origin", "http://evil.example");
        assert_eq!(other.json(&body).send().await.status, 403, "{path}");
        let form = world.call(method, &path).token(&token);
        let form = form.body("application/x-www-form-urlencoded", "seen=1").send().await;
        assert!(method == "GET" || form.status == 415, "{path}: {form:?}");
    }
    assert_eq!(asked(&world), ["make"]);
}

#[tokio::test]
async fn a_psbt_comes_as_the_texts_of_its_bbqr_frames_and_what_is_wrong_with_them_is_said() {
    let world = World::new().await;
    let token = world.token().await;
    let path = format!("/wallets/{}/psbt", group());
    let paste = async |text: &str| post(&world, &token, &path, &json!({ "psbt": text })).await;
    // The bytes of `PSBT`, in two parts.
    let read = paste("\n B$HP02016274\n").await;
    assert_eq!(read.status, 422, "{read:?}");
    assert!(read.body.contains("Of 2 parts these are missing: 1."), "{read:?}");
    let long = paste("B$HP0201FF B$HP02007073 ").await;
    assert_eq!(long.status, 422, "what is joined is for the node to read: {long:?}");
    assert!(long.body.contains("it is no PSBT"), "{long:?}");
    let read = paste("B$HP020174FF B$HP0200707362 ").await;
    assert_eq!(read.status, 200, "{read:?}");
    let draft = read.header("x-roastery-place").unwrap();
    let page = world.call("GET", &format!("/fragment{draft}")).token(&token).send().await;
    assert!(page.body.contains("0.12001850"), "{page:?}");
    let hostile = paste("B$HP0200707362 B$<img>\u{202e}").await;
    assert!(hostile.body.contains("Text 2 is not a BBQr frame"), "{hostile:?}");
    assert!(!hostile.body.contains("<img"), "{hostile:?}");
    assert_eq!(asked(&world), Vec::<String>::new());
}

#[tokio::test]
async fn the_codes_of_a_request_have_a_page_of_their_own_which_needs_a_session() {
    let world = World::new().await;
    let path = format!("/fragment/psbt-codes/{SESSION}");
    assert_eq!(world.call("GET", &path).send().await.status, 401);
    let token = world.token().await;
    let page = world.call("GET", &path).token(&token).send().await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("cannot read the PSBT of the node"), "{page:?}");
    assert!(page.body.contains(&format!("data-file=\"/requests/{SESSION}/psbt\"")), "{page:?}");
    world.played.request.lock().unwrap()["state"] = "signed".into();
    let request = world.call("GET", &format!("/fragment/requests/{SESSION}")).token(&token).send();
    let request = request.await.body;
    for link in ["psbt-codes", "transaction-codes"] {
        assert!(request.contains(&format!("href=\"/{link}/{SESSION}\"")), "{request}");
    }
}

/// The address of a draft of a text.
async fn written(world: &World, token: &str, text: &str) -> String {
    let body = json!({ "text": text });
    let kept = post(world, token, &format!("/groups/{}/text", group()), &body).await;
    assert_eq!(kept.status, 200, "{kept:?}");
    kept.header("x-roastery-place").unwrap().to_owned()
}

#[tokio::test]
async fn a_text_is_shown_and_proposed_by_a_second_act_byte_for_byte() {
    let world = World::new().await;
    let token = world.token().await;
    let text = " We pay <b>nothing</b>.\n\n\u{202e}";
    let draft = written(&world, &token, text).await;
    let page = world.call("GET", &format!("/fragment{draft}")).token(&token).send().await.body;
    for shown in ["We pay &lt;b&gt;nothing", "\\u{202e}", "28 bytes in 3 lines", "Signed as"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let id = draft.strip_prefix("/drafts/").unwrap();
    assert!(page.contains(&format!("data-seen=\"{id}\"")), "{page}");
    assert_eq!(asked(&world), Vec::<String>::new(), "no member is asked for anything yet");
    let done = propose(&world, &token, &draft, &json!({ "seen": id })).await;
    assert_eq!(done.status, 200, "{done:?}");
    let place = format!("/requests/{SESSION}");
    assert_eq!(done.header("x-roastery-place"), Some(place.as_str()));
    let what = world.played.asked.lock().unwrap()[0].1.clone();
    assert_eq!(what["text"], text);
    for left_out in ["psbt", "hashes", "seen"] {
        assert!(what[left_out].is_null(), "{what}");
    }
    assert_eq!((&what["path"], &what["send"]), (&"0/0".into(), &false.into()), "{what}");
    let again = propose(&world, &token, &draft, &json!({ "seen": id })).await;
    assert!(again.body.contains("It was proposed before"), "{again:?}");
    assert_eq!(asked(&world), ["propose"]);
}

#[tokio::test]
async fn a_text_of_which_something_else_was_shown_is_not_proposed() {
    let world = World::new().await;
    let token = world.token().await;
    let draft = written(&world, &token, "first").await;
    let other = written(&world, &token, "second").await;
    let id = |draft: &str| draft.strip_prefix("/drafts/").unwrap().to_owned();
    for stale in [String::new(), seen(1), id(&other)] {
        let answer = propose(&world, &token, &draft, &json!({ "seen": stale })).await;
        assert_eq!(answer.status, 409, "{answer:?}");
    }
    *world.played.address.lock().unwrap() = "bc1pother".into();
    let answer = propose(&world, &token, &draft, &json!({ "seen": id(&draft) })).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    *world.played.address.lock().unwrap() = ADDRESS.into();
    assert_eq!(asked(&world), Vec::<String>::new());
    let done = propose(&world, &token, &other, &json!({ "seen": id(&other) })).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(world.played.asked.lock().unwrap()[0].1["text"], "second");
}

#[tokio::test]
async fn a_text_that_no_node_takes_makes_no_draft() {
    let world = World::new().await;
    let token = world.token().await;
    let path = format!("/groups/{}/text", group());
    let refused = async |text: &str, why: &str| {
        let answer = post(&world, &token, &path, &json!({ "text": text })).await;
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.body.contains(why), "{answer:?}");
    };
    refused("", "a text is needed").await;
    refused(&"\u{e4}".repeat(2049), "4098 bytes; at most 4096 are allowed").await;
    written(&world, &token, &"\u{e4}".repeat(2048)).await;
    *world.played.address.lock().unwrap() = Value::Null;
    refused("text", "derives no address").await;
}

#[tokio::test]
async fn a_higher_fee_is_shown_first_and_is_no_further_payment() {
    let world = World::new().await;
    let token = world.token().await;
    let path = format!("/wallets/{}/bump", group());
    let txid = "a0".repeat(32);
    let body = json!({ "txid": txid, "fee_rate": " 9 " });
    let made = post(&world, &token, &path, &body).await;
    assert_eq!(made.status, 200, "{made:?}");
    let asked_for = world.played.asked.lock().unwrap()[0].1.clone();
    assert_eq!((&asked_for["bump"], &asked_for["fee_rate"]), (&txid.into(), &"9".into()));
    for left_out in ["address", "amount"] {
        assert!(asked_for[left_out].is_null(), "{asked_for}");
    }
    let draft = made.header("x-roastery-place").unwrap();
    let page = world.call("GET", &format!("/fragment{draft}")).token(&token).send().await.body;
    assert!(page.contains("The node sends it when it is signed."), "{page}");
    assert!(!page.contains("makes the same payment"), "{page}");
    let done = propose(&world, &token, draft, &json!({ "seen": seen(9) })).await;
    assert_eq!(done.status, 200, "{done:?}");
    let what = world.played.asked.lock().unwrap()[1].1.clone();
    assert_eq!((&what["psbt"], &what["once"]), (&OTHER_PSBT.into(), &false.into()), "{what}");
    assert_eq!((&what["seen"], &what["send"]), (&seen(9).into(), &true.into()), "{what}");
    // Without a transaction nothing is made: to the node that would mean something else.
    let none = post(&world, &token, &path, &json!({ "txid": " ", "fee_rate": "9" })).await;
    assert_eq!(none.status, 422, "{none:?}");
    assert_eq!(asked(&world), ["make", "propose"]);
}
