//! A token that approves, and one that only reads.

use std::fs;

use serde_json::json;

use super::{Api, JSON, ask};

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
            // Secrets of the store, and lines that let in who has them.
            let forbidden = template == "/v1/backup" || template.starts_with("/v1/pairings");
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
