//! Decisions. What a person has decided is handed to the node with what was shown; the node says
//! whether it is in effect.

use axum::http::StatusCode;
use maud::Markup;
#[cfg(feature = "remote")]
use roastery_service::view::SignedByPasskey;
use roastery_service::{
    api::ClientError,
    view::{ProblemCode, Reject, Request},
    words::{Clock, typed},
};
use serde::Deserialize;

use crate::{
    console::Shared,
    pages::{self, Told},
    place::Place,
};

/// What a person does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Approve,
    Reject,
}

impl Act {
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "approve" => Some(Self::Approve),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// A decision, as the page sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Decision {
    /// What was shown.
    pub(crate) seen: String,
    /// What was typed where a button does not do.
    pub(crate) typed: String,
    /// The reason of a rejection.
    pub(crate) reason: String,
}

/// Decides, and returns the request's page with what has become of it.
pub(crate) async fn decide(
    shared: &Shared,
    session: &str,
    act: Act,
    decision: &Decision,
    clock: &Clock,
) -> (StatusCode, Markup) {
    let told = match decided(shared, session, act, decision).await {
        Ok(told) => told,
        Err(error) => Told::failed(&error),
    };
    shown(shared, session, clock, told).await
}

/// The page of a request, with what has become of a decision.
async fn shown(shared: &Shared, session: &str, clock: &Clock, told: Told) -> (StatusCode, Markup) {
    let status = told.status;
    let place = Place::Request(session.to_owned());
    let (shown, markup) = pages::page(shared, &place, clock, Some(told)).await;
    // What became of the decision counts, unless the page says more.
    (if shown == StatusCode::OK { status } else { shown }, markup)
}

async fn decided(
    shared: &Shared,
    session: &str,
    act: Act,
    decision: &Decision,
) -> Result<Told, ClientError> {
    let seen = &decision.seen;
    if seen.len() != 64 || !seen.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = "The page did not say what it showed, so nothing was decided. Load it anew.";
        return Ok(Told::not_done(StatusCode::BAD_REQUEST, text));
    }
    let answer = match act {
        Act::Approve => {
            // The node compares `seen` again when the approval takes effect.
            let request: Request = shared.client.get(&format!("/v1/requests/{session}")).await?;
            if request.seen.as_ref() != Some(seen) {
                return Ok(changed());
            }
            if let Some(amount) = typed(&request)
                && decision.typed.trim() != amount
            {
                let text = format!(
                    "Nothing was approved: what is marked as a stop needs the amount that \
                     leaves, typed as it stands here: {amount}"
                );
                return Ok(Told::not_done(StatusCode::UNPROCESSABLE_ENTITY, &text));
            }
            let path = format!("/v1/requests/{session}/approve?seen={seen}");
            shared.deciding.post::<Request>(&path, &()).await
        }
        Act::Reject => {
            let body = Reject { note: decision.reason.clone(), seen: Some(seen.clone()) };
            shared.deciding.post(&format!("/v1/requests/{session}/reject"), &body).await
        }
    };
    match answer {
        Ok(_) => Ok(decided_so(act)),
        Err(error) => not_decided(error),
    }
}

fn decided_so(act: Act) -> Told {
    Told::done(match act {
        Act::Approve => "You have approved it.",
        Act::Reject => "You have rejected it. All members are told.",
    })
}

/// What is told of a decision that got no good answer.
fn not_decided(error: ClientError) -> Result<Told, ClientError> {
    match error {
        ClientError::Problem(problem) if problem.code == ProblemCode::Changed => Ok(changed()),
        error if may_be_in_effect(&error) => Ok(Told::unknown(&error)),
        error => Err(error),
    }
}

/// Hands on what a passkey has signed, and returns the request's page with what has become of it.
#[cfg(feature = "remote")]
pub(crate) async fn hand_on(
    shared: &Shared,
    session: &str,
    act: Act,
    signed: &SignedByPasskey,
    clock: &Clock,
) -> (StatusCode, Markup) {
    let answer = shared.deciding.post::<Request>("/v1/remote/decisions", signed).await;
    let told = match answer {
        // The node decides by the ticket, which may be one of another page.
        Ok(request) if request.session != session => {
            Told::not_done(StatusCode::CONFLICT, "Another request was decided than this one.")
        }
        Ok(_) => decided_so(act),
        Err(error) => not_decided(error).unwrap_or_else(|error| Told::failed(&error)),
    };
    shown(shared, session, clock, told).await
}

pub(crate) fn changed() -> Told {
    let text = "It has changed since it was shown to you: nothing was decided. Below it stands as \
        it is now.";
    Told::not_done(StatusCode::CONFLICT, text)
}

/// Whether a decision that was answered so may be in effect all the same: the node goes on without
/// a reader of its answer.
pub(crate) fn may_be_in_effect(error: &ClientError) -> bool {
    match error {
        ClientError::NoNode { .. } => false,
        ClientError::Problem(problem) => matches!(
            problem.code,
            ProblemCode::NoAnswer
                | ProblemCode::Unrecorded
                | ProblemCode::Internal
                | ProblemCode::Unknown
        ),
        _ => true,
    }
}
