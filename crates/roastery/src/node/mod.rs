//! The commands of an operator: they create a node, run it, and call the API of a running one.

mod audit;
mod callable;
mod card;
mod change;
mod client;
mod codes;
mod config;
mod console;
mod decide;
mod doctor;
mod draft;
mod epochs;
mod group;
mod hooks;
mod host_key;
mod hwi;
mod init;
mod invite;
mod join;
mod kit;
mod local;
mod log;
mod naming;
mod other_screen;
mod pairing;
#[cfg(feature = "remote")]
mod passkey;
mod passphrase;
mod peers;
mod process;
mod question;
mod requests;
mod returning;
mod review;
mod run;
mod screen;
mod setup;
mod show;
mod sign;
mod store;
mod today;
mod token;
mod typed;
mod url;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use roastery_service::{api::Client, config::Config, files::Folder, text::shell_word};
use serde::{Serialize, de::DeserializeOwned};

use crate::output::failure;

pub(crate) use self::{
    client::EvidenceList, local::Options as LocalOptions, peers::Command as PeersCommand,
};

/// Which node is meant.
#[derive(Args, Clone, Debug)]
pub(crate) struct At {
    /// The node's folder [default: ROASTERY_FOLDER, or .roastery in the home folder; for local:
    /// roastery-local]
    #[arg(long, value_name = "FOLDER", global = true)]
    folder: Option<PathBuf>,
    /// The socket of a node that runs, for a user who may not read its folder
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
}

impl At {
    pub(crate) fn folder(&self) -> anyhow::Result<Folder> {
        let named = self.folder.clone().or_else(|| {
            std::env::var_os("ROASTERY_FOLDER").filter(|name| !name.is_empty()).map(Into::into)
        });
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".roastery"));
        named
            .or_else(home)
            .map(Folder::new)
            .context("the node's folder is not known: give --folder FOLDER, or set ROASTERY_FOLDER")
    }

    /// Whether there is a node in the folder, or one is named by its socket.
    pub(crate) fn has_node(&self) -> bool {
        self.socket.is_some() || self.folder().is_ok_and(|folder| folder.config().exists())
    }

    /// What a further command needs to mean the same node: nothing, or the options that name it.
    fn argument(&self) -> String {
        let option = |name: &str, path: &Option<PathBuf>| {
            let word = path.as_ref().map(|path| shell_word(&path.to_string_lossy()).to_string());
            word.map(|word| format!(" --{name} {word}")).unwrap_or_default()
        };
        option("folder", &self.folder) + &option("socket", &self.socket)
    }

    pub(crate) fn config(&self) -> anyhow::Result<(Folder, Config)> {
        let folder = self.folder()?;
        roastery_service::init::finish(&folder)?;
        if !folder.config().exists() {
            return Err(anyhow!(
                "{}: there is no node in this folder; roastery setup makes one (scripts: roastery init), --folder names another folder",
                folder.path().display()
            ));
        }
        let config = Config::load(&folder, |name| std::env::var(name).ok())?;
        Ok((folder, config))
    }

    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        if let Some(socket) = &self.socket {
            return Ok(Client::new(socket));
        }
        let (folder, config) = self.config()?;
        Ok(Client::new(folder.resolve(&config.api.socket)))
    }
}

/// What can be done with a group that is to be made, or was.
#[derive(Subcommand)]
pub(crate) enum GroupCommand {
    /// Write the invitation to a group of these nodes, and show its fingerprint
    New(group::New),
    /// Join an invitation: the fingerprint is compared with the other members before the key is
    /// made
    Join(group::Join),
    /// Write a group's public files
    Export(group::Export),
    /// Give a group another name, from the next start of the node on; a name belongs to one group
    /// for good
    Rename(group::Rename),
    /// Acknowledge an epoch that this node's person has not decided about, by its fingerprint
    Acknowledge(epochs::Acknowledge),
    /// Do not sign with a member any more, at this node, for good
    Bar(group::Bar),
    /// Restore this node's share of a group from its recovery file and the host key
    Recover(group::Recover),
}

/// An operator's command.
pub(crate) enum Command {
    Setup(setup::Options),
    Invite(invite::Options),
    Join(join::Options),
    Init(init::Options),
    Card(card::Options),
    Peers(PeersCommand),
    Group(GroupCommand),
    Keygen(group::Keygen),
    Change(change::Command),
    HostKey(host_key::Command),
    Kit(kit::Options),
    Run,
    Stop,
    Config(config::Command),
    Doctor(doctor::Options),
    Console(console::Options),
    Sign(sign::Sign),
    Approve(decide::Approve),
    Reject(decide::Reject),
    Requests(requests::List),
    Review(review::Review),
    Watch(watch::Options),
    Today,
    Status(client::Status),
    Health(run::Health),
    Log(log::Log),
    Audit(audit::Audit),
    Token(token::Command),
    #[cfg(feature = "remote")]
    Passkey(passkey::Command),
    Hooks(hooks::Options),
    Evidence(EvidenceList),
    Backup(store::Backup),
    Restore(store::Restore),
    Passphrase(store::Change),
}

