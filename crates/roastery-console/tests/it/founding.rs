//! Founding a group: what the forms send, and what the node is asked for.

use serde_json::{Value, json};

use crate::{
    http::Answer,
    node::{PAIRING, World},
};

async fn post(world: &World, token: &str, path: &str, body: &Value) -> Answer {
    world.call("POST", path).token(token).json(body).send().await
}

/// What the node was asked for last: the path, and the body.
fn last(world: &World) -> (String, Value) {
    world.played.asked.lock().unwrap().last().cloned().unwrap()
}

fn asked(world: &World) -> usize {
    world.played.asked.lock().unwrap().len()
}

fn step(act: &str) -> String {
    format!("/pairings/{PAIRING}/{act}")
}

#[tokio::test]
async fn a_group_of_which_all_must_sign_is_begun_only_where_that_was_ticked() {
    let world = World::new().await;
    let token = world.token().await;
    let form = |threshold: &str, all: bool| json!({ "group": " treasury ", "others": "bert, cleo", "threshold": threshold, "all": all });
    for bad in ["3", "4", "x", "-1"] {
        let answer = post(&world, &token, "/pairings", &form(bad, false)).await;
        assert_eq!(answer.status, 422, "{bad}: {answer:?}");
    }
    let two = json!({ "group": "treasury", "others": "bert", "threshold": "", "all": false });
    let answer = post(&world, &token, "/pairings", &two).await;
    assert!(answer.body.contains("all 2 must sign"), "more than half of two are two: {answer:?}");
    assert_eq!(asked(&world), 0, "the node was asked for nothing");
    for (threshold, all, sent) in
        [("", false, Value::Null), ("2", false, 2.into()), ("3", true, 3.into())]
    {
        let answer = post(&world, &token, "/pairings", &form(threshold, all)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let place = format!("/pairings/{PAIRING}");
        assert_eq!(answer.header("x-roastery-place"), Some(place.as_str()));
        let others = json!(["bert", "cleo"]);
        let invite =
            json!({ "group": "treasury", "others": others, "threshold": sent, "minutes": null });
        assert_eq!(last(&world), ("/v1/pairings".to_owned(), invite));
    }
}

#[tokio::test]
async fn a_line_that_a_chat_has_broken_is_joined_and_an_empty_one_is_not_sent() {
    let world = World::new().await;
    let token = world.token().await;
    let answer = post(&world, &token, "/pairings/join", &json!({ "line": " \n" })).await;
    assert_eq!((answer.status, asked(&world)), (422, 0), "{answer:?}");
    let broken = json!({ "line": " roast1qqq\n  zzz " });
    let answer = post(&world, &token, "/pairings/join", &broken).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let whole = json!({ "line": "roast1qqqzzz" });
    assert_eq!(last(&world), ("/v1/pairings/join".to_owned(), whole));
}

#[tokio::test]
async fn a_word_is_right_wrong_with_tries_left_or_none_of_the_list() {
    let world = World::new().await;
    let token = world.token().await;
    let word = |word: &str| json!({ "attempt": "1", "member": "bert", "word": word });
    let say = async |text: &str| post(&world, &token, &step("words"), &word(text)).await;
    let right = say(" Drift ").await;
    let place = format!("/pairings/{PAIRING}");
    assert_eq!(right.header("x-roastery-place"), Some(place.as_str()), "{right:?}");
    let heard = json!({ "attempt": 1, "member": "bert", "word": "drift" });
    assert_eq!(last(&world), (format!("/v1{}", step("words")), heard));
    let wrong = say("orbit").await;
    assert!(wrong.body.contains("2 tries are left"), "{wrong:?}");
    assert!(wrong.header("x-roastery-place").is_none(), "{wrong:?}");
    let near = say("dirft").await;
    assert!(near.body.contains("draft or drift?") && near.body.contains("no try"), "{near:?}");
    // It has ended, which its page says.
    assert_eq!(say("zoo").await.header("x-roastery-place"), Some(place.as_str()));
    let before = asked(&world);
    assert_eq!(say(" ").await.status, 422);
    let unnumbered = json!({ "attempt": "", "member": "bert", "word": "drift" });
    assert_eq!(post(&world, &token, &step("words"), &unnumbered).await.status, 422);
    assert_eq!(asked(&world), before);
}

#[tokio::test]
async fn a_pairing_goes_on_by_acts_with_the_token_of_a_session_from_the_consoles_own_pages() {
    let world = World::new().await;
    let token = world.token().await;
    let none = json!({});
    for act in ["accept", "decline", "confirm", "cancel"] {
        let answer = post(&world, &token, &step(act), &none).await;
        assert_eq!(answer.status, 200, "{act}: {answer:?}");
        assert_eq!(last(&world), (format!("/v1{}", step(act)), Value::Null));
    }
    post(&world, &token, &step("again"), &json!({ "member": "cleo" })).await;
    assert_eq!(last(&world).1, json!({ "member": "cleo" }));

    let before = asked(&world);
    for path in ["/pairings", "/pairings/join", &step("accept"), &step("confirm"), &step("words")] {
        let without = world.call("POST", path).json(&none).send().await;
        assert_eq!(without.status, 401, "{path}");
        let elsewhere =
            world.call("POST", path).token(&token).with("origin", "https://evil.example");
        assert_eq!(elsewhere.json(&none).send().await.status, 403, "{path}");
        let site = world.call("POST", path).token(&token).with("sec-fetch-site", "cross-site");
        assert_eq!(site.json(&none).send().await.status, 403, "{path}");
    }
    for nowhere in [&step("kit"), "/pairings/0123/accept", "/pairings/zz23456789abcdef/accept"] {
        assert_eq!(post(&world, &token, nowhere, &none).await.status, 404, "{nowhere}");
    }
    let more = post(&world, &token, &step("accept"), &json!({ "yes": true })).await;
    assert_eq!(more.status, 400, "{more:?}");
    assert_eq!(asked(&world), before);
}

#[tokio::test]
async fn what_the_node_refuses_is_said_below_the_form_and_is_no_markup() {
    let world = World::new().await;
    let token = world.token().await;
    *world.played.problem.lock().unwrap() = Some("forbidden");
    let answer = post(&world, &token, &step("confirm"), &json!({})).await;
    assert!(answer.status >= 400 && answer.body.contains("class=\"bad\""), "{answer:?}");
    let page = world.call("GET", "/fragment/new").token(&token).send().await;
    assert_eq!(page.status, 200, "{page:?}");
    let page = format!("/fragment/pairings/{PAIRING}");
    let page = world.call("GET", &page).token(&token).send().await;
    assert!(page.body.contains("canyon"), "{page:?}");
}
