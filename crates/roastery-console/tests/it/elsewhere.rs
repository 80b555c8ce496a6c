//! The console for people elsewhere: it reads with a session, and hands on what a passkey signed.

use roastery_console::{Listeners, RemoteConsole};
use roastery_service::api::Client;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    http::Call,
    node::{SESSION, World, seen},
};

/// The console for people elsewhere of a played node.
struct Elsewhere {
    world: World,
    port: u16,
    serving: JoinHandle<()>,
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Elsewhere {
    async fn new() -> Self {
        let world = World::new().await;
        let console = RemoteConsole::new(Client::new(world.socket())).await.unwrap();
        assert_eq!(console.origin(), "https://treasury.anna.example");
        let listeners = Listeners::bind(None).await.unwrap();
        let port = listeners.port();
        let serving = tokio::spawn(async move { console.serve(listeners).await });
        Self { world, port, serving }
    }

    fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.port, method, path).with("host", "treasury.anna.example")
    }

    /// The token of who has signed in.
    async fn token(&self) -> String {
        let entered = self.call("POST", "/sign-in").json(&signed("74")).send().await;
        assert_eq!(entered.status, 200, "{entered:?}");
        assert_eq!(entered.body.len(), 64);
        entered.body
    }
}

fn signed(ticket: &str) -> Value {
    json!({
        "ticket": ticket, "credential": "01", "client_data": "7b7d", "authenticator_data": "00",
        "signature": "30",
    })
}

#[tokio::test]
async fn without_a_session_nothing_is_read_and_no_decision_is_handed_on() {
    let elsewhere = Elsewhere::new().await;
    let act = format!("/requests/{SESSION}/approve");
    let challenge = format!("{act}/challenge");
    let token = elsewhere.token().await;
    for (method, path, body) in [
        ("GET", "/fragment/", json!({})),
        ("GET", "/fragment/requests", json!({})),
        ("POST", act.as_str(), signed("74")),
        ("POST", challenge.as_str(), json!({ "seen": seen(1) })),
    ] {
        for bad in ["", &"0".repeat(64)] {
            let call = elsewhere.call(method, path).token(bad).json(&body);
            let answer = call.send().await;
            assert_eq!(answer.status, 401, "{path}: {answer:?}");
        }
        for (name, value, status) in [
            ("host", "localhost", 421),
            ("host", "evil.example", 421),
            ("origin", "http://treasury.anna.example", 403),
            ("origin", "https://evil.example", 403),
            ("sec-fetch-site", "cross-site", 403),
        ] {
            let call = elsewhere.call(method, path).token(&token).json(&body);
            let answer = call.with(name, value).send().await;
            assert_eq!(answer.status, status, "{path} {name}: {value}: {answer:?}");
        }
    }
    assert!(
        elsewhere.world.played.asked.lock().unwrap().iter().all(|(path, _)| path == "sign-ins")
    );
}

#[tokio::test]
async fn a_browser_is_told_to_come_over_tls_alone() {
    let elsewhere = Elsewhere::new().await;
    for path in ["/", "/app.css", "/fragment/"] {
        let answer = elsewhere.call("GET", path).send().await;
        let told = answer.header("strict-transport-security");
        assert_eq!(told, Some("max-age=31536000"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_decision_is_handed_on_as_it_was_signed_and_no_act_goes_without() {
    let elsewhere = Elsewhere::new().await;
    let token = elsewhere.token().await;
    let post =
        |path: String, body: Value| elsewhere.call("POST", &path).token(&token).json(&body).send();
    let page = elsewhere.call("GET", &format!("/fragment/requests/{SESSION}")).token(&token);
    let page = page.send().await.body;
    assert!(page.contains("Approve with your passkey") && !page.contains("data-file"), "{page}");
    let act = format!("/requests/{SESSION}/approve");
    let made = post(format!("{act}/challenge"), json!({ "seen": seen(1) })).await;
    assert_eq!(made.status, 200, "{made:?}");
    let done = post(act.clone(), signed("75")).await;
    assert!(done.status == 200 && done.body.contains("You have approved it."), "{done:?}");
    let asked: Vec<_> = elsewhere.world.played.asked.lock().unwrap().clone();
    let wish = json!({
        "act": "approve",
        "about": { "passkey": "anna", "session": SESSION, "seen": seen(1) },
    });
    let expected = [
        ("sign-ins".to_owned(), signed("74")),
        ("challenges".to_owned(), wish),
        ("decisions".to_owned(), signed("75")),
    ];
    assert_eq!(asked, expected);
    // What decides in the local console is not there.
    let decision = json!({ "seen": seen(1), "typed": "", "reason": "" });
    assert_eq!(post(act, decision).await.status, 400);
    let group = "ab".repeat(32);
    for path in
        [format!("/wallets/{group}/pay"), format!("/groups/{group}/text"), "/log/check".to_owned()]
    {
        let answer = post(path.clone(), json!({})).await;
        assert!(
            answer.status == 405
                || answer.body.contains("#sign-in")
                || answer.body.contains("sign-in"),
            "{path}: {answer:?}"
        );
    }
    for path in ["/settings", &format!("/wallets/{group}"), &format!("/groups/{group}")] {
        let answer = elsewhere.call("GET", &format!("/fragment{path}")).token(&token).send().await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    assert!(elsewhere.world.played.decided.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_session_ends_when_its_passkey_is_removed() {
    let elsewhere = Elsewhere::new().await;
    let token = elsewhere.token().await;
    let page = || elsewhere.call("GET", "/fragment/").token(&token).send();
    assert_eq!(page().await.status, 200);
    elsewhere.world.played.passkeys.lock().unwrap().clear();
    let ended = page().await;
    assert!(ended.status == 401 && ended.body.contains("removed"), "{ended:?}");
    // Also when there is another one of its name.
    elsewhere.world.played.passkeys.lock().unwrap().push(crate::node::passkey("2222"));
    assert_eq!(page().await.status, 401);
}

#[tokio::test]
async fn every_answer_to_people_elsewhere_keeps_the_page_to_itself() {
    let elsewhere = Elsewhere::new().await;
    for path in ["/", "/remote.js", "/app.css", "/fragment/", "/nothing"] {
        let answer = elsewhere.call("GET", path).send().await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let script = elsewhere.call("GET", "/remote.js").send().await.body;
    assert_eq!(script.matches("innerHTML").count(), 1, "one place makes markup of a text");
    assert!(script.len() <= 20_000);
    for bad in ["://", "eval(", "new Function", "document.write", "insertAdjacentHTML"] {
        assert!(!script.contains(bad), "{bad}");
    }
    let document = elsewhere.call("GET", "/").send().await.body;
    for bad in ["style=", "<style", "onload", "onclick", "javascript:", "http:", "https:"] {
        assert!(!document.contains(bad), "{bad}: {document}");
    }
}
