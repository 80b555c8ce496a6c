use std::{
    io::IsTerminal as _,
    num::NonZero,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use roastery_sim::campaign::{Failure, run};

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
        let jobs = thread::available_parallelism().map_or(1, NonZero::get);
        let bar = progress(self.runs);
        let seeds = self.first_seed..self.first_seed.saturating_add(self.runs);
        let (totals, failure) = run(seeds, jobs, |totals| {
            bar.set_position(totals.runs as u64);
            if bar.is_hidden() && totals.runs > 0 && totals.runs.is_multiple_of(LINE_EVERY) {
                eprintln!("{} scenarios, {:.0} s", totals.runs, begun.elapsed().as_secs_f64());
            }
            limit.is_none_or(|limit| begun.elapsed() < limit)
        });
        bar.finish_and_clear();
        if let Some(failure) = failure {
            report(&failure, self.first_seed);
            return ExitCode::FAILURE;
        }
        println!("no violation\n{totals}wall time     {:.1} s", begun.elapsed().as_secs_f64());
        ExitCode::SUCCESS
    }
}

/// Where there is no terminal to draw on, a line says how far it is, after so many scenarios.
pub(super) const LINE_EVERY: usize = 500;

pub(super) fn progress(runs: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {pos} of {len} scenarios, {elapsed} ({eta} to go)");
    // The template is a constant; if it were wrong the default style would do.
    ProgressBar::new(runs).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn report(failure: &Failure, first_seed: u64) {
    let Failure { drawn, violation, shrunk, shrunk_violation, .. } = failure;
    println!(
        "violated after {} scenarios, at seed {}:\n{violation}\n",
        failure.seed - first_seed + 1,
        drawn.seed
    );
    println!("{drawn}");
    if shrunk != drawn {
        println!("made smaller: {shrunk_violation}\n{shrunk}");
    }
    println!("to see it:    cargo run --release -p roastery-sim -- replay --seed {}", drawn.seed);
    println!("made smaller: the same with --shrink");
}
