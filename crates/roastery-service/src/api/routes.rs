//! The operations. Each function is one operation; its comment is its description in the API's
//! OpenAPI document.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use roastery_store::Principal;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    NEXT_BEFORE, audit, change, epochs,
    error::{ApiError, Body, File, Path, Query},
    events, hooks,
    json::SafeJson as Json,
    keygen, kit, pairing, proposing,
    query::{Answer, At, Bytes, MAX_NUMBER, answer, bytes, within},
    returning, signed, timeline, tokens, wallet,
};
use crate::{
    DecidedAbout, NotSeen, RequestFilter, RequestPage, Role, Seen, Service,
    service::MOST_LISTED,
    view::{
        AddCard, Bar, Configuration, Evidence, GroupStatus, Health, PeerAddresses, Problem,
        ProblemCode, Reject, Rename, Request, RequestCounts, State as RequestState, Status,
    },
};

/// The longest that a client may wait for a request in one call, in seconds.
const LONGEST_WAIT: u64 = 30;

/// The operations of every role.
pub(super) fn reads() -> OpenApiRouter<Arc<Service>> {
    let router = OpenApiRouter::new();
    #[cfg(feature = "remote")]
    let router = router.merge(super::remote::reads());
    router
        .routes(routes!(status))
        .routes(routes!(keygen::keygens))
        .routes(routes!(keygen::keygen))
        .routes(routes!(change::changes))
        .routes(routes!(epochs::change_log))
        .routes(routes!(change::change))
        .routes(routes!(epochs::epochs))
        .routes(routes!(epochs::epochs_of_key))
        .routes(routes!(group))
        .routes(routes!(group_file))
        .routes(routes!(recovery_file))
        .routes(routes!(requests))
        .routes(routes!(request_counts))
        .routes(routes!(request))
        .routes(routes!(timeline::timeline))
        .routes(routes!(signed::completed))
        .routes(routes!(signed::signed))
        .routes(routes!(wallet::wallet))
        .routes(routes!(wallet::history))
        .routes(routes!(wallet::labels))
        .routes(routes!(wallet::sending))
        .routes(routes!(evidence))
        .routes(routes!(proof))
        .routes(routes!(audit::log))
        .routes(routes!(audit::export_log))
        .routes(routes!(audit::log_cuts))
        .routes(routes!(audit::acts))
        .routes(routes!(events::stream))
        .routes(routes!(openapi))
}

/// The operations of operators alone: those that change the node, the backup, which contains the
/// node's keys, all of pairings, kits and returns, whose lines and words admit and convince, the
/// check of the chain, which reads all that was ever recorded, the configuration, which says where
/// secrets are, and hooks, whose errors say where they lead.
pub(super) fn acts() -> OpenApiRouter<Arc<Service>> {
    let router = OpenApiRouter::new();
    #[cfg(feature = "remote")]
    let router = router.merge(super::remote::acts());
    router
        .routes(routes!(pairing::pairings, pairing::invite))
        .routes(routes!(pairing::pairing))
        .routes(routes!(pairing::join_line))
        .routes(routes!(pairing::accept))
        .routes(routes!(pairing::decline))
        .routes(routes!(pairing::word))
        .routes(routes!(pairing::confirm))
        .routes(routes!(pairing::again))
        .routes(routes!(pairing::cancel))
        .routes(routes!(kit::kits))
        .routes(routes!(kit::make_kit))
        .routes(routes!(kit::confirm_kit))
        .routes(routes!(kit::kit_file))
        .routes(routes!(returning::returns, returning::invite_to_return))
        .routes(routes!(returning::cancel_return))
        .routes(routes!(returning::join_to_return))
        .routes(routes!(returning::leave_return))
        .routes(routes!(returning::words_to_return))
        .routes(routes!(keygen::join))
        .routes(routes!(keygen::begin))
        .routes(routes!(change::card))
        .routes(routes!(change::take_up))
        .routes(routes!(change::approve_change))
        .routes(routes!(change::accept_change))
        .routes(routes!(change::withdraw_change))
        .routes(routes!(epochs::erase))
        .routes(routes!(epochs::keep))
        .routes(routes!(epochs::acknowledge))
        .routes(routes!(epochs::check_host_key))
        .routes(routes!(add_card))
        .routes(routes!(recover))
        .routes(routes!(rename))
        .routes(routes!(bar))
        .routes(routes!(wallet::import_labels))
        .routes(routes!(audit::cut_log))
        .routes(routes!(audit::chain))
        .routes(routes!(configuration))
        .routes(routes!(tokens::tokens, tokens::add))
        .routes(routes!(tokens::revoke))
        .routes(routes!(hooks::hooks))
        .routes(routes!(hooks::test_hook))
        .routes(routes!(backup))
        .routes(routes!(stop))
}

