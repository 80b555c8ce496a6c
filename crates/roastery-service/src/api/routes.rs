//! What can be asked. Each function is one operation; its description is the one in the API's own description.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    description,
    error::{ApiError, Body, File, Path, Query},
    events,
    json::SafeJson as Json,
};
use crate::{
    RequestFilter, Service,
    view::{
        AddCard, Begin, CeremonyStatus, Evidence, GroupStatus, Health, Join, LogEntry,
        PeerAddresses, Problem, Propose, Reject, Request, State as RequestState, Status,
    },
};

/// The longest that a request may be waited for at once, in seconds.
const LONGEST_WAIT: u64 = 30;

type At = State<Arc<Service>>;
type Answer<T> = Result<Json<T>, ApiError>;

/// The description without its operations.
#[derive(OpenApi)]
#[openapi(info(
    title = "Roastery",
    description = "A node of Roastery groups: threshold signing of Taproot signatures.",
    license(name = "MIT OR Apache-2.0")
))]
struct Description;

/// All operations, with their description.
pub(super) fn all() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(status))
        .routes(routes!(ceremonies, join))
        .routes(routes!(ceremony))
        .routes(routes!(begin))
        .routes(routes!(add_card))
        .routes(routes!(recover))
        .routes(routes!(group))
        .routes(routes!(group_file))
        .routes(routes!(recovery_file))
        .routes(routes!(propose))
        .routes(routes!(requests))
        .routes(routes!(request))
        .routes(routes!(completed))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(evidence))
        .routes(routes!(proof))
        .routes(routes!(log))
        .routes(routes!(events::stream))
        .routes(routes!(backup))
        .routes(routes!(stop))
        .routes(routes!(openapi))
        .merge(open())
}

/// What is told to anybody who can connect.
pub(super) fn open() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(metrics))
}

/// How the node stands: peers, groups, sessions and ceremonies, with who is awaited and since when.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status)))]
async fn status(State(service): At) -> Json<Status> {
    Json(service.status().await)
}

/// The invitations that were taken up and the ceremonies under way.
#[utoipa::path(get, path = "/v1/ceremonies", responses((status = 200, body = [CeremonyStatus])))]
async fn ceremonies(State(service): At) -> Json<Vec<CeremonyStatus>> {
    Json(service.ceremonies())
}

/// Takes up an invitation. Nothing begins before the fingerprint is confirmed.
#[utoipa::path(post, path = "/v1/ceremonies", request_body = Join,
    responses((status = 200, body = CeremonyStatus), (status = "4XX", body = Problem)))]
async fn join(State(service): At, Body(join): Body<Join>) -> Answer<CeremonyStatus> {
    Ok(Json(service.join(join.invitation).await?))
}

/// A ceremony, by its group's name or its id.
#[utoipa::path(get, path = "/v1/ceremonies/{name}",
    responses((status = 200, body = CeremonyStatus), (status = 404, body = Problem)))]
async fn ceremony(State(service): At, Path(name): Path<String>) -> Answer<CeremonyStatus> {
    Ok(Json(service.ceremony(&name)?))
}

/// Begins to make the key, with the fingerprint that all members have compared.
#[utoipa::path(post, path = "/v1/ceremonies/{name}/begin", request_body = Begin,
    responses((status = 200, body = CeremonyStatus), (status = "4XX", body = Problem)))]
async fn begin(
    State(service): At,
    Path(name): Path<String>,
    Body(begin): Body<Begin>,
) -> Answer<CeremonyStatus> {
    Ok(Json(service.begin_ceremony(&name, &begin.fingerprint).await?))
}

/// Takes up where another member is called now, from its newer card.
#[utoipa::path(post, path = "/v1/peers", request_body = AddCard,
    responses((status = 200, body = PeerAddresses), (status = "4XX", body = Problem)))]
async fn add_card(State(service): At, Body(card): Body<AddCard>) -> Answer<PeerAddresses> {
    Ok(Json(service.add_card(&card.card).await?))
}

