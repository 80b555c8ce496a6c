//! What every request and every answer must have.
//!
//! A page of another origin in the operator's browser can send requests here. It cannot choose the
//! `Host`, `Origin` and `Sec-Fetch-Site` that the browser sends with them, and does not know the
//! token.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::door::random_letters;

/// What a page may load and do: nothing from elsewhere, no script but the console's own files.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types fragment";

/// The headers of every answer.
const HEADERS: [(HeaderName, &str); 9] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(), hid=()",
    ),
];

/// The letters of the name.
const NAME: usize = 16;

/// The one name under which a console is reached, another one for each run.
///
/// A name and a port are an origin, and an origin outlives a program: what another program has left
/// in the browser under `localhost` at this port, a service worker for example, has no part in a
/// name that did not exist before. Browsers take each name under `localhost` for this machine.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    host: String,
    /// The origin of its pages.
    origin: String,
}

impl Hosts {
    pub(crate) fn new(port: u16) -> Result<Self, getrandom::Error> {
        let letters: [u8; NAME] = random_letters()?;
        let name: String = letters.iter().map(|letter| char::from(*letter)).collect();
        let host = format!("{name}.localhost:{port}");
        let origin = format!("http://{host}");
        Ok(Self { host, origin })
    }

    /// That of the pages of an origin: its name, and its port unless that is the usual one.
    #[cfg(feature = "remote")]
    pub(crate) fn of_origin(origin: &str) -> Option<Self> {
        let (_, host) = origin.split_once("://")?;
        Some(Self { host: host.to_owned(), origin: origin.to_owned() })
    }

    /// The name with the port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether a request may be answered at all.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let host = one(headers, &header::HOST).ok_or(StatusCode::MISDIRECTED_REQUEST)?;
        if self.host != host {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        if headers.contains_key(header::ORIGIN) {
            let origin = one(headers, &header::ORIGIN).ok_or(StatusCode::FORBIDDEN)?;
            if origin != self.origin {
                return Err(StatusCode::FORBIDDEN);
            }
        }
        let site = HeaderName::from_static("sec-fetch-site");
        if headers.contains_key(&site)
            && !matches!(one(headers, &site), Some("same-origin" | "none"))
        {
            return Err(StatusCode::FORBIDDEN);
        }
        Ok(())
    }
}

/// The value of a header that is there once.
pub(crate) fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Puts the headers of every answer into this one.
pub(crate) fn guard(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(headers: &[(&'static str, &'static str)]) -> Result<(), StatusCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let host = "qpzry9x8gf2tvdw0.localhost:7403".to_owned();
        let origin = format!("http://{host}");
        Hosts { host, origin }.check(&map)
    }

    #[test]
    fn a_console_has_one_name_and_each_run_has_another() {
        let own = ("host", "qpzry9x8gf2tvdw0.localhost:7403");
        assert_eq!(checked(&[own]), Ok(()));
        for bad in [
            "",
            "localhost:7403",
            "127.0.0.1:7403",
            "[::1]:7403",
            "qpzry9x8gf2tvdw0.localhost",
            "qpzry9x8gf2tvdw0.localhost:7404",
            "qpzry9x8gf2tvdw0.localhost.evil:7403",
            "evil.example:7403",
        ] {
            assert_eq!(checked(&[("host", bad)]), Err(StatusCode::MISDIRECTED_REQUEST), "{bad}");
        }
        assert_eq!(checked(&[own, own]), Err(StatusCode::MISDIRECTED_REQUEST));
        assert_eq!(checked(&[]), Err(StatusCode::MISDIRECTED_REQUEST));
        let (one, other) = (Hosts::new(7403).unwrap(), Hosts::new(7403).unwrap());
        assert_ne!(one.host(), other.host());
        let (name, rest) = one.host().split_once('.').unwrap();
        assert_eq!((name.len(), rest), (NAME, "localhost:7403"));
    }

    #[test]
    fn a_request_of_another_origin_is_refused_by_its_origin_or_its_site() {
        let host = ("host", "qpzry9x8gf2tvdw0.localhost:7403");
        let own = "http://qpzry9x8gf2tvdw0.localhost:7403";
        assert_eq!(checked(&[host, ("origin", own)]), Ok(()));
        let bad = [
            "null",
            "http://evil.example",
            "https://qpzry9x8gf2tvdw0.localhost:7403",
            "http://qpzry9x8gf2tvdw0.localhost:7404",
            "http://localhost:7403",
            "http://127.0.0.1:7403",
        ];
        for bad in bad {
            assert_eq!(checked(&[host, ("origin", bad)]), Err(StatusCode::FORBIDDEN), "{bad}");
        }
        for good in ["same-origin", "none"] {
            assert_eq!(checked(&[host, ("sec-fetch-site", good)]), Ok(()));
        }
        for bad in ["cross-site", "same-site", ""] {
            let refused = checked(&[host, ("sec-fetch-site", bad)]);
            assert_eq!(refused, Err(StatusCode::FORBIDDEN), "{bad}");
        }
    }
}
