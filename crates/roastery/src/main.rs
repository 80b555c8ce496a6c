//! The `roastery` command.
//!
//! Exit status: 0 done, 1 not done (what was asked for could not be reached), 2 asked for wrongly (one line says what
//! was wrong and what is allowed).

/// Says a line. Whoever does not read on, as `head` does, misses the rest.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

mod demo;
mod evidence;
mod files;
mod recover;

use std::process::ExitCode;

use clap::{Parser, Subcommand, error::ErrorKind};

/// Threshold signing of Taproot signatures over a mesh that nobody has to trust.
#[derive(Parser)]
#[command(name = "roastery", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a group of nodes in this process, have it sign, and verify what comes out.
    Demo(demo::Options),
    /// Bring a member's secret share back from the group's recovery file and the member's host key.
    Recover(recover::Options),
    /// Look at a proof of misbehaviour, or have it judged.
    #[command(subcommand)]
    Evidence(evidence::Command),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Recover(options) => recover::run(&options),
        Command::Evidence(command) => evidence::run(&command),
    }
}

/// Help goes out as it is; a mistake gets one line.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // Nobody reads it: then nobody misses it.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            eprintln!(
                "error: no command was given; allowed: demo, recover, evidence (more: --help)"
            );
            ExitCode::from(2)
        }
        _ => {
            let text = error.to_string();
            let said: Vec<&str> =
                text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            eprintln!("{}", said.join(" "));
            ExitCode::from(2)
        }
    }
}