/// Brings this node's share back from a group's recovery file and the host key.
#[utoipa::path(post, path = "/v1/groups", request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = GroupStatus), (status = "4XX", body = Problem)))]
async fn recover(State(service): At, File(file): File) -> Answer<GroupStatus> {
    let group = service.recover(file.to_vec()).await?;
    find_group(&service, &group.id().to_string()).await
}

/// A group, by its name or its id.
#[utoipa::path(get, path = "/v1/groups/{name}",
    responses((status = 200, body = GroupStatus), (status = 404, body = Problem)))]
async fn group(State(service): At, Path(name): Path<String>) -> Answer<GroupStatus> {
    find_group(&service, &name).await
}

async fn find_group(service: &Service, name: &str) -> Answer<GroupStatus> {
    // Says so if there is none.
    service.group_files(name)?;
    let groups = service.status().await.groups;
    let group = groups.into_iter().find(|group| group.name == name || group.id == name);
    group.map(Json).ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no group {name:?} here"),
        )
    })
}

/// The group file: public, for whoever checks proofs or signatures.
#[utoipa::path(get, path = "/v1/groups/{name}/file",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
async fn group_file(State(service): At, Path(name): Path<String>) -> Result<Response, ApiError> {
    Ok(bytes(service.group_files(&name)?.0))
}

/// The recovery file: public; with its host key it brings a member's share back.
#[utoipa::path(get, path = "/v1/groups/{name}/recovery",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
async fn recovery_file(State(service): At, Path(name): Path<String>) -> Result<Response, ApiError> {
    let file = service.group_files(&name)?.1.ok_or_else(|| {
        let reason = "this group has no recovery file: a dealer made it";
        ApiError::new(StatusCode::NOT_FOUND, "not_found", reason)
    })?;
    Ok(bytes(file))
}

/// Asks the group to sign a text, a transaction or hashes. It is approved here with that, and proposed to the others.
#[utoipa::path(post, path = "/v1/groups/{name}/requests", request_body = Propose,
    responses((status = 200, body = Request), (status = "4XX", body = Problem)))]
async fn propose(
    State(service): At,
    Path(name): Path<String>,
    Body(what): Body<Propose>,
) -> Answer<Request> {
    Ok(Json(service.propose(&name, what).await?))
}

/// Which requests are asked for.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Those of this group only.
    group: Option<String>,
    /// Those in this state only.
    state: Option<RequestState>,
    /// At most so many, 1 to 200; 50 if nothing is said.
    limit: Option<usize>,
    /// Those that changed before this position: that of the last request of the page before.
    before: Option<u64>,
}

/// The requests that this node knows, those first that changed last. A page may be shorter than
/// its limit; the one after the last is empty.
#[utoipa::path(get, path = "/v1/requests", params(Which),
    responses((status = 200, body = [Request]), (status = "4XX", body = Problem)))]
async fn requests(State(service): At, Query(which): Query<Which>) -> Answer<Vec<Request>> {
    let Which { group, state, limit, before } = which;
    Ok(Json(service.requests(RequestFilter { group, state, before, limit }).await?))
}

/// How long is waited.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wait {
    /// At most this many seconds, 30 at most, until the request is signed, refused or stopped.
    #[serde(default)]
    wait: u64,
}

/// A request, by its session or the first 8 digits of it or more.
#[utoipa::path(get, path = "/v1/requests/{session}", params(Wait),
    responses((status = 200, body = Request), (status = "4XX", body = Problem)))]
async fn request(
    State(service): At,
    Path(session): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Answer<Request> {
    let wait = Duration::from_secs(wait.min(LONGEST_WAIT));
    Ok(Json(service.request(&session, wait).await?))
}

/// How a transaction is completed.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Completed {
    /// Whether the inputs that this group has signed are finalised.
    #[serde(default)]
    finalise: bool,
}

