//! A token that approves, and one that only reads.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Answer, Api, JSON, ask};
use crate::nodes::support::until;

#[test]
fn a_reader_sees_everything_that_is_no_act_and_does_nothing() {
    let api = Api::start("reader");
    let session = api.group.propose(1, "to look at");
    api.group.request(0, &session);
    let bearer = api.bearer("api-read-token");
    let read = |path: &str| api.remote(path, &[&bearer]);
    let act = |path: &str, body: &str| {
        ask(api.connect(), "POST", path, &[&bearer, JSON], body.as_bytes())
    };

    let description = read("/v1/openapi.json").json();
    let request = format!("/v1/requests/{session}");
    for (template, operations) in description["paths"].as_object().unwrap() {
        let path = template.replace("{name}", "local").replace("{session}", &session);
        let path = path.replace("{id}", "00000000");
        let (reads, acts) = (operations.get("get"), operations.get("post"));
        if acts.is_some() {
            let answer = act(&path, "{}");
            assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}");
        }
        // The stream of events does not end.
        if reads.is_some() && template != "/v1/events" {
            let answer = read(&path);
            // Secrets of the store, lines that let in who has them, what reads all records,
            // where secrets are, and passkeys that are being added.
            let acts = [
                "/v1/backup",
                "/v1/tokens",
                "/v1/audit/chain",
                "/v1/config",
                "/v1/hooks",
                "/v1/passkeys",
            ];
            let forbidden = acts.contains(&template.as_str())
                || template.starts_with("/v1/pairings")
                || template.starts_with("/v1/kits")
                || template.starts_with("/v1/returns");
            assert_eq!(answer.status == 403, forbidden, "{path}: {answer:?}");
        }
    }
    assert_eq!(read(&request).json()["state"], "proposed");
    assert_eq!(api.get(&request).json()["state"], "proposed");

    // The other token does what this one may not.
    let bearer = api.bearer("api-token");
    let path = format!("{request}/reject");
    let body = json!({ "note": "no" }).to_string();
    let rejected = ask(api.connect(), "POST", &path, &[&bearer, JSON], body.as_bytes());
    assert_eq!(rejected.json()["state"], "refused");
}

#[test]
fn a_node_whose_two_tokens_are_one_does_not_start() {
    let api = Api::start("one-token");
    api.group.stop(0);
    let folder = api.group.node(0);
    fs::copy(folder.join("api-token"), folder.join("api-read-token")).unwrap();
    let address = format!("127.0.0.1:{}", api.tcp);
    let said = api.group.run(0, &[("ROASTERY_API_LISTEN", &address)]);
    assert_eq!(said.status, 2, "{said:?}");
    assert!(said.err.contains("a reader could approve"), "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
}

/// What a program gets that calls the first node with this token.
fn with(api: &Api, token: &str, method: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("authorization: Bearer {token}");
    ask(api.connect(), method, path, &[&bearer, JSON], body.as_bytes())
}

fn token(api: &Api, arguments: &[&str]) -> String {
    api.group.tell(0, &[&["token", "add"], arguments].concat()).well().trim().to_owned()
}

/// Who has asked the first node for what.
fn acts(api: &Api) -> Vec<Value> {
    let lines = api.group.tell(0, &["audit", "--json"]).well();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn no_token_makes_or_types_the_words_of_a_kit_gets_its_file_or_a_line_to_return() {
    let api = Api::start("kit-tokens");
    let named = token(&api, &["payout", "--role", "operator", "--expires", "90d"]);
    let configured = fs::read_to_string(Path::new(&api.group.node(0)).join("api-token")).unwrap();
    for token in [named.as_str(), configured.trim()] {
        for (method, path, body) in [
            ("POST", "/v1/kits/local", ""),
            ("POST", "/v1/kits/local/confirm", r#"{"words":[]}"#),
            ("GET", "/v1/kits/local/file", ""),
            ("GET", "/v1/returns", ""),
            ("POST", "/v1/returns", r#"{"member":"node-1"}"#),
            ("POST", "/v1/returns/0000000000000000/cancel", ""),
            ("POST", "/v1/returns/join", r#"{"line":""}"#),
            ("POST", "/v1/returns/leave", ""),
            ("POST", "/v1/returns/words", r#"{"words":""}"#),
        ] {
            let answer = with(&api, token, method, path, body);
            assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}");
        }
        assert_eq!(with(&api, token, "GET", "/v1/kits", "").status, 200);
    }
    // The user of this machine is not refused for being one, and that the file was asked for is
    // recorded.
    assert_eq!(api.get("/v1/kits/local/file").status, 404);
    let last = acts(&api).pop().unwrap();
    assert_eq!(
        (&last["text"], &last["by"]["kind"]),
        (&json!("GET /v1/kits/local/file"), &json!("user"))
    );
}

/// Whether any file below a folder has this text in it.
fn is_in_a_file(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_in_a_file(&path, text),
            false => fs::read(&path)
                .is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes())),
        }
    })
}

