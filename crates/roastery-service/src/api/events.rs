use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt as _};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::{Service, ServiceEvent, text::to_json};

/// What happens from here on, as server-sent events. The event's name is its kind, its data the event as JSON; an event of the
/// name "lost" says how many were lost because they were not read in time.
#[utoipa::path(get, path = "/v1/events",
    responses((status = 200, body = ServiceEvent, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(service): State<Arc<Service>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = BroadcastStream::new(service.events()).map(|event| {
        Ok(match event {
            Ok(event) => {
                let name = Event::default().event(&event.kind);
                // Strings and a number are JSON, and there is no line end in it.
                name.data(to_json(&event).unwrap_or_default())
            }
            Err(BroadcastStreamRecvError::Lagged(lost)) => {
                Event::default().event("lost").data(lost.to_string())
            }
        })
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
