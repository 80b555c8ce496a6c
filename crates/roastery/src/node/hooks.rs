//! `roastery hooks`: whom the node tells what happens, and what became of it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use roastery_service::{
    text::{to_json, visible},
    view::{HookFailure, HookStatus, HookTest},
};

use super::{At, encoded, get, post};
use crate::{output::remark, when::Clock};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Tell a hook that this is a test: exit status 0 if it takes it, else 1 and why not
    Test(Test),
}

#[derive(Args)]
struct Test {
    /// The hook's name in the configuration
    name: String,
}

pub(super) fn run(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    match &options.command {
        None => list(at, options.json),
        Some(Command::Test(Test { name })) => test(at, name),
    }
}

fn list(at: &At, json: bool) -> anyhow::Result<ExitCode> {
    let hooks: Vec<HookStatus> = get(&at.client()?, "/v1/hooks")?;
    if json {
        say!("{}", to_json(&hooks)?);
        return Ok(ExitCode::SUCCESS);
    }
    if hooks.is_empty() {
        remark(
            "this node tells nothing to programs or servers: [[hooks]] in roastery.toml, whose end shows an example",
        );
    }
    let clock = Clock::system();
    hooks.iter().flat_map(|hook| lines(hook, &clock)).for_each(|line| say!("{line}"));
    Ok(ExitCode::SUCCESS)
}

fn test(at: &At, name: &str) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/hooks/{}/test", encoded(name));
    let HookTest { taken, reason } = post(&at.client()?, &path, &())?;
    let name = visible(name);
    if taken {
        say!("{name} has taken the test.");
        return Ok(ExitCode::SUCCESS);
    }
    let reason = reason.unwrap_or_default();
    say!("{name} has not taken the test: {}", visible(&reason));
    Ok(ExitCode::FAILURE)
}

/// A hook in lines.
fn lines(hook: &HookStatus, clock: &Clock) -> Vec<String> {
    let HookStatus { name, target, on, detail, waiting, delivered, dropped, given_up, .. } = hook;
    let on: Vec<String> = on.iter().map(|event| visible(event)).collect();
    let (name, target, on) = (visible(name), visible(target), on.join(", "));
    let mut lines = vec![
        format!("{name:<24}  {target}"),
        format!("  told of    {on}; detail {}", visible(detail)),
        match hook.last_delivered {
            None => format!("  waiting    {waiting}; none was told yet"),
            Some(last) => {
                format!("  waiting    {waiting}; {delivered} told, the last one {}", clock.at(last))
            }
        },
    ];
    if dropped + given_up > 0 {
        lines.push(format!("  lost       {dropped} dropped, {given_up} given up after a day"));
    }
    if let Some(HookFailure { time, reason }) = &hook.failure {
        lines.push(format!("  failed     {}: {}", clock.at(*time), visible(reason)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::when::tests::{friday, time};

    #[test]
    fn what_is_lost_and_why_a_hook_fails_is_shown_where_it_is_so() {
        let hook = HookStatus {
            name: "phone".to_owned(),
            target: "command apprise".to_owned(),
            on: vec!["signed".to_owned(), "member-gone:300s".to_owned()],
            detail: "none".to_owned(),
            waiting: 2,
            delivered: 0,
            dropped: 0,
            given_up: 0,
            last_delivered: None,
            failure: None,
        };
        let shown = lines(&hook, &friday()).join("\n");
        assert!(shown.contains("waiting    2; none was told yet"), "{shown}");
        assert!(shown.contains("told of    signed, member-gone:300s; detail none"), "{shown}");
        assert!(!shown.contains("lost") && !shown.contains("failed"), "{shown}");
        let at = time("2020-05-01T10:00:00Z");
        let reason = "the server answers 500".to_owned();
        let failure = Some(HookFailure { time: at, reason });
        let hook =
            HookStatus { dropped: 3, last_delivered: Some(at), delivered: 7, failure, ..hook };
        let shown = lines(&hook, &friday()).join("\n");
        assert!(shown.contains("7 told, the last one 2020-05-01 "), "{shown}");
        assert!(shown.contains("lost       3 dropped, 0 given up"), "{shown}");
        assert!(
            shown.contains("failed     2020-05-01 ") && shown.contains("answers 500"),
            "{shown}"
        );
    }
}
