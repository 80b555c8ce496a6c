//! The screens, as people see them at 80 columns.

use roastery_service::{
    config::SubjectKind,
    view::{
        Decided, GroupStatus, Health, Level, MemberDecision, PaidOutput, Request, State, Status,
        Warning,
    },
};
use serde_json::{from_value, json};

use super::*;
use crate::when::tests::{friday, time};

fn said(name: &str, said: Decided, at: Option<&str>, why: &str) -> MemberDecision {
    let (name, why, at) = (name.to_owned(), why.to_owned(), at.map(time));
    MemberDecision { here: name == "anna", name, said, why, at }
}

/// A payment that bert has proposed and that waits for anna.
fn payment() -> Request {
    serde_json::from_str(roastery_testkit::PAYMENT_REQUEST).unwrap()
}

/// The manual shows this screen as it is.
#[track_caller]
fn is_in_the_manual(screen: &str) {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    assert!(manual.contains(&format!("```text\n{screen}\n```\n")), "{screen}");
}

fn text(lines: Vec<(crate::output::Paint, String)>) -> String {
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    for line in &lines {
        assert!(line.chars().count() <= WIDTH, "{line}");
        assert!(line.is_ascii(), "{line}");
    }
    lines.join("\n")
}

#[test]
fn a_payment_is_shown_with_its_address_in_fours_and_what_leaves() {
    assert_eq!(
        text(screen(&payment(), &friday())),
        "\
PAYMENT from treasury, proposed by bert today 14:02 (12 min ago)        57515554
  pays        0.12000000  to
  bc1p p2zd 3m67 pu0w 9t7j dfm7 rku5 lqu6 439q 4x3e m3g7 quvj 5fl4 vehs 6mqu sv
  fee         0.00001850  8 sat/vB, 212 vB
  comes back  0.50338150  this wallet, 1/0
  leaves      0.12001850  of 0.62340000 in 2 coins
  warnings    none
  policy      allowed. Needs a person: you
  members     anna (you): nothing yet, bert approved today 14:02, cleo: nothing
              yet. 1 of 2: it can still succeed
  expires     today 15:02 (in 48 min)"
    );
    is_in_the_manual(&text(screen(&payment(), &friday())));
    assert_eq!((typed(&payment()), hides(&payment())), (None, false));
}

#[test]
fn what_does_not_fit_on_the_screen_is_said() {
    let mut request = payment();
    let outputs = &mut request.payment.as_mut().unwrap().outputs;
    let own = PaidOutput { amount: 1, to: "bc1p0wn".to_owned(), own_path: Some("1/1".to_owned()) };
    outputs.extend(vec![outputs[0].clone(); 15]);
    outputs.extend(vec![own; 14]);
    outputs.push(PaidOutput { amount: 90_000_000, to: "6a".repeat(80), own_path: None });
    let shown = text(screen(&request, &friday()));
    assert_eq!(shown.matches(" to\n").count(), 12);
    // The largest is shown wherever it stands, and the sum of the rest.
    assert!(shown.contains("  pays        0.90000000  to\n"), "{shown}");
    assert!(shown.contains("  pays        0.60000000  in 5 more: d shows them\n"), "{shown}");
    assert!(hides(&request));
    assert!(shown.contains("  comes back  in 3 more outputs: d shows them\n"), "{shown}");
    request.payment = None;
    request.summary = None;
    request.subject.text = Some("no transaction: it is cut off".to_owned());
    let shown = text(screen(&request, &friday()));
    assert!(shown.starts_with("TRANSACTION THAT IS NOT READ from treasury"), "{shown}");
    assert!(shown.contains("  | no transaction: it is cut off\n"), "{shown}");
}

