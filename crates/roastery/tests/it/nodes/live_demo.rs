//! `roastery demo --console`: five members in one process, and the console of one of them.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::nodes::{
    console::{Console, seen_in},
    support::{fresh_folder, roastery, signal, until},
};

/// Asks the API of a member.
fn get(socket: &Path, path: &str) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn requests(socket: &Path, state: &str) -> Vec<Value> {
    get(socket, &format!("/v1/requests?state={state}")).as_array().unwrap().clone()
}

/// What is in a folder.
fn within(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_demo_signs_past_a_silent_coordinator_proves_a_fault_and_asks_the_user_in_the_console() {
    let folder = fresh_folder("live-demo");
    let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
    // What is set for the nodes of others changes nothing here.
    command.args(["demo", "--console", "--for", "600"]).env("ROASTERY_NAME", "none");
    command.env("TMPDIR", folder.as_os_str());
    let (mut console, code) = Console::run(command);
    let [made] = &within(&folder)[..] else { panic!("one folder for all") };
    let anna = made.join("anna/api.sock");

    // The coordinator says nothing, others coordinate, one of them is sent a bad share and proves
    // it, and then there is a signature without that member.
    let signed = until("a text is signed", || requests(&anna, "signed").pop());
    assert_eq!(signed["proposer_name"], "dora", "{signed}");
    let proofs = until("a fault is proven", || {
        Some(get(&anna, "/v1/evidence")).filter(|proofs| proofs[0].is_object())
    });
    assert_eq!((&proofs[0]["name"], &proofs[1]), (&Value::from("emil"), &Value::Null));
    let path = format!("/v1/requests/{}", signed["session"].as_str().unwrap());
    let signers = get(&anna, &path)["signers"].as_array().unwrap().clone();
    assert!(signers.len() == 3 && !signers.contains(&proofs[0]["accused"]), "{signers:?}");
    let steps = get(&anna, &format!("{path}/timeline"));
    let all = |what: &str| {
        let steps = steps.as_array().unwrap().iter();
        steps.filter(|step| step["what"] == what).cloned().collect::<Vec<Value>>()
    };
    // Which members a package asks first depends on the slots that are there by then.
    assert!(all("coordinates").iter().any(|step| step["who"] == "anna"), "{steps}");
    assert!(!all("package").is_empty(), "{steps}");
    // Without the silent member, the one proven faulty and the one that refuses, two are left: they
    // wait for the 4 s for which it is silent, less the way of the proposal.
    assert!(all("signed")[0]["ms"].as_u64().unwrap() >= 3000, "{steps}");
    let proven = all("proven");
    assert!(proven.len() == 1 && proven[0]["who"] == "emil", "{steps}");

    // The console shows all that, and takes the user's decision.
    let head = console.session(&code);
    let (status, page) = console.call("GET /fragment/evidence", &head, "");
    assert!(status == 200 && page.contains("emil"), "{page}");
    let payment = until("a payment waits", || {
        let mut waiting = requests(&anna, "proposed").into_iter();
        waiting.find(|request| request["subject"]["kind"] == "transaction")
    });
    let session = payment["session"].as_str().unwrap();
    let path = format!("/v1/requests/{session}");
    // Rules refuse it at one member and approve it at another one.
    until("cleo has refused", || {
        let progress = get(&anna, &path)["progress"].clone();
        (progress["refused"].to_string().contains("cleo")
            && progress["approved"].to_string().contains("bert"))
        .then_some(())
    });
    assert_eq!(get(&anna, &path)["state"], "proposed");
    until("the page's decision is taken", || {
        let (_, page) = console.call(&format!("GET /fragment/requests/{session}"), &head, "");
        let body = format!("{{\"seen\":\"{}\"}}", seen_in(&page));
        let approve = format!("POST /requests/{session}/approve");
        // 409: what was seen has changed on the way.
        (console.call(&approve, &head, &body).0 == 200).then_some(())
    });
    until("the payment is signed", || (get(&anna, &path)["state"] == "signed").then_some(()));

    signal("INT", console.process.id());
    let ended = until("the demo has ended", || console.process.try_wait().unwrap());
    assert!(ended.success(), "{ended:?}");
    assert_eq!(within(&folder), [] as [PathBuf; 0], "what it has made is removed");
}

#[test]
fn the_demo_with_a_console_ends_after_its_time_and_takes_no_options_of_the_other_demo() {
    let folder = fresh_folder("live-demo-ends");
    let mut command = Command::new(env!("CARGO_BIN_EXE_roastery"));
    command.args(["demo", "--console", "--for", "1"]).env("TMPDIR", folder.as_os_str());
    let (mut console, _) = Console::run(command);
    let ended = until("the demo has ended", || console.process.try_wait().unwrap());
    assert!(ended.success() && within(&folder).is_empty(), "{ended:?}");
    for more in [&["--signers", "7"][..], &["--json"], &["--offline", "1"]] {
        let said = roastery(&[&["demo", "--console"], more].concat(), &[]);
        assert!(said.status == 2 && said.out.is_empty(), "{said:?}");
    }
    let said = roastery(&["demo", "--for", "10"], &[]);
    assert!(said.status == 2 && said.err.contains("--console"), "{said:?}");
}
