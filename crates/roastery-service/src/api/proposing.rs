//! Asking a group for signatures, and the look at a transaction before.

use std::time::Duration;

use axum::{Extension, extract::State};
use roastery_store::Principal;

use super::{
    convert::draft_of,
    error::{ApiError, Body, Path},
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::{
    Role, Service, ServiceError,
    view::{Examine, ExaminedTransaction, Propose, Request},
};

/// Asks the group to sign a text, a transaction or hashes. The request is approved here by this
/// call, and proposed to the others; of a proposer it waits for a decision of this node first.
#[utoipa::path(post, path = "/v1/groups/{name}/requests",
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)), request_body = Propose,
    responses((status = 200, description = "Done", body = Request)))]
pub(super) async fn propose(
    State(service): At,
    Extension(by): Extension<Principal>,
    Extension(role): Extension<Role>,
    Path(name): Path<String>,
    Body(what): Body<Propose>,
) -> Answer<Request> {
    let proposed = service.propose(&name, draft_of(what, role)?, by).await;
    answer_paying(&service, proposed.map(Into::into)).await
}

/// Examines a transaction as one that is asked for here: what it pays, the warnings, and what the
/// policy says. Nothing of it is kept, and no member is asked to sign it.
#[utoipa::path(post, path = "/v1/groups/{name}/examine",
    params(("name" = String, Path, description = "Its name or its id", min_length = 1, max_length = 128)), request_body = Examine,
    responses((status = 200, description = "Done", body = ExaminedTransaction)))]
pub(super) async fn examine(
    State(service): At,
    Path(name): Path<String>,
    Body(Examine { psbt }): Body<Examine>,
) -> Answer<ExaminedTransaction> {
    Ok(Json(service.examine(&name, psbt.into_bytes()).await?.into()))
}

/// The answer to who pays: with the other request, where that makes the same payment.
pub(super) async fn answer_paying<T>(
    service: &Service,
    done: Result<T, ServiceError>,
) -> Answer<T> {
    match done {
        Ok(done) => Ok(Json(done)),
        Err(ServiceError::AlreadyPaid { session, reason }) => {
            let other = service.request(&session, Duration::ZERO, Role::Operator).await;
            let error = ServiceError::AlreadyPaid { session, reason };
            Err(ApiError::from(error).with_request(other.ok().map(Into::into)))
        }
        Err(error) => Err(error.into()),
    }
}
