//! A client's stream of a node's events.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::{StatusCode, body::Incoming};

use super::client::{Client, ClientError, Connection};
use crate::view::ServiceEvent;

/// The longest silence of a stream: the node sends something at least every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// The longest line of a stream, in bytes.
const MOST_OF_LINE: usize = 1024 * 1024;

/// The events of a node, from the call on.
pub struct Events {
    client: Client,
    body: Incoming,
    /// What has come and is no whole line yet.
    rest: Vec<u8>,
    lines: Lines,
    _connection: Connection,
}

/// What a stream of events says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An event.
    Event(ServiceEvent),
    /// Events are missing here: this client did not read them in time.
    Missed,
}

/// The lines of the event that is being read.
#[derive(Debug, Default)]
struct Lines {
    name: String,
    data: String,
}

impl Client {
    /// The node's events from here on.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn events(&self) -> Result<Events, ClientError> {
        let (answer, connection) = self.begin("/v1/events").await?;
        let status = answer.status();
        if status != StatusCode::OK {
            return Err(ClientError::Form(format!("status {status}").into()));
        }
        Ok(Events {
            client: self.clone().with_patience(SILENCE),
            body: answer.into_body(),
            rest: Vec::new(),
            lines: Lines::default(),
            _connection: connection,
        })
    }
}

impl Events {
    /// Waits for the next one.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: the stream has ended, is silent for too long, or is not understood.
    pub async fn next(&mut self) -> Result<Heard, ClientError> {
        loop {
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                if let Some(heard) = self.lines.take(&line)? {
                    return Ok(heard);
                }
            }
            if self.rest.len() > MOST_OF_LINE || self.lines.data.len() > MOST_OF_LINE {
                return Err(ClientError::Form("a longer event than allowed".into()));
            }
            let frame = self.client.in_time(self.body.frame()).await?;
            let ended = || ClientError::Broken("the stream has ended".into());
            let frame =
                frame.ok_or_else(ended)?.map_err(|error| ClientError::Broken(error.into()))?;
            self.rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Lines {
    /// Takes a line; an empty one ends an event.
    fn take(&mut self, line: &[u8]) -> Result<Option<Heard>, ClientError> {
        let form = |text: &str| ClientError::Form(text.into());
        let line = std::str::from_utf8(line).map_err(|_| form("an event that is no text"))?;
        let line = line.trim_end_matches(['\r', '\n']);
        if let Some(name) = line.strip_prefix("event:") {
            self.name = name.trim().to_owned();
        } else if let Some(data) = line.strip_prefix("data:") {
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        } else if line.is_empty() && !self.data.is_empty() {
            let Self { name, data } = std::mem::take(self);
            if name == "lagged" {
                return Ok(Some(Heard::Missed));
            }
            let event =
                serde_json::from_str(&data).map_err(|error| ClientError::Form(error.into()));
            return event.map(|event| Some(Heard::Event(event)));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Heard> {
        let mut lines = Lines::default();
        let heard = text.lines().map(|line| lines.take(line.as_bytes()));
        heard.filter_map(|heard| heard.unwrap()).collect()
    }

    #[test]
    fn a_stream_has_events_gaps_and_remarks_that_say_nothing() {
        let event = r#"{"time":"2026-05-01T14:02:00Z","group":"g","session":"","kind":"signed","text":"x"}"#;
        let heard = read(&format!(
            ": remark\n\nevent: signed\ndata: {event}\n\nevent: lagged\ndata: {{\"missed\":3}}\n\n"
        ));
        let [Heard::Event(event), Heard::Missed] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!(event.kind, "signed");
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        let mut lines = Lines::default();
        lines.take(b"data: {\"kind\":").unwrap();
        assert!(lines.take(b"").is_err());
        assert!(Lines::default().take(&[0xff]).is_err());
    }
}
