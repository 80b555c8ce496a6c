//! The API as programs see it: HTTP over the Unix socket, and over TCP with the token.

mod bounds;
mod listening;
mod roles;
mod users;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::{Value, json};

use crate::nodes::support::{Group, free_ports, until};

/// An answer: its status, its kind and its body.
#[derive(Debug)]
struct Answer {
    status: u16,
    kind: String,
    body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of a problem.
    #[track_caller]
    fn code(&self) -> String {
        assert_eq!(self.kind, "application/json", "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

/// Sends a request over a connection that is then closed.
fn ask(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).unwrap();
    // A node that refuses a body may close before it has read it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
    Answer { status, kind: kind.unwrap_or("").to_owned(), body: answer[end + 4..].to_vec() }
}

const JSON: &str = "content-type: application/json";

/// Posts a body to a node over its socket. Returns the status and the answer.
pub(super) fn post(group: &Group, node: usize, path: &str, body: &Value) -> (u16, Value) {
    let socket = UnixStream::connect(group.node(node).join("api.sock")).unwrap();
    let answer = ask(socket, "POST", path, &[JSON], body.to_string().as_bytes());
    (answer.status, answer.json())
}

struct Api {
    group: Group,
    tcp: u16,
    open: u16,
}

impl Api {
    /// A group whose first node listens everywhere.
    fn start(name: &str) -> Self {
        let group = Group::start(name, 2, 2);
        let tcp = free_ports(2);
        let open = tcp + 1;
        group.stop(0);
        let (api, observability) = (format!("127.0.0.1:{tcp}"), format!("127.0.0.1:{open}"));
        group.restart(
            0,
            &[("ROASTERY_API_LISTEN", &api), ("ROASTERY_OBSERVABILITY_LISTEN", &observability)],
        );
        Self { group, tcp, open }
    }

    fn local(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let socket = self.group.node(0).join("api.sock");
        ask(UnixStream::connect(socket).unwrap(), method, path, headers, body)
    }

    fn get(&self, path: &str) -> Answer {
        self.local("GET", path, &[], b"")
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.local("POST", path, &[JSON], body.to_string().as_bytes())
    }

    fn remote(&self, path: &str, headers: &[&str]) -> Answer {
        ask(self.connect(), "GET", path, headers, b"")
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.tcp)).unwrap()
    }

    fn open(&self, path: &str) -> Answer {
        ask(TcpStream::connect(("127.0.0.1", self.open)).unwrap(), "GET", path, &[], b"")
    }

    fn metrics(&self) -> String {
        String::from_utf8(self.get("/metrics").body).unwrap()
    }

    /// The header with a token of the first node.
    fn bearer(&self, file: &str) -> String {
        let token = fs::read_to_string(self.group.node(0).join(file)).unwrap();
        format!("authorization: Bearer {token}")
    }
}

/// Whether a value is what a schema describes: every field that must be there, and none that is not
/// described.
fn check(description: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        let schema = &description["components"]["schemas"][name];
        assert!(schema.is_object(), "{name} is not described");
        return check(description, schema, value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let null = |choice: &&Value| choice["type"] == "null";
        let choice = choices.iter().find(|choice| null(choice) == value.is_null());
        return check(description, choice.unwrap(), value, at);
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => panic!("{at}: no type in {schema}"),
        kind => vec![kind.clone()],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let described = kinds.iter().any(|one| one == kind || one == "number" && kind == "integer");
    assert!(described, "{at} is {value}, described as {schema}");
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        check(description, &schema["items"], item, &format!("{at}[{number}]"));
    }
    let Some(fields) = value.as_object() else { return };
    for field in schema["required"].as_array().into_iter().flatten() {
        assert!(fields.contains_key(field.as_str().unwrap()), "{at} lacks {field}");
    }
    for (name, field) in fields {
        let schema = &schema["properties"][name];
        assert!(schema.is_object(), "{at}.{name} is not described");
        check(description, schema, field, &format!("{at}.{name}"));
    }
}

