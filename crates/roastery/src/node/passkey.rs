//! `roastery passkey`: the passkeys with which people decide from elsewhere.

use std::{process::ExitCode, thread, time::Duration};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use roastery_service::{
    api::Client,
    text::{to_json, visible},
    view::{
        AddPasskey, Health, KeepPasskey, PasskeyCode, PasskeyEnrolment, PasskeyStatus,
        RemoteStatus, TokenRole,
    },
};

use super::{At, asked, check_terminal, encoded, get, post};
use crate::{output::remark, when::Clock};

/// How often the node is asked whether the passkey has come.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a passkey: shows a code for the page, waits for the passkey, and asks whether to keep it
    Add(Add),
    /// Show the passkeys
    List(List),
    /// Remove a passkey: it counts no more from here on
    Remove(Remove),
}

#[derive(Args)]
pub(crate) struct Add {
    /// What it is called: 1 to 24 small letters, digits and hyphens
    name: String,
    /// What it admits to
    #[arg(long, value_enum)]
    role: Role,
}

/// What a passkey admits to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// To look
    Reader,
    /// To look, and to approve and reject requests within the limits of the policy
    Operator,
}

#[derive(Args)]
pub(crate) struct List {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Remove {
    /// The passkey's name
    name: String,
}

pub(super) fn run(at: &At, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add(options) => add(&at.client()?, options),
        Command::List(options) => list(&at.client()?, options),
        Command::Remove(options) => remove(&at.client()?, options),
    }
}

fn add(client: &Client, options: &Add) -> anyhow::Result<ExitCode> {
    check_terminal("a passkey is added by a person at the node's machine")?;
    let role = match options.role {
        Role::Reader => TokenRole::Reader,
        Role::Operator => TokenRole::Operator,
    };
    let wanted = AddPasskey { name: options.name.clone(), role };
    let PasskeyCode { code, origin } = post(client, "/v1/passkeys", &wanted)?;
    say!("{origin}/");
    say!("code {code}");
    remark(
        "Open the address in the browser that is to have the passkey, choose \"Add a passkey\" and \
         type the code there: it is good for ten minutes, once. Ctrl-C ends it here.",
    );
    let come = wait_for_it(client, &options.name)?;
    say!("A passkey has come. Its fingerprint is {}", visible(&come));
    if !asked("Does the page show the same, and is it to be kept? [y/N] ")? {
        let _: Health = post(client, "/v1/passkeys/end", &())?;
        say!("It was not kept.");
        return Ok(ExitCode::FAILURE);
    }
    let kept: PasskeyStatus =
        post(client, "/v1/passkeys/keep", &KeepPasskey { fingerprint: come })?;
    say!("{}", line(&kept, &Clock::system()));
    remark(
        "Nothing is approved with it above remote_most of the policy, which is 0 if nothing is said.",
    );
    Ok(ExitCode::SUCCESS)
}

/// The fingerprint of the passkey that has come.
fn wait_for_it(client: &Client, wanted: &str) -> anyhow::Result<String> {
    loop {
        match get(client, "/v1/passkeys")? {
            PasskeyEnrolment { name: Some(name), fingerprint } if name == wanted => {
                if let Some(fingerprint) = fingerprint {
                    return Ok(fingerprint);
                }
            }
            _ => {
                return Err(anyhow!(
                    "the code counts no more: ten minutes are over, five wrong ones were typed, or \
                     another code was made; roastery passkey add makes another one"
                ));
            }
        }
        thread::sleep(LOOK);
    }
}

fn list(client: &Client, options: &List) -> anyhow::Result<ExitCode> {
    let status: RemoteStatus = get(client, "/v1/remote")?;
    if options.json {
        say!("{}", to_json(&status)?);
        return Ok(ExitCode::SUCCESS);
    }
    match &status.origin {
        None => remark("no one decides from elsewhere: remote.origin is not set in roastery.toml"),
        Some(origin) => say!("{}", visible(origin)),
    }
    status.passkeys.iter().for_each(|passkey| say!("{}", line(passkey, &Clock::system())));
    Ok(ExitCode::SUCCESS)
}

fn remove(client: &Client, options: &Remove) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/passkeys/{}/remove", encoded(&options.name));
    let _: Health = post(client, &path, &())?;
    say!("{} is removed.", visible(&options.name));
    Ok(ExitCode::SUCCESS)
}

/// A passkey in a line.
fn line(passkey: &PasskeyStatus, clock: &Clock) -> String {
    let (name, fingerprint) = (visible(&passkey.name), visible(&passkey.fingerprint));
    format!("{name:<24}  {:<8}  {fingerprint}  added {}", passkey.role, clock.at(passkey.made))
}
