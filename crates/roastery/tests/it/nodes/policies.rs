//! What nodes sign without asking their operator.

use std::fs;

use serde_json::{Value, json};

use crate::nodes::support::{Group, until};

/// Stores the question, and refuses while there is a file called "no".
const COMMAND: &str = "cat > question.new; mv question.new question
[ -e no ] && echo 'not today' && exit 1
echo 'as you like'
";

#[test]
fn a_command_is_asked_and_approves_or_refuses_and_is_asked_again_while_signing() {
    let group = Group::start("command", 3, 3);
    let commanded = group.node(1);
    fs::write(commanded.join("approve"), COMMAND).unwrap();
    let policy =
        "approval = \"command\"\ncommand = [\"sh\", \"./approve\"]\ncommand_validity_seconds = 2";
    group.set_policy(1, policy);
    group.stop(1);
    group.restart(1, &[]);

    // It sees what is to be signed, and approves.
    let session = group.propose(0, "Shall we?");
    let approved = group.request_in(1, &session, "approved");
    assert_eq!(approved["text"], "the command allows it: as you like");
    let question: Value =
        serde_json::from_slice(&fs::read(commanded.join("question")).unwrap()).unwrap();
    assert_eq!(question["session"], session.as_str());
    assert_eq!(question["subject"]["text"], "Shall we?");
    assert_eq!(question["messages"][0]["message"], approved["messages"][0]["message"]);
    group.approve(2, &session);
    group.request_in(0, &session, "signed");
    assert_eq!(group.log(1, &session)[0]["policy"], "the command allows it: as you like");

    // It refuses before a share can leave, for all three must sign and one is down.
    group.stop(2);
    let undone = group.propose(0, "Really?");
    group.request_in(1, &undone, "approved");
    fs::write(commanded.join("no"), "").unwrap();
    let refused = group.request_in(1, &undone, "refused");
    assert_eq!(refused["text"], "the command refused: not today");
    // So this approval has no effect: it is given, and reports that where the refusal is known.
    group.restart(2, &[]);
    group.request(2, &undone);
    assert!(group.tell(2, &["approve", &undone, "--yes", "--wait", "0"]).status <= 1);
    group.request_in(2, &undone, "failed");
    assert_eq!(group.log(1, &undone).len(), 0);

    // It refuses from the beginning.
    let never = group.propose(0, "At all?");
    group.request_in(1, &never, "refused");
    let said = group.tell(1, &["approve", &never, "--yes"]);
    assert_eq!(said.status, 2);
    assert_eq!(said.err.trim(), "error: requests of this group are approved by a command");
}

#[test]
fn a_rejection_stands_though_the_command_says_yes_after_it() {
    let group = Group::start("overtaken", 2, 2);
    let commanded = group.node(1);
    // It reports that it was asked, and waits until the test lets it go on.
    let slow = "cat > /dev/null\n: > asked\nuntil [ -e go ]; do sleep 0.1; done\n: > answered\n";
    fs::write(commanded.join("approve"), slow).unwrap();
    group.set_policy(1, "approval = \"command\"\ncommand = [\"sh\", \"./approve\"]");
    group.stop(1);
    group.restart(1, &[]);

    let session = group.propose(0, "Quickly!");
    let there = |name: &'static str| commanded.join(name).exists().then_some(());
    until("the command is asked", || there("asked"));
    let rejected = group.tell(1, &["reject", &session]).well();
    assert!(rejected.contains("State         refused"), "{rejected}");
    fs::write(commanded.join("go"), "").unwrap();
    until("the command has answered", || there("answered"));
    // Time enough for an answer that would count.
    let waited = group.tell(0, &["approve", &session, "--yes", "--wait", "2"]);
    assert_eq!(waited.status, 1);
    assert_eq!(group.request(1, &session)["state"], "refused");
    assert_eq!(group.log(1, &session).len(), 0);
}

