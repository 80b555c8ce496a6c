//! Following the node: what changes there is told to all pages.

use std::time::Duration;

use roastery_service::{
    api::{Client, ClientError, Heard},
    view::{KeygenState, KeygenStatus, Pairing, ProblemCode, Status},
};
use tokio::{
    sync::broadcast,
    time::{MissedTickBehavior, interval, sleep},
};

/// The pause before a node that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the node is asked for its links, of which it tells no events.
const LOOK: Duration = Duration::from_secs(2);

/// What pages are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Something is another than before.
    Something,
    /// The node answers again.
    Live,
    /// The node does not answer.
    Offline,
}

/// The changes of a node, for any number of pages.
#[derive(Debug)]
pub(crate) struct Watch {
    changes: broadcast::Sender<Change>,
}

impl Watch {
    pub(crate) fn new(room: usize) -> Self {
        Self { changes: broadcast::Sender::new(room) }
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    pub(crate) fn tell(&self, change: Change) {
        // Without a reader there is none to tell.
        let _ = self.changes.send(change);
    }

    /// Follows the node until this is dropped.
    pub(crate) async fn follow(&self, client: &Client) {
        loop {
            // The reason is on the page that is asked for next.
            let Err(_) = self.follow_once(client).await;
            self.tell(Change::Offline);
            sleep(PAUSE).await;
        }
    }

    async fn follow_once(&self, client: &Client) -> Result<std::convert::Infallible, ClientError> {
        let mut events = client.events().await?;
        let mut seen = Looked::at(client).await?;
        self.tell(Change::Live);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = events.next() => match heard? {
                    Heard::Event(_) | Heard::Missed => self.tell(Change::Something),
                },
                _ = looks.tick() => {
                    let now = Looked::at(client).await?;
                    if now != seen {
                        seen = now;
                        self.tell(Change::Something);
                    }
                }
            }
        }
    }
}

/// The pairings of a node; none where the client may not see them.
pub(crate) async fn pairings(client: &Client) -> Result<Vec<Pairing>, ClientError> {
    match client.get("/v1/pairings").await {
        Err(ClientError::Problem(problem)) if problem.code == ProblemCode::Forbidden => {
            Ok(Vec::new())
        }
        other => other,
    }
}

/// What is looked at.
#[derive(PartialEq)]
struct Looked {
    links: Links,
    /// None where the client may not see them. They have lines and words, and are not shown.
    pairings: Vec<Pairing>,
    keygens: Vec<(String, KeygenState)>,
}

impl Looked {
    async fn at(client: &Client) -> Result<Self, ClientError> {
        let links = Links::of(&client.get("/v1/status").await?);
        let pairings = pairings(client).await?;
        let keygens: Vec<KeygenStatus> = match pairings.is_empty() {
            true => Vec::new(),
            false => client.get("/v1/ceremonies").await?,
        };
        let keygens = keygens.into_iter().map(|one| (one.keygen, one.state)).collect();
        Ok(Self { links, pairings, keygens })
    }
}

/// What a page shows of the node's links and groups, without what changes all the time.
#[derive(Debug, PartialEq)]
struct Links {
    connected: Vec<(String, bool, bool)>,
    groups: Vec<(String, u32, usize, Option<usize>)>,
    warnings: Vec<String>,
}

impl Links {
    fn of(status: &Status) -> Self {
        let peers = status.peers.iter();
        let groups = status.groups.iter();
        Self {
            connected: peers
                .map(|peer| (peer.peer.clone(), peer.connected, peer.clock_differs))
                .collect(),
            groups: groups
                .map(|group| (group.id.clone(), group.epoch, group.reachable, group.pending))
                .collect(),
            warnings: status.warnings.clone(),
        }
    }
}
