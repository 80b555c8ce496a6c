//! Names are looked up at each dial: their addresses may change.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use libp2p::Multiaddr;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::address::{DialAddress, Family, Host, Place, Port, at_ip, can_be_called};
use super::published::NameServers;
use roastery_protocol::group::PeerId;

/// The timeout of all lookups of one dial. What was found by then is dialled.
const LONGEST: Duration = Duration::from_secs(3);

/// The most addresses of one name that are dialled.
const MOST_BEHIND_A_NAME: usize = 8;

/// The most names whose TXT records are read for one published name: an entry may point to a
/// further name. Each is read once, so that no circle is followed.
const MOST_NAMES: usize = 8;

/// The most addresses of one dial.
pub(super) const MOST_OF_A_CALL: usize = 16;

/// Lookups at a time. One that hangs in the system cannot be stopped, and keeps a thread: without a
/// bound a name server that does not answer would take all threads for blocking work.
const MOST_LOOKUPS: usize = 16;

type LookUp = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

/// Looks names up.
#[derive(Clone)]
pub(super) struct Resolver {
    look_up: Arc<LookUp>,
    name_servers: NameServers,
    longest: Duration,
    room: Arc<Semaphore>,
}

impl DialAddress {
    /// Looks its name up as a dial of this peer does, within some seconds. Returns what would be
    /// dialled: nothing if the name is not known, or has no address that can be dialled.
    pub async fn look_up(&self, peer: &PeerId) -> Vec<Multiaddr> {
        Resolver::system().resolve(peer.clone(), vec![self.clone()]).await
    }
}

impl Resolver {
    /// The system's resolver: `/etc/hosts`, DNS and whatever else it is configured with. Published
    /// addresses are asked of its name servers, because the system's resolver gives no TXT records.
    pub(super) fn system() -> Self {
        Self::new(|name| {
            let found = (name, 0).to_socket_addrs()?;
            Ok(found.map(|found| found.ip()).collect())
        })
    }

    fn new(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        let room = Arc::new(Semaphore::new(MOST_LOOKUPS));
        let name_servers = NameServers::System;
        Self { look_up: Arc::new(look_up), name_servers, longest: LONGEST, room }
    }

    /// The peer's addresses with an IP address in place of each name. A name that is not found in
    /// time, or has no address that can be dialled, gives none.
    pub(super) async fn resolve(self, peer: PeerId, addresses: Vec<DialAddress>) -> Vec<Multiaddr> {
        let until = Instant::now() + self.longest;
        let mut all = Vec::new();
        let places = addresses.iter().map(|address| self.places(address, &peer, until));
        for found in join_all(places).await {
            for address in found {
                if !all.contains(&address) {
                    all.push(address);
                }
            }
        }
        all.truncate(MOST_OF_A_CALL);
        all
    }

    async fn places(&self, at: &DialAddress, peer: &PeerId, until: Instant) -> Vec<Multiaddr> {
        let ports = match &at.place {
            Place::Port(port) => vec![port.clone()],
            Place::Published(name) => self.published(name.clone(), peer, until).await,
        };
        let numbers = join_all(ports.iter().map(|port| self.numbers(port, until))).await;
        numbers.into_iter().flatten().collect()
    }

    /// The addresses published under this name, and under the names in its records.
    async fn published(&self, name: Arc<str>, peer: &PeerId, until: Instant) -> Vec<Port> {
        let (mut ports, mut names, mut asked) = (Vec::new(), vec![name], 0);
        while asked < names.len() {
            let entries =
                join_all(names[asked..].iter().map(|name| self.entries(name, peer, until)));
            let entries = entries.await;
            asked = names.len();
            for entry in entries.into_iter().flatten() {
                match entry.place {
                    Place::Port(port) if !ports.contains(&port) => ports.push(port),
                    Place::Published(name) if !names.contains(&name) => names.push(name),
                    Place::Port(_) | Place::Published(_) => {}
                }
            }
            ports.truncate(MOST_BEHIND_A_NAME);
            names.truncate(MOST_NAMES);
        }
        ports
    }

    async fn entries(&self, name: &str, peer: &PeerId, until: Instant) -> Vec<DialAddress> {
        let found = timeout_at(until, async {
            // The semaphore is never closed.
            let _room = self.room.acquire().await.ok()?;
            Some(self.name_servers.published(name, peer).await)
        });
        found.await.ok().flatten().unwrap_or_default()
    }

    async fn numbers(&self, port: &Port, until: Instant) -> Vec<Multiaddr> {
        let ips = match &port.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name { family, name } => self.behind(*family, name.clone(), until).await,
        };
        ips.into_iter().map(|ip| at_ip(ip, port.port, port.transport)).collect()
    }

    async fn behind(&self, family: Family, name: Arc<str>, until: Instant) -> Vec<IpAddr> {
        let found = timeout_at(until, async {
            // The semaphore is never closed.
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
mod tests;