/// A signed transaction, as a binary PSBT (version 0).
#[utoipa::path(get, path = "/v1/requests/{session}/psbt", params(Completed),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "4XX", body = Problem)))]
async fn completed(
    State(service): At,
    Path(session): Path<String>,
    Query(Completed { finalise }): Query<Completed>,
) -> Result<Response, ApiError> {
    Ok(bytes(service.completed(&session, finalise).await?))
}

/// What is approved.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Approved {
    /// The revision of the request that was looked at. If the request has changed since, it is not approved.
    revision: Option<u64>,
}

/// Approves a request that waits for it.
#[utoipa::path(post, path = "/v1/requests/{session}/approve", params(Approved),
    responses((status = 200, body = Request), (status = "4XX", body = Problem)))]
async fn approve(
    State(service): At,
    Path(session): Path<String>,
    Query(Approved { revision }): Query<Approved>,
) -> Answer<Request> {
    Ok(Json(service.approve(&session, revision).await?))
}

/// Rejects a request, also one that was approved and is not signed yet.
#[utoipa::path(post, path = "/v1/requests/{session}/reject", request_body = Reject,
    responses((status = 200, body = Request), (status = "4XX", body = Problem)))]
async fn reject(
    State(service): At,
    Path(session): Path<String>,
    Body(reject): Body<Reject>,
) -> Answer<Request> {
    Ok(Json(service.reject(&session, reject.note).await?))
}

/// The proofs of misbehaviour that this node holds.
#[utoipa::path(get, path = "/v1/evidence",
    responses((status = 200, body = [Evidence]), (status = 500, body = Problem)))]
async fn evidence(State(service): At) -> Answer<Vec<Evidence>> {
    Ok(Json(service.evidence().await?))
}

/// A proof as a file, by its id or the first 8 digits of it or more.
#[utoipa::path(get, path = "/v1/evidence/{id}",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
async fn proof(State(service): At, Path(id): Path<String>) -> Result<Response, ApiError> {
    Ok(bytes(service.proof(&id).await?))
}

/// Which entries are asked for.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Entries {
    /// From this number on.
    #[serde(default)]
    from: u64,
    /// At most so many, 1000 at most.
    limit: Option<usize>,
}

/// The audit log: one entry for each share that has left this node.
#[utoipa::path(get, path = "/v1/log", params(Entries),
    responses((status = 200, body = [LogEntry]), (status = 500, body = Problem)))]
async fn log(
    State(service): At,
    Query(Entries { from, limit }): Query<Entries>,
) -> Answer<Vec<LogEntry>> {
    Ok(Json(service.log(from, limit.unwrap_or(usize::MAX)).await?))
}

/// A backup of the store, encrypted like the store itself.
#[utoipa::path(get, path = "/v1/backup",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 500, body = Problem)))]
async fn backup(State(service): At) -> Result<Response, ApiError> {
    Ok(bytes(service.backup().await?))
}

/// Ends the node gracefully. The answer comes before the end.
#[utoipa::path(post, path = "/v1/stop", responses((status = 200, body = Health)))]
async fn stop(State(service): At) -> Json<Health> {
    service.ask_to_stop();
    Json(Health { ok: true, problems: Vec::new() })
}

/// This description.
#[utoipa::path(get, path = "/v1/openapi.json",
    responses((status = 200, body = String, content_type = "application/json")))]
async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], description()).into_response()
}

/// Whether the process does its work at all.
#[utoipa::path(get, path = "/health",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn health(State(service): At) -> Response {
    told(service.health().await)
}

/// Whether enough members of each group can be reached to sign.
#[utoipa::path(get, path = "/ready",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn ready(State(service): At) -> Response {
    told(service.readiness().await)
}

fn told(health: Health) -> Response {
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}

/// The metrics, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
async fn metrics(State(service): At) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], service.metrics_text()).into_response()
}

fn bytes(content: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], content).into_response()
}
