//! The addresses that are published under a name: the TXT records of `_dnsaddr.NAME`, as the
//! multiformats specification of `/dnsaddr` has them.

use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::system_conf::read_system_conf;
use tokio::task::spawn_blocking;

use super::address::{DNSADDR, DialAddress};
use roastery_protocol::group::PeerId;

/// The prefix of each entry.
const ENTRY: &[u8] = b"dnsaddr=";

/// The timeout of one query to one name server; after it the query is repeated or the next server
/// is asked.
const ANSWER: Duration = Duration::from_secs(1);

/// Which name servers are asked.
#[derive(Clone, Debug)]
pub(super) enum NameServers {
    /// Those that the system is configured with at the time of the lookup.
    System,
    #[cfg(test)]
    These(ResolverConfig),
}

impl NameServers {
    /// The addresses that are published under this name for this peer. A name that is not found, or
    /// has no TXT records, gives none.
    pub(super) async fn published(&self, name: &str, peer: &PeerId) -> Vec<DialAddress> {
        let Some(records) = self.txt(name).await else { return Vec::new() };
        records.iter().filter_map(|record| entry(record, peer)).collect()
    }

    /// The TXT records, at most the 64 KiB of one answer.
    async fn txt(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        // With the dot at its end: no search domain of this machine is tried.
        let name = Name::from_ascii(format!("{DNSADDR}{name}.")).ok()?;
        let (servers, mut options) = self.settings().await?;
        options.timeout = ANSWER;
        // The records of a name may change: no cache.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = TokioResolver::builder_with_config(servers, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .ok()?;
        let found = resolver.txt_lookup(name).await.ok()?;
        let texts = found.answers().iter().filter_map(|record| match &record.data {
            // The strings of one record are parts of one text.
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        });
        Some(texts.collect())
    }

    async fn settings(&self) -> Option<(ResolverConfig, ResolverOpts)> {
        match self {
            Self::System => spawn_blocking(read_system_conf).await.ok()?.ok(),
            #[cfg(test)]
            Self::These(servers) => Some((servers.clone(), ResolverOpts::default())),
        }
    }
}

/// The address of this peer in a record. There may be other records too, and the entries of other
/// peers.
fn entry(record: &[u8], peer: &PeerId) -> Option<DialAddress> {
    let text = std::str::from_utf8(record.strip_prefix(ENTRY)?).ok()?;
    DialAddress::of_peer(text, peer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::TransportKey;

    #[test]
    fn an_entry_is_an_address_of_the_peer_that_is_called_or_of_no_named_one() {
        let key = |byte| TransportKey::from_secret(&mut [byte; 32]);
        let (own, other) = (key(1).0.public().to_peer_id(), key(2).0.public().to_peer_id());
        let read = |text: String| entry(text.as_bytes(), &key(1).peer()).map(|at| at.to_string());
        for address in [
            "/ip4/203.0.113.7/tcp/7400",
            "/ip6/2001:db8::7/udp/7400/quic-v1",
            "/dns4/anna.example/tcp/7400",
            "/dnsaddr/more.example",
        ] {
            let named = read(format!("dnsaddr={address}/p2p/{own}"));
            assert_eq!(named.as_deref(), Some(address));
            assert_eq!(read(format!("dnsaddr={address}")).as_deref(), Some(address));
            assert_eq!(read(format!("dnsaddr={address}/p2p/{other}")), None);
            assert_eq!(read(format!("DNSADDR={address}")), None);
            assert_eq!(read(address.to_owned()), None);
        }
        for text in [
            "",
            "dnsaddr",
            "dnsaddr=",
            "dnsaddr= /ip4/203.0.113.7/tcp/7400",
            "dnsaddr=/ip4/203.0.113.7",
            "dnsaddr=/ip4/0.0.0.0/tcp/7400",
            "dnsaddr=/ip4/203.0.113.7/tcp/7400/ws",
            "dnsaddr=/ip4/203.0.113.7/tcp/7400/p2p-circuit",
            "v=spf1 -all",
        ] {
            assert_eq!(read(text.to_owned()), None, "{text}");
        }
        assert_eq!(entry(b"dnsaddr=/ip4/\xff", &key(1).peer()), None);
    }
}
