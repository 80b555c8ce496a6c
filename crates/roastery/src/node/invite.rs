use std::process::ExitCode;

use anyhow::anyhow;
use clap::Args;
use roastery_service::{
    text::visible,
    view::{Invite, PairAgain, Pairing, PairingState},
};

use super::{
    At,
    pairing::{Unasked, act, follow, path_of, under_way},
    post,
    question::{ask, check_terminal},
};
use crate::values;

#[derive(Args)]
pub(crate) struct Options {
    /// The group's name
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The other members' names
    #[arg(value_name = "NAME")]
    others: Vec<String>,
    /// How many must sign [default: more than half]
    #[arg(long, value_name = "T", value_parser = |text: &str| values::number::<u16>(text, 2, 128))]
    threshold: Option<u16>,
    /// How long the lines can be used, in minutes [default: a day]
    #[arg(long, value_name = "MINUTES", value_parser = |text: &str| values::number::<u32>(text, 10, 10_080))]
    minutes: Option<u32>,
    /// Print the lines and do not wait
    #[arg(long)]
    no_wait: bool,
    /// Make a new line for this member; the old one is void
    #[arg(long, value_name = "NAME", conflicts_with_all = ["group", "others"])]
    again: Option<String>,
    /// Begin a further attempt, of five, with the members as they are
    #[arg(long, conflicts_with_all = ["group", "others", "again"])]
    new_attempt: bool,
    /// Make no kit when the group is made: the host key stays on this machine
    #[arg(long)]
    no_kit: bool,
    /// End the pairing that is under way: nothing is made
    #[arg(long, conflicts_with_all = ["group", "others", "again", "new_attempt"])]
    cancel: bool,
}

pub(super) fn run(at: &At, options: Options) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let unasked = Unasked { accept: false, kit: options.no_kit };
    let known = under_way(&client, true)?;
    if options.cancel || options.again.is_some() || options.new_attempt {
        let Some(known) = known else {
            return Err(anyhow!("no pairing of this node is under way"));
        };
        if options.cancel {
            act(&client, &known, "/cancel")?;
            say!("It is cancelled. Nothing was made.");
            return Ok(ExitCode::SUCCESS);
        }
        let again = PairAgain { member: options.again };
        let pairing: Pairing = post(&client, &path_of(&known, "/again"), &again)?;
        show_lines(&pairing);
        return if options.no_wait {
            Ok(ExitCode::SUCCESS)
        } else {
            follow(at, &client, pairing, unasked)
        };
    }
    let is_new = options.group.is_some() || !options.others.is_empty();
    let pairing = match known {
        // Without a new group's name the one that is under way goes on.
        Some(known) if !is_new => known,
        _ => post(
            &client,
            "/v1/pairings",
            &asked(options.group, options.others, options.threshold, options.minutes)?,
        )?,
    };
    show_lines(&pairing);
    if options.no_wait { Ok(ExitCode::SUCCESS) } else { follow(at, &client, pairing, unasked) }
}

fn asked(
    group: Option<String>,
    mut others: Vec<String>,
    threshold: Option<u16>,
    minutes: Option<u32>,
) -> anyhow::Result<Invite> {
    let instead = "give --group NAME and the other members' names";
    let group = match group {
        Some(group) => group,
        None => {
            check_terminal(instead)?;
            ask("Group: ")?
        }
    };
    if others.is_empty() {
        check_terminal(instead)?;
        others = ask("The other members: ")?.split_whitespace().map(str::to_owned).collect();
    }
    Ok(Invite { group, others, threshold, minutes })
}

/// The lines that were not used, each with whom it is for.
fn show_lines(pairing: &Pairing) {
    if pairing.state != PairingState::Waiting {
        return;
    }
    say!(
        "Send each person their own line, over any chat. It works once. Who reads it\nfirst can take their place, and is found out by the words later."
    );
    for member in &pairing.members {
        if let Some(line) = &member.line {
            say!("{}:\n{line}", visible(&member.name));
        }
    }
}
