mod campaign;
mod change;
mod keygen;
mod pairing;
mod replay;
mod run;
mod series;
mod single;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Simulates the protocol in virtual time, with members that do not follow it.
#[derive(Parser)]
#[command(name = "roastery-sim")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays one session and measures it.
    Run(run::Run),
    /// Plays random scenarios and stops at the first that violates an invariant.
    Campaign(campaign::Campaign),
    /// Plays random key generations in the same way, or shows one of them.
    Keygen(keygen::Keygen),
    /// Plays random chains of changes of a group in the same way, or shows one of them.
    Change(change::Change),
    /// Plays pairings, honest or with an attacker, and compares its success with what was derived.
    Pairing(pairing::Pairing),
    /// Plays one scenario of a campaign again and shows all that happens.
    Replay(replay::Replay),
}

impl Arguments {
    /// Runs the command.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(run) if run.table => table::execute(&run),
            Command::Run(run) => run.execute(),
            Command::Campaign(campaign) => campaign.execute(),
            Command::Keygen(keygen) => keygen.execute(),
            Command::Change(change) => change.execute(),
            Command::Pairing(pairing) => pairing.execute(),
            Command::Replay(replay) => replay.execute(),
        }
    }
}

/// Prints in one line what is wrong with the input.
fn bad_input(what: &str) -> ExitCode {
    eprintln!("error: {what}; see --help");
    ExitCode::from(2)
}
