//! Decisions, with what was shown.

use serde_json::json;

use crate::node::{SESSION, World, seen};

#[tokio::test]
async fn a_decision_goes_to_the_node_with_what_was_shown() {
    let world = World::new().await;
    let token = world.token().await;
    let page = world.call("GET", &format!("/fragment/requests/{SESSION}")).token(&token);
    let page = page.send().await;
    assert!(page.body.contains(&format!("data-seen=\"{}\"", seen(1))), "{page:?}");
    let approved = world.decide(&token, "approve", &json!({ "seen": seen(1) })).await;
    assert_eq!(approved.status, 200, "{approved:?}");
    assert!(approved.body.contains("You have approved it."), "{approved:?}");
    let reject = json!({ "seen": seen(1), "reason": "wrong invoice" });
    let rejected = world.decide(&token, "reject", &reject).await;
    assert!(rejected.body.contains("You have rejected it."), "{rejected:?}");
    let decided = world.played.decided.lock().unwrap();
    assert_eq!(
        *decided,
        [
            ("approve".to_owned(), json!({ "seen": seen(1) })),
            ("reject".to_owned(), json!({ "seen": seen(1), "note": "wrong invoice" })),
        ]
    );
}

#[tokio::test]
async fn what_has_changed_since_it_was_shown_is_shown_again_and_not_decided() {
    let world = World::new().await;
    let token = world.token().await;
    world.played.request.lock().unwrap()["seen"] = seen(2).into();
    for act in ["approve", "reject"] {
        let answer = world.decide(&token, act, &json!({ "seen": seen(1) })).await;
        assert_eq!(answer.status, 409, "{answer:?}");
        assert!(answer.body.contains("nothing was decided"), "{answer:?}");
        assert!(answer.body.contains(&format!("data-seen=\"{}\"", seen(2))), "{answer:?}");
    }
    assert!(world.played.decided.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_page_that_does_not_say_what_it_showed_decides_nothing() {
    let world = World::new().await;
    let token = world.token().await;
    for bad in ["", "1", &"g".repeat(64), &format!("{}&x=", seen(1))] {
        for act in ["approve", "reject"] {
            let answer = world.decide(&token, act, &json!({ "seen": bad })).await;
            assert_eq!(answer.status, 400, "{bad}: {answer:?}");
        }
    }
    assert_eq!(world.decide(&token, "approve", &json!({})).await.status, 400);
    assert!(world.played.decided.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_money_can_go_elsewhere_the_amount_that_leaves_has_to_be_typed() {
    let world = World::new().await;
    let token = world.token().await;
    world.played.request.lock().unwrap()["warnings"] =
        json!([{ "code": "change_of_others", "level": "stop", "text": "not ours" }]);
    for bad in ["", "yes", "0.12", "0.12001851", "12001850"] {
        let decision = json!({ "seen": seen(1), "typed": bad });
        let answer = world.decide(&token, "approve", &decision).await;
        assert_eq!(answer.status, 422, "{bad}: {answer:?}");
        assert!(answer.body.contains("Nothing was approved"), "{answer:?}");
    }
    assert!(world.played.decided.lock().unwrap().is_empty());
    let typed = json!({ "seen": seen(1), "typed": " 0.12001850 " });
    assert_eq!(world.decide(&token, "approve", &typed).await.status, 200);
    // A rejection needs no amount.
    assert_eq!(world.decide(&token, "reject", &json!({ "seen": seen(1) })).await.status, 200);
    assert_eq!(world.played.decided.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_stop_that_came_after_the_look_is_shown_and_asks_for_no_amount() {
    let world = World::new().await;
    let token = world.token().await;
    let mut request = world.played.request.lock().unwrap().clone();
    request["seen"] = seen(2).into();
    request["warnings"] = json!([{ "code": "change_of_others", "level": "stop", "text": "no" }]);
    *world.played.request.lock().unwrap() = request;
    // The node's own check is not what answers here.
    *world.played.compares.lock().unwrap() = false;
    let answer = world.decide(&token, "approve", &json!({ "seen": seen(1) })).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.body.contains("nothing was decided"), "{answer:?}");
    assert!(world.played.decided.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_decision_without_an_answer_is_not_said_to_be_undone() {
    let world = World::new().await;
    let token = world.token().await;
    for code in ["no_answer", "internal", "unrecorded", "a_newer_word"] {
        *world.played.problem.lock().unwrap() = Some(code);
        for act in ["approve", "reject"] {
            let answer = world.decide(&token, act, &json!({ "seen": seen(1) })).await;
            assert!(answer.body.contains("It is not known whether"), "{code}: {answer:?}");
            assert!(answer.body.contains("data-done=\"unknown\""), "{code}: {answer:?}");
            assert!(!answer.body.contains("Not done"), "{code}: {answer:?}");
        }
    }
    *world.played.problem.lock().unwrap() = Some("refused");
    let answer = world.decide(&token, "approve", &json!({ "seen": seen(1) })).await;
    assert!(answer.body.contains("Not done"), "{answer:?}");
    assert!(answer.body.contains("data-done=\"no\""), "{answer:?}");
}
