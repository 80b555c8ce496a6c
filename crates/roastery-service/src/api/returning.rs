//! The operations on returns of lost members. All are for a user of this machine at the socket: a
//! line brings who has it a sealed kit, and the words of a paper are typed here.

use axum::{Extension, extract::State};
use roastery_protocol::kit::KitWords;
use roastery_store::Principal;
use zeroize::Zeroizing;

use super::{
    access::user_only,
    error::{Body, Path},
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::{
    NewReturn, ServiceError,
    view::{
        Health, InviteToReturn, JoinLine, OwnReturn, PaperWords, Problem, ReturnLine, Returned,
        Returns,
    },
};

const USERS_ONLY: &str = "lines to return and the words of a paper are for the node's socket, on its machine (roastery invite \
     --return, roastery join), and not for a token";

/// The lines to return that this node has made, and its own return.
#[utoipa::path(get, path = "/v1/returns", responses((status = 200, description = "Done", body = Returns)))]
pub(super) async fn returns(
    State(service): At,
    Extension(by): Extension<Principal>,
) -> Answer<Returns> {
    user_only(&by, USERS_ONLY)?;
    Ok(Json(service.returns().await.into()))
}

/// Makes a line by which a member returns whose machine is lost. It works once; one that was open
/// for the seat is void.
#[utoipa::path(post, path = "/v1/returns", request_body = InviteToReturn,
    responses((status = 200, description = "Done", body = ReturnLine),
        (status = 404, description = "not_found: there is no such member", body = Problem),
        (status = 409, description = "conflict: the group has no kits or was changed, or four lines are open; not_ready: no address of this node is announced", body = Problem)))]
pub(super) async fn invite_to_return(
    State(service): At,
    Extension(by): Extension<Principal>,
    Body(new): Body<InviteToReturn>,
) -> Answer<ReturnLine> {
    user_only(&by, USERS_ONLY)?;
    let InviteToReturn { group, member, minutes } = new;
    Ok(Json(service.invite_to_return(NewReturn { group, member, minutes }).await?.into()))
}

/// Ends a line to return: it is good for nothing any more.
#[utoipa::path(post, path = "/v1/returns/{id}/cancel",
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = ReturnLine)))]
pub(super) async fn cancel_return(
    State(service): At,
    Extension(by): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<ReturnLine> {
    user_only(&by, USERS_ONLY)?;
    Ok(Json(service.cancel_return(&id).await?.into()))
}

/// Calls the node that a line to return names. Nothing is changed by that.
#[utoipa::path(post, path = "/v1/returns/join", request_body = JoinLine,
    responses((status = 200, description = "Done", body = OwnReturn),
        (status = 409, description = "conflict: this node was used already, or returns with another line", body = Problem)))]
pub(super) async fn join_to_return(
    State(service): At,
    Extension(by): Extension<Principal>,
    Body(line): Body<JoinLine>,
) -> Answer<OwnReturn> {
    user_only(&by, USERS_ONLY)?;
    Ok(Json(service.join_to_return(&line.line).await?.into()))
}

/// Ends this node's own return. Nothing was changed.
#[utoipa::path(post, path = "/v1/returns/leave",
    responses((status = 200, description = "Done", body = Health),
        (status = 409, description = "conflict: none is under way", body = Problem)))]
pub(super) async fn leave_return(
    State(service): At,
    Extension(by): Extension<Principal>,
) -> Answer<Health> {
    user_only(&by, USERS_ONLY)?;
    service.leave_return().await?;
    Ok(Json(Health { ok: true, problems: Vec::new() }))
}

/// Opens the kit with the ten words of the paper, and takes the seat. The node starts again with
/// the keys of the one that is lost.
#[utoipa::path(post, path = "/v1/returns/words", request_body = PaperWords,
    responses((status = 200, description = "Done", body = Returned),
        (status = 409, description = "conflict: no return is under way, or the node was used meanwhile", body = Problem)))]
pub(super) async fn words_to_return(
    State(service): At,
    Extension(by): Extension<Principal>,
    Body(mut typed): Body<PaperWords>,
) -> Answer<Returned> {
    user_only(&by, USERS_ONLY)?;
    let typed = Zeroizing::new(std::mem::take(&mut typed.words));
    let words = KitWords::parse(&typed).map_err(|error| ServiceError::Invalid(error.into()))?;
    Ok(Json(service.return_with_words(words).await?.into()))
}
