//! HTTP with a bound on every answer.

use std::{io::Read as _, sync::Arc, time::Duration};

use rustls::crypto::ring;
use ureq::{
    Agent,
    http::StatusCode,
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};

use super::{Deadline, SourceError};

/// A server that is asked by HTTP. What is asked for stays with the host that is configured.
#[derive(Clone, Debug)]
pub(super) struct Http {
    agent: Agent,
    base: String,
}

/// What calls the server of this URL by HTTP, which may take so long for an answer. No proxy is
/// used, no redirect is followed, and an answer of any status is none of its errors. Over TLS the
/// certificates of the system count.
pub fn http_agent(url: &str, answer: Duration) -> Agent {
    let mut config = Agent::config_builder()
        .timeout_global(Some(answer))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent("roastery");
    if url.starts_with("https:") {
        // The certificates of the system, so that an operator's own authority counts.
        let certificates = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = certificates
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::from(roots))
            .build();
        config = config.tls_config(tls);
    }
    config.build().into()
}

/// An answer, of any status.
pub(super) struct HttpAnswer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl HttpAnswer {
    /// The body as text.
    pub(super) fn text(&self) -> Result<&str, SourceError> {
        std::str::from_utf8(&self.body).map_err(SourceError::answer).map(str::trim)
    }
}

impl Http {
    pub(super) fn new(url: &str, answer: Duration) -> Self {
        Self { agent: http_agent(url, answer), base: url.trim_end_matches('/').to_owned() }
    }

    /// Gets what is at this path, of at most this many bytes.
    pub(super) fn get(
        &self,
        path: &str,
        most: u64,
        deadline: Deadline,
    ) -> Result<HttpAnswer, SourceError> {
        deadline.check()?;
        let request = self.agent.get(format!("{}{path}", self.base));
        read(request.call().map_err(SourceError::silent)?, most)
    }

    /// Posts a body to this path. The header `Authorization` is the value that is given.
    pub(super) fn post(
        &self,
        path: &str,
        body: &[u8],
        login: Option<&str>,
        most: u64,
        deadline: Deadline,
    ) -> Result<HttpAnswer, SourceError> {
        deadline.check()?;
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(login) = login {
            request = request.header("Authorization", login);
        }
        read(request.send(body).map_err(SourceError::silent)?, most)
    }
}

fn read(answer: ureq::http::Response<ureq::Body>, most: u64) -> Result<HttpAnswer, SourceError> {
    let status = answer.status();
    let mut body = Vec::new();
    let mut reader = answer.into_body().into_reader().take(most.saturating_add(1));
    reader.read_to_end(&mut body).map_err(SourceError::silent)?;
    if body.len() as u64 > most {
        return Err(SourceError::TooLong { most });
    }
    Ok(HttpAnswer { status, body })
}
