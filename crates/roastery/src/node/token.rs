//! `roastery token`: the tokens with which programs call the node over TCP.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use roastery_service::{
    Time,
    text::{to_json, visible},
    view::{AddToken, Health, NewToken, TokenRole, TokenStatus},
};

use super::{At, encoded, get, post};
use crate::{
    output::remark,
    values,
    when::{self, Clock},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token, and print it: once, for its text is not kept
    Add(Add),
    /// Show the tokens, without their texts
    List(List),
    /// Revoke a token: it counts no more from here on
    Revoke(Revoke),
}

#[derive(Args)]
pub(crate) struct Add {
    /// What it is called: 1 to 24 small letters, digits and hyphens
    name: String,
    /// What it admits to
    #[arg(long, value_enum)]
    role: Role,
    /// When it ends: a number of days (90d), hours (12h) or minutes (30m), or never
    #[arg(long, value_name = "TIME", value_parser = values::end)]
    expires: values::End,
}

/// What a token admits to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Role {
    /// To look
    Reader,
    /// To look, approve, reject and all else but tokens
    Operator,
}

#[derive(Args)]
pub(crate) struct List {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Revoke {
    /// The token's name
    name: String,
}

pub(super) fn run(at: &At, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add(options) => add(at, options),
        Command::List(options) => list(at, options),
        Command::Revoke(options) => revoke(at, options),
    }
}

fn add(at: &At, options: &Add) -> anyhow::Result<ExitCode> {
    let role = match options.role {
        Role::Reader => TokenRole::Reader,
        Role::Operator => TokenRole::Operator,
    };
    let values::End(expires_in) = options.expires;
    let wanted = AddToken { name: options.name.clone(), role, expires_in };
    let NewToken { token, status } = post(&at.client()?, "/v1/tokens", &wanted)?;
    remark(&line(&status, &Clock::system()));
    if at.config().is_ok_and(|(_, config)| config.api.listen.is_none()) {
        remark(
            "the node listens at no address: set api.listen and start it anew, then the token can be used",
        );
    }
    say!("{token}");
    Ok(ExitCode::SUCCESS)
}

fn list(at: &At, options: &List) -> anyhow::Result<ExitCode> {
    let tokens: Vec<TokenStatus> = get(&at.client()?, "/v1/tokens")?;
    if options.json {
        say!("{}", to_json(&tokens)?);
        return Ok(ExitCode::SUCCESS);
    }
    if tokens.is_empty() {
        remark("there are no tokens but those in the files of the configuration");
    }
    tokens.iter().for_each(|token| say!("{}", line(token, &Clock::system())));
    Ok(ExitCode::SUCCESS)
}

fn revoke(at: &At, options: &Revoke) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/tokens/{}/revoke", encoded(&options.name));
    let _: Health = post(&at.client()?, &path, &())?;
    say!("{} is revoked.", visible(&options.name));
    Ok(ExitCode::SUCCESS)
}

/// A token in a line.
fn line(token: &TokenStatus, clock: &Clock) -> String {
    let end = match token.expires {
        None => "without end".to_owned(),
        Some(end) => ends(end, clock),
    };
    format!("{:<24}  {:<8}  {end}", visible(&token.name), token.role)
}

fn ends(end: Time, clock: &Clock) -> String {
    match clock.seconds_until(end) {
        0 => format!("has expired, {}", clock.at(end)),
        left => format!("ends {} (in {})", clock.at(end), when::span(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::when::tests::{friday, time};

    #[test]
    fn a_token_that_has_expired_says_so() {
        let token = |expires| TokenStatus {
            name: "payout".to_owned(),
            role: TokenRole::Operator,
            made: Time::from_seconds(0),
            expires,
        };
        let line = |expires| super::line(&token(expires), &friday());
        assert!(line(None).ends_with("operator  without end"), "{}", line(None));
        let over = line(Some(time("2020-05-01T10:00:00Z")));
        assert!(over.contains("has expired, "), "{over}");
        let later = line(Some(time("2099-05-01T10:00:00Z")));
        assert!(later.contains("ends 2099-05-01 ") && later.contains("(in "), "{later}");
    }
}