#[test]
fn rules_alone_approve_what_they_allow_and_so_many_in_an_hour() {
    let everything = [
        ("ROASTERY_POLICY_APPROVAL", "automatic"),
        ("ROASTERY_POLICY_KINDS", "[\"text\", \"hash\"]"),
    ];
    let group = Group::start_with("automatic", 2, 2, &everything);
    let hash = "ab".repeat(32);
    group.tell(0, &["sign", "--group", "local", "--hash", &hash]).well();

    group.stop(1);
    let strict = [
        ("ROASTERY_POLICY_APPROVAL", "automatic"),
        ("ROASTERY_POLICY_KINDS", "[\"text\"]"),
        // One was approved before the restart, which counts.
        ("ROASTERY_POLICY_MOST_PER_HOUR", "2"),
    ];
    group.restart(1, &strict);
    let sign = ["sign", "--group", "local", "--wait", "0", "--json", "--hash", &hash];
    let bare = group.tell(0, &sign).request()["session"].as_str().unwrap().to_owned();
    let refused = group.request_in(1, &bare, "refused");
    assert_eq!(refused["text"], "policy.kinds: this node does not sign a hash");
    group.tell(0, &["sign", "--group", "local", "--text", "the second"]).well();
    let third = group.propose(0, "the third");
    let refused = group.request_in(1, &third, "refused");
    let said = "policy.most_per_hour: 2 were signed within an hour or are approved and open; at most 2 may be";
    assert_eq!(refused["text"], said);
    // A node's own rules apply to its own proposals.
    let own = group.tell(1, &["sign", "--group", "local", "--hash", &hash]);
    assert_eq!(own.status, 2);
    assert_eq!(
        own.err.trim(),
        "error: refused by this node's policy: policy.kinds: this node does not sign a hash"
    );
}

#[test]
fn a_decision_names_what_was_seen_and_has_no_effect_on_anything_else() {
    let group = Group::start("seen", 2, 2);
    let session = group.propose(0, "Wait for it");
    let shown = group.request_in(1, &session, "proposed");
    let seen = shown["seen"].as_str().unwrap().to_owned();
    let policy = json!({ "allowed": true, "text": "", "by": "person" });
    assert_eq!((&shown["policy"], &shown["warnings"]), (&policy, &json!([])));
    let listed = group.tell(1, &["requests", "--json"]).json();
    assert_eq!(listed[0]["seen"], serde_json::Value::Null);

    let counts = |node| group.get(node, "/v1/requests/counts?group=local");
    assert_eq!(counts(1), json!({ "waiting": 1, "signing": 0 }));
    assert_eq!(counts(0), json!({ "waiting": 0, "signing": 1 }));
    // Another hash: nothing is decided, and the answer has the request as it is.
    let other = seen.replace(|digit: char| digit != '0', "0");
    for decision in ["approve", "reject"] {
        let said = group.tell(1, &[decision, &session[..8], "--seen", &other]);
        assert_eq!(said.status, 1, "{said:?}");
        assert!(said.err.contains("nothing was decided") && said.out.contains(&seen), "{said:?}");
    }
    let late = group.post(1, &format!("/v1/requests/{session}/approve?seen={other}"));
    assert_eq!((&late["code"], &late["request"]["seen"]), (&json!("changed"), &json!(seen)));
    let none = group.post(1, &format!("/v1/requests/{session}/approve?seen=12"));
    assert_eq!(none["code"], "invalid", "{none}");
    assert_eq!(group.request(1, &session)["state"], "proposed");

    // A rejection in between changes what is seen, and what was seen before approves nothing more.
    group.tell(1, &["reject", &session, "--seen", &seen]).well();
    let approve = |seen: &str| group.tell(1, &["approve", &session, "--wait", "0", "--seen", seen]);
    assert_eq!(approve(&seen).status, 1);
    assert_eq!(group.request(1, &session)["state"], "refused");
    assert_eq!(group.log(1, &session).len(), 0);
    let now = group.request(1, &session)["seen"].as_str().unwrap().to_owned();
    approve(&now).well();
    group.request_in(0, &session, "signed");
    assert_eq!(counts(0), json!({ "waiting": 0, "signing": 0 }));
}

#[test]
fn a_rejection_cancels_an_approval_that_is_under_way() {
    let group = Group::start("cancelled", 2, 2);
    let session = group.propose(0, "Wait for it");
    let seen = group.request_in(1, &session, "proposed");
    let revision = seen["revision"].as_u64().unwrap().to_string();
    group.tell(1, &["reject", &session]).well();
    // An approval that was asked for before the rejection, of the request as it was.
    let late = group.post(1, &format!("/v1/requests/{session}/approve?revision={revision}"));
    assert_eq!(late["code"], "conflict", "{late}");
    assert!(late["message"].as_str().unwrap().contains("is refused now"), "{late}");
    assert_eq!(group.request(1, &session)["state"], "refused");
    assert_eq!(group.log(1, &session).len(), 0);
    // The operator may approve the present request after all.
    group.approve(1, &session);
    group.request_in(0, &session, "signed");
}

