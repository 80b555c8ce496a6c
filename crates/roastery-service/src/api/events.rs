use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt as _, future::ready};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};
use utoipa::ToSchema;

use super::{error::ApiError, operations::Operations};
use crate::{Brought, Role, Service, ServiceEvent, limits::Limit, text::to_json, view};

/// The data of the event "lagged": events were not read in time and are missing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Lagged {
    /// The number of missed events.
    missed: u64,
}

/// The events from here on, as server-sent events.
///
/// The event's name is its kind, its data the event as JSON (`ServiceEvent`). 1024 events wait for
/// a slow reader; one that is slower gets an event of the name "lagged", which says how many it
/// missed (`Lagged`), and then the later ones.
#[utoipa::path(get, path = "/v1/events",
    responses((status = 200, description = "The stream, which does not end by itself",
        body = String, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(service): State<Arc<Service>>,
    Extension(role): Extension<Role>,
    Extension(brought): Extension<Brought>,
    Extension(operations): Extension<Arc<Operations>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let place = operations.stream(role)?;
    let (events, admitting) = (service.events(), service.clone());
    let events = lines_of(events, move |missed| {
        // Held as long as the stream exists.
        let _ = &place;
        operations.hit(Limit::ApiEventsBehind, role, missed);
    });
    // A token that has expired or was revoked gets no further event, and keeps no place.
    let ended = admitting.clone().admits_no_more(brought);
    let events = events.take_while(move |_| ready(admitting.still_admits(brought)));
    let events = events.take_until(ended);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// The events as they are sent. Those that were not read in time are counted in the stream and
/// reported to `behind`.
fn lines_of(
    events: broadcast::Receiver<ServiceEvent>,
    behind: impl Fn(u64),
) -> impl Stream<Item = Result<Event, Infallible>> {
    BroadcastStream::new(events).map(move |event| {
        // Strings and numbers can be encoded as JSON, which has no line end here.
        Ok(match event {
            Ok(event) => {
                let named = Event::default().event(&event.kind);
                named.data(to_json(&view::ServiceEvent::from(event)).unwrap_or_default())
            }
            Err(BroadcastStreamRecvError::Lagged(missed)) => {
                behind(missed);
                let lagged = Event::default().event("lagged");
                lagged.json_data(Lagged { missed }).unwrap_or_default()
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::response::IntoResponse as _;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_slow_reader_is_told_how_many_events_it_missed_and_gets_the_later_ones() {
        let (sender, receiver) = broadcast::channel(2);
        for number in 0..5 {
            let event = ServiceEvent {
                time: crate::Time::from_milliseconds(number),
                group: "treasury".to_owned(),
                session: String::new(),
                kind: "signed".to_owned(),
                text: String::new(),
            };
            sender.send(event).unwrap();
        }
        drop(sender);
        let counted = Arc::new(AtomicU64::new(0));
        let counter = counted.clone();
        let stream = lines_of(receiver, move |missed| {
            counter.fetch_add(missed, Ordering::Relaxed);
        });
        let body = Sse::new(stream).into_response().into_body().collect().await.unwrap();
        let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
        let names: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
        assert_eq!(names, ["lagged", "signed", "signed"], "{text}");
        assert!(text.contains("data: {\"missed\":3}\n"), "{text}");
        assert_eq!(counted.load(Ordering::Relaxed), 3);
    }
}
