use axum::{
    Json,
    extract::{
        FromRequest, Request,
        rejection::{JsonRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::{ServiceError, view::Problem};

/// What went wrong, as the API says it: a status, a code that stays the same, and one line.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }
}

/// Goes with a response, to be counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(pub(super) &'static str);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem { code: self.code.to_owned(), message: self.message };
        let mut response = (self.status, Json(problem)).into_response();
        response.extensions_mut().insert(Code(self.code));
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        use ServiceError as E;
        let (status, code) = match &error {
            E::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            E::Ambiguous { .. } => (StatusCode::CONFLICT, "ambiguous"),
            E::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            E::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            E::Expired => (StatusCode::CONFLICT, "expired"),
            E::Refused(_) => (StatusCode::FORBIDDEN, "refused"),
            E::NotReady(_) | E::File(_) => (StatusCode::CONFLICT, "not_ready"),
            E::NoAnswer => (StatusCode::SERVICE_UNAVAILABLE, "no_answer"),
            E::Store(_) | E::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let status = rejection.status();
        let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "too_large" } else { "invalid" };
        let line = rejection.body_text().replace('\n', " ");
        Self::new(status, code, line)
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "invalid", rejection.body_text().replace('\n', " "))
    }
}

/// A body of JSON whose mistakes are told as everything else is.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(value) = Json::<T>::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// A query whose mistakes are told as everything else is.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> axum::extract::FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, ApiError> {
        let axum::extract::Query(value) =
            axum::extract::Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}
