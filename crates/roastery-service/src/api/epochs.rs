//! The operations on the epochs of keys.

use axum::extract::State;
use roastery_frost::Point;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, Body, Path, Query},
    json::SafeJson as Json,
    query::{Answer, At, MAX_NUMBER, within},
};
use crate::{
    ServiceError,
    view::{Acknowledge, ChangeLine, CheckHostKey, Epochs, Erase, HostKeyVerdict, Problem},
};

/// The keys of this node and their epochs: which is current, how far its members are, and what is
/// not erased.
#[utoipa::path(get, path = "/v1/keys", responses((status = 200, description = "Done", body = [Epochs])))]
pub(super) async fn epochs(State(service): At) -> Answer<Vec<Epochs>> {
    Ok(Json(service.epochs().await?.into_iter().map(Into::into).collect()))
}

/// The epochs of a key, by its id or the name or id of its group.
#[utoipa::path(get, path = "/v1/keys/{key}",
    params(("key" = String, Path, description = "The key id, or a group's name or id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Epochs)))]
pub(super) async fn epochs_of_key(State(service): At, Path(key): Path<String>) -> Answer<Epochs> {
    Ok(Json(service.epochs_of_key(&key).await?.into()))
}

/// Erases this node's shares of the epochs that this one supersedes, which must be the current one,
/// as soon as nothing is missing: all members are asked how far they are. The answer says what is
/// missing; nothing is erased before.
#[utoipa::path(post, path = "/v1/keys/{key}/erase", request_body = Erase,
    params(("key" = String, Path, description = "The key id, or a group's name or id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Epochs),
        (status = 409, description = "conflict: another epoch is current, there is nothing to erase, or no backup has the new share", body = Problem)))]
pub(super) async fn erase(
    State(service): At,
    Path(key): Path<String>,
    Body(wish): Body<Erase>,
) -> Answer<Epochs> {
    Ok(Json(service.erase_superseded(&key, wish.into()).await?.into()))
}

/// Takes back the wish to erase that waits for something. What is erased is gone.
#[utoipa::path(post, path = "/v1/keys/{key}/keep",
    params(("key" = String, Path, description = "The key id, or a group's name or id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Epochs),
        (status = 409, description = "conflict: no wish waits", body = Problem)))]
pub(super) async fn keep(State(service): At, Path(key): Path<String>) -> Answer<Epochs> {
    Ok(Json(service.stop_erasing(&key).await?.into()))
}

/// Acknowledges an epoch that this node's person has not decided about, with the fingerprint that
/// all members have compared.
#[utoipa::path(post, path = "/v1/keys/{key}/acknowledge", request_body = Acknowledge,
    params(("key" = String, Path, description = "The key id, or a group's name or id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Epochs),
        (status = 409, description = "not_ready: it could not be stored", body = Problem)))]
pub(super) async fn acknowledge(
    State(service): At,
    Path(key): Path<String>,
    Body(epoch): Body<Acknowledge>,
) -> Answer<Epochs> {
    Ok(Json(service.acknowledge(&key, epoch.epoch, &epoch.fingerprint).await?.into()))
}

/// Whether the host key with this public key may be destroyed. In doubt it is to be kept.
#[utoipa::path(post, path = "/v1/host-key/check", request_body = CheckHostKey,
    responses((status = 200, description = "Done", body = HostKeyVerdict)))]
pub(super) async fn check_host_key(
    State(service): At,
    Body(asked): Body<CheckHostKey>,
) -> Answer<HostKeyVerdict> {
    let point = hex::point(&asked.host_key).ok_or_else(|| {
        let reason = "host_key: 66 hexadecimal digits of a compressed public key are needed";
        ApiError::from(ServiceError::Invalid(reason.into()))
    })?;
    Ok(Json(service.check_host_key(point).await?.into()))
}

/// Where the log of changes is read.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// From the entry of this number on; without it the latest 1000.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807_i64)]
    from: Option<u64>,
}

/// What this node and its person have done in changes, in order: at most 1000 entries.
#[utoipa::path(get, path = "/v1/changes/log", params(From),
    responses((status = 200, description = "Done", body = [ChangeLine])))]
pub(super) async fn change_log(
    State(service): At,
    Query(From { from }): Query<From>,
) -> Answer<Vec<ChangeLine>> {
    if let Some(from) = from {
        within("from", from, 0..=MAX_NUMBER)?;
    }
    Ok(Json(service.change_log(from).await?.into_iter().map(Into::into).collect()))
}

mod hex {
    use bitcoin::hex::FromHex as _;

    use super::Point;

    pub(super) fn point(digits: &str) -> Option<Point> {
        Point::from_slice(&<[u8; 33]>::from_hex(digits).ok()?).ok()
    }
}
