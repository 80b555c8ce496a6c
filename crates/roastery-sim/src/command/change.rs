use std::process::ExitCode;

use clap::Args;
use roastery_sim::{
    campaign::shrink,
    change::{Scenario, Totals, play},
    trace::Detail,
};

use super::series::{Series, Words};

#[derive(Args)]
pub(super) struct Change {
    #[command(flatten)]
    series: Series,
    /// Plays the chain of this seed only and prints the result.
    #[arg(long, conflicts_with_all = ["runs", "first_seed", "seconds"])]
    seed: Option<u64>,
    /// Shows all that happens in it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// If something is violated in it, makes the scenario smaller first.
    #[arg(long, requires = "seed")]
    shrink: bool,
}

impl Change {
    pub(super) fn execute(self) -> ExitCode {
        match self.seed {
            Some(seed) => self.replay(seed),
            None => self.campaign(),
        }
    }

    fn campaign(&self) -> ExitCode {
        let words = Words { games: "chains of changes", replay: "change", options: " --trace" };
        self.series.play::<Scenario>(&words, |totals: &Totals| totals.runs)
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
