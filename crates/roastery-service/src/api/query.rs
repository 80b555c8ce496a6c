//! What the operations share: how they reach the service, what they answer, numbers of queries.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

use super::{error::ApiError, json::SafeJson as Json};
use crate::{
    KnownRequest, Role, Service, ServiceError,
    view::{ProblemCode, Request},
};

/// The service, as an operation gets it.
pub(super) type At = State<Arc<Service>>;

/// The answer of an operation, in JSON.
pub(super) type Answer<T> = Result<Json<T>, ApiError>;

/// The greatest position of a request or number of an entry: many readers of JSON have signed
/// numbers.
pub(super) const MAX_NUMBER: u64 = i64::MAX as u64;

/// Checks that a number of the query is allowed.
pub(super) fn within(
    name: &str,
    number: u64,
    allowed: RangeInclusive<u64>,
) -> Result<u64, ApiError> {
    if allowed.contains(&number) {
        return Ok(number);
    }
    let (least, most) = allowed.into_inner();
    let reason = format!("{name} is {number}; {least} to {most} are allowed");
    Err(ApiError::new(StatusCode::BAD_REQUEST, ProblemCode::Invalid, reason))
}

/// Bytes without an encoding, in the API description.
pub(super) enum Bytes {}

impl PartialSchema for Bytes {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Bytes {}

/// An answer of bytes.
pub(super) fn bytes(content: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], content).into_response()
}

/// The answer to a decision: with the request as it is now where it is not what was seen.
pub(super) async fn answer(
    service: &Service,
    session: &str,
    decided: Result<KnownRequest, ServiceError>,
) -> Answer<Request> {
    match decided {
        Ok(known) => Ok(Json(known.into())),
        Err(error @ ServiceError::Changed) => {
            let now = service.request(session, Duration::ZERO, Role::Operator).await;
            Err(ApiError::from(error).with_request(now.ok().map(Into::into)))
        }
        Err(error) => Err(error.into()),
    }
}
