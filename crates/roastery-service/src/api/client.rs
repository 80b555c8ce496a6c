use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{net::UnixStream, time::timeout};

use super::NEXT_BEFORE;
use crate::{
    BoxError,
    text::io_reason,
    view::{Health, Problem},
};

/// The longest answer, in bytes: a backup may be large.
const MAX_ANSWER: usize = 1024 * 1024 * 1024;

/// The timeout of each step of a call: longer than the node gives any operation.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long a connection is used again after its last answer. The node keeps an idle one longer,
/// unless it stops or needs the place.
const IDLE: Duration = Duration::from_secs(1);

/// How long an idle connection may take to be ready for a call; after its answer it is at once.
const READY: Duration = Duration::from_millis(100);

/// The number of connections that are kept for further calls.
const MOST_IDLE: usize = 32;

/// A client of a node's API over its Unix socket. Clones share their connections, which further
/// calls use again within a second.
#[derive(Clone)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// A connection to a node, on which a call is made at a time.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    last_used: Instant,
    _task: AbortOnDrop<hyper::Result<()>>,
}

/// Why there is no answer, or an error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No process listens at the socket.
    #[error("no node runs here: {}: {}; roastery node starts one, --folder says of which folder", socket.display(), io_reason(source))]
    NoNode {
        /// The socket.
        socket: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The node has not answered within the timeout.
    #[error(
        "the node at {} has not answered within {} seconds: it may be stopped, or its machine is overloaded",
        socket.display(),
        patience.as_secs()
    )]
    NoAnswer {
        /// The socket.
        socket: PathBuf,
        /// The timeout.
        patience: Duration,
    },
    /// The connection ended before the answer.
    #[error("the node's answer broke off: {0}")]
    Broken(#[source] BoxError),
    /// The node refuses.
    #[error("{}", .0.message)]
    Problem(Problem),
    /// The answer has an unexpected form.
    #[error("the node's answer is not understood: {0}")]
    Form(#[source] BoxError),
}

impl Client {
    /// A client of the node that listens at this socket.
    pub fn new(socket: impl AsRef<Path>) -> Self {
        Self { socket: socket.as_ref().to_owned(), patience: PATIENCE, idle: Arc::default() }
    }

    /// The same with another timeout for each step of a call: the connection, the head of the
    /// answer, and each further part of it.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Gets a JSON value.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(&self.bytes(path).await?)
    }

    /// Gets a page of a list: its entries, and the `before` of the next page if there may be one.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(T, Option<u64>), ClientError> {
        let answer = self.answer(Method::GET, path, "", Bytes::new()).await?;
        let next = answer.headers().get(NEXT_BEFORE).map(|next| {
            let next = next.to_str().ok().and_then(|next| next.parse().ok());
            next.ok_or_else(|| ClientError::Form(format!("the header {NEXT_BEFORE}").into()))
        });
        Ok((read(&done(answer)?)?, next.transpose()?))
    }

    /// Gets bytes.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn bytes(&self, path: &str) -> Result<Bytes, ClientError> {
        self.send(Method::GET, path, "", Bytes::new()).await
    }

    /// Gets `/health` or `/ready`, also if the node reports a problem.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn health(&self, path: &str) -> Result<Health, ClientError> {
        let answer = self.answer(Method::GET, path, "", Bytes::new()).await?;
        let (status, body) = (answer.status(), answer.into_body());
        match status {
            StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE => read(&body),
            _ => Err(ClientError::Form(format!("status {status}").into())),
        }
    }

    /// Posts a JSON value and returns the answer.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Form(error.into()))?;
        read(&self.send(Method::POST, path, "application/json", body.into()).await?)
    }

    /// Posts bytes and returns the answer.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        read(&self.send(Method::POST, path, "application/octet-stream", body.into()).await?)
    }

    /// Begins an answer that goes on, on a connection of its own.
    pub(super) async fn begin(
        &self,
        path: &str,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        self.call_anew(request(Method::GET, path, "", Bytes::new())?).await
    }

    /// Every step has a timeout: a suspended process keeps its socket open.
    pub(super) async fn in_time<T>(&self, step: impl Future<Output = T>) -> Result<T, ClientError> {
        let (socket, patience) = (self.socket.clone(), self.patience);
        timeout(patience, step).await.map_err(|_| ClientError::NoAnswer { socket, patience })
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, ClientError> {
        let broken = |error: hyper::Error| ClientError::Broken(error.into());
        let request = request(method, path, kind, body)?;
        let (answer, connection) = match self.take_idle().await {
            None => self.call_anew(request).await?,
            Some(mut idle) => match self.in_time(idle.sender.try_send_request(request)).await? {
                Ok(answer) => (answer, idle),
                // It has ended before anything of the call was sent.
                Err(mut error) => match error.take_message() {
                    Some(request) => self.call_anew(request).await?,
                    None => return Err(broken(error.into_error())),
                },
            },
        };
        let (head, body) = answer.into_parts();
        let mut parts = Limited::new(body, MAX_ANSWER);
        let mut body = Vec::new();
        while let Some(part) = self.in_time(parts.frame()).await? {
            let part = part.map_err(ClientError::Broken)?;
            body.extend_from_slice(part.data_ref().map_or(&[][..], |data| data));
        }
        // Only a connection whose answer was read whole can take a further call.
        self.keep_idle(connection);
        Ok(Response::from_parts(head, Bytes::from(body)))
    }

    /// Makes a call on a connection of its own.
    async fn call_anew(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let mut connection = self.connect().await?;
        let answer = self.in_time(connection.sender.send_request(request)).await?;
        Ok((answer.map_err(|error| ClientError::Broken(error.into()))?, connection))
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        let connect = UnixStream::connect(&self.socket);
        let stream = self
            .in_time(connect)
            .await?
            .map_err(|source| ClientError::NoNode { socket: self.socket.clone(), source })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ClientError::Broken(error.into()))?;
        let task = AbortOnDrop(tokio::spawn(connection));
        Ok(Connection { sender, last_used: Instant::now(), _task: task })
    }

    /// A connection that was used a moment ago and is still open. Older ones are closed.
    async fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut kept = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.retain(|kept| kept.last_used.elapsed() < IDLE && !kept.sender.is_closed());
                idle.pop()?
            };
            // One whose runtime does not run any more is never ready.
            if let Ok(Ok(())) = timeout(READY, kept.sender.ready()).await {
                return Some(kept);
            }
        }
    }

    fn keep_idle(&self, mut connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            connection.last_used = Instant::now();
            idle.push(connection);
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        done(self.answer(method, path, kind, body).await?)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("socket", &self.socket).finish_non_exhaustive()
    }
}

fn request(
    method: Method,
    path: &str,
    kind: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, ClientError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "roastery")
        .header(header::CONTENT_TYPE, kind)
        .body(Full::new(body))
        .map_err(|error| ClientError::Form(error.into()))
}

/// The body of a successful answer.
fn done(answer: Response<Bytes>) -> Result<Bytes, ClientError> {
    let (status, body) = (answer.status(), answer.into_body());
    if status == StatusCode::OK {
        return Ok(body);
    }
    Err(match serde_json::from_slice(&body) {
        Ok(problem) => ClientError::Problem(problem),
        Err(_) => ClientError::Form(format!("status {status}").into()),
    })
}

/// A task that is aborted when this is dropped.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|error| ClientError::Form(error.into()))
}