/// Decisions about requests, and what follows once they are signed.
pub(super) fn decisions() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(signed::take_up_signatures))
        .routes(routes!(wallet::broadcast))
}

/// Asking for signatures, and what it takes before.
pub(super) fn proposals() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new()
        .routes(routes!(proposing::examine))
        .routes(routes!(proposing::propose))
        .routes(routes!(wallet::address))
        .routes(routes!(wallet::make))
}

/// All that is not for every role.
pub(super) fn all_acts() -> OpenApiRouter<Arc<Service>> {
    acts().merge(decisions()).merge(proposals())
}

/// The node's status: peers, groups, sessions and key generations, and for whom each waits and
/// since when.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, description = "Done", body = Status)))]
async fn status(State(service): At) -> Json<Status> {
    Json(service.status().await.into())
}

/// Stores the new addresses of another member, from its newer card.
#[utoipa::path(post, path = "/v1/peers", request_body = AddCard,
    responses((status = 200, description = "Done", body = PeerAddresses),
        (status = 409, description = "conflict: it is not the card of another member", body = Problem)))]
async fn add_card(State(service): At, Body(card): Body<AddCard>) -> Answer<PeerAddresses> {
    Ok(Json(service.add_card(&card.card).await?.into()))
}

/// The name of a group at this node.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CalledHere {
    /// The group's name at this node, if it is not to be the name that the key was generated with.
    name: Option<String>,
}

/// Restores this node's share from a group's recovery file and the host key.
#[utoipa::path(post, path = "/v1/groups", params(CalledHere), request_body(content = Bytes, content_type = "application/octet-stream"),
    responses((status = 200, description = "Done", body = GroupStatus),
        (status = 409, description = "not_ready: the host key is not here; name_taken: another group has this name here", body = Problem)))]
async fn recover(
    State(service): At,
    Query(called): Query<CalledHere>,
    File(file): File,
) -> Answer<GroupStatus> {
    let group = service.recover(file.to_vec(), called.name).await?;
    Ok(Json(service.group_status(&group.id().to_string()).await?.into()))
}

/// A group, by its name or its id.
#[utoipa::path(get, path = "/v1/groups/{name}",
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = GroupStatus)))]
async fn group(State(service): At, Path(name): Path<String>) -> Answer<GroupStatus> {
    Ok(Json(service.group_status(&name).await?.into()))
}

/// Gives a group another name, from the next start on. A name stays bound to one group.
#[utoipa::path(post, path = "/v1/groups/{name}/name", request_body = Rename,
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Health)))]
async fn rename(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Body(rename): Body<Rename>,
) -> Answer<Health> {
    service.rename_group(&name, rename.name, by).await?;
    Ok(Json(Health { ok: true, problems: Vec::new() }))
}

/// Bars a member of a group: this node does not sign with it any more, in any of its seats, and
/// takes no requests from it. The other nodes are not told. There is no way back.
#[utoipa::path(post, path = "/v1/groups/{name}/bar", request_body = Bar,
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = GroupStatus),
        (status = 409, description = "conflict: several members have the name, or it is this node itself", body = Problem)))]
async fn bar(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Body(bar): Body<Bar>,
) -> Answer<GroupStatus> {
    service.bar(&name, &bar.member, by).await?;
    Ok(Json(service.group_status(&name).await?.into()))
}

