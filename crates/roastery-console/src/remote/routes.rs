//! What is answered to people elsewhere at which address.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::STRICT_TRANSPORT_SECURITY},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use roastery_service::{
    api::ClientError,
    text::visible,
    view::{
        AskChallenge, BeginPasskey, BegunPasskey, ComePasskey, DecideWith, MadePasskey, PasskeyAct,
        PasskeyChallenge, PasskeyStatus, RemoteStatus, SignedByPasskey,
    },
    words::Clock,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Remote;
use crate::{
    act::{self, Act},
    guard::one,
    pages,
    place::{Place, id},
    routes::{
        ICON, ICON_KIND, MOST_OF_BODY, Nothing, REFRESH, SCRIPT_KIND, SESSION, STYLE, STYLE_KIND,
        file, html, note_token, only_from, page, read, said,
    },
};

const SCRIPT: &str = include_str!("../../assets/remote.js");

/// For so many seconds a browser that was here calls the origin over TLS alone.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The passkey with which a person has signed in.
#[derive(Clone, Debug)]
struct SignedIn(PasskeyStatus);

/// Everything that is answered.
pub(super) fn router(remote: Arc<Remote>) -> Router {
    let inside = Router::new()
        .route("/fragment/{*path}", get(fragment))
        .route("/fragment/", get(fragment))
        .route("/requests/{session}/{act}/challenge", post(challenge))
        .route("/requests/{session}/{act}", post(decide))
        .route_layer(middleware::from_fn_with_state(remote.clone(), authorise));
    let outside = Router::new()
        .route("/app.css", get(async || file(STYLE_KIND, STYLE)))
        .route("/remote.js", get(async || file(SCRIPT_KIND, SCRIPT)))
        .route("/icon.svg", get(async || file(ICON_KIND, ICON)))
        .route("/sign-in/challenge", post(sign_in_challenge))
        .route("/sign-in", post(sign_in))
        .route("/passkeys/begin", post(begin))
        .route("/passkeys", post(enrol))
        .fallback(get(async || html(StatusCode::OK, pages::remote_shell())));
    inside
        .merge(outside)
        .layer(middleware::from_fn_with_state(remote.clone(), from_here))
        .with_state(remote)
}

/// Refuses what comes from elsewhere than the pages of the origin, and guards every answer.
async fn from_here(State(remote): State<Arc<Remote>>, request: Request, next: Next) -> Response {
    let mut answer = only_from(&remote.shared.hosts, request, next).await;
    if answer.status() != StatusCode::MISDIRECTED_REQUEST && remote.origin.starts_with("https:") {
        answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, A_YEAR);
    }
    answer
}

/// Lets pass what has the token of a session whose passkey still counts.
async fn authorise(
    State(remote): State<Arc<Remote>>,
    mut request: Request,
    next: Next,
) -> Response {
    let uses = !request.headers().contains_key(&REFRESH);
    let token = one(request.headers(), &SESSION).unwrap_or_default().to_owned();
    let passkey = remote.sessions(|all| all.passkey(&token, uses, Instant::now()));
    let Some(passkey) = passkey else {
        return said(StatusCode::UNAUTHORIZED, "You are signed out.");
    };
    match remote.shared.client.get::<RemoteStatus>("/v1/remote").await {
        // Another one of its name is not this one.
        Ok(status) if !status.passkeys.contains(&passkey) => {
            remote.sessions(|all| all.end(&passkey));
            return said(StatusCode::UNAUTHORIZED, "This passkey was removed.");
        }
        // Without the node there is nothing to read; the page says why.
        _ => {}
    }
    note_token(&request);
    request.extensions_mut().insert(SignedIn(passkey));
    next.run(request).await
}

async fn fragment(State(remote): State<Arc<Remote>>, request: Request) -> Response {
    let (shared, uri) = (&remote.shared, request.uri());
    let path = uri.path().strip_prefix("/fragment").unwrap_or_default();
    match Place::at(path, uri.query().unwrap_or_default()) {
        Some(place) if is_read_elsewhere(&place) => {
            page(pages::page(shared, &place, &Clock::system(), None).await)
        }
        _ => page(pages::not_elsewhere(shared).await),
    }
}

