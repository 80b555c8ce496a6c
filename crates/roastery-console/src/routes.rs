//! What is answered at which address.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures_util::{Stream, StreamExt as _, stream};
use maud::Markup;
use roastery_service::{text::visible, view::SignedTransaction, words::Clock};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::{interval, timeout};
use tokio_stream::wrappers::BroadcastStream;

use crate::{
    act::{self, Decision},
    check,
    connections::Connection,
    console::{Console, Shared, StreamPlace},
    door::Entered,
    found::{self, Step},
    guard::{Hosts, guard, one},
    pages,
    place::{Place, digits, id},
    propose::{self, Answered, MOST_OF_PSBT},
    watch::Change,
};

/// The header of the token.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("x-roastery-session");

/// The header of a request that the page makes by itself: it is no use by a person.
pub(crate) const REFRESH: HeaderName = HeaderName::from_static("x-roastery-refresh");

/// The header that says at which address the page of an answer is.
const PLACE: HeaderName = HeaderName::from_static("x-roastery-place");

/// The longest body of a request, in bytes.
pub(crate) const MOST_OF_BODY: usize = 16 * 1024;

/// The timeout of a body.
const BODY_TIME: Duration = Duration::from_secs(10);

/// How often a stream says that it is there.
const PING: Duration = Duration::from_secs(5);

pub(crate) const STYLE: &str = include_str!("../assets/app.css");
const SCRIPT: &str = include_str!("../assets/app.js");
const FILES: &str = include_str!("../assets/files.js");
const FRAMES: &str = include_str!("../assets/frames.js");
pub(crate) const ICON: &str = include_str!("../assets/icon.svg");

pub(crate) const STYLE_KIND: &str = "text/css; charset=utf-8";
pub(crate) const SCRIPT_KIND: &str = "text/javascript; charset=utf-8";
pub(crate) const ICON_KIND: &str = "image/svg+xml";

/// Everything that a console answers.
pub(crate) fn router(console: Console) -> Router {
    let shared = console.0;
    let inside = Router::new()
        .route("/fragment/{*path}", get(fragment))
        .route("/fragment/", get(fragment))
        .route("/events", get(events))
        .route("/requests/{session}/{act}", post(decide).get(signed))
        .route("/wallets/{group}/pay", post(pay))
        .route("/wallets/{group}/psbt", post(read_psbt))
        .route("/wallets/{group}/bump", post(bump))
        .route("/groups/{group}/text", post(write_text))
        .route("/drafts/{id}/propose", post(propose_draft))
        .route("/pairings", post(invite))
        .route("/pairings/join", post(join))
        .route("/pairings/{id}/{step}", post(pair))
        .route("/log/check", post(check_log))
        .route_layer(middleware::from_fn_with_state(shared.clone(), authorise));
    let outside = Router::new()
        .route("/app.css", get(async || file(STYLE_KIND, STYLE)))
        .route("/app.js", get(async || file(SCRIPT_KIND, SCRIPT)))
        .route("/files.js", get(async || file(SCRIPT_KIND, FILES)))
        .route("/frames.js", get(async || file(SCRIPT_KIND, FRAMES)))
        .route("/icon.svg", get(async || file(ICON_KIND, ICON)))
        .route("/sessions", post(enter))
        .fallback(get(shell));
    inside
        .merge(outside)
        .layer(middleware::from_fn_with_state(shared.clone(), from_here))
        .with_state(shared)
}

/// Refuses what comes from elsewhere, and guards every answer.
async fn from_here(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    only_from(&shared.hosts, request, next).await
}

/// Answers what comes from these pages, and guards the answer.
pub(crate) async fn only_from(hosts: &Hosts, request: Request, next: Next) -> Response {
    let mut answer = match hosts.check(request.headers()) {
        Ok(()) => next.run(request).await,
        // What calls it by another name is not told what it has found.
        Err(status @ StatusCode::MISDIRECTED_REQUEST) => return status.into_response(),
        Err(status) => said(status, "this is not an address of the console"),
    };
    guard(answer.headers_mut());
    answer
}

/// Lets pass what has the token of a session.
async fn authorise(
    State(shared): State<Arc<Shared>>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = one(request.headers(), &SESSION).and_then(|token| shared.session(token));
    let Some(session) = session else {
        return said(StatusCode::UNAUTHORIZED, "this console was closed: roastery console");
    };
    if is_use(&request) {
        shared.note_use();
    }
    note_token(&request);
    request.extensions_mut().insert(session);
    next.run(request).await
}

