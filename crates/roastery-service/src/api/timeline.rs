//! The steps of a request.

use axum::extract::State;

use super::{
    error::Path,
    json::SafeJson as Json,
    query::{Answer, At},
};
use crate::{KnownStep, StepKind, Time, view::TimelineStep};

/// The steps of a request on its way to a signature, as this node saw them since its last start, in
/// their order: at most 256 of each of the latest 200 requests.
#[utoipa::path(get, path = "/v1/requests/{session}/timeline",
    params(("session" = String, Path, description = "Its session, or the first 8 digits of it or more", pattern = "^[0-9a-fA-F]{8,64}$")),
    responses((status = 200, description = "Done", body = [TimelineStep])))]
pub(super) async fn timeline(
    State(service): At,
    Path(session): Path<String>,
) -> Answer<Vec<TimelineStep>> {
    let steps = service.timeline(&session).await?;
    let begin = steps.first().map_or(0, |first| first.step.at);
    Ok(Json(steps.into_iter().map(|step| view_of(step, begin)).collect()))
}

fn view_of(known: KnownStep, begin: u64) -> TimelineStep {
    let KnownStep { step, who, asked } = known;
    let what = match step.what {
        StepKind::Proposed => "proposed",
        StepKind::Approved => "approved",
        StepKind::Ready => "ready",
        StepKind::Coordinates => "coordinates",
        StepKind::Package(_) => "package",
        StepKind::Share => "share",
        StepKind::Refused => "refused",
        StepKind::Proven => "proven",
        StepKind::Signed => "signed",
        StepKind::Stopped => "stopped",
    };
    let (at, ms) = (Time::from_milliseconds(step.at), step.at.saturating_sub(begin));
    TimelineStep { at, ms, what: what.to_owned(), who, asked }
}
