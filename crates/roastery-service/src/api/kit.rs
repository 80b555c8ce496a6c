//! The operations on kits. All are the operator's: the answers have words, and say who must be
//! deceived or robbed for a seat. A token makes no words, types none back and gets no sealed kit:
//! with them it had the host key, or had it erased under words that it alone knows.

use axum::{Extension, extract::State, response::Response};
use roastery_store::Principal;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::{
    access::user_only,
    error::{ApiError, Body, Path, Query},
    json::SafeJson as Json,
    query::{Answer, At, Bytes, bytes},
};
use crate::view::{Health, KitStatus, NewKit, Problem, TypedWords};

const USERS_ONLY: &str = "the words of a kit and its file are had at the node's socket, on its machine (roastery kit words, \
     roastery kit export), and not with a token";

/// The kits of this node: one for each group that was founded by lines.
#[utoipa::path(get, path = "/v1/kits", responses((status = 200, description = "Done", body = [KitStatus])))]
pub(super) async fn kits(State(service): At) -> Answer<Vec<KitStatus>> {
    Ok(Json(service.kits().await?.into_iter().map(Into::into).collect()))
}

/// Makes a kit of this node's seat in a group under fresh words, which are in this answer and
/// nowhere else. The paper before is void.
#[utoipa::path(post, path = "/v1/kits/{name}",
    params(("name" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = NewKit),
        (status = 409, description = "conflict: the group was not founded by lines, or its host key is not on this machine any more", body = Problem)))]
pub(super) async fn make_kit(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<NewKit> {
    user_only(&by, USERS_ONLY)?;
    Ok(Json(service.make_kit(&name).await?.into()))
}

/// Types back the words of the paper that were asked for. When they are right, and enough members
/// keep the kit, the host key leaves this machine.
#[utoipa::path(post, path = "/v1/kits/{name}/confirm", request_body = TypedWords,
    params(("name" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Health),
        (status = 409, description = "conflict: no words were made since the node was started", body = Problem)))]
pub(super) async fn confirm_kit(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Body(typed): Body<TypedWords>,
) -> Answer<Health> {
    user_only(&by, USERS_ONLY)?;
    let typed = typed.words.into_iter().map(|typed| (typed.number, Zeroizing::new(typed.word)));
    service.confirm_kit(&name, &typed.collect::<Vec<_>>()).await?;
    Ok(Json(Health { ok: true, problems: Vec::new() }))
}

/// Whose kit.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfMember {
    /// The member whose kit is kept here; without it, this node's own.
    of: Option<String>,
}

/// A sealed kit: worth nothing without its words.
#[utoipa::path(get, path = "/v1/kits/{name}/file",
    params(OfMember, ("name" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Bytes, content_type = "application/octet-stream")))]
pub(super) async fn kit_file(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
    Query(OfMember { of }): Query<OfMember>,
) -> Result<Response, ApiError> {
    user_only(&by, USERS_ONLY)?;
    Ok(bytes(service.kit_file(&name, of.as_deref()).await?.as_bytes().to_vec()))
}
