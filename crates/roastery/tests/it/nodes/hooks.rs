//! What a node tells through its hooks: programs that it runs, and a server that checks the
//! signature of what it gets.

mod receiver;
mod thousand;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::receiver::{Answer, Receiver, SECRET};
use crate::nodes::{
    api::post,
    support::{Group, free_ports, until},
};

/// A text of a member that would like to be something else.
const HOSTILE: &str = "-x\u{202e}{title}\u{7f} \u{200b}{body} $(touch hit) 'a' \"b\" `touch hit`";

/// Adds lines to a node's configuration, and starts the node again.
fn configure(group: &Group, node: usize, lines: &str) {
    group.stop(node);
    let path = group.node(node).join("roastery.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{lines}\n")).unwrap();
    group.restart(node, &[]);
}

/// A hook that runs a script in the node's folder.
fn command(name: &str, on: &str, detail: &str) -> String {
    format!(
        "[[hooks]]\nname = \"{name}\"\non = [{on}]\ndetail = \"{detail}\"\ncommand = [\"sh\", \"./{name}\", \"-t\", \"{{title}}\", \"-b\", \"{{body}}\"]\n"
    )
}

/// A hook that calls a server of this test.
fn webhook(group: &Group, node: usize, port: u16, on: &str) -> String {
    let path = group.node(node).join("ops.secret");
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[[hooks]]\nname = \"ops\"\non = [{on}]\nurl = \"http://127.0.0.1:{port}/hook\"\nsecret_file = \"ops.secret\"\n"
    )
}

/// A script that keeps what it gets: a line with the number of its arguments, one for each of them,
/// then the standard input, and the variables of its environment.
const KEEPS: &str = "env | cut -d= -f1 > variables; { echo $#; for word; do printf '%s\\n' \"$word\"; done; cat; echo; } >> told\n";

