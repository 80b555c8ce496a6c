//! The operations on changes of groups.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::{Body, Path, Query},
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::view::{ChangeCard, ChangeStatus, Compared, Problem, TakeUpPlan};

/// The plans that this node has taken up, and how far they are.
#[utoipa::path(get, path = "/v1/changes", responses((status = 200, description = "Done", body = [ChangeStatus])))]
pub(super) async fn changes(State(service): At) -> Json<Vec<ChangeStatus>> {
    Json(service.changes().into_iter().map(Into::into).collect())
}

/// A change, by the id of its plan or the first 8 digits of it or more.
#[utoipa::path(get, path = "/v1/changes/{plan}",
    params(("plan" = String, Path, description = "The plan's id, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = ChangeStatus)))]
pub(super) async fn change(State(service): At, Path(plan): Path<String>) -> Answer<ChangeStatus> {
    Ok(Json(service.change(&plan)?.into()))
}

/// What a card for a change has.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfCard {
    /// How many seats it has, 1 to 32; without it as many as the node holds in its groups.
    seats: Option<u16>,
}

/// Makes a card of this node with a fresh host key for each seat on it, for one plan.
#[utoipa::path(post, path = "/v1/changes/card", params(OfCard),
    responses((status = 200, description = "Done", body = ChangeCard)))]
pub(super) async fn card(State(service): At, Query(of): Query<OfCard>) -> Answer<ChangeCard> {
    let card = service.change_card(of.seats.map(usize::from)).await?;
    Ok(Json(ChangeCard { seats: card.members().len(), card: card.to_text() }))
}

/// Takes up a plan. Nothing is said to others before this node approves or accepts it.
#[utoipa::path(post, path = "/v1/changes", request_body = TakeUpPlan,
    responses((status = 200, description = "Done", body = ChangeStatus),
        (status = 409, description = "conflict: the group has changed since the plan was made", body = Problem)))]
pub(super) async fn take_up(
    State(service): At,
    Body(plan): Body<TakeUpPlan>,
) -> Answer<ChangeStatus> {
    Ok(Json(service.take_up_plan(&plan.plan).await?.into()))
}

/// Approves a plan as a member of the group that it changes, with the fingerprint that all members
/// have compared. This node deals its share as soon as all new members have accepted and enough old
/// ones have approved.
#[utoipa::path(post, path = "/v1/changes/{plan}/approve", request_body = Compared,
    params(("plan" = String, Path, description = "The plan's id, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = ChangeStatus),
        (status = 409, description = "conflict: this node is no member of the group, or excluded, or the group has changed; not_ready: it could not be stored", body = Problem)))]
pub(super) async fn approve_change(
    State(service): At,
    Path(plan): Path<String>,
    Body(compared): Body<Compared>,
) -> Answer<ChangeStatus> {
    Ok(Json(service.approve_change(&plan, &compared.fingerprint).await?.into()))
}

/// Accepts a plan as a new member, with the fingerprint that all members have compared. The host
/// key of this node's card accepts no other plan.
#[utoipa::path(post, path = "/v1/changes/{plan}/accept", request_body = Compared,
    params(("plan" = String, Path, description = "The plan's id, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = ChangeStatus),
        (status = 409, description = "conflict: this node is no new member, or the group has changed; not_ready: it could not be stored", body = Problem)))]
pub(super) async fn accept_change(
    State(service): At,
    Path(plan): Path<String>,
    Body(compared): Body<Compared>,
) -> Answer<ChangeStatus> {
    Ok(Json(service.accept_change(&plan, &compared.fingerprint).await?.into()))
}

/// Takes this node's approval of a plan back, for good. That cannot be once it has dealt.
#[utoipa::path(post, path = "/v1/changes/{plan}/withdraw",
    params(("plan" = String, Path, description = "The plan's id, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = ChangeStatus),
        (status = 409, description = "conflict: this node has dealt; not_ready: it could not be stored", body = Problem)))]
pub(super) async fn withdraw_change(
    State(service): At,
    Path(plan): Path<String>,
) -> Answer<ChangeStatus> {
    Ok(Json(service.withdraw_change(&plan).await?.into()))
}
