//! Who comes in, and what every request and answer must have.

use std::time::Duration;

use roastery_console::{Listeners, Notice};
use serde_json::json;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{
    http::PATIENCE,
    node::{SESSION, World, seen},
};

#[tokio::test]
async fn a_code_opens_the_console_once_and_without_a_token_no_page_is_given() {
    let mut world = World::new().await;
    let code = world.code();
    let act = format!("/requests/{SESSION}/approve");
    for (method, path) in [
        ("GET", "/fragment/"),
        ("GET", "/fragment/requests"),
        ("GET", "/events"),
        ("POST", act.as_str()),
    ] {
        let json = json!({ "seen": seen(1) });
        let bare = world.call(method, path).json(&json).send().await;
        assert_eq!(bare.status, 401, "{path}: {bare:?}");
        assert!(!bare.body.contains("anna"), "{bare:?}");
        let made_up = world.call(method, path).token(&"0".repeat(64)).json(&json).send().await;
        assert_eq!(made_up.status, 401, "{path}: {made_up:?}");
    }
    assert!(world.played.decided.lock().unwrap().is_empty());

    let entered = world.enter(&code).await;
    assert_eq!((entered.status, entered.body.len()), (200, 64), "{entered:?}");
    assert_eq!(world.notices.try_recv(), Ok(Notice::Entered));
    let page = world.call("GET", "/fragment/").token(&entered.body).send().await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("anna") && page.body.contains("No group yet"), "{page:?}");

    let again = world.enter(&code).await;
    assert_eq!(again.status, 403);
    assert!(again.body.contains("was used already"), "{again:?}");
    assert_eq!(world.notices.try_recv(), Ok(Notice::UsedAgain));
}

#[tokio::test]
async fn after_five_wrong_codes_the_right_one_opens_nothing_and_the_terminal_says_so() {
    let mut world = World::new().await;
    let code = world.code();
    for left in (0..5).rev() {
        assert_eq!(world.enter("aaaaaaaa").await.status, 403);
        assert_eq!(world.notices.try_recv(), Ok(Notice::WrongCode(left)));
    }
    let late = world.enter(&code).await;
    assert_eq!(late.status, 403);
    assert!(late.body.contains("Press Enter in the terminal"), "{late:?}");
    world.token().await;
}

#[tokio::test]
async fn what_comes_from_another_page_or_under_another_name_is_not_answered() {
    let world = World::new().await;
    let token = world.token().await;
    let act = format!("/requests/{SESSION}/approve");
    let decision = json!({ "seen": seen(1) });
    let elsewhere = format!("http://127.0.0.1:{}", world.port);
    let shared = format!("localhost:{}", world.port);
    for (name, value, status) in [
        ("host", "evil.example", 421),
        ("host", "localhost", 421),
        ("host", shared.as_str(), 421),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", elsewhere.as_str(), 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
    ] {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/app.js"),
            ("GET", "/fragment/"),
            ("GET", "/events"),
            ("POST", "/sessions"),
            ("POST", act.as_str()),
        ] {
            let call = world.call(method, path).token(&token).json(&decision);
            let answer = call.with(name, value).send().await;
            assert_eq!(answer.status, status, "{path} {name}: {value}: {answer:?}");
            if status == 421 {
                // Nothing tells another name that a console is here.
                assert_eq!(answer.body, "");
                assert_eq!(answer.header("content-security-policy"), None);
            }
        }
    }
    assert!(world.played.decided.lock().unwrap().is_empty());
    let own = format!("http://{}", world.host());
    let call = world.call("POST", &act).token(&token).json(&decision).with("origin", &own);
    assert_eq!(call.with("sec-fetch-site", "same-origin").send().await.status, 200);
}

#[tokio::test]
async fn every_answer_keeps_the_page_to_itself_and_sets_no_cookie() {
    let world = World::new().await;
    let token = world.token().await;
    let mut answers = Vec::new();
    for path in ["/", "/requests", "/nothing", "/app.js", "/app.css", "/icon.svg", "/events"] {
        answers.push(world.call("GET", path).send().await);
    }
    for path in ["/fragment/", "/fragment/nothing"] {
        answers.push(world.call("GET", path).token(&token).send().await);
    }
    answers.push(world.enter("aaaaaaaa").await);
    for answer in &answers {
        let policy = answer.header("content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{part}: {answer:?}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}: {answer:?}");
        }
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 404, 200, 200, 200, 401, 200, 404, 403]);
}

