use std::{io::Write as _, process::ExitCode};

use clap::Args;
use roastery_sim::{
    campaign::shrink,
    signing::{Scenario, play},
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
        let played = play(&scenario, Detail::Lines);
        // A reader that closes the pipe, as `head` does, misses the rest.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{scenario}");
        for line in &played.lines {
            if writeln!(out, "{line}").is_err() {
                break;
            }
        }
        let _ = writeln!(out, "\ntrace {}", played.hash);
        match played.violation {
            None => ExitCode::SUCCESS,
            Some(violation) => {
                let _ = writeln!(out, "{violation}");
                ExitCode::FAILURE
            }
        }
    }
}
