//! The operations on hooks.

use axum::{Extension, extract::State};
use roastery_store::Principal;

use super::{
    error::Path,
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::view::{HookStatus, HookTest};

/// The hooks: whom this node tells what happens, and what became of it.
#[utoipa::path(get, path = "/v1/hooks", responses((status = 200, description = "Done", body = [HookStatus])))]
pub(super) async fn hooks(State(service): At) -> Answer<Vec<HookStatus>> {
    Ok(Json(service.hooks().await?.into_iter().map(Into::into).collect()))
}

/// Tells a hook that this is a test, once, beside what waits for it. It may take 20 seconds.
#[utoipa::path(post, path = "/v1/hooks/{name}/test",
    params(("name" = String, Path, description = "Its name", min_length = 1, max_length = 24)),
    responses((status = 200, description = "Done", body = HookTest)))]
pub(super) async fn test_hook(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<HookTest> {
    Ok(Json(service.test_hook(&name, by).await?.into()))
}
