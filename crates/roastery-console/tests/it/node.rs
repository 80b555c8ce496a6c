//! A node that is played, and a console of it.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use roastery_console::{Console, Listeners, Notice};
use roastery_service::api::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::UnixListener,
    sync::{broadcast, mpsc},
    task::JoinHandle,
};

use crate::http::{Answer, Call};

/// The session of the request that the node knows.
pub(crate) const SESSION: &str = "5751555457515554575155545751555457515554575155545751555457515554";

/// What the node is made to say.
pub(crate) struct Played {
    pub(crate) request: Mutex<Value>,
    /// What was decided: the act, and what it named.
    pub(crate) decided: Mutex<Vec<(String, Value)>>,
    /// Whether it compares what was seen, as a node does.
    pub(crate) compares: Mutex<bool>,
    /// What it says of a transaction that it examines.
    pub(crate) examined: Mutex<Value>,
    /// The address of its group.
    pub(crate) address: Mutex<Value>,
    /// What it was asked to make, to sign or to send: the path, and the body.
    pub(crate) asked: Mutex<Vec<(String, Value)>>,
    /// The passkeys that it has.
    pub(crate) passkeys: Mutex<Vec<Value>>,
    /// The number of acts that it says it has recorded.
    pub(crate) acts: Mutex<u64>,
    /// What it answers to a decision instead.
    pub(crate) problem: Mutex<Option<&'static str>>,
    events: broadcast::Sender<String>,
}

/// A console and its node. They end with this.
pub(crate) struct World {
    pub(crate) played: Arc<Played>,
    pub(crate) console: Console,
    pub(crate) notices: mpsc::Receiver<Notice>,
    pub(crate) port: u16,
    folder: TempDir,
    node: Option<JoinHandle<()>>,
    serving: JoinHandle<()>,
}

pub(crate) fn seen(digit: u8) -> String {
    format!("{digit:02x}").repeat(32)
}

fn request() -> Value {
    json!({
        "session": SESSION, "group": "treasury", "subject": { "kind": "transaction" },
        "summary": { "pays": [], "more": 0, "warnings": [], "warning_count": 0 },
        "payment": {
            "txid": "a0", "outputs": [{ "amount": 12_000_000, "to": "bc1qto" }], "coins": 1,
            "spent": 12_001_850, "leaves": 12_001_850, "fee": 1_850, "fee_rate": 8,
            "virtual_size": 111,
        },
        "messages": [], "parts": [], "proposer": 1, "proposer_name": "bert",
        "since": "2026-05-01T14:02:00Z", "changed": "2026-05-01T14:02:00Z", "position": 1,
        "expiry": "2096-05-01T15:02:00Z", "revision": 0, "state": "proposed", "text": "",
        "progress": {
            "needed": 2, "members": 3, "approved_seats": 1, "approved": [], "refused": [],
            "can_succeed": true, "said": [],
        },
        "seen": seen(1), "warnings": [],
        "policy": { "allowed": true, "text": "", "by": "person" },
    })
}

fn status() -> Value {
    json!({
        "name": "anna", "peer": "own", "version": "0.1.0", "pid": 7,
        "now": "2026-05-01T14:14:00Z", "uptime_seconds": 1, "peers": [], "groups": [],
        "ceremonies": [], "warnings": [],
    })
}

fn routes(played: Arc<Played>) -> Router {
    Router::new()
        .route("/v1/status", get(async || Json(status())))
        .route("/health", get(async || Json(json!({ "ok": true, "problems": [] }))))
        .route("/v1/requests/counts", get(async || Json(json!({ "waiting": 1, "signing": 0 }))))
        .route("/v1/requests", get(async || Json(json!([]))))
        .route("/v1/requests/{session}", get(known))
        .route("/v1/requests/{session}/timeline", get(async || Json(json!([]))))
        .route("/v1/requests/{session}/{act}", post(decide))
        .route(
            "/v1/requests/{session}/signed",
            get(async || Json(json!({ "psbt": "cHNidP8=", "left": [] }))),
        )
        .route("/v1/wallets/{group}/transactions", post(make))
        .route("/v1/groups/{group}", get(group))
        .route("/v1/groups/{group}/examine", post(examine))
        .route("/v1/groups/{group}/requests", post(propose))
        .route("/v1/pairings", get(async || Json(json!([]))).post(pair))
        .route("/v1/pairings/join", post(pair))
        .route("/v1/pairings/{id}", get(async || Json(pairing("comparing"))))
        .route("/v1/pairings/{id}/{act}", post(pair))
        .route("/v1/ceremonies", get(async || Json(json!([]))))
        .route("/v1/events", get(events))
        .route("/v1/remote", get(remote))
        .route("/v1/remote/{what}", post(relayed))
        .route("/v1/evidence", get(async || Json(json!([]))))
        .route("/v1/audit", get(acts))
        .route("/v1/audit/chain", get(chain))
        .route("/v1/log/cuts", get(async || Json(cuts())))
        .with_state(played)
}

