use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use roastery_service::{
    api::Client,
    view::{Propose, Reject as RejectBody, Request},
};

use super::{At, group::encoded, show, wait_for};

#[derive(Args)]
pub(crate) struct Sign {
    /// The group's name
    #[arg(long, value_name = "NAME")]
    group: String,
    /// A text to sign
    #[arg(long, value_name = "TEXT", conflicts_with = "hash")]
    text: Option<String>,
    /// A bare hash to sign, 64 hexadecimal digits; may be given several times
    #[arg(long, value_name = "HASH")]
    hash: Vec<String>,
    /// The path of the key, like 0/7
    #[arg(long, value_name = "PATH", default_value = "")]
    path: String,
    /// Sign with the key as it is, without a Taproot tweak
    #[arg(long)]
    untweaked: bool,
    /// After how many seconds the request expires
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
    #[command(flatten)]
    waiting: Waiting,
}

/// How long is waited, and how the outcome is told.
#[derive(Args)]
pub(crate) struct Waiting {
    /// Wait at most this long for the signatures; 0 waits for nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Tell it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Approve {
    /// The request: its session, 64 digits
    request: String,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Args)]
pub(crate) struct Reject {
    /// The request: its session, 64 digits
    request: String,
    /// Why, for this node's own records
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

#[derive(Args)]
pub(crate) struct List {
    /// One request: its session, or the first 8 digits of it or more
    request: Option<String>,
    /// Those of this group only
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Those in this state only: proposed, approved, refused, signed or stopped
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Tell them as JSON
    #[arg(long, conflicts_with = "ids")]
    json: bool,
    /// Tell their sessions only, one a line
    #[arg(long)]
    ids: bool,
}

pub(super) fn sign(at: &At, options: Sign) -> Result<ExitCode, String> {
    let client = at.client()?;
    let what = Propose {
        text: options.text,
        psbt: None,
        hashes: (!options.hash.is_empty()).then_some(options.hash),
        path: options.path,
        untweaked: options.untweaked,
        expires_in: options.expires_in,
    };
    let path = format!("/v1/groups/{}/requests", encoded(&options.group));
    let request: Request =
        wait_for(async { client.post(&path, &what).await.map_err(|error| error.to_string()) })?;
    tell(&see_through(&client, request, &options.waiting)?, &options.waiting)
}

/// Asks a group to sign a transaction.
pub(crate) fn send(
    client: &Client,
    group: &str,
    psbt: String,
    expires_in: Option<u64>,
) -> Result<Request, String> {
    let what = Propose { psbt: Some(psbt), expires_in, ..Propose::default() };
    let path = format!("/v1/groups/{}/requests", encoded(group));
    wait_for(async { client.post(&path, &what).await.map_err(|error| error.to_string()) })
}

/// Asks for some bytes.
pub(crate) fn ask(client: &Client, path: &str) -> Result<Vec<u8>, String> {
    let bytes = wait_for(async { client.bytes(path).await.map_err(|error| error.to_string()) })?;
    Ok(bytes.to_vec())
}

pub(super) fn approve(at: &At, options: &Approve) -> Result<ExitCode, String> {
    let client = at.client()?;
    let path = format!("/v1/requests/{}/approve", encoded(&options.request));
    let request: Request =
        wait_for(async { client.post(&path, &()).await.map_err(|error| error.to_string()) })?;
    tell(&see_through(&client, request, &options.waiting)?, &options.waiting)
}

pub(super) fn reject(at: &At, options: Reject) -> Result<ExitCode, String> {
    let client = at.client()?;
    let path = format!("/v1/requests/{}/reject", encoded(&options.request));
    let request: Request = wait_for(async {
        let body = RejectBody { note: options.note };
        client.post(&path, &body).await.map_err(|error| error.to_string())
    })?;
    show::request(&request);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn list(at: &At, options: &List) -> Result<ExitCode, String> {
    let client = at.client()?;
    let requests: Vec<Request> = wait_for(async {
        if let Some(request) = &options.request {
            let path = format!("/v1/requests/{}", encoded(request));
            return Ok(vec![client.get(&path).await.map_err(|error| error.to_string())?]);
        }
        let group = options.group.iter().map(|group| format!("group={}", encoded(group)));
        let state = options.state.iter().map(|state| format!("state={}", encoded(state)));
        let query: Vec<String> = group.chain(state).collect();
        let path = format!("/v1/requests?{}", query.join("&"));
        client.get(&path).await.map_err(|error| error.to_string())
    })?;
    if options.json {
        say!("{}", json(&requests)?);
    } else if options.ids {
        requests.iter().for_each(|request| say!("{}", request.session));
    } else {
        for (number, request) in requests.iter().enumerate() {
            if number > 0 {
                say!("");
            }
            show::request(request);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Waits for the end of a request, as long as is to be waited.
pub(crate) fn see_through(
    client: &Client,
    mut request: Request,
    waiting: &Waiting,
) -> Result<Request, String> {
    let until = Instant::now() + Duration::from_secs(waiting.wait);
    while matches!(request.state.as_str(), "proposed" | "approved") {
        let left = until.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
        if left <= 0.0 {
            break;
        }
        let path = format!("/v1/requests/{}?wait={}", request.session, left.min(20.0));
        request = wait_for(async { client.get(&path).await.map_err(|error| error.to_string()) })?;
    }
    match request.state.as_str() {
        "signed" => {}
        "proposed" | "approved" if waiting.wait == 0 => {}
        "proposed" | "approved" => {
            eprintln!("not signed yet; roastery status says who is awaited");
        }
        state => eprintln!("not signed: {state} here: {}", request.text),
    }
    Ok(request)
}

fn tell(request: &Request, waiting: &Waiting) -> Result<ExitCode, String> {
    if waiting.json {
        say!("{}", json(request)?);
    } else {
        show::request(request);
    }
    // Whoever does not wait has what was asked for.
    let open = matches!(request.state.as_str(), "proposed" | "approved");
    let done = request.state == "signed" || (open && waiting.wait == 0);
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value).map_err(|error| error.to_string())
}
