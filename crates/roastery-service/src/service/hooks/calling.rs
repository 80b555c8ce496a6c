//! One call of a hook: a program is run, or a message is posted.

use std::{sync::Arc, time::Duration};

use axum::http::{StatusCode, Uri};
use roastery_wallet::http_agent;
use tokio::time::timeout;

use super::message::Message;
use crate::{
    command::{Ran, run},
    config::HookTarget,
    files::Folder,
    service::{now, outbox::HookHere, shared::Shared},
    text::{shorten, visible},
};

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest reason of a failure, in columns.
const MAX_REASON: usize = 300;

impl HookHere {
    /// Calls the hook, when no other call of it is under way.
    ///
    /// # Errors
    ///
    /// Why it has not taken the message, in a line.
    pub(super) async fn call(&self, shared: &Arc<Shared>, message: Message) -> Result<(), String> {
        let _calling = self.calling.lock().await;
        let called = match &self.config.target {
            HookTarget::Command(command) => {
                self.run(&message.words(command), &message.json, &shared.folder).await
            }
            HookTarget::Webhook { url, .. } => self.post(shared, url, message).await,
        };
        called.map_err(|reason| shorten(&visible(&reason), MAX_REASON))
    }

    async fn run(&self, command: &[String], json: &[u8], folder: &Folder) -> Result<(), String> {
        let Ran { status, errors, .. } = run(command, folder.path(), json, DEADLINE).await;
        // The first line says most, and a program may repeat the message in others.
        let first = errors.into_iter().next().map(|line| shorten(&line, MAX_REASON));
        if let Some(line) = &first {
            tracing::warn!(hook = self.name(), line, "the command complains");
        }
        let said = first.map(|line| format!(" ({line})")).unwrap_or_default();
        match status {
            Ok(0) => Ok(()),
            Ok(status) => Err(format!("the command ended with status {status}{said}")),
            Err(error) => Err(format!("{error}{said}")),
        }
    }

    async fn post(&self, shared: &Shared, url: &Uri, message: Message) -> Result<(), String> {
        let Some(secret) = &self.secret else { return Err("there is no secret".to_owned()) };
        let Message { id, json, .. } = message;
        let timestamp = now();
        let signature = secret.sign(&id, timestamp, &json);
        let url = url.to_string();
        let posted = shared.blocking(move || {
            let request = http_agent(&url, DEADLINE)
                .post(&url)
                .header("content-type", "application/json")
                .header("webhook-id", id)
                .header("webhook-timestamp", timestamp.to_string())
                .header("webhook-signature", signature);
            // The body of the answer is not read: what counts is the status.
            request.send(&json[..]).map(|answer| answer.status()).map_err(|error| error.to_string())
        });
        let late = || format!("the server has not answered within {} seconds", DEADLINE.as_secs());
        // The agent ends by itself; a system that looks up a name for longer does not hold the
        // others up.
        let answered = timeout(DEADLINE + Duration::from_secs(1), posted).await;
        let status = answered.map_err(|_| late())?.map_err(|error| error.to_string())??;
        taken(status)
    }
}

/// Whether an answer of this status says that the message was taken.
fn taken(status: StatusCode) -> Result<(), String> {
    match status {
        status if status.is_success() => Ok(()),
        status if status.is_redirection() => Err(format!(
            "the server answers {}: redirects are not followed, write the right URL",
            status.as_u16()
        )),
        status => Err(format!("the server answers {}", status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_of_success_takes_a_message() {
        for status in 100..600 {
            let taken = taken(StatusCode::from_u16(status).unwrap());
            assert_eq!(taken.is_ok(), (200..300).contains(&status), "{status}");
        }
    }
}
