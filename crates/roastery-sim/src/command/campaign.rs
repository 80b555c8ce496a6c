use std::{
    io::IsTerminal as _,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use roastery_sim::campaign::{Failure, Totals, try_seed};

#[derive(Args)]
pub(super) struct Campaign {
    /// How many scenarios to play.
    #[arg(long, default_value_t = 1000)]
    runs: u64,
    /// The seed of the first one; the others follow.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Stops after this many seconds, however many were played.
    #[arg(long)]
    seconds: Option<u64>,
}

impl Campaign {
    pub(super) fn execute(self) -> ExitCode {
        let begun = Instant::now();
        let limit = self.seconds.map(Duration::from_secs);
        let bar = progress(self.runs);
        let mut totals = Totals::default();
        for seed in self.first_seed..self.first_seed.saturating_add(self.runs) {
            if limit.is_some_and(|limit| begun.elapsed() >= limit) {
                break;
            }
            if let Err(failure) = try_seed(seed, &mut totals) {
                bar.finish_and_clear();
                report(&failure, &totals);
                return ExitCode::FAILURE;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        println!("no violation\n{totals}wall time     {:.1} s", begun.elapsed().as_secs_f64());
        ExitCode::SUCCESS
    }
}

fn progress(runs: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {pos} of {len} scenarios, {elapsed} ({eta} to go)");
    // The template is a constant; if it were wrong the default style would do.
    ProgressBar::new(runs).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn report(failure: &Failure, totals: &Totals) {
    let Failure { drawn, violation, shrunk, shrunk_violation } = failure;
    println!("violated after {} scenarios, at seed {}:\n{violation}\n", totals.runs, drawn.seed);
    println!("{drawn}");
    if shrunk != drawn {
        println!("made smaller: {shrunk_violation}\n{shrunk}");
    }
    println!("to see it:    cargo run --release -p roastery-sim -- replay --seed {}", drawn.seed);
    println!("made smaller: the same with --shrink");
}
