//! A client that sends exactly what a test says.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// The timeout of every wait. It never expires in a test that passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A request that is to be sent.
pub(crate) struct Call {
    port: u16,
    line: String,
    head: Vec<(String, String)>,
    body: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Call {
    pub(crate) fn new(port: u16, method: &str, path: &str) -> Self {
        let line = format!("{method} {path} HTTP/1.1");
        Self { port, line, head: Vec::new(), body: String::new() }
    }

    /// Adds a header, or replaces it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.head.retain(|(known, _)| known != name);
        self.head.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.with("x-roastery-session", token)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    pub(crate) fn body(mut self, kind: &str, body: &str) -> Self {
        self.body = body.to_owned();
        self.with("content-type", kind)
    }

    /// Sends it and leaves the connection open.
    pub(crate) async fn begin(self) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let head: Vec<String> =
            self.head.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let (line, length, body) = (self.line, self.body.len(), self.body);
        let text = format!("{line}\r\n{}content-length: {length}\r\n\r\n{body}", head.concat());
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn send(self) -> Answer {
        let mut stream = self.with("connection", "close").begin().await;
        let mut text = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