#[cfg(feature = "remote")]
pub(crate) use self::passkey::Command as PasskeyCommand;
pub(crate) use self::{
    audit::Audit as AuditOptions,
    card::Options as CardOptions,
    change::Command as ChangeCommand,
    client::Status as StatusOptions,
    config::Command as ConfigCommand,
    console::{End as ConsoleEnd, Options as ConsoleOptions, serve as serve_console},
    decide::{Approve as ApproveOptions, Reject as RejectOptions},
    doctor::Options as DoctorOptions,
    draft::{is_shown, propose_shown},
    group::Keygen as KeygenOptions,
    hooks::Options as HooksOptions,
    host_key::{Command as HostKeyCommand, Words as HostKeyWords},
    hwi::Options as HwiOptions,
    init::Options as InitOptions,
    invite::Options as InviteOptions,
    join::Options as JoinOptions,
    kit::Options as KitOptions,
    local::make_key,
    log::Log as LogOptions,
    question::{asked, check_terminal},
    requests::{List as ListOptions, all_requests, find, line, request_id, said},
    review::Review as ReviewOptions,
    run::Health as HealthOptions,
    setup::Options as SetupOptions,
    show::short_id,
    sign::{Sign as SignOptions, propose, see_all_through, send},
    store::{Backup as BackupOptions, Change as PassphraseOptions, Restore as RestoreOptions},
    token::Command as TokenCommand,
    url::encoded,
    watch::Options as WatchOptions,
};

/// Runs an operator's command: exit status 0 done, 1 not done, 2 usage error.
pub(crate) fn run(at: &At, command: Command) -> ExitCode {
    let done = match command {
        Command::Setup(options) => setup::run(at, options),
        Command::Invite(options) => invite::run(at, options),
        Command::Join(options) => join::run(at, options),
        Command::Init(options) => init::run(at, options),
        Command::Card(options) => card::run(at, &options),
        Command::Peers(command) => peers::run(at, &command),
        Command::Group(command) => group::run(at, command),
        Command::Keygen(options) => group::keygen(at, &options),
        Command::Config(command) => config::run(at, command),
        Command::Doctor(options) => doctor::run(at, &options),
        Command::Console(options) => console::console(at, &options),
        Command::Change(command) => change::run(at, command),
        Command::HostKey(command) => host_key::run(at, &command),
        Command::Kit(options) => kit::run(at, &options),
        Command::Run => run::run(at),
        Command::Stop => run::stop(at),
        Command::Sign(options) => sign::sign(at, options),
        Command::Approve(options) => decide::approve(at, &options),
        Command::Reject(options) => decide::reject(at, &options),
        Command::Requests(options) => requests::list(at, &options),
        Command::Review(options) => review::review(at, &options),
        Command::Watch(options) => watch::watch(at, &options),
        Command::Today => today::today(at),
        Command::Status(options) => client::status(at, &options),
        Command::Health(options) => run::health(at, &options),
        Command::Log(options) => log::log(at, &options),
        Command::Audit(options) => audit::audit(at, &options),
        Command::Token(command) => token::run(at, &command),
        #[cfg(feature = "remote")]
        Command::Passkey(command) => passkey::run(at, &command),
        Command::Hooks(options) => hooks::run(at, &options),
        Command::Evidence(options) => client::evidence(at, &options),
        Command::Backup(options) => store::backup(at, &options),
        Command::Restore(options) => store::restore(at, &options),
        Command::Passphrase(options) => store::change(at, &options),
    };
    finish(done)
}

/// Answers Bitcoin Core.
pub(crate) fn hwi(at: &At, options: hwi::Options) -> ExitCode {
    hwi::run(at, options)
}

/// Runs a group on this machine.
pub(crate) fn local(at: &At, options: &LocalOptions) -> ExitCode {
    finish(local::run(at, options))
}

fn finish(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| failure(&error))
}

/// Gets a JSON value from the node.
pub(crate) fn get<T: DeserializeOwned>(client: &Client, path: &str) -> anyhow::Result<T> {
    wait_for(async { client.get(path).await.map_err(anyhow::Error::from) })
}

/// Posts a JSON value to the node.
pub(crate) fn post<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    body: &impl Serialize,
) -> anyhow::Result<T> {
    wait_for(async { client.post(path, body).await.map_err(anyhow::Error::from) })
}

/// Gets bytes from the node.
pub(crate) fn ask(client: &Client, path: &str) -> anyhow::Result<Vec<u8>> {
    wait_for(async { client.bytes(path).await.map_err(anyhow::Error::from) })
        .map(|bytes| bytes.to_vec())
}

/// Runs a future that waits for a node's answer.
fn wait_for<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}