#[test]
fn every_operation_is_described_and_answers_as_it_is_described() {
    let api = Api::start("described");
    let session = api.group.propose(0, "to look at");
    let description = api.get("/v1/openapi.json").json();
    let mut described: BTreeMap<(String, String), Value> = BTreeMap::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let key = (method.to_uppercase(), path.clone());
            described.insert(key, operation["responses"].clone());
        }
    }

    let invitation = fs::read_to_string(api.group.path("invitation.toml")).unwrap();
    let propose = json!({ "text": "by the API" });
    let fingerprint = json!({ "fingerprint": "0" });
    let none = json!({});
    let request = format!("/v1/requests/{session}");
    let timeline = format!("{request}/timeline");
    let (completed, signed) = (format!("{request}/psbt"), format!("{request}/signed"));
    let (approve, reject) = (format!("{request}/approve"), format!("{request}/reject"));
    let broadcast = format!("{request}/broadcast");
    let payment = json!({ "address": "bc1", "amount": "1" });
    let card = fs::read_to_string(api.group.node(0).join("card.toml")).unwrap();
    let card = json!({ "card": card });
    let rename = json!({ "name": "other" });
    let bar = json!({ "member": "none" });
    let acknowledge = json!({ "epoch": 1, "fingerprint": "0" });
    let passkey = json!({ "name": "anna", "role": "operator" });
    let word = json!({ "attempt": 1, "member": "ben", "word": "orbit" });
    let operations: &[(&str, &str, &str, &Value, u16)] = &[
        ("GET", "/v1/status", "/v1/status", &none, 200),
        ("GET", "/v1/kits", "/v1/kits", &none, 200),
        ("POST", "/v1/kits/{name}", "/v1/kits/local", &none, 409),
        ("POST", "/v1/kits/{name}/confirm", "/v1/kits/local/confirm", &json!({ "words": [] }), 409),
        ("GET", "/v1/kits/{name}/file", "/v1/kits/local/file", &none, 404),
        ("GET", "/v1/returns", "/v1/returns", &none, 200),
        ("POST", "/v1/returns", "/v1/returns", &json!({ "member": "none" }), 404),
        ("POST", "/v1/returns/{id}/cancel", "/v1/returns/0000000000000000/cancel", &none, 404),
        ("POST", "/v1/returns/join", "/v1/returns/join", &json!({ "line": "?" }), 422),
        ("POST", "/v1/returns/leave", "/v1/returns/leave", &none, 409),
        ("POST", "/v1/returns/words", "/v1/returns/words", &json!({ "words": "orbit" }), 422),
        ("GET", "/v1/pairings", "/v1/pairings", &none, 200),
        ("POST", "/v1/pairings", "/v1/pairings", &none, 422),
        ("POST", "/v1/pairings/join", "/v1/pairings/join", &json!({ "line": "?" }), 422),
        ("GET", "/v1/pairings/{id}", "/v1/pairings/0000000000000000", &none, 404),
        ("POST", "/v1/pairings/{id}/accept", "/v1/pairings/0000000000000000/accept", &none, 404),
        ("POST", "/v1/pairings/{id}/decline", "/v1/pairings/0000000000000000/decline", &none, 404),
        ("POST", "/v1/pairings/{id}/words", "/v1/pairings/0000000000000000/words", &word, 404),
        ("POST", "/v1/pairings/{id}/confirm", "/v1/pairings/0000000000000000/confirm", &none, 404),
        ("POST", "/v1/pairings/{id}/again", "/v1/pairings/0000000000000000/again", &none, 404),
        ("POST", "/v1/pairings/{id}/cancel", "/v1/pairings/0000000000000000/cancel", &none, 404),
        ("GET", "/v1/ceremonies", "/v1/ceremonies", &none, 200),
        ("POST", "/v1/ceremonies", "/v1/ceremonies", &json!({ "invitation": invitation }), 200),
        ("GET", "/v1/ceremonies/{name}", "/v1/ceremonies/other", &none, 404),
        ("POST", "/v1/ceremonies/{name}/begin", "/v1/ceremonies/other/begin", &fingerprint, 404),
        ("POST", "/v1/peers", "/v1/peers", &card, 409),
        ("POST", "/v1/groups/{name}/name", "/v1/groups/none/name", &rename, 404),
        ("POST", "/v1/groups/{name}/bar", "/v1/groups/local/bar", &bar, 404),
        ("POST", "/v1/groups", "/v1/groups", &none, 422),
        ("GET", "/v1/groups/{name}", "/v1/groups/local", &none, 200),
        ("GET", "/v1/groups/{name}/file", "/v1/groups/local/file", &none, 200),
        ("GET", "/v1/groups/{name}/recovery", "/v1/groups/local/recovery", &none, 200),
        ("POST", "/v1/groups/{name}/requests", "/v1/groups/local/requests", &propose, 200),
        (
            "POST",
            "/v1/groups/{name}/examine",
            "/v1/groups/local/examine",
            &json!({ "psbt": "none" }),
            422,
        ),
        ("GET", "/v1/requests", "/v1/requests?group=local&state=approved", &none, 200),
        ("GET", "/v1/requests/counts", "/v1/requests/counts?group=local", &none, 200),
        ("GET", "/v1/requests/{session}", &request, &none, 200),
        ("GET", "/v1/requests/{session}/timeline", &timeline, &none, 200),
        ("GET", "/v1/requests/{session}/psbt", &completed, &none, 409),
        ("GET", "/v1/requests/{session}/signed", &signed, &none, 409),
        ("POST", "/v1/requests/{session}/signed", &signed, &json!({ "psbt": "cHNidP8=" }), 409),
        ("POST", "/v1/requests/{session}/approve", &approve, &none, 200),
        ("POST", "/v1/requests/{session}/reject", &reject, &json!({ "note": "no" }), 200),
        ("GET", "/v1/requests/{session}/broadcast", &broadcast, &none, 409),
        ("POST", "/v1/requests/{session}/broadcast", &broadcast, &none, 409),
        ("GET", "/v1/wallets/{group}", "/v1/wallets/local", &none, 409),
        ("GET", "/v1/wallets/{group}/history", "/v1/wallets/local/history?limit=9", &none, 409),
        ("POST", "/v1/wallets/{group}/addresses", "/v1/wallets/local/addresses", &none, 409),
        (
            "POST",
            "/v1/wallets/{group}/transactions",
            "/v1/wallets/local/transactions",
            &payment,
            409,
        ),
        ("GET", "/v1/wallets/{group}/labels", "/v1/wallets/local/labels", &none, 409),
        (
            "POST",
            "/v1/wallets/{group}/labels",
            "/v1/wallets/local/labels",
            &json!({ "lines": "" }),
            409,
        ),
        ("GET", "/v1/changes", "/v1/changes", &none, 200),
        ("POST", "/v1/changes", "/v1/changes", &json!({ "plan": "none" }), 422),
        ("POST", "/v1/changes/card", "/v1/changes/card?seats=2", &none, 200),
        ("GET", "/v1/changes/{plan}", "/v1/changes/00000000", &none, 404),
        ("POST", "/v1/changes/{plan}/approve", "/v1/changes/00000000/approve", &fingerprint, 404),
        ("POST", "/v1/changes/{plan}/accept", "/v1/changes/00000000/accept", &fingerprint, 404),
        ("POST", "/v1/changes/{plan}/withdraw", "/v1/changes/00000000/withdraw", &none, 404),
        ("GET", "/v1/changes/log", "/v1/changes/log", &none, 200),
        ("GET", "/v1/keys", "/v1/keys", &none, 200),
        ("GET", "/v1/keys/{key}", "/v1/keys/local", &none, 200),
        ("POST", "/v1/keys/{key}/erase", "/v1/keys/local/erase", &json!({ "epoch": 0 }), 409),
        ("POST", "/v1/keys/{key}/keep", "/v1/keys/local/keep", &none, 409),
        ("POST", "/v1/keys/{key}/acknowledge", "/v1/keys/none/acknowledge", &acknowledge, 404),
        ("POST", "/v1/host-key/check", "/v1/host-key/check", &json!({ "host_key": "0" }), 422),
        ("GET", "/v1/evidence", "/v1/evidence", &none, 200),
        ("GET", "/v1/evidence/{id}", "/v1/evidence/00000000", &none, 404),
        ("GET", "/v1/log", "/v1/log?from=0&limit=10", &none, 200),
        ("GET", "/v1/log/export", "/v1/log/export?from=0&limit=10", &none, 200),
        ("GET", "/v1/log/cuts", "/v1/log/cuts", &none, 200),
        (
            "POST",
            "/v1/log/cut",
            "/v1/log/cut",
            &json!({ "before": 9, "sha256": "00".repeat(32) }),
            409,
        ),
        ("GET", "/v1/audit", "/v1/audit", &none, 200),
        ("GET", "/v1/audit/chain", "/v1/audit/chain", &none, 200),
        ("GET", "/v1/config", "/v1/config", &none, 200),
        ("GET", "/v1/tokens", "/v1/tokens", &none, 200),
        ("POST", "/v1/tokens", "/v1/tokens", &none, 422),
        ("POST", "/v1/tokens/{name}/revoke", "/v1/tokens/none/revoke", &none, 404),
        ("GET", "/v1/remote", "/v1/remote", &none, 200),
        ("GET", "/v1/passkeys", "/v1/passkeys", &none, 200),
        ("POST", "/v1/passkeys", "/v1/passkeys", &passkey, 409),
        ("POST", "/v1/passkeys/keep", "/v1/passkeys/keep", &fingerprint, 409),
        ("POST", "/v1/passkeys/end", "/v1/passkeys/end", &none, 200),
        ("POST", "/v1/passkeys/{name}/remove", "/v1/passkeys/none/remove", &none, 404),
        // What the relay hands on comes at a socket of its own.
        ("POST", "/v1/remote/challenges", "/v1/remote/challenges", &none, 403),
        ("POST", "/v1/remote/sign-ins", "/v1/remote/sign-ins", &none, 403),
        ("POST", "/v1/remote/decisions", "/v1/remote/decisions", &none, 403),
        ("POST", "/v1/remote/enrolments", "/v1/remote/enrolments", &none, 403),
        ("POST", "/v1/remote/passkeys", "/v1/remote/passkeys", &none, 403),
        ("GET", "/v1/hooks", "/v1/hooks", &none, 200),
        ("POST", "/v1/hooks/{name}/test", "/v1/hooks/none/test", &none, 404),
        ("GET", "/v1/backup", "/v1/backup", &none, 200),
        ("GET", "/v1/openapi.json", "/v1/openapi.json", &none, 200),
        ("GET", "/health", "/health", &none, 200),
        ("GET", "/ready", "/ready", &none, 200),
        ("GET", "/metrics", "/metrics", &none, 200),
        ("GET", "/v1/events", "", &none, 200),
        ("POST", "/v1/stop", "/v1/stop", &none, 200),
    ];
    until("the other one is there", || (api.get("/ready").status == 200).then_some(()));
    for &(method, template, path, body, status) in operations {
        let responses = described.remove(&(method.to_owned(), template.to_owned()));
        let responses = responses.unwrap_or_else(|| panic!("{method} {template} is not described"));
        // The stream of events does not end: it has a test of its own.
        if path.is_empty() {
            continue;
        }
        let answer = match method {
            "GET" => api.get(path),
            _ => api.post(path, body),
        };
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let content = responses[status.to_string()]["content"].as_object();
        let content = content.unwrap_or_else(|| panic!("{method} {template} has no {status}"));
        let (kind, media) = content.iter().next().unwrap();
        assert!(answer.kind.starts_with(kind), "{path}: {} is not {kind}", answer.kind);
        if kind == "application/json" && template != "/v1/openapi.json" {
            check(&description, &media["schema"], &answer.json(), path);
        }
    }
    assert!(described.is_empty(), "not tried: {described:?}");
}