/// What a script of a node has kept: the title, the body and the message of each notice.
fn told(group: &Group, node: usize) -> Vec<(String, String, Value)> {
    let text = fs::read_to_string(group.node(node).join("told")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let each = lines.chunks_exact(6).map(|lines| {
        assert_eq!([lines[0], lines[1], lines[3]], ["4", "-t", "-b"], "{lines:?}");
        let message = serde_json::from_str(lines[5]).unwrap();
        (lines[2].to_owned(), lines[4].to_owned(), message)
    });
    each.collect()
}

fn hook(group: &Group, node: usize) -> Value {
    group.tell(node, &["hooks", "--json"]).json()[0].clone()
}

fn propose(group: &Group, node: usize, text: &str) -> String {
    let (status, answer) = post(group, node, "/v1/groups/local/requests", &json!({ "text": text }));
    assert_eq!(status, 200, "{answer}");
    answer["session"].as_str().unwrap().to_owned()
}

#[test]
fn a_program_is_told_what_waits_and_what_is_signed_and_hostile_words_reach_it_cleaned() {
    let group = Group::start("hook-words", 3, 2);
    fs::write(group.node(1).join("phone"), KEEPS).unwrap();
    configure(&group, 1, &command("phone", "\"request-waiting\", \"signed\"", "summary"));
    let session = propose(&group, 0, HOSTILE);
    let waits = until("the program is told", || told(&group, 1).pop());
    let (title, body, message) = &waits;
    assert_eq!(title, "Roastery: local: a request waits for you");
    assert!(body.starts_with(&format!("Request {}: ", &session[..8])), "{body}");
    for text in [title, body] {
        assert!(!text.chars().any(|c| c.is_control() || "\u{202e}\u{200b}".contains(c)), "{text}");
    }
    // As it stands there: nothing was put in or run.
    assert!(body.contains("{title}") && body.contains("$(touch hit)"), "{body}");
    assert!(!group.node(1).join("hit").exists());
    assert_eq!(message["type"], "request-waiting");
    assert_eq!(message["data"]["session"], session);
    assert_eq!(message["data"]["body"], *body);
    group.approve(1, &session);
    let all = until("the program is told", || Some(told(&group, 1)).filter(|all| all.len() == 2));
    assert_eq!(all[1].2["type"], "signed");
    assert_ne!(all[0].2["data"]["id"], all[1].2["data"]["id"]);
    // The node's passphrase and configuration stay here.
    let variables = fs::read_to_string(group.node(1).join("variables")).unwrap();
    assert!(!variables.contains("ROASTERY_") && variables.contains("PATH"), "{variables}");
    let status =
        until("it is counted", || Some(hook(&group, 1)).filter(|hook| hook["delivered"] == 2));
    assert_eq!((&status["waiting"], &status["failure"]), (&json!(0), &Value::Null), "{status}");
    let lines = group.tell(1, &["hooks"]).well();
    assert!(lines.contains("command sh") && lines.contains("2 told, the last one"), "{lines}");
    assert!(group.tell(1, &["hooks", "test", "phone"]).well().contains("has taken the test"));
    assert_eq!(told(&group, 1)[2].2["type"], "test");
    let absent = group.tell(1, &["hooks", "test", "none"]);
    assert!(absent.status == 2 && absent.err.contains("no hook \"none\""), "{absent:?}");
}

#[test]
fn a_message_to_a_server_is_signed_and_keeps_its_id_until_it_is_taken() {
    let group = Group::start("hook-signed", 2, 2);
    let port = free_ports(1);
    let receiver = Receiver::start(port, |number| match number {
        0 | 1 => Answer::Status(500),
        _ => Answer::Status(204),
    });
    configure(&group, 1, &webhook(&group, 1, port, "\"request-waiting\", \"signed\""));
    let session = propose(&group, 0, "to be told");
    let three = until("it is told", || Some(receiver.got()).filter(|got| got.len() == 3));
    for message in &three {
        message.check();
        assert_eq!(message.id, three[0].id);
        assert_eq!(message.body["data"]["session"], session);
        // Without detail it has no words of the request.
        assert!(!message.text.contains("to be told"), "{}", message.text);
    }
    assert!(three[2].at - three[0].at >= Duration::from_millis(2900), "1 s, then 2 s");
    group.approve(1, &session);
    let signed = until("it is told", || receiver.got().into_iter().nth(3));
    signed.check();
    assert_eq!(signed.body["type"], "signed");
    assert_ne!(signed.id, three[0].id);
    let metrics = |line: &str| {
        let socket = group.node(1).join("api.sock");
        let asked = std::process::Command::new("curl")
            .args(["-s", "--unix-socket", socket.to_str().unwrap(), "http://node/metrics"])
            .output();
        asked.is_ok_and(|asked| String::from_utf8_lossy(&asked.stdout).contains(line))
    };
    if std::process::Command::new("curl").arg("-V").output().is_ok() {
        until("it is measured", || {
            metrics("notifications_total{hook=\"ops\",outcome=\"delivered\"} 2").then_some(())
        });
        assert!(metrics("notifications_total{hook=\"ops\",outcome=\"failed\"} 2"));
        assert!(metrics("notifications_total{hook=\"ops\",outcome=\"dropped\"} 0"));
    }
}

#[test]
fn a_redirect_is_not_followed_and_one_that_hangs_is_left_after_ten_seconds() {
    let group = Group::start("hook-hangs", 2, 2);
    let port = free_ports(2);
    let elsewhere = Receiver::start(port + 1, |_| Answer::Status(200));
    let receiver = Receiver::start(port, move |number| match number {
        0 => Answer::Redirect(format!("http://127.0.0.1:{}/", port + 1)),
        _ => Answer::Hang,
    });
    let hangs = "echo $$ > pid; sleep 600 & echo $! >> pid; echo 'no\u{1b}[2J way' >&2; wait\n";
    fs::write(group.node(1).join("phone"), hangs).unwrap();
    let lines = [
        webhook(&group, 1, port, "\"operator-changed\""),
        command("phone", "\"operator-changed\"", "none"),
    ];
    configure(&group, 1, &lines.concat());
    let test = |name: &str| {
        let begun = Instant::now();
        let said = group.tell(1, &["hooks", "test", name]);
        assert_eq!(said.status, 1, "{said:?}");
        (said.out, begun.elapsed())
    };
    let (said, _) = test("ops");
    assert!(said.contains("answers 302: redirects are not followed"), "{said}");
    assert_eq!(elsewhere.got().len(), 0);
    let (said, time) = test("ops");
    assert!(said.contains("timeout") || said.contains("10 seconds"), "{said}");
    let near = Duration::from_secs(9)..Duration::from_secs(25);
    assert!(near.contains(&time), "{time:?}");
    assert_eq!(receiver.got().len(), 2);
    // A program that hangs is ended with all that it has started, and what it has said of it shown.
    let (said, time) = test("phone");
    assert!(said.contains("has not answered within 10 seconds (no\\u{1b}[2J way)"), "{said}");
    assert!(near.contains(&time), "{time:?}");
    for pid in fs::read_to_string(group.node(1).join("pid")).unwrap().lines() {
        until("the process is gone", || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let runs =
                stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['R', 'S', 'D']));
            (!runs).then_some(())
        });
    }
    // While a hook hangs the group signs, and the other hooks are told.
    group.tell(1, &["token", "add", "watch", "--role", "reader", "--expires", "never"]).well();
    let session = propose(&group, 0, "goes on");
    group.approve(1, &session);
    group.request_in(1, &session, "signed");
    let failing = until("the failure is shown", || {
        let hooks = group.tell(1, &["hooks", "--json"]).json();
        let all = hooks.as_array().unwrap().clone();
        all.iter().all(|hook| hook["failure"].is_object()).then_some(all)
    });
    assert!(failing.iter().all(|hook| hook["waiting"] == 1), "{failing:?}");
    let warnings = group.status(1)["warnings"].to_string();
    assert!(warnings.contains("hook ops has not taken"), "{warnings}");
}

