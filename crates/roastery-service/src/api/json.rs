use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    text,
    view::{Problem, ProblemCode},
};

/// An answer in JSON whose unsafe characters in foreign text are escaped.
#[derive(Debug)]
pub(super) struct SafeJson<T>(pub(super) T);

impl<T: Serialize> IntoResponse for SafeJson<T> {
    fn into_response(self) -> Response {
        match text::to_json(&self.0) {
            Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
            Err(error) => {
                let problem = Problem {
                    code: ProblemCode::Internal,
                    message: text::visible(&error.to_string()),
                    request: None,
                };
                (StatusCode::INTERNAL_SERVER_ERROR, Json(problem)).into_response()
            }
        }
    }
}
