//! The socket of the process between people elsewhere and a node.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
};

use serde_json::{Value, json};

use crate::nodes::support::Group;

const ORIGIN: &str = "https://treasury.anna.example";

/// The status and the answer at this socket.
fn call(socket: &Path, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let content = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(content).unwrap_or(Value::Null))
}

#[test]
fn the_relay_reads_and_decides_nothing_that_no_passkey_has_signed_and_without_an_origin_is_none() {
    let group = Group::start("remote", 2, 2);
    let (own, relay) = (group.node(0).join("api.sock"), group.node(0).join("relay.sock"));
    assert!(!relay.exists(), "no one decides from elsewhere before an origin is set");
    let off = call(&own, "POST", "/v1/passkeys", &json!({ "name": "anna", "role": "operator" }));
    assert_eq!((off.0, &off.1["code"]), (409, &json!("not_ready")), "{off:?}");
    group.stop(0);
    group.edit(0, "[remote]", &format!("[remote]\norigin = \"{ORIGIN}\""));
    group.restart(0, &[]);

    let session = group.propose(1, "hello");
    group.request_in(0, &session, "proposed");
    let request = format!("/v1/requests/{session}");
    let (status, known) = call(&relay, "GET", &request, &Value::Null);
    assert_eq!((status, &known["state"]), (200, &json!("proposed")), "{known}");
    let (status, remote) = call(&relay, "GET", "/v1/remote", &Value::Null);
    assert_eq!((status, &remote["origin"]), (200, &json!(ORIGIN)));

    // What an operator does, it does not.
    let seen = known["seen"].as_str().unwrap();
    for (method, path, body) in [
        ("POST", format!("{request}/approve?seen={seen}"), json!({})),
        ("POST", format!("{request}/reject"), json!({ "note": "", "seen": seen })),
        ("POST", "/v1/passkeys".to_owned(), json!({ "name": "evil", "role": "operator" })),
        ("POST", "/v1/passkeys/keep".to_owned(), json!({ "fingerprint": "" })),
        ("POST", "/v1/tokens".to_owned(), json!({ "name": "evil", "role": "operator" })),
        ("POST", "/v1/stop".to_owned(), json!({})),
        ("GET", "/v1/backup".to_owned(), Value::Null),
        ("GET", "/v1/config".to_owned(), Value::Null),
        ("GET", "/v1/passkeys".to_owned(), Value::Null),
    ] {
        let (status, answer) = call(&relay, method, &path, &body);
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{path}: {answer}");
    }

    // What it hands on is right, or decides nothing.
    let sign_in = json!({ "act": "sign_in" });
    let (status, challenge) = call(&relay, "POST", "/v1/remote/challenges", &sign_in);
    assert_eq!((status, &challenge["site"]), (200, &json!("treasury.anna.example")), "{challenge}");
    let other = json!({
        "act": "approve",
        "about": { "passkey": "anna", "session": session, "seen": seen },
    });
    let (status, none) = call(&relay, "POST", "/v1/remote/challenges", &other);
    assert_eq!((status, &none["code"]), (403, &json!("forbidden")), "{none}");
    let signed = |ticket: &Value| {
        json!({
            "ticket": ticket, "credential": "01", "client_data": "7b7d",
            "authenticator_data": "00".repeat(37), "signature": "30",
        })
    };
    let of_other = json!("00".repeat(153));
    for (path, ticket) in [
        ("/v1/remote/decisions", &of_other),
        ("/v1/remote/decisions", &challenge["ticket"]),
        ("/v1/remote/sign-ins", &challenge["ticket"]),
        ("/v1/remote/sign-ins", &of_other),
    ] {
        let (status, answer) = call(&relay, "POST", path, &signed(ticket));
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{path}: {answer}");
    }
    for path in ["/v1/remote/enrolments", "/v1/remote/passkeys"] {
        let code = "qqqqqqqqqqqq";
        let body = match path {
            "/v1/remote/enrolments" => json!({ "code": code }),
            _ => json!({ "code": code, "client_data": "7b7d", "authenticator_data": "00" }),
        };
        let (status, answer) = call(&relay, "POST", path, &body);
        assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{path}: {answer}");
    }
    // At the node's own socket no one else's decisions are handed on.
    let (status, answer) = call(&own, "POST", "/v1/remote/challenges", &sign_in);
    assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{answer}");
    let (_, known) = call(&own, "GET", &request, &Value::Null);
    assert_eq!(known["state"], json!("proposed"));
}