#[test]
fn a_command_that_gives_no_answer_is_asked_again_and_stands_in_the_status() {
    let group = Group::start("silent", 2, 2);
    let commanded = group.node(1);
    group.set_policy(1, "approval = \"command\"\ncommand = [\"sh\", \"./approve\"]");
    group.stop(1);
    group.restart(1, &[]);
    fs::write(commanded.join("approve"), "echo 'no route to the oracle' >&2; exit 127\n").unwrap();
    let session = group.propose(0, "Is there a second?");
    until("the command gives no answer", || {
        let policy = group.status(1)["groups"][0]["policy"].clone();
        policy["problem"]
            .as_str()
            .is_some_and(|said| said.contains("no route to the oracle"))
            .then_some(())
    });
    assert_eq!(group.request(1, &session)["state"], "proposed");
    assert!(group.tell(1, &["status"]).well().contains("Policy      command, by [policy]"));
    fs::write(commanded.join("approve"), "echo 'it is back'\n").unwrap();
    group.request_in(0, &session, "signed");
    assert_eq!(group.log(1, &session)[0]["policy"], "the command allows it: it is back");
    assert_eq!(group.status(1)["groups"][0]["policy"]["problem"], Value::Null);
}

#[test]
fn what_a_limit_does_not_allow_is_refused_by_name_and_nothing_stays_proposed() {
    let group = Group::start("limited", 2, 2);
    let commanded = group.node(1);
    fs::write(commanded.join("approve"), "exit 0\n").unwrap();
    let policy = "approval = \"command\"\ncommand = [\"sh\", \"./approve\"]\nmost_per_hour = 1";
    group.set_policy(1, policy);
    group.stop(1);
    group.restart(1, &[]);
    let sessions: Vec<String> =
        (0..4).map(|number| group.propose(0, &format!("number {number}"))).collect();
    let state = |session: &String| group.request(1, session)["state"].clone();
    until("each is decided", || {
        let all: Vec<Value> = sessions.iter().map(state).collect();
        let signed = all.iter().filter(|state| **state == "signed").count();
        let refused = all.iter().filter(|state| **state == "refused").count();
        (signed == 1 && refused == 3).then_some(())
    });
    let refused = sessions.iter().find(|session| state(session) == "refused").unwrap();
    let text = group.request(1, refused)["text"].clone();
    assert!(text.as_str().unwrap().starts_with("policy.most_per_hour: 1 were signed"), "{text}");
    // Signed ones count after a restart.
    group.stop(1);
    group.restart(1, &[]);
    let late = group.propose(0, "after the restart");
    group.request_in(1, &late, "refused");
}

#[test]
fn what_the_rules_refuse_for_what_it_is_is_not_kept_as_it_was_shown() {
    let group = Group::start("unkept", 2, 2);
    group.set_policy(1, "kinds = [\"hash\"]");
    group.stop(1);
    group.restart(1, &[]);
    let long = "long ".repeat(100);
    let session = group.propose(0, &long);
    group.request_in(1, &session, "refused");
    let kept = until("it is not kept", || {
        let kept = group.request(1, &session);
        (kept["subject"]["kind"] == "hash").then_some(kept)
    });
    assert_eq!(kept["subject"]["text"], Value::Null);
    assert_eq!(kept["text"], "policy.kinds: this node does not sign a text");
    // A subject that is no longer shown is not approved as if it were.
    let said = group.tell(1, &["approve", &session, "--yes"]);
    assert_eq!(said.status, 2, "{said:?}");
    assert!(said.err.contains("propose it anew"), "{said:?}");
}