/// The group file: public; it is enough to check proofs and signatures.
#[utoipa::path(get, path = "/v1/groups/{name}/file",
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Bytes, content_type = "application/octet-stream")))]
async fn group_file(State(service): At, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(bytes(service.group_file(&name)?))
}

/// The recovery file, of all epochs of the group's key: public; the host key of an epoch and this
/// file restore a member's share of that epoch.
#[utoipa::path(get, path = "/v1/groups/{name}/recovery",
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Bytes, content_type = "application/octet-stream")))]
async fn recovery_file(State(service): At, Path(name): Path<String>) -> Result<Response, ApiError> {
    let file = service.recovery_file(&name).await?.ok_or_else(|| {
        let reason =
            "this group has no recovery file: a dealer made it; its share is in backups of this node";
        ApiError::new(StatusCode::NOT_FOUND, ProblemCode::NotFound, reason)
    })?;
    Ok(bytes(file))
}

/// A query for requests.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only requests of this group.
    group: Option<String>,
    /// Only requests in this state.
    state: Option<RequestState>,
    /// The most requests, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// Only requests that changed before this position, which the page before names in its header
    /// next-before.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    before: Option<u64>,
}

/// The requests that this node knows, by their last change, the latest first, without their
/// transactions. A page may be shorter than its limit, or empty, and names where the next one
/// begins.
#[utoipa::path(get, path = "/v1/requests", params(Which),
    responses((status = 200, description = "Done", body = [Request],
            headers(("next-before" = u64, description = "The `before` of the next page; not there with the last page"))),
        (status = 404, description = "not_found: there is no such group", body = Problem),
        (status = 409, description = "ambiguous: there are two groups of this name", body = Problem)))]
async fn requests(
    State(service): At,
    Extension(role): Extension<Role>,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    let Which { group, state, limit, before } = which;
    if let Some(limit) = limit {
        within("limit", limit as u64, 1..=MOST_LISTED as u64)?;
    }
    if let Some(before) = before {
        within("before", before, 0..=MAX_NUMBER)?;
    }
    let filter = RequestFilter { group, state: state.map(Into::into), before, limit };
    let RequestPage { requests, next } = service.requests(filter, role).await?;
    let requests: Vec<Request> = requests.into_iter().map(Into::into).collect();
    let next = next.map(|next| [(NEXT_BEFORE, next.to_string())]);
    Ok((next, Json(requests)).into_response())
}

/// Which requests are counted.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Counted {
    /// Only requests of this group.
    group: Option<String>,
}

/// How many requests are open.
#[utoipa::path(get, path = "/v1/requests/counts", params(Counted),
    responses((status = 200, description = "Done", body = RequestCounts),
        (status = 404, description = "not_found: there is no such group", body = Problem),
        (status = 409, description = "ambiguous: there are two groups of this name", body = Problem)))]
async fn request_counts(
    State(service): At,
    Query(Counted { group }): Query<Counted>,
) -> Answer<RequestCounts> {
    Ok(Json(service.request_counts(group).await?.into()))
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wait {
    /// At most this many seconds, until the request is signed, refused or stopped.
    #[serde(default)]
    #[param(minimum = 0, maximum = 30, default = 0)]
    wait: u64,
}

/// A request, by its session or the first 8 digits of it or more.
#[utoipa::path(get, path = "/v1/requests/{session}",
    params(("session" = String, Path, description = "Its session, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$"), Wait),
    responses((status = 200, description = "Done", body = Request)))]
async fn request(
    State(service): At,
    Extension(role): Extension<Role>,
    Path(session): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Answer<Request> {
    let wait = within("wait", wait, 0..=LONGEST_WAIT)?;
    Ok(Json(service.request(&session, Duration::from_secs(wait), role).await?.into()))
}

/// What is approved.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Approved {
    /// The revision of the request that was examined. If the request has changed since, it is not
    /// approved.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    revision: Option<u64>,
    /// What was seen of the request: its `seen`, as it was shown. If it is another one when the
    /// approval takes effect, nothing is approved, and the answer is `changed`.
    #[param(pattern = "^[0-9a-fA-F]{64}$")]
    seen: Option<String>,
}

