use std::{
    fmt,
    io::IsTerminal as _,
    num::NonZero,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use roastery_sim::{
    campaign::{Failure, Game, run},
    violation::Violation,
};

/// Simulations of one seed after the other, until one violates an invariant.
#[derive(Args)]
pub(super) struct Series {
    /// The number of scenarios to play.
    #[arg(long, default_value_t = 1000)]
    runs: u64,
    /// The seed of the first one; the others follow.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Stops after this many seconds, however many were played.
    #[arg(long)]
    seconds: Option<u64>,
}

/// The words of the output about a kind of simulation.
pub(super) struct Words {
    /// The plural of its name.
    pub(super) games: &'static str,
    /// The arguments that show the one of a seed, without the seed.
    pub(super) replay: &'static str,
    /// The arguments that follow the seed.
    pub(super) options: &'static str,
}

/// Without a terminal a line of progress is printed after so many simulations.
const LINE_EVERY: usize = 500;

impl Series {
    /// Plays them, shows the progress and prints the result. `played` returns the number of
    /// scenarios in the totals.
    pub(super) fn play<G>(
        &self,
        words: &Words,
        played: impl Fn(&G::Totals) -> usize + Sync,
    ) -> ExitCode
    where
        G: Game + fmt::Display,
        G::Totals: fmt::Display,
        Violation<G::Invariant>: fmt::Display,
    {
        let begun = Instant::now();
        let limit = self.seconds.map(Duration::from_secs);
        let jobs = thread::available_parallelism().map_or(1, NonZero::get);
        let bar = progress(self.runs, words);
        let seeds = self.first_seed..self.first_seed.saturating_add(self.runs);
        let (totals, failure) = run::<G>(seeds, jobs, |totals| {
            let runs = played(totals);
            bar.set_position(runs as u64);
            if bar.is_hidden() && runs > 0 && runs.is_multiple_of(LINE_EVERY) {
                eprintln!("{runs} {}, {:.0} s", words.games, begun.elapsed().as_secs_f64());
            }
            limit.is_none_or(|limit| begun.elapsed() < limit)
        });
        bar.finish_and_clear();
        if let Some(failure) = failure {
            self.report(&failure, words);
            return ExitCode::FAILURE;
        }
        println!("no violation\n{totals}wall time     {:.1} s", begun.elapsed().as_secs_f64());
        ExitCode::SUCCESS
    }

    fn report<G>(&self, failure: &Failure<G>, words: &Words)
    where
        G: Game + fmt::Display,
        Violation<G::Invariant>: fmt::Display,
    {
        let Failure { seed, drawn, violation, shrunk, shrunk_violation } = failure;
        let Words { games, replay, options } = words;
        let runs = seed - self.first_seed + 1;
        println!("violated after {runs} {games}, at seed {seed}:\n{violation}\n");
        println!("{drawn}");
        if shrunk != drawn {
            println!("made smaller: {shrunk_violation}\n{shrunk}");
        }
        println!(
            "to see it:    cargo run --release -p roastery-sim -- {replay} --seed {seed}{options}"
        );
        println!("made smaller: the same with --shrink");
    }
}

fn progress(runs: u64, words: &Words) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template =
        format!("{{bar:40}} {{pos}} of {{len}} {}, {{elapsed}} ({{eta}} to go)", words.games);
    // If the template were wrong the default style would do.
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(runs).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