/// What is read from elsewhere. The other pages have forms that act without a passkey.
fn is_read_elsewhere(place: &Place) -> bool {
    matches!(
        place,
        Place::Overview | Place::Requests(..) | Place::Request(_) | Place::Evidence | Place::Log(_)
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToDecide {
    seen: String,
}

async fn sign_in_challenge(
    State(remote): State<Arc<Remote>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = read::<Nothing>(&headers, body, MOST_OF_BODY).await {
        return refused;
    }
    let asked = AskChallenge { act: PasskeyAct::SignIn, about: None };
    handed::<PasskeyChallenge>(remote.shared.client.post("/v1/remote/challenges", &asked).await)
}

async fn sign_in(State(remote): State<Arc<Remote>>, headers: HeaderMap, body: Body) -> Response {
    let signed: SignedByPasskey = match read(&headers, body, MOST_OF_BODY).await {
        Ok(signed) => signed,
        Err(refused) => return refused,
    };
    let client = &remote.shared.client;
    match client.post::<PasskeyStatus>("/v1/remote/sign-ins", &signed).await {
        Ok(passkey) => match remote.sessions(|all| all.begin(passkey, Instant::now())) {
            Ok(token) => said(StatusCode::OK, &token),
            Err(error) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        Err(error) => refused(&error),
    }
}

async fn challenge(
    State(remote): State<Arc<Remote>>,
    Extension(SignedIn(passkey)): Extension<SignedIn>,
    Path((session, act)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (Some(session), Some(act)) = (id(&session), Act::of(&act)) else {
        return said(StatusCode::NOT_FOUND, "there is no such act");
    };
    let ToDecide { seen } = match read(&headers, body, MOST_OF_BODY).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let act = match act {
        Act::Approve => PasskeyAct::Approve,
        Act::Reject => PasskeyAct::Reject,
    };
    let about = Some(DecideWith { passkey: passkey.name, session, seen });
    let asked = AskChallenge { act, about };
    handed::<PasskeyChallenge>(remote.shared.client.post("/v1/remote/challenges", &asked).await)
}

/// Hands on what a passkey has signed. The act and the request are those of its ticket, which the
/// node reads: the address says which page is shown.
async fn decide(
    State(remote): State<Arc<Remote>>,
    Path((session, act)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let (Some(session), Some(act)) = (id(&session), Act::of(&act)) else {
        return said(StatusCode::NOT_FOUND, "there is no such act");
    };
    let signed: SignedByPasskey = match read(&headers, body, MOST_OF_BODY).await {
        Ok(signed) => signed,
        Err(refused) => return refused,
    };
    page(act::hand_on(&remote.shared, &session, act, &signed, &Clock::system()).await)
}

async fn begin(State(remote): State<Arc<Remote>>, headers: HeaderMap, body: Body) -> Response {
    passed::<BeginPasskey, BegunPasskey>(&remote, "/v1/remote/enrolments", &headers, body).await
}

async fn enrol(State(remote): State<Arc<Remote>>, headers: HeaderMap, body: Body) -> Response {
    passed::<MadePasskey, ComePasskey>(&remote, "/v1/remote/passkeys", &headers, body).await
}

/// Passes on what the page sends, and the node's answer.
async fn passed<T: Serialize + DeserializeOwned, A: Serialize + DeserializeOwned>(
    remote: &Remote,
    path: &str,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    match read::<T>(headers, body, MOST_OF_BODY).await {
        Ok(body) => handed::<A>(remote.shared.client.post(path, &body).await),
        Err(refused) => refused,
    }
}

fn handed<T: Serialize>(answer: Result<T, ClientError>) -> Response {
    match answer.map(|value| serde_json::to_string(&value)) {
        Ok(Ok(json)) => ([("content-type", "application/json")], json).into_response(),
        Ok(Err(error)) => said(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => refused(&error),
    }
}

fn refused(error: &ClientError) -> Response {
    let (status, _) = pages::refused(error);
    said(status, &visible(&error.to_string()))
}
