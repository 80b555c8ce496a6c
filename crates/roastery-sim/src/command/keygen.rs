use std::process::ExitCode;

use clap::Args;
use roastery_sim::keygen::{Played, Scenario, Totals};

use super::{series::Words, single::Single};

#[derive(Args)]
pub(super) struct Keygen {
    #[command(flatten)]
    single: Single,
}

impl Keygen {
    pub(super) fn execute(self) -> ExitCode {
        let words = Words { games: "key generations", replay: "keygen", options: " --trace" };
        self.single.execute::<Scenario>(&words, |totals: &Totals| totals.runs, reports)
    }
}

/// What each honest member reports in the end.
fn reports(played: &Played) -> Vec<String> {
    let mut lines = Vec::new();
    for (seat, report) in &played.reports {
        lines.push(format!("seat {seat} in the end: {:?}", report.phase));
        let awaited = report.awaited.iter();
        lines.extend(awaited.map(|one| format!("  awaits of seat {}: {}", one.seat, one.thing)));
        lines.extend(report.findings.iter().map(|finding| format!("  found: {finding}")));
    }
    lines
}
