//! The log, page by page, and the check of its chain.

use serde_json::json;

use crate::node::World;

#[tokio::test]
async fn the_log_is_read_page_by_page_from_its_end_to_its_beginning() {
    let world = World::new().await;
    let token = world.token().await;
    let mut page = "/log".to_owned();
    let empty = world.call("GET", "/fragment/log").token(&token).send().await;
    assert!(empty.body.contains("Nothing was asked of this node yet"), "{empty:?}");
    *world.played.acts.lock().unwrap() = 120;
    let mut shown = Vec::new();
    for left in [70, 20, 0] {
        let answer = world.call("GET", &format!("/fragment{page}")).token(&token).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let texts = answer.body.split("setting ").skip(1);
        shown.extend(texts.map(|rest| rest.split('<').next().unwrap().parse::<u64>().unwrap()));
        page = format!("/log?acts={left}&shares=0");
        let link = format!("href=\"{}\"", page.replace('&', "&amp;"));
        assert_eq!(answer.body.contains(&link), left > 0, "{answer:?}");
    }
    assert_eq!(shown, (0..120).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn the_chain_is_checked_when_a_person_asks_for_it_and_not_by_a_page() {
    let world = World::new().await;
    let token = world.token().await;
    *world.played.acts.lock().unwrap() = 3;
    let page = world.call("GET", "/fragment/log").token(&token).send().await;
    assert!(!page.body.contains("is whole"), "{page:?}");
    let check =
        async || world.call("POST", "/log/check").token(&token).json(&json!({})).send().await;
    let checked = check().await;
    assert_eq!(checked.status, 200, "{checked:?}");
    let said = "The chain of 3 acts and of the shares between them is whole: 77";
    assert!(checked.body.contains(said), "{checked:?}");
    *world.played.problem.lock().unwrap() = Some("too_many");
    let refused = check().await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("&lt;b&gt;it is computed for another"), "{refused:?}");
    let other = world.call("POST", "/log/check").json(&json!({})).send().await;
    assert_eq!(other.status, 401);
}
