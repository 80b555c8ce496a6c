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
mod node;
mod psbt;
mod recover;
mod wallet;

use std::process::ExitCode;

use clap::{Parser, Subcommand, error::ErrorKind};

/// Threshold signing of Taproot signatures over a mesh that nobody has to trust.
#[derive(Parser)]
#[command(name = "roastery", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    at: node::At,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a group of nodes in this process, have it sign, and verify what comes out.
    Demo(demo::Options),
    /// Bring a member's secret share back from the group's recovery file and the member's host key.
    Recover(recover::Options),
    /// Look at a proof of misbehaviour, have it judged, or list those that a node holds.
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Make a new node: its keys, its folder, and the card for the others.
    Init(node::InitOptions),
    /// Show the node's card, made anew where the configuration has another name or other addresses.
    Card(node::CardOptions),
    /// The other members' nodes.
    #[command(subcommand)]
    Peers(node::PeersCommand),
    /// Groups: their making, their files, their recovery.
    #[command(subcommand)]
    Group(node::GroupCommand),
    /// Make a group's key together with all other members.
    Keygen(node::KeygenOptions),
    /// Run the node, until it is told to stop.
    Node,
    /// Tell the node that runs to stop.
    Stop,
    /// Have a group sign something.
    Sign(node::SignOptions),
    /// Show the requests that the node knows.
    Requests(node::ListOptions),
    /// Approve a request that waits for it.
    Approve(node::ApproveOptions),
    /// Reject a request, for all to hear.
    Reject(node::RejectOptions),
    /// Show how the node stands, and who is awaited.
    Status(node::StatusOptions),
    /// Show the audit log: one line for each share that has left the node.
    Log(node::LogOptions),
    /// Write a backup of the node's store, encrypted like the store.
    Backup(node::BackupOptions),
    /// Put a backup in place as the node's store, where there is none.
    Restore(node::RestoreOptions),
    /// Change the passphrase of the store of a node that does not run.
    Passphrase(node::PassphraseOptions),
    /// Make and run a group on this machine, each node a process of its own.
    Local(node::LocalOptions),
    /// Show the group's key as a Bitcoin wallet: extended key, descriptors, addresses.
    Wallet(wallet::Options),
    /// Look at a partially signed Bitcoin transaction (PSBT) with the group's eyes.
    #[command(subcommand)]
    Psbt(psbt::Command),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let at = &arguments.at;
    match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Recover(options) => recover::run(&options),
        Command::Evidence(command) => evidence::run(at, command),
        Command::Init(options) => node::run(at, node::Command::Init(options)),
        Command::Card(options) => node::run(at, node::Command::Card(options)),
        Command::Peers(command) => node::run(at, node::Command::Peers(command)),
        Command::Group(command) => node::run(at, node::Command::Group(command)),
        Command::Keygen(options) => node::run(at, node::Command::Keygen(options)),
        Command::Node => node::run(at, node::Command::Run),
        Command::Stop => node::run(at, node::Command::Stop),
        Command::Sign(options) => node::run(at, node::Command::Sign(options)),
        Command::Requests(options) => node::run(at, node::Command::Requests(options)),
        Command::Approve(options) => node::run(at, node::Command::Approve(options)),
        Command::Reject(options) => node::run(at, node::Command::Reject(options)),
        Command::Status(options) => node::run(at, node::Command::Status(options)),
        Command::Log(options) => node::run(at, node::Command::Log(options)),
        Command::Backup(options) => node::run(at, node::Command::Backup(options)),
        Command::Restore(options) => node::run(at, node::Command::Restore(options)),
        Command::Passphrase(options) => node::run(at, node::Command::Passphrase(options)),
        Command::Local(options) => node::local(at, &options),
        Command::Wallet(options) => wallet::run(&options),
        Command::Psbt(command) => psbt::run(at, &command),
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
                "error: no command was given; allowed are demo, init, group, node, sign and others (--help lists them)"
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