#[test]
fn what_is_refused_has_the_code_that_the_manual_names() {
    let api = Api::start("codes");
    let session = api.group.propose(0, "to refuse");
    let sign = "/v1/groups/local/requests";
    let long = "x".repeat(1024 * 1024 + 1);
    let text = |text: &str| api.local("POST", sign, &[JSON], text.as_bytes());
    let keygen = "/v1/ceremonies/none/begin";
    let octets = ["content-type: application/octet-stream"];
    let answers = [
        (404, "not_found", api.get("/v1/groups/none")),
        (404, "not_found", api.get("/v1/requests/00000000")),
        (404, "not_found", api.get("/v1/nothing")),
        (404, "not_found", api.post(keygen, &json!({ "fingerprint": "" }))),
        (405, "invalid", api.local("DELETE", "/v1/status", &[], b"")),
        (400, "invalid", text("{")),
        (422, "invalid", text("{\"text\": 5}")),
        (422, "invalid", text("{\"text\": \"a\", \"other\": 1}")),
        (415, "invalid", api.local("POST", sign, &["content-type: text/plain"], b"{}")),
        (422, "invalid", api.post(sign, &json!({}))),
        (422, "invalid", api.post(sign, &json!({ "text": "a", "path": "0'" }))),
        (422, "invalid", api.post(sign, &json!({ "text": "a", "expires_in": 0 }))),
        (422, "invalid", api.post(sign, &json!({ "hashes": ["ab"] }))),
        (422, "invalid", api.post("/v1/ceremonies", &json!({ "invitation": "?" }))),
        (422, "invalid", api.local("POST", "/v1/groups", &octets, b"no recovery file")),
        (400, "invalid", api.get("/v1/log?from=x")),
        (400, "invalid", api.get("/v1/requests?sort=up")),
        (400, "invalid", api.get("/v1/groups/%ff")),
        (413, "too_large", api.local("POST", sign, &[JSON], long.as_bytes())),
        (413, "too_large", api.local("POST", "/v1/groups", &octets, long.as_bytes())),
        (403, "refused", api.post(sign, &json!({ "hashes": ["ab".repeat(32)] }))),
        (401, "unauthorized", api.remote("/v1/status", &[])),
    ];
    for (status, code, answer) in answers {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
        let line = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
    }
    api.group.approve(1, &session);
    api.group.request_in(0, &session, "signed");
    let again = api.post(&format!("/v1/requests/{session}/approve"), &json!({}));
    assert_eq!((again.status, again.json()["state"].as_str()), (200, Some("signed")));
    let rejected = api.post(&format!("/v1/requests/{session}/reject"), &json!({}));
    assert_eq!((rejected.status, rejected.code().as_str()), (409, "conflict"));
    let short = api.post(sign, &json!({ "text": "soon over", "expires_in": 1 })).json();
    let expired = until("it expires", || {
        let path = format!("/v1/requests/{}/approve", short["session"].as_str().unwrap());
        Some(api.post(&path, &json!({}))).filter(|answer| answer.status != 200)
    });
    assert_eq!((expired.status, expired.code().as_str()), (409, "expired"));
    fs::remove_file(api.group.node(0).join("host-key")).unwrap();
    let lacking = api.local("POST", "/v1/groups", &octets, b"");
    assert_eq!((lacking.status, lacking.code().as_str()), (409, "not_ready"));

    // Refusals are counted.
    let metrics = String::from_utf8(api.get("/metrics").body).unwrap();
    for code in ["not_found", "invalid", "too_large", "refused", "unauthorized", "expired"] {
        let counter = format!("roastery_api_refused_total{{reason=\"{code}\"}}");
        assert!(metrics.contains(&counter), "{counter} in\n{metrics}");
    }

    // The manual's table has these codes, and those that cannot be had in a test.
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
    let manual = fs::read_to_string(manual).unwrap();
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let table: BTreeMap<&str, &str> = rows.collect();
    for (code, statuses) in [
        ("not_found", "404"),
        ("ambiguous", "409"),
        ("invalid", "400, 405, 415, 422"),
        ("conflict", "409"),
        ("expired", "409"),
        ("refused", "403"),
        ("not_ready", "409"),
        ("busy", "503"),
        ("no_answer", "503"),
        ("too_large", "413"),
        ("unauthorized", "401"),
        ("forbidden", "403"),
        ("wrong_host", "403"),
        ("too_slow", "408"),
        ("too_many", "429, 503"),
        ("internal", "500"),
    ] {
        let row = table.get(code).unwrap_or_else(|| panic!("{code} is not in the manual"));
        assert!(row.starts_with(&format!("{statuses} |")), "{code}: {row}");
    }
}

