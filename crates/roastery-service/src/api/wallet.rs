//! The operations on wallets.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    convert::{history_of, transaction_of, wallet_of},
    error::{ApiError, Body, Path, Query},
    json::SafeJson as Json,
    proposing::answer_paying,
    query::{Answer, At, within},
};
use crate::view::{
    Broadcast, LabelCount, LabelFile, MadeTransaction, MakeTransaction, Problem, ProblemCode,
    Wallet, WalletAddress, WalletEntry,
};

/// The most transactions of one answer.
const MOST_ENTRIES: u64 = 1000;

/// How many there are usually.
const USUAL_ENTRIES: u64 = 100;

/// The wallet of a group: its balance and its unspent coins, as the chain source shows them.
#[utoipa::path(get, path = "/v1/wallets/{group}",
    params(("group" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = Wallet),
        (status = 409, description = "not_ready: this node has no chain source", body = Problem)))]
pub(super) async fn wallet(State(service): At, Path(group): Path<String>) -> Answer<Wallet> {
    let in_use = service.coins_in_use(&group).await?;
    Ok(Json(wallet_of(service.wallet(&group).await?, &in_use)?))
}

/// Which transactions.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Entries {
    /// The number of the first one, from 0.
    #[serde(default)]
    #[param(minimum = 0, maximum = 1_000_000, default = 0)]
    from: u64,
    /// The most transactions, 1 to 1000; 100 if absent.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
}

/// The transactions of a wallet: those in no block first, then the latest blocks.
#[utoipa::path(get, path = "/v1/wallets/{group}/history",
    params(("group" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128), Entries),
    responses((status = 200, description = "Done", body = [WalletEntry]),
        (status = 409, description = "not_ready: this node has no chain source", body = Problem)))]
pub(super) async fn history(
    State(service): At,
    Path(group): Path<String>,
    Query(Entries { from, limit }): Query<Entries>,
) -> Answer<Vec<WalletEntry>> {
    let from = within("from", from, 0..=1_000_000)?;
    let limit = within("limit", limit.unwrap_or(USUAL_ENTRIES), 1..=MOST_ENTRIES)?;
    let status = service.wallet(&group).await?;
    Ok(Json(history_of(&status, from as usize, limit as usize)))
}

/// Which address.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichAddress {
    /// Whether it is one that was not given out before.
    #[serde(default)]
    #[param(default = false)]
    new: bool,
}

/// The first address that nothing was paid to, or a new one.
#[utoipa::path(post, path = "/v1/wallets/{group}/addresses",
    params(("group" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128), WhichAddress),
    responses((status = 200, description = "Done", body = WalletAddress),
        (status = 409, description = "not_ready: this node has no chain source; conflict: too many addresses were given out that nothing was paid to", body = Problem)))]
pub(super) async fn address(
    State(service): At,
    Path(group): Path<String>,
    Query(WhichAddress { new }): Query<WhichAddress>,
) -> Answer<WalletAddress> {
    let (index, address, label) = service.wallet_address(&group, new).await?;
    Ok(Json(WalletAddress { address, path: format!("0/{index}"), label }))
}

/// Makes a transaction that spends the wallet's coins. No member is asked to sign it: that is a
/// request for its PSBT.
#[utoipa::path(post, path = "/v1/wallets/{group}/transactions", request_body = MakeTransaction,
    params(("group" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = MadeTransaction),
        (status = 409, description = "not_ready: the chain source was not read, or has no estimate of fees; conflict: the wallet cannot pay it", body = Problem)))]
pub(super) async fn make(
    State(service): At,
    Path(group): Path<String>,
    Body(what): Body<MakeTransaction>,
) -> Answer<MadeTransaction> {
    let made = service.draft_transaction(&group, transaction_of(what)?).await;
    answer_paying(&service, made.map(Into::into)).await
}

/// The labels of a wallet, by BIP-329.
#[utoipa::path(get, path = "/v1/wallets/{group}/labels",
    params(("group" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = LabelFile),
        (status = 409, description = "not_ready: this node has no chain source", body = Problem)))]
pub(super) async fn labels(State(service): At, Path(group): Path<String>) -> Answer<LabelFile> {
    Ok(Json(LabelFile { lines: service.wallet(&group).await?.labels.export() }))
}

/// Takes labels by BIP-329, all of them or none. One for a thing that has a label replaces it.
#[utoipa::path(post, path = "/v1/wallets/{group}/labels", request_body = LabelFile,
    params(("group" = String, Path, description = "The group's name or its id", min_length = 1, max_length = 128)),
    responses((status = 200, description = "Done", body = LabelCount),
        (status = 409, description = "not_ready: this node has no chain source", body = Problem)))]
pub(super) async fn import_labels(
    State(service): At,
    Path(group): Path<String>,
    Body(file): Body<LabelFile>,
) -> Answer<LabelCount> {
    Ok(Json(LabelCount { labels: service.import_labels(&group, &file.lines).await? }))
}

/// Has the transaction of a request sent as soon as it is signed, also after a restart of the node,
/// and sends it now if it is.
#[utoipa::path(post, path = "/v1/requests/{session}/broadcast",
    params(("session" = String, Path, description = "Its session, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = Broadcast),
        (status = 409, description = "not_ready: this node has no chain source; conflict: the request is no transaction", body = Problem)))]
pub(super) async fn broadcast(
    State(service): At,
    Path(session): Path<String>,
) -> Answer<Broadcast> {
    Ok(Json(service.send_when_signed(&session).await?.into()))
}

/// How far the sending of a request's transaction is.
#[utoipa::path(get, path = "/v1/requests/{session}/broadcast",
    params(("session" = String, Path, description = "Its session, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = Broadcast),
        (status = 404, description = "not_found: it is not to be sent", body = Problem),
        (status = 409, description = "not_ready: this node has no chain source", body = Problem)))]
pub(super) async fn sending(State(service): At, Path(session): Path<String>) -> Answer<Broadcast> {
    let sending = service.sending(&session).await?.ok_or_else(|| {
        let reason = "the transaction of this request is not to be sent by this node";
        ApiError::new(StatusCode::NOT_FOUND, ProblemCode::NotFound, reason)
    })?;
    Ok(Json(sending.into()))
}
