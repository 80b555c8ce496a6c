use std::process::ExitCode;

use roastery_sim::report::Report;
use serde::Serialize;

use super::{bad_input, run::Run};

/// t, n, f, and what the reference implementation of the ROAST paper takes (in seconds, at 153 ms;
/// eprint 2022/550, section 5): no attacker, static, coordinated, adaptive.
const PAPER: [(usize, usize, usize, [Option<f64>; 4]); 4] = [
    (3, 5, 2, [None, Some(0.496), Some(0.641), Some(0.640)]),
    (11, 15, 4, [None, Some(0.618), Some(0.962), Some(0.975)]),
    (34, 50, 16, [None, Some(0.668), Some(3.050), Some(3.042)]),
    (67, 100, 33, [Some(0.364), Some(0.711), Some(6.443), Some(6.428)]),
];

const ATTACKS: [&str; 4] = ["none", "static", "coordinated", "adaptive"];

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    report: Report,
    reference_s: Option<f64>,
    floor_s: f64,
}

/// Plays the paper's table with the other options of the command.
pub(super) fn execute(options: &Run, json: bool) -> ExitCode {
    let mut rows = Vec::new();
    if !json {
        println!(
            "{:<10} {:>6} {:<12} {:>8} {:>8} {:>9} {:>8} {:>8} {:>10}",
            "group",
            "faulty",
            "attack",
            "here s",
            "floor s",
            "reference",
            "packages",
            "messages",
            "bytes"
        );
    }
    for (threshold, signers, most, reference) in PAPER {
        for (attack, reference_s) in ATTACKS.into_iter().zip(reference) {
            let faulty = if attack == "none" { 0 } else { most };
            let run =
                Run { signers, threshold, faulty, attack: attack.to_owned(), ..options.clone() };
            let reports = match run.play() {
                Ok(reports) => reports,
                Err(what) => return bad_input(&what),
            };
            let Some(report) = reports.into_iter().last() else { continue };
            // One round trip for the slots, one for each package; static stallers all stall in the
            // first ones.
            let trips = if matches!(attack, "coordinated" | "adaptive") { faulty } else { 0 };
            let floor_s = report.round_trip_s * (trips + 2) as f64;
            let row = Row { report, reference_s, floor_s };
            if json {
                rows.push(row);
            } else {
                print_row(&row);
            }
        }
    }
    if json {
        match serde_json::to_string_pretty(&rows) {
            Ok(text) => println!("{text}"),
            Err(error) => return bad_input(&error.to_string()),
        }
    }
    ExitCode::SUCCESS
}

fn print_row(Row { report, reference_s, floor_s }: &Row) {
    let seconds = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.3}"));
    println!(
        "{:<10} {:>6} {:<12} {:>8} {:>8.3} {:>9} {:>8} {:>8} {:>10}",
        format!("{} of {}", report.threshold, report.signers),
        report.faulty,
        report.attack,
        seconds(report.first_signed_s),
        floor_s,
        seconds(*reference_s),
        report.packages,
        report.messages,
        report.bytes
    );
}
