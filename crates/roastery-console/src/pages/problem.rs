//! What a page says when the node does not answer as it should.

use axum::http::StatusCode;
use maud::{Markup, html};
use roastery_service::{api::ClientError, view::ProblemCode};

use super::foreign;

/// The status that tells the page's script which kind of error it is.
pub(super) fn status(error: &ClientError) -> StatusCode {
    match error {
        ClientError::Problem(problem) => match problem.code {
            ProblemCode::NotFound => StatusCode::NOT_FOUND,
            ProblemCode::Changed | ProblemCode::Conflict | ProblemCode::Expired => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        },
        ClientError::NoNode { .. } | ClientError::NoAnswer { .. } | ClientError::Broken(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// The page of an error: what is wrong, and what to do next.
pub(super) fn problem(error: &ClientError) -> Markup {
    let (title, next) = match error {
        ClientError::NoNode { .. } => ("No node runs here", Some("roastery node")),
        ClientError::NoAnswer { .. } => ("The node does not answer", Some("roastery health")),
        ClientError::Broken(_) => ("The node's answer broke off", Some("roastery health")),
        ClientError::Problem(problem) if problem.code == ProblemCode::NotFound => {
            ("There is no such thing at this node", None)
        }
        ClientError::Problem(_) => ("The node refuses", None),
        _ => ("The node's answer is not understood", Some("roastery --version")),
    };
    html! {
        h1 tabindex="-1" { (title) }
        div.card.bad {
            p { (foreign(&error.to_string())) }
            @if let Some(next) = next { p { "In a terminal: " code { (next) } } }
            @else { p { a href="/" { "To the overview" } } }
        }
    }
}