#[test]
fn what_a_server_missed_is_told_after_the_node_was_killed_and_started_again() {
    let group = Group::start("hook-killed", 3, 2);
    let port = free_ports(1);
    configure(
        &group,
        1,
        &webhook(&group, 1, port, "\"request-waiting\", \"signed\", \"cannot-succeed\""),
    );
    let session = propose(&group, 0, "missed");
    let waiting = |count: u64| {
        until("it waits in the outbox", || {
            let hook = hook(&group, 1);
            (hook["waiting"] == count && hook["failure"].is_object()).then_some(())
        });
    };
    waiting(1);
    let second = propose(&group, 2, "missed too");
    waiting(2);
    // The deferred writes are on the disk 50 ms later.
    std::thread::sleep(Duration::from_millis(500));
    group.kill(1);
    group.restart(1, &[]);
    waiting(2);
    group.kill(1);
    let receiver = Receiver::start(port, |_| Answer::Status(200));
    group.restart(1, &[]);
    let got = until("both are told", || Some(receiver.got()).filter(|got| got.len() >= 2));
    got.iter().for_each(receiver::Received::check);
    let sessions: Vec<&Value> = got.iter().map(|got| &got.body["data"]["session"]).collect();
    assert_eq!(sessions, [&json!(session), &json!(second)], "in the order in which they came");
    // A request that is waiting still is told once.
    group.kill(1);
    group.restart(1, &[]);
    group.request(1, &session);
    // One that too many refuse cannot succeed, and one that is decided is not told to be waiting.
    for node in [0, 2] {
        group.request(node, &session);
        group.tell(node, &["reject", &session]).well();
    }
    let failed = until("it is told", || {
        receiver.got().into_iter().find(|got| got.body["type"] == "cannot-succeed")
    });
    assert_eq!(failed.body["data"]["session"], session);
    let count = |kind: &str| receiver.got().iter().filter(|got| got.body["type"] == kind).count();
    assert_eq!((count("request-waiting"), count("cannot-succeed")), (2, 1));
}

