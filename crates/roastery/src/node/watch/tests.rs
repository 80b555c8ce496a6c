//! The model and its picture: values of the API and events go in, a screen of a terminal comes out.

use ratatui::{Terminal, backend::TestBackend};
use roastery_service::{
    Time,
    view::{Health, LogEntry, Request, RequestCounts, ServiceEvent, State, Status},
};
use serde_json::{Value, from_value, json};

use super::{
    draw::{Colours, Over, draw},
    follow::{Look, Told},
    lists::Lists,
    model::{Model, Node},
};
use crate::when::{
    Clock,
    tests::{friday, time},
};

/// The moment of `friday`.
const NOW: &str = "2026-05-01T14:14:00Z";

fn peer(name: &str, connected: bool) -> Value {
    json!({
        "peer": name, "name": name, "connected": connected,
        "awaited_seconds": if connected { Value::Null } else { json!(180) },
        "round_trip_ms": if connected { json!(12.3) } else { Value::Null },
        "addresses": [], "dropped": 0, "clock_offset_ms": if connected { json!(-240) } else { Value::Null },
        "clock_differs": false,
    })
}

fn status(peers: &[Value]) -> Status {
    let member = |(seat, name): (usize, &str)| json!({ "seat": seat, "name": name, "peer": name, "reachable": name != "cleo" });
    let names: Vec<&str> = peers.iter().map(|peer| peer["name"].as_str().unwrap()).collect();
    let members: Vec<Value> =
        std::iter::once("anna").chain(names).enumerate().map(member).collect();
    from_value(json!({
        "name": "anna", "peer": "A", "version": "0.2.0", "pid": 1, "now": NOW,
        "uptime_seconds": 518_400, "ceremonies": [], "warnings": [], "peers": peers,
        "groups": [{
            "name": "treasury", "id": "00", "key_id": "00", "epoch": 0, "seats": [0],
            "threshold": 2, "key": "02", "reachable": 2, "pending": 1, "members": members,
            "sessions": [{
                "session": "3a0be911", "coordinators": [0], "refusals": [], "proven": [],
                "awaited": [{ "seat": 1, "name": "bert", "thing": "share", "seconds": 4 }],
            }],
            "policy": { "section": "policy", "approval": "manual", "kinds": [] },
        }],
    }))
    .unwrap()
}

/// A payment that bert has proposed and that waits for anna.
fn payment() -> Request {
    serde_json::from_str(roastery_testkit::PAYMENT_REQUEST).unwrap()
}

/// A text that anna has proposed and that is being signed.
fn report() -> Request {
    let mut request = payment();
    request.session = "3a0be911".to_owned();
    request.proposer_name = "anna".to_owned();
    request.since = time("2026-05-01T14:12:00Z");
    request.state = State::Approved;
    request.progress.approved_seats = 2;
    request.summary.as_mut().unwrap().words = Some("Quarterly report".to_owned());
    request
}

fn look_at(peers: &[Value], waiting: Vec<Request>, signing: Vec<Request>) -> Look<Lists> {
    let recent = waiting.iter().chain(&signing).cloned().collect();
    let counts = RequestCounts { waiting: waiting.len(), signing: signing.len() };
    let health = Health { ok: true, problems: Vec::new() };
    let more = Lists { waiting, signing, counts, recent, shares: Vec::new() };
    Look { status: status(peers), health, more }
}

fn look(cleo_is_here: bool) -> Look<Lists> {
    let peers = [peer("bert", true), peer("cleo", cleo_is_here)];
    look_at(&peers, vec![payment()], vec![report()])
}

fn told(look: Look<Lists>) -> Told<Lists> {
    Told::Look(Box::new(look))
}

fn event(at: &str, kind: &str, text: &str) -> Told<Lists> {
    Told::Event(ServiceEvent {
        time: time(at),
        group: "treasury".to_owned(),
        session: "3a0be911".repeat(8),
        kind: kind.to_owned(),
        text: text.to_owned(),
    })
}

fn share(number: u64, at: Time) -> LogEntry {
    from_value(json!({
        "number": number, "time": at, "group": "00", "group_name": "treasury",
        "session": "3a0be911".repeat(8), "seat": 0, "coordinator": 0, "package": "00",
        "messages": [], "policy": "",
    }))
    .unwrap()
}

/// A model of three members, one of which has gone while it was watched.
fn watched() -> Model {
    let mut model = Model::default();
    model.take(told(look(true)), time("2026-05-01T14:05:10Z"));
    model.take(told(look(true)), time("2026-05-01T14:10:40Z"));
    let mut later = look(false);
    later.more.shares.push(share(7, time("2026-05-01T14:13:59Z")));
    model.take(told(later), time("2026-05-01T14:11:00Z"));
    model.take(event("2026-05-01T14:13:58Z", "package", "package 0 asks seats 0, 1"), time(NOW));
    model.take(told(look(false)), time(NOW));
    model
}

