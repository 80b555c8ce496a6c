//! The operations on tokens. They are for users at the socket: a token admits no further token, so
//! that one that was revoked leaves nothing behind.

use axum::{Extension, extract::State};
use roastery_store::Principal;

use super::{
    access::user_only,
    error::{Body, Path},
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::view::{AddToken, Health, NewToken, Problem, TokenStatus};

const USERS_ONLY: &str =
    "tokens are made and revoked at the node's socket, on its machine, and not with a token";

/// The tokens of the store, without their texts, which are not kept.
#[utoipa::path(get, path = "/v1/tokens", responses((status = 200, description = "Done", body = [TokenStatus])))]
pub(super) async fn tokens(State(service): At) -> Json<Vec<TokenStatus>> {
    Json(service.tokens().into_iter().map(Into::into).collect())
}

/// Makes a token for requests over TCP. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/v1/tokens", request_body = AddToken,
    responses((status = 200, description = "Done", body = NewToken),
        (status = 409, description = "conflict: there is a token of this name, or there are 64", body = Problem)))]
pub(super) async fn add(
    State(service): At,
    Extension(by): Extension<Principal>,
    Body(new): Body<AddToken>,
) -> Answer<NewToken> {
    user_only(&by, USERS_ONLY)?;
    let AddToken { name, role, expires_in } = new;
    let (text, kept) = service.add_token(&name, role.into(), expires_in, by).await?;
    Ok(Json(NewToken { token: text.to_string(), status: kept.into() }))
}

/// Revokes a token: it counts no more from here on.
#[utoipa::path(post, path = "/v1/tokens/{name}/revoke",
    params(("name" = String, Path, description = "Its name", min_length = 1, max_length = 24)),
    responses((status = 200, description = "Done", body = Health)))]
pub(super) async fn revoke(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<Health> {
    user_only(&by, USERS_ONLY)?;
    service.revoke_token(&name, by).await?;
    Ok(Json(Health { ok: true, problems: Vec::new() }))
}
