//! The operations on the audit log.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use bitcoin::hex::{DisplayHex as _, FromHex as _};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    convert::audit_line,
    error::{ApiError, Body, Query},
    json::SafeJson as Json,
    query::{Answer, At, MAX_NUMBER, within},
};
use crate::view::{Chain, CutLog, LogCut, LogCuts, LogEntry, Problem, RecordedActs};

/// The most log entries in one answer.
const MAX_LOG_PAGE: u64 = 1000;

/// The range of entries.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Entries {
    /// The number of the first entry.
    #[serde(default)]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    from: u64,
    /// The most entries.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u64>,
}

/// The audit log: one entry for each share that has left this node.
#[utoipa::path(get, path = "/v1/log", params(Entries),
    responses((status = 200, description = "Done", body = [LogEntry])))]
pub(super) async fn log(
    State(service): At,
    Query(Entries { from, limit }): Query<Entries>,
) -> Answer<Vec<LogEntry>> {
    let (from, limit) = log_page(from, limit)?;
    Ok(Json(service.log(from, limit).await?.into_iter().map(Into::into).collect()))
}

fn log_page(from: u64, limit: Option<u64>) -> Result<(u64, usize), ApiError> {
    let from = within("from", from, 0..=MAX_NUMBER)?;
    let limit = within("limit", limit.unwrap_or(MAX_LOG_PAGE), 1..=MAX_LOG_PAGE)?;
    // At most a thousand.
    Ok((from, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// The audit log for a file: a JSON object a line for each entry, with all that the store has of
/// it. A page ends after the line that reaches 1 MiB; an empty page is the end.
#[utoipa::path(get, path = "/v1/log/export", params(Entries),
    responses((status = 200, description = "Done", body = String, content_type = "application/x-ndjson")))]
pub(super) async fn export_log(
    State(service): At,
    Query(Entries { from, limit }): Query<Entries>,
) -> Result<Response, ApiError> {
    let (from, limit) = log_page(from, limit)?;
    let lines = service.export_log(from, limit, audit_line).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

/// Which entries were cut from the audit log, and which can be.
#[utoipa::path(get, path = "/v1/log/cuts",
    responses((status = 200, description = "Done", body = LogCuts)))]
pub(super) async fn log_cuts(State(service): At) -> Answer<LogCuts> {
    Ok(Json(service.log_cuts().await?.into()))
}

/// Cuts the oldest entries from the audit log, once they are exported, and keeps a record of it.
#[utoipa::path(post, path = "/v1/log/cut", request_body = CutLog,
    responses((status = 200, description = "Done", body = LogCut),
        (status = 409, description = "conflict: there are no such entries, one is too young, or the hash is that of others", body = Problem)))]
pub(super) async fn cut_log(State(service): At, Body(what): Body<CutLog>) -> Answer<LogCut> {
    let CutLog { before, sha256 } = what;
    let sha256 = <[u8; 32]>::from_hex(&sha256)
        .map_err(|_| ApiError::invalid("sha256: allowed are 64 hexadecimal digits"))?;
    Ok(Json(service.cut_log(before, sha256, audit_line).await?.into()))
}

/// What clients have asked this node to do, and who: decisions, settings, parts in key generations
/// and changes. In one chain with the shares that have left.
#[utoipa::path(get, path = "/v1/audit", params(Entries),
    responses((status = 200, description = "Done", body = RecordedActs)))]
pub(super) async fn acts(
    State(service): At,
    Query(Entries { from, limit }): Query<Entries>,
) -> Answer<RecordedActs> {
    let (from, limit) = log_page(from, limit)?;
    Ok(Json(service.acts(from, limit).await?.into()))
}

/// Computes the chain of acts and shares anew, for one caller at a time.
#[utoipa::path(get, path = "/v1/audit/chain",
    responses((status = 200, description = "Done", body = Chain)))]
pub(super) async fn chain(State(service): At) -> Answer<Chain> {
    let (acts, hash) = service.check_acts().await?;
    Ok(Json(Chain { acts, hash: hash.to_lower_hex_string() }))
}