/// What the content policy allows is in files of the console, and they are small.
#[tokio::test]
async fn the_document_has_no_script_and_no_style_in_itself_and_its_files_name_no_other_place() {
    let world = World::new().await;
    let document = world.call("GET", "/").send().await.body;
    assert_eq!(document.matches("<script").count(), 3);
    assert!(document.contains("<script src=\"/files.js\" defer></script>"), "{document}");
    assert!(document.contains("<script src=\"/frames.js\" defer></script>"), "{document}");
    assert!(document.contains("<script src=\"/app.js\" defer></script>"), "{document}");
    for bad in ["style=", "<style", "onload", "onclick", "javascript:", "http:", "https:"] {
        assert!(!document.contains(bad), "{bad}: {document}");
    }
    let token = world.token().await;
    let page = world.call("GET", &format!("/fragment/requests/{SESSION}")).token(&token).send();
    let page = page.await.body;
    for bad in ["<script", "style=", "onclick", "javascript:"] {
        assert!(!page.contains(bad), "{bad}: {page}");
    }
    for path in ["/app.js", "/files.js", "/frames.js", "/app.css"] {
        let file = world.call("GET", path).send().await.body;
        assert!(file.len() <= 20_000, "{path}");
        let places = ["://", "eval(", "new Function", "document.write", "insertAdjacentHTML"];
        for bad in places {
            assert!(!file.contains(bad), "{path}: {bad}");
        }
    }
    let script = world.call("GET", "/app.js").send().await.body;
    assert_eq!(script.matches("innerHTML").count(), 1, "one place makes markup of a text");
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_json_or_has_more_than_the_page_sends_is_refused() {
    let world = World::new().await;
    let token = world.token().await;
    let act = format!("/requests/{SESSION}/reject");
    let call = || world.call("POST", &act).token(&token);
    let long = json!({ "seen": seen(1), "reason": "x".repeat(16 * 1024) });
    assert_eq!(call().json(&long).send().await.status, 413);
    let form = format!("seen={}", seen(1));
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(call().body(kind, &form).send().await.status, 415);
    let text = json!({ "seen": seen(1) }).to_string();
    assert_eq!(call().body("text/plain", &text).send().await.status, 415);
    assert_eq!(call().body("application/json", "{").send().await.status, 400);
    let more = json!({ "seen": seen(1), "revision": 1 });
    assert_eq!(call().json(&more).send().await.status, 400);
    let other = world.call("POST", &format!("/requests/{SESSION}/backup")).token(&token);
    assert_eq!(other.json(&json!({})).send().await.status, 404);
    assert!(world.played.decided.lock().unwrap().is_empty());
}

/// Whether a connection that has sent a request gets an answer.
async fn is_answered(stream: &mut TcpStream) -> bool {
    matches!(timeout(PATIENCE, stream.read_u8()).await.unwrap(), Ok(1..))
}

#[tokio::test]
async fn a_console_has_64_connections_and_one_that_ends_makes_room() {
    let world = World::new().await;
    let token = world.token().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut stream = world.call("GET", "/fragment/").token(&token).begin().await;
        // It is served, and stays open.
        assert!(is_answered(&mut stream).await);
        open.push(stream);
    }
    // It is closed without an answer.
    let mut refused = world.call("GET", "/fragment/").token(&token).begin().await;
    assert!(!is_answered(&mut refused).await);
    open.pop();
    let begun = std::time::Instant::now();
    while !is_answered(&mut world.call("GET", "/icon.svg").begin().await).await {
        assert!(begun.elapsed() < PATIENCE);
    }
}

/// Each user of the machine can open connections; a token has only the operator's page.
#[tokio::test]
async fn connections_without_a_token_make_room_and_keep_no_page_from_its_console() {
    let world = World::new().await;
    let token = world.token().await;
    let mut page = world.call("GET", "/fragment/").token(&token).begin().await;
    assert!(is_answered(&mut page).await);
    let mut open = Vec::new();
    for _ in 0..63 {
        let mut stream = world.call("GET", "/icon.svg").begin().await;
        assert!(is_answered(&mut stream).await);
        open.push(stream);
    }
    let mut another = world.call("GET", "/fragment/").token(&token).begin().await;
    assert!(is_answered(&mut another).await);
    let still_open = async |stream: &mut TcpStream| {
        let read = async { while stream.read(&mut [0; 4096]).await.unwrap() > 0 {} };
        timeout(Duration::from_millis(300), read).await.is_err()
    };
    assert!(still_open(&mut page).await);
    assert!(!still_open(&mut open[0]).await);
}

#[tokio::test]
async fn both_loopback_addresses_are_taken_and_a_port_in_use_is_refused() {
    let world = World::new().await;
    let (v4, v6) = (("127.0.0.1", world.port), ("::1", world.port));
    for address in [v4, v6] {
        let bound = TcpListener::bind(address).await;
        assert!(bound.is_err(), "{address:?}");
    }
    let error = Listeners::bind(Some(world.port)).await.unwrap_err().to_string();
    assert!(error.contains(&world.port.to_string()) && error.contains("--port"), "{error}");
}
