use std::{
    num::NonZero,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use roastery_sim::{
    campaign::{Failure, run_games, shrink},
    ceremony::{Scenario, Totals, play},
    trace::Detail,
};

use super::campaign::{LINE_EVERY, progress};

#[derive(Args)]
pub(super) struct Ceremonies {
    /// How many ceremonies to play.
    #[arg(long, default_value_t = 1000)]
    runs: u64,
    /// The seed of the first one; the others follow.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Stops after this many seconds, however many were played.
    #[arg(long)]
    seconds: Option<u64>,
    /// Plays the ceremony of this seed only and says what came of it.
    #[arg(long, conflicts_with_all = ["runs", "first_seed", "seconds"])]
    seed: Option<u64>,
    /// Shows all that happens in it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// If something is violated in it, makes the scenario smaller first.
    #[arg(long, requires = "seed")]
    shrink: bool,
}

impl Ceremonies {
    pub(super) fn execute(self) -> ExitCode {
        match self.seed {
            Some(seed) => self.replay(seed),
            None => self.campaign(),
        }
    }

    fn campaign(&self) -> ExitCode {
        let begun = Instant::now();
        let limit = self.seconds.map(Duration::from_secs);
        let jobs = thread::available_parallelism().map_or(1, NonZero::get);
        let bar = progress(self.runs);
        let seeds = self.first_seed..self.first_seed.saturating_add(self.runs);
        let (totals, failure) = run_games::<Scenario>(seeds, jobs, |totals: &Totals| {
            bar.set_position(totals.runs as u64);
            if bar.is_hidden() && totals.runs > 0 && totals.runs.is_multiple_of(LINE_EVERY) {
                eprintln!("{} ceremonies, {:.0} s", totals.runs, begun.elapsed().as_secs_f64());
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

    fn replay(&self, seed: u64) -> ExitCode {
        let mut scenario = Scenario::draw(seed);
        if self.shrink
            && let Some(violation) = play(&scenario, Detail::Hash).violation
        {
            (scenario, _) = shrink(scenario, violation);
        }
        println!("{scenario}");
        let played = play(&scenario, if self.trace { Detail::Lines } else { Detail::Hash });
        for line in &played.lines {
            println!("{line}");
        }
        for (seat, report) in &played.reports {
            println!("seat {seat} in the end: {:?}", report.phase);
            for one in &report.awaited {
                println!("  awaits of seat {}: {}", one.seat, one.thing);
            }
            for finding in &report.findings {
                println!("  found: {finding}");
            }
        }
        println!("\ntrace {}", played.hash);
        match played.violation {
            None => ExitCode::SUCCESS,
            Some(violation) => {
                println!("{violation}");
                ExitCode::FAILURE
            }
        }
    }
}

fn report(failure: &Failure<Scenario>, first_seed: u64) {
    let Failure { seed, drawn, violation, shrunk, shrunk_violation } = failure;
    println!("violated after {} ceremonies, at seed {seed}:\n{violation}\n", seed - first_seed + 1);
    println!("{drawn}");
    if shrunk != drawn {
        println!("made smaller: {shrunk_violation}\n{shrunk}");
    }
    println!(
        "to see it:    cargo run --release -p roastery-sim -- ceremonies --seed {seed} --trace"
    );
    println!("made smaller: the same with --shrink");
}
