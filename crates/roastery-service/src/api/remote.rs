//! The operations for people elsewhere. Those of the relay decide nothing by themselves: each takes
//! what a passkey has signed, or the code of the terminal.

use std::sync::Arc;

use axum::{Extension, extract::State};
use bitcoin::hex::{DisplayHex as _, FromHex as _};
use roastery_protocol::SessionId;
use roastery_store::{KeptPasskey, Principal};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access::user_only,
    error::{ApiError, Body, Path},
    json::SafeJson as Json,
    query::{Answer, At, answer},
};
use crate::{
    NotSeen, RemoteWish, Seen, Service, fingerprint,
    passkey::Assertion,
    view::{
        AddPasskey, AskChallenge, BeginPasskey, BegunPasskey, ComePasskey, DecideWith, Health,
        KeepPasskey, MadePasskey, PasskeyAct, PasskeyChallenge, PasskeyCode, PasskeyEnrolment,
        PasskeyStatus, Problem, RemoteStatus, Request, SignedByPasskey, TokenRole,
    },
};

const USERS_ONLY: &str =
    "passkeys are added and removed at the node's socket, on its machine, and not with a token";

/// What every role reads.
pub(super) fn reads() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(remote_status))
}

/// What users at the node's socket do.
pub(super) fn acts() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(passkey_enrolment, add_passkey))
        .routes(routes!(keep_passkey))
        .routes(routes!(end_passkey))
        .routes(routes!(remove_passkey))
}

/// What the process between people elsewhere and this node does, and no other client.
pub(super) fn relayed() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(passkey_challenge))
        .routes(routes!(passkey_sign_in))
        .routes(routes!(passkey_decision))
        .routes(routes!(begin_passkey))
        .routes(routes!(enrol_passkey))
}

fn status(passkey: &KeptPasskey) -> PasskeyStatus {
    PasskeyStatus {
        name: passkey.name.clone(),
        role: if passkey.acts { TokenRole::Operator } else { TokenRole::Reader },
        fingerprint: fingerprint(passkey),
        made: crate::Time::from_seconds(passkey.made),
    }
}

fn done() -> Json<Health> {
    Json(Health { ok: true, problems: Vec::new() })
}

fn bytes(name: &str, digits: &str) -> Result<Vec<u8>, ApiError> {
    Vec::from_hex(digits)
        .map_err(|_| ApiError::invalid(format!("{name}: allowed are bytes as hexadecimal digits")))
}

/// Whether and where people decide from elsewhere, and with which passkeys.
#[utoipa::path(get, path = "/v1/remote", responses((status = 200, description = "Done", body = RemoteStatus)))]
async fn remote_status(State(service): At) -> Answer<RemoteStatus> {
    let origin = service.relying_party().map(|party| party.origin().to_owned());
    let passkeys = service.passkeys().await?.iter().map(status).collect();
    Ok(Json(RemoteStatus { origin, passkeys }))
}

/// How far the passkey is that is being added.
#[utoipa::path(get, path = "/v1/passkeys", responses((status = 200, description = "Done", body = PasskeyEnrolment)))]
async fn passkey_enrolment(State(service): At) -> Json<PasskeyEnrolment> {
    let state = service.enrolment();
    let (name, fingerprint) = match state {
        None => (None, None),
        Some(state) => (Some(state.name), state.fingerprint),
    };
    Json(PasskeyEnrolment { name, fingerprint })
}

/// Makes a code by which one passkey is added at the origin of the configuration.
#[utoipa::path(post, path = "/v1/passkeys", request_body = AddPasskey,
    responses((status = 200, description = "Done", body = PasskeyCode),
        (status = 409, description = "not_ready: remote.origin is not set; conflict: there is a passkey of this name", body = Problem)))]
async fn add_passkey(
    State(service): At,
    Extension(by): Extension<Principal>,
    Body(new): Body<AddPasskey>,
) -> Answer<PasskeyCode> {
    user_only(&by, USERS_ONLY)?;
    let AddPasskey { name, role } = new;
    let code = service.open_enrolment(&name, role.into())?.to_string();
    let origin = service.relying_party().map(|party| party.origin().to_owned());
    Ok(Json(PasskeyCode { code, origin: origin.unwrap_or_default() }))
}

/// Keeps the passkey that has come for the code: it counts from here on.
#[utoipa::path(post, path = "/v1/passkeys/keep", request_body = KeepPasskey,
    responses((status = 200, description = "Done", body = PasskeyStatus),
        (status = 404, description = "not_found: no passkey with this fingerprint has come", body = Problem),
        (status = 409, description = "not_ready: remote.origin is not set; conflict: there are 16 passkeys", body = Problem)))]
async fn keep_passkey(
    State(service): At,
    Extension(by): Extension<Principal>,
    Body(KeepPasskey { fingerprint }): Body<KeepPasskey>,
) -> Answer<PasskeyStatus> {
    user_only(&by, USERS_ONLY)?;
    Ok(Json(status(&service.keep_enrolled(&fingerprint, by).await?)))
}

/// Ends the code, and drops what has come for it.
#[utoipa::path(post, path = "/v1/passkeys/end", responses((status = 200, description = "Done", body = Health)))]
async fn end_passkey(State(service): At, Extension(by): Extension<Principal>) -> Answer<Health> {
    user_only(&by, USERS_ONLY)?;
    service.end_enrolment();
    Ok(done())
}

/// Removes a passkey: it counts no more from here on.
#[utoipa::path(post, path = "/v1/passkeys/{name}/remove",
    params(("name" = String, Path, description = "Its name", min_length = 1, max_length = 24)),
    responses((status = 200, description = "Done", body = Health)))]