/// Approves a request that waits for the operator. Without `seen` or `revision` it is approved as
/// it is now.
#[utoipa::path(post, path = "/v1/requests/{session}/approve",
    params(("session" = String, Path, description = "Its session, all 64 digits of it", pattern = "^[0-9a-fA-F]{64}$"), Approved),
    responses((status = 200, description = "Done", body = Request),
        (status = 409, description = "changed: it is not what was seen; conflict: it has another revision, or is signed; expired", body = Problem)))]
async fn approve(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(session): Path<String>,
    Query(Approved { revision, seen }): Query<Approved>,
) -> Answer<Request> {
    if let Some(revision) = revision {
        within("revision", revision, 0..=MAX_NUMBER)?;
    }
    let seen = seen_of(seen)
        .map_err(|reason| ApiError::new(StatusCode::BAD_REQUEST, ProblemCode::Invalid, reason))?;
    let about = DecidedAbout { revision, seen };
    let approved = service.approve(&session, about, by).await;
    answer(&service, &session, approved).await
}

/// Rejects a request, also one that was approved and is not signed yet.
#[utoipa::path(post, path = "/v1/requests/{session}/reject",
    params(("session" = String, Path, description = "Its session, all 64 digits of it", pattern = "^[0-9a-fA-F]{64}$")), request_body = Reject,
    responses((status = 200, description = "Done", body = Request),
        (status = 409, description = "changed: it is shown with another subject than was seen; conflict: it is signed", body = Problem)))]
async fn reject(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(session): Path<String>,
    Body(reject): Body<Reject>,
) -> Answer<Request> {
    let seen = seen_of(reject.seen).map_err(ApiError::invalid)?;
    let rejected = service.reject(&session, reject.note, seen, by).await;
    answer(&service, &session, rejected).await
}

fn seen_of(seen: Option<String>) -> Result<Option<Seen>, String> {
    let seen = seen.map(|seen| seen.parse().map_err(|error: NotSeen| error.to_string()));
    seen.transpose()
}

/// The configuration in force: what the node has read at its start, without secrets.
#[utoipa::path(get, path = "/v1/config",
    responses((status = 200, description = "Done", body = Configuration)))]
async fn configuration(State(service): At) -> Json<Configuration> {
    Json(service.settings_in_force().await.into())
}

/// The proofs of misbehaviour that this node holds.
#[utoipa::path(get, path = "/v1/evidence",
    responses((status = 200, description = "Done", body = [Evidence])))]
async fn evidence(State(service): At) -> Answer<Vec<Evidence>> {
    Ok(Json(service.evidence().await?.into_iter().map(Into::into).collect()))
}

/// A proof as a file, by its id or the first 8 digits of it or more.
#[utoipa::path(get, path = "/v1/evidence/{id}",
    params(("id" = String, Path, description = "Its id, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = Bytes, content_type = "application/octet-stream")))]
async fn proof(State(service): At, Path(id): Path<String>) -> Result<Response, ApiError> {
    Ok(bytes(service.proof(&id).await?))
}

/// A backup of the store, encrypted like the store itself.
#[utoipa::path(get, path = "/v1/backup",
    responses((status = 200, description = "Done", body = Bytes, content_type = "application/octet-stream")))]
async fn backup(State(service): At) -> Result<Response, ApiError> {
    Ok(bytes(service.backup().await?))
}

/// Ends the node gracefully. The answer comes before the end.
#[utoipa::path(post, path = "/v1/stop", responses((status = 200, description = "Done", body = Health)))]
async fn stop(State(service): At) -> Json<Health> {
    service.ask_to_stop();
    Json(Health { ok: true, problems: Vec::new() })
}

/// The description of the API, as the operation [`openapi`] gives it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document(pub(super) &'static str);

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
async fn openapi(Extension(Document(document)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}
