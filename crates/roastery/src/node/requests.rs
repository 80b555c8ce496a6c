//! The requests that a node knows: lists, and one of them.

use std::{process::ExitCode, time::Duration};

use anyhow::anyhow;
use clap::Args;
use roastery_service::{
    api::{Client, ClientError},
    config::SubjectKind,
    view::{ProblemCode, Request, RequestCounts, State},
};

use super::{At, get, question::is_asked, screen, show, url::encoded, wait_for};
use crate::{
    output::{remark, say},
    values,
    when::Clock,
};

/// The most requests that a node lists in one answer.
const MOST_AT_ONCE: usize = 200;

#[derive(Args)]
pub(crate) struct List {
    /// One request: the first 8 digits of its session, or more of them
    #[arg(value_parser = request_id)]
    request: Option<String>,
    /// Only requests of this group: its name or its id
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only requests in this state: waiting (proposed), signing (approved), refused, signed,
    /// stopped, expired or failed
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,
    /// All requests
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// The most requests
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = values::limit)]
    limit: usize,
    /// Only requests that changed before this position, which the page before prints
    #[arg(long, value_name = "POSITION", value_parser = values::entry)]
    before: Option<u64>,
    /// Print them as JSON
    #[arg(long, conflicts_with = "ids")]
    json: bool,
    /// Print only their sessions, one a line
    #[arg(long)]
    ids: bool,
}

/// How long a list waits for transactions that the node has not parsed yet.
const READING: Duration = Duration::from_millis(300);

