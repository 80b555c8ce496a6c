//! A rejection while an approval is under way, whose transaction takes long to examine and whose
//! client has ended.

use std::{
    io::Write as _,
    os::unix::net::UnixStream,
    thread::sleep,
    time::{Duration, Instant},
};

use bitcoin::{Amount, Psbt};
use serde_json::Value;

use crate::nodes::{
    parts::{ask, payment_of, wallet},
    support::Group,
};

/// Each takes some milliseconds to examine.
const INPUTS: u32 = 600;

/// A payment that differs from the others.
fn heavy(psbt: &Psbt, number: u64) -> Psbt {
    let mut psbt = psbt.clone();
    psbt.unsigned_tx.output[0].value -= Amount::from_sat(number);
    psbt
}

/// So many examinations are under way before that of an approval: a rejection comes before it also
/// where the machine is busy.
const WAITING: usize = 8;

/// A client asks for something, and does not wait for the answer.
fn call(group: &Group, method: &str, path: &str) -> UnixStream {
    let mut client = UnixStream::connect(group.node(1).join("api.sock")).unwrap();
    let head = "HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: 2";
    let call = format!("{method} /v1/requests/{path} {head}\r\n\r\n{{}}");
    client.write_all(call.as_bytes()).unwrap();
    client
}

/// A client asks for an approval, and ends after this time.
fn approve_and_end(group: &Group, session: &str, after: Duration) {
    let client = call(group, "POST", &format!("{session}/approve"));
    sleep(after);
    drop(client);
}

/// How long it takes to show a request, which is examined for that.
fn examined(group: &Group, session: &str) -> Duration {
    let begin = Instant::now();
    group.tell(1, &["requests", session, "--json"]).well();
    begin.elapsed()
}

fn parts(group: &Group, session: &str) -> Vec<String> {
    let parts = group.request_in(1, session, "proposed")["parts"].clone();
    let parts = parts.as_array().unwrap().iter().map(|part| part.as_str().unwrap().to_owned());
    parts.collect()
}

/// How many shares had left when a part was rejected, by the chain of acts and shares.
fn shares_before(group: &Group, part: &str) -> u64 {
    let acts = group.tell(1, &["audit", "--json"]).well();
    let mut acts = acts.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rejected = acts.rfind(|act| act["act"] == "rejected" && act["session"] == part);
    rejected.unwrap()["shares"].as_u64().unwrap()
}

/// Rejects this many payments while their approvals are under way. On a busy machine an approval is
/// over before some rejections, which show nothing: then others are tried.
fn reject_each(name: &str, count: u64) {
    let group = Group::start(name, 2, 2);
    let psbt = payment_of(&wallet(&group), INPUTS).0;
    let mut in_time = 0;
    for number in 0..4 * count {
        let session = ask(&group, &heavy(&psbt, number));
        let parts = parts(&group, &session);
        let long = examined(&group, &session);
        let shown: Vec<_> = (0..WAITING).map(|_| call(&group, "GET", &session)).collect();
        // An examination takes a part of the time until it is shown.
        let after = long.mul_f64(0.3 * (number % count) as f64 / count as f64);
        let begin = Instant::now();
        approve_and_end(&group, &session, after);
        let named = &parts[number as usize % parts.len()];
        group.tell(1, &["reject", &named[..8], "--note", "not this"]).well();
        println!("{number}: examined in {long:?}, rejected after {:?}", begin.elapsed());
        // The approval has ended by then, for one examination follows the other.
        examined(&group, &session);
        drop(shown);
        let before = shares_before(&group, named);
        let mut all_in_time = true;
        for part in &parts {
            let known = group.request(1, part);
            let shares = group.log(1, part);
            let late = shares.iter().any(|share| share["number"].as_u64().unwrap() >= before);
            assert!(!late, "{number}: a share has left after the rejection");
            if known["state"] == "signed" && !shares.is_empty() {
                all_in_time = false;
                continue;
            }
            all_in_time &= shares.is_empty();
            assert_eq!(known["state"], "refused", "{number}: {}", known["text"]);
            assert!(known["text"].as_str().unwrap().contains("not this"), "{}", known["text"]);
        }
        if all_in_time {
            group.request_in(0, &session, "failed");
            in_time += 1;
        }
        if in_time == count {
            return;
        }
    }
    panic!("of {} rejections {in_time} came before the approval was over", 4 * count);
}

#[test]
fn a_rejection_while_a_heavy_payment_is_examined_for_an_approval_is_final_and_no_share_leaves() {
    reject_each("heavy", 2);
}

#[test]
#[ignore = "takes about half an hour"]
fn a_hundred_rejections_during_approvals_are_final_and_no_share_leaves() {
    reject_each("heavy-100", 100);
}

#[test]
fn an_approval_goes_on_where_its_client_ends_before_the_answer() {
    let group = Group::start("gone-client", 2, 2);
    let session = ask(&group, &payment_of(&wallet(&group), 2).0);
    group.request_in(1, &session, "proposed");
    approve_and_end(&group, &session, Duration::from_millis(1));
    group.request_in(1, &session, "signed");
}
