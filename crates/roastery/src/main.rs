//! The `roastery` command.
//!
//! Exit status: 0 done, 1 not done (what was asked for could not be reached), 2 usage error (one
//! line says what was wrong and what is allowed).

#![warn(clippy::print_stderr, clippy::print_stdout, reason = "they panic without a reader")]

/// Prints a line. If the reader has closed the pipe, as `head` does, it is lost.
macro_rules! say {
    ($($line:tt)*) => { $crate::output::say($crate::output::Paint::Plain, &format!($($line)*)) };
}

/// Prints a line on standard error. If there is no reader it is lost.
macro_rules! complain {
    ($($line:tt)*) => { $crate::output::remark(&format!($($line)*)) };
}

mod demo;
mod evidence;
mod examples;
mod exported;
mod fetch;
mod files;
mod node;
mod output;
mod papers;
mod psbt;
mod recover;
mod usage;
mod values;
mod verify;
mod wallet;
mod when;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Threshold signing of Taproot signatures by members that do not trust each other or the network.
#[derive(Parser)]
#[command(name = "roastery", version)]
struct Arguments {
    #[command(flatten)]
    at: node::At,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make a group of nodes in this process, have it sign, and verify what comes out.
    Demo(demo::Options),
    /// Restore a member's secret share from the group's recovery file and the member's host key.
    Recover(recover::Options),
    /// Show a proof of misbehaviour, verify it, or list those that a node holds.
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Make a node on this machine, by questions and answers.
    Setup(node::SetupOptions),
    /// Invite people to a new group: a line for each of them.
    Invite(node::InviteOptions),
    /// Join a group with the line that its inviting member has sent.
    Join(node::JoinOptions),
    /// Make a new node: its keys, its folder, and the card for the others.
    Init(node::InitOptions),
    /// Show the node's card, renewed if the configuration has another name or other addresses.
    Card(node::CardOptions),
    /// The other members' nodes.
    #[command(subcommand)]
    Peers(node::PeersCommand),
    /// Groups: invitations, public files, recovery.
    #[command(subcommand)]
    Group(node::GroupCommand),
    /// Make a group's key together with all other members.
    Keygen(node::KeygenOptions),
    /// Change a group's shares, members or threshold, and keep its key.
    #[command(subcommand)]
    Change(node::ChangeCommand),
    /// Host keys: files of them that are kept offline, and which are to be kept.
    #[command(subcommand, name = "hostkey")]
    HostKey(node::HostKeyCommand),
    /// Kits of host keys: their state, and fresh words for paper.
    Kit(node::KitOptions),
    /// The configuration of the node.
    #[command(subcommand)]
    Config(node::ConfigCommand),
    /// Run the node, until it is stopped.
    Node,
    /// Stop the running node.
    Stop,
    /// Have a group sign something.
    Sign(node::SignOptions),
    /// Show the requests that the node knows, one a line, or all of one.
    Requests(node::ListOptions),
    /// Show what waits for a decision here, one request after the other, and ask.
    Review(node::ReviewOptions),
    /// Watch a node: members and their links, requests, what waits, and what happens; r reviews.
    Watch(node::WatchOptions),
    /// Open the console: requests, groups, wallet and log in a browser on this machine.
    Console(node::ConsoleOptions),
    /// Write the result of a request, also after its session has ended, or say who has said what.
    Fetch(fetch::Options),
    /// Approve a request that waits for it.
    Approve(node::ApproveOptions),
    /// Reject a request; all members receive the refusal.
    Reject(node::RejectOptions),
    /// Check a signature of a group with its group file.
    Verify(verify::Options),
    /// Show the status of the node, and which members are waited for.
    Status(node::StatusOptions),
    /// Ask the node whether it works: exit status 0 if it does, else 1 and what is wrong.
    Health(node::HealthOptions),
    /// Show the audit log, one line for each share that has left the node; export it, or cut it.
    Log(node::LogOptions),
    /// Show who has asked the node for what, with the shares that have left between, in one chain.
    Audit(node::AuditOptions),
    /// The tokens with which programs call the node over TCP.
    #[command(subcommand)]
    Token(node::TokenCommand),
    /// The passkeys with which people decide from elsewhere.
    #[cfg(feature = "remote")]
    #[command(subcommand)]
    Passkey(node::PasskeyCommand),
    /// Look for what is wrong with a node or its machine, before it is made and after: exit status
    /// 0 if nothing is.
    Doctor(node::DoctorOptions),
    /// Show whom the node tells what happens, and what became of it; test one of them.
    Hooks(node::HooksOptions),
    /// Write a backup of the node's store, encrypted like the store.
    Backup(node::BackupOptions),
    /// Restore a backup as the node's store, if there is none.
    Restore(node::RestoreOptions),
    /// Change the passphrase of the store of a stopped node.
    Passphrase(node::PassphraseOptions),
    /// Make and run a group on this machine, each node a process of its own.
    Local(node::LocalOptions),
    /// Show the group's key as a Bitcoin wallet: extended key, descriptors, addresses; with a chain
    /// source its balance and history; pay, sweep, raise a fee.
    Wallet(wallet::Options),
    /// Partially signed Bitcoin transactions (PSBT): what they do, their signing, the result.
    #[command(subcommand)]
    Psbt(psbt::Command),
    /// Sign for Bitcoin Core: its interface for external signers (bitcoind -signer="roastery hwi").
    Hwi(node::HwiOptions),
    /// Print the completions of a shell.
    Completions(papers::Completions),
    /// Write the manual pages into a folder.
    Man(papers::Man),
}