#[test]
fn over_tcp_nothing_is_told_without_the_token() {
    let api = Api::start("token");
    let token = fs::read_to_string(api.group.node(0).join("api-token")).unwrap();
    let bearer = |token: &str| format!("authorization: Bearer {token}");
    let status = |headers: &[&str]| api.remote("/v1/status", headers).status;
    assert_eq!(status(&[]), 401);
    assert_eq!(status(&[&bearer("")]), 401);
    assert_eq!(status(&[&bearer(&token[1..])]), 401);
    assert_eq!(status(&[&bearer(&format!("{token}0"))]), 401);
    assert_eq!(status(&[&format!("authorization: Basic {token}")]), 401);
    assert_eq!(status(&[&bearer(&token)]), 200);
    for path in ["/health", "/metrics", "/v1/nothing", "/v1/openapi.json"] {
        assert_eq!(api.remote(path, &[]).status, 401, "{path}");
    }
}

#[test]
fn health_readiness_and_metrics_are_open_where_they_are_told_and_nothing_else_is() {
    let api = Api::start("open");
    assert_eq!(api.open("/health").json(), json!({ "ok": true, "problems": [] }));
    until("the other one is there", || (api.open("/ready").status == 200).then_some(()));
    let metrics = api.open("/metrics");
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.kind.starts_with("application/openmetrics-text"), "{}", metrics.kind);
    assert!(text.contains("roastery_member_reachable{") && text.ends_with("# EOF\n"), "{text}");
    for path in ["/v1/status", "/v1/requests", "/v1/backup", "/v1/openapi.json", "/"] {
        assert_eq!(api.open(path).status, 404, "{path}");
    }
    // Too few members are there: healthy, but not ready.
    api.group.stop(1);
    let unready =
        until("it is missed", || Some(api.open("/ready")).filter(|answer| answer.status == 503));
    let problem = "group local: 1 members can be reached and are not barred; 2 must sign";
    assert_eq!(unready.json(), json!({ "ok": false, "problems": [problem] }));
    assert_eq!(api.open("/health").status, 200);
}

#[test]
fn events_are_told_while_they_happen() {
    let api = Api::start("events");
    let mut stream = UnixStream::connect(api.group.node(0).join("api.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: node\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().starts_with("HTTP/1.1 200"));
    let kind = lines.find(|line| line.starts_with("content-type: ")).unwrap();
    assert_eq!(kind, "content-type: text/event-stream");

    let session = api.group.propose(0, "to watch");
    let mut events =
        lines.filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let mut kinds = Vec::new();
    // Each event is there before what follows from it is asked for.
    let approved = events.find(|event| event["kind"] == "approved").unwrap();
    assert_eq!((&approved["session"], &approved["group"]), (&json!(session), &json!("local")));
    api.group.approve(1, &session);
    for event in events {
        let kind = event["kind"].as_str().unwrap().to_owned();
        kinds.push(kind.clone());
        if kind == "signed" {
            break;
        }
    }
    assert!(kinds.contains(&"share-released".to_owned()), "{kinds:?}");
    assert_eq!(kinds.last().unwrap(), "signed");
}