#[test]
fn warnings_come_first_those_that_stop_before_those_to_look_at() {
    let mut request = payment();
    let warning = |code: &str, level, text: &str| Warning {
        code: code.to_owned(),
        level,
        text: text.to_owned(),
    };
    request.warnings = vec![
        warning("dust", Level::Look, "output 1 is dust"),
        warning(
            "spent_twice",
            Level::Stop,
            "spends a coin that request 9c41d0aa spends, which is signed: one replaces the other, \
             and only one can be confirmed",
        ),
    ];
    let shown = text(screen(&request, &friday()));
    let begin: Vec<&str> = shown.lines().skip(1).take(4).collect();
    assert_eq!(
        begin,
        [
            "! SPENT TWICE: spends a coin that request 9c41d0aa spends, which is signed: one",
            "  replaces the other, and only one can be confirmed",
            "? DUST: output 1 is dust",
            "  pays        0.12000000  to",
        ]
    );
    assert!(!shown.contains("warnings    none"));
    assert_eq!(typed(&request).as_deref(), Some("0.12001850"));
    request.payment = None;
    assert_eq!(typed(&request).as_deref(), Some("yes, all the same"));
}

#[test]
fn many_warnings_of_one_code_hide_no_other_and_those_that_stop_are_said_again_at_the_end() {
    let mut request = payment();
    let warning = |code: &str, level| Warning {
        code: code.to_owned(),
        level,
        text: "long words ".repeat(20),
    };
    request.warnings = vec![warning("dust", Level::Look); 6];
    request.warnings.extend(vec![warning("spent_twice", Level::Stop); 5]);
    request.warnings.push(warning("high_fee", Level::Stop));
    let shown = text(screen(&request, &friday()));
    assert_eq!(shown.matches("! SPENT TWICE: ").count(), 4);
    assert_eq!(shown.matches("? DUST: ").count(), 4);
    assert!(shown.contains("\n  and 1 more of these: d shows them\n! HIGH FEE"), "{shown}");
    assert!(shown.contains("\n  and 2 more of these: d shows them\n"), "{shown}");
    let stops = text(stop_lines(&request.warnings));
    assert!(stops.starts_with("! SPENT TWICE (5): long words"), "{stops}");
    assert_eq!(stops.lines().count(), 2);
    let kinds = (0..20).map(|code| warning(&format!("kind_{code}"), Level::Stop));
    request.warnings.extend(kinds);
    let stops = text(stop_lines(&request.warnings));
    assert_eq!(stops.lines().count(), 8);
    assert!(stops.ends_with("! and 15 more kinds of warnings: d shows them"), "{stops}");
}

#[test]
fn a_long_script_is_cut_and_counts_as_hidden() {
    let mut request = payment();
    request.payment.as_mut().unwrap().outputs[0].to = "6a".repeat(5_000);
    let shown = text(screen(&request, &friday()));
    assert!(shown.lines().count() < 20, "{shown}");
    assert!(hides(&request));
}

#[test]
fn texts_of_others_stand_behind_a_bar_and_hide_nothing() {
    let mut request = payment();
    request.payment = None;
    request.summary = None;
    request.subject.kind = SubjectKind::Text;
    request.subject.text = Some("pay\n  warnings    none\u{202e}\u{200b}".to_owned());
    request.proposer_name = "be\u{202e}rt\nx".to_owned();
    let shown = text(screen(&request, &friday()));
    assert!(shown.contains("proposed by be\\u{202e}rt\\nx today 14:02"), "{shown}");
    assert!(shown.starts_with("TEXT from treasury "), "{shown}");
    assert!(shown.contains("  | pay\n  |   warnings    none\\u{202e}\\u{200b}\n"), "{shown}");
}

