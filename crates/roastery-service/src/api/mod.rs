//! HTTP with JSON: over a Unix socket, where permissions or the configuration say which users may
//! do what, and over TCP with tokens if that is configured.
//!
//! One thread serves all connections and answers about health; operations run in threads of their
//! own. So health is answered while an operation or the protocol is stuck.

mod access;
mod audit;
mod bind;
mod change;
mod client;
mod connections;
mod convert;
mod describe;
mod epochs;
mod error;
mod events;
mod health;
mod hooks;
mod host;
mod json;
mod keygen;
mod kit;
mod listening;
mod operations;
mod pairing;
mod proposing;
mod query;
#[cfg(feature = "remote")]
mod remote;
mod returning;
mod routes;
mod serve;
mod signed;
mod timeline;
mod tokens;
mod wallet;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
};
use utoipa_axum::router::OpenApiRouter;

use self::{
    access::{Access, at_least, authorise, recorded, still_admitted},
    error::{ApiError, Code},
    health::Heartbeat,
    host::Hosts,
    operations::Operations,
    routes::Document,
};
pub use self::{
    bind::ServeError,
    client::{Client, ClientError},
    describe::description,
    listening::{Events, Heard},
    operations::ANSWER_TIME,
    serve::ApiServer,
};
use crate::{Role, Service, view::ProblemCode};

/// The header that contains the position before which the next page of a list begins.
const NEXT_BEFORE: &str = "next-before";

/// The longest body of a request, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// All operations, for clients that `access` admits.
fn all_operations(
    service: Arc<Service>,
    access: Access,
    operations: Arc<Operations>,
    heartbeat: Arc<Heartbeat>,
) -> Router {
    let acts_of = |router, needed| {
        let recording = service.clone();
        handlers(router)
            .route_layer(middleware::from_fn(move |request, next| {
                let service = recording.clone();
                async move { recorded(&service, request, next).await }
            }))
            .route_layer(middleware::from_fn(move |request, next| at_least(needed, request, next)))
    };
    let acts = acts_of(routes::acts(), Role::Operator)
        .merge(acts_of(routes::decisions(), Role::Approver))
        .merge(acts_of(routes::proposals(), Role::Proposer));
    #[cfg(feature = "remote")]
    let acts = acts
        .merge(handlers(remote::relayed()).route_layer(middleware::from_fn(access::relay_only)));
    let working = operations.clone();
    let reads = handlers(routes::reads()).layer(Extension(Document(description())));
    let looking = service.clone();
    let works = reads
        .merge(acts)
        .route_layer(middleware::from_fn(move |request, next| {
            let service = looking.clone();
            async move { still_admitted(&service, request, next).await }
        }))
        .route_layer(middleware::from_fn(move |request, next| {
            let operations = working.clone();
            async move { operations.work(request, next).await }
        }));
    let all = works.merge(handlers(health::routes()));
    let (entering, admitting) = (operations.clone(), service.clone());
    let authorised = with_fallbacks(all)
        .layer(Extension(operations))
        .layer(Extension(heartbeat))
        .layer(middleware::from_fn(move |request, next| {
            let (access, operations) = (access.clone(), entering.clone());
            let service = admitting.clone();
            async move { authorise(&access, &service, &operations, request, next).await }
        }));
    counted(authorised, service)
}

/// Health and metrics, for clients that use one of this machine's host names.
fn observations(service: Arc<Service>, hosts: Hosts, heartbeat: Arc<Heartbeat>) -> Router {
    let router = with_fallbacks(handlers(health::routes())).layer(Extension(heartbeat)).layer(
        middleware::from_fn(move |request, next| {
            let hosts = hosts.clone();
            async move { host::check(&hosts, request, next).await }
        }),
    );
    counted(router, service)
}

fn handlers(router: OpenApiRouter<Arc<Service>>) -> Router<Arc<Service>> {
    router.split_for_parts().0
}

/// An unknown path or method gets an error of the same form as all others.
fn with_fallbacks(router: Router<Arc<Service>>) -> Router<Arc<Service>> {
    router
        .fallback(async || {
            ApiError::new(
                StatusCode::NOT_FOUND,
                ProblemCode::NotFound,
                "there is no such operation",
            )
        })
        .method_not_allowed_fallback(async || {
            let reason = "this method is not allowed here: the header Allow has those that are";
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, ProblemCode::Invalid, reason)
        })
}

/// Counts refused requests.
fn counted(router: Router<Arc<Service>>, service: Arc<Service>) -> Router {
    let counting = service.clone();
    router
        .layer(middleware::from_fn(move |request, next| {
            let service = counting.clone();
            async move { count(&service, request, next).await }
        }))
        .with_state(service)
}

async fn count(service: &Service, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    if let Some(Code(code)) = response.extensions().get() {
        service.metrics().refused(*code);
        tracing::debug!(%method, path, code = code.as_str(), "refused");
    }
    response
}
