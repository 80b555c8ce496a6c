//! The console for people elsewhere. It reads at the node, and hands on what their passkeys have
//! signed: what of that counts, only the node says. It listens at the loopback addresses, behind a
//! proxy with TLS.

mod routes;
mod sessions;

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use roastery_service::{api::Client, view::RemoteStatus};
use thiserror::Error;

use self::sessions::Sessions;
use crate::{Console, ConsoleError, Listeners, console::Shared, guard::Hosts};

/// Why there is no console for people elsewhere.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoteConsoleError {
    /// The node does not answer, or refuses.
    #[error(transparent)]
    Node(#[from] roastery_service::api::ClientError),
    /// The node takes no decisions from elsewhere.
    #[error("this node takes no decisions from elsewhere: set remote.origin in roastery.toml")]
    Off,
    /// The console does not work.
    #[error(transparent)]
    Console(#[from] ConsoleError),
}

/// A console for people elsewhere. Clones are the same one.
#[derive(Clone, Debug)]
pub struct RemoteConsole(Arc<Remote>);

#[derive(Debug)]
struct Remote {
    shared: Arc<Shared>,
    sessions: Mutex<Sessions>,
    origin: String,
}

impl Remote {
    fn sessions<T>(&self, act: impl FnOnce(&mut Sessions) -> T) -> T {
        // No step under the lock leaves an entry incomplete.
        act(&mut self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RemoteConsole {
    /// A console of the node that this client asks, at the origin that the node's configuration
    /// names.
    ///
    /// # Errors
    ///
    /// [`RemoteConsoleError`].
    pub async fn new(client: Client) -> Result<Self, RemoteConsoleError> {
        let status: RemoteStatus = client.get("/v1/remote").await?;
        let origin = status.origin.ok_or(RemoteConsoleError::Off)?;
        let hosts = Hosts::of_origin(&origin).ok_or(RemoteConsoleError::Off)?;
        let (Console(shared), _) = Console::at(client, hosts, true);
        Ok(Self(Arc::new(Remote { shared, sessions: Mutex::default(), origin })))
    }

    /// The origin of its pages.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Serves until it is dropped.
    pub async fn serve(&self, listeners: Listeners) {
        let _serving = listeners.serve(routes::router(self.0.clone()));
        pending::<()>().await;
    }
}
