//! Health, readiness and metrics. They are answered by the thread that serves the connections,
//! which does no other slow work, so that they are answered while everything else is stuck.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::json::SafeJson;
use crate::{Service, view::Health};

/// The interval of the heartbeat.
const BEAT: Duration = Duration::from_secs(1);

/// The age of the last heartbeat from which the runtime counts as stuck. With the interval it is
/// reported within ten seconds.
const STUCK: Duration = Duration::from_secs(8);

/// The heartbeat of a runtime.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// What the runtime runs, as a problem names it.
    part: &'static str,
    begun: Instant,
    /// The time of the last beat, in milliseconds after the start.
    last: AtomicU64,
}

impl Heartbeat {
    pub(super) fn new(part: &'static str) -> Arc<Self> {
        Arc::new(Self { part, begun: Instant::now(), last: AtomicU64::new(0) })
    }

    /// Beats as long as the runtime polls this task.
    pub(super) async fn beat(self: Arc<Self>) {
        loop {
            let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(now, Ordering::Relaxed);
            tokio::time::sleep(BEAT).await;
        }
    }

    fn silence(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(last)
    }

    /// The problem, if there is one.
    pub(super) fn problem(&self) -> Option<String> {
        let silence = self.silence();
        (silence >= STUCK).then(|| {
            format!("no {} of the API has had a turn for {} s", self.part, silence.as_secs())
        })
    }
}

/// The routes that need no token, where they are configured.
pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Whether the process works.
#[utoipa::path(get, path = "/health",
    responses(
        (status = 200, description = "It does", body = Health),
        (status = 503, description = "It does not: the problems say why", body = Health)))]
async fn health(
    State(service): State<Arc<Service>>,
    Extension(heartbeat): Extension<Arc<Heartbeat>>,
) -> Response {
    answer(service.health().await, &heartbeat)
}

/// Whether enough members of each group are connected to sign.
#[utoipa::path(get, path = "/ready",
    responses(
        (status = 200, description = "They can", body = Health),
        (status = 503, description = "They cannot: the problems say where", body = Health)))]
async fn ready(
    State(service): State<Arc<Service>>,
    Extension(heartbeat): Extension<Arc<Heartbeat>>,
) -> Response {
    answer(service.readiness().await, &heartbeat)
}

fn answer(mut problems: Vec<String>, heartbeat: &Heartbeat) -> Response {
    problems.extend(heartbeat.problem());
    let health = Health { ok: problems.is_empty(), problems };
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, SafeJson(health)).into_response()
}

/// The metrics, in the OpenMetrics text format.
#[utoipa::path(get, path = "/metrics",
    responses((status = 200, description = "OpenMetrics text", body = String,
        content_type = "application/openmetrics-text")))]
async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], service.metrics_text().await).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_gives_no_turn_is_a_problem_within_ten_seconds() {
        assert!(STUCK + BEAT < Duration::from_secs(10));
        let silent = |seconds| {
            let begun = Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
            Heartbeat { part: "operation", begun, last: AtomicU64::new(0) }.problem()
        };
        assert_eq!(silent(1), None);
        let problem = silent(9).unwrap();
        assert_eq!(problem, "no operation of the API has had a turn for 9 s");
    }
}
