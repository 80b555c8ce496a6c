use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use roastery_service::view::{JoinLine, Pairing};

use super::{
    At,
    pairing::{Unasked, act, follow, under_way},
    post,
    question::{ask, check_terminal},
    returning,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The line that the inviting member has sent; asked for if it is not given, so that it is in
    /// no history of the shell
    line: Option<String>,
    /// Take part in what is offered without asking. The words are asked for all the same
    #[arg(long)]
    yes: bool,
    /// Make no kit when the group is made: the host key stays on this machine
    #[arg(long)]
    no_kit: bool,
    /// End the pairing that is under way: nothing is made
    #[arg(long, conflicts_with_all = ["line", "yes"])]
    cancel: bool,
}

pub(super) fn run(at: &At, options: Options) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let returns = returning::under_way(&client)?.is_some();
    if options.cancel && returns {
        return returning::leave(&client);
    }
    let is_to_return = options.line.as_deref().is_some_and(returning::is_to_return);
    if is_to_return || (options.line.is_none() && returns) {
        return returning::join(at, &client, options.line);
    }
    let known = under_way(&client, false)?;
    if options.cancel {
        let Some(known) = known else {
            return Err(anyhow!("no pairing of this node is under way"));
        };
        act(&client, &known, "/cancel")?;
        say!("It is cancelled. Nothing was made.");
        return Ok(ExitCode::SUCCESS);
    }
    let line = match (options.line, &known) {
        (Some(line), _) => Some(line),
        (None, Some(_)) => None,
        (None, None) => {
            check_terminal("give the line: roastery join LINE")?;
            Some(ask("The line: ")?)
        }
    };
    if let Some(line) = line.clone().filter(|line| returning::is_to_return(line)) {
        return returning::join(at, &client, Some(line));
    }
    let pairing: Pairing = match (line, known) {
        (Some(line), _) => post(&client, "/v1/pairings/join", &JoinLine { line })?,
        (None, Some(known)) => known,
        (None, None) => return Err(anyhow!("there is no line")),
    };
    follow(at, &client, pairing, Unasked { accept: options.yes, kit: options.no_kit })
}
