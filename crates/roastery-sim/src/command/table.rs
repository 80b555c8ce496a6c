use std::{process::ExitCode, time::Duration};

use roastery_sim::signing::{Behaviour, report::Report};
use serde::Serialize;

use super::{bad_input, run::Run};

/// One line of the table.
#[derive(Serialize)]
struct Row {
    what: &'static str,
    /// Seconds to the first node that has the signatures.
    goal_s: Option<f64>,
    /// Messages, or packages where the row says so.
    goal: Option<usize>,
    #[serde(flatten)]
    report: Report,
}

/// A row, its goals, and what is played for it.
type Line = (&'static str, Option<f64>, Option<usize>, fn(&Run) -> Run);

const HOUR: Duration = Duration::from_secs(3_600);

/// The goals of version 2, at 153 ms.
const LINES: [Line; 10] = [
    ("all approve at once", Some(0.155), Some(270), |run| large(run, 0, None)),
    ("from the proposal at one node", Some(0.160), None, |run| Run {
        propose: true,
        ..large(run, 0, None)
    }),
    ("33 static stallers", None, None, |run| large(run, 33, Some(Behaviour::Withholds))),
    ("33 coordinated stallers", Some(5.32), Some(8_000), |run| {
        large(run, 33, Some(Behaviour::Stalls))
    }),
    ("33 adaptive stallers", Some(5.32), Some(8_000), |run| {
        large(run, 33, Some(Behaviour::StallsAdaptively))
    }),
    ("1 silent coordinator", Some(0.85), None, |run| silent(run, 1)),
    ("33 silent coordinators in a row", Some(4.5), None, |run| silent(run, 33)),
    ("3 of 5, all approve at once", None, None, |run| small(run, None, false)),
    ("3 of 5, the last approval after an hour", None, None, |run| small(run, Some(HOUR), false)),
    ("3 of 5, a restart in a wait of three hours", Some(10.0), None, |run| {
        small(run, Some(3 * HOUR), true)
    }),
];

fn large(run: &Run, faulty: usize, attack: Option<Behaviour>) -> Run {
    Run { signers: 100, threshold: 67, faulty, attack, wait: None, propose: false, ..run.clone() }
}

fn silent(run: &Run, faulty: usize) -> Run {
    Run { first: true, ..large(run, faulty, Some(Behaviour::Silent)) }
}

fn small(run: &Run, wait: Option<Duration>, restart: bool) -> Run {
    let of_five = Run { signers: 5, threshold: 3, faulty: 0, attack: None, ..run.clone() };
    Run { wait, restart, propose: false, ..of_five }
}

/// Plays the rows and prints each.
pub(super) fn execute(options: &Run) -> ExitCode {
    let mut rows = Vec::new();
    if !options.json {
        println!(
            "{:<43} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10}",
            "67 of 100 where nothing else is said",
            "first s",
            "goal s",
            "all s",
            "packages",
            "messages",
            "goal",
            "bytes"
        );
    }
    for (what, goal_s, goal, line) in LINES {
        let reports = match line(options).play() {
            Ok(reports) => reports,
            Err(what) => return bad_input(&what),
        };
        let Some(report) = reports.into_iter().last() else { continue };
        let row = Row { what, goal_s, goal, report };
        if options.json {
            rows.push(row);
        } else {
            print_row(&row);
        }
    }
    if options.json {
        match serde_json::to_string_pretty(&rows) {
            Ok(text) => println!("{text}"),
            Err(error) => return bad_input(&error.to_string()),
        }
    }
    ExitCode::SUCCESS
}

fn print_row(Row { what, goal_s, goal, report }: &Row) {
    let seconds = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.3}"));
    let count = |number: &Option<usize>| number.map_or("-".to_owned(), |one| one.to_string());
    println!(
        "{what:<43} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>10}",
        seconds(report.first_signed_s),
        seconds(*goal_s),
        seconds(report.all_signed_s),
        report.packages,
        report.messages,
        count(goal),
        report.bytes
    );
}