#[test]
fn a_list_has_a_line_of_80_columns_for_each_request() {
    let waits = payment();
    let mut signed = payment();
    signed.session = "77ab01c3".to_owned();
    signed.since = time("2026-04-29T18:11:00Z");
    signed.state = State::Signed;
    signed.signers = Some(vec![0, 2]);
    signed.proposer_name = "cleopatra-of-the-nile".to_owned();
    signed.progress.said[0].said = Decided::Approved;
    let mut text_of = payment();
    text_of.session = "3a0be911".to_owned();
    text_of.state = State::Approved;
    text_of.summary.as_mut().unwrap().words = Some("Quarterly report, second half of".repeat(3));
    let mut over = payment();
    over.expiry = time("2026-05-01T14:00:00Z");
    over.summary.as_mut().unwrap().warning_count = 2;
    let requests = [waits, text_of, signed, over];
    let shown = lines(&requests, &friday());
    assert!(shown.iter().all(|line| line.chars().count() == WIDTH), "{shown:#?}");
    assert_eq!(
        shown,
        [
            "57515554 today 14:02  bert          pays 0.12000000 to bc1pp2z...  waits for you",
            "3a0be911 today 14:02  bert          text \"Quarterly report, s..  1 of 2 approved",
            "77ab01c3 Wed 18:11    cleopatra-..  pays 0.12000000 to bc1..  signed: anna, bert",
            "57515554 today 14:02  bert          pays 0.12000000 to bc1pp2z..mqusv    expired",
        ]
    );
}

#[test]
fn what_is_to_be_done_names_members_and_who_is_missing() {
    let status: Status = from_value(json!({
        "name": "anna", "peer": "A", "version": "0.2.0", "pid": 1, "now": "2026-05-01T14:14:00Z",
        "uptime_seconds": 518_400, "groups": [], "ceremonies": [], "warnings": [],
        "peers": [
            { "peer": "B", "name": "bert", "connected": true, "round_trip_ms": 12.3,
              "addresses": [], "dropped": 0, "clock_offset_ms": -240, "clock_differs": false },
            { "peer": "C", "name": "cleo", "connected": false, "awaited_seconds": 180,
              "addresses": [], "dropped": 0, "clock_differs": false },
        ],
    }))
    .unwrap();
    let group: GroupStatus = from_value(json!({
        "name": "treasury", "id": "00", "key_id": "00", "epoch": 0, "seats": [0], "threshold": 2,
        "key": "02", "reachable": 2, "sessions": [], "pending": 1,
        "members": [
            { "seat": 0, "name": "anna", "peer": "A", "reachable": true },
            { "seat": 1, "name": "bert", "peer": "B", "reachable": true },
            { "seat": 2, "name": "cleo", "peer": "C", "reachable": false },
        ],
        "policy": { "section": "policy", "approval": "manual", "kinds": [] },
    }))
    .unwrap();
    let none = Today {
        status: status.clone(),
        health: Health { ok: true, problems: Vec::new() },
        waiting: Vec::new(),
        signing: Vec::new(),
        signed: None,
    };
    assert_eq!(
        text(today(&none, &friday())),
        "anna       up 6 days, 0.2.0, healthy\n\
         groups     no group yet: roastery group new, or roastery group join FILE"
    );
    let mut signed = payment();
    signed.state = State::Signed;
    let known = Today {
        status: Status { groups: vec![group], ..status },
        waiting: vec![payment()],
        signed: Some(signed),
        ..none
    };
    assert_eq!(
        text(today(&known, &friday())),
        "\
anna       up 6 days, 0.2.0, healthy
treasury   2 of 3 must sign; 2 are here: NONE TO SPARE
  bert     12 ms, clock -0.2 s
  cleo     missing for 3 min
  waits    1 request for you, 12 min old                         roastery review
  signing  nothing. Last: pays 0.12000000 to bc1pp2z..mqusv, today 14:02"
    );
    is_in_the_manual(&text(today(&known, &friday())));
}

#[test]
fn who_has_said_what_names_members_reasons_and_whether_it_can_succeed() {
    let mut progress = payment().progress;
    progress.said = vec![
        said("anna", Decided::Approved, Some("2026-05-01T14:02:00Z"), ""),
        said(
            "bert",
            Decided::Refused,
            Some("2026-04-30T14:20:00Z"),
            "its policy does not allow it",
        ),
        said("cleo", Decided::Refused, None, "its operator said no"),
    ];
    progress.can_succeed = false;
    assert_eq!(
        words(&progress, &friday()),
        "anna (you) approved today 14:02, bert refused Thu 14:20 (its policy does not allow it), \
         cleo refused (its operator said no)"
    );
    assert_eq!(prospect(&progress), "1 of 2: it cannot succeed");
}
