use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use roastery_service::{
    Time,
    api::Client,
    text::visible,
    view::{Invite, InviteToReturn, PairAgain, Pairing, PairingState},
};

use super::{
    At, codes,
    pairing::{Unasked, act, follow, path_of, under_way},
    post,
    question::{check_terminal, is_asked, needed},
    returning,
    screen::{WIDTH, wrapped},
};
use crate::{values, when::Clock};

#[derive(Args)]
pub(crate) struct Options {
    /// The group's name
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The other members' names
    #[arg(value_name = "NAME")]
    others: Vec<String>,
    /// How many must sign [default: more than half; asked for where the group or the members are]
    #[arg(long, value_name = "T", value_parser = |text: &str| values::number::<u16>(text, 2, 128))]
    threshold: Option<u16>,
    /// How long the lines can be used, in minutes [default: a day]
    #[arg(long, value_name = "MINUTES", value_parser = |text: &str| values::number::<u32>(text, 10, 10_080))]
    minutes: Option<u32>,
    /// Make a line by which this member returns whose machine is lost (--group names the group
    /// where it is a member of several)
    #[arg(long = "return", value_name = "NAME", conflicts_with_all = ["others", "threshold", "again", "without", "new_attempt"])]
    lost: Option<String>,
    /// Print the lines and do not wait
    #[arg(long)]
    no_wait: bool,
    /// Show the lines as QR codes as well; on a terminal Enter does it later
    #[arg(long)]
    qr: bool,
    /// Make a new line for this member; the old one is void
    #[arg(long, value_name = "NAME", conflicts_with_all = ["group", "others"])]
    again: Option<String>,
    /// Begin anew without this member, who is not invited any more: the others get new lines
    #[arg(long, value_name = "NAME", conflicts_with_all = ["group", "others", "again"])]
    without: Option<String>,
    /// Begin a further attempt, of five, with the members as they are
    #[arg(long, conflicts_with_all = ["group", "others", "again", "without"])]
    new_attempt: bool,
    /// Make no kit when the group is made: the host key stays on this machine
    #[arg(long)]
    no_kit: bool,
    /// End the pairing that is under way: nothing is made; or, with --return, the line
    #[arg(long, conflicts_with_all = ["group", "others", "again", "without", "new_attempt"])]
    cancel: bool,
}

