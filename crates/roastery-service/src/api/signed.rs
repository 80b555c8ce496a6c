//! The operations on the results of signed transactions.

use axum::{Extension, extract::State, response::Response};
use bitcoin::base64::{Engine as _, prelude::BASE64_STANDARD};
use roastery_bitcoin::spend::{Completed, Completion, Left, Missing};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, Body, Path, Query},
    json::SafeJson as Json,
    query::{Answer, At, Bytes, bytes, within},
};
use crate::{
    OutputVersion, Role, SignedForm,
    view::{InputLeft, MissingPart, Problem, SignedTransaction, TakeUpSignatures},
};

/// How a transaction is completed.
#[derive(Debug, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CompletedForm {
    /// Whether the inputs that this group has signed are finalised, those of which nothing else is
    /// missing.
    #[serde(default)]
    finalise: bool,
    /// The version of the PSBT, if it is to be 0; otherwise it is the one that was asked with.
    #[param(minimum = 0, maximum = 0)]
    version: Option<u64>,
}

impl CompletedForm {
    fn read(&self) -> Result<SignedForm, ApiError> {
        let completion = if self.finalise { Completion::Finalised } else { Completion::Partial };
        let version = match self.version {
            None => OutputVersion::AsRead,
            Some(version) => {
                within("version", version, 0..=0)?;
                OutputVersion::Zero
            }
        };
        Ok(SignedForm { completion, version })
    }
}

/// A signed transaction, as a binary PSBT of the version that was asked with.
#[utoipa::path(get, path = "/v1/requests/{session}/psbt",
    params(("session" = String, Path, description = "Its session, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$"), CompletedForm),
    responses((status = 200, description = "Done", body = Bytes, content_type = "application/octet-stream")))]
pub(super) async fn completed(
    State(service): At,
    Extension(role): Extension<Role>,
    Path(session): Path<String>,
    Query(form): Query<CompletedForm>,
) -> Result<Response, ApiError> {
    let completed = service.completed(&session, form.read()?, role).await?;
    Ok(bytes(completed.document().bytes().to_vec()))
}

/// A signed transaction, and what it lacks before it can be sent.
#[utoipa::path(get, path = "/v1/requests/{session}/signed",
    params(("session" = String, Path, description = "Its session, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$"), CompletedForm),
    responses((status = 200, description = "Done", body = SignedTransaction)))]
pub(super) async fn signed(
    State(service): At,
    Extension(role): Extension<Role>,
    Path(session): Path<String>,
    Query(form): Query<CompletedForm>,
) -> Answer<SignedTransaction> {
    let completed = service.completed(&session, form.read()?, role).await?;
    Ok(Json(signed_transaction(&completed)))
}

/// The same in another PSBT of the transaction: its fields and its version come back, whichever
/// PSBT the request was made with.
#[utoipa::path(post, path = "/v1/requests/{session}/signed", request_body = TakeUpSignatures,
    params(("session" = String, Path, description = "Its session, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$"), CompletedForm),
    responses((status = 200, description = "Done", body = SignedTransaction),
        (status = 409, description = "conflict: it is not signed", body = Problem)))]
pub(super) async fn take_up_signatures(
    State(service): At,
    Extension(role): Extension<Role>,
    Path(session): Path<String>,
    Query(form): Query<CompletedForm>,
    Body(what): Body<TakeUpSignatures>,
) -> Answer<SignedTransaction> {
    let psbt = what.psbt.into_bytes();
    let completed = service.completed_in(&session, psbt, form.read()?, role).await?;
    Ok(Json(signed_transaction(&completed)))
}

fn signed_transaction(completed: &Completed) -> SignedTransaction {
    SignedTransaction {
        psbt: BASE64_STANDARD.encode(completed.document().bytes()),
        left: completed.left().iter().map(input_left).collect(),
    }
}

fn input_left(left: &Left) -> InputLeft {
    InputLeft {
        // A PSBT has at most 1000 inputs.
        input: u32::try_from(left.input).unwrap_or(u32::MAX),
        missing: match left.missing {
            Missing::SignatureHashType(_) => MissingPart::SignatureHashType,
            Missing::Leaf(_) => MissingPart::Leaf,
            Missing::Other => MissingPart::Other,
        },
        text: left.to_string(),
    }
}