#[test]
fn a_member_that_is_missing_and_a_new_token_are_told_and_a_hook_that_is_gone_is_forgotten() {
    let group = Group::start("hook-gone", 3, 2);
    fs::write(group.node(0).join("phone"), KEEPS).unwrap();
    let on = "\"member-gone:2s\", \"operator-changed\"";
    configure(&group, 0, &command("phone", on, "summary"));
    until("the others are there", || {
        let group = &group.status(0)["groups"][0];
        let all = group["members"].as_array().unwrap().iter().all(|one| one["reachable"] == true);
        all.then_some(())
    });
    group.stop(2);
    let missing = until("it is told", || told(&group, 0).pop());
    assert_eq!(missing.2["type"], "member-gone");
    assert_eq!(missing.0, "Roastery: local: a member is missing");
    assert!(missing.1.contains("no connection for 2 s"), "{}", missing.1);
    let member = missing.2["data"]["member"].as_str().unwrap();
    assert!(!member.is_empty() && missing.1.starts_with(member), "{missing:?}");
    group.tell(0, &["token", "add", "payout", "--role", "reader", "--expires", "never"]).well();
    let token = until("it is told", || told(&group, 0).into_iter().nth(1));
    assert_eq!(token.2["type"], "operator-changed");
    assert!(token.1.contains("a new token: payout, reader"), "{}", token.1);
    // It is told once as long as it lasts.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told(&group, 0).len(), 2);
    // What waits for a hook goes with it.
    fs::write(group.node(0).join("phone"), "exit 1\n").unwrap();
    group.tell(0, &["token", "revoke", "payout"]).well();
    until("it fails", || hook(&group, 0)["failure"].is_object().then_some(()));
    group.stop(0);
    group.edit(0, "\n[[hooks]]\nname = \"phone\"", "\n[[hooks]]\nname = \"other\"");
    group.restart(0, &[]);
    let other = hook(&group, 0);
    assert_eq!((&other["name"], &other["waiting"]), (&json!("other"), &json!(0)), "{other}");
    group.stop(0);
    group.edit(0, "\n[[hooks]]\nname = \"other\"", "\n[[hooks]]\nname = \"phone\"");
    group.restart(0, &[]);
    assert_eq!(hook(&group, 0)["waiting"], 0, "it was dropped");
}

