use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use utoipa::ToSchema;

use super::{access::Role, desk::Desk, error::ApiError};
use crate::{Service, limits::Limit, text::to_json};

/// The data of the event "lagged": events were not read in time and are missing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Lagged {
    /// How many.
    missed: u64,
}

/// What happens from here on, as server-sent events. The event's name is its kind, its data the
/// event as JSON (`ServiceEvent`). 1024 events wait for a slow reader; one that is slower gets an
/// event of the name "lagged", which says how many it missed (`Lagged`), and then the later ones.
#[utoipa::path(get, path = "/v1/events",
    responses((status = 200, description = "The stream, which does not end by itself",
        body = String, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(service): State<Arc<Service>>,
    Extension(role): Extension<Role>,
    Extension(desk): Extension<Arc<Desk>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let place = desk.stream(role)?;
    let events = BroadcastStream::new(service.events()).map(move |event| {
        // Held as long as the stream is.
        let _ = &place;
        // Strings and numbers are JSON, and there is no line end in it.
        Ok(match event {
            Ok(event) => {
                let named = Event::default().event(&event.kind);
                named.data(to_json(&event).unwrap_or_default())
            }
            Err(BroadcastStreamRecvError::Lagged(missed)) => {
                desk.hit(Limit::ApiEventsBehind, role, missed);
                let lagged = Event::default().event("lagged");
                lagged.json_data(Lagged { missed }).unwrap_or_default()
            }
        })
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}
