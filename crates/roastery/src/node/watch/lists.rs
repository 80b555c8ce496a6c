//! What the view asks the node for beside its status: requests, and the shares that left.

use roastery_service::{
    api::{Client, ClientError},
    view::{LogEntry, Request, RequestCounts, State},
    words::Turns,
};

use super::follow::Turn;

/// The most requests of a state in one answer.
const MOST: usize = 200;

/// How many requests are read for what each member did last.
const RECENT: usize = 20;

/// How many entries of the log are read at once.
pub(super) const SHARES: u64 = 200;

/// Requests and shares.
pub(super) struct Lists {
    /// The requests that wait here, in the order of `review`, and those that are approved here.
    pub(super) waiting: Vec<Request>,
    pub(super) signing: Vec<Request>,
    pub(super) counts: RequestCounts,
    /// The requests that changed last, in every state.
    pub(super) recent: Vec<Request>,
    /// The entries of the audit log since the turn before; at the first one, the last of it.
    pub(super) shares: Vec<LogEntry>,
}

/// Reads the lists, time after time.
#[derive(Default)]
pub(super) struct Reader {
    /// The number of the next entry of the log.
    next: Option<u64>,
}

impl Reader {
    pub(super) async fn read(&mut self, client: &Client, turn: Turn) -> Result<Lists, ClientError> {
        if turn == Turn::First {
            self.next = None;
        }
        let in_state = |state| format!("/v1/requests?limit={MOST}&state={state}");
        let mut waiting: Vec<Request> = client.get(&in_state(State::Proposed)).await?;
        waiting.sort_by_key(|request| request.since);
        let mut turns = Turns::new(waiting);
        Ok(Lists {
            waiting: std::iter::from_fn(|| turns.take()).collect(),
            signing: client.get(&in_state(State::Approved)).await?,
            counts: client.get("/v1/requests/counts").await?,
            recent: client.get(&format!("/v1/requests?limit={RECENT}")).await?,
            shares: shares(client, &mut self.next).await?,
        })
    }
}

/// The entries from `next` on; if it is not known, the last ones.
async fn shares(client: &Client, next: &mut Option<u64>) -> Result<Vec<LogEntry>, ClientError> {
    let from = match *next {
        Some(next) => next,
        None => end_of_log(client).await?.saturating_sub(SHARES),
    };
    let entries: Vec<LogEntry> = client.get(&format!("/v1/log?from={from}&limit={SHARES}")).await?;
    *next = Some(entries.last().map_or(from, |last| last.number.saturating_add(1)));
    Ok(entries)
}

/// A number at which the log has no entry, and none after it; before it there is one unless the log
/// is empty. The log is read forwards only, so its end is searched for.
async fn end_of_log(client: &Client) -> Result<u64, ClientError> {
    let goes_on = async |from: u64| -> Result<bool, ClientError> {
        let entries: Vec<LogEntry> = client.get(&format!("/v1/log?from={from}&limit=1")).await?;
        Ok(!entries.is_empty())
    };
    let (mut inside, mut end) = (0, 1);
    while goes_on(end).await? {
        (inside, end) = (end, end.saturating_mul(2));
    }
    while end - inside > 1 {
        let middle = inside + (end - inside) / 2;
        match goes_on(middle).await? {
            true => inside = middle,
            false => end = middle,
        }
    }
    Ok(end)
}
