use axum::{
    Json,
    body::Bytes,
    extract::{
        FromRequest, FromRequestParts, Request,
        rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection},
    },
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use super::json::SafeJson;
use crate::{
    ServiceError,
    text::visible,
    view::{self, Problem, ProblemCode},
};

/// An error of the API: a status, a stable code, and one line.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: ProblemCode,
    message: String,
    request: Option<Box<view::Request>>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: ProblemCode, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), request: None }
    }

    /// The same with the request as it is now.
    pub(super) fn with_request(self, request: Option<view::Request>) -> Self {
        Self { request: request.map(Box::new), ..self }
    }
}

/// Attached to a response, to be counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(pub(super) ProblemCode);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let message = visible(&self.message);
        let problem = Problem { code: self.code, message, request: self.request };
        let mut response = (self.status, SafeJson(problem)).into_response();
        response.extensions_mut().insert(Code(self.code));
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        use ServiceError as E;
        let (status, code) = match &error {
            E::NotFound { .. } => (StatusCode::NOT_FOUND, ProblemCode::NotFound),
            E::Ambiguous { .. } => (StatusCode::CONFLICT, ProblemCode::Ambiguous),
            E::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, ProblemCode::Invalid),
            E::Conflict(_) | E::AlreadyPaid { .. } => (StatusCode::CONFLICT, ProblemCode::Conflict),
            E::Changed => (StatusCode::CONFLICT, ProblemCode::Changed),
            E::NameTaken { .. } => (StatusCode::CONFLICT, ProblemCode::NameTaken),
            E::Expired => (StatusCode::CONFLICT, ProblemCode::Expired),
            E::Refused(_) => (StatusCode::FORBIDDEN, ProblemCode::Refused),
            E::Remote(error) if error.is_limit() => (StatusCode::FORBIDDEN, ProblemCode::Refused),
            E::Remote(_) => (StatusCode::FORBIDDEN, ProblemCode::Forbidden),
            E::NotReady(_) | E::File(_) => (StatusCode::CONFLICT, ProblemCode::NotReady),
            E::NoRoom(_) => (StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Busy),
            E::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, ProblemCode::TooMany),
            E::NoAnswer => (StatusCode::SERVICE_UNAVAILABLE, ProblemCode::NoAnswer),
            E::Unrecorded { .. } => (StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Unrecorded),
            E::Store(_) | E::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal)
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl ApiError {
    /// The content of the body makes no sense, for this reason.
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, ProblemCode::Invalid, reason)
    }

    /// A part of the request could not be parsed.
    fn unread(status: StatusCode, text: &str) -> Self {
        Self::new(status, ProblemCode::Invalid, text.replace('\n', " "))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::unread(rejection.status(), &rejection.body_text())
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        Self::unread(rejection.status(), &rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::unread(rejection.status(), &rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::unread(rejection.status(), &rejection.body_text())
    }
}

/// A body of JSON whose errors have the form of all others.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(value) = Json::<T>::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// A body of bytes whose errors have the form of all others.
#[derive(Debug)]
pub(super) struct File(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for File {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Ok(Self(Bytes::from_request(request, state).await?))
    }
}

/// A query whose errors have the form of all others.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Query(value) =
            axum::extract::Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A part of the path whose errors have the form of all others.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(value) =
            axum::extract::Path::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}
