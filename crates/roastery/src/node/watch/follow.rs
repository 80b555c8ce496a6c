//! What the node tells: its events as they come, and what it answers when it is asked.

use std::{convert::Infallible, pin::pin, time::Duration};

use roastery_service::{
    api::{Client, ClientError, Events, Heard},
    view::{Health, ServiceEvent, Status},
};
use tokio::time::{Instant, sleep, sleep_until};

/// How often the node is asked, without an event.
const LOOK: Duration = Duration::from_secs(2);

/// How long after an event it is asked: further ones come with it.
const SOON: Duration = Duration::from_millis(500);

/// The pause before a node that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// What the node answers: how it is, and what else it is asked for.
pub(super) struct Look<M> {
    pub(super) status: Status,
    pub(super) health: Health,
    pub(super) more: M,
}

/// What is told of the node.
pub(super) enum Told<M> {
    Look(Box<Look<M>>),
    Event(ServiceEvent),
    /// Events are missing here.
    Missed,
    /// It does not answer, and why.
    Away(String),
}

/// Whether the node was asked before, since it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    Further,
}

/// Why following has ended: the node does not answer, or what is told is not taken.
enum End<E> {
    Node(ClientError),
    Taker(E),
}

impl<E> From<ClientError> for End<E> {
    fn from(error: ClientError) -> Self {
        Self::Node(error)
    }
}

/// Follows the node, through its absences too, until what is told is not taken. `more` asks it for
/// what is wanted beside its status.
pub(super) async fn follow<M, E>(
    client: &Client,
    mut more: impl AsyncFnMut(Turn) -> Result<M, ClientError>,
    mut tell: impl FnMut(Told<M>) -> Result<(), E>,
) -> E {
    loop {
        let Err(end) = follow_once(client, &mut more, &mut tell).await;
        let told = match end {
            End::Taker(error) => return error,
            End::Node(error) => tell(Told::Away(error.to_string())),
        };
        if let Err(error) = told {
            return error;
        }
        sleep(PAUSE).await;
    }
}

async fn follow_once<M, E>(
    client: &Client,
    more: &mut impl AsyncFnMut(Turn) -> Result<M, ClientError>,
    tell: &mut impl FnMut(Told<M>) -> Result<(), E>,
) -> Result<Infallible, End<E>> {
    // Before the first look, so that nothing happens between the two.
    let mut events = client.events().await?;
    let mut turn = Turn::First;
    loop {
        let status = client.get("/v1/status").await?;
        let health = client.health("/health").await?;
        let look = Look { status, health, more: more(turn).await? };
        tell(Told::Look(Box::new(look))).map_err(End::Taker)?;
        turn = Turn::Further;
        hear(&mut events, tell).await?;
    }
}

/// Tells the events until the node is to be asked again.
async fn hear<M, E>(
    events: &mut Events,
    tell: &mut impl FnMut(Told<M>) -> Result<(), E>,
) -> Result<(), End<E>> {
    let mut due = pin!(sleep(LOOK));
    loop {
        tokio::select! {
            () = &mut due => return Ok(()),
            heard = events.next() => {
                let told = match heard? {
                    Heard::Event(event) => Told::Event(event),
                    Heard::Missed => Told::Missed,
                };
                tell(told).map_err(End::Taker)?;
                let soon = Instant::now() + SOON;
                if soon < due.deadline() {
                    due.set(sleep_until(soon));
                }
            }
        }
    }
}