/// The group, with the address that the node is made to say.
async fn group(State(played): State<Arc<Played>>) -> Json<Value> {
    let address = played.address.lock().unwrap().clone();
    Json(json!({
        "name": "treasury", "id": "ab".repeat(32), "key_id": "cd".repeat(32), "epoch": 0,
        "seats": [0], "threshold": 2, "key": "02aa", "members": [], "reachable": 1,
        "address": address, "sessions": [], "pending": 0,
        "policy": { "section": "[policy]", "approval": "manual", "kinds": ["text"] },
    }))
}

async fn known(State(played): State<Arc<Played>>) -> Json<Value> {
    Json(played.request.lock().unwrap().clone())
}

async fn decide(
    State(played): State<Arc<Played>>,
    Path((_, act)): Path<(String, String)>,
    Query(query): Query<Value>,
    Json(body): Json<Value>,
) -> Response {
    let named = if act == "approve" { query } else { body };
    let request = played.request.lock().unwrap().clone();
    if let Some(code) = *played.problem.lock().unwrap() {
        let problem = json!({ "code": code, "message": "the node says why" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(problem)).into_response();
    }
    if *played.compares.lock().unwrap() && named["seen"] != request["seen"] {
        let problem = json!({ "code": "changed", "message": "it has changed", "request": request });
        return (StatusCode::CONFLICT, Json(problem)).into_response();
    }
    played.decided.lock().unwrap().push((act, named));
    Json(request).into_response()
}

/// A passkey with this fingerprint.
pub(crate) fn passkey(fingerprint: &str) -> Value {
    let made = "2026-05-01T14:02:00Z";
    json!({ "name": "anna", "role": "operator", "fingerprint": fingerprint, "made": made })
}

async fn remote(State(played): State<Arc<Played>>) -> Json<Value> {
    let passkeys = played.passkeys.lock().unwrap().clone();
    Json(json!({ "origin": "https://treasury.anna.example", "passkeys": passkeys }))
}

async fn relayed(
    State(played): State<Arc<Played>>,
    Path(what): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let answer = match what.as_str() {
        "challenges" => json!({
            "ticket": "75", "challenge": "00".repeat(32), "site": "treasury.anna.example",
            "credential": "01",
        }),
        "sign-ins" => passkey("1111"),
        _ => played.request.lock().unwrap().clone(),
    };
    played.asked(&what, body).unwrap_or_else(|| Json(answer).into_response())
}

/// The PSBT of a payment of 0.12 BTC, and that of any other.
pub(crate) const PSBT: &str = "cHNidP8=";
pub(crate) const OTHER_PSBT: &str = "cHNidP8A";

/// The address as which a text is signed.
pub(crate) const ADDRESS: &str = "bc1pgroup";

/// A transaction, as a node examines it.
fn examined() -> Value {
    json!({
        "psbt": PSBT, "report": "Leaves 0.12001850", "payment": request()["payment"],
        "warnings": [], "policy": { "allowed": true, "text": "", "by": "person" },
        "seen": seen(1),
    })
}

impl Played {
    /// What it shows of a transaction, if it is one.
    fn examined_of(&self, psbt: &Value) -> Option<Value> {
        let mut examined = self.examined.lock().unwrap().clone();
        if psbt == OTHER_PSBT {
            (examined["psbt"], examined["seen"]) = (OTHER_PSBT.into(), seen(9).into());
        } else if psbt != PSBT {
            return None;
        }
        Some(examined)
    }

    /// Notes what is asked, and returns the problem that is to be answered, if there is one.
    fn asked(&self, path: &str, body: Value) -> Option<Response> {
        self.asked.lock().unwrap().push((path.to_owned(), body));
        let code = (*self.problem.lock().unwrap())?;
        let mut problem = json!({ "code": code, "message": "request 57515554 pays the same" });
        if code == "conflict" {
            problem["request"] = self.request.lock().unwrap().clone();
        }
        Some((StatusCode::CONFLICT, Json(problem)).into_response())
    }
}

async fn make(State(played): State<Arc<Played>>, Json(body): Json<Value>) -> Response {
    let psbt = if body["amount"] == "0.12" { PSBT } else { OTHER_PSBT };
    let problem = played.asked("make", body);
    let made = json!({ "psbt": psbt, "txid": "a0", "report": "", "warnings": [] });
    problem.unwrap_or_else(|| Json(made).into_response())
}

async fn examine(State(played): State<Arc<Played>>, Json(body): Json<Value>) -> Response {
    let Some(examined) = played.examined_of(&body["psbt"]) else {
        let problem = json!({ "code": "invalid", "message": "<i>it is no PSBT</i>" });
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response();
    };
    Json(examined).into_response()
}

async fn propose(State(played): State<Arc<Played>>, Json(body): Json<Value>) -> Response {
    let mut request = played.request.lock().unwrap().clone();
    request["state"] = "approved".into();
    let seen = played.examined_of(&body["psbt"]).map(|examined| examined["seen"].clone());
    if body["text"].is_null() && seen != Some(body["seen"].clone()) {
        let problem = json!({ "code": "changed", "message": "it has changed" });
        return (StatusCode::CONFLICT, Json(problem)).into_response();
    }
    played.asked("propose", body).unwrap_or_else(|| Json(request).into_response())
}

/// A pairing in this state, of anna and bert, at anna's node.
fn pairing(state: &str) -> Value {
    let member = |name: &str, own: bool| {
        json!({
            "name": name, "own": own, "line": null, "used": null, "from": null, "entered": true,
            "declined": false, "reached": true, "revealed": true, "right": false, "compared": [],
        })
    };
    json!({
        "id": PAIRING, "invites": true, "state": state, "group": "treasury", "threshold": 2,
        "attempt": 1, "own": "anna", "members": [member("anna", true), member("bert", false)],
        "words": ["canyon", "orbit"], "ceremony": null, "ended": null, "note": "",
        "deadline": 1_777_730_000,
    })
}

/// The pairing that the node knows.
pub(crate) const PAIRING: &str = "0123456789abcdef";

/// What is done with a pairing. Of the words one is right, one is none, and all others are wrong.
async fn pair(
    State(played): State<Arc<Played>>,
    uri: axum::http::Uri,
    Json(body): Json<Value>,
) -> Response {
    let word = body["word"].as_str().map(str::to_owned);
    let problem = played.asked(uri.path(), body);
    let answer = match word.as_deref() {
        None => pairing("waiting"),
        Some(word) => {
            let (result, left, near) = match word {
                "drift" => ("right", 0, json!([])),
                "dirft" => ("not-in-list", 0, json!(["draft", "drift"])),
                "zoo" => ("wrong", 0, json!([])),
                _ => ("wrong", 2, json!([])),
            };
            let pairing = pairing("comparing");
            json!({ "result": result, "left": left, "near": near, "pairing": pairing })
        }
    };
    problem.unwrap_or_else(|| Json(answer).into_response())
}

fn cuts() -> Value {
    json!({ "begin": 0, "end": 0, "kept_since": "2026-05-01T14:02:00Z", "cuts": [] })
}

async fn acts(State(played): State<Arc<Played>>, Query(query): Query<Value>) -> Json<Value> {
    let count = *played.acts.lock().unwrap();
    let number = |name: &str| query[name].as_str().unwrap().parse::<u64>().unwrap();
    let (from, limit) = (number("from"), number("limit"));
    let shown = from..count.min(from.saturating_add(limit));
    let act = |number| {
        json!({
            "number": number, "time": "2026-05-01T14:02:00Z", "act": "asked", "group": "",
            "by": { "kind": "token", "name": "payout" }, "session": "", "seen": null,
            "text": format!("setting {number}"), "shares": 0, "before": "",
        })
    };
    let acts: Vec<Value> = shown.map(act).collect();
    Json(json!({ "acts": acts, "count": count, "hash": "77" }))
}

async fn chain(State(played): State<Arc<Played>>) -> Response {
    if let Some(code) = *played.problem.lock().unwrap() {
        let problem = json!({ "code": code, "message": "<b>it is computed for another</b>" });
        return (StatusCode::TOO_MANY_REQUESTS, Json(problem)).into_response();
    }
    let acts = *played.acts.lock().unwrap();
    Json(json!({ "acts": acts, "hash": "77" })).into_response()
}

async fn events(State(played): State<Arc<Played>>) -> Response {
    let mut events = played.events.subscribe();
    let lines = async_stream(async move || events.recv().await.ok());
    ([("content-type", "text/event-stream")], Body::from_stream(lines)).into_response()
}

fn async_stream(
    next: impl AsyncFnMut() -> Option<String>,
) -> impl futures_util::Stream<Item = Result<String, std::convert::Infallible>> {
    futures_util::stream::unfold(next, async |mut next| {
        let text = next().await?;
        Some((Ok(text), next))
    })
}

impl World {
    pub(crate) async fn new() -> Self {
        let played = Arc::new(Played {
            request: Mutex::new(request()),
            decided: Mutex::default(),
            compares: Mutex::new(true),
            examined: Mutex::new(examined()),
            address: Mutex::new(ADDRESS.into()),
            asked: Mutex::default(),
            passkeys: Mutex::new(vec![passkey("1111")]),
            acts: Mutex::default(),
            problem: Mutex::default(),
            events: broadcast::Sender::new(8),
        });
        let folder = tempfile::tempdir().unwrap();
        let listeners = Listeners::bind(None).await.unwrap();
        let port = listeners.port();
        let client = Client::new(folder.path().join("api.sock"));
        let (console, notices) = Console::new(client, port).unwrap();
        let served = console.clone();
        let serving = tokio::spawn(async move {
            let _ = served.serve(listeners).await;
        });
        let mut world = Self { played, console, notices, port, folder, node: None, serving };
        world.start_node();
        world
    }

    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("api.sock")
    }

    pub(crate) fn start_node(&mut self) {
        let socket = self.socket();
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(socket).unwrap();
        let routes = routes(self.played.clone());
        self.node = Some(tokio::spawn(async { axum::serve(listener, routes).await.unwrap() }));
    }

    pub(crate) fn stop_node(&mut self) {
        self.node.take().unwrap().abort();
        std::fs::remove_file(self.folder.path().join("api.sock")).unwrap();
    }

    /// The node tells an event.
    pub(crate) fn tell(&self) {
        let event = json!({
            "time": "2026-05-01T14:02:00Z", "group": "treasury", "session": "", "kind": "proposed",
            "text": "",
        });
        // Until the console listens.
        let _ = self.played.events.send(format!("event: proposed\ndata: {event}\n\n"));
    }

    /// A code from the terminal.
    pub(crate) fn code(&self) -> String {
        self.console.code().unwrap()
    }

    /// The name and the port of the console.
    pub(crate) fn host(&self) -> String {
        let address = self.console.address();
        address.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned()
    }

    /// Asks the console for this.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.port, method, path).with("host", &self.host())
    }

    pub(crate) async fn enter(&self, code: &str) -> Answer {
        self.call("POST", "/sessions").json(&json!({ "code": code })).send().await
    }

    /// A token of a session.
    pub(crate) async fn token(&self) -> String {
        let entered = self.enter(&self.code()).await;
        assert_eq!(entered.status, 200, "{entered:?}");
        entered.body
    }

    /// Decides, as the page does.
    pub(crate) async fn decide(&self, token: &str, act: &str, decision: &Value) -> Answer {
        let call = self.call("POST", &format!("/requests/{SESSION}/{act}"));
        call.token(token).json(decision).send().await
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.abort();
        if let Some(node) = &self.node {
            node.abort();
        }
    }
}