#[test]
fn a_token_does_what_its_role_says_until_it_is_revoked_and_is_recorded_by_its_name() {
    let api = Api::start("tokens");
    let session = api.group.propose(1, "pay the rent");
    let seen = api.group.request(0, &session)["seen"].as_str().unwrap().to_owned();
    let payout = token(&api, &["payout", "--role", "operator", "--expires", "90d"]);
    let monitor = token(&api, &["monitor", "--role", "reader", "--expires", "never"]);
    let again = ["token", "add", "payout", "--role", "reader", "--expires", "1d"];
    let again = api.group.tell(0, &again);
    assert!(again.err.contains("there is a token \"payout\" already"), "{again:?}");
    // Its text is kept nowhere.
    assert!(!is_in_a_file(&api.group.node(0), &payout));

    let approve = format!("/v1/requests/{session}/approve?seen={seen}");
    assert_eq!(with(&api, &monitor, "GET", "/v1/status", "").status, 200);
    assert_eq!(with(&api, &monitor, "POST", &approve, "{}").code(), "forbidden");
    assert_eq!(with(&api, &payout, "POST", &approve, "{}").status, 200);
    api.group.request_in(1, &session, "signed");
    let last = acts(&api).pop().unwrap();
    assert_eq!(last["act"], "approved");
    assert_eq!(last["by"], json!({ "kind": "token", "name": "payout" }));
    assert_eq!((&last["session"], &last["seen"]), (&json!(session), &json!(seen)));
    assert_eq!(last["group"], "local");

    // What changes nothing is not recorded.
    with(&api, &payout, "POST", &format!("/v1/requests/{session}/signed"), "{}");
    assert_eq!(acts(&api).pop().unwrap(), last);

    // A token makes and revokes none.
    let new = json!({ "name": "other", "role": "operator" }).to_string();
    assert_eq!(with(&api, &payout, "POST", "/v1/tokens", &new).code(), "forbidden");
    let revoke = "/v1/tokens/monitor/revoke";
    assert_eq!(with(&api, &payout, "POST", revoke, "{}").code(), "forbidden");

    api.group.tell(0, &["backup", &api.group.path("backup")]).well();
    api.group.tell(0, &["token", "revoke", "payout"]).well();
    assert_eq!(with(&api, &payout, "GET", "/v1/status", "").status, 401);
    let listed = api.group.tell(0, &["token", "list"]).well();
    assert!(listed.starts_with("monitor ") && listed.lines().count() == 1, "{listed}");
    api.group.stop(0);
    let address = format!("127.0.0.1:{}", api.tcp);
    api.group.restart(0, &[("ROASTERY_API_LISTEN", &address)]);
    assert_eq!(with(&api, &payout, "GET", "/v1/status", "").status, 401);
    assert_eq!(with(&api, &monitor, "GET", "/v1/status", "").status, 200);

    let user = fs::metadata(api.group.node(0)).unwrap().uid().to_string();
    let of_user = acts(&api).into_iter().filter(|act| act["by"]["name"] == user.as_str());
    let texts: Vec<_> = of_user.map(|act| act["text"].as_str().unwrap().to_owned()).collect();
    let expected = [
        "token add: payout, operator",
        "token add: monitor, reader",
        "GET /v1/backup",
        "token revoke: payout",
    ];
    assert!(expected.iter().all(|text| texts.iter().any(|known| known == text)), "{texts:?}");
    assert_eq!(texts.last().unwrap(), "POST /v1/stop");
    let shown = api.group.tell(0, &["audit"]).well();
    let approved =
        format!("token payout  approved {} in local, as seen: {}", &session[..8], &seen[..8]);
    let (before, after) = shown.split_once(&approved).unwrap();
    // The share left after the approval.
    assert!(!before.contains(&session[..8]) && after.contains(&session[..8]), "{shown}");
    let checked = api.group.tell(0, &["audit", "--check"]).well();
    assert!(checked.contains("is whole"), "{checked}");
    // No share comes before an act that is not there.
    let beyond = api.group.tell(0, &["audit", "--from", "1000"]).well();
    assert!(beyond.starts_with("Hash of all") && beyond.lines().count() == 1, "{beyond}");
}

#[test]
fn a_token_that_is_revoked_before_the_body_has_come_does_nothing() {
    let api = Api::start("late-body");
    let session = api.group.propose(1, "pay the rent");
    api.group.request(0, &session);
    let payout = token(&api, &["payout", "--role", "operator", "--expires", "1h"]);
    let mut late = api.connect();
    late.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST /v1/requests/{session}/reject HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\
         authorization: Bearer {payout}\r\n{JSON}\r\ncontent-length: 2\r\n\r\n{{"
    );
    late.write_all(head.as_bytes()).unwrap();
    // The node has read the head when it takes a later one.
    assert_eq!(with(&api, &payout, "GET", "/v1/status", "").status, 200);
    std::thread::sleep(Duration::from_millis(500));
    api.group.tell(0, &["token", "revoke", "payout"]).well();
    late.write_all(b"}").unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(api.group.request(0, &session)["state"], "proposed");
}

#[test]
fn a_token_counts_until_its_end_and_a_stream_of_events_ends_with_its_token() {
    let api = Api::start("token-end");
    let made =
        api.post("/v1/tokens", &json!({ "name": "short", "role": "reader", "expires_in": 3 }));
    let short = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(with(&api, &short, "GET", "/v1/status", "").status, 200);
    let expired = || {
        let answer = with(&api, &short, "GET", "/v1/status", "");
        (answer.status == 401).then_some(())
    };
    until("the token to expire", expired);

    let add = ["watch", "--role", "reader", "--expires", "1h"];
    let watch = token(&api, &add);
    let mut stream = api.connect();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let call = format!(
        "GET /v1/events HTTP/1.1\r\nhost: node\r\nconnection: close\r\nauthorization: Bearer {watch}\r\n\r\n"
    );
    stream.write_all(call.as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    api.group.tell(0, &["token", "revoke", "watch"]).well();
    // Another token of the same name is not this one.
    token(&api, &add);
    // It ends without an event, and is kept alive as long as it does not.
    let (mut rest, until) = (Vec::new(), Instant::now() + Duration::from_secs(30));
    let mut bytes = [0; 4096];
    while let length @ 1.. = stream.read(&mut bytes).unwrap() {
        rest.extend(&bytes[..length]);
        let text = String::from_utf8_lossy(&rest);
        assert!(!text.contains("event:") && Instant::now() < until, "{text}");
    }
}
