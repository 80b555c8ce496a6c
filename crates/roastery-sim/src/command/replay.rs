use std::process::ExitCode;

use clap::Args;
use roastery_sim::{
    campaign::{play, shrink},
    scenario::Scenario,
    trace::Detail,
};

#[derive(Args)]
pub(super) struct Replay {
    /// The seed that the campaign named.
    #[arg(long)]
    seed: u64,
    /// If something is violated, makes the scenario smaller first.
    #[arg(long)]
    shrink: bool,
}

impl Replay {
    pub(super) fn execute(self) -> ExitCode {
        let mut scenario = Scenario::draw(self.seed);
        if self.shrink
            && let Some(violation) = play(&scenario, Detail::Hash).violation
        {
            (scenario, _) = shrink(scenario, violation);
        }
        println!("{scenario}");
        let played = play(&scenario, Detail::Lines);
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
