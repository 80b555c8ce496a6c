//! Lines, where standard output is no terminal.

use std::{
    io::{self, ErrorKind},
    process::ExitCode,
};

use roastery_service::{
    api::{Client, ClientError},
    view::{Request, State},
};

use super::{
    changes::{Changes, Happened},
    follow::{Look, Told, Turn, follow},
};
use crate::{
    node::{
        screen::{Today, today},
        wait_for,
    },
    output::write,
    when::{self, Clock},
};

/// The requests of a node, when it begins to answer.
struct Begun {
    waiting: Vec<Request>,
    signing: Vec<Request>,
    signed: Option<Request>,
}

/// Prints how the node is, and then what happens, until there is no reader.
pub(super) fn print(client: &Client) -> anyhow::Result<ExitCode> {
    let mut changes = Changes::default();
    let tell = |told: Told<Option<Begun>>| {
        for happened in changes.take(&told, when::now()) {
            write(happened.paint, &line(&happened))?;
        }
        match told {
            Told::Look(look) => begin(*look),
            Told::Event(_) | Told::Missed | Told::Away(_) => Ok(()),
        }
    };
    let more = async |turn| match turn {
        Turn::First => begun(client).await.map(Some),
        Turn::Further => Ok(None),
    };
    wait_for(async {
        match follow(client, more, tell).await {
            // Its reader has read enough.
            error if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            error => Err(error.into()),
        }
    })
}

async fn begun(client: &Client) -> Result<Begun, ClientError> {
    let in_state = |state, limit| format!("/v1/requests?limit={limit}&state={state}");
    let signed: Vec<Request> = client.get(&in_state(State::Signed, 1)).await?;
    Ok(Begun {
        waiting: client.get(&in_state(State::Proposed, 200)).await?,
        signing: client.get(&in_state(State::Approved, 200)).await?,
        signed: signed.into_iter().next(),
    })
}

/// Prints how a node is that begins to answer.
fn begin(look: Look<Option<Begun>>) -> io::Result<()> {
    let Look { status, health, more: Some(begun) } = look else { return Ok(()) };
    let Begun { waiting, signing, signed } = begun;
    let lines = today(&Today { status, health, waiting, signing, signed }, &Clock::system());
    lines.into_iter().try_for_each(|(paint, line)| write(paint, &line))
}

/// Something that has happened, in a line.
fn line(happened: &Happened) -> String {
    let Happened { time, group, id, text, .. } = happened;
    let mut words = vec![when::long(*time), group.clone(), id.clone(), text.clone()];
    words.retain(|word| !word.is_empty());
    words.join("  ")
}
