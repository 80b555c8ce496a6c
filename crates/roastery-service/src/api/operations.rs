//! The requests at one listener: a quota for each role, and a timeout for everything.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{MAX_BODY, error::ApiError};
use crate::{
    Role,
    limits::{Limit, Limits},
    view::ProblemCode,
};

/// The timeout of an operation.
pub const ANSWER_TIME: Duration = Duration::from_secs(60);

/// The timeout of the body of a request.
const BODY_TIME: Duration = Duration::from_secs(20);

/// The most requests in progress of one role at one listener.
const MAX_REQUESTS: usize = 64;

/// The most event streams of one role at one listener at once.
const MAX_STREAMS: usize = 16;

/// The kinds of listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    /// The Unix socket.
    Socket,
    /// The Unix socket of the process between people elsewhere and this node.
    Relay,
    /// HTTP over TCP, with tokens.
    Tcp,
    /// Health and metrics, without a token.
    Observability,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "socket",
            Self::Relay => "relay",
            Self::Tcp => "tcp",
            Self::Observability => "observability",
        })
    }
}

/// The state that the requests of one listener share.
#[derive(Debug)]
pub(super) struct Operations {
    listener: Listener,
    limits: Arc<Limits>,
    /// The runtime of operations: a slow one delays no connection and no answer about health.
    operations: Handle,
    operator: Turns,
    approver: Turns,
    proposer: Turns,
    reader: Turns,
}

/// The quotas of one role.
#[derive(Debug)]
struct Turns {
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        }
    }
}

impl Operations {
    pub(super) fn new(listener: Listener, limits: Arc<Limits>, operations: Handle) -> Arc<Self> {
        let [operator, approver, proposer, reader] = std::array::from_fn(|_| Turns::default());
        Arc::new(Self { listener, limits, operations, operator, approver, proposer, reader })
    }

    fn turns(&self, role: Role) -> &Turns {
        match role {
            Role::Operator => &self.operator,
            Role::Approver => &self.approver,
            Role::Proposer => &self.proposer,
            // No listener has both.
            Role::Reader | Role::Relay => &self.reader,
        }
    }

    pub(super) fn hit(&self, limit: Limit, role: Role, times: u64) {
        self.limits.hit_times(limit, &format!("{role} at {}", self.listener), times);
    }

    /// No connection of the role is idle.
    pub(super) fn no_connection(&self, role: Role) -> ApiError {
        let reason = format!("all connections of the {role} are in use: close one, or wait");
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, ProblemCode::TooMany, reason)
    }

    /// Takes a place for a stream of events.
    pub(super) fn stream(&self, role: Role) -> Result<OwnedSemaphorePermit, ApiError> {
        self.turns(role).streams.clone().try_acquire_owned().map_err(|_| {
            self.hit(Limit::ApiEventStreams, role, 1);
            let reason = format!(
                "{MAX_STREAMS} event streams of the {role} are open, which is the most: close one"
            );
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, ProblemCode::TooMany, reason)
        })
    }

    /// Runs an operation: reads its body, refuses it if the quota is used up, and gives up after a
    /// minute.
    pub(super) async fn work(&self, request: Request, next: Next) -> Response {
        // Only authorised requests come here.
        let Some(role) = request.extensions().get::<Role>().copied() else {
            let reason = "a request without a role";
            return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal, reason)
                .into_response();
        };
        let request = match self.with_body(role, request).await {
            Ok(request) => request,
            Err(error) => return error.into_response(),
        };
        let Ok(turn) = self.turns(role).requests.clone().try_acquire_owned() else {
            self.hit(Limit::ApiRequests, role, 1);
            let reason = format!(
                "{MAX_REQUESTS} requests of the {role} are worked on, which is the most: \
                 repeat it later"
            );
            return ApiError::new(StatusCode::TOO_MANY_REQUESTS, ProblemCode::TooMany, reason)
                .into_response();
        };
        // It goes on if the client disconnects, so that no operation is left half done. Its place
        // is released when it ends.
        let running = self.operations.spawn(async move {
            let response = next.run(request).await;
            drop(turn);
            response
        });
        match timeout(ANSWER_TIME, running).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => {
                let reason = "the operation failed: the program's log says more";
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal, reason)
                    .into_response()
            }
            Err(_) => {
                self.hit(Limit::ApiAnswerTime, role, 1);
                let reason = format!(
                    "no answer within {} s; the operation goes on: look what became of it",
                    ANSWER_TIME.as_secs()
                );
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::NoAnswer, reason)
                    .into_response()
            }
        }
    }

    /// The request with its whole body, within a length and a timeout.
    async fn with_body(&self, role: Role, request: Request) -> Result<Request, ApiError> {
        let (head, body) = request.into_parts();
        if head.method == Method::GET || head.method == Method::HEAD {
            return Ok(Request::from_parts(head, Body::empty()));
        }
        let too_large = || {
            self.hit(Limit::ApiBodyBytes, role, 1);
            let reason = format!("the body has more than {MAX_BODY} bytes, which is the most");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, ProblemCode::TooLarge, reason)
        };
        let announced = head.headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_BODY) {
            return Err(too_large());
        }
        match timeout(BODY_TIME, Limited::new(body, MAX_BODY).collect()).await {
            Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes().into())),
            Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
                Err(too_large())
            }
            Ok(Err(error)) => Err(broken(&*error)),
            Err(_) => {
                self.hit(Limit::ApiBodyTime, role, 1);
                let reason = format!("the body took more than {} s", BODY_TIME.as_secs());
                Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, ProblemCode::TooSlow, reason))
            }
        }
    }
}

fn broken(error: &dyn Error) -> ApiError {
    let reason = format!("the body broke off: {error}");
    ApiError::new(StatusCode::BAD_REQUEST, ProblemCode::Invalid, reason)
}