#[test]
fn what_the_operator_has_rejected_is_left_to_the_operator_under_another_id() {
    let group = Group::start("twin", 3, 3);
    let policy = "approval = \"automatic\"\nkinds = [\"text\"]";
    group.set_policy(1, policy);
    group.stop(1);
    group.restart(1, &[]);
    let session = group.propose(0, "the same");
    group.request_in(1, &session, "approved");
    group.tell(1, &["reject", &session]).well();
    let left = |session: &str| {
        let twin = group.propose(0, "the same");
        let waits = group.request_in(1, &twin, "proposed");
        let text = format!(
            "signs what this node's operator has rejected as request {}: only the operator may approve it",
            &session[..8]
        );
        assert_eq!(waits["text"], text);
        twin
    };
    left(&session);
    // It is known after a restart too, also if another approver decides.
    fs::write(group.node(1).join("approve"), "cat > /dev/null\n: > asked\n").unwrap();
    group.stop(1);
    group.edit(1, policy, "approval = \"command\"\ncommand = [\"sh\", \"./approve\"]");
    group.restart(1, &[]);
    let twin = left(&session);
    assert!(!group.node(1).join("asked").exists());
    // Something else is signed as before.
    let other = group.propose(0, "something else");
    group.request_in(1, &other, "approved");
    // The operator may approve it after all.
    group.approve(1, &twin);
    group.approve(2, &twin);
    group.request_in(0, &twin, "signed");
}

#[test]
fn a_limit_holds_for_what_was_approved_before_it_and_keeps_its_share_here() {
    let group = Group::start("stricter", 3, 3);
    // All three must sign: no share leaves while one is down.
    group.stop(2);
    let sessions = ["the first", "the second"].map(|text| group.propose(0, text));
    for session in &sessions {
        group.approve(1, session);
        group.request_in(1, session, "approved");
    }
    group.stop(1);
    group.set_policy(1, "most_per_hour = 1");
    group.restart(1, &[]);
    group.restart(2, &[]);
    for session in &sessions {
        group.request(2, session);
        // The one over the limit has no effect, and reports that.
        group.tell(2, &["approve", session, "--yes", "--wait", "0"]);
    }
    let state = |session: &String| group.request(1, session)["state"].clone();
    let refused = until("one is signed and the other one refused", || {
        let refused = sessions.iter().find(|session| state(session) == "refused")?;
        sessions.iter().any(|session| state(session) == "signed").then_some(refused)
    });
    let text = group.request(1, refused)["text"].clone();
    assert!(text.as_str().unwrap().starts_with("policy.most_per_hour: 1 were signed"), "{text}");
    let shares = |session: &String| group.log(1, session).len();
    assert!(sessions.iter().map(shares).sum::<usize>() > 0);
    assert_eq!(shares(refused), 0);
    group.request_in(0, refused, "failed");
}

#[test]
fn bare_hashes_and_the_text_behind_them_are_decided_each_for_itself() {
    let kinds = [("ROASTERY_POLICY_KINDS", "[\"text\", \"hash\"]")];
    let group = Group::start_with("hidden", 2, 2, &kinds);
    // The text first, so that its hash is known; the hash is decided first.
    let both = |text: &str| {
        let shown = group.propose(0, text);
        let messages = group.request(0, &shown)["messages"].clone();
        let hash = messages[0]["message"].as_str().unwrap().to_owned();
        let sign = ["sign", "--group", "local", "--hash", &hash, "--wait", "0", "--json"];
        let bare = group.tell(0, &sign).request()["session"].as_str().unwrap().to_owned();
        assert_eq!(group.request(1, &bare)["subject"]["kind"], "hash");
        assert_eq!(group.request(1, &shown)["subject"]["text"], text);
        assert_eq!(group.request(1, &bare)["messages"][0]["message"], hash.as_str());
        (bare, shown)
    };
    // Rejected as a hash, and approved when its text is shown.
    let (rejected, signed) = both("hidden at first");
    group.tell(1, &["reject", &rejected]).well();
    assert_eq!(group.request(1, &signed)["state"], "proposed");
    group.approve(1, &signed);
    group.request_in(0, &signed, "signed");
    assert_eq!(group.request(1, &rejected)["state"], "refused");
    // Signed as a hash: that does not sign the text's request.
    let (blind, seen) = both("signed blindly");
    group.approve(1, &blind);
    group.request_in(0, &blind, "signed");
    assert_eq!(group.request(1, &seen)["state"], "proposed");
    group.tell(1, &["reject", &seen]).well();
    group.stop(1);
    group.restart(1, &kinds);
    for (session, state, shares) in [
        (&rejected, "refused", 0),
        (&signed, "signed", 1),
        (&blind, "signed", 1),
        (&seen, "refused", 0),
    ] {
        assert_eq!(group.request_in(1, session, state)["state"], state);
        assert_eq!(group.log(1, session).len(), shares, "{state}");
    }
}