fn screen(model: &Model, width: u16, height: u16, over: Over) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, time(NOW), &friday(), Colours::Some, over)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width).max(1));
    rows.map(|row| {
        let row: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        row.trim_end().to_owned()
    })
    .collect()
}

fn shown(model: &Model, width: u16, height: u16) -> String {
    screen(model, width, height, Over::Nothing).join("\n").trim_end().to_owned()
}

#[test]
fn the_view_has_members_requests_shares_and_what_happened_at_80_columns() {
    let shown = shown(&watched(), 80, 24);
    assert_eq!(
        shown,
        "\
roastery watch  anna  14:14:00  healthy                 r review  q quit  ? help
1 request waits for you                                                 r review
MEMBERS       LINK                 ROUND TRIP, 10 MIN   LAST
* anna        this node                                 14:12 proposed 3a0be911
o cleo        missing for 3 min     .          .-     - 14:11 went
* bert        12 ms, clock -0.2 s   .          ..     . 14:02 approved 3a0be911
treasury  2 of 3 must sign; 2 are here: NONE TO SPARE
  57515554  pays 0.12000000 to bc1pp2z...  1 of 2, waits for you, ends in 48 min
  3a0be911  text \"Quarterly report\"    signing: bert, share, 4 s, ends in 48 min
SHARES LEFT  1 in 10 min, last 14:13:59 for 3a0be911
HAPPENED, SINCE THIS VIEW BEGAN
14:13:58 3a0be911 package 0 asks anna, bert
14:11:00 cleo is gone"
    );
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operators.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    assert!(manual.contains(&format!("```text\n{shown}\n```\n")), "{shown}");
}

#[test]
fn the_view_fits_40_columns_and_any_smaller_terminal() {
    let model = watched();
    let shown = shown(&model, 40, 24);
    assert_eq!(
        shown,
        "\
anna  14:14:00  healthy            r q ?
1 request waits for you         r review
MEMBERS
* anna        this node
o cleo        missing for 3 min
* bert        12 ms, clock -0.2 s
treasury  2 of 3 must sign; 2 are here:
NONE TO SPARE
  57515554 pays 0.12000000 to bc1pp2z...
  1 of 2, waits for you, ends in 48 min
  3a0be911 text \"Quarterly report\"
  signing: bert, share, 4 s
SHARES LEFT  1 in 10 min, last 14:13:59
HAPPENED, SINCE THIS VIEW BEGAN
14:13:58 3a0be911 package 0 asks anna,..
14:11:00 cleo is gone"
    );
    for (width, height) in [(0, 0), (1, 1), (1, 40), (200, 1), (5, 5), (40, 3), (20, 12)] {
        for over in [Over::Nothing, Over::Help] {
            let rows = screen(&model, width, height, over);
            assert_eq!(rows.len(), usize::from(height));
        }
    }
}

#[test]
fn a_node_that_does_not_answer_is_shown_with_what_to_do_and_what_was_known() {
    let mut model = Model::default();
    let why = "no node runs here: roastery node starts one";
    model.take(Told::Away(why.to_owned()), time("2026-05-01T14:13:48Z"));
    let none = shown(&model, 80, 24);
    assert_eq!(
        none,
        format!(
            "roastery watch  14:14:00  no answer{:21}r review  q quit  ? help\n{why}\nno answer for 12 s",
            ""
        )
    );
    let mut model = watched();
    for at in ["2026-05-01T14:13:30Z", "2026-05-01T14:13:50Z"] {
        model.take(Told::Away(why.to_owned()), time(at));
    }
    assert_eq!(model.node, Node::Away(time("2026-05-01T14:13:30Z"), why.to_owned()));
    let away = shown(&model, 80, 24);
    assert!(away.contains("no answer for 30 s; what stands below is of 14:14:00\n"), "{away}");
    assert!(away.contains("\no cleo "), "{away}");
    // It is said once, and so is that it is back.
    model.take(told(look(true)), time(NOW));
    let back = shown(&model, 80, 24);
    assert!(back.contains("  healthy  "), "{back}");
    let happened = back.split_once("HAPPENED").unwrap().1;
    assert_eq!(happened.matches(why).count(), 1, "{back}");
    assert!(happened.contains("the node answers again"), "{back}");
    assert!(happened.contains("cleo is here"), "{back}");
}