async fn remove_passkey(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<Health> {
    user_only(&by, USERS_ONLY)?;
    service.remove_passkey(&name, by).await?;
    Ok(done())
}

/// A challenge for one act, which a passkey is to sign. For the relay.
#[utoipa::path(post, path = "/v1/remote/challenges", request_body = AskChallenge,
    responses((status = 200, description = "Done", body = PasskeyChallenge),
        (status = 409, description = "not_ready: remote.origin is not set", body = Problem)))]
async fn passkey_challenge(
    State(service): At,
    Body(asked): Body<AskChallenge>,
) -> Answer<PasskeyChallenge> {
    let AskChallenge { act, about } = asked;
    let wish = match (act, about) {
        (PasskeyAct::SignIn, None) => RemoteWish::SignIn,
        (PasskeyAct::SignIn, Some(_)) => {
            return Err(ApiError::invalid("about: nothing is decided by signing in"));
        }
        (_, None) => {
            return Err(ApiError::invalid("about: it has to say about what is decided"));
        }
        (act, Some(DecideWith { passkey, session, seen })) => {
            let id = <[u8; 32]>::from_hex(&session)
                .map_err(|_| ApiError::invalid("session: allowed are 64 hexadecimal digits"))?;
            let session = SessionId::from_bytes(id);
            let seen: Seen =
                seen.parse().map_err(|error: NotSeen| ApiError::invalid(error.to_string()))?;
            let approves = act == PasskeyAct::Approve;
            RemoteWish::Decide { approves, passkey, session, seen }
        }
    };
    let made = service.remote_challenge(&wish)?;
    Ok(Json(PasskeyChallenge {
        ticket: made.ticket.to_lower_hex_string(),
        challenge: made.challenge.to_lower_hex_string(),
        site: site(&service),
        credential: made.credential.map(|credential| credential.to_lower_hex_string()),
    }))
}

fn site(service: &Service) -> String {
    service.relying_party().map(|party| party.host().to_owned()).unwrap_or_default()
}

/// The ticket, and what was signed. The lengths are checked where it is verified.
fn signed(by: SignedByPasskey) -> Result<(Vec<u8>, Assertion), ApiError> {
    let SignedByPasskey { ticket, credential, client_data, authenticator_data, signature } = by;
    let assertion = Assertion {
        credential: bytes("credential", &credential)?,
        client_data: bytes("client_data", &client_data)?,
        authenticator_data: bytes("authenticator_data", &authenticator_data)?,
        signature: bytes("signature", &signature)?,
    };
    Ok((bytes("ticket", &ticket)?, assertion))
}

/// A person signs in, to read. For the relay.
#[utoipa::path(post, path = "/v1/remote/sign-ins", request_body = SignedByPasskey,
    responses((status = 200, description = "Done", body = PasskeyStatus),
        (status = 409, description = "not_ready: remote.origin is not set", body = Problem)))]
async fn passkey_sign_in(
    State(service): At,
    Body(by): Body<SignedByPasskey>,
) -> Answer<PasskeyStatus> {
    let (ticket, assertion) = signed(by)?;
    Ok(Json(status(&service.sign_in(&ticket, &assertion).await?)))
}

/// A person approves or rejects a request, as the ticket says. For the relay.
#[utoipa::path(post, path = "/v1/remote/decisions", request_body = SignedByPasskey,
    responses((status = 200, description = "Done", body = Request),
        (status = 404, description = "not_found: the request is not here", body = Problem),
        (status = 409, description = "changed: it is not what was seen; conflict: it is signed; expired; not_ready: remote.origin is not set", body = Problem)))]
async fn passkey_decision(State(service): At, Body(by): Body<SignedByPasskey>) -> Answer<Request> {
    let (ticket, assertion) = signed(by)?;
    let decided = service.decide_remotely(&ticket, &assertion).await;
    // The session stands in the ticket of a decision, which was this node's own if it is changed.
    let session = ticket.get(33..65).unwrap_or_default().to_lower_hex_string();
    answer(&service, &session, decided).await
}

/// What a browser needs to make the passkey of the code. For the relay.
#[utoipa::path(post, path = "/v1/remote/enrolments", request_body = BeginPasskey,
    responses((status = 200, description = "Done", body = BegunPasskey),
        (status = 409, description = "not_ready: remote.origin is not set", body = Problem)))]
async fn begin_passkey(
    State(service): At,
    Body(BeginPasskey { code }): Body<BeginPasskey>,
) -> Answer<BegunPasskey> {
    let begun = service.begin_enrolment(&code)?;
    Ok(Json(BegunPasskey {
        name: begun.name,
        challenge: begun.challenge.to_lower_hex_string(),
        site: site(&service),
        others: begun.others.iter().map(|other| other.to_lower_hex_string()).collect(),
    }))
}

/// Takes the passkey that a browser has made, until the terminal keeps it. For the relay.
#[utoipa::path(post, path = "/v1/remote/passkeys", request_body = MadePasskey,
    responses((status = 200, description = "Done", body = ComePasskey),
        (status = 409, description = "not_ready: remote.origin is not set; conflict: it is one of this node's already", body = Problem)))]
async fn enrol_passkey(State(service): At, Body(made): Body<MadePasskey>) -> Answer<ComePasskey> {
    let MadePasskey { code, client_data, authenticator_data } = made;
    let client_data = bytes("client_data", &client_data)?;
    let authenticator_data = bytes("authenticator_data", &authenticator_data)?;
    let fingerprint = service.enrol(&code, &client_data, &authenticator_data)?;
    Ok(Json(ComePasskey { fingerprint }))
}
