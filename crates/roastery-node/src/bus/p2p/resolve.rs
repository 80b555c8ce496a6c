//! Names are looked up by the system, each time that a peer is called: what is behind a name may
//! change.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use libp2p::Multiaddr;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::address::{DialAddress, Family, Host, can_be_called, multiaddr};

/// How long one lookup is waited for. The other addresses of the peer wait as long.
const LONGEST: Duration = Duration::from_secs(3);

/// The most addresses behind one name that are called.
const MOST_BEHIND_A_NAME: usize = 8;

/// The most addresses that one call goes to.
const MOST_OF_A_CALL: usize = 16;

/// Lookups at a time. One that hangs in the system cannot be stopped, and keeps a thread: without a
/// bound a name server that does not answer would take all threads for blocking work.
const MOST_LOOKUPS: usize = 16;

type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// What looks names up.
#[derive(Clone)]
pub(super) struct Resolver {
    look_up: Arc<LookUp>,
    longest: Duration,
    room: Arc<Semaphore>,
}

impl Resolver {
    /// The machine's own: `/etc/hosts`, DNS and whatever else it is set up to ask.
    pub(super) fn system() -> Self {
        Self::new(|name| {
            let found = (name, 0).to_socket_addrs()?;
            Ok(found.map(|found| found.ip()).collect())
        })
    }

    fn new(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        let room = Arc::new(Semaphore::new(MOST_LOOKUPS));
        Self { look_up: Arc::new(look_up), longest: LONGEST, room }
    }

    /// The addresses with a number in place of each name. A name that is not found in time, or
    /// stands for nothing that can be called, gives none.
    pub(super) async fn resolve(self, addresses: Vec<DialAddress>) -> Vec<Multiaddr> {
        let mut all = Vec::new();
        for found in join_all(addresses.iter().map(|address| self.places(address))).await {
            for address in found {
                if !all.contains(&address) {
                    all.push(address);
                }
            }
        }
        all.truncate(MOST_OF_A_CALL);
        all
    }

    async fn places(&self, address: &DialAddress) -> Vec<Multiaddr> {
        let ips = match &address.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name { family, name } => self.behind(*family, name.clone()).await,
        };
        let place = |ip| multiaddr(ip, address.port, address.transport);
        ips.into_iter().map(place).collect()
    }

    async fn behind(&self, family: Family, name: Arc<str>) -> Vec<IpAddr> {
        let found = timeout(self.longest, async {
            // It is never closed.
            let room = self.room.clone().acquire_owned().await.ok()?;
            let look_up = self.look_up.clone();
            let found = spawn_blocking(move || {
                let _until_it_ends = room;
                look_up(&name)
            });
            found.await.ok()?.ok()
        });
        let mut found = found.await.ok().flatten().unwrap_or_default();
        found.retain(|ip| {
            let wanted = match family {
                Family::Any => true,
                Family::V4 => ip.is_ipv4(),
                Family::V6 => ip.is_ipv6(),
            };
            wanted && can_be_called(ip.to_canonical()).is_ok()
        });
        found.truncate(MOST_BEHIND_A_NAME);
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::sync::mpsc;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<DialAddress> {
        DialAddress::list(texts).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn resolved(resolver: &Resolver, texts: &[&str]) -> Vec<String> {
        let found = resolver.clone().resolve(addresses(texts)).await;
        found.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_name_is_looked_up_again_at_each_call() {
        let calls = AtomicU8::new(0);
        let resolver = Resolver::new(move |name| {
            assert_eq!(name, "anna.example");
            Ok(vec![IpAddr::from([10, 0, 0, calls.fetch_add(1, Ordering::Relaxed)])])
        });
        for call in 0..3 {
            let found = resolved(&resolver, &["/dns/anna.example/tcp/7400"]).await;
            assert_eq!(found, [format!("/ip4/10.0.0.{call}/tcp/7400")]);
        }
    }

    #[tokio::test]
    async fn only_addresses_of_the_wanted_kind_that_one_machine_can_have_are_called() {
        let resolver = Resolver::new(|_| {
            Ok(["10.0.0.1", "2001:db8::1", "0.0.0.0", "::", "224.0.0.1", "::ffff:0.0.0.0"]
                .map(ip)
                .to_vec())
        });
        let (v4, v6) = ("/ip4/10.0.0.1/tcp/1", "/ip6/2001:db8::1/tcp/1");
        assert_eq!(resolved(&resolver, &["/dns/a/tcp/1"]).await, [v4, v6]);
        assert_eq!(resolved(&resolver, &["/dns4/a/tcp/1"]).await, [v4]);
        assert_eq!(resolved(&resolver, &["/dns6/a/tcp/1"]).await, [v6]);
        // The same place twice is called once.
        assert_eq!(resolved(&resolver, &[v4, "/dns4/a/tcp/1"]).await, [v4]);
    }

    #[tokio::test]
    async fn a_name_that_is_not_found_leaves_the_other_addresses() {
        let resolver = Resolver::new(|_| Err(io::ErrorKind::NotFound.into()));
        assert!(resolved(&resolver, &["/dns/a/tcp/1"]).await.is_empty());
        let other = "/ip4/10.0.0.1/udp/1/quic-v1";
        assert_eq!(resolved(&resolver, &["/dns/a/tcp/1", other]).await, [other]);
    }

    #[tokio::test]
    async fn a_name_with_a_thousand_addresses_is_called_at_few() {
        let many = |_: &str| Ok((0..1000u32).map(|at| IpAddr::from(at.to_be_bytes())).collect());
        let resolver = Resolver::new(move |name| {
            many(name).map(|mut found: Vec<IpAddr>| {
                found.iter_mut().for_each(|ip| {
                    *ip = match *ip {
                        IpAddr::V4(ip) => {
                            IpAddr::from([10, ip.octets()[1], ip.octets()[2], ip.octets()[3]])
                        }
                        other => other,
                    }
                });
                found
            })
        });
        assert_eq!(resolved(&resolver, &["/dns/a/tcp/1"]).await.len(), MOST_BEHIND_A_NAME);
        let names = ["/dns/a/tcp/1", "/dns/a/tcp/2", "/dns/a/tcp/3"];
        assert_eq!(resolved(&resolver, &names).await.len(), MOST_OF_A_CALL);
    }

    #[tokio::test]
    async fn lookups_that_hang_end_in_time_and_take_a_bounded_number_of_threads() {
        let (release, held) = mpsc::channel::<()>();
        let (held, begun) = (std::sync::Mutex::new(held), Arc::new(AtomicU8::new(0)));
        let count = begun.clone();
        let mut resolver = Resolver::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            // Until the test lets go of its end.
            let _ = held.lock().unwrap().recv();
            Ok(Vec::new())
        });
        resolver.longest = Duration::from_millis(50);
        let calls = (0..40).map(|_| resolver.clone().resolve(addresses(&["/dns/a/tcp/1"])));
        assert!(join_all(calls).await.iter().all(Vec::is_empty));
        assert!(usize::from(begun.load(Ordering::Relaxed)) <= MOST_LOOKUPS);
        drop(release);
    }

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let found = resolved(&Resolver::system(), &["/dns4/localhost/tcp/7400"]).await;
        assert_eq!(found, ["/ip4/127.0.0.1/tcp/7400"]);
    }
}
