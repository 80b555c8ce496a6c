//! The simulator's command.

mod command;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match command::Arguments::try_parse() {
        Ok(arguments) => arguments.run(),
        Err(error) if error.use_stderr() => {
            // One line names what is wrong; `--help` prints the usage.
            let text = error.to_string();
            let first = text.lines().next().unwrap_or("error: no command");
            eprintln!("{first}; see --help");
            ExitCode::from(2)
        }
        Err(help) => {
            print!("{help}");
            ExitCode::SUCCESS
        }
    }
}