#[test]
fn a_secret_that_others_can_read_keeps_the_node_from_starting_and_says_why() {
    let group = Group::start("hook-secret", 2, 2);
    group.stop(0);
    let lines = webhook(&group, 0, 1, "\"signed\"");
    let path = group.node(0).join("roastery.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{lines}")).unwrap();
    let secret = group.node(0).join("ops.secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let said = group.run(0, &[]);
    assert_eq!(said.status, 2, "{said:?}");
    assert!(
        said.err.contains("hook ops: secret_file: ") && said.err.contains("chmod 0600"),
        "{said:?}"
    );
    assert!(!said.err.contains(&SECRET[6..]), "{said:?}");
    fs::write(&secret, "whsec_short\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let said = group.run(0, &[]);
    assert!(said.status == 2 && said.err.contains("24 to 64 bytes"), "{said:?}");
}

#[test]
fn what_is_decided_before_it_could_be_told_is_not_told_to_be_waiting() {
    let group = Group::start("hook-moot", 2, 2);
    fs::write(group.node(1).join("phone"), "exit 1\n").unwrap();
    configure(&group, 1, &command("phone", "\"request-waiting\", \"signed\"", "full"));
    let session = propose(&group, 0, "decided soon");
    until("it fails", || hook(&group, 1)["failure"].is_object().then_some(()));
    group.approve(1, &session);
    group.request_in(1, &session, "signed");
    fs::write(group.node(1).join("phone"), KEEPS).unwrap();
    let all = until("the program is told", || Some(told(&group, 1)).filter(|all| !all.is_empty()));
    let kinds: Vec<&Value> = all.iter().map(|(_, _, message)| &message["type"]).collect();
    assert_eq!(kinds, ["signed"]);
    // With all detail it has the request as the API has it.
    let request = &all[0].2["data"]["request"];
    assert_eq!((&request["session"], &request["state"]), (&json!(session), &json!("signed")));
    let status =
        until("it is counted", || Some(hook(&group, 1)).filter(|hook| hook["delivered"] == 1));
    assert_eq!((&status["waiting"], &status["given_up"]), (&json!(0), &json!(0)), "{status}");
}

/// A script that takes nothing until there is a file "go", and never what has this word in it.
const CHOOSES: &str = "read -r said; case $said in *poison*) exit 1;; esac\n[ -e go ] || exit 1\n\
    for word; do :; done; printf '%s\\n' \"$word\" >> taken\n";

fn taken(group: &Group, node: usize) -> Vec<String> {
    let text = fs::read_to_string(group.node(node).join("taken")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn words_that_a_receiver_refuses_are_left_out_and_hold_nothing_up() {
    let group = Group::start("hook-poison", 2, 2);
    fs::write(group.node(1).join("phone"), CHOOSES).unwrap();
    fs::write(group.node(1).join("go"), "").unwrap();
    configure(&group, 1, &command("phone", "\"request-waiting\"", "summary"));
    let first = propose(&group, 0, "poison");
    group.request(1, &first);
    let second = propose(&group, 0, "harmless");
    group.request(1, &second);
    let both = until("both are told", || Some(taken(&group, 1)).filter(|all| all.len() == 2));
    assert_eq!(both[0], format!("Request {}", &first[..8]));
    assert!(both[1].starts_with(&format!("Request {}: ", &second[..8])), "{both:?}");
    assert!(both[1].contains("harmless"), "{both:?}");
}

#[test]
fn a_test_that_succeeds_ends_the_pause_of_what_waits() {
    let group = Group::start("hook-again", 2, 2);
    fs::write(group.node(1).join("phone"), CHOOSES).unwrap();
    configure(&group, 1, &command("phone", "\"request-waiting\"", "none"));
    let session = propose(&group, 0, "look");
    group.request(1, &session);
    // The pause after the fourth failure is 8 s, and the next one 16 s.
    until("it is not taken", || hook(&group, 1)["failure"].is_object().then_some(()));
    std::thread::sleep(Duration::from_secs(16));
    fs::write(group.node(1).join("go"), "").unwrap();
    let begun = Instant::now();
    group.tell(1, &["hooks", "test", "phone"]).well();
    until("it is told", || (taken(&group, 1).len() == 2).then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn that_the_store_takes_nothing_is_told_from_memory() {
    let group = Group::start("hook-sick", 2, 2);
    let port = free_ports(1);
    let receiver = Receiver::start(port, |_| Answer::Status(200));
    configure(&group, 1, &webhook(&group, 1, port, "\"unhealthy\""));
    group.stop(1);
    group.restart_ignoring_file_limits(1);
    group.limit_files(1, "0");
    propose(&group, 0, "not kept there");
    let sick = until("it is told", || receiver.got().pop());
    sick.check();
    assert_eq!(sick.body["type"], "unhealthy");
    assert_eq!(sick.body["data"]["title"], "Roastery: the node does not do its work");
    assert!(!group.tell(1, &["health"]).out.contains("works"), "it is sick still");
    group.limit_files(1, "unlimited");
    until("it is well again", || (group.tell(1, &["health"]).status == 0).then_some(()));
    assert_eq!(receiver.got().len(), 1, "it is told once");
}