pub(super) fn list(at: &At, options: &List) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let requests = match &options.request {
        Some(id) => vec![find(&client, id)?],
        None => listed(&client, options)?,
    };
    if options.json {
        say!("{}", json(&requests)?);
    } else if options.ids {
        requests.iter().for_each(|request| say!("{}", request.session));
    } else if options.request.is_some() {
        requests.iter().for_each(show::whole);
    } else {
        let lines = screen::lines(&requests, &Clock::system());
        requests.iter().zip(lines).for_each(|(request, line)| say(show::paint(request), &line));
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(client: &Client, options: &List) -> anyhow::Result<Vec<Request>> {
    let group = options.group.iter().map(|group| format!("group={}", encoded(group)));
    let state = options.state.iter().map(|state| format!("state={state}"));
    let chosen: Vec<String> = group.clone().chain(state).collect();
    let (requests, next) = pages(client, &chosen, options)?;
    let unread = |request: &Request| {
        request.subject.kind == SubjectKind::Transaction && request.summary.is_none()
    };
    let (requests, next) = if options.ids || !requests.iter().any(unread) {
        (requests, next)
    } else {
        std::thread::sleep(READING);
        pages(client, &chosen, options)?
    };
    if options.state.is_none() && !options.json && !options.ids && is_asked() {
        let group: Vec<String> = group.map(|group| format!("?{group}")).collect();
        let counts: RequestCounts = get(client, &format!("/v1/requests/counts{}", group.concat()))?;
        if counts.waiting > 0 {
            remark(&format!("waiting for you: {}; roastery review shows them", counts.waiting));
        }
    }
    if let Some(next) = next {
        remark(&format!("older ones, if there are any: --all, or --before {next}"));
    }
    Ok(requests)
}

/// The wanted number of requests, page by page, and where the next ones begin if there may be more.
fn pages(
    client: &Client,
    chosen: &[String],
    options: &List,
) -> anyhow::Result<(Vec<Request>, Option<u64>)> {
    let most = if options.all { usize::MAX } else { options.limit };
    let (mut listed, mut before) = (Vec::new(), options.before);
    while listed.len() < most {
        let mut query = chosen.to_vec();
        query.push(format!("limit={}", (most - listed.len()).min(MOST_AT_ONCE)));
        query.extend(before.map(|before| format!("before={before}")));
        let path = format!("/v1/requests?{}", query.join("&"));
        let (page, next): (Vec<Request>, _) =
            wait_for(async { client.page(&path).await.map_err(anyhow::Error::from) })?;
        listed.extend(page);
        before = next;
        if next.is_none() {
            break;
        }
    }
    Ok((listed, before))
}

/// A state, by its name in the API or on the screens.
fn state(word: &str) -> Result<State, String> {
    match word {
        "waiting" => Ok(State::Proposed),
        "signing" => Ok(State::Approved),
        word => word.parse().map_err(|_| {
            "allowed are waiting, signing, refused, signed, stopped, expired and failed".to_owned()
        }),
    }
}

/// The requests that wait for a decision here, the oldest first.
pub(super) fn waiting(client: &Client) -> anyhow::Result<Vec<Request>> {
    let (mut all, _) = read_pages(client, &format!("&state={}", State::Proposed), usize::MAX)?;
    all.sort_by_key(|request| request.since);
    Ok(all)
}

/// The most pages that are read to find one request.
const MOST_PAGES: usize = 100;

/// The requests that a node knows, in the order of their last change, and whether these are all.
pub(crate) fn all_requests(client: &Client) -> anyhow::Result<(Vec<Request>, bool)> {
    read_pages(client, "", MOST_PAGES)
}

fn read_pages(client: &Client, chosen: &str, most: usize) -> anyhow::Result<(Vec<Request>, bool)> {
    let (mut all, mut before) = (Vec::new(), None);
    for _ in 0..most {
        let from = before.map(|before: u64| format!("&before={before}")).unwrap_or_default();
        let path = format!("/v1/requests?limit={MOST_AT_ONCE}{chosen}{from}");
        let (page, next): (Vec<Request>, _) =
            wait_for(async { client.page(&path).await.map_err(anyhow::Error::from) })?;
        all.extend(page);
        before = next;
        if before.is_none() {
            return Ok((all, true));
        }
    }
    Ok((all, false))
}

/// A request in one line, as lists have it.
pub(crate) fn line(request: &Request) -> String {
    screen::lines(std::slice::from_ref(request), &Clock::system()).concat()
}

/// Who has said what of a request that is not signed, and whether it can still succeed.
pub(crate) fn said(request: &Request) -> Vec<String> {
    let id = show::short_id(&request.session);
    let clock = Clock::system();
    let over = clock.seconds_until(request.expiry) == 0;
    let prospect = match over {
        true => "it has expired".to_owned(),
        false => screen::prospect(&request.progress),
    };
    let words = screen::words(&request.progress, &clock);
    screen::wrapped(&format!("{id} is not signed. {words}. {prospect}."), "", screen::WIDTH)
}

/// A request by a prefix of its session, as a list has it, which waits for no examination; `None`
/// if the lists do not say which one it is.
pub(super) fn find_listed(client: &Client, id: &str) -> anyhow::Result<Option<Request>> {
    let (all, whole) = all_requests(client)?;
    let id = id.to_ascii_lowercase();
    let mut found = all.into_iter().filter(|request| request.session.starts_with(&id));
    match (found.next(), found.next()) {
        (Some(one), None) if whole || id.len() == one.session.len() => Ok(Some(one)),
        _ => Ok(None),
    }
}

/// A request by a prefix of its session.
pub(crate) fn find(client: &Client, id: &str) -> anyhow::Result<Request> {
    let path = format!("/v1/requests/{}", encoded(id));
    let found = wait_for(async { Ok(client.get(&path).await) })?;
    match found {
        Err(ClientError::Problem(problem)) if problem.code == ProblemCode::Ambiguous => {
            let all: Vec<Request> = get(client, "/v1/requests?limit=200").unwrap_or_default();
            let alike: Vec<&str> = all
                .iter()
                .map(|request| request.session.as_str())
                .filter(|session| session.starts_with(&id.to_ascii_lowercase()))
                .collect();
            Err(anyhow!("{}; give more digits of one: {}", problem.message, alike.join(", ")))
        }
        found => found.map_err(anyhow::Error::from),
    }
}

/// The digits of a whole session.
pub(super) const SESSION_DIGITS: usize = 64;

/// A prefix of a session.
pub(crate) fn request_id(text: &str) -> Result<String, String> {
    if (8..=SESSION_DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(text.to_owned());
    }
    Err("allowed are 8 to 64 hexadecimal digits of its session; roastery requests lists them"
        .to_owned())
}

pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    roastery_service::text::to_json_pretty(value).map_err(anyhow::Error::from)
}
