//! `roastery invite --return NAME` and `roastery join LINE` for a member whose machine is lost.

use std::{process::ExitCode, thread, time::Instant};

use anyhow::anyhow;
use roastery_protocol::{
    kit::KitWords,
    pairing::{Line, Purpose},
};
use roastery_service::{
    api::{Client, ClientError},
    text::{shell_word, visible},
    view::{
        Health, InviteToReturn, JoinLine, OwnReturn, PaperWords, ProblemCode, ReturnLine, Returned,
        Returns, Status,
    },
};
use zeroize::Zeroizing;

use super::{At, get, post, question::ask, typed::TURN};

/// How long it is waited for copies of the kit after the first one, and until the node runs again.
const FOR_COPIES: std::time::Duration = std::time::Duration::from_secs(3);
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Operations without a body.
const NOTHING: serde_json::Value = serde_json::Value::Null;

/// Whether a line is one to return.
pub(super) fn is_to_return(line: &str) -> bool {
    Line::parse(line).is_ok_and(|line| line.purpose == Purpose::Return)
}

/// Makes a line for a lost member, and follows it until the member is back.
pub(super) fn invite(
    client: &Client,
    new: &InviteToReturn,
    no_wait: bool,
) -> anyhow::Result<ExitCode> {
    let returns: Returns = get(client, "/v1/returns")?;
    let known = returns.lines.into_iter().find(|line| is_open_for(line, new));
    let line: ReturnLine = match known {
        Some(known) => known,
        None => post(client, "/v1/returns", new)?,
    };
    if let Some(text) = &line.line {
        say!(
            "Send {0} this line, over any chat. It works once. Who uses it gets the sealed\nkit of {0}, which is worth nothing without the ten words, and is told to all.",
            visible(&line.member)
        );
        say!("{text}");
    }
    if no_wait { Ok(ExitCode::SUCCESS) } else { follow(client, &line) }
}

fn is_open_for(line: &ReturnLine, new: &InviteToReturn) -> bool {
    !line.cancelled
        && line.returned.is_none()
        && line.used.is_none_or(|_| new.minutes.is_none())
        && line.member.eq_ignore_ascii_case(&new.member)
        && new.group.as_ref().is_none_or(|group| *group == line.group)
        && now_seconds() < line.deadline
}

/// The time by this machine's clock, in seconds since 1970, as deadlines have it.
fn now_seconds() -> u64 {
    u64::try_from(crate::when::now().seconds()).unwrap_or(0)
}

fn follow(client: &Client, line: &ReturnLine) -> anyhow::Result<ExitCode> {
    let mut is_said = false;
    loop {
        let returns: Returns = get(client, "/v1/returns")?;
        let found = returns.lines.into_iter().find(|one| one.id == line.id);
        let now = found.ok_or_else(|| anyhow!("the line is not known here any more"))?;
        let name = visible(&now.member);
        if now.used.is_some() && !std::mem::replace(&mut is_said, true) {
            let from = now.from.as_deref().map(|from| format!(", from {}", visible(from)));
            say!("{name}'s line was used{}.", from.unwrap_or_default());
            say!(
                "If that was not {name}, cancel it, and make a new line:\n  roastery invite --return {} --cancel",
                shell_word(&now.member)
            );
        }
        if now.returned.is_some() {
            say!("{name} is back in {}.", visible(&now.group));
            return Ok(ExitCode::SUCCESS);
        }
        if now.cancelled {
            return Err(anyhow!("the line was cancelled, or another one was made for {name}"));
        }
        if now_seconds() >= now.deadline {
            return Err(anyhow!("the time of the line is over: make another one"));
        }
        thread::sleep(TURN);
    }
}

/// Ends the line of a member.
pub(super) fn cancel(client: &Client, member: &str) -> anyhow::Result<ExitCode> {
    let returns: Returns = get(client, "/v1/returns")?;
    let is_its = |line: &&ReturnLine| {
        line.member.eq_ignore_ascii_case(member) && !line.cancelled && line.returned.is_none()
    };
    let open: Vec<&ReturnLine> = returns.lines.iter().filter(is_its).collect();
    if open.is_empty() {
        return Err(anyhow!("no line to return of {} is open here", visible(member)));
    }
    for line in open {
        let _: ReturnLine = post(client, &format!("/v1/returns/{}/cancel", line.id), &NOTHING)?;
    }
    say!("The line is cancelled.");
    Ok(ExitCode::SUCCESS)
}