pub(super) fn run(at: &At, options: Options) -> anyhow::Result<ExitCode> {
    if options.qr {
        codes::check()?;
    }
    let client = at.client()?;
    if let Some(member) = options.lost {
        if options.cancel {
            return returning::cancel(&client, &member);
        }
        let (group, minutes) = (options.group, options.minutes);
        let new = InviteToReturn { group, member, minutes };
        return returning::invite(&client, &new, options.no_wait);
    }
    let unasked = Unasked { accept: false, kit: options.no_kit };
    let known = under_way(&client, true)?;
    let shown = |pairing: Pairing| {
        show_lines(&pairing, options.qr)?;
        if !options.qr && !options.no_wait && is_asked() && pairing.state == PairingState::Waiting {
            complain!("Enter: as QR codes.  Ctrl-C: leave; roastery invite goes on.");
        }
        match options.no_wait {
            true => Ok(ExitCode::SUCCESS),
            false => follow(at, &client, pairing, unasked),
        }
    };
    if options.cancel || options.again.is_some() || options.without.is_some() || options.new_attempt
    {
        let Some(known) = known else {
            return Err(anyhow!("no pairing of this node is under way"));
        };
        if options.cancel {
            act(&client, &known, "/cancel")?;
            say!("It is cancelled. Nothing was made.");
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(left_out) = &options.without {
            return shown(without(
                &client,
                &known,
                left_out,
                (options.threshold, options.minutes),
            )?);
        }
        let again = PairAgain { member: options.again };
        return shown(post(&client, &path_of(&known, "/again"), &again)?);
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
    shown(pairing)
}

/// Ends a pairing and begins another one of the same group without this member. How many must sign
/// is given or asked for: of fewer members as many as before may be all of them.
fn without(
    client: &Client,
    known: &Pairing,
    left_out: &str,
    (threshold, minutes): (Option<u16>, Option<u32>),
) -> anyhow::Result<Pairing> {
    let others: Vec<&str> =
        known.members.iter().filter(|one| !one.own).map(|one| &*one.name).collect();
    let stay = |name: &&&str| !name.eq_ignore_ascii_case(left_out);
    let staying: Vec<String> = others.iter().filter(stay).map(|name| (*name).to_owned()).collect();
    if staying.len() == others.len() {
        let names = visible(&others.join(", "));
        return Err(anyhow!("{} is not invited; those who are: {names}", visible(left_out)));
    }
    if staying.is_empty() {
        return Err(anyhow!(
            "without {} no other member is left: --cancel ends the pairing",
            visible(left_out)
        ));
    }
    let group = known.group.clone().ok_or_else(|| anyhow!("the pairing has no group yet"))?;
    let members = staying.len() + 1;
    let threshold = match threshold {
        Some(given) => given,
        None if is_asked() => asked_threshold(members)?,
        None if known.threshold < members => u16::try_from(known.threshold)?,
        None => {
            return Err(anyhow!(
                "all {members} would have to sign, and one lost machine would be too many:                  --threshold says how many must"
            ));
        }
    };
    act(client, known, "/cancel")?;
    let invite = Invite { group, others: staying, threshold: Some(threshold), minutes };
    let pairing: Pairing = post(client, "/v1/pairings", &invite).context(
        "the pairing before is cancelled and its lines are void; roastery invite begins another one",
    )?;
    say!(
        "{} of {} must sign now. The lines from before are void.",
        pairing.threshold,
        pairing.members.len()
    );
    Ok(pairing)
}

fn asked(
    group: Option<String>,
    mut others: Vec<String>,
    mut threshold: Option<u16>,
    minutes: Option<u32>,
) -> anyhow::Result<Invite> {
    let instead = "give --group NAME and the other members' names";
    let is_asked = group.is_none() || others.is_empty();
    let group = match group {
        Some(group) => group,
        None => {
            check_terminal(instead)?;
            needed("Group: ")?
        }
    };
    if others.is_empty() {
        check_terminal(instead)?;
        others = needed("The other members: ")?.split_whitespace().map(str::to_owned).collect();
    }
    if is_asked && threshold.is_none() && !others.is_empty() {
        threshold = Some(asked_threshold(others.len() + 1)?);
    }
    Ok(Invite { group, others, threshold, minutes })
}

/// How many of so many must sign; more than half if nothing is said.
fn asked_threshold(members: usize) -> anyhow::Result<u16> {
    let usual = members / 2 + 1;
    loop {
        let said = needed(&format!("How many must sign [{usual} of {members}]: "))?;
        let number = said.split_whitespace().next().map_or(Some(usual), |word| word.parse().ok());
        match number.filter(|number| (2..=members).contains(number)).map(u16::try_from) {
            Some(Ok(number)) => return Ok(number),
            _ => complain!("a number from 2 to {members}; Enter: {usual}"),
        }
    }
}

/// The lines that were not used, each with whom it is for and until when it can be used.
fn show_lines(pairing: &Pairing, as_codes: bool) -> anyhow::Result<()> {
    if pairing.state != PairingState::Waiting {
        return Ok(());
    }
    let until = Clock::system().at(Time::from_seconds(pairing.deadline));
    let text = format!(
        "Send each person their own line, over any chat. It works once, until {until}. Who reads it \
         first can take their place, and is found out by the words later."
    );
    wrapped(&text, "", WIDTH).iter().for_each(|line| say!("{line}"));
    for member in &pairing.members {
        if let Some(line) = &member.line {
            say!("{}:\n{line}", visible(&member.name));
        }
    }
    if as_codes {
        codes::show(pairing)?;
    }
    Ok(())
}