/// Its connection has shown the token of a session, and keeps its place.
pub(crate) fn note_token(request: &Request) {
    if let Some(connection) = request.extensions().get::<Connection>() {
        connection.note_token();
    }
}

/// Whether a person has asked for this, and not the page by itself.
fn is_use(request: &Request) -> bool {
    let asked = request.uri().path() != "/events" && !request.headers().contains_key(&REFRESH);
    asked || request.method() == Method::POST
}

/// The document around every page. It has nothing of the node.
async fn shell(request: Request) -> Response {
    let uri = request.uri();
    let known = Place::at(uri.path(), uri.query().unwrap_or_default()).is_some();
    let status = if known { StatusCode::OK } else { StatusCode::NOT_FOUND };
    html(status, pages::shell())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enter {
    code: String,
}

async fn enter(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    let Enter { code } = match read(&headers, body, MOST_OF_BODY).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let refused = |text: &str| said(StatusCode::FORBIDDEN, text);
    match shared.enter(&code) {
        Ok(Entered::Token(token)) => {
            shared.note_use();
            said(StatusCode::OK, &token)
        }
        Ok(Entered::Wrong(0)) => refused(
            "This is not the code, and it was the last try. Press Enter in the terminal for another code.",
        ),
        Ok(Entered::Wrong(left)) => refused(&format!("This is not the code. Tries left: {left}.")),
        Ok(Entered::NoCode) => refused(
            "There is no code any more: one is good for two minutes. Press Enter in the terminal for another one.",
        ),
        Ok(Entered::Used) => refused(
            "This code was used already. If that was not you, end the console in the terminal with Ctrl-C.",
        ),
        Err(error) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn fragment(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let uri = request.uri();
    let path = uri.path().strip_prefix("/fragment").unwrap_or_default();
    let clock = Clock::system();
    match Place::at(path, uri.query().unwrap_or_default()) {
        Some(place) => page(pages::page(&shared, &place, &clock, None).await),
        None => page(pages::nowhere(&shared.client).await),
    }
}

async fn decide(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path((session, act)): axum::extract::Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (Some(session), Some(act)) = (id(&session), act::Act::of(&act)) else {
        return nowhere();
    };
    let decision: Decision = match read(&headers, body, MOST_OF_BODY).await {
        Ok(decision) => decision,
        Err(refused) => return refused,
    };
    page(act::decide(&shared, &session, act, &decision, &Clock::system()).await)
}

async fn pay(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path(group): axum::extract::Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(group) = id(&group) else { return nowhere() };
    match read(&headers, body, MOST_OF_BODY).await {
        Ok(payment) => answered(propose::pay(&shared, &group, payment).await),
        Err(refused) => refused,
    }
}

async fn read_psbt(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path(group): axum::extract::Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(group) = id(&group) else { return nowhere() };
    match read(&headers, body, MOST_OF_PSBT).await {
        Ok(pasted) => answered(propose::read(&shared, &group, pasted).await),
        Err(refused) => refused,
    }
}

async fn bump(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path(group): axum::extract::Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(group) = id(&group) else { return nowhere() };
    match read(&headers, body, MOST_OF_BODY).await {
        Ok(bump) => answered(propose::bump(&shared, &group, bump).await),
        Err(refused) => refused,
    }
}

async fn write_text(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path(group): axum::extract::Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(group) = id(&group) else { return nowhere() };
    match read(&headers, body, MOST_OF_BODY).await {
        Ok(written) => answered(propose::write(&shared, &group, written).await),
        Err(refused) => refused,
    }
}

async fn propose_draft(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path(draft): axum::extract::Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(draft) = id(&draft) else { return nowhere() };
    let decision: Decision = match read(&headers, body, MOST_OF_BODY).await {
        Ok(decision) => decision,
        Err(refused) => return refused,
    };
    // It goes on if the page is closed, so that the draft knows what became of it.
    let act = tokio::spawn(async move {
        propose::propose(&shared, &draft, &decision, &Clock::system()).await
    });
    let Ok((status, place, markup)) = act.await else {
        return said(StatusCode::INTERNAL_SERVER_ERROR, "it broke off: look at the requests");
    };
    (place.map(|place| [(PLACE, place)]), page((status, markup))).into_response()
}

async fn invite(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    match read(&headers, body, MOST_OF_BODY).await {
        Ok(new) => answered(found::invite(&shared, new).await),
        Err(refused) => refused,
    }
}

async fn join(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    match read(&headers, body, MOST_OF_BODY).await {
        Ok(line) => answered(found::join(&shared, line).await),
        Err(refused) => refused,
    }
}

async fn pair(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path((pairing, step)): axum::extract::Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (Some(pairing), Some(step)) = (digits(&pairing, 16), Step::of(&step)) else {
        return nowhere();
    };
    match read(&headers, body, MOST_OF_BODY).await {
        Ok(stepped) => answered(found::step(&shared, &pairing, step, stepped).await),
        Err(refused) => refused,
    }
}

fn answered(answered: Answered) -> Response {
    match answered {
        Answered::Place(place) => ([(PLACE, place)], said(StatusCode::OK, "")).into_response(),
        Answered::Said(status, markup) => html(status, markup),
    }
}

fn nowhere() -> Response {
    said(StatusCode::NOT_FOUND, "there is no such act")
}

/// The signed PSBT of a request, in base64, which the page makes a file of.
async fn signed(
    State(shared): State<Arc<Shared>>,
    axum::extract::Path((session, what)): axum::extract::Path<(String, String)>,
) -> Response {
    let (Some(session), "psbt") = (id(&session), what.as_str()) else { return nowhere() };
    let path = format!("/v1/requests/{session}/signed?finalise=true");
    match shared.client.get::<SignedTransaction>(&path).await {
        Ok(SignedTransaction { psbt, .. }) => said(StatusCode::OK, &psbt),
        Err(error) => {
            let (status, _) = pages::refused(&error);
            said(status, &visible(&error.to_string()))
        }
    }
}

/// A form without fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

async fn check_log(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Body) -> Response {
    match read(&headers, body, MOST_OF_BODY).await {
        Ok(Nothing {}) => page(check::check(&shared).await),
        Err(refused) => refused,
    }
}

/// The changes, as server-sent events. The stream begins with whether the node answers, and ends
/// with the console.
async fn events(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let session = request.extensions().get().copied();
    let Some(place) = session.and_then(|session| shared.stream(session)) else {
        let text = "too many pages follow the node: close some of them";
        return said(StatusCode::TOO_MANY_REQUESTS, text);
    };
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(lines(place))).into_response()
}

fn lines(place: StreamPlace) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let StreamPlace { changes, held } = place;
    let changes = BroadcastStream::new(changes).map(move |change| {
        // Held as long as the stream exists.
        let _ = &held;
        match change {
            // A reader that was too slow fetches its page anew.
            Ok(Change::Something) | Err(_) => "event: changed\ndata:\n\n",
            Ok(Change::Live) => "event: live\ndata:\n\n",
            Ok(Change::Offline) => "event: offline\ndata:\n\n",
        }
    });
    let pings = stream::unfold(interval(PING), async |mut pings| {
        pings.tick().await;
        Some(("event: ping\ndata:\n\n", pings))
    });
    stream::select(changes, Box::pin(pings)).map(|text| Ok(Bytes::from_static(text.as_bytes())))
}

/// The body of a request, which must be JSON.
pub(crate) async fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<T, Response> {
    if one(headers, &header::CONTENT_TYPE) != Some("application/json") {
        return Err(said(StatusCode::UNSUPPORTED_MEDIA_TYPE, "allowed is JSON"));
    }
    let bytes = match timeout(BODY_TIME, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let text = format!("That is too long: at most {} KiB are allowed.", most / 1024);
            return Err(said(StatusCode::PAYLOAD_TOO_LARGE, &text));
        }
        Err(_) => return Err(said(StatusCode::REQUEST_TIMEOUT, "the body has not come in time")),
    };
    serde_json::from_slice(&bytes)
        .map_err(|_| said(StatusCode::BAD_REQUEST, "the body is not what the console's page sends"))
}

pub(crate) fn page((status, markup): (StatusCode, Markup)) -> Response {
    html(status, markup)
}

pub(crate) fn html(status: StatusCode, markup: Markup) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, markup.into_string()).into_response()
}

pub(crate) fn said(status: StatusCode, text: &str) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (status, kind, text.to_owned()).into_response()
}

pub(crate) fn file(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_does_by_itself_is_no_use_by_a_person() {
        let used = |method: &str, path: &str, refresh: bool| {
            let mut request = Request::builder().method(method).uri(path);
            if refresh {
                request = request.header(&REFRESH, "1");
            }
            is_use(&request.body(Body::empty()).unwrap())
        };
        assert!(used("GET", "/fragment/", false));
        assert!(used("POST", "/requests/57/approve", false));
        assert!(!used("GET", "/fragment/", true));
        assert!(!used("GET", "/events", false));
    }
}
