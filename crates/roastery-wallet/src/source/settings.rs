//! Which source, as the operator configures it.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr};

use thiserror::Error;

/// The kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Bitcoin Core, by its RPC.
    Bitcoind,
    /// An Electrum server.
    Electrum,
    /// An Esplora server.
    Esplora,
}

impl SourceKind {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitcoind => "bitcoind",
            Self::Electrum => "electrum",
            Self::Esplora => "esplora",
        }
    }

    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Bitcoind => &["http"],
            Self::Electrum => &["tcp", "ssl"],
            Self::Esplora => &["http", "https"],
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where user and password of Bitcoin Core's RPC are read, each time that they are needed: Core
/// writes a new cookie at each start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// In Core's cookie file, or a file of this form: `USER:PASSWORD` in one line.
    File(PathBuf),
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSettings {
    /// Bitcoin Core.
    Bitcoind {
        /// Where its RPC listens.
        url: String,
        /// User and password.
        login: Login,
        /// The height of the first block that is read.
        start_height: u32,
    },
    /// An Electrum server.
    Electrum {
        /// Where it listens.
        url: String,
    },
    /// An Esplora server.
    Esplora {
        /// Where its API begins.
        url: String,
    },
}

/// Why a text is no URL of a source.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{url:?} is no URL of {kind}: allowed is {}, like {}", .kind.schemes().join(":// or ") + "://", example(*.kind))]
pub struct UrlError {
    url: String,
    kind: SourceKind,
}

fn example(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Bitcoind => "http://127.0.0.1:8332",
        SourceKind::Electrum => "ssl://electrum.example:50002",
        SourceKind::Esplora => "https://esplora.example/api",
    }
}

/// Whether a host is this machine, in a private network, or reached by a network that encrypts.
fn is_near(host: &str) -> bool {
    if host == "localhost" || host.ends_with(".onion") {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            // 100.64.0.0/10 has the addresses of overlay networks, which encrypt.
            let [a, b, ..] = address.octets();
            address.is_loopback() || address.is_private() || (a == 100 && (64..128).contains(&b))
        }
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => false,
    }
}

impl SourceSettings {
    /// The kind.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Bitcoind { .. } => SourceKind::Bitcoind,
            Self::Electrum { .. } => SourceKind::Electrum,
            Self::Esplora { .. } => SourceKind::Esplora,
        }
    }

    /// What others between here and the source can read or change, if it is not on this machine or
    /// in a private network and nothing encrypts the way to it.
    pub fn in_clear(&self) -> Option<String> {
        let (scheme, rest) = self.url().split_once("://")?;
        let host = rest.split('/').next().unwrap_or_default();
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        if !matches!(scheme, "http" | "tcp") || is_near(host) {
            return None;
        }
        let what = match self {
            Self::Bitcoind { .. } => "the password of its RPC and what it says",
            _ => "the wallet's addresses and what it says",
        };
        Some(format!(
            "nothing encrypts the way to the chain source at {}: {what} can be read and changed on it; \
             use a tunnel to this machine, or another scheme",
            self.url()
        ))
    }

    /// The URL, which has no password in it.
    pub fn url(&self) -> &str {
        match self {
            Self::Bitcoind { url, .. } | Self::Electrum { url } | Self::Esplora { url } => url,
        }
    }

    /// Checks the URL of a kind of source. User and password have no place in it: it is shown.
    ///
    /// # Errors
    ///
    /// [`UrlError`].
    pub fn check_url(kind: SourceKind, url: &str) -> Result<(), UrlError> {
        let wrong = || UrlError { url: url.to_owned(), kind };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let plain = rest.bytes().all(|byte| byte.is_ascii_graphic())
            && !rest.contains(['@', '?', '#'])
            && url.len() <= 512;
        let host = rest.split('/').next().unwrap_or_default();
        let port = host.rsplit_once(':').map(|(_, port)| u16::from_str(port));
        let port_is_right = match kind {
            SourceKind::Electrum => port.is_some_and(|port| port.is_ok()) && host == rest,
            _ => port.is_none_or(|port| port.is_ok() || host.ends_with(']')),
        };
        let known = kind.schemes().contains(&scheme);
        if known && plain && !host.is_empty() && port_is_right { Ok(()) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_elsewhere_that_nothing_encrypts_is_named_and_one_nearby_is_not() {
        let esplora = |url: &str| SourceSettings::Esplora { url: url.to_owned() }.in_clear();
        for url in [
            "http://127.0.0.1:3000",
            "http://[::1]:3000/api",
            "http://localhost/api",
            "http://10.1.2.3",
            "http://100.64.0.9:3000",
            "http://node.onion",
            "https://esplora.example/api",
        ] {
            assert_eq!(esplora(url), None, "{url}");
        }
        for url in ["http://esplora.example/api", "http://203.0.113.7:3000", "http://[2001:db8::1]"]
        {
            assert!(esplora(url).is_some_and(|text| text.contains(url)), "{url}");
        }
        let core = SourceSettings::Bitcoind {
            url: "http://203.0.113.7:8332".to_owned(),
            login: Login::File(PathBuf::from("cookie")),
            start_height: 0,
        };
        assert!(core.in_clear().unwrap().contains("password"));
    }
}