/// This node's own return, if one is under way.
pub(super) fn under_way(client: &Client) -> anyhow::Result<Option<OwnReturn>> {
    let returns: Returns = get(client, "/v1/returns")?;
    Ok(returns.own.filter(|own| own.ended.is_none()))
}

/// Ends this node's own return.
pub(super) fn leave(client: &Client) -> anyhow::Result<ExitCode> {
    let _: Health = post(client, "/v1/returns/leave", &NOTHING)?;
    say!("It is cancelled. Nothing was changed.");
    Ok(ExitCode::SUCCESS)
}

/// Takes a line to return, asks for the ten words, and waits until the node runs with the keys of
/// the one that is lost. Without a line it goes on with the one before.
pub(super) fn join(at: &At, client: &Client, line: Option<String>) -> anyhow::Result<ExitCode> {
    if let Some(line) = line {
        let _: OwnReturn = post(client, "/v1/returns/join", &JoinLine { line })?;
    }
    let own = await_copies(client)?;
    let name = own.member.as_deref().map(visible).unwrap_or_default();
    let group = own.group.as_deref().map(visible).unwrap_or_default();
    let through = own.through.as_deref().map(visible).unwrap_or_default();
    let members: Vec<String> = own.members.iter().map(|one| visible(one)).collect();
    say!(
        "{through} brings {name} back to {group}: {} of {} must sign: {}.",
        own.threshold,
        members.len(),
        members.join(", ")
    );
    say!("The node that had the seat must not run any more.");
    let label = own.label.as_deref().unwrap_or_default();
    say!(
        "The words of paper {label}, in the order of their numbers. They leave this machine\nfor no other one."
    );
    let returned = open(client)?;
    for altered in &returned.altered {
        let altered = visible(altered);
        say!("{altered}'s copy of the kit does not open: it was altered, or is of another paper.");
    }
    say!("{}'s copy was taken.", visible(&returned.taken));
    runs_again(client, &returned)?;
    say!("{name} is back in {group}. The others are told.");
    say!("  roastery status{}", at.argument());
    Ok(ExitCode::SUCCESS)
}

/// Waits until the node that has made the line has answered, and copies are here.
fn await_copies(client: &Client) -> anyhow::Result<OwnReturn> {
    let (mut note, mut first) = (String::new(), None);
    loop {
        let returns: Returns = get(client, "/v1/returns")?;
        let own = returns.own.ok_or_else(|| anyhow!("no return of this node is under way"))?;
        if let Some(ended) = &own.ended {
            return Err(anyhow!("{}", visible(ended)));
        }
        if !own.note.is_empty() && note != own.note {
            complain!("{}", visible(&own.note));
            note.clone_from(&own.note);
        }
        if !own.copies.is_empty() {
            let others = own.members.len().saturating_sub(1);
            let since = *first.get_or_insert_with(Instant::now);
            if own.copies.len() >= others || since.elapsed() >= FOR_COPIES {
                return Ok(own);
            }
        }
        thread::sleep(TURN);
    }
}

fn open(client: &Client) -> anyhow::Result<Returned> {
    loop {
        let typed = Zeroizing::new(ask("The ten words: ")?);
        if typed.is_empty() {
            return Err(anyhow!(
                "no words were typed; nothing was changed, and roastery join goes on with the line"
            ));
        }
        // What is misspelt is said at once, before it is tried.
        if let Err(error) = KitWords::parse(&typed) {
            complain!("{error}");
            continue;
        }
        let words = PaperWords { words: typed.to_string() };
        match post::<Returned>(client, "/v1/returns/words", &words) {
            Err(error) if is_invalid(&error) => complain!("{error:#}"),
            done => return done,
        }
    }
}

fn is_invalid(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<ClientError>();
    matches!(refused, Some(ClientError::Problem(problem)) if problem.code == ProblemCode::Invalid)
}

/// Waits until the node has started again, with the group.
fn runs_again(client: &Client, returned: &Returned) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let status: anyhow::Result<Status> = get(client, "/v1/status");
        if status.is_ok_and(|status| status.groups.iter().any(|one| one.name == returned.group)) {
            return Ok(());
        }
        thread::sleep(TURN);
    }
    Err(anyhow!(
        "the seat is in the store, and the node does not run again yet: start it (roastery node); {} shows how it is",
        shell_word("roastery doctor")
    ))
}
