use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::net::UnixStream;

use crate::{text::io_reason, view::Problem};

/// The longest answer, in bytes: a backup may be long.
const MAX_ANSWER: usize = 1024 * 1024 * 1024;

/// Speaks to a node over its Unix socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens at the socket.
    #[error("no node runs here: {}: {}; roastery node starts one, --folder says of which folder", socket.display(), io_reason(source))]
    NoNode {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the node's answer broke off: {0}")]
    Broken(String),
    /// The node says no.
    #[error("{}", .0.message)]
    Problem(Problem),
    /// The answer is not what this program expects.
    #[error("the node's answer is not understood: {0}")]
    Form(String),
}

impl Client {
    /// A client of the node that listens at this socket.
    pub fn new(socket: impl AsRef<Path>) -> Self {
        Self { socket: socket.as_ref().to_owned() }
    }

    /// Asks for something, as JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(&self.bytes(path).await?)
    }

    /// Asks for something, as it is.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn bytes(&self, path: &str) -> Result<Bytes, ClientError> {
        self.send(Method::GET, path, "", Bytes::new()).await
    }

    /// Has something done, with JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ClientError::Form(error.to_string()))?;
        read(&self.send(Method::POST, path, "application/json", body.into()).await?)
    }

    /// Has something done, with bytes.
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

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let broken = |error: &dyn std::error::Error| ClientError::Broken(error.to_string());
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|source| ClientError::NoNode { socket: self.socket.clone(), source })?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        let connection = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "roastery")
            .header(header::CONTENT_TYPE, kind)
            .body(Full::new(body))
            .map_err(|error| ClientError::Form(error.to_string()))?;
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| ClientError::Broken(error.to_string()))?
            .to_bytes();
        connection.abort();
        if status == StatusCode::OK {
            return Ok(body);
        }
        Err(match serde_json::from_slice(&body) {
            Ok(problem) => ClientError::Problem(problem),
            Err(_) => ClientError::Form(format!("status {status}")),
        })
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|error| ClientError::Form(error.to_string()))
}