/// All commands, with their examples.
fn command() -> clap::Command {
    examples::add(Arguments::command())
}

fn main() -> ExitCode {
    let arguments =
        match command().try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches))
        {
            Ok(arguments) => arguments,
            Err(error) => return usage::refuse(&error),
        };
    let at = &arguments.at;
    let finish =
        |done: anyhow::Result<ExitCode>| done.unwrap_or_else(|error| output::failure(&error));
    let Some(command) = arguments.command else {
        return match at.has_node() {
            true => node::run(at, node::Command::Today),
            false => {
                usage::refuse(&self::command().error(clap::error::ErrorKind::MissingSubcommand, ""))
            }
        };
    };
    match command {
        Command::Demo(options) => demo::run(&options),
        Command::Recover(options) => finish(recover::run(&options)),
        Command::Evidence(command) => finish(evidence::run(at, command)),
        Command::Setup(options) => node::run(at, node::Command::Setup(options)),
        Command::Invite(options) => node::run(at, node::Command::Invite(options)),
        Command::Join(options) => node::run(at, node::Command::Join(options)),
        Command::Init(options) => node::run(at, node::Command::Init(options)),
        Command::Card(options) => node::run(at, node::Command::Card(options)),
        Command::Peers(command) => node::run(at, node::Command::Peers(command)),
        Command::Group(command) => node::run(at, node::Command::Group(command)),
        Command::Keygen(options) => node::run(at, node::Command::Keygen(options)),
        Command::Change(command) => node::run(at, node::Command::Change(command)),
        Command::HostKey(command) => node::run(at, node::Command::HostKey(command)),
        Command::Kit(options) => node::run(at, node::Command::Kit(options)),
        Command::Config(command) => node::run(at, node::Command::Config(command)),
        Command::Node => node::run(at, node::Command::Run),
        Command::Stop => node::run(at, node::Command::Stop),
        Command::Sign(options) => node::run(at, node::Command::Sign(options)),
        Command::Requests(options) => node::run(at, node::Command::Requests(options)),
        Command::Review(options) => node::run(at, node::Command::Review(options)),
        Command::Watch(options) => node::run(at, node::Command::Watch(options)),
        Command::Console(options) => node::run(at, node::Command::Console(options)),
        Command::Fetch(options) => finish(fetch::run(at, &options)),
        Command::Approve(options) => node::run(at, node::Command::Approve(options)),
        Command::Reject(options) => node::run(at, node::Command::Reject(options)),
        Command::Verify(options) => finish(verify::run(&options)),
        Command::Status(options) => node::run(at, node::Command::Status(options)),
        Command::Health(options) => node::run(at, node::Command::Health(options)),
        Command::Doctor(options) => node::run(at, node::Command::Doctor(options)),
        Command::Log(options) => node::run(at, node::Command::Log(options)),
        Command::Audit(options) => node::run(at, node::Command::Audit(options)),
        Command::Token(command) => node::run(at, node::Command::Token(command)),
        #[cfg(feature = "remote")]
        Command::Passkey(command) => node::run(at, node::Command::Passkey(command)),
        Command::Hooks(options) => node::run(at, node::Command::Hooks(options)),
        Command::Backup(options) => node::run(at, node::Command::Backup(options)),
        Command::Restore(options) => node::run(at, node::Command::Restore(options)),
        Command::Passphrase(options) => node::run(at, node::Command::Passphrase(options)),
        Command::Local(options) => node::local(at, &options),
        Command::Wallet(options) => finish(wallet::run(at, &options)),
        Command::Psbt(command) => finish(psbt::run(at, &command)),
        Command::Hwi(options) => node::hwi(at, options),
        Command::Completions(options) => finish(papers::complete(&options)),
        Command::Man(options) => finish(papers::manual(&options)),
    }
}