#[test]
fn what_is_wrong_stands_above_and_leaves_room_for_the_rest() {
    let mut wrong = look(true);
    wrong.health.ok = false;
    wrong.health.problems = (0..50).map(|k| format!("problem {k}\u{1b}[2J")).collect();
    wrong.status.warnings = vec!["a warning ".repeat(100)];
    let mut model = Model::default();
    model.take(told(wrong), time(NOW));
    let rows = screen(&model, 80, 24, Over::Nothing);
    assert!(rows[0].contains("  not healthy  "), "{rows:#?}");
    assert_eq!(rows[1], "problem 0\\u{1b}[2J");
    assert_eq!(rows[3], "  48 more lines: roastery health");
    assert!(rows[4].starts_with("a warning a warning"), "{rows:#?}");
    assert!(rows[6].ends_with("more lines: roastery status"), "{rows:#?}");
    assert!(rows.iter().any(|row| row.starts_with("treasury  2 of 3")), "{rows:#?}");
}

#[test]
fn many_members_and_requests_leave_those_away_and_what_happened_in_sight() {
    let name = |k: usize| format!("member-{k:02}");
    let peers: Vec<Value> = (0..60).map(|k| peer(&name(k), k != 57)).collect();
    let mut request = payment();
    request.proposer_name = "\u{202e}\u{1b}]0;x\u{7}".repeat(40);
    request.summary.as_mut().unwrap().words = Some("\u{1b}[2J".repeat(5_000));
    let mut model = Model::default();
    for _ in 0..2 {
        model.take(told(look_at(&peers, vec![request.clone(); 200], Vec::new())), time(NOW));
    }
    for k in 0..1_000 {
        let text = format!("{k} {}", "\u{1b}[2J".repeat(1_000));
        model.take(event(NOW, "proposed", &text), time(NOW));
    }
    assert_eq!(model.happened().len(), 200);
    let rows = screen(&model, 80, 24, Over::Nothing);
    let has = |begin: &str| rows.iter().any(|row| row.starts_with(begin));
    assert!(has("200 requests wait for you"), "{rows:#?}");
    assert!(has("o member-57"), "{rows:#?}");
    assert!(has("  57515554  text \"\\u{1b}[2J"), "{rows:#?}");
    assert!(has("14:14:00 3a0be911 999 \\u{1b}[2J"), "{rows:#?}");
    assert!(rows.iter().any(|row| row.ends_with("more lines: roastery requests")), "{rows:#?}");
    assert!(rows.iter().all(|row| !row.chars().any(char::is_control)), "{rows:#?}");
}

#[test]
fn shares_are_counted_for_ten_minutes_and_the_log_is_read_anew_after_an_absence() {
    let mut model = Model::default();
    let mut first = look(true);
    first.more.shares = vec![
        share(0, time("2026-05-01T14:03:59Z")),
        share(1, time("2026-05-01T14:04:01Z")),
        share(2, time("2026-05-01T14:13:00Z")),
    ];
    model.take(told(first), time(NOW));
    assert_eq!(model.shares(time(NOW)).unwrap().count, 2);
    assert_eq!(model.shares(time("2026-05-01T14:23:00Z")), None);
    model.take(Told::Away(String::new()), time(NOW));
    let mut back = look(true);
    back.more.shares = vec![share(2, time("2026-05-01T14:13:00Z"))];
    model.take(told(back), time(NOW));
    assert_eq!(model.shares(time(NOW)).unwrap().count, 1);
    let mut again = look(true);
    again.more.shares =
        (0..500).map(|number| share(number, time("2026-05-01T14:13:59Z"))).collect();
    model.take(told(again), time(NOW));
    let shares = model.shares(time(NOW)).unwrap();
    assert_eq!((shares.count, shares.is_least), (200, true));
    assert!(shown(&model, 80, 24).contains("SHARES LEFT  200 or more in 10 min, last 14:13:59"));
}

#[test]
fn without_colours_the_view_is_the_same_text() {
    let model = watched();
    let drawn = |colours| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let clock: Clock = friday();
        terminal
            .draw(|frame| draw(frame, &model, time(NOW), &clock, colours, Over::Nothing))
            .unwrap();
        terminal.backend().buffer().content().to_vec()
    };
    let (plain, coloured) = (drawn(Colours::None), drawn(Colours::Some));
    let is_coloured = |cell: &ratatui::buffer::Cell| cell.fg != ratatui::style::Color::Reset;
    assert!(coloured.iter().any(is_coloured));
    assert!(!plain.iter().any(is_coloured));
    assert!(plain.iter().zip(&coloured).all(|(a, b)| a.symbol() == b.symbol()));
}

#[test]
fn help_names_every_key_and_fits_40_columns() {
    for width in [40, 80] {
        let help = screen(&watched(), width, 24, Over::Help).join("\n");
        for key in ["\nr  review", "\nq  quit", "\n?  open"] {
            assert!(help.contains(key), "{help}");
        }
        assert!(help.contains("after each event."), "{help}");
    }
}
