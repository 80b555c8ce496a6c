//! The check of the Host header where no token is required: a page in a browser whose host name was
//! pointed at this machine's address (DNS rebinding) can read nothing.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::error::ApiError;
use crate::view::ProblemCode;

/// The host names that are accepted, beside IP addresses and `localhost`.
pub(super) type Hosts = Arc<[String]>;

pub(super) async fn check(hosts: &Hosts, request: Request, next: Next) -> Response {
    let given = request.headers().get_all(header::HOST);
    if given.iter().all(|value| is_allowed(value, hosts)) {
        return next.run(request).await;
    }
    let reason = "the Host header is neither an address nor localhost nor in observability.hosts";
    ApiError::new(StatusCode::FORBIDDEN, ProblemCode::WrongHost, reason).into_response()
}

/// A browser sends the host name of the page that it was opened with. An IP address is never such a
/// name.
fn is_allowed(value: &HeaderValue, hosts: &Hosts) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let name = match value.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => value,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is = |allowed: &str| name.eq_ignore_ascii_case(allowed);
    address.parse::<IpAddr>().is_ok() || is("localhost") || hosts.iter().any(|host| is(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_names_that_are_configured_are_allowed() {
        let hosts: Hosts = ["node.example".to_owned()].into();
        let is_allowed = |text: &str| is_allowed(&HeaderValue::from_str(text).unwrap(), &hosts);
        for good in [
            "localhost",
            "LocalHost:7402",
            "127.0.0.1",
            "127.0.0.1:7402",
            "[::1]:7402",
            "[::1]",
            "10.1.2.3:80",
            "node.example",
            "NODE.example:7402",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:7402",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "node.example.evil",
            "127.0.0.1:x",
            "[::1",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
