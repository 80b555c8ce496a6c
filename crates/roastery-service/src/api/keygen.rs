//! The operations on key generations. The paths say ceremonies: they keep their names within
//! version 1 of the API.

use axum::extract::State;

use super::{
    error::{Body, Path},
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::view::{Begin, Join, KeygenStatus, Problem};

/// The invitations that were joined and the key generations under way.
#[utoipa::path(get, path = "/v1/ceremonies", responses((status = 200, description = "Done", body = [KeygenStatus])))]
pub(super) async fn keygens(State(service): At) -> Json<Vec<KeygenStatus>> {
    Json(service.keygens().into_iter().map(Into::into).collect())
}

/// Joins an invitation. Key generation does not begin before the fingerprint is confirmed.
#[utoipa::path(post, path = "/v1/ceremonies", request_body = Join,
    responses((status = 200, description = "Done", body = KeygenStatus),
        (status = 409, description = "name_taken: another group has this name here; conflict: its key is being made under another name", body = Problem)))]
pub(super) async fn join(State(service): At, Body(join): Body<Join>) -> Answer<KeygenStatus> {
    Ok(Json(service.join(join.invitation, join.name).await?.into()))
}

/// A key generation, by its group's name or its id.
#[utoipa::path(get, path = "/v1/ceremonies/{name}",
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = KeygenStatus)))]
pub(super) async fn keygen(State(service): At, Path(name): Path<String>) -> Answer<KeygenStatus> {
    Ok(Json(service.keygen(&name)?.into()))
}

/// Begins key generation, with the fingerprint that all members have compared.
#[utoipa::path(post, path = "/v1/ceremonies/{name}/begin",
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)), request_body = Begin,
    responses((status = 200, description = "Done", body = KeygenStatus),
        (status = 409, description = "name_taken: another group has its name here by now", body = Problem)))]
pub(super) async fn begin(
    State(service): At,
    Path(name): Path<String>,
    Body(begin): Body<Begin>,
) -> Answer<KeygenStatus> {
    Ok(Json(service.begin_keygen(&name, &begin.fingerprint).await?.into()))
}
