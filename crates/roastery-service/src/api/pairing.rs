//! The operations on pairings. All are the operator's, reading too: the answers have lines that
//! admit who reads them, and this node's words.

use axum::extract::State;

use super::{
    error::{Body, Path},
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::{
    NewPairing,
    view::{ComparedWord, HeardWord, Invite, JoinLine, PairAgain, Pairing, Problem},
};

/// The pairings of this node that are under way, or have ended since its start.
#[utoipa::path(get, path = "/v1/pairings", responses((status = 200, description = "Done", body = [Pairing])))]
pub(super) async fn pairings(State(service): At) -> Json<Vec<Pairing>> {
    Json(service.pairings().await.into_iter().map(Into::into).collect())
}

/// A pairing, by its id.
#[utoipa::path(get, path = "/v1/pairings/{id}",
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = Pairing)))]
pub(super) async fn pairing(State(service): At, Path(id): Path<String>) -> Answer<Pairing> {
    Ok(Json(service.pairing(&id).await?.into()))
}

/// Invites to a new group: a line for each other member.
#[utoipa::path(post, path = "/v1/pairings", request_body = Invite,
    responses((status = 200, description = "Done", body = Pairing),
        (status = 409, description = "name_taken: another group has this name here; not_ready: no address of this node is announced; conflict: four are under way", body = Problem)))]
pub(super) async fn invite(State(service): At, Body(new): Body<Invite>) -> Answer<Pairing> {
    let Invite { group, others, threshold, minutes } = new;
    let new = NewPairing { group, others, threshold, minutes };
    Ok(Json(service.invite(new).await?.into()))
}

/// Calls the node that a line names. Nothing is accepted by that.
#[utoipa::path(post, path = "/v1/pairings/join", request_body = JoinLine,
    responses((status = 200, description = "Done", body = Pairing),
        (status = 409, description = "conflict: four are under way, one with this node is not finished, or the pairing of this line has ended; not_ready: this node holds several seats", body = Problem)))]
pub(super) async fn join_line(State(service): At, Body(line): Body<JoinLine>) -> Answer<Pairing> {
    Ok(Json(service.join_line(&line.line).await?.into()))
}

/// Takes part in the group that is offered.
#[utoipa::path(post, path = "/v1/pairings/{id}/accept",
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = Pairing),
        (status = 409, description = "conflict: nothing is offered; name_taken: another group has this name here", body = Problem)))]
pub(super) async fn accept(State(service): At, Path(id): Path<String>) -> Answer<Pairing> {
    Ok(Json(service.accept_pairing(&id).await?.into()))
}

/// Does not take part in the group that is offered.
#[utoipa::path(post, path = "/v1/pairings/{id}/decline",
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = Pairing)))]
pub(super) async fn decline(State(service): At, Path(id): Path<String>) -> Answer<Pairing> {
    Ok(Json(service.decline_pairing(&id).await?.into()))
}

/// Compares a word that a member has said. After three wrong words of the list for one member the
/// pairing ends. A word of an attempt that is over is not compared, and counts as no try.
#[utoipa::path(post, path = "/v1/pairings/{id}/words", request_body = HeardWord,
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = ComparedWord),
        (status = 409, description = "conflict: there are no words, they are those of another attempt, or this member's are right already", body = Problem)))]
pub(super) async fn word(
    State(service): At,
    Path(id): Path<String>,
    Body(heard): Body<HeardWord>,
) -> Answer<ComparedWord> {
    let HeardWord { attempt, member, word } = heard;
    Ok(Json(service.compare_word(&id, attempt, &member, &word).await?.into()))
}

/// States that each of the others has said, by voice, that this node's words were right. The key
/// generation begins.
#[utoipa::path(post, path = "/v1/pairings/{id}/confirm",
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = Pairing),
        (status = 409, description = "conflict: words of another member are missing here, or it is over", body = Problem)))]
pub(super) async fn confirm(State(service): At, Path(id): Path<String>) -> Answer<Pairing> {
    Ok(Json(service.confirm_pairing(&id).await?.into()))
}

/// Makes a new line for a member, whose old one is void, or begins a further attempt.
#[utoipa::path(post, path = "/v1/pairings/{id}/again", request_body = PairAgain,
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = Pairing),
        (status = 409, description = "conflict: this node does not invite, there is no further attempt, or a member agrees already", body = Problem)))]
pub(super) async fn again(
    State(service): At,
    Path(id): Path<String>,
    Body(again): Body<PairAgain>,
) -> Answer<Pairing> {
    Ok(Json(service.pair_again(&id, again.member.as_deref()).await?.into()))
}

/// Ends a pairing: nothing is made.
#[utoipa::path(post, path = "/v1/pairings/{id}/cancel",
    params(("id" = String, Path, description = "Its id", pattern = "^[0-9a-f]{16}$")),
    responses((status = 200, description = "Done", body = Pairing),
        (status = 409, description = "conflict: its key generation has begun", body = Problem)))]
pub(super) async fn cancel(State(service): At, Path(id): Path<String>) -> Answer<Pairing> {
    Ok(Json(service.cancel_pairing(&id).await?.into()))
}
