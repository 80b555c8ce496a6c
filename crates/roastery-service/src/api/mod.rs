//! HTTP with JSON: over a Unix socket, whose permissions say who the operator is, and over TCP with a token if that is
//! configured. It runs in a thread of its own, so that it answers when the protocol does not.

mod client;
mod error;
mod events;
mod json;
mod routes;
mod serve;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;

use self::error::{ApiError, Code};
pub use self::{
    client::{Client, ClientError},
    serve::{ApiServer, ServeError},
};
use crate::Service;

/// The longest body of a request, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// The longest that an operation may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The token that requests over TCP bring.
#[derive(Clone)]
struct Token(Arc<zeroize::Zeroizing<String>>);

impl Token {
    /// In a time that does not depend on where it differs.
    fn is(&self, brought: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(brought).into()
    }
}

/// The description of the API (OpenAPI), as JSON.
pub fn description() -> String {
    // It is made of what was compiled in.
    routes::all().to_openapi().to_json().expect("a description of strings is JSON")
}

/// Everything, for whoever has the token if there is one.
fn operations(service: Arc<Service>, token: Option<Token>) -> Router {
    let router = known(routes::all().split_for_parts().0);
    let router = match token {
        Some(token) => router.layer(middleware::from_fn(move |request, next| {
            let token = token.clone();
            async move { authorised(&token, request, next).await }
        })),
        None => router,
    };
    finish(router, service)
}

/// Health and metrics.
fn observations(service: Arc<Service>) -> Router {
    finish(known(routes::open().split_for_parts().0), service)
}

/// What is not known is told like everything else.
fn known(router: Router<Arc<Service>>) -> Router<Arc<Service>> {
    router
        .fallback(async || {
            ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such operation")
        })
        .method_not_allowed_fallback(async || {
            let reason = "this method is not allowed here";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "invalid", reason)
        })
}

fn finish(router: Router<Arc<Service>>, service: Arc<Service>) -> Router {
    let counting = service.clone();
    router
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(move |request, next| {
            let service = counting.clone();
            async move { watched(&service, request, next).await }
        }))
        .with_state(service)
}

async fn authorised(token: &Token, request: Request, next: Next) -> Response {
    let brought = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let brought = brought.and_then(|value| value.strip_prefix(b"Bearer "));
    if brought.is_some_and(|brought| token.is(brought)) {
        return next.run(request).await;
    }
    let reason = "the token of this node is needed, as \"Authorization: Bearer TOKEN\"";
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", reason).into_response()
}

/// Nothing takes for ever, and what is refused is counted.
async fn watched(service: &Service, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // It goes on if the client goes away: nothing is left half done.
    let running = tokio::spawn(next.run(request));
    let response =
        timeout(PATIENCE, running).await.ok().and_then(Result::ok).unwrap_or_else(|| {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_answer", "the node does not answer")
                .into_response()
        });
    if let Some(Code(code)) = response.extensions().get() {
        service.metrics().refused(code);
        tracing::debug!(%method, path, code, "refused");
    }
    response
}
