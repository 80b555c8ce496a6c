//! `roastery` alone: what is to be done.

use std::process::ExitCode;

use roastery_service::view::{Request, State, Status};

use super::{
    At, get,
    requests::waiting,
    screen::{Today, today as lines},
    wait_for,
};
use crate::{output::say, when::Clock};

pub(super) fn today(at: &At) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let status: Status = get(&client, "/v1/status")?;
    let health = wait_for(async { Ok(client.health("/health").await?) })?;
    let signing = get(&client, &format!("/v1/requests?limit=200&state={}", State::Approved))?;
    let signed: Vec<Request> =
        get(&client, &format!("/v1/requests?limit=1&state={}", State::Signed))?;
    let today = Today {
        status,
        health,
        waiting: waiting(&client)?,
        signing,
        signed: signed.into_iter().next(),
    };
    for (paint, line) in lines(&today, &Clock::system()) {
        say(paint, &line);
    }
    Ok(ExitCode::SUCCESS)
}
